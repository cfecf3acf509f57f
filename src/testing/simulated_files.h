#pragma once

/// The simulated disk behind the interface `Files`: in memory, every operation numbered and
/// recorded, faults by number.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"
#include "testing/simulated_disk.h"

namespace perdure {

/// Thread: any; one lock around everything.
class SimulatedFiles final : public Files {
public:
    /// An empty disk with the directory `/`.
    SimulatedFiles();
    explicit SimulatedFiles(const DiskImage& image);

    Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override;
    Result<std::unique_ptr<WritableFile>> open_write(const std::string& path,
                                                     OpenMode mode) override;
    Result<FileInfo> info(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> link(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> truncate(const std::string& path, std::uint64_t size) override;
    Result<void> make_directory(const std::string& path) override;
    Result<void> remove_directory(const std::string& path) override;
    SyncOutcome sync_directory(const std::string& directory) override;
    Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override;
    Result<std::uint64_t> free_bytes(const std::string& path) override;

    // Faults. Counts start at 1 with the next such call; 0 takes the fault back.
    void fail_write(std::uint64_t nth) { fault(fail_write_, nth); }
    void fail_sync(std::uint64_t nth) { fault(fail_sync_, nth); }
    void fail_rename(std::uint64_t nth) { fault(fail_rename_, nth); }
    /// Bytes of all files together that fit; a write over it writes what fits and fails with
    /// Overloaded.
    void set_capacity(std::uint64_t bytes);
    std::uint64_t used_bytes() const;
    /// Every change from now on is refused, as by a disk that was pulled out.
    void detach();
    /// Called, outside the lock, before each sync of a file reaches the disk: a test's way to hold
    /// a sync back.
    void on_sync(std::function<void(const std::string& path)> hook);
    /// A file, with its directories, that has always been there: no operation, and no crash takes
    /// it away.
    void put_unrecorded(const std::string& path, std::string_view content);
    void set_permissions(const std::string& path, std::uint32_t permissions);

    // The record.
    /// Keeps operations from now on (off by default: bytes add up).
    void record();
    std::vector<DiskOperation> recorded() const;
    /// How many operations there were; the number of the next one.
    std::uint64_t operation_count() const {
        return operation_count_.load(std::memory_order_acquire);
    }
    DiskImage image_after(Crash crash, std::uint64_t seed) const;
    std::uint64_t sync_count() const { return sync_count_.load(std::memory_order_relaxed); }
    std::uint64_t sync_failures() const { return sync_failures_.load(std::memory_order_relaxed); }
    std::uint64_t write_count() const { return write_count_.load(std::memory_order_relaxed); }

private:
    friend class SimulatedReadableFile;
    friend class SimulatedWritableFile;
    friend class SimulatedLock;

    void fault(std::uint64_t& counter, std::uint64_t nth);
    static bool strikes(std::uint64_t& counter);
    Result<void> apply(DiskOperation operation);
    Result<void> write(std::uint64_t file, const std::string& path, std::uint64_t offset,
                       ByteView bytes);
    SyncOutcome sync(std::uint64_t file, const std::string& path);
    Result<std::uint64_t> file_at(const std::string& path) const;
    std::uint64_t used() const;

    mutable std::mutex mutex_;
    SimulatedDisk disk_;
    std::vector<DiskOperation> recorded_;
    bool recording_ = false;
    bool detached_ = false;
    std::uint64_t capacity_ = 1ull << 40;
    std::uint64_t fail_write_ = 0;
    std::uint64_t fail_sync_ = 0;
    std::uint64_t fail_rename_ = 0;
    std::set<std::string> locks_;
    std::map<std::string, std::uint32_t> permissions_;
    std::function<void(const std::string&)> on_sync_;
    std::atomic<std::uint64_t> operation_count_{0};
    std::atomic<std::uint64_t> sync_count_{0};
    std::atomic<std::uint64_t> sync_failures_{0};
    std::atomic<std::uint64_t> write_count_{0};
};

}  // namespace perdure
