#pragma once

/// A node's home directory as the storage room sees it: held by one node, of a known format
/// (M-DSK-1, M-DSK-2).

#include <cstdint>
#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace perdure {

/// Format of the whole home, in the file `version` as a decimal number and a line end.
/// docs/formats/store.md.
inline constexpr std::uint32_t kHomeFormat = 1;

/// Exit status of the program for a start that failed (M-DSK-6): 3 home in use, 4 newer format,
/// else 1. 74 (failed sync) is no failed start; the fatal handler of `Storage` stands for it.
int exit_status_of_start(const Error& error);
inline constexpr int kExitStatusFailedSync = 74;

class Home {
public:
    /// Creates the directory (mode 0700) and its `version` when missing, and locks it until this
    /// object goes.
    ///
    /// Errors: AlreadyExists (`home in use: <path>`), Unsupported (made by a newer program),
    /// Corrupt (`version` is no number), NotPermitted (of another user, read-only, or open to
    /// others), Io. A refused home is unchanged.
    static Result<std::unique_ptr<Home>> open(Files& files, const std::string& path);

    const std::string& path() const { return path_; }
    /// `<home>/<name>`
    std::string path_of(std::string_view name) const;
    std::string db_path() const { return path_of("db"); }

private:
    Home(std::string path, std::unique_ptr<DirectoryLock> lock);

    const std::string path_;
    const std::unique_ptr<DirectoryLock> lock_;
};

}  // namespace perdure
