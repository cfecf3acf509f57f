/// Requests, Responses, contexts and inheriting, on real components (kernel specification, 10).

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentMessages : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentMessages, worker_counts(), worker_name);

TEST_P(ComponentMessages, CK7_OurMeansTheOwnNodeAndASendErrorSaysItsName) {
    start({"a", "b"});
    tell("b", "receive");
    tell("a", "send our@b:test:os expect=2 body=x\nreceive");
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=2 inherit=0 body=x", "1 done"));
    advance(2 * kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    const std::string report =
        "2 error kind=timeout target=n.os@b:test:os of=request expects=2 inherit=0 body=x";
    EXPECT_THAT(driver.reports, Contains(std::pair<std::string, std::string>("a", report)));
}

TEST_P(ComponentMessages, CK8_ANameWithAColonFailsAtOnceAndHarmsNobody) {
    start({"a", "b"});
    tell("b", "echo");
    tell("a", "send our@x%3ay:p:q expect=30 body=x\nreceive\nsend {b} expect=5 body=q\nreceive");
    EXPECT_THAT(of("a"),
                ElementsAre(StartsWith("2 error kind=timeout target=x:y:p:q of=request expects=30"),
                            "4 response source=b inherit=1 body=q", "4 done"));
}

TEST_P(ComponentMessages, CK9_AResponseComesOnceWithSourceAndContext) {
    start({"a", "b"});
    tell("b", "receive\nrespond body=r");
    tell("a", "send {b} expect=5 body=q context=c1\nreceive");
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=5 inherit=0 body=q", "2 done"));
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=r context=c1", "2 done"));
    advance(10 * kSecond);
    EXPECT_THAT(of("a"), IsEmpty());
}

TEST_P(ComponentMessages, CK10_NoContextAndAnEmptyOneAreToldApart) {
    start({"a", "b"});
    tell("b", "echo");
    tell("a", "send {b} expect=5\nreceive\nsend {b} expect=5 context=\nreceive");
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=1 body=",
                                     "4 response source=b inherit=1 body= context=", "4 done"));
}

TEST_P(ComponentMessages, CK11_ContextsFollowTheirAnswersWhateverTheirOrder) {
    start({"a", "b", "c"});
    // Each answer of c takes b back to the Request it was handling when it asked c.
    tell("c", "sleep 100\necho");
    tell("b",
         "receive\nsend {c} expect=30\nreceive\nsend {c} expect=30\nreceive\nrespond body=r3\n"
         "receive\nrespond body=r1\nreceive\nrespond body=r2");
    tell("a",
         "send {b} expect=5 body=1 context=1\nsend {b} expect=5 body=2 context=2\n"
         "send {b} expect=5 body=3 context=3\nreceive 3");
    advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("4 response source=b inherit=0 body=r3 context=3",
                                     "4 response source=b inherit=0 body=r1 context=1",
                                     "4 response source=b inherit=0 body=r2 context=2", "4 done"));
}

TEST_P(ComponentMessages, CK12_NobodyHearsTheAnswerToARequestThatExpectsNone) {
    start({"a", "b"});
    tell("b", "receive\nrespond body=r");
    tell("a", "send {b} body=q");
    advance(60 * kSecond);
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a inherit=0 body=q", "2 done"));
    EXPECT_THAT(of("a"), ElementsAre("1 done"));
}

TEST_P(ComponentMessages, CK13_OfTwoAnswersTheFirstArrives) {
    start({"a", "b"});
    tell("b", "receive\nrespond body=one\nrespond body=two");
    tell("a", "send {b} expect=5\nreceive");
    advance(60 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=one", "2 done"));
}

TEST_P(ComponentMessages, CK14_AResponseBeforeAnyRequestIsDroppedWithAPrint) {
    start({"a"});
    tell("a", "receive");
    boot("boot", "respond body=r\nsend {a} body=still-here");
    EXPECT_THAT(kernel_said(0),
                ElementsAre(AllOf(HasSubstr("boot:test:os"), HasSubstr("Response dropped"))));
    EXPECT_THAT(of("a"), ElementsAre("1 request source=boot inherit=0 body=still-here", "1 done"));
    EXPECT_THAT(said("boot"), ElementsAre("2 done"));
    EXPECT_TRUE(exists("boot"));
    EXPECT_EQ(crashes("boot"), 0U);
}

TEST_P(ComponentMessages, CK15_BodiesAndMetadataArriveUnchanged) {
    start({"a", "b"});
    tell("b", "receive 5");
    tell("a",
         "send {b} body=\nsend {b} body=#10000000\nsend {b} body=#1280\n"
         "send {b} body=%00%ff metadata=\nsend {b} body=x metadata=no%20json{");
    EXPECT_THAT(of("b"),
                ElementsAre("1 request source=a inherit=0 body=",
                            "1 request source=a inherit=0 body=" + shown_pattern(10'000'000),
                            "1 request source=a inherit=0 body=" + shown_pattern(1280),
                            "1 request source=a inherit=0 body=%00%ff metadata=",
                            "1 request source=a inherit=0 body=x metadata=no%20json{", "1 done"));
}

TEST_P(ComponentMessages, CK16_AMessageThatExpectsNothingTakesNoPromptAway) {
    start({"a", "b", "x"});
    tell("b", "receive 2\nrespond body=r");
    tell("a", "send {b} expect=5\nreceive");
    tell("x", "send {b} body=x");
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=5 inherit=0 body=",
                                     "1 request source=x inherit=0 body=x", "2 done"));
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=r", "2 done"));
}

TEST_P(ComponentMessages, CK17_ALaterRequestThatExpectsTakesBothAnswers) {
    start({"a", "b", "d"});
    tell("b", "receive 2\nrespond body=one\nrespond body=two");
    tell("a", "send {b} expect=3\nreceive");
    tell("d", "send {b} expect=3\nreceive");
    EXPECT_THAT(of("d"), ElementsAre("2 response source=b inherit=0 body=one", "2 done"));
    advance(3 * kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("2 error kind=timeout target=b of=request expects=3 inherit=0 "
                                     "body=",
                                     "2 done"));
    EXPECT_THAT(of("d"), IsEmpty());
}

TEST_P(ComponentMessages, CK18_AResponseRestoresThePromptOfItsRequest) {
    start({"a", "b", "c", "d"});
    tell("c", "sleep 100\necho");
    tell("b", "receive\nsend {c} expect=5 body=c\nreceive 2\nrespond body=r");
    tell("a", "send {b} expect=5\nreceive");
    tell("d", "send {b} expect=5\nreceive");
    advance(kSecond);
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=5 inherit=0 body=",
                                     "3 request source=d expects=5 inherit=0 body=",
                                     "3 response source=c inherit=1 body=c", "4 done"));
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=r", "2 done"));
}

TEST_P(ComponentMessages, CK19_AProcessReceivesWhatItSendsToItself) {
    start({"a"});
    tell("a", "send self body=me\nreceive");
    EXPECT_THAT(of("a"), ElementsAre("2 request source=a inherit=0 body=me", "2 done"));
}

class ComponentInheriting : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentInheriting, worker_counts(), worker_name);

TEST_P(ComponentInheriting, CK20_TheLastOfAChainAnswersTheFirst) {
    start({"a", "b", "c"});
    tell("c", "receive\nrespond body=r");
    tell("b", "receive\nsend {c} inherit body=on");
    tell("a", "send {b} expect=5 body=q context=c1\nreceive");
    advance(60 * kSecond);
    EXPECT_THAT(of("c"), ElementsAre("1 request source=b inherit=1 body=on", "2 done"));
    EXPECT_THAT(of("a"), ElementsAre("2 response source=c inherit=0 body=r context=c1", "2 done"));
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=5 inherit=0 body=q", "2 done"));
}

TEST_P(ComponentInheriting, CK21_AChainOfFourAnswersDirectly) {
    start({"a", "b", "c", "d"});
    tell("d", "receive\nrespond body=r");
    tell("c", "receive\nsend {d} inherit");
    tell("b", "receive\nsend {c} inherit");
    tell("a", "send {b} expect=5 context=c1\nreceive");
    EXPECT_THAT(of("a"), ElementsAre("2 response source=d inherit=0 body=r context=c1", "2 done"));
    EXPECT_THAT(of("b"), ElementsAre(_, "2 done"));
    EXPECT_THAT(of("c"), ElementsAre(_, "2 done"));
}

TEST_P(ComponentInheriting, CK22_OfTwoChildrenTheFirstAnswerCounts) {
    start({"a", "b", "c", "d"});
    tell("c", "receive\nsleep 50\nrespond body=from-c");
    tell("d", "receive\nsleep 20\nrespond body=from-d");
    tell("b", "receive\nsend {c} inherit\nsend {d} inherit");
    tell("a", "send {b} expect=5\nreceive");
    advance(60 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("2 response source=d inherit=0 body=from-d", "2 done"));
}

TEST_P(ComponentInheriting, CK23_AChildThatIsExpectedToAnswerAnswersItsSender) {
    start({"a", "b", "c"});
    tell("c", "receive\nrespond body=from-c");
    tell("b", "receive\nsend {c} inherit expect=3\nreceive\nrespond body=from-b");
    tell("a", "send {b} expect=5\nreceive");
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=5 inherit=0 body=",
                                     "3 response source=c inherit=0 body=from-c", "4 done"));
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=from-b", "2 done"));
}

TEST_P(ComponentInheriting, CK24_TwoExpectingChildrenOfOneParentKeepTheirContexts) {
    start({"a", "b", "c"});
    tell("c", "echo");
    tell("b",
         "receive\nsend {c} inherit expect=5 body=1 context=x\n"
         "send {c} inherit expect=5 body=2 context=y\nreceive 2");
    tell("a", "send {b} expect=90");
    advance(60 * kSecond);
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=90 inherit=0 body=",
                                     "4 response source=c inherit=1 body=1 context=x",
                                     "4 response source=c inherit=1 body=2 context=y", "4 done"));
}

TEST_P(ComponentInheriting, CK25_WithNothingReceivedItIsAPlainRequest) {
    start({"c"});
    tell("c", "receive\nget-blob\nrespond body=r");
    boot("boot", "send {c} inherit body=x");
    advance(60 * kSecond);
    EXPECT_THAT(of("c"),
                ElementsAre("1 request source=boot inherit=1 body=x", "2 get-blob none", "3 done"));
    EXPECT_THAT(said("boot"), ElementsAre("1 done"));
    EXPECT_THAT(driver.responses, IsEmpty());
}

TEST_P(ComponentInheriting, CK26_AChainThatBeganWithoutExpectationIsAnsweredToNobody) {
    start({"a", "b", "c"});
    tell("c", "receive\nrespond body=r");
    tell("b", "receive\nsend {c} inherit");
    tell("a", "send {b}");
    advance(60 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("1 done"));
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a inherit=0 body=", "2 done"));
    EXPECT_THAT(of("c"), ElementsAre("1 request source=b inherit=1 body=", "2 done"));
}

TEST_P(ComponentInheriting, CK27_AChildOfAFireAndForgetRequestContinuesNoOlderOne) {
    start({"a", "b", "c", "x"});
    tell("c", "receive\nrespond body=r");
    tell("b", "receive 2\nsend {c} inherit");
    tell("a", "send {b} expect=30\nreceive");
    tell("x", "send {b}");
    advance(30 * kSecond - kInstant);
    EXPECT_THAT(of("c"), ElementsAre("1 request source=b inherit=1 body=", "2 done"));
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_THAT(of("x"), ElementsAre("1 done"));
}

TEST_P(ComponentInheriting, CK28_AModuleGetsTheAnswerOfAChainItBegan) {
    start({"b", "c"});
    tell("c", "receive\nrespond body=r");
    tell("b", "receive\nsend {c} inherit");
    Request request;
    request.expects_response = 5;
    send("b", request);
    ASSERT_EQ(driver.responses.size(), 1U);
    EXPECT_EQ(text_of(driver.responses[0].response.body.view()), "r");
    EXPECT_EQ(driver.responses[0].source->address.process.process, "c");
}

}  // namespace
}  // namespace perdure::conformance
