#pragma once

/// What the log keeps under its one lock. For log.cc and committer.cc only.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/log.h"

namespace perdure {

struct OverlayKeyView {
    Family family;
    ByteView key;
};

/// A key of the overlay; shares the entry's own bytes.
struct OverlayKey {
    Family family;
    SharedBytes key;
    operator OverlayKeyView() const { return {family, key.view()}; }  // NOLINT: implicit by design
};

struct OverlayHash {
    using is_transparent = void;
    std::size_t operator()(const OverlayKeyView& key) const {
        return std::hash<std::string_view>()(text_of(key.key)) +
               static_cast<std::size_t>(key.family);
    }
    std::size_t operator()(const OverlayKey& key) const { return (*this)(OverlayKeyView(key)); }
};

struct OverlayEqual {
    using is_transparent = void;
    bool operator()(const OverlayKeyView& left, const OverlayKeyView& right) const {
        return left.family == right.family && equal(left.key, right.key);
    }
};

/// The newest change of a key that is not durable yet.
struct Pending {
    SequenceNumber number;
    std::optional<SharedBytes> value;  // empty: deleted
    bool large = false;                // `value` is an encoded reference
};

using Overlay = std::unordered_map<OverlayKey, Pending, OverlayHash, OverlayEqual>;

/// An entry between append and durable.
struct EntryLog::Queued {
    SequenceNumber number;
    Entry entry;
    std::vector<LargeUse> large;
    OwnerId owner = kKernelOwner;
    std::uint64_t size = 0;
};

struct EntryLog::Inside {
    struct Waiter {
        OwnerId owner;
        std::uint64_t size;
        std::function<void()> ready;
    };

    std::deque<Queued> queue;  // in number order; what the committer has not taken yet
    Overlay overlay;
    std::uint64_t pending_bytes = 0;  // queue and what the committer holds
    std::uint64_t pending_count = 0;
    std::unordered_map<OwnerId, std::uint64_t> owner_bytes;
    std::map<std::uint64_t, Waiter> waiters;  // by ticket: first asked, first called
    std::uint64_t next_ticket = 1;
    std::uint64_t ceiling = 0;  // durable
    bool closed = false;
    bool failed = false;
    bool no_space = false;
    bool committer_idle = false;  // it waits for `wake`
    std::condition_variable wake;

    bool has_room(OwnerId owner, std::uint64_t size, const LogLimits& limits) const;
};

}  // namespace perdure
