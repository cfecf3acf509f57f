#pragma once

/// What the command line answered, as values.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "abi/json.h"
#include "node_process.h"

namespace perdure::functional {

/// The JSON on standard output of a command that ended with 0; fails the test if there is none.
Json json_of(const Ended& ended);

/// Member `key` as text, or as a number; fails the test if it is missing or of another kind.
std::string text_of(const Json& object, std::string_view key);
std::uint64_t number_of(const Json& object, std::string_view key);

/// The row of `process` in `ps --json`.
std::optional<Json> row_of(const NodeProcess& node, std::string_view process);
/// `ps --json` as the node printed it, in one line.
std::string listed_processes(const NodeProcess& node);

/// Sends `program` to the script process `process` and returns the report.
std::string run_script(const NodeProcess& node, const std::string& process,
                       const std::string& program);

/// Fails the test unless `ended` has this status, nothing on standard output and one line on the
/// error stream that contains `part`.
void expect_refusal(const Ended& ended, int status, std::string_view part);

/// A copy of samples/counter-cpp below `parent`, with its component.
std::string copy_counter_sample(const std::string& parent);

/// Size and hash of every file below `directory`.
std::map<std::string, std::string> fingerprints(const std::string& directory);

}  // namespace perdure::functional
