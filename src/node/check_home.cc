#include "node/check_home.h"

#include <charconv>
#include <memory>
#include <set>
#include <utility>

#include "abi/record_codec.h"
#include "packages/code_store.h"
#include "packages/package_record.h"
#include "storage/content_hash.h"
#include "storage/doctor.h"
#include "storage/home.h"

namespace perdure::node {
namespace {

constexpr std::uint64_t kVersionBytesMax = 64;

/// The store's own log lines are findings already.
class SilentSink final : public LogSink {
public:
    void write(LogLevel, std::string_view) override {}
};

/// What stands in `HOME/version`; nothing if it is no number.
std::optional<std::uint64_t> parse_format(std::string_view text) {
    std::uint64_t format = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), format);
    return failure == std::errc() ? std::optional(format) : std::nullopt;
}

/// What keeps the store from being looked at, if anything does.
Result<std::optional<HomeFinding>> find_obstacle(const std::string& home, Files& files) {
    const auto info = files.info(home);
    if (!info && info.error().code() != ErrorCode::NotFound) {
        return info.error();
    }
    if (!info) {
        return std::optional(
            HomeFinding{Severity::Warning, home, "does not exist yet; `perdure run` creates it"});
    }
    if (!info->directory) {
        return std::optional(HomeFinding{Severity::Error, home,
                                         "is no directory; choose another home or move it away"});
    }
    const std::string path = home + "/version";
    const auto bytes = read_file(files, path, kVersionBytesMax);
    if (!bytes && bytes.error().code() == ErrorCode::NotFound && !files.info(home + "/db")) {
        return std::optional(
            HomeFinding{Severity::Warning, home, "is empty: no node has started here yet"});
    }
    const auto format = bytes ? parse_format(text_of(*bytes)) : std::nullopt;
    if (format && *format > kHomeFormat) {
        return std::optional(
            HomeFinding{Severity::Error, path,
                        "format " + std::to_string(*format) + " is newer than this program's " +
                            std::to_string(kHomeFormat) + "; use a newer program"});
    }
    return std::optional<HomeFinding>();
}

/// The lock of a home; null where there is no lock file, which a check must not create.
Result<std::unique_ptr<DirectoryLock>> lock_home(const std::string& home, Files& files) {
    const std::string path = home + "/lock";
    if (!files.info(path)) {
        return std::unique_ptr<DirectoryLock>();
    }
    auto lock = files.lock(path);
    if (!lock && lock.error().code() == ErrorCode::AlreadyExists) {
        return Error(ErrorCode::AlreadyExists, "home in use: " + home);
    }
    return lock;
}

/// Components lie under their hashes: each must still be the bytes it is named by.
Result<void> check_code(const std::string& home, Files& files, std::vector<HomeFinding>& findings) {
    constexpr std::string_view kSuffix = ".wasm";
    const std::string folder = home + "/code";
    const auto names = files.list(folder);
    if (!names && names.error().code() == ErrorCode::NotFound) {
        return {};
    }
    if (!names) {
        return names.error();
    }
    for (const std::string& name : *names) {
        const std::string path = folder + "/" + name;
        if (!name.ends_with(kSuffix)) {
            findings.push_back(
                {Severity::Warning, path, "is left of an installation that did not end; harmless"});
            continue;
        }
        const auto bytes = read_file(files, path, packages::kComponentBytesMax);
        if (!bytes) {
            findings.push_back(
                {Severity::Error, path, "cannot be read: " + bytes.error().message()});
        } else if (to_hex(content_hash(*bytes)) + std::string(kSuffix) != name) {
            findings.push_back({Severity::Error, path,
                                "is not the bytes it is named by; install its package again"});
        }
    }
    return {};
}

/// Every Wasm file of every installed package must lie in `code/`, and the code of every process
/// that the next start runs again must belong to one.
Result<void> check_records(const std::string& home, const DoctorReport& report, Files& files,
                           std::vector<HomeFinding>& findings) {
    const std::string db = home + "/db";
    std::set<std::string, std::less<>> handles;
    for (const KeyValue& item : report.packages) {
        const auto record = packages::decode_package_record(item.value.view());
        if (!record) {
            findings.push_back(
                {Severity::Error, db,
                 "package " + std::string(item.key.text()) + ": " + record.error().message()});
            continue;
        }
        const std::string package = to_string(record->id);
        for (const packages::PackageFile& file : record->files) {
            handles.insert(packages::code_handle(record->id, file.path));
            const std::string path = home + "/code/" + to_hex(file.hash) + ".wasm";
            const auto info = files.info(path);
            if (!info && info.error().code() != ErrorCode::NotFound) {
                return info.error();
            }
            if (!info) {
                findings.push_back({Severity::Error, path,
                                    "is missing; package " + package + " needs it as pkg/" +
                                        file.path + "; install the package again"});
            }
        }
    }
    for (const KeyValue& item : report.processes) {
        const auto record = decode_process_record(item.value.view());
        const std::string process(item.key.text());
        if (!record) {
            findings.push_back(
                {Severity::Error, db, "process " + process + ": " + record.error().message()});
            continue;
        }
        const std::string& handle = record->code_handle;
        if (record->on_exit.kind == OnExit::Kind::Restart &&
            !handles.contains(handle.starts_with('/') ? handle : '/' + handle)) {
            findings.push_back({record->package ? Severity::Error : Severity::Warning, process,
                                "cannot start again: no installed package has its code " + handle +
                                    "; install one, or perdure kill " + process});
        }
    }
    return {};
}

}  // namespace

Result<std::vector<HomeFinding>> check_home(const std::string& home, const Settings& settings,
                                            Files& files, const Clock& clock) {
    ASSIGN_OR_RETURN(auto obstacle, find_obstacle(home, files));
    if (obstacle) {
        return std::vector<HomeFinding>{std::move(*obstacle)};
    }
    ASSIGN_OR_RETURN(const auto lock, lock_home(home, files));
    SilentSink sink;
    const Log silent(sink, LogLevel::Error);
    ASSIGN_OR_RETURN(const DoctorReport report,
                     examine_home(home, settings.reserve_bytes, files, clock, silent));
    std::vector<HomeFinding> findings;
    for (const Finding& finding : report.findings) {
        const bool note = finding.severity == Finding::Severity::Note;
        findings.push_back(
            {note ? Severity::Warning : Severity::Error, finding.path, finding.what});
    }
    RETURN_IF_ERROR(check_code(home, files, findings));
    RETURN_IF_ERROR(check_records(home, report, files, findings));
    findings.push_back({Severity::Note, home,
                        "this version has no network: messages to other nodes come back as "
                        "offline at once"});
    findings.push_back({Severity::Ok, home,
                        std::to_string(report.files_checked) + " files with " +
                            std::to_string(report.bytes_checked) + " bytes were read"});
    return findings;
}

}  // namespace perdure::node
