/// Who exists and what they hold: every change of the process table with its entry in the log
/// (K-121, K-122, K-127, K-144, K-158), and what boot makes of the stored table (K-165).

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "kernel/kernel.h"

namespace perdure::kernel {

ProcessRecord Kernel::record_of(const Process& process, const OnExit& on_exit) const {
    ProcessRecord record;
    record.code_handle = process.facts.code_handle;
    record.wit_version = process.facts.wit_version;
    record.on_exit = on_exit;
    record.is_public = process.facts.is_public;
    record.package = process.facts.package;
    return record;
}

namespace {

void put_capabilities(Entry& entry, const ProcessId& holder,
                      const std::vector<CapabilityRecord>& records) {
    for (const CapabilityRecord& record : records) {
        entry.changes.push_back({Family::Capabilities, capability_key(holder, record.capability),
                                 encode_capability_record(record)});
    }
}

void erase_capabilities(Entry& entry, const ProcessId& holder,
                        const std::vector<CapabilityRecord>& records) {
    for (const CapabilityRecord& record : records) {
        entry.changes.push_back(
            {Family::Capabilities, capability_key(holder, record.capability), std::nullopt});
    }
}

bool is_durable(const TableEntry& entry) {
    return entry.on_exit->kind != OnExit::Kind::None && entry.process->facts.module == nullptr;
}

std::vector<CapabilityRecord> records_of(const HeldSet& held) {
    std::vector<CapabilityRecord> records;
    for (const auto& capability : held.all()) {
        records.push_back(capability->record);
    }
    return records;
}

}  // namespace

Result<SequenceNumber> Kernel::initialise(NewProcess process) {
    Replacement one;
    one.processes.push_back(std::move(process));
    return replace(std::move(one));
}

Result<SequenceNumber> Kernel::replace(Replacement replacement) {
    for (NewProcess& process : replacement.processes) {
        if (!is_safe(process.id)) {
            return Error(ErrorCode::InvalidInput,
                         "the process id " + to_string(process.id) +
                             " is not safe: names are made of a-z, 0-9 and -");
        }
        if (is_reserved(process.id)) {
            return Error(ErrorCode::InvalidInput,
                         "the id " + to_string(process.id) + " belongs to the node itself");
        }
        for (ExitRequest& request : process.on_exit.requests) {
            request.target = resolve_our(std::move(request.target), options_.own_node);
            request.request.expects_response.reset();  // K-159
        }
    }
    std::vector<HeldPrint> prints;
    std::vector<Ref<Process>> gone;
    SequenceNumber number;
    {
        auto writer = table_.write();
        std::unordered_set<ProcessId> ids;
        for (const NewProcess& process : replacement.processes) {
            const bool leaves = std::find(replacement.ended.begin(), replacement.ended.end(),
                                          process.id) != replacement.ended.end();
            if ((!leaves && writer.find(process.id) != nullptr) || !ids.insert(process.id).second) {
                return Error(ErrorCode::AlreadyExists,
                             "the process id " + to_string(process.id) + " is taken");
            }
        }
        Entry& change = replacement.change;
        std::vector<ProcessId> losers;
        for (const ProcessId& id : replacement.ended) {
            take_out(writer, id, change, losers, gone);
        }
        std::vector<TableEntry> entries;
        for (NewProcess& process : replacement.processes) {
            enter(writer, std::move(process), change, entries, prints);
        }
        for (auto& [holder, record] : replacement.grants) {
            give(writer, holder, std::move(record), change, entries);
        }
        number = std::max(append_always(std::move(change)), replacement.ended_seen);
        for (const TableEntry& entry : entries) {
            // Without an entry of its own a process depends on the one that made its id free.
            if (const auto freed = freed_.find(entry.process->self->address.process);
                freed != freed_.end()) {
                number = std::max(number, freed->second);
            }
        }
        for (const ProcessId& id : losers) {
            if (const TableEntry* found = writer.find(id)) {
                TableEntry loser = *found;
                loser.changed = std::max(loser.changed, number);
                writer.put(std::move(loser));
            }
        }
        for (TableEntry& entry : entries) {
            entry.changed = std::max(entry.changed, number);
            writer.put(std::move(entry));
        }
        writer.publish(number);
        for (const ProcessId& id : replacement.ended) {
            note_freed(id, number);
        }
    }
    for (HeldPrint& print : prints) {
        this->print(0, std::move(print.text), print.seen);
    }
    for (const Ref<Process>& process : gone) {
        population_[process->facts.worker].fetch_sub(1, std::memory_order_relaxed);
        workers_[process->facts.worker]->post(
            [process](Worker& worker) { worker.shut_down(*process); });
    }
    return number;
}

void Kernel::take_out(ProcessTable::Writer& writer, const ProcessId& id, Entry& change,
                      std::vector<ProcessId>& losers, std::vector<Ref<Process>>& gone) {
    const auto dormant = dormant_.extract(id);
    const TableEntry* found = writer.find(id);
    if (dormant) {
        change.changes.push_back({Family::Processes, process_key(id), std::nullopt});
        erase_capabilities(change, id, dormant.mapped());
    } else if (found != nullptr && found->process->facts.module == nullptr) {
        if (is_durable(*found)) {
            change.changes.push_back({Family::Processes, process_key(id), std::nullopt});
            erase_capabilities(change, id, records_of(*found->held));
        }
        gone.push_back(found->process);
        writer.erase(id);
    } else {
        return;
    }
    for (TableEntry& loser : revoke_issued(writer, {options_.own_node, id}, change)) {
        losers.push_back(loser.process->self->address.process);
        writer.put(std::move(loser));
    }
}

void Kernel::give(const ProcessTable::Writer& writer, const ProcessId& holder,
                  CapabilityRecord record, Entry& change, std::vector<TableEntry>& entries) {
    record.capability.issuer = resolve_our(std::move(record.capability.issuer), options_.own_node);
    if (!is_safe(record.capability.issuer) || is_mark(record.capability, options_.own_node)) {
        return;
    }
    const auto changed = std::find_if(
        entries.rbegin(), entries.rend(),
        [&](const TableEntry& entry) { return entry.process->self->address.process == holder; });
    const TableEntry* found = changed != entries.rend() ? &*changed : writer.find(holder);
    if (found == nullptr) {
        return;
    }
    TableEntry entry = *found;
    std::vector<CapabilityRecord> added;
    const std::vector<CapabilityRecord> wanted{std::move(record)};
    entry.held = entry.held->with(wanted, added);
    if (is_durable(entry)) {
        put_capabilities(change, holder, added);
    }
    entries.push_back(std::move(entry));
}

void Kernel::enter(ProcessTable::Writer& writer, NewProcess process, Entry& change,
                   std::vector<TableEntry>& entries, std::vector<HeldPrint>& prints) {
    ProcessFacts facts;
    facts.self = make_ref<const Party>(Address{options_.own_node, process.id});
    facts.worker = place();
    facts.is_public = process.is_public;
    facts.code_handle = process.code_handle;
    facts.wit_version = process.wit_version;
    facts.code = process.code;
    facts.package = process.package;

    const TableEntry* initialiser =
        process.initialiser ? writer.find(*process.initialiser) : nullptr;
    for (const TableEntry& entry : entries) {
        if (process.initialiser && entry.process->self->address.process == *process.initialiser) {
            initialiser = &entry;  // As changed by one that is entered together with this one.
        }
    }
    std::vector<CapabilityRecord> wanted;
    wanted.push_back({messaging_of(facts.self->address), GrantCause::Birth, {}, {}, {}});
    const auto dormant = dormant_.extract(process.id);
    if (dormant) {
        wanted.insert(wanted.end(), dormant.mapped().begin(), dormant.mapped().end());
    }
    for (CapabilityRecord& record : process.capabilities) {
        Capability& capability = record.capability;
        capability.issuer = resolve_our(std::move(capability.issuer), options_.own_node);
        if (!is_safe(capability.issuer) || is_mark(capability, options_.own_node)) {
            continue;
        }
        const bool may_give =
            !process.initialiser ||
            (initialiser != nullptr && (capability.issuer == initialiser->process->self->address ||
                                        initialiser->held->holds(capability)));
        if (may_give) {
            wanted.push_back(std::move(record));
        } else {
            prints.push_back({to_string(process.id) + " does not get " + to_string(capability) +
                                  ": " + to_string(*process.initialiser) +
                                  " neither issues it nor holds it",
                              initialiser != nullptr ? std::max(process.seen, initialiser->changed)
                                                     : process.seen});  // K-115
        }
    }
    std::vector<CapabilityRecord> given;
    TableEntry entry{make_process(std::move(facts)),
                     HeldSet::empty()->with(wanted, given),
                     std::make_shared<const OnExit>(std::move(process.on_exit)),
                     {}};
    if (is_durable(entry)) {
        change.changes.push_back(
            {Family::Processes, process_key(process.id),
             encode_process_record(record_of(*entry.process, *entry.on_exit))});
        put_capabilities(change, process.id, given);
    } else if (dormant) {
        change.changes.push_back({Family::Processes, process_key(process.id), std::nullopt});
        erase_capabilities(change, process.id, dormant.mapped());
    }
    if (initialiser != nullptr) {
        TableEntry parent = *initialiser;
        std::vector<CapabilityRecord> added;
        const std::vector<CapabilityRecord> messaging{
            {messaging_of(entry.process->self->address), GrantCause::Initialiser, {}, {}, {}}};
        parent.held = parent.held->with(messaging, added);
        if (is_durable(parent)) {
            put_capabilities(change, *process.initialiser, added);
        }
        entries.push_back(std::move(parent));
    }
    entries.push_back(std::move(entry));
}

SequenceNumber Kernel::append_always(Entry entry) {
    if (entry.changes.empty()) {
        return {};  // Nothing of it outlives the node, so nobody depends on a place in the log.
    }
    // The kernel's entries are always taken, until a sync has failed: what depends on this one
    // never leaves (K-247).
    return parts_.journal.append(kKernelAppender, entry).value_or(kNeverDurable);
}

std::vector<TableEntry> Kernel::revoke_issued(const ProcessTable::Writer& writer,
                                              const Address& issuer, Entry& change) {
    std::vector<TableEntry> losers;
    if (options_.faults.revocation_skipped) {
        return losers;
    }
    for (const ProcessId& holder : writer.holders_of(issuer)) {
        const TableEntry* other = holder == issuer.process ? nullptr : writer.find(holder);
        if (other == nullptr) {
            continue;
        }
        std::vector<Capability> issued;
        for (const auto& held : other->held->all()) {
            if (held->record.capability.issuer == issuer) {
                issued.push_back(held->record.capability);
            }
        }
        std::vector<CapabilityRecord> lost;
        TableEntry loser = *other;
        loser.held = loser.held->without(issued, lost);
        if (is_durable(loser)) {
            erase_capabilities(change, holder, lost);
        }
        losers.push_back(std::move(loser));
    }
    for (auto& [holder, records] : dormant_) {
        std::vector<CapabilityRecord> lost;
        std::erase_if(records, [&](const CapabilityRecord& record) {
            const bool is_lost = record.capability.issuer == issuer;
            if (is_lost) {
                lost.push_back(record);
            }
            return is_lost;
        });
        erase_capabilities(change, holder, lost);
    }
    return losers;
}

SequenceNumber Kernel::remove(Process& process, Worker::Revoke revoke, SequenceNumber seen) {
    const ProcessId& id = process.self->address.process;
    auto writer = table_.write();
    const TableEntry* found = writer.find(id);
    if (found == nullptr || found->process.get() != &process) {
        return seen;  // `replace` has taken it out.
    }
    const TableEntry entry = *found;
    Entry change{EntryKind::Exit, {}};
    if (is_durable(entry)) {
        change.changes.push_back({Family::Processes, process_key(id), std::nullopt});
        erase_capabilities(change, id, records_of(*entry.held));
    }
    std::vector<TableEntry> losers;
    if (revoke == Worker::Revoke::Issued) {
        losers = revoke_issued(writer, process.self->address, change);
    }
    const SequenceNumber number = std::max(append_always(std::move(change)), seen);
    for (TableEntry& loser : losers) {
        loser.changed = std::max(loser.changed, number);
        writer.put(std::move(loser));
    }
    writer.erase(id);
    writer.publish(number);
    note_freed(id, number);
    population_[process.facts.worker].fetch_sub(1, std::memory_order_relaxed);
    return number;
}

std::optional<SequenceNumber> Kernel::remove_dormant(const ProcessId& id, Worker::Revoke revoke) {
    auto writer = table_.write();
    const auto dormant = dormant_.extract(id);
    if (!dormant) {
        return std::nullopt;
    }
    Entry change{EntryKind::Exit, {}};
    change.changes.push_back({Family::Processes, process_key(id), std::nullopt});
    erase_capabilities(change, id, dormant.mapped());
    std::vector<TableEntry> losers;
    if (revoke == Worker::Revoke::Issued) {
        losers = revoke_issued(writer, {options_.own_node, id}, change);
    }
    const SequenceNumber number = append_always(std::move(change));
    for (TableEntry& loser : losers) {
        loser.changed = number;
        writer.put(std::move(loser));
    }
    writer.publish(number);
    note_freed(id, number);
    return number;
}

void Kernel::note_freed(const ProcessId& id, SequenceNumber number) {
    freed_[id] = number;
    if (freed_.size() >= freed_looked_through_at_) {
        const SequenceNumber durable = parts_.journal.durable();
        std::erase_if(freed_, [&](const auto& freed) { return freed.second <= durable; });
        freed_looked_through_at_ = std::max(kFreedKept, 2 * freed_.size());
    }
}

Kernel::OwnChange Kernel::change_own_capabilities(Process& process, CapabilityChange kind,
                                                  const std::vector<Capability>& capabilities) {
    auto writer = table_.write();
    const TableEntry* found = writer.find(process.self->address.process);
    if (found == nullptr || found->process.get() != &process) {
        return {};
    }
    TableEntry entry = *found;
    std::vector<CapabilityRecord> changed;
    Entry change{
        kind == CapabilityChange::Save ? EntryKind::SaveCapabilities : EntryKind::DropCapabilities,
        {}};
    if (kind == CapabilityChange::Save) {
        std::vector<CapabilityRecord> added;
        for (const Capability& capability : capabilities) {
            added.push_back({capability, GrantCause::Saved, {}, {}, {}});
        }
        entry.held = entry.held->with(added, changed);
    } else {
        entry.held = entry.held->without(capabilities, changed);
    }
    if (changed.empty()) {
        return {entry.changed};
    }
    if (is_durable(entry)) {
        if (kind == CapabilityChange::Save) {
            put_capabilities(change, process.self->address.process, changed);
        } else {
            erase_capabilities(change, process.self->address.process, changed);
        }
    }
    std::optional<SequenceNumber> number = entry.changed;
    if (!change.changes.empty()) {
        number = parts_.journal.append(process.facts.appender, change);
    }
    if (!number) {
        return {{}, change.size()};
    }
    entry.changed = *number;
    writer.put(std::move(entry));
    writer.publish(*number);
    return {*number};
}

Kernel::OwnChange Kernel::change_on_exit(Process& process, OnExit on_exit) {
    auto writer = table_.write();
    const TableEntry* found = writer.find(process.self->address.process);
    if (found == nullptr || found->process.get() != &process) {
        return {};
    }
    return put_on_exit(writer, *found, std::move(on_exit));
}

std::optional<SequenceNumber> Kernel::set_on_exit(const ProcessId& target, OnExit on_exit) {
    for (ExitRequest& request : on_exit.requests) {
        request.target = resolve_our(std::move(request.target), options_.own_node);
        request.request.expects_response.reset();
    }
    auto writer = table_.write();
    const TableEntry* found = writer.find(target);
    if (found == nullptr || found->process->facts.module != nullptr) {
        return std::nullopt;
    }
    return put_on_exit(writer, *found, std::move(on_exit)).number;
}

Kernel::OwnChange Kernel::put_on_exit(ProcessTable::Writer& writer, TableEntry entry,
                                      OnExit on_exit) {
    const ProcessId& id = entry.process->self->address.process;
    const bool was_durable = is_durable(entry);
    entry.on_exit = std::make_shared<const OnExit>(std::move(on_exit));
    Entry change{EntryKind::SetOnExit, {}};
    if (is_durable(entry)) {
        change.changes.push_back(
            {Family::Processes, process_key(id),
             encode_process_record(record_of(*entry.process, *entry.on_exit))});
        if (!was_durable) {
            put_capabilities(change, id, records_of(*entry.held));  // K-158
        }
    } else if (was_durable) {
        change.changes.push_back({Family::Processes, process_key(id), std::nullopt});
        erase_capabilities(change, id, records_of(*entry.held));
    }
    OwnChange result{entry.changed};
    if (!change.changes.empty()) {
        auto number = parts_.journal.append(entry.process->facts.appender, change);
        result.bytes_without_room = number ? 0 : change.size();
        result.number = number ? *number : append_always(std::move(change));
    }
    entry.changed = result.number;
    writer.put(std::move(entry));
    writer.publish(result.number);
    return result;
}

std::optional<SequenceNumber> Kernel::grant(const ProcessId& target,
                                            const std::vector<CapabilityRecord>& records) {
    std::vector<CapabilityRecord> wanted;
    for (CapabilityRecord record : records) {
        record.capability.issuer =
            resolve_our(std::move(record.capability.issuer), options_.own_node);
        if (is_safe(record.capability.issuer) && !is_mark(record.capability, options_.own_node)) {
            wanted.push_back(std::move(record));
        }
    }
    auto writer = table_.write();
    const TableEntry* found = writer.find(target);
    if (found == nullptr) {
        return std::nullopt;
    }
    TableEntry entry = *found;
    std::vector<CapabilityRecord> added;
    entry.held = entry.held->with(wanted, added);
    if (added.empty()) {
        return entry.changed;
    }
    Entry change{EntryKind::Grant, {}};
    if (is_durable(entry)) {
        put_capabilities(change, target, added);
    }
    const SequenceNumber number = std::max(append_always(std::move(change)), entry.changed);
    entry.changed = number;
    writer.put(std::move(entry));
    writer.publish(number);
    return number;
}

std::optional<SequenceNumber> Kernel::drop(const ProcessId& target,
                                           const std::vector<Capability>& capabilities) {
    std::vector<Capability> dropped;
    for (const Capability& capability : capabilities) {
        dropped.push_back({resolve_our(capability.issuer, options_.own_node), capability.params});
    }
    auto writer = table_.write();
    const TableEntry* found = writer.find(target);
    if (found == nullptr) {
        return std::nullopt;
    }
    TableEntry entry = *found;
    std::vector<CapabilityRecord> lost;
    entry.held = entry.held->without(dropped, lost);
    Entry change{EntryKind::DropCapabilities, {}};
    if (is_durable(entry)) {
        erase_capabilities(change, target, lost);
    }
    const SequenceNumber number = std::max(append_always(std::move(change)), entry.changed);
    entry.changed = number;
    writer.put(std::move(entry));
    writer.publish(number);
    return number;
}

/// What boot reads of one stored process.
struct StoredProcess {
    ProcessId id;
    ProcessRecord record;
    std::vector<CapabilityRecord> capabilities;
    Result<std::shared_ptr<const Code>> code = Error(ErrorCode::NotFound, "not loaded");
};

namespace {

/// Waits until `count` pieces of work have reported.
class Countdown {
public:
    explicit Countdown(std::size_t count) : left_(count) {}
    void done() {
        const std::lock_guard lock(mutex_);
        if (--left_ == 0) {
            all_.notify_all();
        }
    }
    void wait() {
        std::unique_lock lock(mutex_);
        all_.wait(lock, [&] { return left_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable all_;
    std::size_t left_;
};

}  // namespace

Result<void> Kernel::boot() {
    ASSIGN_OR_RETURN(auto stored, parts_.journal.list(Family::Processes, {}));
    ASSIGN_OR_RETURN(auto held, parts_.journal.list(Family::Capabilities, {}));
    // What recovery found is on disk before anything runs (K-270), so nothing here depends on a
    // pending entry.
    Causality boot;
    std::vector<StoredProcess> found;
    Entry cleanup{EntryKind::Boot, {}};
    for (auto& [key, value] : std::move(stored).tell(boot)) {
        ASSIGN_OR_RETURN(ProcessId id, decode_process_key(key.view()));
        ASSIGN_OR_RETURN(ProcessRecord record,
                         decode_process_record(value.view()).with_context(to_string(id)));
        if (!is_safe(id) || is_reserved(id) || record.on_exit.kind == OnExit::Kind::None) {
            print(0,
                  "the stored process " + to_string(id) +
                      " was dropped at boot: its id is not safe or it does not "
                      "outlive its node",
                  {});
            cleanup.changes.push_back({Family::Processes, key, std::nullopt});
            continue;
        }
        found.push_back(
            {std::move(id), std::move(record), {}, Error(ErrorCode::NotFound, "not loaded")});
    }
    for (auto& [key, value] : std::move(held).tell(boot)) {
        ASSIGN_OR_RETURN(const ProcessId holder, decode_capability_key_holder(key.view()));
        ASSIGN_OR_RETURN(CapabilityRecord record,
                         decode_capability_record(value.view()).with_context(to_string(holder)));
        auto owner = std::lower_bound(found.begin(), found.end(), holder,
                                      [](const StoredProcess& left, const ProcessId& right) {
                                          return to_string(left.id) < to_string(right);
                                      });
        if (owner == found.end() || owner->id != holder) {
            cleanup.changes.push_back({Family::Capabilities, key, std::nullopt});
            continue;
        }
        owner->capabilities.push_back(std::move(record));
    }
    if (!cleanup.changes.empty()) {
        append_always(std::move(cleanup));
    }
    load_stored_code(found);
    for (StoredProcess& process : found) {
        const bool fires = process.record.on_exit.kind == OnExit::Kind::Requests;
        if (!fires && !process.code) {
            // Its entry stays for the next boot or a new initialisation (K-167).
            print(0,
                  "process " + to_string(process.id) +
                      " was not started: " + process.code.error().message(),
                  {});
            dormant_.emplace(process.id, std::move(process.capabilities));
            continue;
        }
        enter_stored(process.id, process.record, fires ? nullptr : std::move(*process.code),
                     process.capabilities);
    }
    // Requests of processes that were running when the node ended: sent into mailboxes that are
    // open, in the name of a process that is still in the table, then it is gone (K-166).
    for (const StoredProcess& process : found) {
        if (process.record.on_exit.kind == OnExit::Kind::Requests) {
            const Ref<Process> fired = find(process.id);
            workers_[fired->facts.worker]->fire_at_boot(*fired, process.record.on_exit);
        }
    }
    for (auto& worker : workers_) {
        worker->take_posted();
    }
    return {};
}

void Kernel::load_stored_code(std::vector<StoredProcess>& found) {
    std::vector<StoredProcess*> wanted;
    for (StoredProcess& process : found) {
        if (process.record.on_exit.kind == OnExit::Kind::Restart) {
            wanted.push_back(&process);
        }
    }
    if (wanted.empty()) {
        return;
    }
    Countdown countdown(wanted.size());
    for (StoredProcess* process : wanted) {
        parts_.blocking.submit([this, process, &countdown] {
            auto code = parts_.code.read(process->record.code_handle);
            if (code) {
                process->code = parts_.engine.load(code->wasm, code->hash);
            } else {
                process->code = code.error();
            }
            countdown.done();
        });
    }
    countdown.wait();
}

void Kernel::enter_stored(const ProcessId& id, const ProcessRecord& record,
                          std::shared_ptr<const Code> code,
                          const std::vector<CapabilityRecord>& capabilities) {
    ProcessFacts facts;
    facts.self = make_ref<const Party>(Address{options_.own_node, id});
    facts.worker = place();
    facts.is_public = record.is_public;
    facts.code_handle = record.code_handle;
    facts.wit_version = record.wit_version;
    facts.code = std::move(code);
    facts.package = record.package;
    std::vector<CapabilityRecord> given;
    TableEntry entry{make_process(std::move(facts)),
                     HeldSet::empty()->with(capabilities, given),
                     std::make_shared<const OnExit>(record.on_exit),
                     {}};
    if (record.on_exit.kind == OnExit::Kind::Restart) {
        booted_.push_back(entry.process);
    }
    auto writer = table_.write();
    writer.put(std::move(entry));
    writer.publish({});
}

}  // namespace perdure::kernel
