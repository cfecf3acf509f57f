#pragma once

/// Which ready process of a worker runs next, and when the running one has to give way (K-260).
///
/// A process that was woken and has not used up a slice since is *interactive*: it goes first, in
/// order of waking. One that used up a slice, or gave its slice up, is *batch* until it has waited
/// and is woken again. Batch processes run when no interactive one is ready, and beside interactive
/// ones in *turns*: one turn of at most a slice at the latest after 4 ms of interactive work, right
/// behind a tick if there is one in time, and over at the next. So a woken process runs at the
/// computing one's next tick, with b computing ones each runs again within b × 6 ms, and processes
/// whose runs are short (they crash over and over) hold the others up once in 4 ms and not once a
/// run.
///
///     Waiting ──wake──▶ Interactive ──take──▶ Running ──blocked──▶ Waiting, or Interactive again
///                                               ▲ │                if it was woken meanwhile
///                                          take │ │ yielded
///                                               │ ▼
///                                              Batch               remove: from any to Waiting
///
/// A run may also end because the worker has to look after itself (`interrupted`); then an
/// interactive process is first in its queue again, with the rest of its slice.
///
/// Invariants:
///  1. A node is in at most one queue, and in the one its phase names.
///  2. At most one node runs; whoever took it says how the run ended before taking the next.
///  3. Everything in the batch queue has used up or given up a slice since it last waited; nothing
///     in the interactive queue has.
///  4. After a batch turn the next run is interactive if an interactive process is ready.
///
/// Not promised: how long a batch turn is. It ends at the next tick whenever that comes; without
/// ticks in time batch processes get short ones.
///
/// Deciding only: no clock of its own, no guests, no threads.
/// Thread: the worker's, for everything.

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "kernel/host_calls.h"

namespace perdure::kernel {

/// Guest time after which a slice is used up; looked at once per tick, so a slice ends after at
/// most two ticks.
inline constexpr Nanoseconds kSlice = std::chrono::milliseconds(1);
/// Interactive work after which a waiting batch process is taken although interactive ones wait.
inline constexpr Nanoseconds kInteractiveShare = std::chrono::milliseconds(4);

/// What a process embeds (or derives from) to be scheduled. It stays where it is and is destroyed
/// while Waiting.
class ReadyNode {
public:
    ReadyNode() = default;
    ReadyNode(const ReadyNode&) = delete;
    ReadyNode& operator=(const ReadyNode&) = delete;
    ~ReadyNode();

    enum class Phase : std::uint8_t { Waiting, Interactive, Batch, Running };
    Phase phase() const { return phase_; }

private:
    friend class ReadyList;
    friend class ReadyQueues;

    ReadyNode* previous_ = nullptr;
    ReadyNode* next_ = nullptr;
    Phase phase_ = Phase::Waiting;
    bool batch_ = false;   // Used up a slice since it last waited; meaningful while not Waiting.
    bool woken_ = false;   // While Running: woken since it was taken.
    Nanoseconds used_{0};  // Of its slice, in earlier runs that were interrupted.
};

/// First in, first out, without allocation.
class ReadyList {
public:
    bool empty() const { return first_ == nullptr; }
    std::size_t count() const { return count_; }
    ReadyNode* first() const { return first_; }
    void push_back(ReadyNode& node);
    void push_front(ReadyNode& node);
    void remove(ReadyNode& node);

private:
    ReadyNode* first_ = nullptr;
    ReadyNode* last_ = nullptr;
    std::size_t count_ = 0;
};

/// Only one run at a time. Destroying it while a process is ready or running is a bug.
class ReadyQueues {
public:
    ReadyQueues() = default;
    ReadyQueues(const ReadyQueues&) = delete;
    ReadyQueues& operator=(const ReadyQueues&) = delete;
    ~ReadyQueues();

    /// A Waiting process goes to the end of the interactive queue; so does a new one. A ready one
    /// stays where it is. For the running one it is remembered: if the run ends with `blocked`, it
    /// is ready again at once, so a wake that comes between a guest's look into its mailbox and the
    /// end of its run is not lost (at worst one needless poll).
    ///
    /// A process that was just sent to runs next if nothing else interactive is ready, for it is
    /// then first in the queue; there is no way past those woken earlier.
    void wake(ReadyNode& node);

    /// Nothing can be taken.
    bool empty() const { return interactive_.empty() && batch_.empty(); }

    /// A tick came since the last `take`, perhaps while no guest ran to see it.
    void ticked() { ticked_ = true; }

    /// The process to run now, Running from here on, or null if none is ready. Its slice begins at
    /// `now`. End the run with exactly one of `blocked`, `yielded`, `interrupted` and `remove`.
    ReadyNode* take(MonotonicTime now);

    /// For the running process, once per tick: Yield if it should end its slice now, else Continue;
    /// never Kill. While nothing else is ready it may go on for as long as it likes.
    TickDecision on_tick(MonotonicTime now);

    /// The run of `node` ended because it waits. Interactive again after the next `wake`.
    void blocked(ReadyNode& node, MonotonicTime now);

    /// The run of `node` ended and it is ready to go on: its slice was used up, was ended early by
    /// back-pressure (K-83, counts as used up), or a batch process gave way to an interactive one.
    /// To the end of the batch queue in each case.
    void yielded(ReadyNode& node, MonotonicTime now);

    /// The run of `node` ended for the worker's sake: something was posted to it or is due. A batch
    /// process, or one that has used up its slice, goes to the end of the batch queue as with
    /// `yielded`. An interactive one goes on first, as it was woken before all that wait.
    void interrupted(ReadyNode& node, MonotonicTime now);

    /// Takes `node` out wherever it is, for a process that ended or moves. It is Waiting and
    /// without history afterwards.
    void remove(ReadyNode& node, MonotonicTime now);

    ReadyNode* running() const { return running_; }
    std::size_t interactive_count() const { return interactive_.count(); }
    std::size_t batch_count() const { return batch_.count(); }

private:
    bool batch_is_next() const;
    void end_run(ReadyNode& node, MonotonicTime now);
    Nanoseconds used(const ReadyNode& node, MonotonicTime now) const;

    ReadyList interactive_;
    ReadyList batch_;
    ReadyNode* running_ = nullptr;
    MonotonicTime run_started_{};
    bool ticked_ = false;
    bool ran_as_batch_ = false;  // The last run taken came from the batch queue.
    /// Done while batch processes waited and not yet made up for by batch work; at most the share.
    Nanoseconds interactive_work_{0};
    /// Of the turn that batch processes have while interactive ones wait; 0: they have none.
    Nanoseconds turn_left_{0};
};

}  // namespace perdure::kernel
