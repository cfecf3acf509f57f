#include "modules/timer/timer_module.h"

#include <chrono>
#include <utility>
#include <variant>

#include "abi/timer_codec.h"

namespace perdure::modules {

TimerModule::TimerModule(kernel::ModuleServices& services, const Clock& clock,
                         std::size_t timers_max)
    : services_(services), clock_(clock), timers_max_(timers_max) {}

void TimerModule::handle(kernel::IncomingRequest request) {
    const auto decoded = decode_timer_request(request.request.body.view());
    if (!decoded) {
        services_.print(*this, 1,
                        "request of " + request.source->printed + ": " + decoded.error().message(),
                        request.seen);
        return;
    }
    if (std::holds_alternative<timer_request::Debug>(*decoded)) {
        print_waiting(request.seen);
        return;
    }
    if (!request.reply) {
        return;  // K-208: nobody to answer.
    }
    const std::uint64_t delay_ms = std::get<timer_request::SetTimer>(*decoded).delay_ms;
    if (delay_ms == 0) {
        services_.respond(*this, request.reply, {}, std::nullopt, request.seen);
        return;
    }
    std::size_t& waiting_of_source = waiting_of_[request.source->printed];
    if (waiting_of_source >= timers_max_) {
        services_.respond(*this, request.reply, {false, encode_too_many_timers(), {}, {}},
                          std::nullopt, request.seen);
        return;
    }
    ++waiting_of_source;
    const MonotonicTime due =
        deadline_after(clock_.monotonic_now(), delay_ms, std::chrono::milliseconds(1));
    const std::uint64_t number = next_++;
    waiting_.emplace(number,
                     Waiting{due, std::move(request.reply), request.source->printed, request.seen});
    services_.run_at(due, [this, number] { fire(number); });
}

void TimerModule::fire(std::uint64_t number) {
    const auto found = waiting_.find(number);
    services_.respond(*this, found->second.reply, {}, std::nullopt, found->second.seen);
    const auto of_source = waiting_of_.find(found->second.source);
    if (--of_source->second == 0) {
        waiting_of_.erase(of_source);
    }
    waiting_.erase(found);
}

void TimerModule::print_waiting(SequenceNumber seen) {
    std::string text = std::to_string(waiting_.size()) + " timers wait";
    const MonotonicTime now = clock_.monotonic_now();
    for (const auto& [number, timer] : waiting_) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(timer.due - now).count();
        text += "\n  in " + std::to_string(left) + " ms: " + timer.source;
    }
    services_.print(*this, 0, std::move(text), seen);
}

}  // namespace perdure::modules
