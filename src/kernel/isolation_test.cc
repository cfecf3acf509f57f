/// Computing neighbours on the virtual clock: how soon others run (K-260, deterministic form).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

/// All on one worker, whose guests move the clock on by one tick of computing at a time.
class Isolation : public Scenario {
protected:
    static constexpr Nanoseconds kEnd = std::chrono::milliseconds(500);

    /// Computes until the end, and keeps the longest time between two of its ticks.
    Script computes(Nanoseconds& longest_pause) {
        return [this, &longest_pause](mock::Api& api) -> mock::Script {
            Nanoseconds last = now();
            while (now() < kEnd) {
                longest_pause = std::max(longest_pause, now() - last);
                world.clock().advance(kMillisecond);
                last = now();
                co_await api.spin(1);
            }
        };
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Isolation, ::testing::Values(1), worker_name);

TEST_P(Isolation, CK156_AWokenProcessRunsAtTheNextTickOfAComputingOne) {
    Nanoseconds pause{0};
    Nanoseconds latest{0};
    std::uint64_t rounds = 0;
    add("computing", computes(pause));
    add("pong", echo);
    add("ping", [&](mock::Api& api) -> mock::Script {
        // Every 5 ms a round trip, counted from when it was meant to begin.
        for (Nanoseconds at = 5 * kMillisecond; at < kEnd; at += 5 * kMillisecond) {
            co_await until(api, at);
            const mock::Send send = ask("pong", "ping", 1);
            co_await api.send_and_await(send);
            latest = std::max(latest, now() - at);
            ++rounds;
        }
    });
    go_together();
    EXPECT_EQ(rounds, 99U);
    EXPECT_LE(latest, kMillisecond);
    EXPECT_LE(pause, 2 * kMillisecond);
}

TEST_P(Isolation, CK156_OfManyComputingOnesEachRunsAgainWithinItsShare) {
    constexpr std::size_t kComputing = 4;
    std::vector<Nanoseconds> pauses(kComputing, Nanoseconds(0));
    for (std::size_t index = 0; index < kComputing; ++index) {
        add("computing" + std::to_string(index), computes(pauses[index]));
    }
    // A pair that is busy all the time: each of its messages takes a tenth of a tick.
    const auto busy = [this](const char* other, bool begins) -> Script {
        return [this, other, begins](mock::Api& api) -> mock::Script {
            const mock::Send send = tell(other, "ball");
            if (begins) {
                co_await api.send_request(send);
            }
            while (now() < kEnd) {
                co_await api.receive();
                world.clock().advance(kMillisecond / 10);
                co_await api.send_request(send);
            }
        };
    };
    add("left", busy("right", false));
    add("right", busy("left", true));
    go_together();
    for (const Nanoseconds pause : pauses) {
        EXPECT_GT(pause, Nanoseconds(0));
        EXPECT_LE(pause, kComputing * 6 * kMillisecond);
    }
}

}  // namespace
}  // namespace perdure::kernel
