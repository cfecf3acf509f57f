#include "kernel/deadline_wheel.h"

#include <bit>
#include <utility>

namespace perdure::kernel {

DeadlineWheel::DeadlineWheel(MonotonicTime start) : step_(step_of(start)) {}

DeadlineWheel::~DeadlineWheel() {
    CHECK(count_ == 0, count_);
}

/// Steps count from the earliest time there is, so that times before the clock's zero order like
/// all others.
std::uint64_t DeadlineWheel::step_of(MonotonicTime at) {
    const auto bits = static_cast<std::uint64_t>(at.time_since_epoch().count());
    return (bits ^ (std::uint64_t{1} << 63)) >> kStepBits;
}

bool DeadlineWheel::before(const Deadline& left, const Deadline& right) {
    return left.at_ != right.at_ ? left.at_ < right.at_ : left.order_ < right.order_;
}

void DeadlineWheel::append(Ring& ring, Ring& node) {
    node.previous = ring.previous;
    node.next = &ring;
    node.previous->next = &node;
    ring.previous = &node;
}

/// Moves everything in `from`, a ring seen from outside, to just before `place`.
void DeadlineWheel::splice(Ring& from, Ring& place) {
    if (from.alone()) {
        return;
    }
    from.next->previous = place.previous;
    from.previous->next = &place;
    place.previous->next = from.next;
    place.previous = from.previous;
    from.next = from.previous = &from;
}

void DeadlineWheel::unlink(Ring& node) {
    node.previous->next = node.next;
    node.next->previous = node.previous;
    node.next = node.previous = &node;
}

/// Makes the later of two neighbouring trees the first child of the earlier one, which keeps its
/// place (invariant 1).
DeadlineWheel::Ring* DeadlineWheel::meld(Ring* left, Ring* right) {
    if (before(node(right), node(left))) {
        std::swap(left, right);
    }
    unlink(*right);
    append(*node(left).children_.next, *right);
    return left;
}

/// The smallest node of a ring of trees, which is one tree afterwards; null for an empty ring.
Deadline* DeadlineWheel::smallest(Ring& trees) {
    if (trees.alone()) {
        return nullptr;
    }
    // Two passes as in a pairing heap: neighbours from the left, then everything from the right.
    for (Ring* left = trees.next; left != &trees && left->next != &trees;) {
        left = meld(left, left->next)->next;
    }
    while (trees.next != trees.previous) {
        meld(trees.previous->previous, trees.previous);
    }
    return &node(trees.next);
}

void DeadlineWheel::arm(Deadline& deadline, MonotonicTime at) {
    CHECK(!deadline.armed());
    deadline.at_ = at;
    deadline.order_ = ++armed_ever_;
    ++count_;
    if (at == MonotonicTime::max()) {
        append(never_, deadline);
    } else {
        place(deadline);
    }
}

/// Needs no knowledge of where the node is: its children are not before its parent either
/// (invariant 1), and a bit of `occupied` that is left behind does no harm (invariant 3).
void DeadlineWheel::disarm(Deadline& deadline) {
    if (!deadline.armed()) {
        return;
    }
    splice(deadline.children_, deadline);
    unlink(deadline);
    --count_;
}

void DeadlineWheel::place(Deadline& deadline) {
    const std::uint64_t step = step_of(deadline.at_);
    if (step <= step_) {
        append(current_, deadline);
        return;
    }
    const int level = (63 - std::countl_zero(step ^ step_)) / kDigitBits;
    const auto slot = (step >> (level * kDigitBits)) % kSlots;
    append(levels_[level].slots[slot], deadline);
    levels_[level].occupied |= std::uint64_t{1} << slot;
}

/// Keeps invariant 2 while `step_` moves on.
void DeadlineWheel::advance(std::uint64_t step) {
    if (step <= step_) {
        return;
    }
    const int top = (63 - std::countl_zero(step ^ step_)) / kDigitBits;
    const auto reached = (step >> (top * kDigitBits)) % kSlots;
    step_ = step;
    for (int index = 0; index <= top; ++index) {
        Level& level = levels_[index];
        const std::uint64_t passed =
            index < top ? ~std::uint64_t{0} : (std::uint64_t{1} << reached) - 1;
        for (std::uint64_t bits = level.occupied & passed; bits != 0; bits &= bits - 1) {
            splice(level.slots[std::countr_zero(bits)], current_);
        }
        level.occupied &= ~passed;
    }
    levels_[top].occupied &= ~(std::uint64_t{1} << reached);
    spread(levels_[top].slots[reached]);
}

/// Places every node of `slot` anew: on a lower level or in `current_`, since `step_` has entered
/// its slot.
void DeadlineWheel::spread(Ring& slot) {
    Ring trees;
    splice(slot, trees);
    while (!trees.alone()) {
        Deadline& deadline = node(trees.next);
        splice(deadline.children_, trees);
        unlink(deadline);
        place(deadline);
    }
}

void DeadlineWheel::collect(MonotonicTime now) {
    CHECK(due_.alone());  // Invariant 4.
    advance(step_of(now));
    for (Deadline* first = smallest(current_); first && first->at_ <= now;
         first = smallest(current_)) {
        splice(first->children_, *first);
        unlink(*first);
        append(due_, *first);
    }
}

Deadline* DeadlineWheel::earliest() {
    Deadline* first = first_due();
    Deadline* current = smallest(current_);
    if (first || current) {
        return !first || (current && before(*current, *first)) ? current : first;
    }
    for (Level& level : levels_) {
        for (; level.occupied != 0; level.occupied &= level.occupied - 1) {
            if (Deadline* found = smallest(level.slots[std::countr_zero(level.occupied)])) {
                return found;
            }
        }
    }
    return nullptr;
}

std::optional<MonotonicTime> DeadlineWheel::next() {
    const Deadline* first = earliest();
    return first ? std::optional(first->at_) : std::nullopt;
}

}  // namespace perdure::kernel
