#include "kernel/mailbox.h"

#include <utility>

#include "base/check.h"

namespace perdure::kernel {

Room MailboxRoom::reserve(std::size_t bytes) {
    const std::uint64_t messages = messages_.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::uint64_t total = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    const bool alone = messages == 1;
    if (messages > limits_.messages_max || (total > limits_.bytes_max && !alone)) {
        release(1, bytes);
        return Room::Refused;
    }
    const bool past_half = messages > limits_.messages_max / 2 || total > limits_.bytes_max / 2;
    return past_half ? Room::PastHalf : Room::Ample;
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
