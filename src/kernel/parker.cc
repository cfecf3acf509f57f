#include "kernel/parker.h"

#include <chrono>
#include <thread>

namespace perdure::kernel {
namespace {

/// How long a thread looks for its token before it sleeps, where the last one came within that
/// time: to wake a sleeper costs tens of microseconds when its processor has gone idle, most of all
/// in a virtual machine, and an answer of the disk or of another worker often comes soon. It gives
/// way to whoever could run. Who waits longer mostly does not look at all.
constexpr std::chrono::microseconds kLookBeforeSleep{250};

}  // namespace

bool Parker::take_token() {
    Phase expected = Phase::Token;
    return phase_.compare_exchange_strong(expected, Phase::Empty, std::memory_order_acquire,
                                          std::memory_order_relaxed);
}

void Parker::park_until(std::optional<MonotonicTime> until) {
    const auto begin = std::chrono::steady_clock::now();
    const bool looks = last_wait_ <= kLookBeforeSleep;
    for (auto now = begin; looks && now - begin < kLookBeforeSleep && !(until && now >= *until);
         now = std::chrono::steady_clock::now()) {
        if (take_token()) {
            last_wait_ = now - begin;
            return;
        }
        std::this_thread::yield();
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
    last_wait_ = std::chrono::steady_clock::now() - begin;
}

void Parker::unpark() {
    if (phase_.exchange(Phase::Token, std::memory_order_release) != Phase::Parked) {
        return;
    }
    {
        std::lock_guard lock(mutex_);
    }
    wake_.notify_one();
}

}  // namespace perdure::kernel
