/// Who may message whom, and what becomes of a message without the right (kernel specification,
/// 10).

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentCapabilities : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentCapabilities, worker_counts(), worker_name);

TEST_P(ComponentCapabilities, CK66_APublicProcessMayBeMessagedByAll) {
    add("a");
    add("b", "script", {.is_public = true});
    tell("b", "receive");
    tell("a", "send {b} expect=30 body=x");
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a expects=30 inherit=0 body=x", "1 done"));
    EXPECT_THAT(of("a"), ElementsAre("1 done"));
}

TEST_P(ComponentCapabilities, CK67_AnswersNeedNoRightAndRequestsTheOtherWayDo) {
    add("a");
    add("b");
    world.grant_messaging(id_of("a"), id_of("b"));
    tell("b", "receive\nrespond body=r\nsend {a} expect=30 body=back\nreceive");
    tell("a", "send {b} expect=5\nreceive");
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=r", "2 done"));
    EXPECT_THAT(
        of("b"),
        ElementsAre(
            _,
            AllOf(StartsWith("4 error kind=timeout target=a of=request expects=30 inherit=0 "
                             "body=back cap="),
                  HasSubstr("denied"), HasSubstr("messaging")),
            "4 done"));
    EXPECT_THAT(of("a"), IsEmpty());
}

TEST_P(ComponentCapabilities, CK75_ADroppedCapabilityIsGoneForTheNextRequest) {
    start({"a", "b"});
    tell("b", "receive");
    tell("a",
         "send {b} body=before\ndrop-caps cap={b}|\"messaging\"\nsend {b} expect=30 body=after\n"
         "receive\ndrop-caps cap={b}|\"messaging\"\ncaps");
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a inherit=0 body=before", "1 done"));
    EXPECT_THAT(of("a"),
                ElementsAre(AllOf(StartsWith("4 error kind=timeout target=b"), HasSubstr("denied")),
                            AllOf(StartsWith("6 caps"), Not(HasSubstr("cap=b|"))), "6 done"));
    EXPECT_FALSE(holds("a", messaging("b")));
    EXPECT_TRUE(holds("a", messaging("a")));
}

/// The capability in a returned message that names `missing`, as reports show it.
std::string denial_mark(std::string_view missing) {
    return R"(cap=kernel:distro:sys|{"denied":{"issuer":")" + std::string(missing) +
           R"(","params":"\"messaging\""}})";
}

TEST_P(ComponentCapabilities, CK65_WithoutTheTargetsMessagingARequestIsDeniedAtOnce) {
    add("a");
    add("b");
    tell("b", "receive");
    tell("a",
         "send {b} expect=30 body=q context=c\nreceive\nsend {nobody} expect=30 body=q\nreceive\n"
         "send {b} body=x\nsend {nobody} body=x\nreceive");
    EXPECT_EQ(now(), Nanoseconds(0));
    EXPECT_THAT(
        of("a"),
        ElementsAre("2 error kind=timeout target=b of=request expects=30 inherit=0 body=q " +
                        denial_mark("b") + " context=c",
                    "4 error kind=timeout target=nobody of=request expects=30 inherit=0 body=q " +
                        denial_mark("nobody")));
    advance(60 * kSecond);
    EXPECT_THAT(of("a"), IsEmpty()) << "no second outcome, and no error of what expected nothing";
    EXPECT_THAT(of("b"), IsEmpty());
}

TEST_P(ComponentCapabilities, CK135_WithoutRootNothingIsDoneAndTheDenialMarkSaysWhy) {
    add("a");
    add("b");
    const std::string kill = std::string("send ") + kKernelTarget + " body=" + kill_command("a");
    tell("b", kill + " expect=30\nreceive\n" + kill + "\nreceive");
    EXPECT_EQ(now(), Nanoseconds(0));
    EXPECT_THAT(of("b"),
                ElementsAre(AllOf(StartsWith("2 error kind=timeout target=kernel:distro:sys "
                                             "of=request expects=30 inherit=0 body="),
                                  HasSubstr(denial_mark("kernel:distro:sys")))));
    EXPECT_TRUE(exists("a"));
    advance(60 * kSecond);
    EXPECT_THAT(of("b"), IsEmpty());
    EXPECT_TRUE(exists("a"));
    EXPECT_EQ(world.kernel().counters().denied.load(), 1U);
}

TEST_P(ComponentCapabilities, CK182_DeniedMessagesAreCountedAndEachPairIsLoggedOnce) {
    add("a", "script", {.capabilities = {network_of(KernelWorld::kNode)}});
    add("b");
    add("c");
    tell("b", "receive");
    tell("c", "receive");
    tell("a",
         "repeat 100\nsend {b} body=x\nsend {c} body=x\nend\nsend far.os@d:test:os body=far\n"
         "receive\nreceive");
    advance(60 * kSecond);
    EXPECT_EQ(world.kernel().counters().denied.load(), 200U);
    EXPECT_THAT(kernel_said(0),
                ElementsAre("n.os@a:test:os may not message n.os@b:test:os: it lacks "
                            R"(n.os@b:test:os("messaging"))",
                            "n.os@a:test:os may not message n.os@c:test:os: it lacks "
                            R"(n.os@c:test:os("messaging"))"));
    EXPECT_THAT(of("a"),
                ElementsAre("6 error kind=offline target=far.os@d of=request inherit=0 body=far"))
        << "none of the others came back";
    EXPECT_THAT(of("b"), IsEmpty());
    EXPECT_THAT(of("c"), IsEmpty());
}

}  // namespace
}  // namespace perdure::conformance
