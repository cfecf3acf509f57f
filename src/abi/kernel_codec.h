#pragma once

/// Bodies of `kernel:distro:sys`: commands and replies (K-189 to K-201), both ways.
///
/// A body that does not decode is "not a command" (K-190). Ids in decoded commands have the shape
/// of an id but may be unsafe; an unsafe one exists nowhere, so InitializeProcess has to check
/// `is_safe` and everything else finds nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "abi/ids.h"
#include "abi/json.h"
#include "abi/message.h"
#include "base/bytes.h"
#include "base/result.h"

namespace perdure {

namespace kernel_command {

struct InitializeProcess {
    ProcessId id;
    std::string wasm_bytes_handle;  ///< As given; a leading slash is optional (K-194).
    std::optional<std::uint32_t> wit_version;
    OnExit on_exit;
    std::vector<Capability> initial_capabilities;
    bool is_public = false;
    /// Set when the command asks for what this node has not built (atomic turns, durable delivery,
    /// a durability class): answer InitializeProcessError and print this reason. Never encoded.
    std::optional<Error> refusal;
};
struct RunProcess {
    ProcessId id;
};
struct KillProcess {
    ProcessId id;
};
struct GrantCapabilities {
    ProcessId target;
    std::vector<Capability> capabilities;
};
struct DropCapabilities {
    ProcessId target;
    std::vector<Capability> capabilities;
};
struct SetOnExit {
    ProcessId target;
    OnExit on_exit;
};
struct Booted {};
struct Shutdown {};
struct DebugProcessMap {};
struct DebugProcess {
    ProcessId id;
};
struct DebugHasCap {
    ProcessId on;
    Capability cap;
};

}  // namespace kernel_command

using KernelCommand =
    std::variant<kernel_command::InitializeProcess, kernel_command::RunProcess,
                 kernel_command::KillProcess, kernel_command::GrantCapabilities,
                 kernel_command::DropCapabilities, kernel_command::SetOnExit,
                 kernel_command::Booted, kernel_command::Shutdown, kernel_command::DebugProcessMap,
                 kernel_command::DebugProcess, kernel_command::DebugHasCap>;

/// Errors: InvalidInput or Overloaded, with the JSON path and what was expected; the body is no
/// command then.
Result<KernelCommand> decode_kernel_command(ByteView body);
SharedBytes encode_kernel_command(const KernelCommand& command);

/// One line of the process table as Debug shows it (ENTRY of K-191).
struct ProcessEntry {
    std::string wasm_bytes_handle;  ///< Empty for runtime modules (K-201).
    std::optional<std::uint32_t> wit_version;
    OnExit on_exit;
    std::vector<Capability> capabilities;
    bool is_public = false;

    friend bool operator==(const ProcessEntry&, const ProcessEntry&) = default;
};
Json process_entry_to_json(const ProcessEntry& entry);

namespace kernel_reply {

struct InitializedProcess {};
struct InitializeProcessError {};
struct StartedProcess {};
struct RunProcessError {};
struct KilledProcess {
    ProcessId id;
};
struct DebugProcessMap {
    std::vector<std::pair<ProcessId, ProcessEntry>> processes;
};
struct DebugProcess {
    std::optional<ProcessEntry> entry;
};
struct DebugHasCap {
    std::optional<bool> held;  ///< Nothing: no such process.
};

}  // namespace kernel_reply

using KernelReply =
    std::variant<kernel_reply::InitializedProcess, kernel_reply::InitializeProcessError,
                 kernel_reply::StartedProcess, kernel_reply::RunProcessError,
                 kernel_reply::KilledProcess, kernel_reply::DebugProcessMap,
                 kernel_reply::DebugProcess, kernel_reply::DebugHasCap>;

SharedBytes encode_kernel_reply(const KernelReply& reply);
/// For askers inside the node and tests. Errors: InvalidInput, Overloaded.
Result<KernelReply> decode_kernel_reply(ByteView body);

}  // namespace perdure
