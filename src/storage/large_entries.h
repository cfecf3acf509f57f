#pragma once

/// Values too big for the log: written and synced as files beside it first, then referred to by a
/// small entry (K-268).
///
/// A file is named by its number in 16 hexadecimal digits, is written once and never changed. The
/// store keeps one record per file that a live key refers to, so recovery can check length and
/// checksum of each and remove the rest.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/entry.h"
#include "base/files.h"
#include "base/result.h"

namespace perdure {

/// Points to a large value; 20 bytes in the store: id:u64le size:u64le crc32c:u32le.
struct LargeReference {
    std::uint64_t id = 0;
    std::uint64_t size = 0;
    std::uint32_t checksum = 0;

    friend bool operator==(const LargeReference&, const LargeReference&) = default;
};
inline constexpr std::size_t kLargeReferenceBytes = 20;
Bytes encode(const LargeReference& reference);
Result<LargeReference> decode_large_reference(ByteView bytes);

/// Which change of an entry has its value in which file.
struct LargeUse {
    std::size_t change_index = 0;
    LargeReference reference;
};

class LargeEntries;

/// An entry whose large values are synced files. When it is never appended its files are removed
/// with it. It does not outlive the log it was staged for.
class StagedEntry {
public:
    StagedEntry(StagedEntry&& other) noexcept;
    StagedEntry& operator=(StagedEntry&& other) noexcept;
    ~StagedEntry();

    /// Bytes that count in the journal: keys, small values and references.
    std::size_t size() const { return entry_.size(); }

private:
    friend class LargeEntries;
    friend class EntryLog;
    StagedEntry(LargeEntries& owner, Entry&& entry) : owner_(&owner), entry_(std::move(entry)) {}

    LargeEntries* owner_;
    Entry entry_;  // the large values are replaced by their encoded references
    std::vector<LargeUse> uses_;
};

/// Thread: any, unless said otherwise.
class LargeEntries {
public:
    /// `failed_sync` is told of a sync that failed; the node has to stop then.
    LargeEntries(Files& files, std::string directory,
                 std::function<void(const std::string&)> failed_sync);

    /// Creates the directory when missing. Thread: at start.
    Result<void> open();

    /// Moves values of `entry` into files, largest first, until what is left has at most
    /// `inline_bytes_max` bytes.
    Result<StagedEntry> stage(Entry&& entry, std::uint64_t inline_bytes_max);

    /// The value. Errors: NotFound (removed meanwhile: look the key up again), Corrupt (length or
    /// checksum).
    Result<SharedBytes> load(const LargeReference& reference) const;

    /// Removes the file; a failure is harmless, the next start removes it.
    void remove(std::uint64_t id);

    /// At start: checks length and checksum of every file that the store refers to. Errors:
    /// Corrupt, naming the file.
    Result<void> verify(const std::vector<LargeReference>& live);

    /// At start, once what was recovered is synced (before, a crash could bring an older reference
    /// back): removes all files but those of `live`.
    Result<void> remove_others(const std::vector<LargeReference>& live);

    std::string path_of(std::uint64_t id) const;

private:
    Files& files_;
    const std::string directory_;
    const std::function<void(const std::string&)> failed_sync_;
    std::atomic<std::uint64_t> next_id_{1};
};

}  // namespace perdure
