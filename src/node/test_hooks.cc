#include "node/test_hooks.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>
#include <utility>

namespace perdure::node {
namespace {

constexpr auto kHeldSyncPoll = std::chrono::milliseconds(1);

/// How the disk behaves at this moment.
class DiskRules {
public:
    DiskRules(const TestHooks& hooks, const std::atomic<bool>& slow)
        : delay_(hooks.disk_delay), file_(hooks.disk_file), slow_(slow) {}

    void wait() const {
        if (slow_.load()) {
            std::this_thread::sleep_for(delay_);
        }
    }
    std::optional<std::uint64_t> free_bytes() const { return read().free_bytes; }

    Result<void> before_append() const {
        wait();
        if (free_bytes() == 0u) {
            return Error(ErrorCode::Overloaded, "no space left (test hook)");
        }
        return {};
    }
    SyncOutcome before_sync() const {
        wait();
        Words words = read();
        if (words.hold_syncs) {
            std::ofstream(file_ + ".held") << "a sync waits\n";
        }
        while (words.hold_syncs) {
            std::this_thread::sleep_for(kHeldSyncPoll);
            words = read();
        }
        return words.fail_syncs ? SyncOutcome::failed("sync failed (test hook)")
                                : SyncOutcome::done();
    }

private:
    struct Words {
        std::optional<std::uint64_t> free_bytes;
        bool hold_syncs = false;
        bool fail_syncs = false;
    };

    Words read() const {
        Words words;
        if (file_.empty()) {
            return words;
        }
        constexpr std::string_view kFreeBytes = "free-bytes=";
        std::ifstream lines(file_);
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with(kFreeBytes)) {
                words.free_bytes = std::strtoull(line.c_str() + kFreeBytes.size(), nullptr, 10);
            }
            words.hold_syncs = words.hold_syncs || line == "hold-syncs";
            words.fail_syncs = words.fail_syncs || line == "fail-syncs";
        }
        return words;
    }

    const std::chrono::milliseconds delay_;
    const std::string file_;
    const std::atomic<bool>& slow_;
};

class HookedFile final : public WritableFile {
public:
    HookedFile(std::unique_ptr<WritableFile> file, const DiskRules& rules)
        : file_(std::move(file)), rules_(rules) {}
    Result<void> append(ByteView bytes) override {
        RETURN_IF_ERROR(rules_.before_append());
        return file_->append(bytes);
    }
    Result<void> write_at(std::uint64_t offset, ByteView bytes) override {
        return file_->write_at(offset, bytes);
    }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<void> extend(std::uint64_t size) override { return file_->extend(size); }
    SyncOutcome sync() override {
        const SyncOutcome allowed = rules_.before_sync();
        return allowed ? file_->sync() : allowed;
    }
    std::uint64_t size() const override { return file_->size(); }
    Result<void> close() override { return file_->close(); }

private:
    const std::unique_ptr<WritableFile> file_;
    const DiskRules& rules_;
};

class HookedFiles final : public Files {
public:
    HookedFiles(Files& files, const TestHooks& hooks, const std::atomic<bool>& slow)
        : files_(files), rules_(hooks, slow) {}
    Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override {
        return files_.open_read(path);
    }
    Result<std::unique_ptr<WritableFile>> open_write(const std::string& path,
                                                     OpenMode mode) override {
        ASSIGN_OR_RETURN(auto file, files_.open_write(path, mode));
        return std::unique_ptr<WritableFile>(std::make_unique<HookedFile>(std::move(file), rules_));
    }
    Result<FileInfo> info(const std::string& path) override { return files_.info(path); }
    Result<std::vector<std::string>> list(const std::string& directory) override {
        return files_.list(directory);
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
        return files_.rename(from, to);
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        return files_.link(from, to);
    }
    Result<void> remove(const std::string& path) override { return files_.remove(path); }
    Result<void> truncate(const std::string& path, std::uint64_t size) override {
        return files_.truncate(path, size);
    }
    Result<void> make_directory(const std::string& path) override {
        return files_.make_directory(path);
    }
    Result<void> remove_directory(const std::string& path) override {
        return files_.remove_directory(path);
    }
    SyncOutcome sync_directory(const std::string& directory) override {
        const SyncOutcome allowed = rules_.before_sync();
        return allowed ? files_.sync_directory(directory) : allowed;
    }
    Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
        return files_.lock(path);
    }
    Result<std::uint64_t> free_bytes(const std::string& path) override {
        const auto free = rules_.free_bytes();
        return free ? Result<std::uint64_t>(*free) : files_.free_bytes(path);
    }

private:
    Files& files_;
    const DiskRules rules_;
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
    if (const char* file = std::getenv("PERDURE_TEST_DISK_FILE")) {
        hooks.disk_file = file;
    }
    hooks.faults.gate_opens_early = is_on("PERDURE_TEST_GATE_OPENS_EARLY");
    return hooks;
}

std::unique_ptr<Files> with_test_hooks(Files& files, const TestHooks& hooks,
                                       const std::atomic<bool>& slow) {
    return std::make_unique<HookedFiles>(files, hooks, slow);
}

}  // namespace perdure::node
