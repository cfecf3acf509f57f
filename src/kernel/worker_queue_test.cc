#include "kernel/worker_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "kernel/parker.h"

namespace perdure::kernel {
namespace {

struct Numbered final : WorkerItem {
    Numbered(int sender_index, int item_number) : sender(sender_index), number(item_number) {}
    int sender;
    int number;
};

struct Counted final : WorkerItem {
    explicit Counted(int& freed_count) : freed(freed_count) {}
    ~Counted() override { ++freed; }
    int& freed;
};

bool push(WorkerQueue& queue, int sender, int number) {
    return queue.push(std::make_unique<Numbered>(sender, number));
}

std::unique_ptr<Numbered> pop(WorkerQueue& queue) {
    return std::unique_ptr<Numbered>(static_cast<Numbered*>(queue.pop().release()));
}

TEST(WorkerQueue, EmptyQueueHasNothingToPop) {
    WorkerQueue queue;
    EXPECT_EQ(queue.pop(), nullptr);
    EXPECT_EQ(queue.pop(), nullptr);
}

TEST(WorkerQueue, ItemsComeOutInTheOrderOfPushing) {
    WorkerQueue queue;
    int pushed = 0;
    int popped = 0;
    for (const int batch : {1, 2, 1, 5, 3}) {
        for (int index = 0; index < batch; ++index) {
            EXPECT_FALSE(push(queue, 0, pushed++));
        }
        // One stays for the next round, so that taking the last item and taking another mix.
        while (popped < pushed - 1) {
            EXPECT_EQ(pop(queue)->number, popped++);
        }
    }
    EXPECT_EQ(pop(queue)->number, popped);
    EXPECT_EQ(pop(queue), nullptr);
}

TEST(WorkerQueue, WhatIsLeftIsFreedWithTheQueue) {
    int freed = 0;
    {
        WorkerQueue queue;
        for (int index = 0; index < 3; ++index) {
            EXPECT_FALSE(queue.push(std::make_unique<Counted>(freed)));
        }
        queue.pop();
        EXPECT_EQ(freed, 1);
    }
    EXPECT_EQ(freed, 3);
}

TEST(WorkerQueue, ParkingIsRefusedWhileThereIsSomethingToPop) {
    WorkerQueue queue;
    EXPECT_FALSE(push(queue, 0, 0));
    EXPECT_FALSE(queue.prepare_park());
    EXPECT_FALSE(push(queue, 0, 1));  // Nobody is parked.
    pop(queue);
    EXPECT_FALSE(queue.prepare_park());  // The last one, with the stub behind it or not.
    pop(queue);
    EXPECT_TRUE(queue.prepare_park());
}

TEST(WorkerQueue, OnePusherIsToldToWakeAParkedWorker) {
    WorkerQueue queue;
    ASSERT_TRUE(queue.prepare_park());
    EXPECT_TRUE(push(queue, 0, 0));
    EXPECT_FALSE(push(queue, 0, 1));
    queue.end_park();
    EXPECT_FALSE(push(queue, 0, 2));
}

TEST(WorkerQueue, WorkerThatWasWokenByADeadlineNeedsNoWake) {
    WorkerQueue queue;
    ASSERT_TRUE(queue.prepare_park());
    queue.end_park();
    EXPECT_FALSE(push(queue, 0, 0));
}

/// A worker that parks when there is nothing to do and counts what it gets.
class Consumer {
public:
    void send(int sender, int number) {
        if (push(queue_, sender, number)) {
            parker_.unpark();
        }
    }

    template <typename F>
    void take(int count, F&& handle) {
        for (int taken = 0; taken < count;) {
            if (auto item = pop(queue_)) {
                ++taken;
                handle(*item);
            } else if (queue_.prepare_park()) {
                parker_.park_until(std::nullopt);  // A lost wake hangs the test.
                queue_.end_park();
            }
        }
        EXPECT_EQ(queue_.pop(), nullptr);
    }

private:
    WorkerQueue queue_;
    Parker parker_;
};

TEST(WorkerQueue, FourSendersKeepTheirOrderAndLoseNothing) {
    constexpr int kSenders = 4;
    constexpr int kItems = 100'000;
    Consumer consumer;
    std::vector<std::thread> senders;
    for (int sender = 0; sender < kSenders; ++sender) {
        senders.emplace_back([&consumer, sender] {
            for (int number = 0; number < kItems; ++number) {
                consumer.send(sender, number);
            }
        });
    }
    std::array<int, kSenders> expected{};
    consumer.take(kSenders * kItems,
                  [&](const Numbered& item) { ASSERT_EQ(item.number, expected[item.sender]++); });
    for (auto& sender : senders) {
        sender.join();
    }
}

/// K-80: A sends to C and then to B; B, having received that, sends to C; C gets A's first. Others
/// push to C meanwhile.
TEST(WorkerQueue, OrderIsCausalAcrossThreeThreads) {
    constexpr int kRounds = 30'000;
    constexpr int kFromA = 0;
    constexpr int kFromB = 1;
    Consumer b;
    Consumer c;
    std::thread thread_a([&] {
        for (int round = 0; round < kRounds; ++round) {
            c.send(kFromA, round);
            b.send(kFromA, round);
        }
    });
    std::thread thread_b(
        [&] { b.take(kRounds, [&](const Numbered& item) { c.send(kFromB, item.number); }); });
    int seen_from_a = -1;
    int seen_from_b = -1;
    c.take(2 * kRounds, [&](const Numbered& item) {
        if (item.sender == kFromA) {
            ASSERT_EQ(item.number, ++seen_from_a);
        } else {
            ASSERT_EQ(item.number, ++seen_from_b);
            ASSERT_GE(seen_from_a, item.number);
        }
    });
    thread_a.join();
    thread_b.join();
}

/// Every round begins with a worker that is parked or about to be: the race of prepare_park and
/// push.
TEST(WorkerQueue, NoWakeIsLostBetweenLookingAndParking) {
    constexpr int kRounds = 30'000;
    Consumer left;
    Consumer right;
    std::thread thread(
        [&] { right.take(kRounds, [&](const Numbered& item) { left.send(0, item.number); }); });
    right.send(0, 0);
    left.take(kRounds, [&](const Numbered& item) {
        if (item.number + 1 < kRounds) {
            right.send(0, item.number + 1);
        }
    });
    thread.join();
}

}  // namespace
}  // namespace perdure::kernel
