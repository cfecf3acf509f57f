#pragma once

/// `pkg/manifest.json`: the processes a package consists of (P-MAN-1 to P-MAN-11).

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "abi/ids.h"
#include "abi/message.h"
#include "base/result.h"

namespace perdure::packages {

// Limits; each is an Overloaded error with its name.
inline constexpr std::size_t kManifestBytesMax = 4u << 20;    // manifest_bytes_max
inline constexpr std::size_t kProcessesPerPackageMax = 1000;  // processes_per_package_max
inline constexpr std::size_t kCapabilitiesPerProcessMax =
    1000;  // manifest_capabilities_max, of each list
inline constexpr std::size_t kExitRequestsPerProcessMax = 1000;  // exit_requests_max
inline constexpr std::size_t kWasmPathBytesMax = 1024;           // wasm_path_bytes_max

/// An element of the two capability lists (P-MAN-4). In `request_capabilities` the process is the
/// issuer and the new process the holder; in `grant_capabilities` the other way round.
struct ManifestCapability {
    ProcessId process;
    std::string params;  ///< JSON text; `"messaging"` for the plain form.

    friend bool operator==(const ManifestCapability&, const ManifestCapability&) = default;
};

struct ManifestEntry {
    std::string process_name;
    std::string process_wasm_path;  ///< Inside `pkg/`, without the leading slash.
    OnExit on_exit;                 ///< Addresses are safe; `our` still stands for the own node.
    bool request_networking = false;
    std::vector<ManifestCapability> request_capabilities;
    std::vector<ManifestCapability> grant_capabilities;
    bool is_public = false;

    friend bool operator==(const ManifestEntry&, const ManifestEntry&) = default;
};

struct Manifest {
    std::vector<ManifestEntry> entries;  ///< In the order of creation.
    /// What was left out or looks like a slip, one sentence each: capabilities that name unsafe ids
    /// (P-MAN-5), unknown keys that resemble known ones. For the log.
    std::vector<std::string> warnings;
};

/// Nothing is half accepted: the whole manifest is good, or this fails.
///
/// Errors, each with the JSON path, the cause and the cure: InvalidInput (malformed, two processes
/// of one name, a path that leaves the package), Unsupported (`turn`, `delivery`, `durability`:
/// valid, but not built), Overloaded (a limit above).
Result<Manifest> parse_manifest(std::string_view text);

/// A path inside `pkg/` without its leading slash.
/// Errors: InvalidInput if it is empty, holds `..`, `.`, an empty step, a backslash or a control
/// character, or is longer than kWasmPathBytesMax.
Result<std::string> parse_package_path(std::string_view path);

/// The capability list elements as they stand in a manifest: plain string for messaging, object
/// otherwise.
std::string manifest_to_text(const Manifest& manifest);

}  // namespace perdure::packages
