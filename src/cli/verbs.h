#pragma once

/// The one table of verbs: what `--help`, the completion script, "did you mean" and the tests of
/// the examples come from.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::cli {

enum class Verb {
    Run,
    Build,
    Start,
    Remove,
    Ps,
    Logs,
    Send,
    Kill,
    Restart,
    StateShow,
    StateExport,
    StateImport,
    StateClear,
    ConfigShow,
    Doctor,
    Stop,
    Version,
    Completion,
};

struct Example {
    std::string_view command;  ///< As typed in a shell.
    std::string_view effect;   ///< What it does, for the reader.
};

struct VerbInfo {
    Verb verb;
    std::string_view name;  ///< One word, or two: `process-state show`
    std::string_view summary;
    std::vector<Example> examples;
};

std::span<const VerbInfo> verb_table();
const VerbInfo& verb_info(Verb verb);

/// The first words of all verbs, each once, in table order.
std::vector<std::string_view> first_words();
/// The second words below `first`; empty if it has none.
std::vector<std::string_view> second_words(std::string_view first);

}  // namespace perdure::cli
