/// Requests, Responses and contexts between processes (kernel specification §§2.1 to 2.4 and 2.6).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Messages : public Scenario {};
INSTANTIATE_TEST_SUITE_P(Workers, Messages, worker_counts(), worker_name);

TEST_P(Messages, CK7_OurInATargetMeansTheOwnNodeAlsoInTheSendError) {
    mock::Send send = at_node(ask("b", "x", 2), "our");
    add("b", silent);
    add("a", [&, send](mock::Api& api) -> mock::Script {
        co_await api.send_request(send);
        const mock::Delivery error = co_await api.receive();
        note("a", describe(error) + " at " + error.peer.node);
    });
    go();
    world.advance(2 * kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    world.advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request x to b at n.os"));
}

TEST_P(Messages, CK8_ATargetThatIsNoIdTimesOutAtOnce) {
    mock::Send broken = ask("b", "x", 30);
    broken.target.process = "x:y";
    add("b", echo);
    add("a", [&, broken](mock::Api& api) -> mock::Script {
        co_await api.send_request(broken);
        const mock::Delivery error = co_await api.receive();
        note("a", error.is_error && error.error_kind == KWE_SEND_TIMEOUT ? "Timeout" : "no error");
        note("a", error.peer.process);
        const mock::Send good = ask("b", "still here", 5);
        co_await api.send_request(good);
        const mock::Delivery response = co_await api.receive();
        note("a", describe(response));
    });
    go();
    EXPECT_THAT(of("a"), ElementsAre("Timeout", "x:y", "Response still here from b"));
}

TEST_P(Messages, CK8_ANameWithAColonImitatesNoOtherProcess) {
    mock::Send imitation = tell("b", "x");
    imitation.target = {KernelWorld::kNode, "b:test", "os", ""};
    add("b", listens("b"));
    add("a", sends_then_listens("a", {imitation, tell("b", "y")}));
    go();
    EXPECT_THAT(of("b"), ElementsAre("Request y from a"));
}

TEST_P(Messages, CK9_AResponseComesBackOnceWithSourceAndContext) {
    add("b", echo);
    add("a", sends_then_listens("a", {ask("b", "r", 5, "c1")}));
    go();
    EXPECT_THAT(of("a"), ElementsAre("Response r from b, context c1"));
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response r from b, context c1"));
}

TEST_P(Messages, CK10_NoContextComesBackAsNoneAndAnEmptyOneAsEmpty) {
    add("b", echo);
    add("a", sends_then_listens("a", {ask("b", "none", 5), ask("b", "empty", 5, "")}));
    go();
    EXPECT_THAT(of("a"), ElementsAre("Response none from b", "Response empty from b, context "));
}

TEST_P(Messages, CK11_ContextsFollowTheirAnswersWhateverTheOrder) {
    // B is put back into the first two Requests by the answers of C (K-28).
    add("c", echo);
    add("b", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Send first = ask("c", "r1", 60);
        co_await api.send_request(first);
        co_await api.receive();
        const mock::Send second = ask("c", "r2", 60);
        co_await api.send_request(second);
        co_await api.receive();
        const mock::Response third = answer("r3");
        co_await api.send_response(third);
        for (int count = 0; count < 2; ++count) {
            const mock::Delivery delivery = co_await api.receive();
            const mock::Response response = answer(delivery.response.body);
            co_await api.send_response(response);
        }
    });
    add("a", sends_then_listens(
                 "a", {ask("b", "q1", 5, "1"), ask("b", "q2", 5, "2"), ask("b", "q3", 5, "3")}));
    go();
    EXPECT_THAT(of("a"),
                ElementsAre("Response r3 from b, context 3", "Response r1 from b, context 1",
                            "Response r2 from b, context 2"));
}

TEST_P(Messages, CK12_AnAnswerToARequestThatExpectsNoneReachesNobody) {
    add("b", answers("b", "r"));
    add("a", sends_then_listens("a", {tell("b", "x")}));
    go();
    world.advance(60 * kSecond);
    EXPECT_THAT(of("a"), IsEmpty());
}

TEST_P(Messages, CK13_OfTwoAnswersTheFirstCounts) {
    add("b", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Response first = answer("first");
        const mock::Response second = answer("second");
        co_await api.send_response(first);
        co_await api.send_response(second);
        co_await api.receive();
    });
    add("a", sends_then_listens("a", {ask("b", "x", 5)}));
    go();
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response first from b"));
}

TEST_P(Messages, CK14_AResponseBeforeAnyRequestIsDroppedWithAPrint) {
    add("b", [this](mock::Api& api) -> mock::Script {
        const mock::Response response = answer("to nobody");
        co_await api.send_response(response);
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            note("b", describe(delivery));
        }
    });
    add("a", sends_then_listens("a", {tell("b", "go on")}));
    go();
    EXPECT_THAT(world.prints(0),
                ElementsAre("n.os@b:test:os: Response dropped: there is no Request to answer"));
    EXPECT_THAT(of("b"), ElementsAre("Request go on from a"));
}

TEST_P(Messages, CK15_BodiesAndMetadataArriveUnchanged) {
    std::string every_value;
    for (int value = 0; value < 256; ++value) {
        every_value.push_back(static_cast<char>(value));
    }
    const std::vector<std::string> bodies = {"", std::string(10'000'000, 'x'), every_value};
    const std::vector<std::optional<std::string>> metadata = {std::nullopt, "", "not {JSON"};
    std::vector<mock::Send> sends;
    for (std::size_t index = 0; index < bodies.size(); ++index) {
        sends.push_back(ask("b", bodies[index], 5));
        sends.back().request.metadata = metadata[index];
    }
    std::vector<mock::Request> requests;
    std::vector<mock::Response> responses;
    add("b", [&](mock::Api& api) -> mock::Script {
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            requests.push_back(delivery.request);
            mock::Response response = answer(delivery.request.body);
            response.metadata = delivery.request.metadata;
            co_await api.send_response(response);
        }
    });
    add("a", [&, sends](mock::Api& api) -> mock::Script {
        for (const mock::Send& send : sends) {
            const mock::Delivery delivery = co_await api.send_and_await(send);
            responses.push_back(delivery.response);
        }
    });
    go();
    ASSERT_EQ(requests.size(), bodies.size());
    ASSERT_EQ(responses.size(), bodies.size());
    for (std::size_t index = 0; index < bodies.size(); ++index) {
        EXPECT_TRUE(requests[index].body == bodies[index]) << "Request " << index;
        EXPECT_EQ(requests[index].metadata, metadata[index]);
        EXPECT_TRUE(responses[index].body == bodies[index]) << "Response " << index;
        EXPECT_EQ(responses[index].metadata, metadata[index]);
    }
}

/// Receives two Requests, then answers the one that a Response would answer now.
mock::Script answers_after_two(mock::Api& api) {
    co_await api.receive();
    co_await api.receive();
    const mock::Response response = answer("r");
    co_await api.send_response(response);
    co_await api.send_response(response);
    co_await api.receive();
}

TEST_P(Messages, CK16_AResponseAnswersTheLatestRequestThatWantsOne) {
    add("b", answers_after_two);
    add("a", sends_then_listens("a", {ask("b", "R1", 5)}));
    add("x", sends_then_listens("x", {tell("b", "R2")}));
    go();
    EXPECT_THAT(of("a"), ElementsAre("Response r from b"));
    EXPECT_THAT(of("x"), IsEmpty());
}

TEST_P(Messages, CK17_ALaterRequestThatWantsAnAnswerTakesThemAll) {
    add("b", answers_after_two);
    add("a", sends_then_listens("a", {ask("b", "R1", 5)}));
    add("d", sends_then_listens("d", {ask("b", "R2", 5)}));
    go();
    world.advance(5 * kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    world.advance(kInstant);
    EXPECT_THAT(of("d"), ElementsAre("Response r from b"));
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request R1 to b"));
}

TEST_P(Messages, CK18_AResponsePutsItsRequesterBackIntoTheRequestItWasHandling) {
    add("c", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await until(api, kSecond);
        const mock::Response response = answer("from c");
        co_await api.send_response(response);
    });
    add("b", [this](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Send send = ask("c", "help", 5);
        co_await api.send_request(send);
        for (int count = 0; count < 2; ++count) {
            const mock::Delivery delivery = co_await api.receive();
            note("b", describe(delivery));
        }
        const mock::Response response = answer("r");
        co_await api.send_response(response);
        co_await api.receive();
    });
    add("a", sends_then_listens("a", {ask("b", "R1", 5)}));
    add("d", sends_then_listens("d", {ask("b", "R2", 5)}));
    go();
    world.advance(5 * kSecond);
    EXPECT_THAT(of("b"), ElementsAre("Request R2 from d", "Response from c from c"));
    EXPECT_THAT(of("a"), ElementsAre("Response r from b"));
    EXPECT_THAT(of("d"), ElementsAre("Timeout of Request R2 to b"));
}

TEST_P(Messages, CK19_AProcessReceivesWhatItSendsToItself) {
    add("a", sends_then_listens("a", {tell("a", "to myself")}));
    go();
    EXPECT_THAT(of("a"), ElementsAre("Request to myself from a"));
}

TEST_P(Messages, AProcessMayAnswerItsOwnRequest) {
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = ask("a", "q", 5, "c");
        co_await api.send_request(send);
        const mock::Delivery request = co_await api.receive();
        note("a", describe(request));
        const mock::Response response = answer("r");
        co_await api.send_response(response);
        const mock::Delivery delivery = co_await api.receive();
        note("a", describe(delivery));
    });
    go();
    EXPECT_THAT(of("a"), ElementsAre("Request q from a", "Response r from a, context c"));
}

}  // namespace
}  // namespace perdure::kernel
