#include "storage/viewed_files.h"

#include <algorithm>

namespace perdure {
namespace {

class ShortenedFile final : public ReadableFile {
public:
    ShortenedFile(std::unique_ptr<ReadableFile> file, std::uint64_t size)
        : file_(std::move(file)), size_(size) {}
    Result<std::size_t> read_at(std::uint64_t offset, std::span<Byte> out) const override {
        const std::uint64_t left = offset < size_ ? size_ - offset : 0;
        return file_->read_at(offset, out.first(std::min<std::uint64_t>(out.size(), left)));
    }
    Result<std::uint64_t> size() const override { return size_; }

private:
    const std::unique_ptr<ReadableFile> file_;
    const std::uint64_t size_;
};

}  // namespace

Result<std::unique_ptr<ReadableFile>> ViewedFiles::open_read(const std::string& path) {
    if (is_hidden(path)) {
        return Error(ErrorCode::NotFound, path);
    }
    ASSIGN_OR_RETURN(auto file, files_.open_read(path));
    if (view_.emptied.contains(path)) {
        return std::unique_ptr<ReadableFile>(std::make_unique<ShortenedFile>(std::move(file), 0));
    }
    const auto shortened = view_.shortened.find(path);
    if (shortened == view_.shortened.end()) {
        return file;
    }
    return std::unique_ptr<ReadableFile>(
        std::make_unique<ShortenedFile>(std::move(file), shortened->second));
}

Result<FileInfo> ViewedFiles::info(const std::string& path) {
    if (is_hidden(path)) {
        return Error(ErrorCode::NotFound, path);
    }
    ASSIGN_OR_RETURN(FileInfo info, files_.info(path));
    if (const auto shortened = view_.shortened.find(path); shortened != view_.shortened.end()) {
        info.size = shortened->second;
    }
    return info;
}

Result<std::vector<std::string>> ViewedFiles::list(const std::string& directory) {
    ASSIGN_OR_RETURN(auto names, files_.list(directory));
    std::erase_if(names,
                  [&](const std::string& name) { return is_hidden(directory + "/" + name); });
    return names;
}

}  // namespace perdure
