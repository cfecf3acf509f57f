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
    std::string path;  ///< `<home>/log/node.log`; its directory is made if need be, older files get
                       ///< `.1`, `.2`, …
    std::uint64_t log_bytes_max = 16'000'000;  ///< Over all files together.
    std::uint64_t log_files = 4;               ///< At least 1.
};
/// Lines in files of `log_bytes_max / log_files` bytes each; a full one is renamed, the oldest
/// removed. Lines reach the operating system with `flush` at the latest and are never synced. A
/// disk that refuses a line loses that line only. Errors: Io.
Result<std::unique_ptr<LogSink>> make_file_sink(const LogFileOptions& options);

}  // namespace perdure::node
