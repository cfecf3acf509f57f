#include "storage/memory_store.h"

namespace perdure {

WriteOutcome MemoryStore::write(std::span<const StoreChange> changes, Sync) {
    auto contents = contents_.lock();
    for (const StoreChange& change : changes) {
        auto& family = (*contents)[static_cast<std::size_t>(change.family)];
        std::string key(text_of(change.key));
        if (change.value) {
            family[std::move(key)] = {change.format, SharedBytes(*change.value)};
        } else {
            family.erase(key);
        }
    }
    return {};
}

Result<std::optional<StoreValue>> MemoryStore::read(Family family, ByteView key) const {
    auto contents = contents_.lock();
    const auto& keys = (*contents)[static_cast<std::size_t>(family)];
    const auto found = keys.find(text_of(key));
    if (found == keys.end()) {
        return std::optional<StoreValue>();
    }
    return std::optional<StoreValue>(found->second);
}

std::unique_ptr<StoreCursor> MemoryStore::scan(Family family, ByteView prefix,
                                               ByteView after) const {
    auto contents = contents_.lock();
    const auto& keys = (*contents)[static_cast<std::size_t>(family)];
    std::vector<std::pair<std::string, StoreValue>> items;
    auto at = text_of(after) < text_of(prefix) ? keys.lower_bound(text_of(prefix))
                                               : keys.upper_bound(text_of(after));
    if (after.empty()) {
        at = keys.lower_bound(text_of(prefix));
    }
    for (; at != keys.end() && at->first.starts_with(text_of(prefix)); ++at) {
        items.emplace_back(*at);
    }
    return std::make_unique<CollectedCursor>(std::move(items));
}

}  // namespace perdure
