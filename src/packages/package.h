#pragma once

/// Reads a package directory and says everything that installing it means, before anything is
/// changed (P-INS-5).
///
/// `read_package` only reads: it checks metadata, manifest, names, paths and sizes, and gives an
/// InstallPlan or one error. Installing is the node's: put the files into the CodeStore, check the
/// code with the engine, tell the kernel, append the package record. Whether root rights and a
/// foreign publisher are allowed is the node's decision, too; the plan says where it has to decide.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "abi/ids.h"
#include "abi/message.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/result.h"
#include "packages/manifest.h"
#include "packages/metadata.h"
#include "packages/package_record.h"
#include "storage/content_hash.h"

namespace perdure::packages {

// Limits of what is read from a package directory.
inline constexpr std::size_t kCodeFilesPerPackageMax = 1000;      // code_files_per_package_max
inline constexpr std::size_t kCodeBytesPerPackageMax = 1u << 30;  // code_bytes_per_package_max
inline constexpr std::size_t kPackageFoldersDepthMax = 8;         // package_folders_depth_max

/// One `.wasm` file below `pkg/`: of a process, or for `spawn` to find.
struct PlannedFile {
    std::string path;
    ContentHash hash{};
    Bytes wasm;
};

/// A right to be given to `holder`, which may not exist yet.
struct PlannedGrant {
    ProcessId holder;
    Capability capability;

    friend bool operator==(const PlannedGrant&, const PlannedGrant&) = default;
};

struct PlannedProcess {
    ProcessId id;
    std::string code_handle;
    ContentHash code_hash{};
    OnExit on_exit;  ///< `our` is resolved.
    bool is_public = false;
    /// What it shall hold: what the manifest requests, `network` if requested, read and write of
    /// the package's own drive (P-MAN-6). Messaging of itself and of the installer is the kernel's.
    std::vector<Capability> capabilities;
    std::vector<PlannedGrant> grants;
};

struct InstallPlan {
    PackageMetadata metadata;
    std::string manifest_text;
    std::vector<PlannedProcess> processes;  ///< In manifest order.
    std::vector<PlannedFile> files;         ///< Sorted by path.
    std::vector<std::string> warnings;      ///< For the log, one sentence each.
    /// Requested rights that amount to root: messaging of the kernel or the installer, root of vfs,
    /// net or eth (P-INS-7).
    std::vector<Capability> root_capabilities;
    /// The publisher is `sys` or not the own node (P-INS-8).
    bool foreign_publisher = false;
};

/// `directory` holds `metadata.json` and `pkg/`. `own_node` becomes the issuer's node of every
/// capability. `component_bytes_max`: the size of the largest Wasm file that is taken;
/// `code_bytes_max`: of all together.
///
/// Errors: NotFound (a file is missing), InvalidInput, Overloaded, Unsupported, NotPermitted
/// (package `distro:sys`, P-INS-8); each message begins with the file's name below `directory`.
Result<InstallPlan> read_package(Files& files, const std::string& directory,
                                 std::string_view own_node, std::size_t component_bytes_max,
                                 std::size_t code_bytes_max = kCodeBytesPerPackageMax);

/// The record that remembers this install, with `pending` grants to processes that do not exist
/// yet.
PackageRecord make_package_record(const InstallPlan& plan, std::vector<PendingGrant> pending);

/// Whether holding `capability` amounts to root on `own_node` (P-INS-7).
bool is_root_capability(const Capability& capability, std::string_view own_node);

}  // namespace perdure::packages
