#pragma once

/// Lets one thread sleep until another one, or a point in time, wakes it.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/clock.h"

namespace perdure::kernel {

/// At most one token: `unpark` leaves it, `park_until` takes it. So an unpark before the park is
/// not lost, and several unparks before one park count once.
///
/// Time is the operating system's steady clock: for real workers only, a simulated one has nothing
/// to sleep for.
class Parker {
public:
    /// Where the last wait was short it first looks for the token a moment, giving way to others.
    /// Sleeps until the token is there, then takes it, or until `until` has come; without `until`,
    /// or with `MonotonicTime::max()`, only for the token. May return early for no reason: look
    /// again at what you waited for.
    ///
    /// What happened before the `unpark` that ended it is visible. Thread: one, the owner.
    void park_until(std::optional<MonotonicTime> until);

    /// Leaves the token and wakes the owner if it sleeps. Cheap when it does not: no lock, no
    /// system call. Thread: any. The Parker must outlive the call: join or stop the callers before
    /// destroying it.
    void unpark();

private:
    enum class Phase : std::uint8_t { Empty, Parked, Token };

    bool take_token();

    std::atomic<Phase> phase_{Phase::Empty};
    Nanoseconds last_wait_ = Nanoseconds::max();  // the owner's
    std::mutex mutex_;                            // Guards nothing but the sleep itself.
    std::condition_variable wake_;
};

}  // namespace perdure::kernel
