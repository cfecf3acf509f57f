#include "storage/doctor.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "storage/home.h"
#include "storage/recovery.h"
#include "storage/viewed_files.h"

namespace perdure {
namespace {

constexpr std::uint64_t kSmallFileBytesMax = 4096;

/// One examination. Every step adds findings and goes on.
class Examination {
public:
    Examination(const std::string& home, std::uint64_t reserve_bytes, Files& files,
                const Clock& clock, const Log& logger)
        : home_(home),
          db_(home + "/db"),
          reserve_bytes_(reserve_bytes),
          files_(files),
          clock_(clock),
          logger_(logger) {}

    Result<DoctorReport> run() {
        ASSIGN_OR_RETURN(const FileInfo info, files_.info(home_));
        check_permissions(home_, info);
        check_space();
        check_version();
        if (const auto db = files_.info(db_)) {
            check_permissions(db_, *db);
            check_files(db_);
            check_note();
            check_manifest();
            check_log();
            check_store();
        }
        return std::move(report_);
    }

private:
    using Severity = Finding::Severity;

    void add(Severity severity, std::string path, std::string what) {
        report_.findings.push_back({severity, std::move(path), std::move(what)});
    }

    void check_permissions(const std::string& path, const FileInfo& info) {
        if (!info.own) {
            add(Severity::Setting, path,
                "belongs to another user; run as that user or change the owner");
        }
        if ((info.permissions & 077) != 0) {
            add(Severity::Setting, path, "is open to other users; run: chmod go-rwx " + path);
        }
    }

    void check_space() {
        const auto free = files_.free_bytes(home_);
        if (free && *free < reserve_bytes_) {
            add(Severity::Setting, home_,
                "only " + std::to_string(*free) +
                    " bytes are free; a node holds off new entries below " +
                    std::to_string(reserve_bytes_) + "; make room");
        }
    }

    void check_version() {
        const std::string path = home_ + "/version";
        const auto bytes = read_file(files_, path, kSmallFileBytesMax);
        if (!bytes) {
            add(Severity::Damage, path, bytes.error().message());
        } else if (text_of(*bytes) != std::to_string(kHomeFormat) + "\n") {
            add(Severity::Damage, path, "is not the format number " + std::to_string(kHomeFormat));
        }
    }

    void check_files(const std::string& directory) {
        const auto names = files_.list(directory);
        if (!names) {
            add(Severity::Damage, directory, names.error().message());
            return;
        }
        for (const std::string& name : *names) {
            const std::string path = directory + "/" + name;
            const auto info = files_.info(path);
            if (!info) {
                continue;
            }
            check_permissions(path, *info);
            if (info->directory) {
                check_files(path);
                continue;
            }
            ++report_.files_checked;
            report_.bytes_checked += info->size;
        }
    }

    void check_note() {
        const std::string path = db_ + "/durable";
        const auto bytes = read_file(files_, path, kSmallFileBytesMax);
        if (bytes && !bytes->empty() && !decode_note(*bytes)) {
            add(Severity::Damage, path,
                "the note of the durable number is damaged; later batches stand for it");
        }
    }

    void check_manifest() {
        const std::string path = db_ + "/CURRENT";
        const auto current = read_file(files_, path, kSmallFileBytesMax);
        if (!current) {
            add(Severity::Damage, path, current.error().message());
            return;
        }
        std::string name(text_of(*current));
        if (!name.ends_with('\n')) {
            add(Severity::Damage, path, "does not end with a line end");
            return;
        }
        name.pop_back();
        const auto manifest = read_file(files_, db_ + "/" + name, UINT64_MAX);
        if (!manifest) {
            add(Severity::Damage, path,
                "names a file that cannot be read: " + manifest.error().message());
        } else if (const auto damage = first_record_damage(*manifest)) {
            add(Severity::Damage, db_ + "/" + name,
                "at byte " + std::to_string(damage->offset) + ": " + damage->what);
        }
    }

    void check_log() {
        const auto scan = scan_log(files_, db_);
        if (!scan) {
            add(Severity::Damage, db_, scan.error().message());
            return;
        }
        for (const ScannedDamage& damage : scan->damages) {
            add(Severity::Damage, scan->files[damage.file_index],
                "at byte " + std::to_string(damage.offset) + ": " + damage.what);
        }
        for (const ScannedRemnant& remnant : scan->remnants) {
            as_opened_.shortened[scan->files[remnant.file_index]] = remnant.offset;
        }
        const auto note = read_file(files_, db_ + "/durable", kNoteBytes);
        const Judgement judgement = judge(*scan, note, {});
        if (judgement.cut && scan->damages.empty()) {
            add(Severity::Damage, scan->files[judgement.cut->file_index], judgement.suspicion);
        }
        durable_ = judgement.durable;
    }

    void check_store() {
        RocksStore::Options options;
        options.path = db_;
        options.access = RocksEnv::Access::ReadOnly;
        ViewedFiles viewed(files_, as_opened_);
        auto opened = RocksStore::open(std::move(options), viewed, clock_, logger_);
        if (!opened) {
            add(Severity::Damage, db_, opened.error().message());
            return;
        }
        const auto store = std::move(*opened);
        if (const auto blocks = store->verify_checksums(); !blocks) {
            add(Severity::Damage, db_, blocks.error().message());
        }
        for (std::uint8_t family = 0; family < kFamilyCount; ++family) {
            check_values(*store, static_cast<Family>(family));
        }
        check_large(*store);
        const auto mark = store->read(Family::Meta, bytes_of(kMarkKey));
        if (mark && *mark) {
            const auto decoded = decode_mark((*mark)->bytes.view());
            if (decoded && decoded->last < durable_) {
                add(Severity::Damage, db_,
                    "the store ends with entry " + std::to_string(decoded->last.value) +
                        ", although entry " + std::to_string(durable_.value) + " was durable");
            }
        }
    }

    void check_values(const Store& store, Family family) {
        const auto cursor = store.scan(family, {}, {});
        while (true) {
            const auto more = cursor->next();
            if (!more) {
                add(Severity::Damage, db_,
                    std::string(to_string(family)) + ": " + more.error().message());
                return;
            }
            if (!*more) {
                return;
            }
            if (family == Family::Processes) {
                keep(*cursor, report_.processes);
            } else if (family == Family::Packages) {
                keep(*cursor, report_.packages);
            }
        }
    }

    /// Damage of a large value is a finding of `check_large`.
    void keep(const StoreCursor& cursor, std::vector<KeyValue>& records) {
        const SharedBytes key(cursor.key());
        const StoreValue& value = cursor.value();
        if (value.format == ValueFormat::Inline) {
            records.push_back({key, value.bytes});
            return;
        }
        const LargeEntries large(files_, db_ + "/large", [](const std::string&) {});
        const auto loaded =
            decode_large_reference(value.bytes.view()).and_then([&](const auto& it) {
                return large.load(it);
            });
        if (loaded) {
            records.push_back({key, *loaded});
        }
    }

    void check_large(const Store& store) {
        const std::string directory = db_ + "/large";
        LargeEntries large(files_, directory, [](const std::string&) {});
        const auto live = list_large(store);
        if (!live) {
            add(Severity::Damage, db_, live.error().message());
            return;
        }
        std::set<std::string> wanted;
        for (const LiveLarge& item : *live) {
            wanted.insert(large.path_of(item.reference.id));
            if (const auto loaded = large.load(item.reference); !loaded) {
                add(Severity::Damage, large.path_of(item.reference.id), loaded.error().message());
            }
        }
        const auto names = files_.list(directory);
        for (const std::string& name : names ? *names : std::vector<std::string>()) {
            if (!wanted.contains(directory + "/" + name)) {
                add(Severity::Note, directory + "/" + name,
                    "no entry refers to it; the next start removes it");
            }
        }
    }

    const std::string& home_;
    const std::string db_;
    const std::uint64_t reserve_bytes_;
    Files& files_;
    const Clock& clock_;
    const Log& logger_;
    SequenceNumber durable_;
    View as_opened_;  // what a start takes away without loss is no finding
    DoctorReport report_;
};

}  // namespace

std::string_view to_string(Finding::Severity severity) {
    switch (severity) {
        case Finding::Severity::Note: return "note";
        case Finding::Severity::Damage: return "damage";
        case Finding::Severity::Setting: return "setting";
    }
    CHECK(false, "unknown severity");
    return "";
}

Result<DoctorReport> examine_home(const std::string& home, std::uint64_t reserve_bytes,
                                  Files& files, const Clock& clock, const Log& logger) {
    return Examination(home, reserve_bytes, files, clock, logger).run();
}

}  // namespace perdure
