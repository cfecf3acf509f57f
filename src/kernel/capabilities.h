#pragma once

/// Decides whether: what a process holds, as an immutable set that checks read without a lock
/// (K-81, K-239).

#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "abi/capability.h"
#include "abi/record_codec.h"

namespace perdure::kernel {

/// One held capability with the record of where it came from (K-276).
struct HeldCapability {
    CapabilityRecord record;
    CapabilityKey key;

    explicit HeldCapability(CapabilityRecord record_in)
        : record(std::move(record_in)), key(record.capability) {}
};

class HeldSet {
public:
    /// The set of a process that holds nothing.
    static std::shared_ptr<const HeldSet> empty();

    /// This set and `added`; those already held keep their first spelling and record (K-87).
    /// `changed` receives the ones that are new.
    std::shared_ptr<const HeldSet> with(std::span<const CapabilityRecord> added,
                                        std::vector<CapabilityRecord>& changed) const;

    /// This set without `dropped`; those not held are ignored (K-104). `changed` receives the ones
    /// that were held.
    std::shared_ptr<const HeldSet> without(std::span<const Capability> dropped,
                                           std::vector<CapabilityRecord>& changed) const;

    bool holds(const Capability& capability) const;
    /// Whether messages to `process` are allowed by its `messaging` (K-90).
    bool may_message(const Address& process) const { return messaging_.contains(process); }

    /// In no particular order (K-101).
    const std::vector<std::shared_ptr<const HeldCapability>>& all() const { return all_; }

private:
    void index(const std::shared_ptr<const HeldCapability>& held);

    std::vector<std::shared_ptr<const HeldCapability>> all_;
    std::unordered_set<std::string> keys_;
    std::unordered_set<Address> messaging_;
};

}  // namespace perdure::kernel
