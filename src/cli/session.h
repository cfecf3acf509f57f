#pragma once

/// What every verb has at hand: the parsed command, the outside, and the node of its home. Private
/// to cli/.

#include <string>

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/control_client.h"

namespace perdure::cli {

struct Session {
    const CliContext& context;
    const Invocation& invocation;
    std::string home;         ///< Absolute.
    std::string home_origin;  ///< `default`, `environment PERDURE_HOME` or `flag --home`
    ControlClient node;

    std::ostream& out() const { return *context.out; }
    std::ostream& err() const { return *context.err; }
    bool json() const { return invocation.format == OutputFormat::Json; }
    Colouring colouring() const { return colouring_of(context.out_device); }
    Colouring colouring_of(Device device) const {
        const auto no_color = context.environment.find("NO_COLOR");
        return choose_colouring(device,
                                no_color == context.environment.end() ? "" : no_color->second);
    }
    /// `path` as typed, made absolute.
    std::string absolute(const std::string& path) const;
};

/// `path` beneath `directory` unless it is absolute, without `.`, `..` and double slashes.
std::string make_absolute(const std::string& path, const std::string& directory);

/// A verb: its exit status, or the error that `run_cli` prints. An error that the words alone show
/// is a usage error.
using Outcome = Result<node::ExitStatus>;

}  // namespace perdure::cli
