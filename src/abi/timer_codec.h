#pragma once

/// Bodies of `timer:distro:sys` (K-207 to K-209). The answer to SetTimer has an empty body, unless
/// the timer was not set.

#include <cstdint>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"

namespace perdure {

namespace timer_request {
struct SetTimer {
    std::uint64_t delay_ms =
        0;  ///< 0: at once. Any value is valid; adding it to a clock must not overflow.
};
struct Debug {};
}  // namespace timer_request

using TimerRequest = std::variant<timer_request::SetTimer, timer_request::Debug>;

/// Errors: InvalidInput or Overloaded; print it at level 1 and answer nothing (K-209).
Result<TimerRequest> decode_timer_request(ByteView body);
SharedBytes encode_timer_request(const TimerRequest& request);

/// `{"Err":"TooManyTimers"}`, the answer to a SetTimer above the sender's bound (M-TMR-7).
SharedBytes encode_too_many_timers();

}  // namespace perdure
