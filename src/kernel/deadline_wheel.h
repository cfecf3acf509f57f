#pragma once

/// Deadlines of one worker, exact to the nanosecond: a hierarchical timer wheel whose slots are
/// lazy heaps.
///
/// A deadline is never reported before its time and always by the first `expire(now)` with `now` at
/// or past it; what is due at one `expire` is reported in order of (time, arming). Arming and
/// disarming are O(1) and allocate nothing (K-236): the nodes live in whoever waits. `next()` is
/// the exact earliest time, so that a worker parks until then and a virtual clock jumps there.
///
/// How: time is cut into steps of 2^20 ns (about 1 ms). Seen from the current step, a later step
/// lies on the level of the highest 6-bit digit in which the two differ, in the slot of its own
/// digit there; 8 levels hold every 64-bit time. `current_` holds what belongs to the current step
/// or an earlier one. When time moves on, slots that have passed are spliced into `current_` whole,
/// and the one slot time moved into is spread over the levels below: at most 8 moves in the life of
/// a deadline.
///
/// A slot, like the children of a node, is a ring of heap-ordered trees. Arming appends a tree of
/// one; disarming puts the children of a node in its place. Only looking for the smallest one pairs
/// the trees of a ring up, as a pairing heap does: amortised logarithmic, and only for the slot
/// that is next.
///
/// Invariants:
///  1. A child is not before its parent in (time, arming order).
///  2. A node outside `current_` belongs to a later step than `step_`; so `current_` comes before
///     every level, every level before the next one, and within a level a lower slot before a
///     higher one.
///  3. A slot whose bit in `occupied_` is 0 is empty; a set bit may be stale.
///  4. `due_` is empty except while `expire` reports.
///
/// Not here: a clock, threads, or what is to be done at a deadline.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/check.h"
#include "base/clock.h"

namespace perdure::kernel {

namespace internal {

/// A place in a doubly linked ring; alone it is a ring of its own.
struct DeadlineRing {
    DeadlineRing() = default;
    DeadlineRing(const DeadlineRing&) = delete;
    DeadlineRing& operator=(const DeadlineRing&) = delete;

    bool alone() const { return next == this; }

    DeadlineRing* next = this;
    DeadlineRing* previous = this;
};

}  // namespace internal

/// A point in time somebody waits for, embedded in what waits. It stays where it is while armed and
/// must be disarmed before it is destroyed.
class Deadline : private internal::DeadlineRing {
public:
    Deadline() = default;
    ~Deadline() { CHECK(!armed()); }

    /// From `arm` until `disarm`, or until just before it is reported.
    bool armed() const { return !alone(); }
    /// The time given to the last `arm`.
    MonotonicTime at() const { return at_; }

private:
    friend class DeadlineWheel;

    internal::DeadlineRing children_;
    MonotonicTime at_{};
    std::uint64_t order_ = 0;
};

/// Thread: the worker's, for everything. Destroying it while anything is armed is a bug.
class DeadlineWheel {
public:
    explicit DeadlineWheel(MonotonicTime start);
    DeadlineWheel(const DeadlineWheel&) = delete;
    DeadlineWheel& operator=(const DeadlineWheel&) = delete;
    ~DeadlineWheel();

    /// `deadline` must not be armed. A time that has passed is due at the next `expire`;
    /// `MonotonicTime::max()` never fires but counts and can be disarmed (K-58).
    void arm(Deadline& deadline, MonotonicTime at);

    /// Nothing happens if `deadline` is not armed. It must not be armed in another wheel.
    void disarm(Deadline& deadline);

    /// Disarms every deadline at or before `now` and calls `due(Deadline&)` for each, in order of
    /// (time, arming).
    ///
    /// `due` may arm and disarm any deadline and destroy its own; it must not call `expire`. A
    /// deadline it disarms is not reported; one it arms is reported by a later `expire`, even if
    /// its time has passed. `now` may be earlier than before: then only what is due at `now` is
    /// reported.
    template <typename F>
    void expire(MonotonicTime now, F&& due) {
        collect(now);
        while (Deadline* deadline = first_due()) {
            disarm(*deadline);
            due(*deadline);
        }
    }

    /// The exact time of the earliest deadline, possibly in the past; nothing if none is armed that
    /// can fire. Not const: it sorts a little of what is next. Amortised logarithmic.
    std::optional<MonotonicTime> next();

    /// Armed deadlines, those that never fire included.
    std::size_t count() const { return count_; }

private:
    using Ring = internal::DeadlineRing;

    static constexpr int kStepBits = 20;
    static constexpr int kDigitBits = 6;
    static constexpr int kSlots = 1 << kDigitBits;
    static constexpr int kLevels = (64 - kStepBits + kDigitBits - 1) / kDigitBits;

    struct Level {
        std::array<Ring, kSlots> slots;
        std::uint64_t occupied = 0;
    };

    static Deadline& node(Ring* ring) { return *static_cast<Deadline*>(ring); }
    static std::uint64_t step_of(MonotonicTime at);
    static bool before(const Deadline& left, const Deadline& right);
    static void append(Ring& ring, Ring& node);
    static void splice(Ring& from, Ring& place);
    static void unlink(Ring& node);
    static Ring* meld(Ring* left, Ring* right);
    static Deadline* smallest(Ring& trees);

    void place(Deadline& deadline);
    void advance(std::uint64_t step);
    void spread(Ring& slot);
    void collect(MonotonicTime now);
    Deadline* first_due() { return due_.alone() ? nullptr : &node(due_.next); }
    Deadline* earliest();

    std::uint64_t step_;
    std::uint64_t armed_ever_ = 0;
    std::size_t count_ = 0;
    Ring current_;
    Ring due_;
    Ring never_;
    std::array<Level, kLevels> levels_;
};

}  // namespace perdure::kernel
