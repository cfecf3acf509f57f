#pragma once

/// The disk as an interface: no code outside its implementations asks the operating system for a
/// file (K-261).
///
/// Two failures are told apart by type. A failed *write* is an ordinary `Error`: nothing was
/// promised, it may be tried again. A failed *sync* is a `SyncOutcome` that cannot be passed on as
/// an `Error` by accident: what is on disk is unknown from then on, it must never be tried again,
/// and the node has to stop (K-247).
///
/// Paths are absolute or relative to the process, `/`-separated. Errors, everywhere: NotFound,
/// AlreadyExists, NotPermitted, Overloaded (no space is left; trying later may work), Io
/// (everything else).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace perdure {

/// Success, or the text of a failed sync. See the top of this file for why it is no `Result`.
class [[nodiscard]] SyncOutcome {
public:
    static SyncOutcome done() { return SyncOutcome(); }
    static SyncOutcome failed(std::string why) {
        SyncOutcome outcome;
        outcome.failure_ = std::move(why);
        return outcome;
    }

    explicit operator bool() const { return !failure_.has_value(); }
    /// Why it failed; only of a failed one.
    const std::string& failure() const {
        CHECK(failure_.has_value(), "failure() of a sync that went well");
        return *failure_;
    }

private:
    std::optional<std::string> failure_;
};

/// A file opened for reading. Thread: any number at once.
class ReadableFile {
public:
    virtual ~ReadableFile() = default;

    /// Reads up to `out.size()` bytes from `offset`; fewer only at the end of the file. Returns how
    /// many.
    virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<Byte> out) const = 0;
    virtual Result<std::uint64_t> size() const = 0;
};

/// A file opened for writing. Thread: one at a time. Closing never syncs.
class WritableFile {
public:
    virtual ~WritableFile() = default;

    /// Writes all of `bytes` at the end of the file. After an error a part may have been written
    /// behind `size()`; trying again overwrites it.
    virtual Result<void> append(ByteView bytes) = 0;
    /// Writes all of `bytes` at `offset`, which may lie behind the end (the gap reads as zeros).
    virtual Result<void> write_at(std::uint64_t offset, ByteView bytes) = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    /// Makes the file on disk `size` bytes long, with zeros and room for them behind what was
    /// written, so that a sync of what is written there later has less to do. `size()` and `append`
    /// stay where the writing was. A file system that cannot is no error.
    virtual Result<void> extend(std::uint64_t size) = 0;
    /// Bytes and size reach the disk. The file's *name* is on disk only after
    /// `Files::sync_directory`.
    virtual SyncOutcome sync() = 0;
    /// Bytes written so far, unsynced ones included.
    virtual std::uint64_t size() const = 0;
    virtual Result<void> close() = 0;
};

enum class OpenMode : std::uint8_t {
    New,       ///< The file must not exist.
    Truncate,  ///< Created, or emptied.
    Keep,      ///< Created, or kept; `append` goes on at its end.
};

struct FileInfo {
    std::uint64_t size = 0;
    bool directory = false;
    std::uint32_t permissions = 0;  ///< The nine permission bits.
    bool own = true;                ///< Belongs to the user that runs this program.
    std::uint64_t links = 1;
    std::uint64_t identity = 0;  ///< Equal for two names of one file.
    WallTime changed{};
};

/// Held as long as it lives.
class DirectoryLock {
public:
    virtual ~DirectoryLock() = default;
};

/// Thread: any number at once.
class Files {
public:
    virtual ~Files() = default;

    virtual Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) = 0;
    /// A created file has mode 0600.
    virtual Result<std::unique_ptr<WritableFile>> open_write(const std::string& path,
                                                             OpenMode mode) = 0;

    virtual Result<FileInfo> info(const std::string& path) = 0;
    /// Names in the directory, sorted, without `.` and `..`.
    virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;

    /// Replaces `to` in one step. On disk only after `sync_directory` of both parents.
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> link(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& path) = 0;
    virtual Result<void> truncate(const std::string& path, std::uint64_t size) = 0;
    /// Mode 0700; the parent must exist.
    virtual Result<void> make_directory(const std::string& path) = 0;
    virtual Result<void> remove_directory(const std::string& path) = 0;
    /// Names created, renamed and removed in `directory` reach the disk.
    virtual SyncOutcome sync_directory(const std::string& directory) = 0;

    /// Takes the exclusive lock that the file `path` stands for, creating it when missing. It ends
    /// with the process at the latest. Errors: AlreadyExists (somebody holds it, also within this
    /// process).
    virtual Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) = 0;

    /// Bytes that this user can still write below `path`.
    virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

/// The disk of this machine. Thread: any.
std::unique_ptr<Files> make_posix_files();

/// The whole file. Errors: Overloaded when it is longer than `size_max`.
Result<Bytes> read_file(Files& files, const std::string& path, std::uint64_t size_max);

/// The directory part of `path`: `a/b` of `a/b/c`, `.` of `c`.
std::string parent_of(std::string_view path);

}  // namespace perdure
