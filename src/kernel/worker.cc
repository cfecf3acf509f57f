#include "kernel/worker.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "kernel/instance.h"
#include "kernel/kernel.h"

namespace perdure::kernel {
namespace {

/// A module handles this many messages before others get their turn.
constexpr int kModuleMessagesPerSlice = 64;
/// How long a process waits for a free place in the engine before it is tried again (E-15).
constexpr Nanoseconds kStartRetry = std::chrono::milliseconds(100);
/// Guests with more memory than this are deleted on the blocking pool.
constexpr std::uint64_t kDeleteHereBytes = 8u << 20;
/// Queue items taken before deadlines and guests get their turn.
constexpr int kTasksPerRound = 1024;

}  // namespace

Worker::Worker(Kernel& kernel, std::uint32_t index, std::unique_ptr<Random> random)
    : kernel_(kernel),
      index_(index),
      random_(std::move(random)),
      deadlines_(kernel.clock().monotonic_now()) {}

Worker::~Worker() {
    discard_deadlines();
}

void Worker::post(std::unique_ptr<Task> task) {
    if (queue_.push(std::move(task))) {
        parker_.unpark();
    }
}

void Worker::stop() {
    stopping_.store(true, std::memory_order_seq_cst);
    parker_.unpark();
}

std::function<void()> Worker::waker(Ref<Process> process, std::uint64_t number) {
    return [this, process = std::move(process), number] {
        post([process, number](Worker& worker) {
            if (process->instance != nullptr && process->instance->number() == number) {
                process->instance->room_came();
                worker.wake(*process);
            }
        });
    };
}

Journal::ReadDone Worker::reader(Ref<Process> process, std::uint64_t number) {
    return [this, process = std::move(process), number](Result<Seen<Journal::StoredValue>> result) {
        // std::function wants copies; the result is moved once and read once.
        auto shared = std::make_shared<Result<Seen<Journal::StoredValue>>>(std::move(result));
        post([process, number, shared](Worker&) {
            if (process->instance != nullptr && process->instance->number() == number) {
                process->instance->finish_read(std::move(*shared));
            }
        });
    };
}

Journal::AppendDone Worker::appender(Ref<Process> process, std::uint64_t number) {
    return [this, process = std::move(process), number](Result<SequenceNumber> result) {
        post([process, number, result = std::move(result)](Worker&) {
            if (process->instance != nullptr && process->instance->number() == number) {
                process->instance->finish_append(result);
            }
        });
    };
}

void Worker::run() {
    kernel_.engine().prepare_thread();
    while (!stopping_.load(std::memory_order_relaxed)) {
        if (step() == Did::Work) {
            continue;
        }
        if (queue_.prepare_park()) {
            if (!stopping_.load(std::memory_order_seq_cst)) {
                parker_.park_until(next_deadline());
            }
            queue_.end_park();
        }
    }
}

bool Worker::drain() {
    int taken = 0;
    while (taken < kTasksPerRound) {
        std::unique_ptr<WorkerItem> item = queue_.pop();
        if (item == nullptr) {
            break;
        }
        ++taken;
        std::unique_ptr<Task> task(static_cast<Task*>(item.release()));
        Task& running = *task;
        running.run(*this, std::move(task));
    }
    return taken != 0;
}

Worker::Did Worker::step() {
    const bool drained = drain();
    const MonotonicTime now = kernel_.clock().monotonic_now();
    bool expired = false;
    deadlines_.expire(now, [&](Deadline& deadline) {
        expired = true;
        static_cast<TimedCall&>(deadline).due();
    });
    if (const std::uint64_t ticks = kernel_.ticks(); ticks != ticks_) {
        ticks_ = ticks;
        ready_.ticked();
    }
    ReadyNode* node = ready_.take(now);
    if (node == nullptr) {
        return drained || expired ? Did::Work : Did::Nothing;
    }
    auto& process = static_cast<Process&>(*node);
    if (process.facts.module != nullptr) {
        run_module(process, now);
    } else {
        run_slice(process, now);
    }
    return Did::Work;
}

const TableSnapshot& Worker::table() {
    const std::uint64_t generation = kernel_.table().generation();
    if (table_ == nullptr || generation != table_generation_) {
        // The generation first: a change between the two is seen again at the next look.
        table_generation_ = generation;
        table_ = kernel_.table().snapshot();
    }
    return *table_;
}

const Route& Worker::route(const Process& sender, TargetCache& cache, const AddressView& target) {
    const TableSnapshot& now = table();
    if (const Route* known = cache.find(hash_address(target), target, table_generation_)) {
        return *known;
    }
    return cache.remember(table_generation_, decide_route(now, sender, target, kernel_.own_node()));
}

std::shared_ptr<const HeldSet> Worker::held(const Process& process, SequenceNumber* number) {
    const TableEntry* entry = table().find(process.self->hash, view_of(process.self->address));
    if (entry == nullptr) {
        return HeldSet::empty();
    }
    if (number != nullptr) {
        *number = entry->changed;
    }
    return entry->held;
}

std::shared_ptr<const OnExit> Worker::on_exit(const Process& process, SequenceNumber* number) {
    const TableEntry* entry = table().find(process.self->hash, view_of(process.self->address));
    if (entry == nullptr) {
        return std::make_shared<const OnExit>();
    }
    if (number != nullptr) {
        *number = entry->changed;
    }
    return entry->on_exit;
}

void Worker::deliver(std::unique_ptr<Envelope> envelope) {
    const std::uint32_t place = envelope->target->facts.worker;
    if (place == index_) {
        arrive(std::move(envelope));
    } else {
        kernel_.worker(place).post(std::move(envelope));
    }
}

Room Worker::deliver_response(std::unique_ptr<Envelope> envelope, const Party& to) {
    const TableEntry* entry = table().find(to.hash, view_of(to.address));
    if (entry == nullptr) {
        kernel_.trace_drop("response_target_gone", *envelope);
        return Room::Ample;
    }
    const Room room = entry->process->room.past_half() ? Room::PastHalf : Room::Ample;
    envelope->target = entry->process;
    deliver(std::move(envelope));
    return room;
}

void Worker::arrive(std::unique_ptr<Envelope> envelope) {
    const Ref<Process> process = std::move(envelope->target);
    CHECK(process->facts.worker == index_, "a message reached a worker that is not its target's");
    if (process->phase.load(std::memory_order_relaxed) == LifePhase::Ended) {
        kernel_.trace_drop("target_ended", *envelope);
        return;
    }
    if (process->facts.module != nullptr) {
        if (envelope->kind == Envelope::Kind::Response) {
            process->room.take_always(1, envelope->counted_bytes());
        }
        process->mailbox.push(std::move(envelope));
        ready_.wake(*process);
        return;
    }
    if (envelope->kind == Envelope::Kind::Response) {
        if (process->instance == nullptr) {
            kernel_.trace_drop("response_not_outstanding", *envelope);
            return;
        }
        process->instance->arrive_response(std::move(envelope));
        return;
    }
    process->mailbox.push(std::move(envelope));
    if (process->instance != nullptr && process->instance->waits_in_receive()) {
        ready_.wake(*process);
    }
}

TickDecision Worker::on_tick(Instance& instance) {
    if (stopping_.load(std::memory_order_relaxed) || instance.wants_slice_end()) {
        return TickDecision::Yield;
    }
    const MonotonicTime now = kernel_.clock().monotonic_now();
    count_cpu(instance.process(), now);
    const TickDecision decision = ready_.on_tick(now);
    if (decision != TickDecision::Continue) {
        return decision;
    }
    // A lone guest goes on for ever, but not past what waits for this worker itself.
    const std::optional<MonotonicTime> next = deadlines_.next();
    if (!next || *next > now) {
        if (queue_.prepare_park()) {
            queue_.end_park();
            return TickDecision::Continue;
        }
    }
    interrupted_ = true;
    return TickDecision::Yield;
}

void Worker::start(const Ref<Process>& process, SequenceNumber seen) {
    if (process->phase.load(std::memory_order_relaxed) == LifePhase::Ended ||
        process->instance != nullptr) {
        return;
    }
    SequenceNumber record;
    on_exit(*process, &record);
    seen = std::max(seen, record);  // K-265 (5)
    process->counters.starts.fetch_add(1, std::memory_order_relaxed);
    process->instance =
        std::make_unique<Instance>(*this, *process, ++process->instance_number, seen);
    const Result<void> started = process->instance->start();
    if (!started) {
        kernel_.print(
            0, process->self->printed + " could not be started: " + started.error().message(),
            seen);
        process->instance.reset();
        process->phase.store(LifePhase::Initialised, std::memory_order_relaxed);
        return;
    }
    ready_.wake(*process);
}

void Worker::start_module(const Ref<Process>& process) {
    process->counters.starts.fetch_add(1, std::memory_order_relaxed);
    if (!process->mailbox.empty()) {
        ready_.wake(*process);
    }
}

void Worker::count_cpu(Process& process, MonotonicTime now) {
    process.counters.cpu_ns.fetch_add(static_cast<std::uint64_t>((now - cpu_counted_to_).count()),
                                      std::memory_order_relaxed);
    cpu_counted_to_ = now;
}

void Worker::run_slice(Process& process, MonotonicTime now) {
    Instance& instance = *process.instance;
    if (instance.owes_room()) {
        ready_.blocked(process, now);
        return;
    }
    instance.begin_slice();
    cpu_counted_to_ = now;
    interrupted_ = false;
    const PollOutcome outcome = instance.guest().poll();
    const MonotonicTime after = kernel_.clock().monotonic_now();
    count_cpu(process, after);
    switch (outcome) {
        case PollOutcome::Blocked: ready_.blocked(process, after); break;
        case PollOutcome::Yielded:
            if (instance.owes_room()) {
                ready_.blocked(process, after);
            } else if (interrupted_) {
                ready_.interrupted(process, after);
            } else {
                ready_.yielded(process, after);
            }
            break;
        case PollOutcome::Done: finish(process, after); return;
    }
    process.counters.memory_bytes.store(instance.guest().usage().memory_bytes,
                                        std::memory_order_relaxed);
}

void Worker::run_module(Process& process, MonotonicTime now) {
    RuntimeModule& module = *process.facts.module;
    MonotonicTime after = now;
    for (int count = 0; count < kModuleMessagesPerSlice; ++count) {
        std::unique_ptr<Envelope> envelope = process.mailbox.take();
        if (envelope == nullptr) {
            break;
        }
        if (const Request* request = envelope->content->request()) {
            IncomingRequest incoming;
            incoming.source = envelope->peer;
            incoming.reply_address = envelope->reply_to;
            incoming.request = *request;
            incoming.blob = std::move(envelope->blob);
            incoming.seen = envelope->seen;
            if (envelope->reply_to) {
                incoming.reply = {envelope->id, envelope->reply_to};
            } else if (request->expects_response) {
                incoming.reply = {envelope->id, envelope->peer};
            }
            module.handle(std::move(incoming));
        } else {
            module.handle(IncomingResponse{envelope->id, envelope->peer,
                                           *envelope->content->response(),
                                           std::move(envelope->blob), envelope->seen});
        }
        after = kernel_.clock().monotonic_now();
        if (after - now >= kSlice) {
            break;
        }
    }
    process.counters.cpu_ns.fetch_add(static_cast<std::uint64_t>((after - now).count()),
                                      std::memory_order_relaxed);
    if (process.mailbox.empty()) {
        ready_.blocked(process, after);
    } else {
        ready_.yielded(process, after);
    }
}

void Worker::report_end(Process& process, const GuestExit& exit, SequenceNumber seen) {
    const bool returned = exit.reason == ExitReason::Returned;
    if (returned) {
        kernel_.print(1, "process " + process.self->printed + " returned without error", seen);
    } else {
        process.counters.crashes.fetch_add(1, std::memory_order_relaxed);
        const ErrorTail& tail = process.instance->error_tail();
        std::string cause = tail.empty() ? exit.cause : tail.text();
        kernel_.print(0,
                      "\x1b[38;5;196mprocess " + process.self->printed +
                          " ended with error:\x1b[0m\n" + cause,
                      seen);
        std::string frames;
        for (const GuestFrame& frame : exit.frames) {
            frames += "\n    " +
                      (frame.function.empty() ? "function " + std::to_string(frame.function_index)
                                              : frame.function) +
                      " + " + std::to_string(frame.offset);
        }
        if (!frames.empty()) {
            kernel_.print(
                1, "backtrace of " + process.self->printed + ", innermost first:" + frames, seen);
        }
        kernel_.log().debug(
            "process_crashed", LogField("process", to_string(process.self->address.process)),
            LogField("reason", to_string(exit.reason)), LogField("cause", exit.cause));
    }
}

void Worker::delete_instance(Process& process) {
    if (process.instance == nullptr) {
        return;
    }
    std::unique_ptr<Guest> guest = process.instance->release_guest();
    process.instance.reset();
    if (guest != nullptr && guest->usage().memory_bytes > kDeleteHereBytes) {
        // Giving back a large memory takes a tenth of a millisecond per MiB; no guest code runs
        // then (E-18).
        kernel_.blocking().submit([kept = std::shared_ptr<Guest>(std::move(guest))] {});
    }
}

void Worker::drop_instance(Process& process, MonotonicTime) {
    delete_instance(process);
    process.mailbox.clear();
    process.counters.memory_bytes.store(0, std::memory_order_relaxed);
}

struct Worker::CallAt final : TimedCall {
    CallAt(Worker& owner_in, std::function<void()> work_in)
        : owner(owner_in), work(std::move(work_in)) {}
    void due() override {
        const std::unique_ptr<CallAt> self = std::move(*place);
        owner.calls_.erase(place);
        work();
    }
    Worker& owner;
    std::function<void()> work;
    std::list<std::unique_ptr<CallAt>>::iterator place;
};

void Worker::run_at(MonotonicTime at, std::function<void()> work) {
    calls_.push_front(std::make_unique<CallAt>(*this, std::move(work)));
    calls_.front()->place = calls_.begin();
    deadlines_.arm(*calls_.front(), at);
}

void Worker::start_again_later(const Ref<Process>& process, SequenceNumber seen) {
    run_at(kernel_.clock().monotonic_now() + kStartRetry, [this, process, seen] {
        if (process->phase.load(std::memory_order_relaxed) == LifePhase::Running &&
            process->instance == nullptr) {
            start(process, seen);
        }
    });
}

void Worker::finish(Process& process, MonotonicTime now) {
    const Ref<Process> keep(&process);
    const GuestExit exit = process.instance->guest().exit();
    SequenceNumber seen = process.instance->seen();
    if (exit.reason == ExitReason::StartFailed) {
        // The engine is full: the process waits for a place and goes on when others have ended
        // (E-15).
        if (!std::exchange(process.waits_for_place, true)) {
            kernel_.print(1, process.self->printed + " waits for a place: " + exit.cause, seen);
        }
        process.counters.starts.fetch_sub(1, std::memory_order_relaxed);
        process.instance.reset();
        ready_.remove(process, now);
        start_again_later(keep, seen);
        return;
    }
    process.waits_for_place = false;
    report_end(process, exit, seen);
    SequenceNumber record;
    const std::shared_ptr<const OnExit> behaviour = on_exit(process, &record);
    seen = std::max(seen, record);
    kernel_.print(
        1,
        "process " + process.self->printed + ": on_exit " + std::string(to_string(behaviour->kind)),
        seen);
    drop_instance(process, now);
    Result<void> started;
    switch (behaviour->kind) {
        case OnExit::Kind::Restart:
            process.counters.starts.fetch_add(1, std::memory_order_relaxed);
            process.instance =
                std::make_unique<Instance>(*this, process, ++process.instance_number, seen);
            started = process.instance->start();
            // As batch: a process that crashes in a loop gets the share of one that computes
            // (K-149, K-260). What its end cost is part of that, and mostly more than its run.
            ready_.yielded(process, kernel_.clock().monotonic_now());
            if (!started) {
                kernel_.print(
                    0,
                    process.self->printed + " could not be restarted: " + started.error().message(),
                    seen);
                process.instance.reset();
                ready_.remove(process, now);
                start_again_later(keep, seen);
            }
            break;
        case OnExit::Kind::Requests:
            fire_exit_requests(process, *behaviour, seen);
            leave(process, Revoke::Issued, seen);
            break;
        case OnExit::Kind::None: leave(process, Revoke::Issued, seen); break;
    }
}

void Worker::fire_exit_requests(Process& process, const OnExit& behaviour, SequenceNumber seen) {
    for (const ExitRequest& request : behaviour.requests) {
        if (request.target == process.self->address) {
            continue;  // K-157
        }
        const Route route =
            decide_route(table(), process, view_of(request.target), kernel_.own_node());
        if (route.verdict != Verdict::Allowed) {
            kernel_.print(2,
                          "exit request of " + process.self->printed + " to " +
                              route.party->printed + " dropped",
                          std::max(seen, route.number));
            continue;
        }
        auto envelope = std::make_unique<Envelope>();
        envelope->id = random_->next_u64();
        envelope->peer = process.self;
        Request stored = request.request;
        stored.inherit = false;
        stored.expects_response.reset();
        stored.capabilities.clear();
        envelope->content = make_ref<const Content>(Message(std::move(stored)));
        envelope->blob = request.blob;
        envelope->seen = std::max(seen, route.number);
        envelope->target = route.process;
        MailboxRoom& room = route.process->room;
        if (room.reserve(envelope->counted_bytes()) == Room::Refused) {
            // Its sender cannot try again: taken above the bound, up to a limit of its own (K-264).
            if (room.messages() >= kernel_.limits().mailbox.messages_max +
                                       kernel_.limits().exit_requests_waiting_max) {
                kernel_.note_refused(*route.process);
                continue;
            }
            room.take_always(1, envelope->counted_bytes());
        }
        deliver(std::move(envelope));
    }
}

SequenceNumber Worker::leave(Process& process, Revoke revoke, SequenceNumber seen) {
    const MonotonicTime now = kernel_.clock().monotonic_now();
    process.phase.store(LifePhase::Ended, std::memory_order_relaxed);
    ready_.remove(process, now);
    drop_instance(process, now);
    return kernel_.remove(process, revoke, seen);
}

void Worker::kill(const Ref<Process>& process, Revoke revoke,
                  const std::function<void(std::optional<SequenceNumber>)>& done) {
    if (process->phase.load(std::memory_order_relaxed) == LifePhase::Ended ||
        process->facts.module != nullptr) {
        done(std::nullopt);
        return;
    }
    const SequenceNumber seen = end_guest(*process);
    done(leave(*process, revoke, seen));
}

SequenceNumber Worker::end_guest(Process& process) {
    SequenceNumber seen;
    const std::shared_ptr<const OnExit> behaviour = on_exit(process, &seen);
    if (process.instance != nullptr) {
        seen = std::max(seen, process.instance->seen());
    }
    ready_.remove(process, kernel_.clock().monotonic_now());
    delete_instance(process);
    if (behaviour->kind == OnExit::Kind::Requests) {
        fire_exit_requests(process, *behaviour, seen);
    }
    return seen;
}

Worker::Halted Worker::halt(const Ref<Process>& process) {
    const LifePhase phase = process->phase.load(std::memory_order_relaxed);
    if (phase == LifePhase::Ended) {
        return {};
    }
    const SequenceNumber seen = end_guest(*process);
    drop_instance(*process, {});
    process->waits_for_place = false;
    process->phase.store(LifePhase::Initialised, std::memory_order_relaxed);
    return {phase == LifePhase::Running, seen};
}

void Worker::restart(const Ref<Process>& process,
                     const std::function<void(std::optional<SequenceNumber>)>& done) {
    if (process->phase.load(std::memory_order_relaxed) != LifePhase::Running ||
        process->facts.module != nullptr) {
        done(std::nullopt);
        return;
    }
    const MonotonicTime now = kernel_.clock().monotonic_now();
    const SequenceNumber seen =
        process->instance != nullptr ? process->instance->seen() : SequenceNumber{};
    ready_.remove(*process, now);
    drop_instance(*process, now);
    process->waits_for_place = false;
    start(process, seen);
    done(process->instance != nullptr ? process->instance->seen() : seen);
}

void Worker::shut_down(Process& process) {
    ready_.remove(process, kernel_.clock().monotonic_now());
    process.phase.store(LifePhase::Ended, std::memory_order_relaxed);
    drop_instance(process, {});
}

void Worker::fire_at_boot(Process& process, const OnExit& behaviour) {
    fire_exit_requests(process, behaviour, {});
    leave(process, Revoke::Issued, {});
}

void Worker::discard_deadlines() {
    for (const auto& call : calls_) {
        deadlines_.disarm(*call);
    }
    calls_.clear();
}

}  // namespace perdure::kernel
