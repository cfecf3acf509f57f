#pragma once

#include <functional>
#include <stop_token>
#include <thread>

#include "base/clock.h"

namespace perdure::node {

/// Calls a function about every millisecond on a thread of its own: the engine's epoch for
/// pre-emption (K-260).
class Ticker {
public:
    explicit Ticker(std::function<void()> tick, Nanoseconds period = std::chrono::milliseconds(1));

private:
    std::jthread thread_;  ///< Asked to stop and joined by its destructor.
};

}  // namespace perdure::node
