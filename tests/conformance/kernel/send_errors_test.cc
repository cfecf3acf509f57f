/// Timeouts, send errors and awaiting (kernel specification, 10). Computing guests run beside a
/// clock that goes on by itself, see `KernelWorld::compute`.

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentSendErrors : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentSendErrors, worker_counts(), worker_name);

constexpr const char* kTimeoutOfX =
    "2 error kind=timeout target=b of=request expects=1 inherit=0 body=x";

TEST_P(ComponentSendErrors, CK42_TimeoutComesAtTheDeadlineWithTheMessageAsItWas) {
    start({"a", "b"});
    tell("b", "receive");
    tell("a", "send {b} expect=1 body=x metadata=m mime=text/plain blob=data context=c1\nreceive");
    advance(kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre(std::string(kTimeoutOfX) +
                                         " metadata=m mime=text/plain blob=data context=c1",
                                     "2 done"));
}

TEST_P(ComponentSendErrors, CK43_AnAnswerAfterTheTimeoutIsDropped) {
    start({"a", "b"});
    tell("b", "receive\nsleep 2000\nrespond body=late");
    tell("a", "send {b} expect=1 body=x\nreceive");
    advance(60 * kSecond);
    EXPECT_THAT(of("b"), ElementsAre(_, "3 done"));
    EXPECT_THAT(of("a"), ElementsAre(kTimeoutOfX, "2 done"));
}

TEST_P(ComponentSendErrors, CK44_ARequestToAProcessThatDoesNotExistFailsAtOnce) {
    start({"a"});
    world.grant_messaging(id_of("a"), id_of("ghost"));
    tell("a", "send {ghost} expect=30 body=x\nreceive\nsend {ghost} body=y");
    EXPECT_THAT(of("a"), ElementsAre("2 error kind=timeout target=ghost of=request expects=30 "
                                     "inherit=0 body=x",
                                     "3 done"));
    advance(60 * kSecond);
    EXPECT_THAT(of("a"), IsEmpty());
}

TEST_P(ComponentSendErrors, CK48_AnExpectationOfNoTimeAtAllTimesOutOnce) {
    start({"a", "b"});
    tell("b", "receive\nrespond body=prompt");
    tell("a", "send {b} expect=0 body=x\nreceive");
    advance(60 * kSecond);
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=0 inherit=0 body=x", "2 done"));
    EXPECT_THAT(of("a"), ElementsAre("2 error kind=timeout target=b of=request expects=0 inherit=0 "
                                     "body=x",
                                     "2 done"));
}

TEST_P(ComponentSendErrors, CK49_TheLongestExpectationDoesNotOverflow) {
    start({"a", "b"});
    tell("b", "receive\nsleep 5000\nrespond body=r");
    tell("a", "send {b} expect=18446744073709551615\nreceive");
    EXPECT_THAT(of("a"), IsEmpty());
    advance(5 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=r", "2 done"));
}

TEST_P(ComponentSendErrors, CK50_AnAnswerInTimeIsNotLostToARequesterThatComputes) {
    start({"a", "b"});
    tell("b", "echo");
    post("a", "send {b} expect=1 body=q\nspin 3000\nreceive");
    world.compute(2 * kSecond);
    EXPECT_THAT(of("a"), IsEmpty());
    world.compute(2 * kSecond);
    settle();
    EXPECT_THAT(of("a"), ElementsAre("3 response source=b inherit=1 body=q", "3 done"));
}

TEST_P(ComponentSendErrors, CK51_ALateAnswerIsDroppedThoughItsRequesterComputes) {
    start({"a", "b"});
    tell("b", "receive\nsleep 2000\nrespond body=late");
    post("a", "send {b} expect=1 body=x\nspin 3000\nreceive");
    world.compute(4 * kSecond);
    advance(60 * kSecond);
    EXPECT_THAT(of("b"), ElementsAre(_, "3 done"));
    EXPECT_THAT(of("a"), ElementsAre("3" + std::string(kTimeoutOfX).substr(1), "3 done"));
}

TEST_P(ComponentSendErrors, CK52_TheRequestsOfAKilledTargetTimeOutAndLaterOnesAtOnce) {
    start({"a", "b"});
    tell("b", "receive");
    tell("a", "send {b} expect=2 body=x\nreceive\nsend {b} expect=30 body=y\nreceive");
    ASSERT_TRUE(world.kill(id_of("b")));
    advance(2 * kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    EXPECT_THAT(
        of("a"),
        ElementsAre("2 error kind=timeout target=b of=request expects=2 inherit=0 body=x",
                    StartsWith("4 error kind=timeout target=b of=request expects=30 inherit=0 "
                               "body=y"),
                    "4 done"));
}

// Local Responses never come back as errors, so the Response that is sent again needs a network.
TEST_P(ComponentSendErrors, CK53_AGuestOfTheOldestVersionGetsSendErrorsInItsOwnShape) {
    add("a", "script-kinode-0-7");
    add("b");
    connect();
    tell("b", "receive 2\nrespond body=r");
    tell("a", "send {b} expect=1 body=x blob=data context=c1\nreceive\nrespond body=nobody");
    advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("2 error kind=timeout of=request expects=1 inherit=0 body=x "
                                     "blob=data context=c1",
                                     "3 done"));
    tell("a", "send {b} expect=1 body=y\nreceive");
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=r", "2 done"));
}

TEST_P(ComponentSendErrors, CK53_WhatIsSentAgainAfterASendErrorArrivesAsIn0_8) {
    const std::pair<const char*, const char*> kComponentsAndTargets[] = {
        {"script-kinode-0-8", " target=b"}, {"script-kinode-0-7", ""}};
    for (const auto& [component, target] : kComponentsAndTargets) {
        SCOPED_TRACE(component);
        add("a", component);
        add("b");
        connect();
        tell("a",
             "receive\nsend {b} expect=1 body=x blob=data context=c1\nreceive\nresend\n"
             "respond body=late\nrespond body=again");
        tell("b",
             "send {a} expect=20 body=ask\nreceive\nsleep 1500\nreceive\nget-blob\n"
             "respond body=r\nreceive");
        advance(30 * kSecond);
        // The Request reaches its target again, and is answered; the Response reaches the Request
        // that A was handling when it sent, and is heard once.
        EXPECT_THAT(of("a"),
                    ElementsAre("1 request source=b expects=20 inherit=0 body=ask",
                                "3 error kind=timeout" + std::string(target) +
                                    " of=request expects=1 inherit=0 body=x blob=data context=c1",
                                "6 done", "0 idle response source=b inherit=0 body=r"));
        EXPECT_THAT(of("b"), ElementsAre("2 request source=a expects=1 inherit=0 body=x",
                                         "4 request source=a expects=1 inherit=0 body=x",
                                         "5 get-blob blob=data",
                                         "7 response source=a inherit=0 body=late", "7 done"));
        ASSERT_TRUE(world.kill(id_of("a")));
        ASSERT_TRUE(world.kill(id_of("b")));
    }
}

TEST_P(ComponentSendErrors, CK54_AfterASendErrorThereIsNoCurrentBlob) {
    start({"a", "b"});
    tell("b", "receive");
    tell("a", "send {b} expect=1 body=x blob=data\nreceive\nhas-blob\nget-blob");
    advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre(std::string(kTimeoutOfX) + " blob=data", "3 has-blob 0",
                                     "4 get-blob none", "4 done"));
}

class ComponentAwaiting : public OnWorkers {
protected:
    /// In the crash reports of `name`.
    std::vector<std::string> crash_reports(std::string_view name) {
        std::vector<std::string> reports;
        for (const std::string& line : kernel_said(0)) {
            if (line.find(std::string(name) + ":test:os ended with error") != line.npos) {
                reports.push_back(line);
            }
        }
        return reports;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentAwaiting, worker_counts(), worker_name);

TEST_P(ComponentAwaiting, CK55_WhatArrivesDuringAnAwaitIsReceivedAfterItInOrder) {
    start({"a", "b", "c"});
    tell("b", "receive\nsleep 100\nrespond body=r");
    tell("a", "await {b} expect=5\nreceive 3");
    tell("c", "send {a} body=1\nsend {a} body=2\nsend {a} body=3");
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("1 response source=b inherit=0 body=r",
                                     "2 request source=c inherit=0 body=1",
                                     "2 request source=c inherit=0 body=2",
                                     "2 request source=c inherit=0 body=3", "2 done"));
}

TEST_P(ComponentAwaiting, CK56_ALongQueueChangesNothingOfAnAwait) {
    start({"a", "b", "c"});
    tell("b", "echo");
    // Median time of a batch of awaits while `queued` messages of C wait.
    const auto time_of_awaits = [&](std::uint64_t queued) {
        constexpr int kBatches = 9;
        post("a",
             "report none\nrepeat 9\nsleep 1000\nrepeat 100\nawait {b} expect=5 body=q\nend\nend\n"
             "report program\nsleep 1000\nawait {b} expect=5 body=q\nreceive-numbers " +
                 std::to_string(queued));
        tell("c", "repeat " + std::to_string(queued) + "\nsend {a} body=%i\nend");
        EXPECT_EQ(world.status(id_of("a"))->mailbox_messages, queued);
        std::vector<std::chrono::steady_clock::duration> times;
        for (int batch = 0; batch < kBatches; ++batch) {
            const auto begin = std::chrono::steady_clock::now();
            advance(kSecond);
            times.push_back(std::chrono::steady_clock::now() - begin);
            EXPECT_EQ(world.status(id_of("a"))->mailbox_messages, queued);
        }
        advance(kSecond);
        EXPECT_THAT(of("a"), ElementsAre("10 response source=b inherit=1 body=q",
                                         "11 numbers first=1 last=" + std::to_string(queued) +
                                             " gaps=0 others=0",
                                         "11 done"));
        std::nth_element(times.begin(), times.begin() + kBatches / 2, times.end());
        return times[kBatches / 2];
    };
    time_of_awaits(10);
    const auto with_ten = time_of_awaits(10);
    const auto with_all = time_of_awaits(90'000);
    // The figure, 1.5, belongs to a bench; here ten times that.
    EXPECT_LT(with_all, 15 * with_ten);
}

TEST_P(ComponentAwaiting, CK57_AnAwaitEndsWithTimeoutAtTheDeadline) {
    start({"a", "b"});
    tell("b", "receive");
    tell("a", "await {b} expect=1 body=x context=c1");
    advance(kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("1" + std::string(kTimeoutOfX).substr(1), "1 done"));
}

TEST_P(ComponentAwaiting, CK58_AnAwaitWithoutExpectationTrapsAndExitBehaviourIsHonoured) {
    add("a", "script", {.on_exit = OnExit::restart()});
    add("b");
    connect();
    tell("a", "await {b} body=x\nnote not-reached");
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_THAT(crash_reports("a"), ElementsAre(HasSubstr("expects-response")));
    EXPECT_EQ(starts("a"), 2U);
    tell("a", "note again");
    EXPECT_THAT(of("a"), ElementsAre("1 note again", "1 done"));
}

TEST_P(ComponentAwaiting, CK59_AnAwaitOfOneselfTrapsHoweverItIsSpelt) {
    add("a", "script", {.on_exit = OnExit::restart()});
    connect();
    tell("a", "await {a} expect=5");
    EXPECT_EQ(starts("a"), 2U);
    tell("a", "await our@a:test:os expect=5");
    EXPECT_EQ(starts("a"), 3U);
    EXPECT_EQ(crash_reports("a").size(), 2U);
    EXPECT_THAT(of("a"), IsEmpty());
}

TEST_P(ComponentAwaiting, CK60_AnInheritedRequestThatComesBackDoesNotEndTheAwait) {
    start({"a", "b"});
    tell("b", "receive\nsend {a} inherit body=back");
    tell("a", "await {b} expect=5 body=x\nreceive");
    advance(5 * kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("1 error kind=timeout target=b of=request expects=5 inherit=0 "
                                     "body=x",
                                     "2 request source=b inherit=1 body=back", "2 done"));
}

TEST_P(ComponentAwaiting, CK61_MessagesOfOneSenderArriveInOrder) {
    start({"a", "b"});
    tell("b", "receive-numbers 10000\nreceive-numbers 10000");
    tell("a",
         "repeat 10000\nsend {b} body=%i\nend\nrepeat 10000\nqueue {b} body=%i\nend\nsend-queued");
    EXPECT_THAT(of("b"), ElementsAre("1 numbers first=1 last=10000 gaps=0 others=0",
                                     "2 numbers first=1 last=10000 gaps=0 others=0", "2 done"));
}

TEST_P(ComponentAwaiting, CK62_AnEffectNeverOvertakesItsCause) {
    constexpr std::size_t kTimes = 10'000;
    start({"a", "b", "c", "flooder", "flooded", "asker", "answerer"});
    tell("b", "report none\nrepeat 10000\nreceive\nsend {c} body=%m\nend");
    tell("c", "receive 20000");
    // The load: a flood, a conversation and a computation on the same workers, all the while.
    tell("flooded", "receive-numbers 20000");
    tell("answerer", "echo 5000");
    add("computer");
    post("flooder", "repeat 20000\nsend {flooded} body=%i\nend");
    post("asker",
         "report none\nrepeat 5000\nawait {answerer} expect=60 body=q\nend\nreport program\nnote "
         "answered");
    post("computer", "repeat 1000\ncompute 1000\nend");
    tell("a", "repeat 10000\nsend {c} body=%i\nsend {b} body=%i\nend");
    EXPECT_THAT(of("flooded"),
                ElementsAre("1 numbers first=1 last=20000 gaps=0 others=0", "1 done"));
    EXPECT_THAT(of("asker"), ElementsAre("6 note answered", "6 done"));
    EXPECT_EQ(of("computer").size(), 1001U);
    std::size_t from_a = 0;
    std::size_t from_b = 0;
    for (const std::string& line : of("c")) {
        if (line == "1 request source=a inherit=0 body=" + std::to_string(from_a + 1)) {
            ++from_a;
        } else if (line == "1 request source=b inherit=0 body=" + std::to_string(from_b + 1)) {
            ASSERT_LT(from_b, from_a) << "the effect came first";
            ++from_b;
        } else {
            ASSERT_EQ(line, "1 done");
        }
    }
    EXPECT_EQ(from_a, kTimes);
    EXPECT_EQ(from_b, kTimes);
}

}  // namespace
}  // namespace perdure::conformance
