#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <system_error>

#include "base/files.h"

namespace perdure {
namespace {

std::string text_of_errno(int number) {
    return std::generic_category().message(number);
}

Error error_of(int number, const std::string& path) {
    const std::string text = path + ": " + text_of_errno(number);
    switch (number) {
        case ENOENT:
        case ENOTDIR: return {ErrorCode::NotFound, text};
        case EEXIST: return {ErrorCode::AlreadyExists, text};
        case EACCES:
        case EPERM:
        case EROFS: return {ErrorCode::NotPermitted, text};
        case ENOSPC:
        case EDQUOT: return {ErrorCode::Overloaded, text};
        default: return {ErrorCode::Io, text};
    }
}

/// A descriptor that closes itself. Errors of close say nothing that a sync would not have said.
class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }
    int release() { return std::exchange(number_, -1); }

private:
    int number_;
};

class PosixReadableFile final : public ReadableFile {
public:
    PosixReadableFile(int descriptor, std::string path)
        : descriptor_(descriptor), path_(std::move(path)) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<Byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const ssize_t count = ::pread(descriptor_.get(), out.data() + done, out.size() - done,
                                          static_cast<off_t>(offset + done));
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0) {
                return error_of(errno, path_);
            }
            if (count == 0) {
                break;
            }
            done += static_cast<std::size_t>(count);
        }
        return done;
    }

    Result<std::uint64_t> size() const override {
        struct stat status{};
        if (::fstat(descriptor_.get(), &status) != 0) {
            return error_of(errno, path_);
        }
        return static_cast<std::uint64_t>(status.st_size);
    }

private:
    Descriptor descriptor_;
    const std::string path_;
};

class PosixWritableFile final : public WritableFile {
public:
    PosixWritableFile(int descriptor, std::string path, std::uint64_t size)
        : descriptor_(descriptor), path_(std::move(path)), size_(size) {}

    // Appending is a positional write at our own end, so a retry overwrites what a failed one left
    // behind.
    Result<void> append(ByteView bytes) override { return write_at(size_, bytes); }

    Result<void> write_at(std::uint64_t offset, ByteView bytes) override {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t count = ::pwrite(descriptor_.get(), bytes.data() + done,
                                           bytes.size() - done, static_cast<off_t>(offset + done));
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0) {
                return error_of(errno, path_);
            }
            done += static_cast<std::size_t>(count);
        }
        size_ = std::max(size_, offset + bytes.size());
        return {};
    }

    Result<void> truncate(std::uint64_t size) override {
        if (::ftruncate(descriptor_.get(), static_cast<off_t>(size)) != 0) {
            return error_of(errno, path_);
        }
        size_ = size;
        return {};
    }

    Result<void> extend(std::uint64_t size) override {
        if (size <= size_) {
            return {};
        }
        const int answer = ::fallocate(descriptor_.get(), 0, static_cast<off_t>(size_),
                                       static_cast<off_t>(size - size_));
        if (answer != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
            return error_of(errno, path_);
        }
        return {};
    }

    SyncOutcome sync() override {
        // Interrupted or not: after any failure the kernel may have dropped the dirty pages, so
        // there is no retry.
        if (::fdatasync(descriptor_.get()) != 0) {
            return SyncOutcome::failed(path_ + ": sync: " + text_of_errno(errno));
        }
        return SyncOutcome::done();
    }

    std::uint64_t size() const override { return size_; }

    Result<void> close() override {
        const int descriptor = descriptor_.release();
        if (descriptor >= 0 && ::close(descriptor) != 0 && errno != EINTR) {
            return error_of(errno, path_);
        }
        return {};
    }

private:
    Descriptor descriptor_;
    const std::string path_;
    std::uint64_t size_;
};

class PosixLock final : public DirectoryLock {
public:
    explicit PosixLock(int descriptor) : descriptor_(descriptor) {}

private:
    Descriptor descriptor_;
};

class PosixFiles final : public Files {
public:
    Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) {
            return error_of(errno, path);
        }
        return std::unique_ptr<ReadableFile>(std::make_unique<PosixReadableFile>(descriptor, path));
    }

    Result<std::unique_ptr<WritableFile>> open_write(const std::string& path,
                                                     OpenMode mode) override {
        int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
        switch (mode) {
            case OpenMode::New: flags |= O_EXCL; break;
            case OpenMode::Truncate: flags |= O_TRUNC; break;
            case OpenMode::Keep: break;
        }
        const int descriptor = ::open(path.c_str(), flags, 0600);
        if (descriptor < 0) {
            return error_of(errno, path);
        }
        struct stat status{};
        if (::fstat(descriptor, &status) != 0) {
            const int number = errno;
            ::close(descriptor);
            return error_of(number, path);
        }
        return std::unique_ptr<WritableFile>(std::make_unique<PosixWritableFile>(
            descriptor, path, static_cast<std::uint64_t>(status.st_size)));
    }

    Result<FileInfo> info(const std::string& path) override {
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) {
            return error_of(errno, path);
        }
        FileInfo info;
        info.size = static_cast<std::uint64_t>(status.st_size);
        info.directory = S_ISDIR(status.st_mode);
        info.permissions = status.st_mode & 0777;
        info.own = status.st_uid == ::geteuid();
        info.links = status.st_nlink;
        info.identity = static_cast<std::uint64_t>(status.st_ino) ^
                        (static_cast<std::uint64_t>(status.st_dev) << 48);
        info.changed = WallTime(std::chrono::seconds(status.st_mtim.tv_sec) +
                                Nanoseconds(status.st_mtim.tv_nsec));
        return info;
    }

    Result<std::vector<std::string>> list(const std::string& directory) override {
        DIR* stream = ::opendir(directory.c_str());
        if (stream == nullptr) {
            return error_of(errno, directory);
        }
        std::vector<std::string> names;
        errno = 0;
        while (const dirent* item = ::readdir(stream)) {
            const std::string_view name = item->d_name;
            if (name != "." && name != "..") {
                names.emplace_back(name);
            }
        }
        const int number = errno;
        ::closedir(stream);
        if (number != 0) {
            return error_of(number, directory);
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    Result<void> rename(const std::string& from, const std::string& to) override {
        return checked(::rename(from.c_str(), to.c_str()), from);
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        return checked(::link(from.c_str(), to.c_str()), to);
    }
    Result<void> remove(const std::string& path) override {
        return checked(::unlink(path.c_str()), path);
    }
    Result<void> truncate(const std::string& path, std::uint64_t size) override {
        return checked(::truncate(path.c_str(), static_cast<off_t>(size)), path);
    }
    Result<void> make_directory(const std::string& path) override {
        return checked(::mkdir(path.c_str(), 0700), path);
    }
    Result<void> remove_directory(const std::string& path) override {
        return checked(::rmdir(path.c_str()), path);
    }

    SyncOutcome sync_directory(const std::string& directory) override {
        const Descriptor descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) {
            return SyncOutcome::failed(directory + ": sync: " + text_of_errno(errno));
        }
        return SyncOutcome::done();
    }

    Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
        // flock belongs to the open file, so a second lock in this process is refused as well.
        const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (descriptor < 0) {
            return error_of(errno, path);
        }
        auto lock = std::make_unique<PosixLock>(descriptor);
        if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
            return errno == EWOULDBLOCK ? Error(ErrorCode::AlreadyExists, path + ": in use")
                                        : error_of(errno, path);
        }
        return std::unique_ptr<DirectoryLock>(std::move(lock));
    }

    Result<std::uint64_t> free_bytes(const std::string& path) override {
        struct statvfs status{};
        if (::statvfs(path.c_str(), &status) != 0) {
            return error_of(errno, path);
        }
        return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
    }

private:
    static Result<void> checked(int answer, const std::string& path) {
        if (answer != 0) {
            return error_of(errno, path);
        }
        return {};
    }
};

}  // namespace

std::unique_ptr<Files> make_posix_files() {
    return std::make_unique<PosixFiles>();
}

Result<Bytes> read_file(Files& files, const std::string& path, std::uint64_t size_max) {
    ASSIGN_OR_RETURN(const auto file, files.open_read(path));
    ASSIGN_OR_RETURN(const std::uint64_t size, file->size());
    if (size > size_max) {
        return Error(ErrorCode::Overloaded, path + ": " + std::to_string(size) +
                                                " bytes, at most " + std::to_string(size_max) +
                                                " are read");
    }
    Bytes bytes(size);
    ASSIGN_OR_RETURN(const std::size_t count, file->read_at(0, bytes));
    bytes.resize(count);
    return bytes;
}

std::string parent_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) {
        return ".";
    }
    return std::string(slash == 0 ? path.substr(0, 1) : path.substr(0, slash));
}

}  // namespace perdure
