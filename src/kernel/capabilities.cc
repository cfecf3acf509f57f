#include "kernel/capabilities.h"

namespace perdure::kernel {

std::shared_ptr<const HeldSet> HeldSet::empty() {
    static const auto set = std::make_shared<const HeldSet>();
    return set;
}

void HeldSet::index(const std::shared_ptr<const HeldCapability>& held) {
    all_.push_back(held);
    keys_.insert(held->key.text());
    if (params_equal(held->record.capability.params, kMessagingParams)) {
        messaging_.insert(held->record.capability.issuer);
    }
}

std::shared_ptr<const HeldSet> HeldSet::with(std::span<const CapabilityRecord> added,
                                             std::vector<CapabilityRecord>& changed) const {
    auto result = std::make_shared<HeldSet>(*this);
    for (const CapabilityRecord& record : added) {
        auto held = std::make_shared<const HeldCapability>(record);
        if (!result->keys_.contains(held->key.text())) {
            result->index(held);
            changed.push_back(record);
        }
    }
    return result;
}

std::shared_ptr<const HeldSet> HeldSet::without(std::span<const Capability> dropped,
                                                std::vector<CapabilityRecord>& changed) const {
    std::unordered_set<std::string> keys;
    for (const Capability& capability : dropped) {
        keys.insert(CapabilityKey(capability).text());
    }
    auto result = std::make_shared<HeldSet>();
    for (const auto& held : all_) {
        if (keys.contains(held->key.text())) {
            changed.push_back(held->record);
        } else {
            result->index(held);
        }
    }
    return result;
}

bool HeldSet::holds(const Capability& capability) const {
    return keys_.contains(CapabilityKey(capability).text());
}

}  // namespace perdure::kernel
