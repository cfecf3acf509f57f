#pragma once

/// A store that forgets: durability class `memory` (K-256), and the reference the other stores are
/// compared with.

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "storage/store.h"

namespace perdure {

class MemoryStore final : public Store {
public:
    WriteOutcome write(std::span<const StoreChange> changes, Sync sync) override;
    Result<std::optional<StoreValue>> read(Family family, ByteView key) const override;
    std::unique_ptr<StoreCursor> scan(Family family, ByteView prefix,
                                      ByteView after) const override;
    WriteOutcome rewrite_recovered() override { return {}; }

private:
    using Contents = std::array<std::map<std::string, StoreValue, std::less<>>, kFamilyCount>;
    Guarded<Contents> contents_;
};

/// A cursor over pairs that were collected before.
class CollectedCursor final : public StoreCursor {
public:
    explicit CollectedCursor(std::vector<std::pair<std::string, StoreValue>> items)
        : items_(std::move(items)) {}

    Result<bool> next() override { return next_++ < items_.size(); }
    ByteView key() const override { return bytes_of(items_[next_ - 1].first); }
    const StoreValue& value() const override { return items_[next_ - 1].second; }

private:
    const std::vector<std::pair<std::string, StoreValue>> items_;
    std::size_t next_ = 0;
};

}  // namespace perdure
