#include "kernel/kernel.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/short_turns.h"

namespace perdure::kernel {
namespace {

/// The first refusal of a target is logged at once, later ones at most this often with their count
/// (K-83).
constexpr Nanoseconds kRefusalLogInterval = std::chrono::minutes(1);

}  // namespace

Kernel::Kernel(KernelOptions options, KernelParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      table_(options_.own_node),
      population_(std::max(options_.workers, 1u)) {
    *random_.lock() = parts_.make_random();
    for (std::uint32_t index = 0; index < std::max(options_.workers, 1u); ++index) {
        workers_.push_back(std::make_unique<Worker>(*this, index, parts_.make_random()));
    }
}

Kernel::~Kernel() {
    CHECK(!running_, "the kernel was destroyed without stop()");
    stop_processes();
}

std::uint32_t Kernel::place() const {
    // On the worker with the fewest processes, lowest index first (K-259).
    std::uint32_t best = 0;
    for (std::uint32_t index = 1; index < population_.size(); ++index) {
        if (population_[index].load(std::memory_order_relaxed) <
            population_[best].load(std::memory_order_relaxed)) {
            best = index;
        }
    }
    return best;
}

Ref<Process> Kernel::make_process(ProcessFacts facts) {
    facts.appender = next_appender_.fetch_add(1, std::memory_order_relaxed);
    population_[facts.worker].fetch_add(1, std::memory_order_relaxed);
    return make_ref<Process>(std::move(facts), options_.limits.mailbox);
}

void Kernel::add_module(RuntimeModule& module) {
    ProcessFacts facts;
    facts.self = make_ref<const Party>(Address{options_.own_node, module.id()});
    facts.worker = 0;
    facts.is_public = module.is_public();
    facts.module = &module;
    Ref<Process> process = make_process(std::move(facts));
    process->phase.store(LifePhase::Running, std::memory_order_relaxed);
    modules_.push_back(process);

    auto writer = table_.write();
    writer.put({process, HeldSet::empty(), std::make_shared<const OnExit>(OnExit::restart()), {}});
    // Every module may message every other one, and other nodes (K-100).
    std::vector<CapabilityRecord> all;
    for (const Ref<Process>& other : modules_) {
        all.push_back({messaging_of(other->self->address), GrantCause::Birth, {}, {}, {}});
    }
    all.push_back({network_of(options_.own_node), GrantCause::Birth, {}, {}, {}});
    for (const Ref<Process>& other : modules_) {
        TableEntry entry = *writer.find(other->self->address.process);
        std::vector<CapabilityRecord> added;
        entry.held = entry.held->with(all, added);
        writer.put(std::move(entry));
    }
    writer.publish({});
}

void Kernel::tick() {
    ticks_.fetch_add(1, std::memory_order_relaxed);
    parts_.engine.tick();
}

void Kernel::start(Threads threads) {
    for (const Ref<Process>& module : modules_) {
        workers_[module->facts.worker]->start_module(module);
    }
    if (threads == Threads::Real) {
        running_ = true;
        for (auto& worker : workers_) {
            threads_.emplace_back([&worker = *worker] {
                pthread_setname_np(pthread_self(), "worker");
                ask_for_short_turns();
                worker.run();
            });
        }
    }
    for (Ref<Process>& process : std::exchange(booted_, {})) {
        LifePhase expected = LifePhase::Initialised;
        if (process->phase.compare_exchange_strong(expected, LifePhase::Running)) {
            workers_[process->facts.worker]->post(
                [process](Worker& worker) { worker.start(process, {}); });
        }
    }
}

void Kernel::stop() {
    for (auto& worker : workers_) {
        worker->stop();
    }
    for (std::thread& thread : threads_) {
        thread.join();
    }
    threads_.clear();
    running_ = false;
    stop_processes();
}

void Kernel::stop_processes() {
    table_.snapshot()->for_each([&](const TableEntry& entry) {
        workers_[entry.process->facts.worker]->shut_down(*entry.process);
    });
    for (auto& worker : workers_) {
        worker->discard_deadlines();
    }
    modules_.clear();
}

void Kernel::load_code(SharedBytes wasm, ContentHash hash, CodeDone done) {
    if (auto known = parts_.engine.find(hash)) {
        done(std::move(known));
        return;
    }
    parts_.blocking.submit([this, wasm = std::move(wasm), hash, done = std::move(done)] {
        done(parts_.engine.load(wasm.view(), hash));
    });
}

Ref<Process> Kernel::find(const ProcessId& id) const {
    const auto snapshot = table_.snapshot();
    const TableEntry* entry = snapshot->find(id, options_.own_node);
    return entry != nullptr ? entry->process : Ref<Process>();
}

Result<void> Kernel::run(const ProcessId& id, SequenceNumber seen) {
    const Ref<Process> process = find(id);
    if (!process) {
        return Error(ErrorCode::NotFound, "there is no process " + to_string(id));
    }
    if (process->facts.module != nullptr) {
        return Error(ErrorCode::InvalidInput,
                     to_string(id) + " is a runtime module; it always runs");
    }
    LifePhase expected = LifePhase::Initialised;
    if (!process->phase.compare_exchange_strong(expected, LifePhase::Running)) {
        return Error(ErrorCode::AlreadyExists, to_string(id) + " is running already");
    }
    workers_[process->facts.worker]->post(
        [process, seen](Worker& worker) { worker.start(process, seen); });
    return {};
}

void Kernel::kill(const ProcessId& id, Worker::Revoke revoke, KillDone done) {
    const Ref<Process> process = find(id);
    if (!process || process->facts.module != nullptr) {
        done(process ? std::nullopt : remove_dormant(id, revoke));
        return;
    }
    workers_[process->facts.worker]->post(
        [process, revoke, done = std::move(done)](Worker& worker) {
            worker.kill(process, revoke, done);
        });
}

void Kernel::halt(const ProcessId& id, HaltDone done) {
    const Ref<Process> process = find(id);
    if (!process || process->facts.module != nullptr) {
        done({});
        return;
    }
    workers_[process->facts.worker]->post(
        [process, done = std::move(done)](Worker& worker) { done(worker.halt(process)); });
}

void Kernel::restart(const ProcessId& id, KillDone done) {
    const Ref<Process> process = find(id);
    if (!process || process->facts.module != nullptr) {
        done(std::nullopt);
        return;
    }
    workers_[process->facts.worker]->post(
        [process, done = std::move(done)](Worker& worker) { worker.restart(process, done); });
}

Seen<std::vector<ProcessStatus>> Kernel::processes() const {
    std::vector<ProcessStatus> list;
    const auto snapshot = table_.snapshot();
    SequenceNumber number = snapshot->changed();
    snapshot->for_each([&](const TableEntry& entry) {
        number = std::max(number, entry.changed);
        const Process& process = *entry.process;
        const ProcessCounters& counters = process.counters;
        ProcessStatus status;
        status.id = process.self->address.process;
        status.phase = process.phase.load(std::memory_order_relaxed);
        status.waiting = process.waiting.load(std::memory_order_relaxed);
        status.is_module = process.facts.module != nullptr;
        status.on_exit = entry.on_exit->kind;
        status.worker = process.facts.worker;
        status.starts = counters.starts.load(std::memory_order_relaxed);
        status.crashes = counters.crashes.load(std::memory_order_relaxed);
        status.cpu_ns = counters.cpu_ns.load(std::memory_order_relaxed);
        status.memory_bytes = counters.memory_bytes.load(std::memory_order_relaxed);
        status.state_bytes = counters.state_bytes.load(std::memory_order_relaxed);
        status.seen = counters.seen.load(std::memory_order_relaxed);
        status.mailbox_messages = process.room.messages();
        status.mailbox_bytes = process.room.bytes();
        status.outstanding = counters.outstanding.load(std::memory_order_relaxed);
        status.refused = counters.refused.load(std::memory_order_relaxed);
        list.push_back(std::move(status));
    });
    std::sort(list.begin(), list.end(),
              [](const auto& left, const auto& right) { return left.id < right.id; });
    return {std::move(list), number};
}

namespace {

ProcessEntry shown(const TableEntry& entry) {
    ProcessEntry shown;
    shown.wasm_bytes_handle = entry.process->facts.code_handle;
    shown.wit_version = entry.process->facts.wit_version;
    shown.on_exit = *entry.on_exit;
    shown.is_public = entry.process->facts.is_public;
    for (const auto& held : entry.held->all()) {
        shown.capabilities.push_back(held->record.capability);
    }
    return shown;
}

}  // namespace

Seen<std::vector<std::pair<ProcessId, ProcessEntry>>> Kernel::debug_map() const {
    const auto snapshot = table_.snapshot();
    SequenceNumber number = snapshot->changed();
    std::vector<std::pair<ProcessId, ProcessEntry>> map;
    snapshot->for_each([&](const TableEntry& entry) {
        number = std::max(number, entry.changed);
        map.emplace_back(entry.process->self->address.process, shown(entry));
    });
    std::sort(map.begin(), map.end(),
              [](const auto& left, const auto& right) { return left.first < right.first; });
    return {std::move(map), number};
}

Seen<std::optional<ProcessEntry>> Kernel::debug_process(const ProcessId& id) const {
    const auto snapshot = table_.snapshot();
    const TableEntry* entry = snapshot->find(id, options_.own_node);
    if (entry == nullptr) {
        return {std::nullopt, snapshot->changed()};
    }
    return {shown(*entry), entry->changed};
}

Seen<std::optional<bool>> Kernel::debug_has_cap(const ProcessId& id,
                                                const Capability& capability) const {
    const auto snapshot = table_.snapshot();
    const TableEntry* entry = snapshot->find(id, options_.own_node);
    if (entry == nullptr) {
        return {std::nullopt, snapshot->changed()};
    }
    const Capability resolved{resolve_our(capability.issuer, options_.own_node), capability.params};
    return {entry->held->holds(resolved), entry->changed};
}

void Kernel::print(std::uint8_t level, std::string text, SequenceNumber seen) {
    parts_.terminal.print({level, kernel_id_, std::move(text)}, seen);
}

void Kernel::note_denial(const Party& sender, const Party& target, const Capability& missing,
                         SequenceNumber seen) {
    counters_.denied.fetch_add(1, std::memory_order_relaxed);
    {
        auto logged = denials_logged_.lock();
        if (logged->size() >= options_.limits.denials_logged_max ||
            !logged->insert(sender.printed + " " + target.printed + " " + to_string(missing))
                 .second) {
            return;
        }
    }
    print(
        0,
        sender.printed + " may not message " + target.printed + ": it lacks " + to_string(missing),
        seen);
}

void Kernel::note_refused(Process& target) {
    counters_.refused.fetch_add(1, std::memory_order_relaxed);
    target.counters.refused.fetch_add(1, std::memory_order_relaxed);
    const MonotonicTime now = parts_.clock.monotonic_now();
    std::uint64_t count = 0;
    {
        auto refusals = refusals_.lock();
        if (refusals->last.size() >= options_.limits.refusal_targets_max &&
            !refusals->last.contains(target.self->printed)) {
            refusals->last.clear();
        }
        auto [place, is_new] = refusals->last.try_emplace(target.self->printed, now, 0);
        ++place->second.second;
        if (!is_new && now - place->second.first < kRefusalLogInterval) {
            return;
        }
        count = std::exchange(place->second.second, 0);
        place->second.first = now;
    }
    parts_.log.warn(
        "mailbox_refused_messages", LogField("process", to_string(target.self->address.process)),
        LogField("refused", count), LogField("waiting_messages", target.room.messages()),
        LogField("waiting_bytes", target.room.bytes()));
}

void Kernel::trace_drop(std::string_view reason, const Envelope& envelope) {
    if (parts_.log.wants(LogLevel::Debug)) {
        parts_.log.debug("message_dropped", LogField("reason", reason),
                         LogField("peer", envelope.peer->printed), LogField("id", envelope.id));
    }
}

Ref<Process> Kernel::module_process(const RuntimeModule& module) const {
    for (const Ref<Process>& process : modules_) {
        if (process->facts.module == &module) {
            return process;
        }
    }
    return {};
}

void Kernel::respond(const RuntimeModule& module, const ReplyHandle& reply, Response response,
                     std::optional<Blob> blob, SequenceNumber seen) {
    if (!reply) {
        return;
    }
    const Ref<Process> sender = module_process(module);
    const Ref<Process> target = find(reply.to->address.process);
    if (!sender || !target || reply.to->address.node != options_.own_node) {
        return;
    }
    auto envelope = std::make_unique<Envelope>();
    envelope->kind = Envelope::Kind::Response;
    envelope->id = reply.id;
    envelope->peer = sender->self;
    envelope->content = make_ref<const Content>(Message(std::move(response)));
    envelope->blob = std::move(blob);
    envelope->seen = seen;
    envelope->target = target;
    workers_[target->facts.worker]->post(std::move(envelope));
}

Result<std::uint64_t> Kernel::send(const RuntimeModule& module, const Address& target,
                                   Request request, std::optional<Blob> blob, SequenceNumber seen) {
    const Ref<Process> sender = module_process(module);
    CHECK(sender, "a module that is not in the table sent a Request", module.id());
    const Route route =
        decide_route(*table_.snapshot(), *sender, view_of(target), options_.own_node);
    switch (route.verdict) {
        case Verdict::Allowed: break;
        case Verdict::Absent:
            return Error(ErrorCode::NotFound, "there is no process " + to_string(target.process));
        case Verdict::Unreachable:
            return Error(ErrorCode::Unreachable,
                         "node " + target.node + " cannot be reached: this version has no network");
        case Verdict::Denied:
        case Verdict::NoNetwork: {
            const Capability missing = *missing_capability(route, options_.own_node);
            return Error(ErrorCode::NotPermitted,
                         to_string(module.id()) + " lacks " + to_string(missing));
        }
    }
    auto envelope = std::make_unique<Envelope>();
    envelope->id = random_.lock()->get()->next_u64();
    envelope->peer = sender->self;
    envelope->content = make_ref<const Content>(Message(std::move(request)));
    envelope->blob = std::move(blob);
    envelope->seen = std::max(seen, route.number);
    envelope->target = route.process;
    const std::uint64_t id = envelope->id;
    if (route.process->room.reserve(envelope->counted_bytes()) == Room::Refused) {
        note_refused(*route.process);
        return Error(ErrorCode::Overloaded,
                     "the mailbox of " + to_string(target.process) + " is full: " +
                         std::to_string(route.process->room.messages()) + " messages, " +
                         std::to_string(route.process->room.bytes()) + " bytes wait");
    }
    workers_[route.process->facts.worker]->post(std::move(envelope));
    return id;
}

void Kernel::refuse(const ReplyHandle& reply, SequenceNumber seen) {
    const Ref<Process> target = reply ? find(reply.to->address.process) : Ref<Process>();
    if (!target) {
        return;
    }
    workers_[target->facts.worker]->post([target, id = reply.id, seen](Worker&) {
        if (target->facts.module != nullptr) {
            target->facts.module->handle(RefusedRequest{id, seen});
        } else if (target->instance != nullptr) {
            target->instance->refuse(id, seen);
        }
    });
}

void Kernel::run_on_worker(std::function<void()> work) {
    workers_[0]->post([work = std::move(work)](Worker&) { work(); });
}

void Kernel::run_at(MonotonicTime at, std::function<void()> work) {
    workers_[0]->post([at, work = std::move(work)](Worker& worker) { worker.run_at(at, work); });
}

void Kernel::print(const RuntimeModule& module, std::uint8_t level, std::string text,
                   SequenceNumber seen) {
    parts_.terminal.print({level, module.id(), std::move(text)}, seen);
}

}  // namespace perdure::kernel
