#pragma once

#include "base/clock.h"

namespace perdure {

/// The operating system's clocks. Thread: any.
class SystemClock final : public Clock {
public:
    MonotonicTime monotonic_now() const override;
    WallTime wall_now() const override;
};

}  // namespace perdure
