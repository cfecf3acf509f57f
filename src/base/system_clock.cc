#include "base/system_clock.h"

namespace perdure {

MonotonicTime SystemClock::monotonic_now() const {
    return std::chrono::time_point_cast<Nanoseconds>(std::chrono::steady_clock::now());
}

WallTime SystemClock::wall_now() const {
    return std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now());
}

}  // namespace perdure
