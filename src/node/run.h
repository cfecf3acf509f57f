#pragma once

/// `perdure run`: starts a node and returns when it has ended.

#include <string>
#include <vector>

#include "node/node_api.h"
#include "node/settings.h"

namespace perdure::node {

/// Exit status of every verb (M-DSK-6).
enum class ExitStatus : int {
    Success = 0,
    Failure = 1,      ///< Something failed at run time.
    Usage = 2,        ///< Wrong usage or configuration.
    HomeInUse = 3,    ///< `home in use: PATH`
    NewerFormat = 4,  ///< The home was written by a newer version.
    PortInUse = 5,
    FailedSync = 74,  ///< K-247: what is on disk is unknown; the next start recovers.
};

/// What a node in the foreground writes to its standard streams.
enum class Console : std::uint8_t {
    Everything,
    Bounded,  ///< Its start, its end, and what ended it: for a node in the background, whose lines
              ///< and prints are in `log/`.
};
enum class Colours : std::uint8_t { Off, On };
enum class Attach : std::uint8_t {
    Foreground,  ///< Stay, follow the prints of `package_dirs`, end by signal or `shutdown`.
    Detached,    ///< Come back once the node in the background is ready; the ready line is printed.
};

struct RunOptions {
    LoadedSettings settings;
    std::vector<std::string>
        package_dirs;  ///< Absolute; installed in this order once the node runs.
    Attach attach = Attach::Foreground;
    Console console = Console::Everything;
    Colours output_colours =
        Colours::Off;  ///< Of standard output: on only for a terminal and without NO_COLOR.
    Colours error_colours = Colours::Off;  ///< The same for the error stream.
    std::string program;  ///< Absolute path of this binary, for starting the detached one.
    std::vector<std::string> arguments;  ///< What a detached node is started with: `run --home …
                                         ///< --quiet` without --detach.
};

/// Runs a node in `options.settings.values.home`. Prints `ready http=HOST:PORT home=PATH` on
/// standard output when ready, and on a bounded console `ended home=PATH` at the end; errors are
/// one line on the error stream. Signals HUP, TERM, INT and QUIT end it in order. Thread: the main
/// thread; once per program.
int run_node(const RunOptions& options);

/// The version of this program; `perdure version` without a node.
VersionInfo program_version();

/// The control socket of a home: `HOME/control.sock`.
std::string control_socket_path(const std::string& home);

}  // namespace perdure::node
