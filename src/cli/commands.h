#pragma once

/// One function per verb. Private to cli/. A returned error is printed by `run_cli` and ends with
/// status 1; what the words alone show to be wrong is printed by `usage` and ends with status 2.

#include "cli/session.h"

namespace perdure::cli {

// node_commands.cc
Outcome run(const Session& session);
Outcome start(const Session& session);
Outcome remove(const Session& session);
Outcome show_config(const Session& session);
Outcome doctor(const Session& session);
Outcome stop(const Session& session);
Outcome version(const Session& session);

// process_commands.cc
Outcome ps(const Session& session);
Outcome send(const Session& session);
Outcome kill(const Session& session);
Outcome restart(const Session& session);
Outcome show_state(const Session& session);
Outcome export_state(const Session& session);
Outcome import_state(const Session& session);
Outcome clear_state(const Session& session);

// log_commands.cc
Outcome logs(const Session& session);

/// Prints `error` and answers with status 2.
node::ExitStatus usage(const Session& session, const Error& error);

/// Prints the answer for programs: one JSON value, indented, and a line end.
void print_json(const Session& session, const Json& json);

/// Checks `session.invocation.name` as a process id; prints what is wrong. True if it is one.
bool check_process(const Session& session);

/// Text of member `key`, or nothing; number of member `key`, or 0: for answers of our own node.
std::string text_of(const Json& object, std::string_view key);
std::uint64_t number_of(const Json& object, std::string_view key);

/// Everything in the file `path` (`-`: standard input). Errors: NotFound, Io, Overloaded
/// (above `input_bytes_max` of the context).
Result<std::string> read_input(const Session& session, const std::string& path);

}  // namespace perdure::cli
