#pragma once

/// What waits for a process: a bounded, ordered list that only its worker touches, and the counters
/// by which everybody else reserves room in it before pushing (K-83).

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "kernel/envelope.h"

namespace perdure::kernel {

struct MailboxLimits {
    std::uint64_t messages_max = 100'000;  ///< `mailbox_messages_max`
    std::uint64_t bytes_max =
        64ULL << 20;  ///< `mailbox_bytes_max`: bodies, metadata and blobs of what waits
};

/// How a reservation went.
enum class Room : std::uint8_t {
    Ample,     ///< Taken; at most half of both bounds is in use.
    PastHalf,  ///< Taken; the sender's slice ends early (back-pressure).
    Refused,   ///< Not taken: the message would pass a bound.
};

/// The two counters of one mailbox. They count what is reserved, so whatever was reserved has room
/// when it arrives. Thread: any.
class MailboxRoom {
public:
    explicit MailboxRoom(MailboxLimits limits) : limits_(limits) {}

    /// Room for a message that may be refused. One above the byte bound is taken when nothing
    /// waits; a place that is reserved for an outcome is not something that waits.
    Room reserve(std::size_t bytes);
    /// The place of an outcome that was asked for, taken at sending (K-263).
    void reserve_outcome();
    /// The outcome is there; it needs its bytes beside its place.
    void take_outcome(std::size_t bytes);
    /// Gives back the places of outcomes that nobody waits for any more.
    void forget_outcomes(std::uint64_t count);
    /// What is always taken without having been asked for: an exit request (K-264), a Response to a
    /// module.
    void take_always(std::uint64_t messages, std::size_t bytes);
    void release(std::uint64_t messages, std::size_t bytes);

    std::uint64_t messages() const { return messages_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    /// More than half of either bound is in use: whoever sends here ends its slice.
    bool past_half() const {
        return messages() > limits_.messages_max / 2 || bytes() > limits_.bytes_max / 2;
    }
    bool above_byte_bound() const { return bytes() > limits_.bytes_max; }

private:
    const MailboxLimits limits_;
    std::atomic<std::uint64_t> messages_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> outcomes_{0};  ///< Of `messages_`, those that are not there yet.
};

/// The list itself. Every element's room was reserved in `room` before `push`; `take` gives it
/// back. Thread: the owner's worker.
class Mailbox {
public:
    explicit Mailbox(MailboxRoom& room) : room_(room) {}
    ~Mailbox();
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    void push(std::unique_ptr<Envelope> envelope);
    /// The oldest element, or null.
    std::unique_ptr<Envelope> take();
    /// Discards everything that waits (K-148).
    void clear();
    bool empty() const { return first_ == nullptr; }

private:
    MailboxRoom& room_;
    std::unique_ptr<Envelope> first_;
    Envelope* last_ = nullptr;
};

}  // namespace perdure::kernel
