#include "kernel/parker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace perdure::kernel {
namespace {

MonotonicTime soon() {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
}

TEST(Parker, UnparkBeforeParkIsRemembered) {
    Parker parker;
    parker.unpark();
    parker.park_until(std::nullopt);  // Returns, or the test hangs.
}

TEST(Parker, TimeEndsAPark) {
    Parker parker;
    const MonotonicTime until = soon();
    int parks = 0;
    for (; std::chrono::steady_clock::now() < until; ++parks) {
        parker.park_until(until);
    }
    EXPECT_LE(parks, 1000);  // It sleeps; it does not spin.
}

TEST(Parker, TimeThatHasPassedDoesNotPark) {
    Parker parker;
    parker.park_until(MonotonicTime{});
    parker.park_until(MonotonicTime(Nanoseconds(-5)));
    parker.park_until(MonotonicTime::min());
}

TEST(Parker, TokenLeftDuringATimedOutParkEndsTheNextOne) {
    Parker parker;
    parker.park_until(MonotonicTime{});
    parker.unpark();
    parker.unpark();  // Counts once.
    parker.park_until(MonotonicTime::max());
    parker.park_until(MonotonicTime{});
}

TEST(Parker, UnparkWakesAThreadThatSleepsWithoutEnd) {
    Parker parker;
    std::atomic<bool> told{false};
    std::thread owner([&] {
        while (!told.load(std::memory_order_acquire)) {
            parker.park_until(std::nullopt);
        }
    });
    told.store(true, std::memory_order_release);
    parker.unpark();
    owner.join();
}

/// Every hand-over goes through one park and one unpark on either side; a lost token would hang it.
TEST(Parker, TwoThreadsHandOverWithoutLosingAToken) {
    constexpr int kRounds = 20'000;
    Parker left;
    Parker right;
    std::atomic<int> ball{0};  // Even: left's turn.
    int touched = 0;           // Plain: ordered by `ball` alone.
    const auto play = [&](Parker& mine, Parker& other, int parity) {
        for (int round = parity; round < kRounds; round += 2) {
            while (ball.load(std::memory_order_acquire) != round) {
                mine.park_until(std::nullopt);
            }
            ++touched;
            ball.store(round + 1, std::memory_order_release);
            other.unpark();
        }
    };
    std::thread thread([&] { play(right, left, 1); });
    play(left, right, 0);
    thread.join();
    EXPECT_EQ(touched, kRounds);
}

}  // namespace
}  // namespace perdure::kernel
