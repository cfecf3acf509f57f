/// The promises about messages once more, on real threads: whatever the threads do, order,
/// causality and bounds hold. Made for ThreadSanitizer; nothing here depends on time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

/// The parameter is the number of workers. Scripts tell what they found by printing it.
class RealThreads : public ::testing::TestWithParam<std::uint32_t> {
protected:
    static KernelWorld::Options options() {
        KernelWorld::Options options;
        options.workers = GetParam();
        options.threads = Kernel::Threads::Real;
        options.limits.mailbox.messages_max = 20'000;
        return options;
    }
    void add(std::string_view name, mock::ScriptFunction script) {
        world.initialise(id_of(name), std::move(script), {});
        names_.emplace_back(name);
    }
    void go() {
        for (const std::string& left : names_) {
            for (const std::string& right : names_) {
                world.grant_messaging(id_of(left), id_of(right));
            }
        }
        for (const std::string& name : names_) {
            world.run(id_of(name));
        }
    }
    bool printed(std::string_view text) { return world.terminal().wait_for(text); }

    KernelWorld world{options()};

private:
    std::vector<std::string> names_;
};
INSTANTIATE_TEST_SUITE_P(Workers, RealThreads, worker_counts(), worker_name);

/// Asks `target` `rounds` times and prints `done` if every answer was right.
mock::ScriptFunction asks(std::string target, int rounds, std::string done) {
    return [target, rounds, done](mock::Api& api) -> mock::Script {
        int right = 0;
        for (int round = 0; round < rounds; ++round) {
            const std::string body = std::to_string(round);
            const mock::Send send = ask(target, body, 600, body);
            co_await api.send_request(send);
            const mock::Delivery delivery = co_await api.receive();
            right +=
                delivery.is_response && delivery.response.body == body && delivery.context == body
                    ? 1
                    : 0;
        }
        const std::string line = done + ": " + std::to_string(right) + " right";
        co_await api.print(0, line);
    };
}

TEST_P(RealThreads, PairsTalkToEachOther) {
    for (const char* pair : {"1", "2", "3"}) {
        add("pong" + std::string(pair), echo);
        add("ping" + std::string(pair), asks("pong" + std::string(pair), 2000, pair));
    }
    add("guest", asks("pong1", 2000, "guest"));
    go();
    for (const char* who : {"1", "2", "3", "guest"}) {
        EXPECT_TRUE(printed(": " + std::string(who) + ": 2000 right")) << who;
    }
}

TEST_P(RealThreads, CK61_MessagesArriveInSendingOrder) {
    constexpr int kCount = 5000;
    add("b", [](mock::Api& api) -> mock::Script {
        std::map<std::string, int> counted;
        int wrong = 0;
        for (int received = 0; received < 3 * kCount; ++received) {
            const mock::Delivery delivery = co_await api.receive();
            int& count = counted[delivery.peer.process];
            wrong += delivery.request.body == std::to_string(++count) ? 0 : 1;
        }
        const std::string line = "out of order: " + std::to_string(wrong) + ".";
        co_await api.print(0, line);
    });
    for (const char* name : {"x", "y"}) {
        add(name, [](mock::Api& api) -> mock::Script {
            for (int number = 1; number <= kCount; ++number) {
                const mock::Send send = tell("b", std::to_string(number));
                co_await api.send_request(send);
            }
        });
    }
    add("list", [](mock::Api& api) -> mock::Script {
        std::vector<mock::Send> sends;
        for (int number = 1; number <= kCount; ++number) {
            sends.push_back(tell("b", std::to_string(number)));
        }
        co_await api.send_requests(sends);
    });
    go();
    EXPECT_TRUE(printed("out of order: 0."));
}

TEST_P(RealThreads, CK62_WhatCausedAMessageArrivesBeforeIt) {
    constexpr int kRounds = 3000;
    add("c", [](mock::Api& api) -> mock::Script {
        int from_a = 0;
        int from_b = 0;
        int too_early = 0;
        while (from_b < kRounds) {
            const mock::Delivery delivery = co_await api.receive();
            if (delivery.peer.process == "a") {
                ++from_a;
            } else if (delivery.peer.process == "b") {
                too_early += from_a < ++from_b ? 1 : 0;
            }
        }
        const std::string line = "too early: " + std::to_string(too_early) + ".";
        co_await api.print(0, line);
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
        }
    });
    add("x", [](mock::Api& api) -> mock::Script {
        const mock::Send noise = tell("c", "noise");
        for (int count = 0; count < kRounds; ++count) {
            co_await api.send_request(noise);
        }
    });
    go();
    EXPECT_TRUE(printed("too early: 0."));
}

TEST_P(RealThreads, CK64_AFloodOfAProcessThatNeverReadsIsRefusedAndDelaysNobody) {
    constexpr std::uint64_t kMessages = 20'000;
    add("b", deaf);
    add("c", echo);
    for (const char* name : {"x", "y"}) {
        add(name, [](mock::Api& api) -> mock::Script {
            const mock::Send noise = tell("b", "noise");
            for (std::uint64_t count = 0; count < kMessages; ++count) {
                co_await api.send_request(noise);
            }
            const mock::Send last = ask("b", "last", 600);
            const mock::Delivery outcome = co_await api.send_and_await(last);
            const std::string line = api.our() + (outcome.is_error ? ": refused" : ": answered");
            co_await api.print(0, line);
        });
    }
    add("a", asks("c", 2000, "a"));
    go();
    EXPECT_TRUE(printed("a: 2000 right"));
    EXPECT_TRUE(printed("x:test:os: refused"));
    EXPECT_TRUE(printed("y:test:os: refused"));
    EXPECT_EQ(world.status(id_of("b"))->mailbox_messages, 20'000U);
    EXPECT_EQ(world.kernel().counters().refused.load(), kMessages);
    EXPECT_THAT(world.log_lines(), Contains(HasSubstr("mailbox_refused_messages")));
}

TEST_P(RealThreads, ReadersUnderAFloodLoseNothingThatWasTaken) {
    // Senders and a reader on different workers reserve and give back room all the time.
    constexpr std::uint64_t kMessages = 20'000;
    std::atomic<std::uint64_t> received{0};
    add("b", [&received](mock::Api& api) -> mock::Script {
        for (std::uint64_t ends = 0; ends < 3;) {
            const mock::Delivery delivery = co_await api.receive();
            if (delivery.request.expects_response) {
                const mock::Response response = answer("end");
                co_await api.send_response(response);
                ++ends;
            } else {
                ++received;
            }
        }
        const std::string line = "all read";
        co_await api.print(0, line);
        co_await api.receive();
    });
    for (const char* name : {"x", "y", "z"}) {
        add(name, [](mock::Api& api) -> mock::Script {
            const mock::Send noise = tell("b", "noise");
            for (std::uint64_t count = 0; count < kMessages; ++count) {
                co_await api.send_request(noise);
            }
            for (;;) {
                const mock::Send last = ask("b", "end", 600);
                const mock::Delivery outcome = co_await api.send_and_await(last);
                if (!outcome.is_error) {
                    co_return;
                }
            }
        });
    }
    go();
    EXPECT_TRUE(printed("all read"));
    EXPECT_EQ(received.load() + world.kernel().counters().refused.load(), 3 * kMessages);
}

TEST_P(RealThreads, CK156_ComputingNeighboursStopNobody) {
    for (const char* name : {"computing1", "computing2", "computing3"}) {
        add(name, [](mock::Api& api) -> mock::Script { co_await api.spin_forever(); });
    }
    for (const char* pair : {"1", "2"}) {
        add("pong" + std::string(pair), echo);
    }
    add("ping1", asks("pong1", 200, "first"));
    add("ping2", asks("pong2", 200, "second"));
    go();
    EXPECT_TRUE(printed("first: 200 right"));
    EXPECT_TRUE(printed("second: 200 right"));
}

TEST_P(RealThreads, ProcessesAreKilledWhileTheyTalk) {
    add("b", echo);
    add("a", [](mock::Api& api) -> mock::Script {
        for (;;) {
            const mock::Send send = ask("b", "q", 600);
            const mock::Delivery outcome = co_await api.send_and_await(send);
            if (outcome.is_error) {
                co_await api.print(0, "refused");
                co_await api.receive();
            }
        }
    });
    add("c", [](mock::Api& api) -> mock::Script {
        const mock::Send send = tell("a", "noise");
        for (;;) {
            co_await api.send_request(send);
            co_await api.spin(1);
        }
    });
    add("d", asks("b", 100, "d"));
    go();
    EXPECT_TRUE(printed("d: 100 right"));
    EXPECT_TRUE(world.kill(id_of("a")));
    EXPECT_TRUE(world.kill(id_of("c")));
    EXPECT_FALSE(world.kill(id_of("a")));
    EXPECT_TRUE(world.kill(id_of("b")));
    EXPECT_EQ(world.status(id_of("a")), std::nullopt);
}

}  // namespace
}  // namespace perdure::kernel
