/// Which blob a process has, and which one travels on (kernel specification, 10).

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentBlobs : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentBlobs, worker_counts(), worker_name);

TEST_P(ComponentBlobs, CK29_ABlobIsReadAsOftenAsOneLikes) {
    start({"a", "b"});
    tell("b", "receive\nhas-blob\nget-blob\nget-blob");
    tell("a", "send {b} mime=text/plain blob=data");
    EXPECT_THAT(of("b"), ElementsAre(_, "2 has-blob 1", "3 get-blob mime=text/plain blob=data",
                                     "4 get-blob mime=text/plain blob=data", "4 done"));
}

TEST_P(ComponentBlobs, CK30_AfterAMessageWithoutBlobOnlyTheLastBlobIsThere) {
    start({"a", "b"});
    tell("b", "receive 2\nhas-blob\nget-blob\nlast-blob");
    tell("a", "send {b} blob=data\nsend {b}");
    EXPECT_THAT(of("b"), ElementsAre(_, _, "2 has-blob 0", "3 get-blob none",
                                     "4 last-blob blob=data", "4 done"));
}

TEST_P(ComponentBlobs, CK31_BeforeTheFirstMessageThereIsNone) {
    boot("boot", "has-blob\nget-blob\nlast-blob");
    EXPECT_THAT(said("boot"),
                ElementsAre("1 has-blob 0", "2 get-blob none", "3 last-blob none", "3 done"));
}

TEST_P(ComponentBlobs, CK32_AnInheritingRequestCarriesTheBlobOn) {
    start({"a", "b", "c"});
    tell("c", "receive\nget-blob");
    tell("b", "receive\nsend {c} inherit");
    tell("a", "send {b} mime=text/plain blob=data");
    EXPECT_THAT(of("c"), ElementsAre(_, "2 get-blob mime=text/plain blob=data", "2 done"));
}

TEST_P(ComponentBlobs, CK33_AGivenBlobWinsAlsoAnEmptyOne) {
    start({"a", "b", "c"});
    tell("c", "receive\nget-blob\nreceive\nget-blob");
    tell("b", "receive\nsend {c} inherit blob=own\nsend {c} inherit blob=");
    tell("a", "send {b} mime=text/plain blob=data");
    EXPECT_THAT(of("c"), ElementsAre(_, "2 get-blob blob=own", _, "4 get-blob blob=", "4 done"));
}

TEST_P(ComponentBlobs, CK34_AnInheritedBlobIsNeitherCopiedNorShownToTheGuestOnItsWay) {
    start({"b", "c"});
    tell("c", "receive\nrespond inherit");
    tell("b", "memory\nreceive\nsend {c} inherit\nmemory");
    const std::vector<std::string> before = of("b");
    ASSERT_EQ(before.size(), 1U);
    Blob blob;
    blob.bytes = SharedBytes::make(500'000'000, [](auto) {});
    Request request;
    request.expects_response = 5;
    send("b", request, blob);
    const std::vector<std::string> after = of("b");
    ASSERT_EQ(after.size(), 3U);
    EXPECT_EQ("4" + before[0].substr(1), after[1]) << "the guest's memory has grown";
    ASSERT_EQ(driver.responses.size(), 1U);
    ASSERT_TRUE(driver.responses[0].blob.has_value());
    EXPECT_EQ(driver.responses[0].blob->bytes.view().data(), blob.bytes.view().data());
    EXPECT_EQ(driver.responses[0].blob->bytes.size(), 500'000'000U);
}

TEST_P(ComponentBlobs, CK35_WhatAnEarlierMessageCarriedIsNotInherited) {
    start({"a", "b", "c", "z"});
    tell("c", "receive\nhas-blob\nget-blob");
    tell("b", "receive 2\nsend {c} inherit");
    tell("z", "send {b} blob=z");
    tell("a", "send {b}");
    EXPECT_THAT(of("c"), ElementsAre(_, "2 has-blob 0", "3 get-blob none", "3 done"));
}

TEST_P(ComponentBlobs, CK36_AnAnswerMayInheritTheBlobOfAnAwaitedResponse) {
    start({"recv", "send", "files"});
    tell("files", "receive\nrespond blob=f");
    tell("send", "receive\nawait {files} expect=5\nrespond inherit body=r");
    tell("recv", "send {send} expect=5\nreceive\nget-blob");
    EXPECT_THAT(of("recv"), ElementsAre("2 response source=send inherit=1 body=r",
                                        "3 get-blob blob=f", "3 done"));
}

TEST_P(ComponentBlobs, CK37_AnAwaitedResponseWithoutBlobLeavesTheOneOfTheRequest) {
    start({"a", "b", "c", "d"});
    tell("c", "receive\nrespond body=none");
    tell("d", "receive\nget-blob");
    tell("b", "receive\nawait {c} expect=5\nsend {d} inherit");
    tell("a", "send {b} blob=a");
    EXPECT_THAT(of("d"), ElementsAre(_, "2 get-blob blob=a", "2 done"));
}

TEST_P(ComponentBlobs, CK38_AnInheritingAnswerCarriesTheBlobItIsGiven) {
    start({"a", "b"});
    tell("b", "receive\nrespond inherit blob=g");
    tell("a", "send {b} expect=5 blob=own\nreceive\nget-blob");
    EXPECT_THAT(of("a"), ElementsAre(_, "3 get-blob blob=g", "3 done"));
}

TEST_P(ComponentBlobs, CK39_StateLeavesTheBlobsAlone) {
    start({"a", "b"});
    tell("b", "receive\nset-state x\nget-state\nhas-blob\nget-blob\nlast-blob");
    tell("a", "send {b} blob=data");
    EXPECT_THAT(of("b"), ElementsAre(_, "3 get-state value=x", "4 has-blob 1",
                                     "5 get-blob blob=data", "6 last-blob blob=data", "6 done"));
}

TEST_P(ComponentBlobs, CK40_AMessageThatWaitsChangesNothingUntilItIsReceived) {
    start({"a", "b", "c", "x"});
    tell("c", "receive\nsleep 100\nrespond blob=of-c");
    tell("b", "receive\nawait {c} expect=5\nget-blob\nlast-blob\nreceive\nget-blob\nlast-blob");
    tell("a", "send {b} blob=one");
    tell("x", "send {b} blob=two");
    advance(kSecond);
    EXPECT_THAT(of("b"), ElementsAre(StartsWith("1 request source=a"),
                                     StartsWith("2 response source=c"), "3 get-blob blob=of-c",
                                     "4 last-blob blob=of-c", StartsWith("5 request source=x"),
                                     "6 get-blob blob=two", "7 last-blob blob=two", "7 done"));
}

TEST_P(ComponentBlobs, CK41_AnOldGuestHasTheBlobOfTheCurrentMessageOnly) {
    add("a");
    add("b", "script-kinode-0-8");
    connect();
    tell("b", "receive\nget-blob\nreceive\nget-blob");
    tell("a", "send {b} blob=data\nsend {b}");
    EXPECT_THAT(of("b"), ElementsAre(_, "2 get-blob blob=data", _, "4 get-blob none", "4 done"));
}

}  // namespace
}  // namespace perdure::conformance
