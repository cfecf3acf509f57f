#pragma once

/// `timer:distro:sys` (K-207 to K-211): answers after a while. Timers live in memory and end with
/// the node.

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "kernel/module.h"

namespace perdure::modules {

class TimerModule final : public kernel::RuntimeModule {
public:
    /// `timers_max`: timers of one process that may wait at once; one above it is answered with an
    /// error at once (M-TMR-7).
    static constexpr std::size_t kTimersMax = 100'000;

    TimerModule(kernel::ModuleServices& services, const Clock& clock,
                std::size_t timers_max = kTimersMax);

    const ProcessId& id() const override { return id_; }
    bool is_public() const override { return true; }
    void handle(kernel::IncomingRequest request) override;
    using RuntimeModule::handle;

    std::size_t waiting() const { return waiting_.size(); }

private:
    struct Waiting {
        MonotonicTime due;
        kernel::ReplyHandle reply;
        std::string source;
        SequenceNumber seen;
    };

    void fire(std::uint64_t number);
    void print_waiting(SequenceNumber seen);

    kernel::ModuleServices& services_;
    const Clock& clock_;
    const std::size_t timers_max_;
    const ProcessId id_ = well_known::timer();
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, Waiting> waiting_;  ///< In the order they were set.
    std::unordered_map<std::string, std::size_t>
        waiting_of_;  ///< How many each source has; none has 0.
};

}  // namespace perdure::modules
