#pragma once

/// Files seen otherwise than they are, and not to be changed: the store as it would be after a cut
/// (K-270).

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"

namespace perdure {

/// What a look must see otherwise.
struct View {
    std::map<std::string, std::uint64_t> shortened;
    std::set<std::string> hidden;
    std::set<std::string>
        emptied;  // reads as empty, although its size is as it was (RocksDB compares sizes)
};

/// Every change is refused with NotPermitted. Thread: any.
class ViewedFiles final : public Files {
public:
    ViewedFiles(Files& files, View view) : files_(files), view_(std::move(view)) {}

    Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override;
    Result<FileInfo> info(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<std::uint64_t> free_bytes(const std::string& path) override {
        return files_.free_bytes(path);
    }

    Result<std::unique_ptr<WritableFile>> open_write(const std::string& path, OpenMode) override {
        return refused(path);
    }
    Result<void> rename(const std::string& from, const std::string&) override {
        return refused(from);
    }
    Result<void> link(const std::string& from, const std::string&) override {
        return refused(from);
    }
    Result<void> remove(const std::string& path) override { return refused(path); }
    Result<void> truncate(const std::string& path, std::uint64_t) override { return refused(path); }
    Result<void> make_directory(const std::string& path) override { return refused(path); }
    Result<void> remove_directory(const std::string& path) override { return refused(path); }
    SyncOutcome sync_directory(const std::string&) override { return SyncOutcome::done(); }
    Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
        return refused(path);
    }

private:
    bool is_hidden(const std::string& path) const { return view_.hidden.contains(path); }
    static Error refused(const std::string& path) {
        return {ErrorCode::NotPermitted, path + ": only looked at"};
    }

    Files& files_;
    const View view_;
};

}  // namespace perdure
