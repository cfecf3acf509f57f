#include "storage/gate.h"

#include <vector>

#include "base/check.h"

namespace perdure {

void Gate::wait(SequenceNumber number, Opened opened) {
    {
        auto inside = inside_.lock();
        if (inside->shut) {
            return;
        }
        // Looked at again under the lock: the mark may have moved since the first comparison.
        if (number.value >= limit_.load(std::memory_order_relaxed)) {
            inside->waiting.emplace(number, std::move(opened));
            return;
        }
    }
    opened();
}

void Gate::open(SequenceNumber durable) {
    while (true) {
        std::vector<Opened> ready;
        {
            auto inside = inside_.lock();
            if (inside->shut) {
                return;
            }
            CHECK(inside->durable <= durable, "the durable number went back", inside->durable,
                  durable);
            inside->durable = durable;
            const auto end = inside->waiting.upper_bound(durable);
            for (auto at = inside->waiting.begin(); at != end; ++at) {
                ready.push_back(std::move(at->second));
            }
            inside->waiting.erase(inside->waiting.begin(), end);
            if (ready.empty()) {
                // Only now, with nothing smaller left to hand on, may others pass without looking
                // (invariant 2).
                limit_.store(durable.value + 1, std::memory_order_release);
                return;
            }
        }
        for (Opened& opened : ready) {
            opened();
        }
    }
}

void Gate::shut() {
    Waiting dropped;
    {
        auto inside = inside_.lock();
        inside->shut = true;
        limit_.store(0, std::memory_order_release);
        dropped.swap(inside->waiting);
    }
    // Destroyed outside the lock: what an output owned may call back here when it goes.
}

std::size_t Gate::waiting_count() const {
    auto inside = inside_.lock();
    return inside->waiting.size();
}

}  // namespace perdure
