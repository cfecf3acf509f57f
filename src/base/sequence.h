#pragma once

/// Places in the node's one log, and values that remember which place they depend on.
///
/// The rule they serve is external synchrony (K-243, K-265 to K-267): whoever learns of a change
/// carries its number, and nothing leaves the node before everything its cause has seen is on disk.

#include <compare>
#include <cstdint>
#include <ostream>
#include <type_traits>
#include <utility>

namespace perdure {

/// The place of one entry in the log: 1 is the first, 0 stands for "depends on nothing". Never
/// given out twice (K-270).
struct SequenceNumber {
    std::uint64_t value = 0;

    friend auto operator<=>(SequenceNumber, SequenceNumber) = default;
    friend std::ostream& operator<<(std::ostream& out, SequenceNumber number) {
        return out << number.value;
    }
};

/// What an entry depends on that the log has refused because it has ended: no output of it ever
/// leaves.
inline constexpr SequenceNumber kNeverDurable{UINT64_MAX};

/// Somebody who learns of durable changes: a process instance, a message under way, an output.
///
/// Invariant: `seen()` never goes down. Thread: the owner's.
class Causality {
public:
    Causality() = default;
    explicit Causality(SequenceNumber seen) : seen_(seen) {}

    void learn(SequenceNumber number) {
        if (seen_ < number) {
            seen_ = number;
        }
    }
    SequenceNumber seen() const { return seen_; }

private:
    SequenceNumber seen_;
};

/// A value together with the newest entry it depends on. It cannot be unwrapped without naming who
/// learns it, so a forgotten dependency does not compile (K-265). "Not there" and listings are
/// values too.
template <typename T>
class [[nodiscard]] Seen {
public:
    Seen(T value, SequenceNumber number) : value_(std::move(value)), number_(number) {}

    /// Hands the value over to `learner`, which depends on its number from now on.
    T tell(Causality& learner) && {
        learner.learn(number_);
        return std::move(value_);
    }

    /// The number alone: telling it away reveals nothing of the value.
    SequenceNumber number() const { return number_; }

    /// A value derived from this one depends on the same number.
    template <typename F>
    auto map(F&& derive) && -> Seen<std::invoke_result_t<F, T&&>> {
        return {std::forward<F>(derive)(std::move(value_)), number_};
    }

    /// For the one place where values leave: the gate, once `number()` is durable.
    friend class Gate;

private:
    T value_;
    SequenceNumber number_;
};

}  // namespace perdure
