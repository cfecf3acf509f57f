#include "kernel/deadline_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace perdure::kernel {
namespace {

MonotonicTime at_ns(std::int64_t count) {
    return MonotonicTime(Nanoseconds(count));
}

std::vector<Deadline*> expired(DeadlineWheel& wheel, std::int64_t now_ns) {
    std::vector<Deadline*> found;
    wheel.expire(at_ns(now_ns), [&](Deadline& deadline) { found.push_back(&deadline); });
    return found;
}

using Found = std::vector<Deadline*>;

TEST(DeadlineWheel, WithoutDeadlinesNothingIsDueAndThereIsNoNext) {
    DeadlineWheel wheel(at_ns(0));
    EXPECT_EQ(wheel.next(), std::nullopt);
    EXPECT_EQ(expired(wheel, 1'000'000'000'000), Found{});
    EXPECT_EQ(wheel.count(), 0u);
}

TEST(DeadlineWheel, DeadlineIsReportedAtItsNanosecondAndNotBefore) {
    DeadlineWheel wheel(at_ns(0));
    Deadline deadline;
    wheel.arm(deadline, at_ns(5'000'000'007));
    EXPECT_EQ(wheel.next(), at_ns(5'000'000'007));
    EXPECT_EQ(expired(wheel, 5'000'000'006), Found{});
    EXPECT_TRUE(deadline.armed());
    EXPECT_EQ(expired(wheel, 5'000'000'007), Found{&deadline});
    EXPECT_FALSE(deadline.armed());
    EXPECT_EQ(wheel.next(), std::nullopt);
}

TEST(DeadlineWheel, EdgesOfEveryLevelAreExact) {
    for (const std::int64_t start : {0L, -3'000'000'001L, (1L << 40) - 1}) {
        for (int bit = 0; bit < 62; ++bit) {
            for (const std::int64_t offset : {-1, 0, 1}) {
                const std::int64_t at = start + (std::int64_t{1} << bit) + offset;
                DeadlineWheel wheel(at_ns(start));
                Deadline deadline;
                Deadline companion;  // Makes the slot one of several trees.
                wheel.arm(companion, at_ns(at + 1));
                wheel.arm(deadline, at_ns(at));
                SCOPED_TRACE(at);
                EXPECT_EQ(wheel.next(), at_ns(at));
                EXPECT_EQ(expired(wheel, at - 1), Found{});
                EXPECT_EQ(wheel.next(), at_ns(at));
                EXPECT_EQ(expired(wheel, at), Found{&deadline});
                wheel.disarm(companion);
            }
        }
    }
}

TEST(DeadlineWheel, WhatIsDueTogetherComesInOrderOfTimeAndThenOfArming) {
    DeadlineWheel wheel(at_ns(0));
    std::array<Deadline, 6> deadlines;
    const std::int64_t late = 9'000'000'000;
    const std::array<std::int64_t, 6> times{late, 70, late, 70, 3'000'000, late};
    for (std::size_t index = 0; index < times.size(); ++index) {
        wheel.arm(deadlines[index], at_ns(times[index]));
    }
    const Found order{&deadlines[1], &deadlines[3], &deadlines[4],
                      &deadlines[0], &deadlines[2], &deadlines[5]};
    EXPECT_EQ(expired(wheel, 10'000'000'000), order);
}

TEST(DeadlineWheel, TimeThatHasPassedIsDueAtTheNextExpire) {
    DeadlineWheel wheel(at_ns(1'000'000'000'000));
    Deadline deadline;
    wheel.arm(deadline, at_ns(7));
    EXPECT_EQ(wheel.next(), at_ns(7));
    EXPECT_EQ(expired(wheel, 1'000'000'000'000), Found{&deadline});
}

TEST(DeadlineWheel, AnEarlierNowReportsOnlyWhatIsDueThen) {
    DeadlineWheel wheel(at_ns(0));
    EXPECT_EQ(expired(wheel, 1'000'000'000), Found{});
    Deadline early;
    Deadline late;
    wheel.arm(late, at_ns(900));
    wheel.arm(early, at_ns(400));
    EXPECT_EQ(expired(wheel, 500), Found{&early});
    EXPECT_EQ(expired(wheel, 900), Found{&late});
}

TEST(DeadlineWheel, TheEndOfTimeNeverFiresButCanBeDisarmed) {
    DeadlineWheel wheel(at_ns(0));
    Deadline never;
    Deadline almost_never;
    wheel.arm(never, MonotonicTime::max());
    EXPECT_EQ(wheel.count(), 1u);
    EXPECT_EQ(wheel.next(), std::nullopt);
    wheel.arm(almost_never, MonotonicTime::max() - Nanoseconds(1));
    EXPECT_EQ(wheel.next(), MonotonicTime::max() - Nanoseconds(1));
    EXPECT_EQ(expired(wheel, std::numeric_limits<std::int64_t>::max()), Found{&almost_never});
    EXPECT_TRUE(never.armed());
    wheel.disarm(never);
    EXPECT_EQ(wheel.count(), 0u);
}

TEST(DeadlineWheel, TheWholeRangeOfTheClockFits) {
    DeadlineWheel wheel(MonotonicTime::min());
    Deadline first;
    Deadline last;
    wheel.arm(last, MonotonicTime::max() - Nanoseconds(1));
    wheel.arm(first, MonotonicTime::min());
    EXPECT_EQ(wheel.next(), MonotonicTime::min());
    EXPECT_EQ(expired(wheel, std::numeric_limits<std::int64_t>::min()), Found{&first});
    EXPECT_EQ(expired(wheel, std::numeric_limits<std::int64_t>::max() - 1), Found{&last});
}

TEST(DeadlineWheel, DisarmedDeadlinesAreNotReportedAndCanBeArmedAgain) {
    DeadlineWheel wheel(at_ns(0));
    Deadline deadline;
    wheel.disarm(deadline);
    wheel.arm(deadline, at_ns(50));
    wheel.disarm(deadline);
    EXPECT_EQ(wheel.next(), std::nullopt);
    EXPECT_EQ(expired(wheel, 100), Found{});
    wheel.arm(deadline, at_ns(150));
    EXPECT_EQ(deadline.at(), at_ns(150));
    EXPECT_EQ(expired(wheel, 150), Found{&deadline});
}

TEST(DeadlineWheel, CallbackMayDisarmWhatIsAlsoDue) {
    DeadlineWheel wheel(at_ns(0));
    Deadline first;
    Deadline second;
    wheel.arm(first, at_ns(10));
    wheel.arm(second, at_ns(11));
    Found found;
    wheel.expire(at_ns(20), [&](Deadline& deadline) {
        found.push_back(&deadline);
        wheel.disarm(second);
    });
    EXPECT_EQ(found, Found{&first});
    EXPECT_EQ(wheel.count(), 0u);
}

TEST(DeadlineWheel, ArmingInACallbackWaitsForTheNextExpireEvenIfItsTimeHasPassed) {
    DeadlineWheel wheel(at_ns(0));
    Deadline repeating;
    Deadline waiting;
    wheel.arm(repeating, at_ns(10));
    wheel.arm(waiting, at_ns(15));
    std::vector<std::optional<MonotonicTime>> next_seen;
    int calls = 0;
    const auto rearm = [&](Deadline& deadline) {
        ++calls;
        wheel.arm(deadline, at_ns(12));
        next_seen.push_back(wheel.next());
    };
    wheel.expire(at_ns(20), rearm);
    EXPECT_EQ(calls, 2);
    const std::vector<std::optional<MonotonicTime>> twice{at_ns(12), at_ns(12)};
    EXPECT_EQ(next_seen, twice);
    EXPECT_EQ(expired(wheel, 20), (Found{&repeating, &waiting}));
}

TEST(DeadlineWheelDeathTest, DestroyingAnArmedDeadlineEndsTheProgram) {
    const auto forget = [] {
        DeadlineWheel wheel(at_ns(0));
        Deadline deadline;
        wheel.arm(deadline, at_ns(1));
    };
    EXPECT_DEATH(forget(), "armed");
}

TEST(DeadlineWheelDeathTest, ExpireInsideExpireEndsTheProgram) {
    const auto expire_twice = [] {
        DeadlineWheel wheel(at_ns(0));
        Deadline first;
        Deadline second;
        wheel.arm(first, at_ns(1));
        wheel.arm(second, at_ns(1));
        wheel.expire(at_ns(1), [&](Deadline&) { expired(wheel, 2); });
    };
    EXPECT_DEATH(expire_twice(), "due_");
}

/// The wheel beside a multimap, which keeps equal keys in order of insertion and so is the promised
/// order.
class ModelTest {
public:
    explicit ModelTest(std::uint64_t seed) : random_(seed), wheel_(at_ns(0)) {}

    void run(int operations) {
        for (int done = 0; done < operations && !testing::Test::HasFailure(); ++done) {
            switch (draw(8)) {
                case 0:
                case 1:
                case 2: arm(draw(kNodes)); break;
                case 3: disarm(draw(kNodes)); break;
                case 4: move_on(); break;
                default: rearm_soon(draw(kNodes)); break;
            }
            check_next();
        }
        for (std::size_t index = 0; index < kNodes; ++index) {
            disarm(index);
        }
        EXPECT_EQ(wheel_.count(), 0u);
    }

private:
    static constexpr std::size_t kNodes = 300;
    using Model = std::multimap<MonotonicTime, std::size_t>;

    std::size_t draw(std::size_t below) { return random_() % below; }

    /// From 0 ns to 2^62 ns from now, every order of magnitude alike; often a few with the same
    /// time.
    MonotonicTime some_time() {
        const std::uint64_t distance = random_() & ((std::uint64_t{1} << draw(63)) - 1);
        const auto room = static_cast<std::uint64_t>((MonotonicTime::max() - now_).count());
        switch (draw(16)) {
            case 0: return MonotonicTime::max();
            case 1: return now_ - std::min(Nanoseconds(distance), now_.time_since_epoch());
            case 2: return last_;
            default: return last_ = now_ + Nanoseconds(std::min(distance, room));
        }
    }

    void arm(std::size_t index) { arm_at(index, some_time()); }
    void rearm_soon(std::size_t index) {
        const auto room = static_cast<std::uint64_t>((MonotonicTime::max() - now_).count());
        arm_at(index, now_ + Nanoseconds(std::min<std::uint64_t>(draw(10'000'000), room)));
    }
    void arm_at(std::size_t index, MonotonicTime at) {
        disarm(index);
        wheel_.arm(nodes_[index], at);
        where_[index] = model_.emplace(at, index);
        armed_[index] = true;
    }
    void disarm(std::size_t index) {
        ASSERT_EQ(nodes_[index].armed(), armed_[index]);
        wheel_.disarm(nodes_[index]);
        if (std::exchange(armed_[index], false)) {
            model_.erase(where_[index]);
        }
    }

    void move_on() {
        if (draw(4) == 0 && !model_.empty() && model_.begin()->first != MonotonicTime::max()) {
            now_ = std::max(now_, model_.begin()->first);
        } else if (now_ < at_ns(std::int64_t{1} << 62)) {
            const std::size_t bits = draw(draw(50) == 0 ? 60 : 36);
            now_ += Nanoseconds(random_() & ((std::uint64_t{1} << bits) - 1));
        }
        std::deque<std::size_t> due = due_in_model();
        wheel_.expire(now_, [&](Deadline& deadline) {
            ASSERT_FALSE(due.empty());
            const std::size_t index = due.front();
            due.pop_front();
            ASSERT_EQ(&deadline, &nodes_[index]);
            ASSERT_TRUE(std::exchange(armed_[index], false));
            model_.erase(where_[index]);
            const std::size_t other = draw(kNodes);
            switch (draw(4)) {
                case 0: arm(index); break;
                case 1:
                    arm(other);
                    std::erase(due, other);
                    break;
                case 2:
                    disarm(other);
                    std::erase(due, other);
                    break;
                default: break;
            }
            check_next();
        });
        ASSERT_TRUE(due.empty());
    }
    std::deque<std::size_t> due_in_model() const {
        std::deque<std::size_t> due;
        for (auto entry = model_.begin(); entry != model_.end() && entry->first <= now_; ++entry) {
            if (entry->first != MonotonicTime::max()) {
                due.push_back(entry->second);
            }
        }
        return due;
    }

    void check_next() {
        ASSERT_EQ(wheel_.count(), model_.size());
        if (draw(2) == 0) {
            return;  // So that also unsorted slots are moved.
        }
        std::optional<MonotonicTime> expected;
        if (!model_.empty() && model_.begin()->first != MonotonicTime::max()) {
            expected = model_.begin()->first;
        }
        ASSERT_EQ(wheel_.next(), expected);
    }

    std::mt19937_64 random_;
    MonotonicTime now_{};
    MonotonicTime last_{};
    std::array<Deadline, kNodes> nodes_;
    std::array<bool, kNodes> armed_{};
    std::array<Model::iterator, kNodes> where_;
    Model model_;
    DeadlineWheel wheel_;
};

TEST(DeadlineWheel, BehavesLikeASortedListOfTimes) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        ModelTest(seed).run(5'000);  // Each soon reaches the far end of the clock.
    }
}

}  // namespace
}  // namespace perdure::kernel
