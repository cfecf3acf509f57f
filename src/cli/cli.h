#pragma once

/// `perdure VERB …`: parses, does one thing, prints, and answers with an exit status (M-DSK-6).
///
/// Everything of the outside is an argument, so that tests run every verb without a terminal, a
/// real home or a node.

#include <functional>
#include <istream>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "cli/output.h"
#include "node/run.h"

namespace perdure::cli {

struct CliContext {
    std::vector<std::string> arguments;  ///< Without the program's name.
    std::string program;                 ///< Absolute path of the running binary.
    std::map<std::string, std::string> environment;
    std::string working_directory;  ///< Absolute.
    std::uint64_t hardware_threads = 1;
    std::size_t input_bytes_max = 1u << 30;  ///< Of one file, or of `in`.
    std::istream* in = nullptr;
    std::ostream* out = nullptr;
    std::ostream* err = nullptr;
    Device out_device = Device::File;
    Device err_device = Device::File;
    node::VersionInfo version;  ///< Of this program.
    /// Starts a node; returns its exit status when it has ended.
    std::function<int(const node::RunOptions&)> run_node;
};

/// Never throws. Errors are one line on `err`, results go to `out`.
int run_cli(const CliContext& context);

}  // namespace perdure::cli
