/// Chains of inheriting Requests: who gets the answer, and with what (kernel specification §2.3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Inheriting : public Scenario {
protected:
    /// Handles one Request: sends `sends`, then answers it itself. Notes what comes afterwards.
    Script forwards_and_answers(std::string name, std::vector<mock::Send> sends, std::string body) {
        return [this, name, sends = std::move(sends), body](mock::Api& api) -> mock::Script {
            co_await api.receive();
            for (const mock::Send& send : sends) {
                co_await api.send_request(send);
            }
            const mock::Response response = answer(body);
            co_await api.send_response(response);
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                note(name, describe(delivery));
            }
        };
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Inheriting, worker_counts(), worker_name);

TEST_P(Inheriting, CK20_TheLastOfAChainAnswersTheFirst) {
    add("c", answers("c", "r"));
    add("b", forwards("b", {inheriting(tell("c", "on"))}));
    add("a", sends_then_listens("a", {ask("b", "q", 5, "mine")}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response r from c, context mine"));
    EXPECT_THAT(of("b"), IsEmpty());
}

TEST_P(Inheriting, CK21_AChainOfFourAnswersDirectly) {
    add("d", answers("d", "r"));
    add("c", forwards("c", {inheriting(tell("d", "on"))}));
    add("b", forwards("b", {inheriting(tell("c", "on"))}));
    add("a", sends_then_listens("a", {ask("b", "q", 5, "mine")}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response r from d, context mine"));
    EXPECT_THAT(of("b"), IsEmpty());
    EXPECT_THAT(of("c"), IsEmpty());
}

TEST_P(Inheriting, CK22_OfTwoChildrenTheFirstAnswerCounts) {
    add("c", answers("c", "from c"));
    add("d", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await until(api, kSecond);
        const mock::Response response = answer("from d");
        co_await api.send_response(response);
    });
    add("b", forwards("b", {inheriting(tell("d", "on")), inheriting(tell("c", "on"))}));
    add("a", sends_then_listens("a", {ask("b", "q", 5, "mine")}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response from c from c, context mine"));
}

TEST_P(Inheriting, TheMiddleOfAChainMayAnswerItself) {
    add("c", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await until(api, kSecond);
        const mock::Response response = answer("from c");
        co_await api.send_response(response);
    });
    add("b", forwards_and_answers("b", {inheriting(tell("c", "on"))}, "from b"));
    add("a", sends_then_listens("a", {ask("b", "q", 5)}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response from b from b"));
}

TEST_P(Inheriting, CK23_AChildThatIsExpectedToAnswerAnswersItsSender) {
    add("c", answers("c", "for b"));
    add("b", [this](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Send send = inheriting(ask("c", "on", 3));
        co_await api.send_request(send);
        const mock::Delivery delivery = co_await api.receive();
        note("b", describe(delivery));
        const mock::Response response = answer("for a");
        co_await api.send_response(response);
        co_await api.receive();
    });
    add("a", sends_then_listens("a", {ask("b", "q", 5, "mine")}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("b"), ElementsAre("Response for b from c"));
    EXPECT_THAT(of("a"), ElementsAre("Response for a from b, context mine"));
}

TEST_P(Inheriting, CK24_TwoExpectingChildrenOfOneParentDoNotDisturbEachOther) {
    add("c", echo);
    add("b", forwards("b", {inheriting(ask("c", "1", 3, "x")), inheriting(ask("c", "2", 3, "y"))}));
    add("a", sends_then_listens("a", {ask("b", "q", 60)}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("b"),
                ElementsAre("Response 1 from c, context x", "Response 2 from c, context y"));
}

TEST_P(Inheriting, CK25_WithoutAParentItIsAPlainRequest) {
    bool has_blob = true;
    add("c", [&](mock::Api& api) -> mock::Script {
        const mock::Delivery delivery = co_await api.receive();
        note("c", describe(delivery));
        has_blob = co_await api.has_blob();
        const mock::Response response = answer("to whom");
        co_await api.send_response(response);
        co_await api.receive();
    });
    add("b", sends_then_listens("b", {inheriting(tell("c", "on"))}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("c"), ElementsAre("Request on from b"));
    EXPECT_FALSE(has_blob);
    EXPECT_THAT(of("b"), IsEmpty());
    EXPECT_THAT(world.prints(0),
                ElementsAre("n.os@c:test:os: Response dropped: there is no Request to answer"));
}

TEST_P(Inheriting, CK26_AChainThatBeganWithoutExpectationIsAnsweredToNobody) {
    add("c", answers("c", "r"));
    add("b", forwards("b", {inheriting(tell("c", "on"))}));
    add("a", sends_then_listens("a", {tell("b", "q")}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(notes, IsEmpty());
}

TEST_P(Inheriting, CK27_AChildOfAFireAndForgetRequestContinuesNoOlderOne) {
    add("c", answers("c", "r"));
    add("b", [this](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await api.receive();
        const mock::Send send = inheriting(tell("c", "on"));
        co_await api.send_request(send);
        const mock::Delivery delivery = co_await api.receive();
        note("b", describe(delivery));
    });
    add("a", sends_then_listens("a", {ask("b", "q", 5)}));
    add("x", sends_then_listens("x", {tell("b", "meanwhile")}));
    go();
    world.advance(5 * kSecond - kInstant);
    EXPECT_THAT(notes, IsEmpty());
    world.advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to b"));
}

TEST_P(Inheriting, CK28_ARuntimeModuleGetsTheAnswerOfAChainItBegan) {
    add("c", answers("c", "r"));
    add("b", forwards("b", {inheriting(tell("c", "on"))}));
    go();
    Request request;
    request.body = SharedBytes(std::string_view("q"));
    request.expects_response = 5;
    const auto id = world.kernel().send(probe, KernelWorld::full_address(id_of("b")), request,
                                        std::nullopt, {});
    ASSERT_TRUE(id.has_value());
    world.settle();
    ASSERT_EQ(probe.responses.size(), 1U);
    EXPECT_EQ(probe.responses[0].id, *id);
    EXPECT_EQ(probe.responses[0].source->address, KernelWorld::full_address(id_of("c")));
    EXPECT_EQ(probe.responses[0].response.body.text(), "r");
    EXPECT_THAT(of("b"), IsEmpty());
}

TEST_P(Inheriting, OnlyIdReplyAddressAndBlobAreInherited) {
    // K-36: not source, body, metadata or context.
    mock::Request came;
    mock::Address source;
    add("c", [&](mock::Api& api) -> mock::Script {
        const mock::Delivery delivery = co_await api.receive();
        came = delivery.request;
        source = delivery.peer;
        note("c", delivery.context.value_or("no context"));
    });
    add("b", forwards("b", {inheriting(tell("c", "own body"))}));
    mock::Send send = ask("b", "q", 5, "context");
    send.request.metadata = "metadata";
    add("a", sends_then_listens("a", {send}));
    go();
    EXPECT_EQ(came.body, "own body");
    EXPECT_EQ(came.metadata, std::nullopt);
    EXPECT_EQ(came.expects_response, std::nullopt);
    EXPECT_EQ(source, KernelWorld::address(id_of("b")));
    EXPECT_THAT(of("c"), ElementsAre("no context"));
}

}  // namespace
}  // namespace perdure::kernel
