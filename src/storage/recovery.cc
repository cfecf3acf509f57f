#include "storage/recovery.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "storage/committer.h"
#include "storage/viewed_files.h"

namespace perdure {
namespace {

Error loss(const std::string& where, const std::string& what, SequenceNumber durable) {
    return {ErrorCode::Corrupt,
            where + ": " + what + "; durable data up to entry " + std::to_string(durable.value) +
                " would be lost, so the start is refused and nothing was changed"};
}

/// A store that was never finished being made: no batch of it was ever on disk.
Result<bool> is_new(Files& files, const std::string& db_path, const LogScan& scan,
                    const Judgement& judgement) {
    const std::string current = db_path + "/CURRENT";
    const auto info = files.info(current);
    if (info) {
        return false;
    }
    if (info.error().code() != ErrorCode::NotFound) {
        return info.error();
    }
    if (judgement.durable.value != 0 || !scan.batches.empty()) {
        return loss(current, "missing", std::max(judgement.durable, judgement.end));
    }
    return true;
}

Result<void> cut_file(Files& files, const std::string& path, std::uint64_t size) {
    ASSIGN_OR_RETURN(const auto file, files.open_write(path, OpenMode::Keep));
    RETURN_IF_ERROR(file->truncate(size));
    if (const SyncOutcome synced = file->sync(); !synced) {
        return Error(ErrorCode::Io, synced.failure());
    }
    return {};
}

Result<void> cut_off(Files& files, const LogScan& scan, const Judgement::Cut& cut,
                     const std::string& db_path) {
    // Later files first: a cut that is itself cut short is judged the same way at the next start.
    for (std::size_t i = scan.files.size(); i-- > cut.file_index + 1;) {
        RETURN_IF_ERROR(files.remove(scan.files[i]));
    }
    RETURN_IF_ERROR(cut_file(files, scan.files[cut.file_index], cut.offset));
    if (const SyncOutcome synced = files.sync_directory(db_path); !synced) {
        return Error(ErrorCode::Io, synced.failure());
    }
    return {};
}

Result<std::optional<BatchMark>> mark_of(const Store& store) {
    ASSIGN_OR_RETURN(const auto value, store.read(Family::Meta, bytes_of(kMarkKey)));
    if (!value) {
        return std::optional<BatchMark>();
    }
    ASSIGN_OR_RETURN(const BatchMark mark, decode_mark(value->bytes.view()));
    return std::optional(mark);
}

Result<std::uint64_t> number_in_meta(const Store& store, std::string_view key, std::size_t size) {
    ASSIGN_OR_RETURN(const auto value, store.read(Family::Meta, bytes_of(key)));
    if (!value || value->bytes.size() != size) {
        return Error(ErrorCode::Corrupt, "meta/" + std::string(key) + " is missing or malformed");
    }
    const Byte* bytes = value->bytes.view().data();
    return size == 4 ? get_u32(bytes) : get_u64(bytes);
}

/// A damaged tail of RocksDB's MANIFEST: edits that were written but not synced. Without them the
/// store is as before.
struct ManifestCut {
    std::string path;
    RecordDamage damage;
};
std::optional<ManifestCut> look_at_manifest(Files& files, const std::string& db_path) {
    constexpr std::uint64_t kCurrentBytesMax = 256;
    const auto current = read_file(files, db_path + "/CURRENT", kCurrentBytesMax);
    if (!current || current->empty() || current->back() != '\n') {
        return {};  // RocksDB refuses it by name
    }
    const std::string path =
        db_path + "/" + std::string(text_of(*current).substr(0, current->size() - 1));
    const auto bytes = read_file(files, path, UINT64_MAX);
    if (!bytes) {
        return {};
    }
    auto damage = first_record_damage(*bytes);
    if (!damage) {
        return {};
    }
    return ManifestCut{path, std::move(*damage)};
}

/// One start's view of what is on the disk.
struct Inspection {
    const RecoveryOptions& options;
    const LogScan& scan;
    const Judgement& judgement;
    const std::optional<ManifestCut>& manifest;
    const LargeEntries& large;
    Files& files;
    const Clock& clock;
    const Log& logger;

    std::string where() const {
        if (manifest) {
            return manifest->path + " at byte " + std::to_string(manifest->damage.offset) + ": " +
                   manifest->damage.what;
        }
        return judgement.suspicion.empty() ? options.db_path : judgement.suspicion;
    }
    SequenceNumber wanted() const { return std::max(judgement.durable, judgement.end); }

    View after_cut() const {
        View view = with_manifest_cut();
        for (const ScannedRemnant& remnant : scan.remnants) {
            view.shortened[scan.files[remnant.file_index]] = remnant.offset;
        }
        for (const std::size_t index : judgement.obsolete) {
            view.hidden.insert(scan.files[index]);
        }
        if (judgement.cut) {
            const auto index = static_cast<std::ptrdiff_t>(judgement.cut->file_index);
            view.shortened[scan.files[judgement.cut->file_index]] = judgement.cut->offset;
            view.hidden.insert(scan.files.begin() + index + 1, scan.files.end());
        }
        return view;
    }
    View with_manifest_cut() const {
        View view;
        if (manifest) {
            view.shortened[manifest->path] = manifest->damage.offset;
        }
        return view;
    }

    enum class LargeValues : std::uint8_t { Ignored, Checked };

    Result<SequenceNumber> end_of(Files& viewed, LargeValues large_values) const {
        RocksStore::Options read_only;
        read_only.path = options.db_path;
        read_only.access = RocksEnv::Access::ReadOnly;
        read_only.tuning = options.tuning;
        auto opened = RocksStore::open(std::move(read_only), viewed, clock, logger);
        if (!opened) {
            return loss(where(), opened.error().message(), wanted());
        }
        const auto store = std::move(*opened);
        ASSIGN_OR_RETURN(const auto mark, mark_of(*store));
        if (large_values == LargeValues::Checked) {
            ASSIGN_OR_RETURN(const auto live, list_large(*store));
            for (const LiveLarge& item : live) {
                if (auto loaded = large.load(item.reference); !loaded) {
                    return Error(ErrorCode::Corrupt, loaded.error().message());
                }
            }
        }
        return mark ? mark->last : SequenceNumber{};
    }

    /// The last number that the table files hold.
    Result<SequenceNumber> tables_end() const {
        View tables = with_manifest_cut();
        tables.emptied.insert(scan.files.begin(), scan.files.end());
        ViewedFiles viewed(files, std::move(tables));
        return end_of(viewed, LargeValues::Ignored);
    }

    /// Whether RocksDB finds all of it as well, and every large value is right; changes nothing.
    Result<void> rehearse() const {
        ViewedFiles viewed(files, after_cut());
        ASSIGN_OR_RETURN(const SequenceNumber end, end_of(viewed, LargeValues::Checked));
        if (end < wanted()) {
            return loss(where(), "the store ends with entry " + std::to_string(end.value),
                        wanted());
        }
        return {};
    }
};

/// The judgement that counts; see the phases. Changes nothing.
Result<void> judge_all(Inspection& inspection, Judgement& judgement, const Result<Bytes>& note,
                       bool has_large) {
    judgement = judge(inspection.scan, note, {});
    if (inspection.wanted().value == 0) {
        return {};  // nothing was ever given out, so nothing can be missing
    }
    const bool log_suffices = !judgement.loses_durable_data() && !inspection.manifest;
    if (!log_suffices) {
        ASSIGN_OR_RETURN(const SequenceNumber tables_end, inspection.tables_end());
        judgement = judge(inspection.scan, note, tables_end);
    }
    if (judgement.loses_durable_data()) {
        return loss(inspection.where(),
                    "the store ends with entry " + std::to_string(judgement.end.value),
                    judgement.durable);
    }
    if (!log_suffices || judgement.cut || has_large) {
        RETURN_IF_ERROR(inspection.rehearse());
    }
    return {};
}

/// Damage above the durable number goes, and what looks like some, so that RocksDB meets none.
Result<void> cut_damage(const Inspection& inspection, const std::string& db_path) {
    for (const ScannedRemnant& remnant : inspection.scan.remnants) {
        RETURN_IF_ERROR(
            cut_file(inspection.files, inspection.scan.files[remnant.file_index], remnant.offset));
    }
    for (const std::size_t index : inspection.judgement.obsolete) {
        RETURN_IF_ERROR(inspection.files.remove(inspection.scan.files[index]));
    }
    if (inspection.manifest) {
        RETURN_IF_ERROR(cut_file(inspection.files, inspection.manifest->path,
                                 inspection.manifest->damage.offset));
    }
    if (inspection.judgement.cut) {
        RETURN_IF_ERROR(
            cut_off(inspection.files, inspection.scan, *inspection.judgement.cut, db_path));
    }
    return {};
}

Result<void> check(const WriteOutcome& outcome, const char* what) {
    if (outcome.kind == WriteOutcome::Kind::Done) {
        return {};
    }
    return Error(ErrorCode::Io, std::string(what) + ": " + outcome.message);
}

/// The first batch of this run: the ceiling is raised, durably, before any number is given out.
Result<void> write_first_batch(RecoveredStore& recovered, SequenceNumber found,
                               std::uint64_t ceiling_found) {
    BatchMark& mark = recovered.mark;
    mark.previous = found;
    mark.last = recovered.orderly || recovered.created
                    ? found
                    : SequenceNumber{std::max(ceiling_found, found.value)};
    mark.durable = found;
    mark.ceiling = std::max(mark.last.value, ceiling_found) + kCeilingStep;
    mark.orderly = false;

    const auto mark_bytes = encode(mark);
    std::array<Byte, 4> format{};
    std::array<Byte, 8> log_id{};
    put_u32(format.data(), kStoreFormat);
    put_u64(log_id.data(), recovered.log_id);
    std::vector<StoreChange> changes{
        {Family::Meta, bytes_of(kMarkKey), ByteView(mark_bytes), ValueFormat::Inline}};
    if (recovered.created) {
        changes.push_back(
            {Family::Meta, bytes_of(kFormatKey), ByteView(format), ValueFormat::Inline});
        changes.push_back(
            {Family::Meta, bytes_of(kLogIdKey), ByteView(log_id), ValueFormat::Inline});
    }
    RETURN_IF_ERROR(check(recovered.store->write(changes, Sync::Yes), "first batch"));
    mark.durable = mark.last;
    return {};
}

}  // namespace

Judgement judge(const LogScan& scan, const Result<Bytes>& note,
                std::optional<SequenceNumber> tables_end) {
    Judgement judgement;
    if (note) {
        const auto number = decode_note(*note);
        judgement.note_damaged = !number && !note->empty();
        judgement.durable = number ? *number : SequenceNumber{};
    }
    for (const ScannedBatch& batch : scan.batches) {
        judgement.durable = std::max(judgement.durable, batch.mark.durable);
    }
    judgement.end = tables_end.value_or(scan.batches.empty() ? SequenceNumber{}
                                                             : scan.batches.front().mark.previous);

    std::optional<std::size_t>
        first_needed;  // file of the first batch that the table files do not hold
    auto damage = scan.damages.begin();
    const auto stop_at = [&](std::size_t file_index, std::uint64_t offset,
                             const std::string& what) {
        judgement.suspicion =
            scan.files[file_index] + " at byte " + std::to_string(offset) + ": " + what;
        judgement.cut = Judgement::Cut{file_index, offset};
    };
    for (std::size_t i = 0; i <= scan.batches.size(); ++i) {
        // Damage in front of this batch ends the walk, unless everything needed comes in later
        // files: the next batch that the table files do not hold does, and follows on them.
        for (; damage != scan.damages.end() && damage->batches_before == i; ++damage) {
            const auto needed = std::find_if(
                scan.batches.begin() + static_cast<std::ptrdiff_t>(i), scan.batches.end(),
                [&](const ScannedBatch& batch) { return judgement.end < batch.mark.last; });
            const bool obsolete = tables_end && !first_needed && needed != scan.batches.end() &&
                                  needed->file_index > damage->file_index &&
                                  needed->mark.previous <= judgement.end;
            if (!obsolete) {
                stop_at(damage->file_index, damage->offset, damage->what);
                return judgement;
            }
            if (judgement.obsolete.empty() || judgement.obsolete.back() != damage->file_index) {
                judgement.obsolete.push_back(damage->file_index);
            }
        }
        if (i == scan.batches.size()) {
            break;
        }
        const ScannedBatch& batch = scan.batches[i];
        if (tables_end && batch.mark.last <= judgement.end && !first_needed) {
            continue;
        }
        if (batch.mark.previous > judgement.end ||
            (first_needed && batch.mark.previous < judgement.end)) {
            stop_at(batch.file_index, batch.begin, "batches are missing before it");
            return judgement;
        }
        first_needed = first_needed.value_or(batch.file_index);
        judgement.end = batch.mark.last;
    }
    if (judgement.loses_durable_data()) {
        judgement.suspicion =
            scan.files.empty() ? "log files are missing" : scan.files.back() + ": ends too early";
    }
    return judgement;
}

Result<std::vector<LiveLarge>> list_large(const Store& store) {
    std::vector<LiveLarge> live;
    const auto cursor = store.scan(Family::Meta, bytes_of(kLargePrefix), {});
    while (true) {
        ASSIGN_OR_RETURN(const bool more, cursor->next());
        if (!more) {
            return live;
        }
        const ByteView value = cursor->value().bytes.view();
        if (value.size() <= kLargeReferenceBytes || value[kLargeReferenceBytes] >= kFamilyCount) {
            return Error(ErrorCode::Corrupt, "the record of a large value is malformed");
        }
        ASSIGN_OR_RETURN(const LargeReference reference,
                         decode_large_reference(value.first(kLargeReferenceBytes)));
        live.push_back({static_cast<Family>(value[kLargeReferenceBytes]),
                        std::string(text_of(value.subspan(kLargeReferenceBytes + 1))), reference});
    }
}

Result<RecoveredStore> recover_store(const RecoveryOptions& options, LargeEntries& large,
                                     Files& files, const Clock& clock, const Log& logger) {
    ASSIGN_OR_RETURN(const LogScan scan, scan_log(files, options.db_path));
    const auto note = read_file(files, options.db_path + "/durable", kNoteBytes);
    Judgement judgement = judge(scan, note, {});
    if (judgement.note_damaged) {
        logger.warn("durable_note_damaged", LogField("path", options.db_path + "/durable"));
    }

    RecoveredStore recovered;
    ASSIGN_OR_RETURN(recovered.created, is_new(files, options.db_path, scan, judgement));
    if (!recovered.created) {
        const auto large_names = files.list(options.db_path + "/large");
        const auto manifest = look_at_manifest(files, options.db_path);
        Inspection inspection{options, scan, judgement, manifest, large, files, clock, logger};
        RETURN_IF_ERROR(
            judge_all(inspection, judgement, note, large_names && !large_names->empty()));
        if (judgement.cut || manifest) {
            recovered.cut =
                inspection.where() + "; nothing durable lay behind it, the rest was cut off";
            logger.warn("log_cut_off", LogField("reason", recovered.cut));
        }
        RETURN_IF_ERROR(cut_damage(inspection, options.db_path));
    }
    if (recovered.created) {
        for (const std::string& path : scan.files) {
            RETURN_IF_ERROR(
                files.remove(path));  // of a creation that was cut short; no whole batch in any
        }
    }

    RocksStore::Options store_options;
    store_options.path = options.db_path;
    store_options.create = recovered.created;
    store_options.tuning = options.tuning;
    store_options.after_failed_write = options.after_failed_write;
    store_options.failed_sync = options.failed_sync;
    ASSIGN_OR_RETURN(recovered.store,
                     RocksStore::open(std::move(store_options), files, clock, logger));

    ASSIGN_OR_RETURN(const auto mark, mark_of(*recovered.store));
    if (!mark) {
        if (judgement.durable.value != 0 || judgement.end.value != 0) {
            return loss(options.db_path, "the store has no mark", judgement.durable);
        }
        recovered.created = true;  // made by RocksDB, but our first batch never reached the disk
        recovered.log_id = options.fresh_log_id;
        RETURN_IF_ERROR(write_first_batch(recovered, {0}, 0));
        RETURN_IF_ERROR(large.open());
        RETURN_IF_ERROR(large.remove_others({}));
        return recovered;
    }
    ASSIGN_OR_RETURN(const std::uint64_t format, number_in_meta(*recovered.store, kFormatKey, 4));
    if (format > kStoreFormat) {
        return Error(ErrorCode::Unsupported,
                     options.db_path + ": store format " + std::to_string(format) +
                         " is newer than this program's " + std::to_string(kStoreFormat));
    }
    ASSIGN_OR_RETURN(recovered.log_id, number_in_meta(*recovered.store, kLogIdKey, 8));
    if (mark->last < std::max(judgement.durable, judgement.end)) {
        return loss(options.db_path,
                    "the store ends with entry " + std::to_string(mark->last.value),
                    std::max(judgement.durable, judgement.end));
    }
    RETURN_IF_ERROR(large.open());
    ASSIGN_OR_RETURN(recovered.large, list_large(*recovered.store));
    std::vector<LargeReference> references;
    for (const LiveLarge& item : recovered.large) {
        references.push_back(item.reference);
    }
    RETURN_IF_ERROR(large.verify(references));

    recovered.recovered = mark->last;
    recovered.orderly = mark->orderly && recovered.cut.empty();
    // Also after an orderly end: the sync of that very end may have failed, and only the cache
    // shows it as done.
    RETURN_IF_ERROR(
        check(recovered.store->rewrite_recovered(), "writing the recovered store anew"));
    RETURN_IF_ERROR(write_first_batch(recovered, mark->last, mark->ceiling));
    RETURN_IF_ERROR(large.remove_others(references));
    return recovered;
}

}  // namespace perdure
