#pragma once

/// Paths of Unix sockets of any length. The operating system takes at most 107 bytes, and homes lie
/// deeper than that; a longer path is reached through a handle on its directory
/// (`/proc/self/fd/N/NAME`).

#include <string>

#include "base/result.h"

namespace perdure::transport {

/// A path that fits into a socket address for as long as this lives. A resource: it may hold a
/// directory open.
class UnixPath {
public:
    /// Errors: NotFound (no such directory), InvalidInput (even the last element is too long), Io.
    static Result<UnixPath> open(const std::string& path);
    ~UnixPath();
    UnixPath(UnixPath&& other) noexcept;
    UnixPath& operator=(UnixPath&&) = delete;

    const std::string& short_path() const { return short_path_; }

private:
    UnixPath(std::string short_path, int directory)
        : short_path_(std::move(short_path)), directory_(directory) {}

    std::string short_path_;
    int directory_;  // -1: none needed
};

}  // namespace perdure::transport
