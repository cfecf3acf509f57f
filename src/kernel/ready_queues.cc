#include "kernel/ready_queues.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace perdure::kernel {
namespace {

/// What a run takes of a turn at least, so that a turn ends whatever the clock says.
constexpr Nanoseconds kLeastOfTurn = std::chrono::microseconds(1);

}  // namespace

ReadyNode::~ReadyNode() {
    CHECK(phase_ == Phase::Waiting);
}

void ReadyList::push_back(ReadyNode& node) {
    node.previous_ = last_;
    node.next_ = nullptr;
    (last_ ? last_->next_ : first_) = &node;
    last_ = &node;
    ++count_;
}

void ReadyList::push_front(ReadyNode& node) {
    node.previous_ = nullptr;
    node.next_ = first_;
    (first_ ? first_->previous_ : last_) = &node;
    first_ = &node;
    ++count_;
}

void ReadyList::remove(ReadyNode& node) {
    (node.previous_ ? node.previous_->next_ : first_) = node.next_;
    (node.next_ ? node.next_->previous_ : last_) = node.previous_;
    node.previous_ = node.next_ = nullptr;
    --count_;
}

ReadyQueues::~ReadyQueues() {
    CHECK(empty() && running_ == nullptr);
}

void ReadyQueues::wake(ReadyNode& node) {
    switch (node.phase_) {
        case ReadyNode::Phase::Waiting:
            node.phase_ = ReadyNode::Phase::Interactive;
            interactive_.push_back(node);
            return;
        case ReadyNode::Phase::Running: node.woken_ = true; return;
        case ReadyNode::Phase::Interactive:
        case ReadyNode::Phase::Batch: return;  // It has not waited: nothing to wake.
    }
}

/// The share does not count after a batch turn (invariant 4): otherwise a batch process that had
/// just given way at a tick could be followed by another one, and the woken process would wait for
/// a second tick.
bool ReadyQueues::batch_is_next() const {
    if (interactive_.empty() || batch_.empty()) {
        return !batch_.empty();
    }
    if (turn_left_ > Nanoseconds(0) && !ticked_) {
        return true;
    }
    // Right behind a tick a turn has a whole slice; the next tick may come too late for that.
    const Nanoseconds share = ticked_ ? kInteractiveShare - kSlice : kInteractiveShare;
    return !ran_as_batch_ && interactive_work_ >= share;
}

ReadyNode* ReadyQueues::take(MonotonicTime now) {
    CHECK(running_ == nullptr);  // Invariant 2.
    if (empty()) {
        return nullptr;
    }
    if (batch_.empty()) {
        interactive_work_ = Nanoseconds(0);
    }
    ran_as_batch_ = batch_is_next();
    if (!ran_as_batch_ || interactive_.empty()) {
        turn_left_ = Nanoseconds(0);
    } else if (turn_left_ == Nanoseconds(0)) {
        turn_left_ = kSlice;
    }
    ticked_ = false;
    ReadyList& queue = ran_as_batch_ ? batch_ : interactive_;
    running_ = queue.first();
    CHECK(running_->batch_ == ran_as_batch_);  // Invariant 3.
    queue.remove(*running_);
    running_->phase_ = ReadyNode::Phase::Running;
    run_started_ = now;
    return running_;
}

Nanoseconds ReadyQueues::used(const ReadyNode& node, MonotonicTime now) const {
    return node.used_ + std::max(now - run_started_, Nanoseconds(0));
}

TickDecision ReadyQueues::on_tick(MonotonicTime now) {
    CHECK(running_ != nullptr);
    const bool used_up = used(*running_, now) >= kSlice;
    running_->batch_ = running_->batch_ || used_up;
    const bool gives_way = running_->batch_ && !interactive_.empty();
    if (gives_way) {
        turn_left_ = Nanoseconds(0);
    }
    return gives_way || (used_up && !batch_.empty()) ? TickDecision::Yield : TickDecision::Continue;
}

/// Batch processes have turns of a slice together: many short runs of processes that crash one
/// after the other hold an interactive one up once and not each time. A turn mostly ends before
/// its slice, at the next tick. So each run makes up for four times its own length and not for the
/// whole share, and the next turn comes the sooner: over time batch processes get their fifth.
void ReadyQueues::end_run(ReadyNode& node, MonotonicTime now) {
    CHECK(running_ == &node);  // Invariant 2.
    running_ = nullptr;
    node.phase_ = ReadyNode::Phase::Waiting;
    const Nanoseconds used = std::max(now - run_started_, Nanoseconds(0));
    if (ran_as_batch_) {
        const Nanoseconds taken = std::clamp(used, kLeastOfTurn, kSlice);
        const Nanoseconds made_up = taken * (kInteractiveShare / kSlice);
        interactive_work_ = std::max(interactive_work_ - made_up, Nanoseconds(0));
        turn_left_ = std::max(turn_left_ - taken, Nanoseconds(0));
    } else if (!batch_.empty()) {
        // Capped: what batch processes missed long ago does not count for ever.
        interactive_work_ += std::min(used, kInteractiveShare - interactive_work_);
    }
}

void ReadyQueues::blocked(ReadyNode& node, MonotonicTime now) {
    end_run(node, now);
    node.batch_ = false;
    node.used_ = Nanoseconds(0);
    if (std::exchange(node.woken_, false)) {
        wake(node);
    }
}

/// Also a batch process that gave way goes to the end: at the front it would be taken again and
/// again with a fresh slice while interactive ones come and go, and those behind it would never
/// run. At the end, each of b runs once in b batch runs: of at most 1 ms if it gives way, 4 ms of
/// interactive work and the rest of a slice until the next.
void ReadyQueues::yielded(ReadyNode& node, MonotonicTime now) {
    end_run(node, now);
    node.batch_ = true;
    node.woken_ = false;
    node.used_ = Nanoseconds(0);
    node.phase_ = ReadyNode::Phase::Batch;
    batch_.push_back(node);
}

/// As batch it would wait for a slice of each batch process, because a message for somebody else
/// came at the wrong moment. It cannot go on for ever this way: what it has used is kept.
void ReadyQueues::interrupted(ReadyNode& node, MonotonicTime now) {
    const Nanoseconds used_so_far = used(node, now);
    if (node.batch_ || used_so_far >= kSlice) {
        yielded(node, now);
        return;
    }
    end_run(node, now);
    node.woken_ = false;
    node.used_ = used_so_far;
    node.phase_ = ReadyNode::Phase::Interactive;
    interactive_.push_front(node);
}

void ReadyQueues::remove(ReadyNode& node, MonotonicTime now) {
    switch (node.phase_) {
        case ReadyNode::Phase::Waiting: return;
        case ReadyNode::Phase::Running: end_run(node, now); break;
        case ReadyNode::Phase::Interactive: interactive_.remove(node); break;
        case ReadyNode::Phase::Batch: batch_.remove(node); break;
    }
    node.phase_ = ReadyNode::Phase::Waiting;
    node.batch_ = false;
    node.woken_ = false;
    node.used_ = Nanoseconds(0);
}

}  // namespace perdure::kernel
