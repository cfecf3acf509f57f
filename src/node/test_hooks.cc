#include "node/test_hooks.h"

#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace perdure::node {
namespace {

class SlowFile final : public WritableFile {
public:
    SlowFile(std::unique_ptr<WritableFile> file, std::chrono::milliseconds delay, const std::atomic<bool>& on)
        : file_(std::move(file)), delay_(delay), on_(on) {}
    Result<void> append(ByteView bytes) override {
        wait();
        return file_->append(bytes);
    }
    Result<void> write_at(std::uint64_t offset, ByteView bytes) override { return file_->write_at(offset, bytes); }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<void> allocate(std::uint64_t offset, std::uint64_t length) override { return file_->allocate(offset, length); }
    SyncOutcome sync() override {
        wait();
        return file_->sync();
    }
    std::uint64_t size() const override { return file_->size(); }
    Result<void> close() override { return file_->close(); }

private:
    void wait() const {
        if (on_.load()) {
            std::this_thread::sleep_for(delay_);
        }
    }

    const std::unique_ptr<WritableFile> file_;
    const std::chrono::milliseconds delay_;
    const std::atomic<bool>& on_;
};

class SlowFiles final : public Files {
public:
    SlowFiles(Files& files, std::chrono::milliseconds delay, const std::atomic<bool>& on)
        : files_(files), delay_(delay), on_(on) {}
    Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override { return files_.open_read(path); }
    Result<std::unique_ptr<WritableFile>> open_write(const std::string& path, OpenMode mode) override {
        ASSIGN_OR_RETURN(auto file, files_.open_write(path, mode));
        return std::unique_ptr<WritableFile>(std::make_unique<SlowFile>(std::move(file), delay_, on_));
    }
    Result<FileInfo> info(const std::string& path) override { return files_.info(path); }
    Result<std::vector<std::string>> list(const std::string& directory) override { return files_.list(directory); }
    Result<void> rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
    Result<void> link(const std::string& from, const std::string& to) override { return files_.link(from, to); }
    Result<void> remove(const std::string& path) override { return files_.remove(path); }
    Result<void> truncate(const std::string& path, std::uint64_t size) override { return files_.truncate(path, size); }
    Result<void> make_directory(const std::string& path) override { return files_.make_directory(path); }
    Result<void> remove_directory(const std::string& path) override { return files_.remove_directory(path); }
    SyncOutcome sync_directory(const std::string& directory) override { return files_.sync_directory(directory); }
    Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override { return files_.lock(path); }
    Result<std::uint64_t> free_bytes(const std::string& path) override { return files_.free_bytes(path); }

private:
    Files& files_;
    const std::chrono::milliseconds delay_;
    const std::atomic<bool>& on_;
};

bool is_on(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && std::strcmp(value, "1") == 0;
}

}  // namespace

TestHooks read_test_hooks() {
    TestHooks hooks;
    if (const char* delay = std::getenv("PERDURE_TEST_DISK_DELAY_MS")) {
        hooks.disk_delay = std::chrono::milliseconds(std::strtol(delay, nullptr, 10));
    }
    hooks.faults.gate_opens_early = is_on("PERDURE_TEST_GATE_OPENS_EARLY");
    return hooks;
}

std::unique_ptr<Files> with_disk_delay(Files& files, std::chrono::milliseconds delay, const std::atomic<bool>& on) {
    return std::make_unique<SlowFiles>(files, delay, on);
}

}  // namespace perdure::node
