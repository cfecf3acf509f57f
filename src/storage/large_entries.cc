#include "storage/large_entries.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <thread>

#include "storage/crc32c.h"
#include "storage/record.h"

namespace perdure {
namespace {

constexpr std::size_t kNameDigits = 16;

std::string name_of(std::uint64_t id) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string name(kNameDigits, '0');
    for (std::size_t i = kNameDigits; i > 0; --i, id >>= 4) {
        name[i - 1] = kDigits[id & 15];
    }
    return name;
}

std::optional<std::uint64_t> id_of(std::string_view name) {
    std::uint64_t id = 0;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
    if (name.size() != kNameDigits || failure != std::errc() || end != name.data() + name.size()) {
        return {};
    }
    return id;
}

/// The thread gives way after each piece: one that goes on for milliseconds would keep a worker
/// that wakes on the same processor waiting for as long.
template <typename Use>
Result<void> for_each_piece(ByteView bytes, Use&& use) {
    constexpr std::size_t kPieceBytes = 256 << 10;
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(kPieceBytes, bytes.size()))) {
        RETURN_IF_ERROR(use(bytes.first(std::min(kPieceBytes, bytes.size()))));
        std::this_thread::yield();
    }
    return {};
}

}  // namespace

Bytes encode(const LargeReference& reference) {
    Bytes bytes(kLargeReferenceBytes);
    put_u64(bytes.data(), reference.id);
    put_u64(bytes.data() + 8, reference.size);
    put_u32(bytes.data() + 16, reference.checksum);
    return bytes;
}

Result<LargeReference> decode_large_reference(ByteView bytes) {
    if (bytes.size() != kLargeReferenceBytes) {
        return Error(ErrorCode::Corrupt, "reference to a large value is malformed");
    }
    return LargeReference{get_u64(bytes.data()), get_u64(bytes.data() + 8),
                          get_u32(bytes.data() + 16)};
}

StagedEntry::StagedEntry(StagedEntry&& other) noexcept
    : owner_(other.owner_), entry_(std::move(other.entry_)), uses_(std::move(other.uses_)) {
    other.uses_.clear();
}

StagedEntry& StagedEntry::operator=(StagedEntry&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(entry_, other.entry_);
    std::swap(uses_, other.uses_);
    return *this;
}

StagedEntry::~StagedEntry() {
    for (const LargeUse& use : uses_) {
        owner_->remove(use.reference.id);
    }
}

LargeEntries::LargeEntries(Files& files, std::string directory,
                           std::function<void(const std::string&)> failed_sync)
    : files_(files), directory_(std::move(directory)), failed_sync_(std::move(failed_sync)) {}

std::string LargeEntries::path_of(std::uint64_t id) const {
    return directory_ + "/" + name_of(id);
}

Result<void> LargeEntries::open() {
    if (auto made = files_.make_directory(directory_);
        !made && made.error().code() != ErrorCode::AlreadyExists) {
        return made;
    }
    if (const SyncOutcome synced = files_.sync_directory(parent_of(directory_)); !synced) {
        return Error(ErrorCode::Io, synced.failure());
    }
    ASSIGN_OR_RETURN(const auto names, files_.list(directory_));
    for (const std::string& name : names) {
        if (const auto id = id_of(name)) {
            next_id_ = std::max(next_id_.load(), *id + 1);
        }
    }
    return {};
}

Result<StagedEntry> LargeEntries::stage(Entry&& entry, std::uint64_t inline_bytes_max) {
    StagedEntry staged(*this, std::move(entry));
    std::vector<std::size_t> by_size;
    for (std::size_t i = 0; i < staged.entry_.changes.size(); ++i) {
        const auto& value = staged.entry_.changes[i].value;
        if (value && value->size() > kLargeReferenceBytes) {
            by_size.push_back(i);
        }
    }
    const auto size_at = [&](std::size_t i) { return staged.entry_.changes[i].value->size(); };
    std::stable_sort(by_size.begin(), by_size.end(),
                     [&](auto one, auto other) { return size_at(one) > size_at(other); });

    for (const std::size_t index : by_size) {
        if (staged.size() <= inline_bytes_max) {
            break;
        }
        Change& change = staged.entry_.changes[index];
        const ByteView value = change.value->view();
        std::uint32_t checksum = 0;
        RETURN_IF_ERROR(for_each_piece(value, [&](ByteView piece) -> Result<void> {
            checksum = crc32c_extend(checksum, piece);
            return {};
        }));
        const LargeReference reference{next_id_.fetch_add(1), value.size(), checksum};
        ASSIGN_OR_RETURN(auto file, files_.open_write(path_of(reference.id), OpenMode::New));
        staged.uses_.push_back({index, reference});
        RETURN_IF_ERROR(for_each_piece(value, [&](ByteView piece) { return file->append(piece); }));
        if (const SyncOutcome synced = file->sync(); !synced) {
            failed_sync_(synced.failure());
            return Error(ErrorCode::Io, synced.failure());
        }
        change.value = SharedBytes(ByteView(encode(reference)));
    }
    if (staged.size() > inline_bytes_max) {
        return Error(ErrorCode::InvalidInput,
                     "an entry of " + std::to_string(staged.size()) +
                         " bytes of keys and small values does not fit; at most " +
                         std::to_string(inline_bytes_max) + " do");
    }
    if (!staged.uses_.empty()) {
        if (const SyncOutcome synced = files_.sync_directory(directory_); !synced) {
            failed_sync_(synced.failure());
            return Error(ErrorCode::Io, synced.failure());
        }
    }
    return staged;
}

Result<SharedBytes> LargeEntries::load(const LargeReference& reference) const {
    const std::string path = path_of(reference.id);
    ASSIGN_OR_RETURN(const auto file, files_.open_read(path));
    ASSIGN_OR_RETURN(const std::uint64_t size, file->size());
    if (size != reference.size) {
        return Error(ErrorCode::Corrupt, path + ": " + std::to_string(size) + " bytes instead of " +
                                             std::to_string(reference.size));
    }
    Result<std::size_t> count = std::size_t{0};
    SharedBytes bytes =
        SharedBytes::make(size, [&](std::span<Byte> out) { count = file->read_at(0, out); });
    if (!count) {
        return std::move(count).error();
    }
    if (*count != size || crc32c(bytes.view()) != reference.checksum) {
        return Error(ErrorCode::Corrupt, path + ": checksum does not match");
    }
    return bytes;
}

void LargeEntries::remove(std::uint64_t id) {
    (void)files_.remove(path_of(id));
}

Result<void> LargeEntries::verify(const std::vector<LargeReference>& live) {
    for (const LargeReference& reference : live) {
        if (auto loaded = load(reference); !loaded) {
            return Error(ErrorCode::Corrupt, loaded.error().message());
        }
        next_id_ = std::max(next_id_.load(), reference.id + 1);
    }
    return {};
}

Result<void> LargeEntries::remove_others(const std::vector<LargeReference>& live) {
    std::set<std::uint64_t> ids;
    for (const LargeReference& reference : live) {
        ids.insert(reference.id);
    }
    ASSIGN_OR_RETURN(const auto names, files_.list(directory_));
    for (const std::string& name : names) {
        if (const auto id = id_of(name); id && !ids.contains(*id)) {
            remove(*id);
        }
    }
    return {};
}

}  // namespace perdure
