#pragma once

/// `perdure build`: the processes of a package directory become components in its `pkg/`.
///
/// A process is a folder of the package with `src/lib.rs` (Rust) or `src/lib.cpp` (C++); `NAME/`
/// becomes `pkg/NAME.wasm`. No node is needed. Phases: find processes → find tools (every missing
/// one is named with the line that installs it) → per process: put the WIT files into `target/wit`,
/// compile, make a component → check the manifest's files.

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/child_process.h"
#include "cli/commands.h"

namespace perdure::cli {

enum class Language : std::uint8_t { Rust, Cpp };

struct ProcessSource {
    std::string name;    ///< Of its folder.
    std::string folder;  ///< Absolute.
    Language language = Language::Rust;
};

/// The processes below `directory`, by name. Errors: NotFound (none; or no such directory),
/// InvalidInput.
Result<std::vector<ProcessSource>> find_processes(const std::string& directory);

/// Where things are on this machine; tests point it elsewhere.
struct BuildMachine {
    Environment environment;
    std::string program_directory;  ///< Of the perdure binary.
    std::string system_root;   ///< Before `/usr/bin/cargo` and the like; empty on a real machine.
    std::string cargo_target;  ///< `CARGO_TARGET_DIR` if set; else each crate's own `target`.
    std::function<Result<void>(const ChildCommand&)> run = run_child;
};

/// The folder with `wit/` and `sdk/cpp/`: `PERDURE_SHARE`, else `../share/perdure` beside the
/// binary's folder, else the nearest folder above the binary that has both (a source tree). Errors:
/// NotFound.
Result<std::string> find_share(const BuildMachine& machine);

/// The interface version a process is built against, as a folder of `wit/` and of the C++ library's
/// glue: by the guest library in `Cargo.toml` and the package's `wit_version` (0: kinode-0.8.0,
/// else kinode-1.0.0).
Result<std::string> interface_of(const ProcessSource& process,
                                 const std::string& package_directory);

/// Builds all; `progress` gets one line per step. Errors: as above, and Io when a compiler fails.
Result<void> build_package(const std::string& directory, const BuildMachine& machine,
                           const std::function<void(const std::string&)>& progress);

Outcome build(const Session& session);

}  // namespace perdure::cli
