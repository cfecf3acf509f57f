#include "storage/committer.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <unordered_set>

#include "base/check.h"
#include "storage/log_inside.h"

namespace perdure {
namespace {

constexpr std::chrono::seconds kLookForSpaceEvery{1};
// Keys taken out of the overlay under one lock; appenders get in between.
constexpr std::size_t kForgottenAtOnce = 64;

std::string large_index_key(std::uint64_t id) {
    std::string key(kLargePrefix);
    for (int shift = 56; shift >= 0; shift -= 8) {
        key += static_cast<char>(id >> shift);
    }
    return key;
}

}  // namespace

struct Committer::Batch {
    std::vector<EntryLog::Queued> entries;
    BatchMark mark;
    std::array<Byte, kMarkBytes> mark_bytes{};
    std::vector<StoreChange> changes;
    std::deque<std::string> own_bytes;  // keys and values of our own records; addresses stay
    std::vector<std::uint64_t> large_to_remove;
};

Committer::Committer(Parts parts, const BatchMark& recovered)
    : parts_(std::move(parts)), mark_(recovered) {}

Committer::~Committer() {
    CHECK(!thread_.joinable(), "the committer was not joined");
}

void Committer::knows_large(Family family, std::string key, std::uint64_t id) {
    live_large_[{family, std::move(key)}] = id;
}

void Committer::collect() {
    auto inside = parts_.log.inside_->lock();
    if (taken_.empty()) {
        taken_.swap(inside->queue);
        return;
    }
    std::move(inside->queue.begin(), inside->queue.end(), std::back_inserter(taken_));
    inside->queue.clear();
}

Committer::Batch Committer::cut_batch() {
    Batch batch;
    std::uint64_t bytes = 0;
    while (!taken_.empty()) {
        bytes += taken_.front().size;
        if (!batch.entries.empty() && bytes > parts_.log.limits().batch_bytes_max) {
            break;
        }
        CHECK(batch.entries.empty() || batch.entries.back().number < taken_.front().number,
              "entries out of order");
        batch.entries.push_back(std::move(taken_.front()));
        taken_.pop_front();
    }
    batch.mark.previous = mark_.last;
    batch.mark.last =
        batch.entries.empty() ? mark_.last : std::max(mark_.last, batch.entries.back().number);
    batch.mark.durable = mark_.durable;
    batch.mark.ceiling = mark_.ceiling;
    if (batch.mark.last.value + kCeilingStep / 2 > batch.mark.ceiling) {
        batch.mark.ceiling += kCeilingStep;
    }
    if (parts_.log.faults_.order_broken && batch.entries.size() > 1) {
        // The planted fault: an entry goes into the batch after the one it belongs to.
        taken_.push_front(std::move(batch.entries[batch.entries.size() / 2]));
        batch.entries.erase(batch.entries.begin() +
                            static_cast<std::ptrdiff_t>(batch.entries.size() / 2));
    }
    return batch;
}

void Committer::build(Batch& batch) {
    batch.mark_bytes = encode(batch.mark);
    batch.changes.push_back(
        {Family::Meta, bytes_of(kMarkKey), ByteView(batch.mark_bytes), ValueFormat::Inline});
    // From the newest entry back: the first change met of a key is its last one (invariant 2).
    std::unordered_set<OverlayKeyView, OverlayHash, OverlayEqual> met;
    const bool single =
        batch.entries.size() == 1 && batch.entries.front().entry.changes.size() == 1;
    for (auto queued = batch.entries.rbegin(); queued != batch.entries.rend(); ++queued) {
        for (std::size_t i = queued->entry.changes.size(); i-- > 0;) {
            const Change& change = queued->entry.changes[i];
            const auto uses_file = [i](const LargeUse& use) { return use.change_index == i; };
            const auto large = std::find_if(queued->large.begin(), queued->large.end(), uses_file);
            if (!single && !met.insert({change.family, change.key.view()}).second) {
                if (large != queued->large.end()) {
                    batch.large_to_remove.push_back(large->reference.id);
                }
                continue;
            }
            StoreChange stored{change.family, change.key.view(), {}, ValueFormat::Inline};
            if (change.value) {
                stored.value = change.value->view();
            }
            if (large != queued->large.end()) {
                stored.format = ValueFormat::LargeReference;
            }
            batch.changes.push_back(stored);
        }
    }
    track_large(batch);
}

void Committer::track_large(Batch& batch) {
    const std::size_t count = batch.changes.size();
    for (std::size_t i = 1; i < count; ++i) {
        const StoreChange change = batch.changes[i];
        if (live_large_.empty() && change.format == ValueFormat::Inline) {
            continue;
        }
        std::pair<Family, std::string> name(change.family, std::string(text_of(change.key)));
        if (const auto old = live_large_.find(name); old != live_large_.end()) {
            batch.own_bytes.push_back(large_index_key(old->second));
            batch.changes.push_back(
                {Family::Meta, bytes_of(batch.own_bytes.back()), {}, ValueFormat::Inline});
            batch.large_to_remove.push_back(old->second);
            live_large_.erase(old);
        }
        if (change.format == ValueFormat::LargeReference) {
            const LargeReference reference = decode_large_reference(*change.value).value();
            const ByteView key =
                bytes_of(batch.own_bytes.emplace_back(large_index_key(reference.id)));
            std::string& value = batch.own_bytes.emplace_back(text_of(*change.value));
            value += static_cast<char>(change.family);
            value += name.second;
            batch.changes.push_back({Family::Meta, key, bytes_of(value), ValueFormat::Inline});
            live_large_[std::move(name)] = reference.id;
        }
    }
}

Committer::Step Committer::step() {
    if (parts_.log.status().failed) {
        return Step::Failed;
    }
    look_for_space();
    if (!stalled_) {
        collect();
        if (taken_.empty()) {
            call_waiters();
            return Step::Idle;
        }
        stalled_ = std::make_unique<Batch>(cut_batch());
        build(*stalled_);
    }
    const bool power = parts_.log.durability() == Durability::Power;
    const bool raises_ceiling = stalled_->mark.ceiling != mark_.ceiling;
    const bool durable_class = parts_.log.durability() != Durability::Memory;
    const Step step =
        write(*stalled_, power || (raises_ceiling && durable_class) ? Sync::Yes : Sync::No);
    if (step == Step::Wrote) {
        stalled_.reset();
    }
    return step;
}

Committer::Step Committer::write(Batch& batch, Sync sync) {
    if (parts_.log.faults_.gate_opens_early) {
        parts_.gate.open(batch.mark.last);  // the planted fault: before anything is on disk
    }
    const Sync asked = parts_.log.faults_.sync_skipped
                           ? Sync::No
                           : sync;  // the planted fault: published all the same
    while (true) {
        const WriteOutcome outcome = parts_.store.write(batch.changes, asked);
        if (outcome.kind == WriteOutcome::Kind::Done) {
            break;
        }
        if (outcome.kind == WriteOutcome::Kind::FailedSync) {
            sync_failed(outcome.message);
            return Step::Failed;
        }
        if (!parts_.after_failed_write(Error(ErrorCode::Overloaded, outcome.message))) {
            return Step::Stalled;
        }
    }
    {
        auto counters = counters_.lock();
        ++counters->batches;
        counters->changes += batch.changes.size();
        counters->syncs += sync == Sync::Yes ? 1 : 0;
    }
    publish(batch, sync == Sync::Yes);
    return Step::Wrote;
}

void Committer::publish(Batch& batch, bool synced) {
    const SequenceNumber last = batch.mark.last;
    mark_ = batch.mark;
    if (synced) {
        mark_.durable = last;  // what the next batch says of this one
    }
    {
        auto inside = parts_.log.inside_->lock();
        inside->ceiling = batch.mark.ceiling;
    }
    parts_.log.written_.store(last.value, std::memory_order_release);
    if (parts_.log.durability() != Durability::Memory) {
        parts_.log.durable_.store(last.value, std::memory_order_release);
    }
    // Who waits at the gate waits for nothing more: what is left only tidies up.
    if (parts_.log.durability() != Durability::Memory) {
        parts_.gate.open(last);
    }
    if (synced) {
        write_note(last);
    }
    forget_pending(batch);
    if (parts_.durable_reached) {
        parts_.durable_reached(last);
    }
    call_waiters();
    for (const std::uint64_t id : batch.large_to_remove) {
        parts_.large.remove(id);
    }
}

void Committer::forget_pending(const Batch& batch) {
    auto entry = batch.entries.begin();
    while (entry != batch.entries.end()) {
        std::vector<Overlay::node_type> forgotten;  // destroyed outside the lock
        auto inside = parts_.log.inside_->lock();
        for (std::size_t count = 0; entry != batch.entries.end() && count < kForgottenAtOnce;
             ++entry) {
            for (const Change& change : entry->entry.changes) {
                const auto found =
                    inside->overlay.find(OverlayKeyView{change.family, change.key.view()});
                if (found != inside->overlay.end() && found->second.number <= entry->number) {
                    forgotten.push_back(inside->overlay.extract(found));
                }
            }
            count += 1 + entry->entry.changes.size();
            inside->pending_bytes -= entry->size;
            --inside->pending_count;
            if (entry->owner != kKernelOwner) {
                const auto owner = inside->owner_bytes.find(entry->owner);
                owner->second -= entry->size;
                if (owner->second == 0) {
                    inside->owner_bytes.erase(owner);
                }
            }
        }
    }
}

void Committer::call_waiters() {
    std::vector<std::function<void()>> ready;
    {
        auto inside = parts_.log.inside_->lock();
        if (inside->no_space || inside->waiters.empty()) {
            return;
        }
        for (auto at = inside->waiters.begin(); at != inside->waiters.end();) {
            if (inside->has_room(at->second.owner, at->second.size, parts_.log.limits())) {
                ready.push_back(std::move(at->second.ready));
                at = inside->waiters.erase(at);
            } else {
                ++at;
            }
        }
    }
    for (const auto& call : ready) {
        call();
    }
}

void Committer::look_for_space() {
    if (parts_.db_path.empty()) {
        return;
    }
    const auto free = parts_.files.free_bytes(parts_.db_path);
    if (!free) {
        return;
    }
    const std::uint64_t reserve = parts_.log.limits().reserve_bytes;
    const bool no_space = *free < reserve;
    {
        auto inside = parts_.log.inside_->lock();
        if (inside->no_space == no_space) {
            return;
        }
        inside->no_space = no_space;
    }
    if (no_space) {
        parts_.logger.error("space_ran_out", LogField("path", parts_.db_path),
                            LogField("free_bytes", *free), LogField("reserve_bytes", reserve),
                            LogField("held_off", "new entries"));
    } else {
        parts_.logger.info("space_returned", LogField("path", parts_.db_path),
                           LogField("free_bytes", *free));
        call_waiters();
    }
}

void Committer::write_note(SequenceNumber durable) {
    if (parts_.db_path.empty()) {
        return;
    }
    // A help for judging damage, never ahead of the truth: no sync, and a failure only makes it
    // less sharp.
    if (!note_) {
        auto opened = parts_.files.open_write(parts_.db_path + "/durable", OpenMode::Keep);
        if (!opened) {
            return;
        }
        note_ = std::move(*opened);
    }
    (void)note_->write_at(0, encode_note(durable));
}

bool Committer::write_orderly_end() {
    if (stalled_ || parts_.log.status().failed) {
        return false;  // an unclean end: the next start goes on above the ceiling
    }
    CHECK(taken_.empty(), "an orderly end with entries left");
    Batch batch = cut_batch();
    batch.mark.orderly = true;
    build(batch);
    return write(batch, parts_.log.durability() == Durability::Memory ? Sync::No : Sync::Yes) ==
           Step::Wrote;
}

void Committer::sync_failed(const std::string& why) {
    parts_.gate.shut();
    std::map<std::uint64_t, EntryLog::Inside::Waiter> waiters;
    {
        auto inside = parts_.log.inside_->lock();
        if (inside->failed) {
            return;
        }
        inside->failed = true;
        waiters.swap(inside->waiters);
        inside->committer_idle = false;
        inside->wake.notify_one();
    }
    parts_.logger.error("sync_failed", LogField("reason", why),
                        LogField("consequence", "the node stops"));
    for (auto& [ticket, waiter] : waiters) {
        waiter.ready();
    }
    parts_.fatal(why);
}

void Committer::start() {
    thread_ = std::thread([this]() noexcept {
        pthread_setname_np(pthread_self(), "committer");
        run();
    });
}

void Committer::join() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Committer::wait_for_work() {
    auto inside = parts_.log.inside_->lock();
    if (!inside->queue.empty() || inside->closed || inside->failed) {
        return;
    }
    inside->committer_idle = true;
    inside->wake.wait_for(inside.lock(), kLookForSpaceEvery,
                          [&] { return !inside->committer_idle; });
    inside->committer_idle = false;
}

void Committer::run() {
    while (true) {
        switch (step()) {
            case Step::Wrote: break;
            case Step::Failed: return;
            case Step::Stalled: return;  // given up only when the node ends
            case Step::Idle: {
                {
                    auto inside = parts_.log.inside_->lock();
                    if (inside->closed && inside->queue.empty()) {
                        break;
                    }
                }
                wait_for_work();
                continue;
            }
        }
        if (parts_.log.status().failed) {
            return;
        }
        auto inside = parts_.log.inside_->lock();
        if (inside->closed && inside->queue.empty() && taken_.empty()) {
            break;
        }
    }
    write_orderly_end();
}

}  // namespace perdure
