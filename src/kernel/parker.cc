#include "kernel/parker.h"

namespace perdure::kernel {

bool Parker::take_token() {
    Phase expected = Phase::Token;
    return phase_.compare_exchange_strong(expected, Phase::Empty, std::memory_order_acquire,
                                          std::memory_order_relaxed);
}

void Parker::park_until(std::optional<MonotonicTime> until) {
    if (take_token()) {
        return;
    }
    std::unique_lock lock(mutex_);
    Phase expected = Phase::Empty;
    if (phase_.compare_exchange_strong(expected, Phase::Parked, std::memory_order_relaxed)) {
        // From Parked to Token happens outside the lock, but who did it notifies after taking the
        // lock once, that is, not between our look at the phase and our sleep.
        const auto unparked = [this] {
            return phase_.load(std::memory_order_relaxed) == Phase::Token;
        };
        if (until && *until != MonotonicTime::max()) {
            wake_.wait_until(lock, *until, unparked);
        } else {
            wake_.wait(lock, unparked);
        }
    }
    phase_.exchange(Phase::Empty, std::memory_order_acquire);
}

void Parker::unpark() {
    if (phase_.exchange(Phase::Token, std::memory_order_release) != Phase::Parked) {
        return;
    }
    { std::lock_guard lock(mutex_); }
    wake_.notify_one();
}

}  // namespace perdure::kernel
