#include "node/check_home.h"

#include <charconv>
#include <memory>

#include "base/files.h"

namespace perdure::node {
namespace {

constexpr std::uint64_t kKnownFormat = 1;
constexpr std::uint64_t kVersionBytesMax = 64;

class HomeCheck {
public:
    HomeCheck(Files& files, std::string home, const Settings& settings)
        : files_(files), home_(std::move(home)), settings_(settings) {}

    Result<std::vector<HomeFinding>> run() {
        const auto info = files_.info(home_);
        if (!info && info.error().code() == ErrorCode::NotFound) {
            add(Severity::Warning, home_, "does not exist yet; `perdure run` creates it");
            return std::move(findings_);
        }
        if (!info) {
            return info.error();
        }
        check_directory(*info);
        if (info->directory) {
            check_format();
            RETURN_IF_ERROR(check_space());
        }
        return std::move(findings_);
    }

private:
    void add(Severity severity, std::string subject, std::string text) {
        findings_.push_back({.severity = severity, .subject = std::move(subject), .text = std::move(text)});
    }

    void check_directory(const FileInfo& info) {
        if (!info.directory) {
            return add(Severity::Error, home_, "is no directory; choose another home or move it away");
        }
        if (!info.own) {
            return add(Severity::Error, home_, "belongs to another user; run as that user or choose another home");
        }
        if ((info.permissions & 077) != 0) {
            return add(Severity::Error, home_, "is open to others; mend with `chmod 700 " + home_ + "`");
        }
        add(Severity::Ok, home_, "is a directory of this user, mode 0700 or less");
    }

    void check_format() {
        const std::string path = home_ + "/version";
        const auto bytes = read_file(files_, path, kVersionBytesMax);
        if (!bytes) {
            const bool missing = bytes.error().code() == ErrorCode::NotFound;
            return add(missing ? Severity::Warning : Severity::Error, path,
                       missing ? "is missing: no node has started here yet" : bytes.error().message());
        }
        const std::string_view text = text_of(*bytes);
        std::uint64_t format = 0;
        const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), format);
        if (failure != std::errc() || (end != text.data() + text.size() && *end != '\n')) {
            return add(Severity::Error, path, "is no format number; restore the home from a backup");
        }
        if (format > kKnownFormat) {
            return add(Severity::Error, path, "format " + std::to_string(format) + " is newer than this program's " +
                                                  std::to_string(kKnownFormat) + "; use a newer program");
        }
        add(Severity::Ok, path, "format " + std::to_string(format));
    }

    Result<void> check_space() {
        ASSIGN_OR_RETURN(const std::uint64_t bytes, files_.free_bytes(home_));
        const std::string text = std::to_string(bytes) + " bytes are free, reserve_bytes is " +
                                 std::to_string(settings_.reserve_bytes);
        if (bytes < settings_.reserve_bytes) {
            add(Severity::Error, "free space", text + "; the node would accept nothing new");
        } else {
            add(Severity::Ok, "free space", text);
        }
        return {};
    }

    Files& files_;
    const std::string home_;
    const Settings& settings_;
    std::vector<HomeFinding> findings_;
};

}  // namespace

// TODO(later): the store itself (checksums, formats, every file) by the storage room's doctor.
Result<std::vector<HomeFinding>> check_home(const std::string& home, const Settings& settings) {
    const std::unique_ptr<Files> files = make_posix_files();
    return HomeCheck(*files, home, settings).run();
}

}  // namespace perdure::node
