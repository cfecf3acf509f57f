#include "storage/gate.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace perdure {
namespace {

using Order = std::vector<std::uint64_t>;

TEST(Gate, LetsThroughAtOnceWhatDependsOnNothing) {
    Gate gate;
    bool left = false;
    gate.pass({0}, [&] { left = true; });
    EXPECT_TRUE(left);
    EXPECT_TRUE(gate.is_open({0}));
    EXPECT_FALSE(gate.is_open({1}));
}

TEST(Gate, HoldsAnOutputUntilItsNumberIsDurable) {
    Gate gate;
    bool left = false;
    gate.pass({2}, [&] { left = true; });
    gate.open({1});
    EXPECT_FALSE(left);
    EXPECT_EQ(gate.waiting_count(), 1u);
    gate.open({2});
    EXPECT_TRUE(left);
    EXPECT_EQ(gate.waiting_count(), 0u);
}

TEST(Gate, OpensInNumberOrderAndEqualNumbersInOrderOfArrival) {
    Gate gate;
    Order order;
    gate.pass({3}, [&] { order.push_back(30); });
    gate.pass({1}, [&] { order.push_back(10); });
    gate.pass({3}, [&] { order.push_back(31); });
    gate.pass({2}, [&] { order.push_back(20); });
    gate.open({3});
    EXPECT_EQ(order, (Order{10, 20, 30, 31}));
}

TEST(Gate, AnOutputSentWhileItOpensDoesNotOvertakeWhatWaited) {
    Gate gate;
    Order order;
    gate.pass({1}, [&] {
        order.push_back(1);
        gate.pass({2}, [&] { order.push_back(22); });  // the mark has not moved yet
    });
    gate.pass({2}, [&] { order.push_back(2); });
    gate.open({2});
    EXPECT_EQ(order, (Order{1, 2, 22}));
    EXPECT_TRUE(gate.is_open({2}));
}

TEST(Gate, LetsNothingOutOnceItIsShut) {
    Gate gate;
    int left = 0;
    auto owned = std::make_shared<int>(0);
    gate.pass({1}, [&left, owned] { ++left; });
    gate.shut();
    EXPECT_EQ(owned.use_count(), 1) << "what waited is dropped";
    gate.pass({0}, [&] { ++left; });
    gate.open({1});
    gate.pass({1}, [&] { ++left; });
    EXPECT_EQ(left, 0);
}

TEST(GateChannel, KeepsItsOrderAlsoForOutputsThatCouldGo) {
    Gate gate;
    Gate::Channel channel(gate);
    std::vector<std::string> lines;
    const auto print = [&](std::string line) { lines.push_back(std::move(line)); };
    channel.send(Seen<std::string>("before", {0}), 6, print);
    EXPECT_EQ(lines, (std::vector<std::string>{"before"}));
    channel.send(Seen<std::string>("saved", {1}), 5, print);
    channel.send(Seen<std::string>("after", {0}), 5, print);
    EXPECT_EQ(lines.size(), 1u);
    EXPECT_EQ(channel.waiting_bytes(), 10u);
    EXPECT_EQ(channel.waiting_count(), 2u);
    gate.open({1});
    EXPECT_EQ(lines, (std::vector<std::string>{"before", "saved", "after"}));
    EXPECT_EQ(channel.waiting_bytes(), 0u);
}

TEST(GateChannel, DoesNotHoldUpAnother) {
    Gate gate;
    Gate::Channel slow(gate);
    Gate::Channel fast(gate);
    int left = 0;
    slow.send(Seen<int>(1, {5}), 0, [](int) {});
    fast.send(Seen<int>(2, {0}), 0, [&](int value) { left = value; });
    EXPECT_EQ(left, 2);
}

TEST(GateChannel, DropsWhatWaitsWhenItCloses) {
    Gate gate;
    int left = 0;
    {
        Gate::Channel channel(gate);
        channel.send(Seen<std::unique_ptr<int>>(std::make_unique<int>(1), {1}), 0,
                     [&](std::unique_ptr<int>) { ++left; });
    }
    gate.open({1});
    EXPECT_EQ(left, 0);
}

TEST(Gate, NumberOrderHoldsWhileOthersPass) {
    // Outputs of rising numbers from one thread leave in rising order, whichever way each of them
    // takes.
    Gate gate;
    Guarded<Order> order;
    constexpr std::uint64_t kLast = 20'000;
    std::thread opener([&] {
        for (std::uint64_t number = 0; number <= kLast; number += 7) {
            gate.open({number});
        }
        gate.open({kLast});
    });
    for (std::uint64_t number = 1; number <= kLast; ++number) {
        gate.pass({number}, [&order, number] { order.lock()->push_back(number); });
    }
    opener.join();
    const Order& left = *order.lock();
    ASSERT_EQ(left.size(), kLast);
    EXPECT_TRUE(std::is_sorted(left.begin(), left.end()));
}

}  // namespace
}  // namespace perdure
