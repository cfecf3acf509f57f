#include "testing/simulated_files.h"

#include <algorithm>

namespace perdure {
namespace {

Error not_found(const std::string& path) {
    return {ErrorCode::NotFound, path + ": No such file or directory"};
}
Error detached(const std::string& path) {
    return {ErrorCode::Io, path + ": the simulated disk is gone"};
}

}  // namespace

class SimulatedReadableFile final : public ReadableFile {
public:
    SimulatedReadableFile(SimulatedFiles& files, std::uint64_t file) : files_(files), file_(file) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<Byte> out) const override {
        const std::lock_guard lock(files_.mutex_);
        const Bytes& content = files_.disk_.content(file_);
        if (offset >= content.size()) {
            return std::size_t{0};
        }
        const std::size_t count = std::min<std::size_t>(out.size(), content.size() - offset);
        std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
        return count;
    }
    Result<std::uint64_t> size() const override {
        const std::lock_guard lock(files_.mutex_);
        return static_cast<std::uint64_t>(files_.disk_.content(file_).size());
    }

private:
    SimulatedFiles& files_;
    const std::uint64_t file_;
};

class SimulatedWritableFile final : public WritableFile {
public:
    SimulatedWritableFile(SimulatedFiles& files, std::uint64_t file, std::string path,
                          std::uint64_t size)
        : files_(files), file_(file), path_(std::move(path)), size_(size) {}

    Result<void> append(ByteView bytes) override { return write_at(size_, bytes); }
    Result<void> write_at(std::uint64_t offset, ByteView bytes) override {
        RETURN_IF_ERROR(files_.write(file_, path_, offset, bytes));
        size_ = std::max<std::uint64_t>(size_, offset + bytes.size());
        return {};
    }
    Result<void> truncate(std::uint64_t size) override {
        const std::lock_guard lock(files_.mutex_);
        RETURN_IF_ERROR(files_.apply({.kind = DiskOperation::Kind::Truncate,
                                      .file = file_,
                                      .offset = size,
                                      .data = {},
                                      .path = path_,
                                      .to = {}}));
        size_ = size;
        return {};
    }
    Result<void> extend(std::uint64_t size) override {
        const std::lock_guard lock(files_.mutex_);
        if (size <= size_) {
            return {};
        }
        if (files_.used() + size - size_ > files_.capacity_) {
            return Error(ErrorCode::Overloaded, path_ + ": No space left on device");
        }
        return files_.apply({.kind = DiskOperation::Kind::Truncate,
                             .file = file_,
                             .offset = size,
                             .data = {},
                             .path = path_,
                             .to = {}});
    }
    SyncOutcome sync() override { return files_.sync(file_, path_); }
    std::uint64_t size() const override { return size_; }
    Result<void> close() override { return {}; }

private:
    SimulatedFiles& files_;
    const std::uint64_t file_;
    const std::string path_;
    std::uint64_t size_;
};

class SimulatedLock final : public DirectoryLock {
public:
    SimulatedLock(SimulatedFiles& files, std::string path)
        : files_(files), path_(std::move(path)) {}
    ~SimulatedLock() override {
        const std::lock_guard lock(files_.mutex_);
        files_.locks_.erase(path_);
    }

private:
    SimulatedFiles& files_;
    const std::string path_;
};

SimulatedFiles::SimulatedFiles() {
    DiskImage empty;
    empty.directories.insert("/");
    disk_ = SimulatedDisk(empty);
}

SimulatedFiles::SimulatedFiles(const DiskImage& image) : disk_(image) {}

void SimulatedFiles::fault(std::uint64_t& counter, std::uint64_t nth) {
    const std::lock_guard lock(mutex_);
    counter = nth;
}

bool SimulatedFiles::strikes(std::uint64_t& counter) {
    if (counter == 0) {
        return false;
    }
    --counter;
    return counter == 0;
}

Result<void> SimulatedFiles::apply(DiskOperation operation) {
    if (detached_) {
        return detached(operation.path);
    }
    disk_.apply(operation);
    if (recording_) {
        recorded_.push_back(std::move(operation));
    }
    operation_count_.fetch_add(1, std::memory_order_acq_rel);
    return {};
}

Result<std::uint64_t> SimulatedFiles::file_at(const std::string& path) const {
    const auto found = disk_.names().find(path);
    if (found == disk_.names().end()) {
        return not_found(path);
    }
    return found->second;
}

std::uint64_t SimulatedFiles::used() const {
    std::uint64_t sum = 0;
    for (const auto& [path, file] : disk_.names()) {
        sum += disk_.content(file).size();
    }
    return sum;
}

std::uint64_t SimulatedFiles::used_bytes() const {
    const std::lock_guard lock(mutex_);
    return used();
}

Result<void> SimulatedFiles::write(std::uint64_t file, const std::string& path,
                                   std::uint64_t offset, ByteView bytes) {
    const std::lock_guard lock(mutex_);
    write_count_.fetch_add(1, std::memory_order_relaxed);
    std::uint64_t fits = bytes.size();
    std::optional<Error> failure;
    const std::uint64_t size = disk_.content(file).size();
    const std::uint64_t growth = offset + bytes.size() > size ? offset + bytes.size() - size : 0;
    if (growth > 0) {
        const std::uint64_t in_use = used();
        if (in_use + growth > capacity_) {
            const std::uint64_t room = capacity_ > in_use ? capacity_ - in_use : 0;
            fits = bytes.size() - std::min<std::uint64_t>(growth - room, bytes.size());
            failure = Error(ErrorCode::Overloaded, path + ": No space left on device");
        }
    }
    if (strikes(fail_write_)) {
        fits = std::min<std::uint64_t>(fits, bytes.size() / 2);
        failure = Error(ErrorCode::Io, path + ": Input/output error");
    }
    if (fits > 0) {
        RETURN_IF_ERROR(apply({.kind = DiskOperation::Kind::Write,
                               .file = file,
                               .offset = offset,
                               .data = SharedBytes(bytes.first(fits)),
                               .path = path,
                               .to = {}}));
    }
    if (failure) {
        return *failure;
    }
    return {};
}

SyncOutcome SimulatedFiles::sync(std::uint64_t file, const std::string& path) {
    std::function<void(const std::string&)> hook;
    {
        const std::lock_guard lock(mutex_);
        hook = on_sync_;
    }
    if (hook) {
        hook(path);
    }
    const std::lock_guard lock(mutex_);
    sync_count_.fetch_add(1, std::memory_order_relaxed);
    const bool fails = strikes(fail_sync_);
    sync_failures_.fetch_add(fails ? 1 : 0, std::memory_order_relaxed);
    const auto kind = fails ? DiskOperation::Kind::FailedSync : DiskOperation::Kind::SyncFile;
    if (auto done =
            apply({.kind = kind, .file = file, .offset = 0, .data = {}, .path = path, .to = {}});
        !done) {
        return SyncOutcome::failed(done.error().message());
    }
    return fails ? SyncOutcome::failed(path + ": sync: Input/output error") : SyncOutcome::done();
}

Result<std::unique_ptr<ReadableFile>> SimulatedFiles::open_read(const std::string& path) {
    const std::lock_guard lock(mutex_);
    ASSIGN_OR_RETURN(const std::uint64_t file, file_at(path));
    return std::unique_ptr<ReadableFile>(std::make_unique<SimulatedReadableFile>(*this, file));
}

Result<std::unique_ptr<WritableFile>> SimulatedFiles::open_write(const std::string& path,
                                                                 OpenMode mode) {
    const std::lock_guard lock(mutex_);
    if (!disk_.is_directory(parent_of(path))) {
        return not_found(path);
    }
    auto file = file_at(path);
    if (file && mode == OpenMode::New) {
        return Error(ErrorCode::AlreadyExists, path + ": File exists");
    }
    if (!file) {
        file = disk_.next_file();
        RETURN_IF_ERROR(apply({.kind = DiskOperation::Kind::Create,
                               .file = *file,
                               .offset = 0,
                               .data = {},
                               .path = path,
                               .to = {}}));
    } else if (mode == OpenMode::Truncate) {
        RETURN_IF_ERROR(apply({.kind = DiskOperation::Kind::Truncate,
                               .file = *file,
                               .offset = 0,
                               .data = {},
                               .path = path,
                               .to = {}}));
    }
    return std::unique_ptr<WritableFile>(
        std::make_unique<SimulatedWritableFile>(*this, *file, path, disk_.content(*file).size()));
}

Result<FileInfo> SimulatedFiles::info(const std::string& path) {
    const std::lock_guard lock(mutex_);
    FileInfo info;
    const auto permissions = permissions_.find(path);
    if (disk_.is_directory(path)) {
        info.directory = true;
        info.permissions = permissions == permissions_.end() ? 0700 : permissions->second;
        return info;
    }
    ASSIGN_OR_RETURN(info.identity, file_at(path));
    info.size = disk_.content(info.identity).size();
    info.permissions = permissions == permissions_.end() ? 0600 : permissions->second;
    const auto same = [&](const auto& name) { return name.second == info.identity; };
    info.links =
        static_cast<std::uint64_t>(std::count_if(disk_.names().begin(), disk_.names().end(), same));
    return info;
}

Result<std::vector<std::string>> SimulatedFiles::list(const std::string& directory) {
    const std::lock_guard lock(mutex_);
    if (!disk_.is_directory(directory)) {
        return not_found(directory);
    }
    std::vector<std::string> names;
    const std::size_t skip = directory == "/" ? 1 : directory.size() + 1;
    for (const auto& [path, file] : disk_.names()) {
        if (parent_of(path) == directory) {
            names.push_back(path.substr(skip));
        }
    }
    for (const std::string& path : disk_.directories()) {
        if (path != "/" && parent_of(path) == directory) {
            names.push_back(path.substr(skip));
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> SimulatedFiles::rename(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    ASSIGN_OR_RETURN(const std::uint64_t file, file_at(from));
    if (strikes(fail_rename_)) {
        return Error(ErrorCode::Io, from + ": rename: Input/output error");
    }
    return apply({.kind = DiskOperation::Kind::Rename,
                  .file = file,
                  .offset = 0,
                  .data = {},
                  .path = from,
                  .to = to});
}

Result<void> SimulatedFiles::link(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    ASSIGN_OR_RETURN(const std::uint64_t file, file_at(from));
    if (file_at(to)) {
        return Error(ErrorCode::AlreadyExists, to + ": File exists");
    }
    return apply({.kind = DiskOperation::Kind::Link,
                  .file = file,
                  .offset = 0,
                  .data = {},
                  .path = to,
                  .to = {}});
}

Result<void> SimulatedFiles::remove(const std::string& path) {
    const std::lock_guard lock(mutex_);
    ASSIGN_OR_RETURN(const std::uint64_t file, file_at(path));
    return apply({.kind = DiskOperation::Kind::Remove,
                  .file = file,
                  .offset = 0,
                  .data = {},
                  .path = path,
                  .to = {}});
}

Result<void> SimulatedFiles::truncate(const std::string& path, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    ASSIGN_OR_RETURN(const std::uint64_t file, file_at(path));
    return apply({.kind = DiskOperation::Kind::Truncate,
                  .file = file,
                  .offset = size,
                  .data = {},
                  .path = path,
                  .to = {}});
}

Result<void> SimulatedFiles::make_directory(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (disk_.is_directory(path) || file_at(path)) {
        return Error(ErrorCode::AlreadyExists, path + ": File exists");
    }
    if (!disk_.is_directory(parent_of(path))) {
        return not_found(path);
    }
    return apply({.kind = DiskOperation::Kind::MakeDirectory,
                  .file = 0,
                  .offset = 0,
                  .data = {},
                  .path = path,
                  .to = {}});
}

Result<void> SimulatedFiles::remove_directory(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (!disk_.is_directory(path)) {
        return not_found(path);
    }
    return apply({.kind = DiskOperation::Kind::RemoveDirectory,
                  .file = 0,
                  .offset = 0,
                  .data = {},
                  .path = path,
                  .to = {}});
}

SyncOutcome SimulatedFiles::sync_directory(const std::string& directory) {
    const std::lock_guard lock(mutex_);
    sync_count_.fetch_add(1, std::memory_order_relaxed);
    if (strikes(fail_sync_)) {
        sync_failures_.fetch_add(1, std::memory_order_relaxed);
        return SyncOutcome::failed(directory + ": sync: Input/output error");
    }
    if (auto done = apply({.kind = DiskOperation::Kind::SyncDirectory,
                           .file = 0,
                           .offset = 0,
                           .data = {},
                           .path = directory,
                           .to = {}});
        !done) {
        return SyncOutcome::failed(done.error().message());
    }
    return SyncOutcome::done();
}

Result<std::unique_ptr<DirectoryLock>> SimulatedFiles::lock(const std::string& path) {
    {
        const std::lock_guard lock(mutex_);
        if (!locks_.insert(path).second) {
            return Error(ErrorCode::AlreadyExists, path + ": in use");
        }
    }
    auto held = std::make_unique<SimulatedLock>(*this, path);
    RETURN_IF_ERROR(open_write(path, OpenMode::Keep));
    return std::unique_ptr<DirectoryLock>(std::move(held));
}

Result<std::uint64_t> SimulatedFiles::free_bytes(const std::string&) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t in_use = used();
    return capacity_ > in_use ? capacity_ - in_use : std::uint64_t{0};
}

void SimulatedFiles::set_capacity(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    capacity_ = bytes;
}

void SimulatedFiles::detach() {
    const std::lock_guard lock(mutex_);
    detached_ = true;
}

void SimulatedFiles::on_sync(std::function<void(const std::string&)> hook) {
    const std::lock_guard lock(mutex_);
    on_sync_ = std::move(hook);
}

void SimulatedFiles::put_unrecorded(const std::string& path, std::string_view content) {
    const std::lock_guard lock(mutex_);
    using Kind = DiskOperation::Kind;
    const auto carry_out = [&](Kind kind, const std::string& name, SharedBytes data) {
        DiskOperation operation;
        operation.kind = kind;
        operation.path = name;
        operation.data = std::move(data);
        operation.file = kind == Kind::Create                            ? disk_.next_file()
                         : kind == Kind::Write || kind == Kind::SyncFile ? disk_.names().at(path)
                                                                         : 0;
        disk_.apply(operation);
    };
    std::vector<std::string> missing;
    for (std::string folder = parent_of(path); !disk_.is_directory(folder);
         folder = parent_of(folder)) {
        missing.push_back(folder);
    }
    for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder) {
        carry_out(Kind::MakeDirectory, *folder, {});
        carry_out(Kind::SyncDirectory, parent_of(*folder), {});
    }
    carry_out(Kind::Create, path, {});
    carry_out(Kind::Write, path, SharedBytes(content));
    carry_out(Kind::SyncFile, path, {});
    carry_out(Kind::SyncDirectory, parent_of(path), {});
}

void SimulatedFiles::set_permissions(const std::string& path, std::uint32_t permissions) {
    const std::lock_guard lock(mutex_);
    permissions_[path] = permissions;
}

void SimulatedFiles::record() {
    const std::lock_guard lock(mutex_);
    recording_ = true;
}

std::vector<DiskOperation> SimulatedFiles::recorded() const {
    const std::lock_guard lock(mutex_);
    return recorded_;
}

DiskImage SimulatedFiles::image_after(Crash crash, std::uint64_t seed) const {
    const std::lock_guard lock(mutex_);
    return disk_.image_after(crash, seed);
}

}  // namespace perdure
