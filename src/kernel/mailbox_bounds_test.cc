/// Full mailboxes: who is refused, what is always taken, and that nobody waits (K-83, K-263,
/// K-264).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Ten messages per mailbox.
class MailboxBounds : public Scenario {
protected:
    MailboxBounds() : Scenario(ten_messages()) {}
    explicit MailboxBounds(KernelLimits limits) : Scenario(limits) {}
    static KernelLimits ten_messages() {
        KernelLimits limits;
        limits.mailbox.messages_max = 10;
        return limits;
    }
    /// Reads one message at `first`, and everything from `rest` on.
    Script reads_one_at(std::string name, Nanoseconds first, Nanoseconds rest) {
        return [this, name = std::move(name), first, rest](mock::Api& api) -> mock::Script {
            co_await until(api, first);
            const mock::Delivery one = co_await api.receive();
            note(name, describe(one));
            co_await until(api, rest);
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                note(name, describe(delivery));
            }
        };
    }
    std::vector<std::string> warnings() const {
        std::vector<std::string> lines;
        for (const std::string& line : world.log_lines()) {
            if (line.find("mailbox_refused_messages") != std::string::npos) {
                lines.push_back(line);
            }
        }
        return lines;
    }
    std::uint64_t refused() { return world.kernel().counters().refused.load(); }
};
INSTANTIATE_TEST_SUITE_P(Workers, MailboxBounds, worker_counts(), worker_name);

TEST_P(MailboxBounds, CK152_TheEleventhRequestIsRefusedAtOnce) {
    add("b", reads_one_at("b", 3 * kSecond, 5 * kSecond));
    add("a", [this](mock::Api& api) -> mock::Script {
        for (int number = 1; number <= 11; ++number) {
            const mock::Send send = ask("b", std::to_string(number), 30);
            co_await api.send_request(send);
        }
        const mock::Send quiet = tell("b", "quiet");
        co_await api.send_request(quiet);
        note("a", "sent after " + std::to_string(now() / kSecond) + " s");
        const mock::Delivery refusal = co_await api.receive();
        note("a", describe(refusal));
        const mock::Address issuer = refusal.request.capabilities.at(0).issuer;
        EXPECT_EQ(issuer, (mock::Address{KernelWorld::kNode, "kernel", "distro", "sys"}));
        co_await until(api, 4 * kSecond);
        const mock::Send next = tell("b", "next");
        co_await api.send_request(next);
        const mock::Send one_too_many = tell("b", "one too many");
        co_await api.send_request(one_too_many);
        co_await api.receive();
    });
    go();
    EXPECT_THAT(of("a"),
                ElementsAre("sent after 0 s",
                            "Timeout of Request 11 to b, mark "
                            R"({"full":{"mailbox":"n.os@b:test:os","messages":10,"bytes":11}})"));
    EXPECT_EQ(refused(), 1U);
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr("b:test:os")));
    world.advance(3 * kSecond);
    EXPECT_THAT(of("b"), ElementsAre("Request 1 from a"));
    world.advance(2 * kSecond);
    EXPECT_THAT(of("b"), SizeIs(11));
    EXPECT_EQ(of("b").back(), "Request next from a");
    EXPECT_EQ(refused(), 2U);
    EXPECT_THAT(warnings(), SizeIs(1));  // At most one line per target and minute.
}

TEST_P(MailboxBounds, ALineTellsHowManyWereRefusedSinceTheLastOne) {
    add("b", deaf);
    add("a", [](mock::Api& api) -> mock::Script {
        const mock::Send send = tell("b", "x");
        for (int count = 0; count < 10 + 5; ++count) {
            co_await api.send_request(send);
        }
        co_await until(api, 60 * kSecond - kInstant);
        co_await api.send_request(send);
        co_await until(api, 60 * kSecond);
        co_await api.send_request(send);
    });
    go();
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr("refused=1 ")));
    world.advance(60 * kSecond - kInstant);
    EXPECT_THAT(warnings(), SizeIs(1));
    world.advance(kInstant);
    EXPECT_EQ(refused(), 7U);
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr("refused=1 "), HasSubstr("refused=6 ")));
}

TEST_P(MailboxBounds, CK153_TwoThatFloodEachOtherBeforeTheyReadBothGoOn) {
    const auto floods = [this](std::string name, std::string other) -> Script {
        return [this, name, other](mock::Api& api) -> mock::Script {
            for (int number = 1; number <= 100; ++number) {
                const mock::Send send = tell(other, std::to_string(number));
                co_await api.send_request(send);
            }
            note(name, "sent after " + std::to_string(now() / kSecond) + " s");
            co_await until(api, kSecond);
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                note(name, delivery.request.body);
            }
        };
    };
    add("a", floods("a", "b"));
    add("b", floods("b", "a"));
    add("d", echo);
    add("c", [this](mock::Api& api) -> mock::Script {
        for (int round = 0; round < 100; ++round) {
            const mock::Send send = ask("d", "ping", 1);
            const mock::Delivery outcome = co_await api.send_and_await(send);
            EXPECT_FALSE(outcome.is_error);
        }
        note("c", "done after " + std::to_string(now() / kSecond) + " s");
    });
    go_together();
    world.advance(kSecond);
    const std::vector<std::string> expected = {
        "sent after 0 s", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
    EXPECT_EQ(of("a"), expected);
    EXPECT_EQ(of("b"), expected);
    EXPECT_THAT(of("c"), ElementsAre("done after 0 s"));
}

TEST_P(MailboxBounds, CK154_AFullMailboxStillTakesTheAnswerItsProcessAwaits) {
    add("c", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await until(api, kSecond);
        const mock::Response response = answer("r");
        co_await api.send_response(response);
        co_await api.receive();
    });
    add("b", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = ask("c", "q", 5);
        const mock::Delivery outcome = co_await api.send_and_await(send);
        note("b", describe(outcome));
    });
    add("x", [](mock::Api& api) -> mock::Script {
        const mock::Send send = tell("b", "noise");
        for (int count = 0; count < 20; ++count) {
            co_await api.send_request(send);
        }
        co_await api.receive();
    });
    go();
    EXPECT_EQ(world.status(id_of("b"))->mailbox_messages, 10U);
    EXPECT_EQ(refused(), 11U);  // One of the ten places is kept for the outcome (K-263).
    EXPECT_THAT(of("b"), IsEmpty());
    world.advance(kSecond);
    EXPECT_THAT(of("b"), ElementsAre("Response r from c"));
}

TEST_P(MailboxBounds, CK161_WhoIsRefusedMayStillAnswer) {
    add("a", [this](mock::Api& api) -> mock::Script {
        co_await api.receive();
        for (int count = 0; count < 20; ++count) {
            const mock::Send send = tell("c", "noise");
            co_await api.send_request(send);
        }
        const mock::Send refused = ask("c", "one more", 5);
        const mock::Delivery outcome = co_await api.send_and_await(refused);
        note("a", describe(outcome));
        const mock::Response response = answer("r");
        co_await api.send_response(response);
        co_await api.receive();
    });
    add("c", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = ask("a", "q", 5);
        const mock::Delivery outcome = co_await api.send_and_await(send);
        note("c", describe(outcome));
        co_await until(api, kSecond);
    });
    go();
    EXPECT_THAT(of("a"),
                ElementsAre("Timeout of Request one more to c, mark "
                            R"({"full":{"mailbox":"n.os@c:test:os","messages":10,"bytes":45}})"));
    EXPECT_THAT(of("c"), ElementsAre("Response r from a"));
}

TEST_P(MailboxBounds, ASenderGivesWayToAReaderSoThatAFastOneIsNotRefused) {
    // K-83: past half of the mailbox the sender's slice ends after each message.
    std::uint64_t received = 0;
    add("b", [&](mock::Api& api) -> mock::Script {
        for (;;) {
            co_await api.receive();
            ++received;
        }
    });
    add("a", [](mock::Api& api) -> mock::Script {
        const mock::Send send = tell("b", "x");
        for (int count = 0; count < 1000; ++count) {
            co_await api.send_request(send);
        }
    });
    go_together();
    EXPECT_EQ(received, 1000U);
    EXPECT_EQ(refused(), 0U);
}

TEST_P(MailboxBounds, AnsweringAMailboxPastHalfEndsTheSliceToo) {
    // K-41: also `send-response` lets the reader run. `b` reads only when the test's step has
    // ended, so `a` answers at most one Request per slice.
    std::uint64_t answered = 0;
    add("a", [&](mock::Api& api) -> mock::Script {
        co_await until(api, kSecond);
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            const mock::Response response = answer(delivery.request.body);
            co_await api.send_response(response);
            ++answered;
        }
    });
    add("b", [](mock::Api& api) -> mock::Script {
        for (int count = 0; count < 8; ++count) {
            const mock::Send send = ask("a", "q", 60);
            co_await api.send_request(send);
        }
        co_await until(api, 2 * kSecond);
    });
    go();
    world.clock().advance(kSecond);
    for (std::uint64_t expected = 1; expected <= 8; ++expected) {
        const std::uint64_t before = answered;
        for (int round = 0; answered == before && round < 100; ++round) {
            for (std::uint32_t index = 0; index < world.kernel().worker_count(); ++index) {
                world.kernel().worker(index).step();
            }
        }
        ASSERT_EQ(answered, expected);
    }
}

TEST_P(MailboxBounds, ARuntimeModuleIsToldAtOnceThatAMailboxIsFull) {
    add("b", deaf);
    go();
    const Address target = KernelWorld::full_address(id_of("b"));
    for (int count = 0; count < 10; ++count) {
        EXPECT_TRUE(world.kernel().send(probe, target, Request{}, std::nullopt, {}).has_value());
    }
    const auto refused_one = world.kernel().send(probe, target, Request{}, std::nullopt, {});
    ASSERT_FALSE(refused_one.has_value());
    EXPECT_EQ(refused_one.error().code(), ErrorCode::Overloaded);
    EXPECT_EQ(world.status(id_of("b"))->mailbox_messages, 10U);
}

/// Three unanswered Requests per process, a hundred bytes per mailbox.
class OutstandingBounds : public MailboxBounds {
protected:
    OutstandingBounds() : MailboxBounds(limits()) {}
    static KernelLimits limits() {
        KernelLimits limits;
        limits.outstanding_max = 3;
        limits.mailbox.bytes_max = 100;
        return limits;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, OutstandingBounds, worker_counts(), worker_name);

TEST_P(OutstandingBounds, TheFourthUnansweredRequestIsRefusedAtOnce) {
    add("b", silent);
    add("a", sends_then_listens("a", {ask("b", "1", 5), ask("b", "2", 5), ask("b", "3", 5),
                                      ask("b", "4", 5), tell("b", "x")}));
    go();
    EXPECT_THAT(of("a"),
                ElementsAre(R"(Timeout of Request 4 to b, mark {"full":{"outstanding":3}})"));
    EXPECT_EQ(world.status(id_of("a"))->outstanding, 3U);
    world.advance(5 * kSecond);
    EXPECT_THAT(of("a"), SizeIs(4));
    EXPECT_EQ(world.status(id_of("a"))->outstanding, 0U);
    EXPECT_EQ(world.status(id_of("a"))->mailbox_messages, 0U);
}

TEST_P(OutstandingBounds, AboveItsOwnByteBoundAProcessMayNotExpectMore) {
    add("b", echo);
    add("a", [this](mock::Api& api) -> mock::Script {
        co_await until(api, kSecond);
        const mock::Send quiet = tell("b", "still allowed");
        co_await api.send_request(quiet);
        const mock::Send send = ask("b", "q", 5);
        co_await api.send_request(send);
        const mock::Delivery large = co_await api.receive();
        note("a", std::to_string(large.request.body.size()) + " bytes");
        co_await api.send_request(send);
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            note("a", describe(delivery));
        }
    });
    add("x", sends_then_listens("x", {tell("a", std::string(101, 'x'))}));
    go();
    world.advance(kSecond);
    EXPECT_THAT(
        of("a"),
        ElementsAre("101 bytes", R"(Timeout of Request q to b, mark {"full":{"outstanding":0}})",
                    "Response q from b"));
}

TEST_P(OutstandingBounds, AMessageAboveTheByteBoundReachesAProcessThatOnlyAwaits) {
    // A place kept for an outcome once counted as a message that waits, and large ones were
    // refused.
    add("b", silent);
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = ask("b", "q", 1);
        co_await api.send_and_await(send);
        const mock::Delivery large = co_await api.receive();
        note("a", std::to_string(large.request.body.size()) + " bytes");
    });
    add("x", sends_then_listens("x", {tell("a", std::string(101, 'x'))}));
    go();
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("101 bytes"));
    EXPECT_EQ(refused(), 0U);
}

}  // namespace
}  // namespace perdure::kernel
