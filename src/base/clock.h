#pragma once

/// Time as an interface: no code outside its implementations asks the operating system what time it
/// is (K-261).

#include <chrono>
#include <cstdint>

namespace perdure {

using Nanoseconds = std::chrono::nanoseconds;

/// A point on the node's monotonic clock; its zero is arbitrary and means nothing after a restart.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Nanoseconds>;

/// A point in calendar time, UTC.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Nanoseconds>;

class Clock {
public:
    virtual ~Clock() = default;

    /// Never goes back. Thread: any.
    virtual MonotonicTime monotonic_now() const = 0;
    /// May jump when the operator sets the clock. Thread: any.
    virtual WallTime wall_now() const = 0;
};

/// `start + seconds`, or the far end of the clock where the sum does not fit (K-58: any u64 is
/// accepted).
inline MonotonicTime deadline_after(MonotonicTime start, std::uint64_t count, Nanoseconds unit) {
    const auto room = static_cast<std::uint64_t>((MonotonicTime::max() - start).count());
    const auto step = static_cast<std::uint64_t>(unit.count());
    if (step != 0 && count > room / step) {
        return MonotonicTime::max();
    }
    return start + Nanoseconds(static_cast<std::int64_t>(count * step));
}

}  // namespace perdure
