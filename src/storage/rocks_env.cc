#include "storage/rocks_env.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <thread>
#include <unordered_map>

#include "base/guarded.h"

namespace perdure {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus status_of(const Error& error) {
    switch (error.code()) {
        case ErrorCode::NotFound: return IOStatus::PathNotFound(error.message());
        case ErrorCode::Overloaded: return IOStatus::NoSpace(error.message());
        default: return IOStatus::IOError(error.message());
    }
}
IOStatus status_of(const Result<void>& result) {
    return result ? IOStatus::OK() : status_of(result.error());
}
ByteView view_of(const Slice& slice) {
    return {reinterpret_cast<const Byte*>(slice.data()), slice.size()};
}

/// RocksDB writes some paths with a doubled or a trailing slash.
std::string plain(std::string_view path) {
    std::string result;
    for (const char c : path) {
        if (c != '/' || result.empty() || result.back() != '/') {
            result += c;
        }
    }
    if (result.size() > 1 && result.back() == '/') {
        result.pop_back();
    }
    return result;
}

/// What all files of one environment share.
class Disk {
public:
    explicit Disk(const RocksEnv::Parts& parts) : parts_(parts) {}

    Files& files() { return parts_.files; }

    /// Carries a change out, and again as long as the owner wishes (K-247: a failed write is tried
    /// again).
    template <typename Change>
    IOStatus change(Change&& attempt) {
        if (parts_.access == RocksEnv::Access::ReadOnly) {
            return IOStatus::NotSupported("opened for reading only");
        }
        while (true) {
            if (failed_.load(std::memory_order_acquire)) {
                return IOStatus::IOError("a sync failed before");
            }
            const Result<void> result = attempt();
            if (result) {
                return IOStatus::OK();
            }
            const ErrorCode code = result.error().code();
            const bool may_pass = code == ErrorCode::Overloaded || code == ErrorCode::Io;
            if (!may_pass || !parts_.after_failed_write ||
                !parts_.after_failed_write(result.error())) {
                return status_of(result);
            }
        }
    }

    template <typename Sync>
    IOStatus sync(Sync&& attempt) {
        if (parts_.access == RocksEnv::Access::ReadOnly) {
            return IOStatus::NotSupported("opened for reading only");
        }
        if (failed_.load(std::memory_order_acquire)) {
            return IOStatus::IOError("a sync failed before");
        }
        const SyncOutcome outcome = attempt();
        if (outcome) {
            return IOStatus::OK();
        }
        if (!failed_.exchange(true, std::memory_order_acq_rel)) {
            *failure_.lock() = outcome.failure();
            if (parts_.failed_sync) {
                parts_.failed_sync(outcome.failure());
            }
        }
        return IOStatus::IOError(outcome.failure());
    }

    std::string failure() const { return *failure_.lock(); }
    std::uint64_t log_extend_bytes() const { return parts_.log_extend_bytes; }

private:
    const RocksEnv::Parts parts_;
    std::atomic<bool> failed_{false};
    Guarded<std::string> failure_;
};

IOStatus read_into(const ReadableFile& file, std::uint64_t offset, std::size_t count, Slice* result,
                   char* scratch) {
    const auto done = file.read_at(offset, {reinterpret_cast<Byte*>(scratch), count});
    if (!done) {
        *result = Slice();
        return status_of(done.error());
    }
    *result = Slice(scratch, *done);
    return IOStatus::OK();
}

class SequentialFile final : public rocksdb::FSSequentialFile {
public:
    explicit SequentialFile(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}
    IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                  IODebugContext*) override {
        const IOStatus status = read_into(*file_, offset_, n, result, scratch);
        offset_ += result->size();
        return status;
    }
    IOStatus Skip(uint64_t n) override {
        offset_ += n;
        return IOStatus::OK();
    }

private:
    const std::unique_ptr<ReadableFile> file_;
    std::uint64_t offset_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
public:
    explicit RandomAccessFile(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}
    IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                  IODebugContext*) const override {
        return read_into(*file_, offset, n, result, scratch);
    }

private:
    const std::unique_ptr<ReadableFile> file_;
};

class OutputFile final : public rocksdb::FSWritableFile {
public:
    /// `extend_bytes`: the file is made longer by so much at a time, ahead of what is appended; 0:
    /// as it grows.
    OutputFile(Disk& disk, std::unique_ptr<WritableFile> file, std::uint64_t extend_bytes)
        : disk_(disk), file_(std::move(file)), extend_bytes_(extend_bytes) {}

    using FSWritableFile::Append;
    IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
        if (const std::uint64_t end = file_->size() + data.size();
            extend_bytes_ != 0 && end > extended_) {
            // Without room for it the file grows by what is written, as any other.
            extended_ = end + extend_bytes_;
            static_cast<void>(file_->extend(extended_));
        }
        return disk_.change([&] { return file_->append(view_of(data)); });
    }
    IOStatus Append(const Slice& data, const IOOptions& options,
                    const rocksdb::DataVerificationInfo&, IODebugContext* context) override {
        return Append(data, options, context);
    }
    IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
        return disk_.change([&] { return file_->truncate(size); });
    }
    IOStatus Close(const IOOptions&, IODebugContext*) override {
        if (extended_ > file_->size() && disk_.failure().empty()) {
            // Tidy only, so tried once: whoever reads the file ends where the zeros begin.
            static_cast<void>(file_->truncate(file_->size()));
        }
        return status_of(file_->close());
    }
    IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Sync(const IOOptions&, IODebugContext*) override {
        return disk_.sync([&] { return file_->sync(); });
    }
    uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return file_->size(); }

private:
    Disk& disk_;
    const std::unique_ptr<WritableFile> file_;
    const std::uint64_t extend_bytes_;
    std::uint64_t extended_ = 0;
};

class OutputDirectory final : public rocksdb::FSDirectory {
public:
    OutputDirectory(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
    IOStatus Fsync(const IOOptions&, IODebugContext*) override {
        return disk_.sync([&] { return disk_.files().sync_directory(plain(path_)); });
    }
    IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

private:
    Disk& disk_;
    const std::string path_;
};

class HeldLock final : public rocksdb::FileLock {
public:
    explicit HeldLock(std::unique_ptr<DirectoryLock> lock) : lock_(std::move(lock)) {}

private:
    const std::unique_ptr<DirectoryLock> lock_;
};

class FilesAsFileSystem final : public rocksdb::FileSystem {
public:
    FilesAsFileSystem(Disk& disk, RocksEnv::Access access) : disk_(disk), access_(access) {}

    const char* Name() const override { return "perdure::Files"; }

    IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSSequentialFile>* result,
                               IODebugContext*) override {
        auto file = disk_.files().open_read(plain(path));
        if (!file) {
            return status_of(file.error());
        }
        *result = std::make_unique<SequentialFile>(std::move(*file));
        return IOStatus::OK();
    }
    IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                                 std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                 IODebugContext*) override {
        auto file = disk_.files().open_read(plain(path));
        if (!file) {
            return status_of(file.error());
        }
        *result = std::make_unique<RandomAccessFile>(std::move(*file));
        return IOStatus::OK();
    }
    IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                             IODebugContext*) override {
        return open_output(path, OpenMode::Truncate, result);
    }
    IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                                std::unique_ptr<rocksdb::FSWritableFile>* result,
                                IODebugContext*) override {
        return open_output(path, OpenMode::Keep, result);
    }
    IOStatus NewDirectory(const std::string& path, const IOOptions&,
                          std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
        *result = std::make_unique<OutputDirectory>(disk_, path);
        return IOStatus::OK();
    }
    IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
        const auto info = disk_.files().info(plain(path));
        if (info) {
            return IOStatus::OK();
        }
        return info.error().code() == ErrorCode::NotFound ? IOStatus::NotFound(path)
                                                          : status_of(info.error());
    }
    IOStatus GetChildren(const std::string& path, const IOOptions&,
                         std::vector<std::string>* result, IODebugContext*) override {
        auto names = disk_.files().list(plain(path));
        if (!names) {
            return status_of(names.error());
        }
        *result = std::move(*names);
        return IOStatus::OK();
    }
    IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
        return disk_.change([&] { return disk_.files().remove(plain(path)); });
    }
    IOStatus Truncate(const std::string& path, size_t size, const IOOptions&,
                      IODebugContext*) override {
        return disk_.change([&] { return disk_.files().truncate(plain(path), size); });
    }
    IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
        return disk_.change([&] { return disk_.files().make_directory(plain(path)); });
    }
    IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options,
                                IODebugContext* context) override {
        const auto info = disk_.files().info(plain(path));
        return info && info->directory ? IOStatus::OK() : CreateDir(path, options, context);
    }
    IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
        return disk_.change([&] { return disk_.files().remove_directory(plain(path)); });
    }
    IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                         IODebugContext*) override {
        return with_info(path, [&](const FileInfo& info) { *size = info.size; });
    }
    IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, uint64_t* time,
                                     IODebugContext*) override {
        return with_info(path, [&](const FileInfo& info) {
            *time = static_cast<uint64_t>(
                std::chrono::duration_cast<std::chrono::seconds>(info.changed.time_since_epoch())
                    .count());
        });
    }
    IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                        IODebugContext*) override {
        // What the new name will point to (CURRENT to a MANIFEST) was created in this directory and
        // must not come later.
        const std::string directory = parent_of(plain(to));
        const IOStatus synced = disk_.sync([&] { return disk_.files().sync_directory(directory); });
        return synced.ok()
                   ? disk_.change([&] { return disk_.files().rename(plain(from), plain(to)); })
                   : synced;
    }
    IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
        return disk_.change([&] { return disk_.files().link(plain(from), plain(to)); });
    }
    IOStatus NumFileLinks(const std::string& path, const IOOptions&, uint64_t* count,
                          IODebugContext*) override {
        return with_info(path, [&](const FileInfo& info) { *count = info.links; });
    }
    IOStatus AreFilesSame(const std::string& one, const std::string& other, const IOOptions&,
                          bool* same, IODebugContext*) override {
        std::uint64_t identity = 0;
        const IOStatus status =
            with_info(one, [&](const FileInfo& info) { identity = info.identity; });
        if (!status.ok()) {
            return status;
        }
        return with_info(other, [&](const FileInfo& info) { *same = info.identity == identity; });
    }
    IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                      IODebugContext*) override {
        *lock = nullptr;
        if (access_ == RocksEnv::Access::ReadOnly) {
            return IOStatus::NotSupported("opened for reading only");
        }
        auto held = disk_.files().lock(plain(path));
        if (!held) {
            return status_of(held.error());
        }
        *lock = new HeldLock(std::move(*held));
        return IOStatus::OK();
    }
    IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
        delete static_cast<HeldLock*>(lock);
        return IOStatus::OK();
    }
    IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override {
        return IOStatus::NotSupported("no test directory");
    }
    IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>*,
                       IODebugContext*) override {
        return IOStatus::NotSupported("messages go to the node's log");
    }
    IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result,
                             IODebugContext*) override {
        *result = path;
        return IOStatus::OK();
    }
    IOStatus GetFreeSpace(const std::string& path, const IOOptions&, uint64_t* bytes,
                          IODebugContext*) override {
        const auto free = disk_.files().free_bytes(plain(path));
        if (!free) {
            return status_of(free.error());
        }
        *bytes = *free;
        return IOStatus::OK();
    }
    IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* directory,
                         IODebugContext*) override {
        return with_info(path, [&](const FileInfo& info) { *directory = info.directory; });
    }

private:
    IOStatus open_output(const std::string& path, OpenMode mode,
                         std::unique_ptr<rocksdb::FSWritableFile>* result) {
        std::unique_ptr<WritableFile> file;
        const IOStatus status = disk_.change([&]() -> Result<void> {
            ASSIGN_OR_RETURN(file, disk_.files().open_write(plain(path), mode));
            return {};
        });
        if (status.ok()) {
            const bool is_log = path.ends_with(".log");
            *result = std::make_unique<OutputFile>(disk_, std::move(file),
                                                   is_log ? disk_.log_extend_bytes() : 0);
        }
        return status;
    }

    template <typename F>
    IOStatus with_info(const std::string& path, F&& use) {
        const auto info = disk_.files().info(plain(path));
        if (!info) {
            return status_of(info.error());
        }
        use(*info);
        return IOStatus::OK();
    }

    Disk& disk_;
    const RocksEnv::Access access_;
};

class ClockAsSystemClock final : public rocksdb::SystemClock {
public:
    explicit ClockAsSystemClock(const Clock& clock) : clock_(clock) {}
    const char* Name() const override { return "perdure::Clock"; }
    // Calendar time, since RocksDB waits on conditions until such a time.
    uint64_t NowMicros() override { return static_cast<uint64_t>(wall().count()) / 1000; }
    uint64_t NowNanos() override {
        return static_cast<uint64_t>(clock_.monotonic_now().time_since_epoch().count());
    }
    void SleepForMicroseconds(int micros) override {
        std::this_thread::sleep_for(std::chrono::microseconds(micros));
    }
    rocksdb::Status GetCurrentTime(int64_t* seconds) override {
        *seconds = wall().count() / 1'000'000'000;
        return rocksdb::Status::OK();
    }
    std::string TimeToString(uint64_t time) override { return std::to_string(time); }

private:
    Nanoseconds wall() const { return clock_.wall_now().time_since_epoch(); }
    const Clock& clock_;
};

/// Counts background jobs, so that a test can wait for them; threads are RocksDB's own.
class CountingEnv final : public rocksdb::EnvWrapper {
public:
    CountingEnv(const std::shared_ptr<rocksdb::FileSystem>& files,
                std::shared_ptr<rocksdb::SystemClock> clock)
        : EnvWrapper(rocksdb::NewCompositeEnv(files)), clock_(std::move(clock)) {
        file_system_ = files;
        system_clock_ = clock_;
    }

    const char* Name() const override { return "perdure::RocksEnv"; }
    uint64_t NowMicros() override { return clock_->NowMicros(); }
    uint64_t NowNanos() override { return clock_->NowNanos(); }
    rocksdb::Status GetCurrentTime(int64_t* seconds) override {
        return clock_->GetCurrentTime(seconds);
    }
    std::string TimeToString(uint64_t time) override { return clock_->TimeToString(time); }

    void Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                  void (*unscheduled)(void*)) override {
        jobs_.lock()->count++;
        auto* job = new Job{this, function, argument, unscheduled};
        EnvWrapper::Schedule(&run, job, priority, tag, &unschedule);
    }

    void wait_until_idle() {
        auto jobs = jobs_.lock();
        idle_.wait(jobs.lock(), [&] { return jobs->count == 0; });
    }

private:
    struct Job {
        CountingEnv* env;
        void (*function)(void*);
        void* argument;
        void (*unscheduled)(void*);
    };
    struct Jobs {
        std::size_t count = 0;
    };

    static void run(void* argument) {
        const std::unique_ptr<Job> job(static_cast<Job*>(argument));
        job->function(job->argument);
        job->env->done();
    }
    static void unschedule(void* argument) {
        const std::unique_ptr<Job> job(static_cast<Job*>(argument));
        if (job->unscheduled != nullptr) {
            job->unscheduled(job->argument);
        }
        job->env->done();
    }
    void done() {
        auto jobs = jobs_.lock();
        jobs->count--;
        idle_.notify_all();
    }

    const std::shared_ptr<rocksdb::SystemClock> clock_;
    Guarded<Jobs> jobs_;
    std::condition_variable idle_;
};

class LogAsLogger final : public rocksdb::Logger {
public:
    explicit LogAsLogger(const Log& log) : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), log_(log) {}
    using Logger::Logv;
    void Logv(const char*, va_list) override {}
    void LogHeader(const char*, va_list) override {}
    void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
        if (level < rocksdb::InfoLogLevel::WARN_LEVEL) {
            return;
        }
        char text[1024];
        std::vsnprintf(text, sizeof text, format, arguments);
        log_.warn("rocksdb_said", LogField("text", text));
    }

private:
    const Log& log_;
};

}  // namespace

struct RocksEnv::Inside {
    explicit Inside(const Parts& parts)
        : disk(parts),
          files(std::make_shared<FilesAsFileSystem>(disk, parts.access)),
          env(files, std::make_shared<ClockAsSystemClock>(parts.clock)),
          logger(std::make_shared<LogAsLogger>(parts.logger)) {}

    Disk disk;
    std::shared_ptr<FilesAsFileSystem> files;
    CountingEnv env;
    std::shared_ptr<LogAsLogger> logger;
};

RocksEnv::RocksEnv(const Parts& parts) : inside_(std::make_unique<Inside>(parts)) {}
RocksEnv::~RocksEnv() = default;

rocksdb::Env* RocksEnv::env() {
    return &inside_->env;
}
std::shared_ptr<rocksdb::Logger> RocksEnv::logger() {
    return inside_->logger;
}
std::string RocksEnv::sync_failure() const {
    return inside_->disk.failure();
}
void RocksEnv::wait_until_idle() {
    inside_->env.wait_until_idle();
}

}  // namespace perdure
