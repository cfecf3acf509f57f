#include "kernel/mailbox.h"

#include <utility>

#include "base/check.h"

namespace perdure::kernel {

Room MailboxRoom::reserve(std::size_t bytes) {
    const std::uint64_t messages = messages_.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::uint64_t total = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    const bool alone = messages <= 1 + outcomes_.load(std::memory_order_relaxed);
    if (messages > limits_.messages_max || (total > limits_.bytes_max && !alone)) {
        release(1, bytes);
        return Room::Refused;
    }
    return past_half() ? Room::PastHalf : Room::Ample;
}

void MailboxRoom::reserve_outcome() {
    // This order, and the opposite one when they end: a look in between sees too many outcomes,
    // never too few.
    outcomes_.fetch_add(1, std::memory_order_relaxed);
    messages_.fetch_add(1, std::memory_order_relaxed);
}

void MailboxRoom::take_outcome(std::size_t bytes) {
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    outcomes_.fetch_sub(1, std::memory_order_relaxed);
}

void MailboxRoom::forget_outcomes(std::uint64_t count) {
    release(count, 0);
    outcomes_.fetch_sub(count, std::memory_order_relaxed);
}

void MailboxRoom::take_always(std::uint64_t messages, std::size_t bytes) {
    messages_.fetch_add(messages, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void MailboxRoom::release(std::uint64_t messages, std::size_t bytes) {
    const std::uint64_t had_messages = messages_.fetch_sub(messages, std::memory_order_relaxed);
    const std::uint64_t had_bytes = bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    CHECK(had_messages >= messages && had_bytes >= bytes, "released more than was reserved");
}

Mailbox::~Mailbox() {
    clear();
}

void Mailbox::push(std::unique_ptr<Envelope> envelope) {
    Envelope* added = envelope.get();
    if (last_ == nullptr) {
        first_ = std::move(envelope);
    } else {
        last_->next_waiting = std::move(envelope);
    }
    last_ = added;
}

std::unique_ptr<Envelope> Mailbox::take() {
    std::unique_ptr<Envelope> taken = std::move(first_);
    if (taken == nullptr) {
        return nullptr;
    }
    first_ = std::move(taken->next_waiting);
    if (first_ == nullptr) {
        last_ = nullptr;
    }
    room_.release(1, taken->counted_bytes());
    return taken;
}

void Mailbox::clear() {
    while (take() != nullptr) {
    }
}

}  // namespace perdure::kernel
