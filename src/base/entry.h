#pragma once

/// One durable change of the node, as a value: what the kernel and the modules append to the log
/// (K-243, K-244).

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace perdure {

/// A named key space of the store (K-255). The number is part of the on-disk format and of the
/// RocksDB column family's name; docs/formats/store.md lists both. Append only.
enum class Family : std::uint8_t {
    Meta = 0,
    Processes = 1,
    ProcessState = 2,
    Capabilities = 3,
    Packages = 4,
};
inline constexpr std::uint8_t kFamilyCount = 5;
std::string_view to_string(Family family);

/// What an entry records; used for counters, diagnostics and the crash suite's table, never for
/// deciding anything.
enum class EntryKind : std::uint8_t {
    SetState,
    ClearState,
    SaveCapabilities,
    DropCapabilities,
    SetOnExit,
    Initialise,
    Exit,
    Grant,
    Install,
    Remove,
    Module,
    Boot,
};
inline constexpr std::uint8_t kEntryKindCount = 12;
std::string_view to_string(EntryKind kind);

/// Puts `value` under `key`, or removes the key when there is no value.
struct Change {
    Family family;
    SharedBytes key;
    std::optional<SharedBytes> value;
};

/// Changes that are visible and durable together or not at all.
struct Entry {
    EntryKind kind;
    std::vector<Change> changes;

    /// Bytes of all keys and values: what the journal's bounds count.
    std::size_t size() const;
};

}  // namespace perdure
