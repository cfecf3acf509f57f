/// In which order messages arrive, and who a flood delays (kernel specification §§3.3, 3.4).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::ElementsAre;

class Order : public Scenario {
protected:
    explicit Order(KernelLimits limits = {}) : Scenario(limits) {}

    /// Counts what comes from each sender, as long as its numbers follow one another from 1.
    Script counts_in_order() {
        return [this](mock::Api& api) -> mock::Script {
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                std::uint64_t& count = counted[delivery.peer.process];
                if (delivery.request.body == std::to_string(count + 1)) {
                    ++count;
                } else {
                    ++out_of_order;
                }
            }
        };
    }
    std::map<std::string, std::uint64_t> counted;
    std::uint64_t out_of_order = 0;
};
INSTANTIATE_TEST_SUITE_P(Workers, Order, worker_counts(), worker_name);

TEST_P(Order, CK61_MessagesArriveInSendingOrderOneByOneAndAsAList) {
    constexpr int kCount = 10'000;
    add("b", counts_in_order());
    add("a", [](mock::Api& api) -> mock::Script {
        for (int number = 1; number <= kCount; ++number) {
            const mock::Send send = tell("b", std::to_string(number));
            co_await api.send_request(send);
        }
    });
    add("list", [](mock::Api& api) -> mock::Script {
        std::vector<mock::Send> sends;
        for (int number = 1; number <= kCount; ++number) {
            sends.push_back(tell("b", std::to_string(number)));
        }
        co_await api.send_requests(sends);
    });
    go_together();
    EXPECT_EQ(counted["a"], 10'000U);
    EXPECT_EQ(counted["list"], 10'000U);
    EXPECT_EQ(out_of_order, 0U);
}

TEST_P(Order, CK62_WhatCausedAMessageArrivesBeforeIt) {
    constexpr int kRounds = 10'000;
    std::uint64_t too_early = 0;
    std::uint64_t from_b = 0;
    add("c", [&](mock::Api& api) -> mock::Script {
        std::uint64_t from_a = 0;
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            if (delivery.peer.process == "a") {
                ++from_a;
            } else if (delivery.peer.process == "b") {
                ++from_b;
                too_early += from_a < from_b ? 1 : 0;
            }
        }
    });
    add("b", [](mock::Api& api) -> mock::Script {
        const mock::Send on = tell("c", "from b");
        for (;;) {
            co_await api.receive();
            co_await api.send_request(on);
        }
    });
    add("a", [](mock::Api& api) -> mock::Script {
        const mock::Send first = tell("c", "from a");
        const mock::Send second = tell("b", "go");
        for (int round = 0; round < kRounds; ++round) {
            co_await api.send_request(first);
            co_await api.send_request(second);
            if (round % 100 == 0) {
                co_await until(api, kMillisecond * (round / 100));
            }
        }
    });
    // The load: somebody else floods `c`, so that it lags behind.
    add("x", [](mock::Api& api) -> mock::Script {
        const mock::Send send = tell("c", "noise");
        for (int count = 0; count < 50'000; ++count) {
            co_await api.send_request(send);
            if (count % 500 == 0) {
                co_await until(api, kMillisecond * (count / 500));
            }
        }
    });
    go_together();
    world.advance(kSecond);
    EXPECT_EQ(from_b, 10'000U);
    EXPECT_EQ(too_early, 0U);
}

TEST_P(Order, CK63_WhatCameBeforeAProcessRunsComesFirst) {
    add("b", counts_in_order());
    add("a", [](mock::Api& api) -> mock::Script {
        for (int number = 1; number <= 1001; ++number) {
            if (number == 1001) {
                co_await until(api, kSecond);
            }
            const mock::Send send = tell("b", std::to_string(number));
            co_await api.send_request(send);
        }
    });
    connect();
    run("a");
    EXPECT_EQ(world.status(id_of("b"))->mailbox_messages, 1000U);
    EXPECT_EQ(counted["a"], 0U);
    run("b");
    EXPECT_EQ(counted["a"], 1000U);
    world.advance(kSecond);
    EXPECT_EQ(counted["a"], 1001U);
    EXPECT_EQ(out_of_order, 0U);
}

/// Mailboxes of at most 1000 messages.
class Flood : public Order {
protected:
    Flood() : Order(limits()) {}
    static KernelLimits limits() {
        KernelLimits limits;
        limits.mailbox.messages_max = 1000;
        return limits;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Flood, worker_counts(), worker_name);

TEST_P(Flood, CK64_AFloodedProcessThatNeverReadsDelaysNobodyElse) {
    constexpr std::uint64_t kMessages = 100'000;
    constexpr std::uint64_t kRounds = 1000;
    std::uint64_t sent = 0;
    std::uint64_t sent_when_done = 0;
    std::uint64_t sent_between_rounds_max = 0;
    add("b", deaf);
    add("c", echo);
    add("x", [&](mock::Api& api) -> mock::Script {
        const mock::Send send = tell("b", "noise");
        while (sent < kMessages) {
            co_await api.send_request(send);
            ++sent;
        }
        const mock::Send last = ask("b", "last", 30);
        const mock::Delivery outcome = co_await api.send_and_await(last);
        note("x", describe(outcome));
    });
    add("a", [&](mock::Api& api) -> mock::Script {
        for (std::uint64_t round = 0; round < kRounds; ++round) {
            const std::uint64_t before = sent;
            const mock::Send send = ask("c", "ping", 1);
            const mock::Delivery outcome = co_await api.send_and_await(send);
            EXPECT_FALSE(outcome.is_error);
            sent_between_rounds_max = std::max(sent_between_rounds_max, sent - before);
        }
        sent_when_done = sent;
    });
    go_together();
    EXPECT_EQ(sent, kMessages);
    // All of it happened at one moment: X waited at no time, and the last one failed at once.
    EXPECT_THAT(
        of("x"),
        ElementsAre("Timeout of Request last to b, mark "
                    R"({"full":{"mailbox":"n.os@b:test:os","messages":1000,"bytes":5000}})"));
    EXPECT_EQ(now(), Nanoseconds(0));
    EXPECT_EQ(world.status(id_of("b"))->mailbox_messages, 1000U);
    EXPECT_EQ(world.status(id_of("b"))->refused, kMessages - 1000);
    EXPECT_EQ(world.kernel().counters().refused.load(), kMessages - 1000);
    // The pair went on while X sent: X gives way after every message past half (K-83), so nobody
    // waits for more than the first half in one go.
    EXPECT_LT(sent_when_done, kMessages);
    EXPECT_LE(sent_between_rounds_max, 502U);
}

}  // namespace
}  // namespace perdure::kernel
