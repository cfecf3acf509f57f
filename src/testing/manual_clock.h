#pragma once

/// Time that moves only when a test says so.

#include <atomic>

#include "base/clock.h"

namespace perdure {

/// Thread: any.
class ManualClock final : public Clock {
public:
    MonotonicTime monotonic_now() const override {
        return MonotonicTime(Nanoseconds(nanoseconds_.load()));
    }
    /// Starts at 2001-09-09T01:46:40Z, so that dates in outputs look like dates.
    WallTime wall_now() const override {
        return WallTime(std::chrono::seconds(1'000'000'000) + Nanoseconds(nanoseconds_.load()));
    }
    void advance(Nanoseconds by) { nanoseconds_ += by.count(); }

private:
    std::atomic<std::int64_t> nanoseconds_{0};
};

}  // namespace perdure
