#pragma once

/// The durable records of the kernel's tables as bytes: one process (K-121), one held capability
/// (K-276). docs/formats/records.md draws them. Decoding checks every length before it takes
/// memory.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "abi/ids.h"
#include "abi/message.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/sequence.h"

namespace perdure {

/// First byte of each record. A decoder accepts its own number only.
inline constexpr Byte kProcessRecordFormat = 1;
inline constexpr Byte kCapabilityRecordFormat = 1;

/// What is kept of a process over a restart of the node. Held capabilities are records of their own
/// (K-122).
struct ProcessRecord {
    std::string code_handle;  ///< `/package:publisher/pkg/NAME.wasm`, as it was given (K-194).
    std::optional<std::uint32_t> wit_version;
    OnExit on_exit;
    bool is_public = false;
    /// The installed package it belongs to; nothing if it was spawned or initialised by somebody
    /// else.
    std::optional<PackageId> package;

    friend bool operator==(const ProcessRecord&, const ProcessRecord&) = default;
};

/// How somebody came to hold a capability. The numbers are part of the format: append only.
enum class GrantCause : std::uint8_t {
    Birth = 0,        ///< Its own messaging, from initialisation on (K-113).
    Manifest = 1,     ///< Requested or granted in a package's manifest.
    Spawn = 2,        ///< Given by or to a parent.
    Initialiser = 3,  ///< Initial capabilities, and the initialiser's messaging of the new process.
    Saved = 4,        ///< Saved from a message.
    Command = 5,      ///< GrantCapabilities.
    Module = 6,       ///< Put there by the runtime module that issues it (K-94).
};
inline constexpr std::uint8_t kGrantCauseCount = 7;
std::string_view to_string(GrantCause cause);

/// The record a capability was passed on from: the same capability, held by `holder`, granted at
/// `number`.
struct GrantParent {
    ProcessId holder;
    SequenceNumber number;

    friend bool operator==(const GrantParent&, const GrantParent&) = default;
};

/// Ed25519 signature over a capability that another node issued, kept as it came (K-111).
using CapabilitySignature = std::array<Byte, 64>;

/// One capability that one process holds. The holder is in the key.
struct CapabilityRecord {
    Capability capability;  ///< Params as first received.
    GrantCause cause = GrantCause::Command;
    SequenceNumber
        number;  ///< The entry that made it, as far as the writer could know it; 0: not known.
    std::optional<GrantParent> parent;
    std::optional<CapabilitySignature> signature;

    friend bool operator==(const CapabilityRecord&, const CapabilityRecord&) = default;
};

SharedBytes encode_process_record(const ProcessRecord& record);
SharedBytes encode_capability_record(const CapabilityRecord& record);

/// Errors: Corrupt (not what the encoder writes: truncated, a length past the end, an unknown tag,
/// bytes left over), Unsupported (another format number: written by another version of this
/// program).
Result<ProcessRecord> decode_process_record(ByteView bytes);
Result<CapabilityRecord> decode_capability_record(ByteView bytes);

/// Keys. Process: the printed id. Capability: printed holder, a zero byte, the CapabilityKey's
/// text; all records of one holder share `capability_key_prefix(holder)`. Precondition: the ids are
/// safe.
SharedBytes process_key(const ProcessId& id);
SharedBytes capability_key(const ProcessId& holder, const Capability& capability);
std::string capability_key_prefix(const ProcessId& holder);
/// Errors: Corrupt.
Result<ProcessId> decode_process_key(ByteView key);
Result<ProcessId> decode_capability_key_holder(ByteView key);

}  // namespace perdure
