#pragma once

/// Starting other programs and waiting for them: posix_spawn, no shell.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace perdure::cli {

using Environment = std::map<std::string, std::string>;

struct ChildCommand {
    std::vector<std::string> words;  ///< The first one is the program's path.
    std::string directory;           ///< Where it runs.
    Environment environment;
};

/// Runs `command` to its end. Its standard output goes to our error stream, its input is empty.
/// Errors: NotFound (no such program), Io (it could not be started, ended with another status than
/// 0, or by a signal; the message names program and status). Blocks.
Result<void> run_child(const ChildCommand& command);

/// The path of the executable `name`: in `first` (a directory; empty: none), else in the PATH of
/// `environment`.
std::optional<std::string> find_program(const std::string& name, const std::string& first,
                                        const Environment& environment);

}  // namespace perdure::cli
