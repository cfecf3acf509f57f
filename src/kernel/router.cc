#include "kernel/router.h"

#include <algorithm>

namespace perdure::kernel {
namespace {

bool may_message_everybody(const ProcessId& id) {
    return id.package == "distro" && id.publisher == "sys" &&
           (id.process == "kernel" || id.process == "state" || id.process == "vfs");
}

}  // namespace

Route decide_route(const TableSnapshot& table, const Process& sender, const AddressView& target,
                   std::string_view own_node) {
    Route route;
    const ProcessId& sender_id = sender.self->address.process;
    const TableEntry* source = table.find(sender.self->hash, view_of(sender.self->address));
    if (source != nullptr) {
        route.number = source->changed;
    }
    if (target.node != own_node) {
        route.party = make_ref<const Party>(copy_of(target));
        const bool network = source != nullptr && source->held->holds(network_of(own_node));
        route.verdict = network ? Verdict::Unreachable : Verdict::NoNetwork;
        return route;
    }
    const TableEntry* entry = table.find(hash_address(target), target);
    route.party = entry != nullptr ? entry->process->self : make_ref<const Party>(copy_of(target));
    route.number = std::max(route.number, entry != nullptr ? entry->changed : table.changed());
    const bool privileged = may_message_everybody(sender_id);
    const bool holds = source != nullptr && source->held->may_message(route.party->address);
    if (entry == nullptr) {
        route.verdict = holds || privileged ? Verdict::Absent : Verdict::Denied;
        return route;
    }
    // Rule 2 of K-95: a source that is not in the table is refused, unless it is one of the three
    // of rule 1.
    const bool allowed =
        privileged || (source != nullptr && (entry->process->facts.is_public || holds));
    route.verdict = allowed ? Verdict::Allowed : Verdict::Denied;
    if (allowed) {
        route.process = entry->process;
    }
    return route;
}

std::optional<Capability> missing_capability(const Route& route, std::string_view own_node) {
    switch (route.verdict) {
        case Verdict::Denied: return messaging_of(route.party->address);
        case Verdict::NoNetwork: return network_of(own_node);
        case Verdict::Allowed:
        case Verdict::Absent:
        case Verdict::Unreachable: break;
    }
    return std::nullopt;
}

const Route* TargetCache::find(std::size_t hash, const AddressView& target,
                               std::uint64_t generation) const {
    const Slot& slot = slots_[hash % kSlots];
    if (slot.generation != generation || slot.route.party->hash != hash ||
        !same_address(target, slot.route.party->address)) {
        return nullptr;
    }
    return &slot.route;
}

const Route& TargetCache::remember(std::uint64_t generation, Route route) {
    Slot& slot = slots_[route.party->hash % kSlots];
    slot.generation = generation;
    slot.route = std::move(route);
    return slot.route;
}

}  // namespace perdure::kernel
