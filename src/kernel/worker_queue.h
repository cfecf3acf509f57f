#pragma once

/// The one queue through which other threads reach a worker (K-258): many push, the worker pops,
/// nobody locks or waits.
///
/// Order is first in, first out by push: if push P happens before push Q, whatever the threads, P's
/// item is popped first. That is what makes order causal across workers (K-80): A's push to C's
/// worker happens before A's push to B's, which happens before B popping it, which happens before
/// B's push to C's worker.
///
/// How (after D. Vyukov's intrusive queue): items form a list from `tail_` (oldest, the worker's
/// end) to `head_` (newest). A push is two steps: (a) exchange `head_` with the item, (b) store the
/// item into `next` of the one it displaced. `stub_` keeps the list from ever being empty; the
/// worker pushes it again when it has to take the last item.
///
/// Proof:
///  1. Order. Exchanges of `head_` have one total modification order. (b) links exactly neighbours
///     in that order, so the list is that order, and pop follows the list. P before Q in
///     happens-before implies P's exchange before Q's.
///  2. Half-linked push. Between (a) and (b) the item and all pushed after it cannot be reached
///     from `tail_`. Then pop answers null although the queue is not empty. It does not spin:
///     whoever does (b) sees to the wake (4). Nothing is overtaken, for later items hang behind the
///     gap.
///  3. Lifetime. A pusher touches an item it displaced only in (b), and pop gives an item away only
///     after it has read that store (or, for the newest item, after its own stub displaced it and
///     was linked). A pusher never touches its own item after (a). So the worker may free what it
///     pops. What the pusher wrote into the item happens before (b), a release store, which pop
///     reads with acquire.
///  4. No lost wake. Pusher: (b) store link L, then load `parked_`. Worker: store `parked_`, then
///     load the links. All four are seq_cst, so they have one total order: if the pusher's load
///     misses the worker's store, it comes before it, hence L comes before the worker's load, which
///     sees it, and the worker does not park. Every gap is closed by somebody's (b), so the one who
///     makes an item reachable is always asked. (Operations, not fences: the cost is the same on
///     x86-64 and ThreadSanitizer understands them.)
///
/// Not here: limits. Room in the target's mailbox was reserved before the push (K-83).

#include <atomic>
#include <cstddef>
#include <memory>

namespace perdure::kernel {

/// What one thread writes often and others read lies this far from everything else, in bytes.
inline constexpr std::size_t kCacheLine = 64;

/// What can be pushed to a worker. The worker knows the kinds; the queue only owns and frees.
struct WorkerItem {
    WorkerItem() = default;
    WorkerItem(const WorkerItem&) = delete;
    WorkerItem& operator=(const WorkerItem&) = delete;
    virtual ~WorkerItem() = default;

    /// The queue's, from push to pop.
    std::atomic<WorkerItem*> next{nullptr};
};

class WorkerQueue {
public:
    WorkerQueue() = default;
    WorkerQueue(const WorkerQueue&) = delete;
    WorkerQueue& operator=(const WorkerQueue&) = delete;

    /// Frees what is left. No push may be under way.
    ~WorkerQueue() {
        while (pop()) {
        }
    }

    /// Puts `item`, which must not be null, at the end. Wait-free.
    ///
    /// True: the worker is parked, or about to be, and the caller must unpark it. One pusher per
    /// park is told. Thread: any.
    [[nodiscard]] bool push(std::unique_ptr<WorkerItem> item) {
        link(item.release());
        return parked_.load(std::memory_order_seq_cst) &&
               parked_.exchange(false, std::memory_order_seq_cst);
    }

    /// The oldest item. Null: nothing can be taken now; a push may be half-linked (proof, 2).
    /// Thread: the worker's.
    std::unique_ptr<WorkerItem> pop() {
        WorkerItem* first = tail_;
        WorkerItem* second = first->next.load(std::memory_order_acquire);
        if (first == &stub_) {
            if (second == nullptr) {
                return nullptr;
            }
            tail_ = first = second;
            second = first->next.load(std::memory_order_acquire);
        }
        if (second == nullptr) {
            if (first != head_.load(std::memory_order_acquire)) {
                return nullptr;  // Half-linked behind `first`.
            }
            link(&stub_);
            second = first->next.load(std::memory_order_acquire);
            if (second == nullptr) {
                return nullptr;  // Somebody came before the stub; half-linked as well.
            }
        }
        tail_ = second;
        return std::unique_ptr<WorkerItem>(first);
    }

    /// Announces that the worker is about to park. False: there is something to pop; do not park.
    /// After true the worker parks until it is unparked or a deadline comes, and then calls
    /// `end_park`.
    ///
    /// A half-linked push does not keep the worker awake: its pusher will be told to unpark.
    /// Thread: the worker's.
    [[nodiscard]] bool prepare_park() {
        parked_.store(true, std::memory_order_seq_cst);
        if (!can_pop()) {
            return true;
        }
        end_park();
        return false;
    }

    /// The worker runs again, for whatever reason; pushers need not unpark it. A pusher may have
    /// been told already: the Parker then remembers one unpark, and one later park ends at once.
    /// Thread: the worker's.
    void end_park() { parked_.store(false, std::memory_order_relaxed); }

private:
    void link(WorkerItem* item) {
        item->next.store(nullptr, std::memory_order_relaxed);
        WorkerItem* displaced = head_.exchange(item, std::memory_order_acq_rel);
        displaced->next.store(item, std::memory_order_seq_cst);
    }

    bool can_pop() const {
        if (tail_->next.load(std::memory_order_seq_cst) != nullptr) {
            return true;
        }
        return tail_ != &stub_ && tail_ == head_.load(std::memory_order_seq_cst);
    }

    // Pushers' line, the flag they read, and the worker's own line.
    alignas(kCacheLine) std::atomic<WorkerItem*> head_{&stub_};
    alignas(kCacheLine) std::atomic<bool> parked_{false};
    alignas(kCacheLine) WorkerItem* tail_ = &stub_;
    WorkerItem stub_;
};

}  // namespace perdure::kernel
