/// When a message comes back, as what, and what is in it (kernel specification §§3.1 and 3.2).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();

class SendErrors : public Scenario {
protected:
    explicit SendErrors(KernelLimits limits = {}) : Scenario(limits) {}

    /// Answers the first Request at `at`.
    static Script answers_at(Nanoseconds at) {
        return [at](mock::Api& api) -> mock::Script {
            co_await api.receive();
            co_await until(api, at);
            const mock::Response response = answer("r");
            co_await api.send_response(response);
            co_await api.receive();
        };
    }
    /// Sends at once, computes for three seconds after a short sleep, and reads only then.
    Script computes_for_three_seconds(std::string name, mock::Send send) {
        return [this, name = std::move(name),
                send = std::move(send)](mock::Api& api) -> mock::Script {
            co_await api.send_request(send);
            co_await until(api, 10 * kMillisecond);
            while (now() < 3 * kSecond) {
                world.clock().advance(kMillisecond);
                co_await api.spin(1);
            }
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                note(name, describe(delivery) + " after " + std::to_string(now() / kSecond) + " s");
            }
        };
    }
    KernelWorld::Guest with_network() const {
        KernelWorld::Guest guest;
        guest.capabilities = {network_of(KernelWorld::kNode)};
        return guest;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, SendErrors, worker_counts(), worker_name);

TEST_P(SendErrors, CK42_TimeoutComesAtTheDeadlineWithTheMessageAsItWasSent) {
    mock::Send send = with_blob(ask("b", "body", 1, "context"), "blob", "text/plain");
    send.request.metadata = "metadata";
    std::vector<mock::Delivery> came;
    add("b", silent);
    add("a", [&, send](mock::Api& api) -> mock::Script {
        co_await api.send_request(send);
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            came.push_back(delivery);
        }
    });
    go();
    world.advance(kSecond - kInstant);
    EXPECT_THAT(came, IsEmpty());
    world.advance(kInstant);
    ASSERT_EQ(came.size(), 1U);
    const mock::Delivery& error = came[0];
    EXPECT_TRUE(error.is_error);
    EXPECT_EQ(error.error_kind, KWE_SEND_TIMEOUT);
    EXPECT_FALSE(error.is_response);
    EXPECT_EQ(error.peer, KernelWorld::address(id_of("b")));
    EXPECT_EQ(error.request.body, "body");
    EXPECT_EQ(error.request.metadata, "metadata");
    EXPECT_EQ(error.request.expects_response, 1U);
    EXPECT_FALSE(error.request.inherit);
    EXPECT_THAT(error.request.capabilities, IsEmpty());
    EXPECT_EQ(error.context, "context");
    EXPECT_EQ(error.blob, blob("blob", "text/plain"));
    world.advance(10 * kSecond);
    EXPECT_EQ(came.size(), 1U);
}

TEST_P(SendErrors, CK43_AnAnswerAfterTheTimeoutIsDropped) {
    add("b", answers_at(2 * kSecond));
    add("a", sends_then_listens("a", {ask("b", "q", 1)}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to b"));
}

TEST_P(SendErrors, CK44_ARequestToAProcessThatDoesNotExistFailsAtOnce) {
    KernelWorld::Guest holder;
    holder.capabilities = {messaging_of(KernelWorld::full_address(id_of("nobody")))};
    add("a", sends_then_listens("a", {ask("nobody", "q", 30, "c"), tell("nobody", "x")}), holder);
    go();
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to nobody, context c"));
    EXPECT_THAT(world.prints(2), Contains("n.os@a:test:os: message to n.os@nobody:test:os dropped: "
                                          "no such process"));
    EXPECT_THAT(world.prints(1), IsEmpty());
    world.advance(60 * kSecond);
    EXPECT_EQ(of("a").size(), 1U);
}

TEST_P(SendErrors, CK45_WithoutNetworkModuleEveryOtherNodeIsOffline) {
    add("a", sends_then_listens("a", {at_node(ask("b", "q", 30, "c"), "other.os")}),
        with_network());
    go();
    EXPECT_THAT(of("a"), ElementsAre("Offline of Request q to b, context c"));
    world.advance(60 * kSecond);
    EXPECT_EQ(of("a").size(), 1U);
}

TEST_P(SendErrors, CK46_OfflineIsToldAlsoOfARequestThatExpectsNothing) {
    mock::Send send = with_blob(at_node(tell("b", "x"), "other.os"), "blob");
    send.context = "c";
    add("a", sends_then_listens("a", {send}), with_network());
    go();
    EXPECT_THAT(of("a"), ElementsAre("Offline of Request x to b, context c, blob blob"));
    world.advance(60 * kSecond);
    EXPECT_EQ(of("a").size(), 1U);
}

TEST_P(SendErrors, AnOfflineErrorPutsItsSenderBackIntoTheRequestItWasHandling) {
    // K-67, K-29: the saved variables travel with the message.
    add(
        "b",
        [](mock::Api& api) -> mock::Script {
            co_await api.receive();
            co_await until(api, kSecond);
            const mock::Send lost = at_node(tell("c", "x"), "other.os");
            co_await api.send_request(lost);
            co_await api.receive();  // The Request of `d`.
            co_await api.receive();  // The error.
            const mock::Response response = answer("r");
            co_await api.send_response(response);
            co_await api.receive();
        },
        with_network());
    add("a", sends_then_listens("a", {ask("b", "q", 5)}));
    add("d", sends_then_listens("d", {ask("b", "q", 5)}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response r from b"));
    EXPECT_THAT(of("d"), ElementsAre("Timeout of Request q to b"));
}

TEST_P(SendErrors, CK48_AnExpectationOfNoTimeAtAllTimesOutOnce) {
    add("b", echo);
    add("a", sends_then_listens("a", {ask("b", "q", 0, "c")}));
    go();
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to b, context c"));
    world.advance(10 * kSecond);
    EXPECT_EQ(of("a").size(), 1U);
}

TEST_P(SendErrors, CK49_TheLongestExpectationDoesNotOverflow) {
    add("b", answers_at(1000 * kSecond));
    add("a", sends_then_listens("a", {ask("b", "q", kForEver)}));
    go();
    world.advance(1000 * kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    world.advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("Response r from b"));
}

TEST_P(SendErrors, CK50_AnAnswerInTimeIsNotLostToABusyRequester) {
    add("b", echo);
    add("a", computes_for_three_seconds("a", ask("b", "q", 1)));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response q from b after 3 s"));
}

TEST_P(SendErrors, CK51_ALateAnswerIsDroppedThoughItsRequesterWasBusy) {
    add("b", answers_at(2 * kSecond));
    add("a", computes_for_three_seconds("a", ask("b", "q", 1)));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to b after 3 s"));
}

TEST_P(SendErrors, CK52_TheRequestsOfAKilledTargetTimeOutAndLaterOnesAtOnce) {
    add("b", silent);
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send first = ask("b", "first", 2);
        co_await api.send_request(first);
        co_await until(api, kSecond);
        const mock::Send second = ask("b", "second", 2);
        co_await api.send_request(second);
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            note("a", describe(delivery));
        }
    });
    go();
    EXPECT_TRUE(world.kill(id_of("b")));
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre(StartsWith("Timeout of Request second to b")));
    world.advance(kSecond - kInstant);
    EXPECT_EQ(of("a").size(), 1U);
    world.advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre(StartsWith("Timeout of Request second to b"),
                                     "Timeout of Request first to b"));
}

TEST_P(SendErrors, CK54_AfterASendErrorThereIsNoCurrentBlob) {
    add("b", silent);
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = with_blob(ask("b", "q", 1), "kept");
        co_await api.send_request(send);
        const mock::Delivery error = co_await api.receive();
        const bool has = co_await api.has_blob();
        const auto current = co_await api.get_blob();
        const auto last = co_await api.last_blob();
        note("a", describe(error));
        note("a", (has ? "has, " : "no, ") + describe(current) + ", " + describe(last));
    });
    go();
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to b, blob kept", "no, none, none"));
}

TEST_P(SendErrors, AnErrorComesInOrderOfArrivalAmongTheOtherMessages) {
    // K-63: C's message comes before the deadline, D's after it.
    add("b", silent);
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = ask("b", "q", 2);
        co_await api.send_request(send);
        co_await until(api, 4 * kSecond);
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            note("a", describe(delivery));
        }
    });
    const auto tells_at = [](Nanoseconds at) -> Script {
        return [at](mock::Api& api) -> mock::Script {
            co_await until(api, at);
            const mock::Send send = tell("a", "x");
            co_await api.send_request(send);
            co_await api.receive();
        };
    };
    add("c", tells_at(kSecond));
    add("d", tells_at(3 * kSecond));
    go();
    world.advance(4 * kSecond);
    EXPECT_THAT(of("a"),
                ElementsAre("Request x from c", "Timeout of Request q to b", "Request x from d"));
}

TEST_P(SendErrors, ASendErrorDoesNotReachASuccessor) {
    // K-69: the first instance's Request dies with it.
    int starts = 0;
    KernelWorld::Guest guest;
    guest.on_exit = OnExit::restart();
    add("b", silent);
    add(
        "a",
        [&](mock::Api& api) -> mock::Script {
            if (++starts == 1) {
                const mock::Send send = ask("b", "q", 1);
                co_await api.send_request(send);
                const std::string cause = "on purpose";
                co_await api.trap(cause);
            }
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                note("a", describe(delivery));
            }
        },
        guest);
    go();
    world.advance(10 * kSecond);
    EXPECT_EQ(starts, 2);
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_EQ(world.status(id_of("a"))->mailbox_messages, 0U);
}

/// Bodies and blobs of at most 10 bytes.
class MessageSize : public SendErrors {
protected:
    MessageSize() : SendErrors(limits()) {}
    static KernelLimits limits() {
        KernelLimits limits;
        limits.message_body_bytes_max = 10;
        limits.message_blob_bytes_max = 10;
        return limits;
    }
    const std::string fits = std::string(10, 'x');
    const std::string too_long = std::string(11, 'x');
};
INSTANTIATE_TEST_SUITE_P(Workers, MessageSize, worker_counts(), worker_name);

TEST_P(MessageSize, OneByteTooManyInBodyOrBlobTimesOutAtOnce) {
    add("b", echo);
    add("a", sends_then_listens("a", {with_blob(ask("b", fits, 5), fits), ask("b", too_long, 5),
                                      with_blob(ask("b", "q", 5), too_long)}));
    go();
    EXPECT_THAT(of("a"),
                ::testing::UnorderedElementsAre("Response " + fits + " from b",
                                                "Timeout of Request " + too_long + " to b",
                                                "Timeout of Request q to b, blob " + too_long));
    EXPECT_THAT(world.prints(0), IsEmpty());
}

TEST_P(MessageSize, WhatExpectsNothingIsDroppedWithAPrint) {
    add("b", listens("b"));
    add("a", sends_then_listens("a", {tell("b", fits), tell("b", too_long)}));
    go();
    EXPECT_THAT(of("b"), ElementsAre("Request " + fits + " from a"));
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_THAT(world.prints(0), ElementsAre(HasSubstr("message_body_bytes_max")));
}

TEST_P(MessageSize, AResponseThatIsTooLargeIsDroppedWithAPrint) {
    add("b", answers("b", too_long));
    add("a", sends_then_listens("a", {ask("b", "q", 5)}));
    go();
    EXPECT_THAT(world.prints(0), ElementsAre(HasSubstr("message_body_bytes_max")));
    world.advance(5 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to b"));
}

}  // namespace
}  // namespace perdure::kernel
