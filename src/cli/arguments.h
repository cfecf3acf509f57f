#pragma once

/// The words of a command line as values. The only file pair that knows CLI11.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/verbs.h"
#include "node/settings.h"

namespace perdure::cli {

enum class OutputFormat : std::uint8_t { Text, Json };
enum class Switch : std::uint8_t { Off, On };

/// One command, checked as far as the words alone allow. Members a verb does not take keep their
/// defaults.
struct Invocation {
    Verb verb = Verb::Version;
    std::optional<std::string> home;  ///< `--home`, as typed.
    OutputFormat format = OutputFormat::Text;

    std::vector<std::string> package_dirs;  ///< run: as typed.
    std::optional<std::string> config_file;
    Switch detach = Switch::Off;
    Switch quiet = Switch::Off;
    std::vector<node::SettingFlag> setting_flags;

    std::string directory = ".";  ///< build, start
    std::string name;             ///< a process, package or address; a shell for `completion`
    std::string body;             ///< send; `-` reads standard input
    std::optional<std::string> blob_file;
    std::optional<std::uint64_t> timeout_seconds = 15;  ///< nothing: `--no-wait`
    std::optional<std::string> file;  ///< export, import; `-` is a standard stream

    Switch follow = Switch::Off;
    std::optional<std::uint64_t> verbosity;  ///< logs
    std::uint64_t lines_max = 1000;
    Switch origin = Switch::Off;
};

/// What to do: a command, or a text to print (help) after which all is well.
struct Parsed {
    std::optional<Invocation> invocation;
    std::string help;
};

/// `words`: without the program's name. A first word that is neither verb nor flag stands for `run
/// --home WORD` (M-DSK-3) if it is a path (`has_directory` tells whether a directory of that name
/// exists) or unlike any verb.
///
/// Errors: InvalidInput, one line, with the closest verb or flag where one was misspelt.
Result<Parsed> parse_arguments(std::vector<std::string> words,
                               const std::function<bool(const std::string&)>& has_directory);

/// The completion script for bash, from the verbs and flags as they are.
std::string bash_completion();

}  // namespace perdure::cli
