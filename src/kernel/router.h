#pragma once

/// Decides where a message goes and whether it may: once per target, then from a small cache that
/// one generation counter keeps honest (K-95, K-97, K-239).

#include <array>
#include <cstdint>
#include <optional>

#include "abi/message.h"
#include "base/ref.h"
#include "base/sequence.h"
#include "kernel/party.h"
#include "kernel/process_table.h"

namespace perdure::kernel {

enum class Verdict : std::uint8_t {
    Allowed,
    Denied,     ///< The target's `messaging` is missing; also when there is no such process (K-66).
    Absent,     ///< Its `messaging` is held, but it does not exist (K-65).
    NoNetwork,  ///< On another node, and `network` is missing (K-97).
    Unreachable,  ///< On another node: without the network module every remote address is offline
                  ///< (M-NET-7).
};

/// One decision with the newest entry it rests on (K-265 (4)).
struct Route {
    Verdict verdict = Verdict::Denied;
    Ref<const Party> party;
    Ref<Process> process;  ///< Only when allowed.
    SequenceNumber number;
};

/// The decision about a message from `sender` to `target`, by the rules of K-95. `target` has `our`
/// resolved.
Route decide_route(const TableSnapshot& table, const Process& sender, const AddressView& target,
                   std::string_view own_node);

/// What `sender` lacks when a route was denied; nothing for the other verdicts.
std::optional<Capability> missing_capability(const Route& route, std::string_view own_node);

/// Decisions one instance has made. Valid while the table's generation stands. Thread: the owner's
/// worker.
class TargetCache {
public:
    /// The cached decision, or null: then `decide_route` and `remember`.
    const Route* find(std::size_t hash, const AddressView& target, std::uint64_t generation) const;
    const Route& remember(std::uint64_t generation, Route route);

private:
    static constexpr std::size_t kSlots = 16;
    struct Slot {
        std::uint64_t generation = 0;
        Route route;
    };
    std::array<Slot, kSlots> slots_;
};

}  // namespace perdure::kernel
