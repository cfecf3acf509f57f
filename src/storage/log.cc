#include "storage/log.h"

#include <algorithm>

#include "base/check.h"
#include "storage/log_inside.h"
#include "storage/record.h"

namespace perdure {
namespace {

// Kernel entries are always taken, so some numbers below the ceiling are kept for them.
constexpr std::uint64_t kNumbersForKernel = 1 << 18;

// A large value can be replaced between looking its key up and opening its file; looking up again
// finds the new one.
constexpr int kLargeLookupsMax = 8;

}  // namespace

std::string_view to_string(Durability durability) {
    switch (durability) {
        case Durability::Power: return "power";
        case Durability::Process: return "process";
        case Durability::Memory: return "memory";
    }
    CHECK(false, "unknown durability");
    return "";
}

bool EntryLog::Inside::has_room(OwnerId owner, std::uint64_t size, const LogLimits& limits) const {
    // An entry larger than a bound is taken when nothing else is pending, or it could never be.
    const auto fits = [size](std::uint64_t pending, std::uint64_t bytes_max) {
        return pending == 0 || pending + size <= bytes_max;
    };
    const auto own = owner_bytes.find(owner);
    return fits(pending_bytes, limits.journal_bytes_max) &&
           fits(own == owner_bytes.end() ? 0 : own->second, limits.journal_process_bytes_max);
}

EntryLog::EntryLog(const Start& start, const Store& store, LargeEntries& large)
    : limits_(start.limits),
      durability_(start.durability),
      faults_(start.faults),
      appended_(start.appended),
      store_(store),
      large_(large),
      last_(start.last.value),
      written_(start.last.value),
      durable_(start.last.value),
      inside_(std::make_unique<Guarded<Inside>>()) {
    inside_->lock()->ceiling = start.ceiling;
}

EntryLog::~EntryLog() = default;

Appended EntryLog::append(Entry&& entry, OwnerId owner) {
    return take(std::move(entry), {}, owner);
}

Appended EntryLog::append(StagedEntry&& entry, OwnerId owner) {
    const Appended appended = take(std::move(entry.entry_), std::move(entry.uses_), owner);
    if (appended) {
        entry.uses_.clear();  // the files belong to the log from now on
    }
    return appended;
}

Appended EntryLog::take(Entry&& entry, std::vector<LargeUse>&& large, OwnerId owner) {
    const std::uint64_t inline_size = entry.size();
    if (inline_size > limits_.entry_inline_bytes_max && owner != kKernelOwner) {
        return {Appended::Outcome::TooLarge, {}};
    }
    const std::uint64_t size = inline_size + kEntryOverheadBytes;
    bool wake = false;
    Appended appended{Appended::Outcome::Taken, {}};
    {
        auto inside = inside_->lock();
        if (inside->failed || inside->closed) {
            return {Appended::Outcome::Stopped, {}};
        }
        const std::uint64_t number = last_.load(std::memory_order_relaxed) + 1;
        if (owner != kKernelOwner) {
            if (inside->no_space) {
                return {Appended::Outcome::NoSpace, {}};
            }
            if (!inside->has_room(owner, size, limits_) ||
                number + kNumbersForKernel > inside->ceiling) {
                return {Appended::Outcome::NoRoom, {}};
            }
            inside->owner_bytes[owner] += size;
        }
        CHECK(number <= inside->ceiling, "numbers ran out below the durable ceiling",
              number);  // invariant 3
        appended.number = {number};
        for (std::size_t i = 0; i < entry.changes.size(); ++i) {
            Change& change = entry.changes[i];
            const auto uses_file = [&](const LargeUse& use) { return use.change_index == i; };
            const bool is_large =
                !large.empty() && std::any_of(large.begin(), large.end(), uses_file);
            inside->overlay.insert_or_assign(OverlayKey{change.family, change.key},
                                             Pending{appended.number, change.value, is_large});
        }
        if (appended_) {
            appended_(appended.number, entry, large);
        }
        inside->pending_bytes += size;
        ++inside->pending_count;
        inside->queue.push_back({appended.number, std::move(entry), std::move(large), owner, size});
        last_.store(number, std::memory_order_release);
        wake = inside->committer_idle;
        inside->committer_idle = false;
        if (durability_ == Durability::Memory) {
            durable_.store(number, std::memory_order_release);
        }
    }
    if (wake) {
        inside_->lock()->wake.notify_one();
    }
    return appended;
}

Result<StagedEntry> EntryLog::stage(Entry&& entry) const {
    return large_.stage(std::move(entry), limits_.entry_inline_bytes_max);
}

std::optional<Seen<std::optional<SharedBytes>>> EntryLog::read_pending(Family family,
                                                                       ByteView key) const {
    auto inside = inside_->lock();
    const auto found = inside->overlay.find(OverlayKeyView{family, key});
    if (found == inside->overlay.end() || found->second.large) {
        return {};
    }
    return Seen<std::optional<SharedBytes>>(found->second.value, found->second.number);
}

Result<Seen<std::optional<SharedBytes>>> EntryLog::read(Family family, ByteView key) const {
    using Answer = Seen<std::optional<SharedBytes>>;
    Error last_failure(ErrorCode::Corrupt, "");
    for (int lookup = 0; lookup < kLargeLookupsMax; ++lookup) {
        std::optional<Pending> pending;
        {
            auto inside = inside_->lock();
            if (const auto found = inside->overlay.find(OverlayKeyView{family, key});
                found != inside->overlay.end()) {
                pending = found->second;
            }
        }
        SequenceNumber number;
        std::optional<StoreValue> value;
        if (pending) {
            number = pending->number;
            if (pending->value) {
                value =
                    StoreValue{pending->large ? ValueFormat::LargeReference : ValueFormat::Inline,
                               *pending->value};
            }
        } else {
            ASSIGN_OR_RETURN(value, store_.read(family, key));
        }
        if (!value) {
            return Answer(std::nullopt, number);
        }
        if (value->format == ValueFormat::Inline) {
            return Answer(std::move(value->bytes), number);
        }
        ASSIGN_OR_RETURN(const LargeReference reference,
                         decode_large_reference(value->bytes.view()));
        auto loaded = large_.load(reference);
        if (loaded) {
            return Answer(std::move(*loaded), number);
        }
        if (loaded.error().code() != ErrorCode::NotFound) {
            return std::move(loaded).error();
        }
        last_failure = std::move(loaded).error();
    }
    return Error(ErrorCode::Corrupt, last_failure.message());
}

Result<Seen<Listing>> EntryLog::list(Family family, ByteView prefix, ByteView after,
                                     std::size_t count_max) const {
    std::map<std::string, Pending, std::less<>> pending;
    std::unique_ptr<StoreCursor> cursor;
    SequenceNumber number;
    {
        // Both views are taken under the lock: the committer takes nothing out of the overlay
        // between them, so together they show the log as it is now. Making a cursor does not touch
        // the disk.
        auto inside = inside_->lock();
        for (const auto& [key, change] : inside->overlay) {
            if (key.family == family && key.key.text().starts_with(text_of(prefix))) {
                number = std::max(number, change.number);
                if (key.key.text() > text_of(after)) {
                    pending.emplace(key.key.text(), change);
                }
            }
        }
        cursor = store_.scan(family, prefix, after);
    }

    Listing listing;
    auto next_pending = pending.begin();
    ASSIGN_OR_RETURN(bool has_stored, cursor->next());
    while (has_stored || next_pending != pending.end()) {
        const bool take_pending = next_pending != pending.end() &&
                                  (!has_stored || next_pending->first <= text_of(cursor->key()));
        std::string key(take_pending ? std::string_view(next_pending->first)
                                     : text_of(cursor->key()));
        std::optional<StoreValue> value;
        if (take_pending) {
            if (next_pending->second.value) {
                value = StoreValue{
                    next_pending->second.large ? ValueFormat::LargeReference : ValueFormat::Inline,
                    *next_pending->second.value};
            }
            if (has_stored && text_of(cursor->key()) == key) {
                ASSIGN_OR_RETURN(has_stored, cursor->next());
            }
            ++next_pending;
        } else {
            value = cursor->value();
            ASSIGN_OR_RETURN(has_stored, cursor->next());
        }
        if (!value) {
            continue;
        }
        if (listing.items.size() == count_max) {
            listing.more = true;
            break;
        }
        if (value->format == ValueFormat::LargeReference) {
            ASSIGN_OR_RETURN(const LargeReference reference,
                             decode_large_reference(value->bytes.view()));
            auto loaded = large_.load(reference);
            if (!loaded && loaded.error().code() == ErrorCode::NotFound) {
                // Replaced since the views were taken: the newer value stands for it, with its
                // number.
                ASSIGN_OR_RETURN(auto newer, read(family, bytes_of(key)));
                Causality learned(number);
                auto newest = std::move(newer).tell(learned);
                number = learned.seen();
                if (newest) {
                    listing.items.push_back({SharedBytes(key), std::move(*newest)});
                }
                continue;
            }
            if (!loaded) {
                return std::move(loaded).error();
            }
            value->bytes = std::move(*loaded);
        }
        listing.items.push_back({SharedBytes(key), std::move(value->bytes)});
    }
    return Seen<Listing>(std::move(listing), number);
}

std::uint64_t EntryLog::when_room(OwnerId owner, std::uint64_t size, std::function<void()> ready) {
    std::uint64_t ticket = 0;
    {
        auto inside = inside_->lock();
        if (!inside->closed && !inside->failed) {
            ticket = inside->next_ticket++;
            inside->waiters.emplace(
                ticket, Inside::Waiter{owner, size + kEntryOverheadBytes, std::move(ready)});
            // Room may have come since the refusal: the committer looks again.
            inside->committer_idle = false;
            inside->wake.notify_one();
            return ticket;
        }
    }
    ready();
    return ticket;
}

void EntryLog::forget(std::uint64_t ticket) {
    auto inside = inside_->lock();
    inside->waiters.erase(ticket);
}

LogStatus EntryLog::status() const {
    auto inside = inside_->lock();
    return {last(),
            written(),
            durable(),
            inside->pending_bytes,
            inside->pending_count,
            inside->no_space,
            inside->failed,
            inside->closed};
}

void EntryLog::close() {
    std::map<std::uint64_t, Inside::Waiter> waiters;
    {
        auto inside = inside_->lock();
        inside->closed = true;
        inside->committer_idle = false;
        waiters.swap(inside->waiters);
        inside->wake.notify_one();
    }
    for (auto& [ticket, waiter] : waiters) {
        waiter.ready();
    }
}

}  // namespace perdure
