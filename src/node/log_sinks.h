#pragma once

/// Where the node's own log lines go: the error stream of a terminal, rotating files in the home,
/// or both.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "node/run.h"

namespace perdure::node {

/// Lines on the error stream with time and level; the level is coloured if asked.
std::unique_ptr<LogSink> make_stderr_sink(Colours colours);

struct LogFileOptions {
    std::string path;  ///< `<home>/log/node.log`; its directory is made if need be, older files are
                       ///< `node.1.log`, `node.2.log`, …
    std::uint64_t bytes_max = 8'000'000;  ///< Over all files of this log together.
    std::uint64_t files = 4;  ///< At least 1; fewer if each were below kLogFileBytesMin.
};
inline constexpr std::size_t kLogFileBytesMin = 4096;  // log_file_bytes_min

/// Lines in files of `bytes_max / files` bytes each; a full one is renamed, the oldest removed.
/// Files that smaller settings leave no place for are removed at once. A line longer than a file is
/// cut with a mark, so the files never have more than `bytes_max` bytes together (if that is at
/// least kLogFileBytesMin). Lines reach the operating system with `flush` at the latest and are
/// never synced. A disk that refuses a line loses that line only. Errors: Io.
Result<std::unique_ptr<LogSink>> make_file_sink(const LogFileOptions& options);

}  // namespace perdure::node
