#pragma once

/// What a disk holds and what a power cut leaves of it, as a model that numbered operations move
/// on.
///
/// The model tells apart what the operating system shows (all operations) and what is on disk (what
/// was synced). A crash image is one possible disk afterwards: everything synced, plus some of the
/// rest, as its `Crash` says. Directory changes are on disk only after their directory was synced;
/// a failed sync leaves its bytes in the cache, and no later sync writes them.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "testing/seeded_random.h"

namespace perdure {

inline constexpr std::size_t kSectorBytes = 512;

/// What becomes of operations that were not synced.
enum class Crash : std::uint8_t {
    Kept,       ///< Only the program ended: everything survives.
    Lost,       ///< Nothing unsynced survives.
    Torn,       ///< A prefix survives, its last write only in part.
    Reordered,  ///< Any subset of sectors and directory changes survives.
};
std::string_view to_string(Crash crash);

/// One change of the disk. Reads are no operations.
struct DiskOperation {
    enum class Kind : std::uint8_t {
        Create,    ///< `path` names the new file `file`.
        Write,     ///< `data` at `offset` of `file`.
        Truncate,  ///< `file` gets the size `offset`.
        SyncFile,
        FailedSync,     ///< A sync of `file` that failed.
        Rename,         ///< `file` from `path` to `to`.
        Link,           ///< `file` gets the further name `path`.
        Remove,         ///< `path`
        MakeDirectory,  ///< `path`
        RemoveDirectory,
        SyncDirectory,  ///< `path`
    };
    Kind kind = Kind::Write;
    std::uint64_t file = 0;
    std::uint64_t offset = 0;
    SharedBytes data;
    std::string path;
    std::string to;
};
std::string_view to_string(DiskOperation::Kind kind);

/// A disk at rest. Value; copies share the bytes.
struct DiskImage {
    struct Content {
        std::shared_ptr<const Bytes> bytes;  // shared by all images between two changes of the file
        std::uint64_t hash = 0;
    };
    std::map<std::string, Content> files;
    std::set<std::string> directories;

    /// Equal disks have equal hashes.
    std::uint64_t hash() const;
    void put(const std::string& path, Bytes bytes);
    friend bool operator==(const DiskImage& left, const DiskImage& right);
};

std::uint64_t hash_of(ByteView bytes);

/// Thread: one.
class SimulatedDisk {
public:
    SimulatedDisk() = default;
    explicit SimulatedDisk(const DiskImage& image);

    /// Carries the operation out; it must make sense (the caller has checked names).
    void apply(const DiskOperation& operation);

    /// One possible disk after a crash now. The same `seed` gives the same image.
    DiskImage image_after(Crash crash, std::uint64_t seed) const;
    /// Operations that a power cut could take back.
    std::size_t unsynced_count() const;

    // What the operating system shows.
    const std::map<std::string, std::uint64_t>& names() const { return names_; }
    bool is_directory(const std::string& path) const { return directories_.contains(path); }
    const std::set<std::string>& directories() const { return directories_; }
    const Bytes& content(std::uint64_t file) const;
    std::uint64_t next_file() const { return next_file_; }

private:
    struct Unsynced {
        std::uint64_t order = 0;  // among all unsynced operations of the disk
        DiskOperation operation;  // a write or a truncation; data is shared
        bool dropped = false;     // a sync of it failed: no later sync writes it
    };
    struct File {
        Bytes shown;
        Bytes synced;
        std::vector<Unsynced> unsynced;
        mutable DiskImage::Content snapshot;  // of `synced`, made when asked for
    };
    struct UnsyncedName {
        std::uint64_t order = 0;
        DiskOperation operation;
    };

    void sync_file(File& file);
    void sync_directory(const std::string& path);
    Bytes survivor(const File& file, Crash crash, std::uint64_t cut, SeededRandom& random) const;
    static void apply_name(const DiskOperation& operation,
                           std::map<std::string, std::uint64_t>& names,
                           std::set<std::string>& directories);

    std::map<std::uint64_t, File> files_;
    std::map<std::string, std::uint64_t> names_;
    std::map<std::string, std::uint64_t> names_synced_;
    std::set<std::string> directories_;
    std::set<std::string> directories_synced_;
    std::vector<UnsyncedName> names_unsynced_;
    std::uint64_t order_ = 0;
    std::uint64_t next_file_ = 1;
};

}  // namespace perdure
