#pragma once

/// Where what leaves the node waits for the log (K-267): an output goes on only when everything its
/// cause has seen is on disk. Nothing else holds anything up: local messages never come here.
///
/// The gate opens in number order. Its mark moves only after everything that waited for smaller
/// numbers has been handed on, so an output that finds the mark high enough can go at once without
/// overtaking anything: one comparison.
///
/// Invariants:
///  1. `opened` never runs while its number is above the durable number last given to `open()`.
///  2. Outputs run in number order, those of one number in order of arrival.
///  3. After `shut()` nothing runs any more, whatever its number (fail closed).

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/guarded.h"
#include "base/sequence.h"

namespace perdure {

class Gate {
public:
    /// Runs when the gate opens. It must be cheap (post to a worker or to io) and must not call
    /// `open`.
    using Opened = std::function<void()>;

    Gate() = default;
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    /// Runs `opened` once everything up to `number` is durable: at once, on the calling thread,
    /// when it is already; otherwise later on the committer's. After `shut()` it is dropped.
    /// Thread: any.
    void pass(SequenceNumber number, Opened opened) {
        if (number.value < limit_.load(std::memory_order_acquire)) {
            opened();
            return;
        }
        wait(number, std::move(opened));
    }

    /// True when an output of `number` would leave at once. Thread: any.
    bool is_open(SequenceNumber number) const {
        return number.value < limit_.load(std::memory_order_acquire);
    }

    /// Everything up to `durable` is on disk: runs what waited for it, in order, then moves the
    /// mark. Thread: the committer's.
    void open(SequenceNumber durable);

    /// Nothing leaves any more; what waits is dropped (failed sync, end of the node). Thread: any,
    /// once or more.
    void shut();

    /// Outputs that wait. Thread: any.
    std::size_t waiting_count() const;

    /// Outputs of one connection, channel, file or terminal: they keep their order among
    /// themselves, so one that could go waits behind one that cannot. Closing it (its destructor)
    /// drops what still waits. Thread: one at a time; it may be destroyed on another thread than
    /// the one that opens the gate.
    class Channel {
    public:
        explicit Channel(Gate& gate) : gate_(gate), shared_(std::make_shared<Shared>()) {}
        ~Channel() { shared_->closed.store(true, std::memory_order_release); }
        Channel(const Channel&) = delete;
        Channel& operator=(const Channel&) = delete;

        /// Gives `output` to `deliver(T&&)` once its number is durable and everything sent before
        /// has been delivered. `bytes` counts in `waiting_bytes()` meanwhile.
        template <typename T, typename F>
        void send(Seen<T> output, std::size_t bytes, F deliver) {
            last_ = std::max(last_, output.number_);
            if (gate_.is_open(last_)) {
                deliver(std::move(output.value_));
                return;
            }
            shared_->bytes.fetch_add(bytes, std::memory_order_relaxed);
            shared_->count.fetch_add(1, std::memory_order_relaxed);
            // A shared owner, because std::function wants copies and outputs may only be movable.
            auto held =
                std::make_shared<std::pair<T, F>>(std::move(output.value_), std::move(deliver));
            gate_.pass(last_, [shared = shared_, held = std::move(held), bytes] {
                shared->bytes.fetch_sub(bytes, std::memory_order_relaxed);
                shared->count.fetch_sub(1, std::memory_order_relaxed);
                if (!shared->closed.load(std::memory_order_acquire)) {
                    held->second(std::move(held->first));
                }
            });
        }

        /// What waits in this channel: the owner holds it against its own bounds. Thread: any.
        std::size_t waiting_bytes() const { return shared_->bytes.load(std::memory_order_relaxed); }
        std::size_t waiting_count() const { return shared_->count.load(std::memory_order_relaxed); }

    private:
        // Shared with outputs that wait in the gate: either may go first.
        struct Shared {
            std::atomic<bool> closed{false};
            std::atomic<std::size_t> bytes{0};
            std::atomic<std::size_t> count{0};
        };
        Gate& gate_;
        std::shared_ptr<Shared> shared_;
        SequenceNumber last_;
    };

private:
    using Waiting =
        std::multimap<SequenceNumber, Opened>;  // equal numbers keep their order of arrival

    struct Inside {
        Waiting waiting;
        SequenceNumber durable;  // what `open` was given last; at or above the mark
        bool shut = false;
    };

    void wait(SequenceNumber number, Opened opened);

    std::atomic<std::uint64_t> limit_{
        1};  // the mark plus one; 0 when shut, so that even number 0 waits
    Guarded<Inside> inside_;
};

}  // namespace perdure
