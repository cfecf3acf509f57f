#include "storage/home.h"

#include <charconv>

namespace perdure {
namespace {

constexpr std::uint64_t kVersionFileBytesMax = 64;
constexpr std::uint32_t kPrivate = 0700;

Result<std::uint32_t> parse_version(ByteView bytes, const std::string& path) {
    std::string_view text = text_of(bytes);
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    std::uint32_t version = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), version);
    if (failure != std::errc() || end != text.data() + text.size() || version == 0) {
        return Error(ErrorCode::Corrupt, path + ": no format number");
    }
    return version;
}

Result<void> synced(const SyncOutcome& outcome) {
    if (!outcome) {
        return Error(ErrorCode::Io, outcome.failure());
    }
    return {};
}

/// The outcome of the first thing written to a home: a refusal gets its cure.
template <typename T>
Result<T> writable(Result<T> outcome, const std::string& home) {
    if (outcome || outcome.error().code() != ErrorCode::NotPermitted) {
        return outcome;
    }
    return Error(ErrorCode::NotPermitted, home + ": cannot be written (" +
                                              outcome.error().message() +
                                              "); choose another home with --home");
}

/// The file appears whole or not at all.
Result<void> write_version(Files& files, const std::string& home) {
    const std::string path = home + "/version";
    {
        ASSIGN_OR_RETURN(const auto file, files.open_write(path + ".new", OpenMode::Truncate));
        RETURN_IF_ERROR(file->append(bytes_of(std::to_string(kHomeFormat) + "\n")));
        RETURN_IF_ERROR(synced(file->sync()));
    }
    RETURN_IF_ERROR(files.rename(path + ".new", path));
    return synced(files.sync_directory(home));
}

Result<void> check_version(Files& files, const std::string& home) {
    const std::string path = home + "/version";
    const auto bytes = read_file(files, path, kVersionFileBytesMax);
    if (!bytes) {
        if (bytes.error().code() != ErrorCode::NotFound) {
            return bytes.error();
        }
        // A store without its version is no new home.
        if (files.info(home + "/db/CURRENT")) {
            return Error(ErrorCode::Corrupt, path + ": missing, although the home holds a store");
        }
        return write_version(files, home);
    }
    ASSIGN_OR_RETURN(const std::uint32_t version, parse_version(*bytes, path));
    if (version > kHomeFormat) {
        return Error(ErrorCode::Unsupported, home + ": home of format " + std::to_string(version) +
                                                 ", this program knows up to " +
                                                 std::to_string(kHomeFormat) +
                                                 "; use a newer program");
    }
    return {};
}

}  // namespace

int exit_status_of_start(const Error& error) {
    switch (error.code()) {
        case ErrorCode::AlreadyExists: return 3;
        case ErrorCode::Unsupported: return 4;
        default: return 1;
    }
}

Home::Home(std::string path, std::unique_ptr<DirectoryLock> lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

std::string Home::path_of(std::string_view name) const {
    return path_ + "/" + std::string(name);
}

Result<std::unique_ptr<Home>> Home::open(Files& files, const std::string& path) {
    auto info = files.info(path);
    if (!info && info.error().code() == ErrorCode::NotFound) {
        RETURN_IF_ERROR(writable(files.make_directory(path), path));
        RETURN_IF_ERROR(synced(files.sync_directory(parent_of(path))));
        info = files.info(path);
    }
    if (!info) {
        return info.error();
    }
    if (!info->directory) {
        return Error(ErrorCode::InvalidInput, path + ": not a directory");
    }
    if (!info->own) {
        return Error(ErrorCode::NotPermitted,
                     path +
                         ": belongs to another user; run as that user, or choose another home "
                         "with --home");
    }
    if ((info->permissions & ~kPrivate) != 0) {
        return Error(ErrorCode::NotPermitted,
                     path + ": open to other users; run: chmod 700 " + path);
    }
    if (info->permissions != kPrivate) {
        return Error(ErrorCode::NotPermitted, path + ": read-only; run: chmod 700 " + path);
    }
    auto lock = writable(files.lock(path + "/lock"), path);
    if (!lock) {
        if (lock.error().code() == ErrorCode::AlreadyExists) {
            return Error(ErrorCode::AlreadyExists, "home in use: " + path);
        }
        return lock.error();
    }
    RETURN_IF_ERROR(check_version(files, path));
    return std::unique_ptr<Home>(new Home(path, std::move(*lock)));
}

}  // namespace perdure
