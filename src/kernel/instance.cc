#include "kernel/instance.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/utf8.h"
#include "kernel/kernel.h"
#include "kernel/process.h"
#include "kernel/worker.h"

namespace perdure::kernel {

void ErrorTail::write(ByteView bytes) {
    if (bytes.size() > bytes_max_) {
        bytes = bytes.last(bytes_max_);
    }
    const std::string_view text = text_of(bytes);
    const std::size_t appended = std::min(text.size(), bytes_max_ - kept_.size());
    kept_.append(text.substr(0, appended));
    for (const char c : text.substr(appended)) {
        kept_[next_] = c;
        next_ = (next_ + 1) % bytes_max_;
    }
}

std::string ErrorTail::text() const {
    return with_valid_utf8(kept_.substr(next_) + kept_.substr(0, next_));
}

Instance::Instance(Worker& worker, Process& process, std::uint64_t number, SequenceNumber seen)
    : worker_(worker),
      kernel_(worker.kernel()),
      process_(process),
      number_(number),
      error_tail_(kernel_.limits().error_output_bytes_kept) {
    learn(seen);
    const ProcessId& id = process.self->address.process;
    print_prefix_ = id.package + ":" + id.publisher + ": ";
    sleep_.owner = this;
}

Instance::~Instance() {
    guest_.reset();
    worker_.deadlines().disarm(sleep_);
    for (auto& [id, outstanding] : outstanding_) {
        worker_.deadlines().disarm(*outstanding);
    }
    // Places of what was asked but not yet answered, and of an outcome nobody will read (invariant
    // 1).
    process_.room.forget_outcomes(outstanding_.size());
    if (awaited_ != nullptr) {
        process_.room.release(1, awaited_->counted_bytes());
    }
    process_.counters.outstanding.store(0, std::memory_order_relaxed);
    process_.waiting.store(Waiting::No, std::memory_order_relaxed);
}

Result<void> Instance::start() {
    GuestLimits limits;
    limits.memory_bytes = kernel_.limits().process_memory_bytes_max;
    limits.clock_resolution_ns = std::uint64_t{kernel_.limits().guest_clock_resolution_us} * 1000;
    ASSIGN_OR_RETURN(
        guest_, kernel_.engine().instantiate(process_.facts.code, *this, process_.facts.appender,
                                             process_.self->printed, limits));
    return {};
}

void Instance::begin_slice() {
    end_slice_ = false;
}

void Instance::room_came() {
    if (std::exchange(owes_room_, false)) {
        Waiting room = Waiting::Room;
        process_.waiting.compare_exchange_strong(room, Waiting::No, std::memory_order_relaxed);
    }
}

void Instance::learn(SequenceNumber number) {
    causality_.learn(number);
    process_.counters.seen.store(causality_.seen().value, std::memory_order_relaxed);
}

CallStatus Instance::fault(std::string text) {
    fault_text_ = std::move(text);
    return CallStatus::Fault;
}

TickDecision Instance::on_tick() {
    return worker_.on_tick(*this);
}

void Instance::print(std::uint8_t level, std::string_view text) {
    kernel_.terminal().print(
        {level, process_.self->address.process, print_prefix_ + std::string(text)}, seen());
}

AddressView Instance::our() {
    return view_of(process_.self->address);
}

void Instance::write_output(OutputStream stream, ByteView bytes) {
    if (stream == OutputStream::Stderr) {
        error_tail_.write(bytes);
    }
}

void Instance::random(std::span<Byte> out, RandomUse) {
    worker_.random().fill(out);
}

std::uint64_t Instance::monotonic_ns() {
    const std::uint64_t resolution =
        std::uint64_t{kernel_.limits().guest_clock_resolution_us} * 1000;
    const auto now =
        static_cast<std::uint64_t>(kernel_.clock().monotonic_now().time_since_epoch().count());
    return now - now % resolution;
}

void Instance::wall_clock(std::uint64_t& seconds, std::uint32_t& nanoseconds) {
    const std::uint64_t resolution =
        std::uint64_t{kernel_.limits().guest_clock_resolution_us} * 1000;
    const auto now =
        static_cast<std::uint64_t>(kernel_.clock().wall_now().time_since_epoch().count());
    const std::uint64_t rounded = now - now % resolution;
    seconds = rounded / 1'000'000'000;
    nanoseconds = static_cast<std::uint32_t>(rounded % 1'000'000'000);
}

void Instance::SleepDeadline::due() {
    fired = true;
    owner->worker_.wake(owner->process_);
}

CallStatus Instance::sleep_until(Resume resume, std::uint64_t deadline_ns) {
    if (resume == Resume::First) {
        const auto last =
            static_cast<std::uint64_t>(MonotonicTime::max().time_since_epoch().count());
        const MonotonicTime at{Nanoseconds(static_cast<std::int64_t>(std::min(deadline_ns, last)))};
        if (at <= kernel_.clock().monotonic_now()) {
            return CallStatus::Ready;
        }
        worker_.deadlines().disarm(sleep_);
        sleep_.fired = false;
        worker_.deadlines().arm(sleep_, at);
    }
    if (sleep_.fired) {
        process_.waiting.store(Waiting::No, std::memory_order_relaxed);
        return CallStatus::Ready;
    }
    process_.waiting.store(Waiting::Sleep, std::memory_order_relaxed);
    return CallStatus::Pending;
}

CallStatus Instance::spawn(Resume, const SpawnView*, SpawnError& error) {
    kernel_.print(
        0, process_.self->printed + ": spawn is not part of this version; the call was refused",
        seen());
    error = SpawnError::NoFileAtPath;
    return CallStatus::Ready;
}

}  // namespace perdure::kernel
