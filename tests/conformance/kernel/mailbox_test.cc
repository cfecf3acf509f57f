/// What waits for a process, and when its mailbox takes no more (kernel specification, 10).

#include <algorithm>

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentOrder : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentOrder, worker_counts(), worker_name);

TEST_P(ComponentOrder, CK63_WhatCameBeforeAProcessRunsComesFirst) {
    prepare_boot("boot-b", "receive-numbers 1001");
    add("a", "script", {.capabilities = {root_of(KernelWorld::kNode)}});
    connect();
    tell("a", "repeat 1000\nsend {boot-b} body=%i\nend");
    const auto waiting = world.status(id_of("boot-b"));
    EXPECT_EQ(waiting->phase, kernel::LifePhase::Initialised);
    EXPECT_EQ(waiting->mailbox_messages, 1000U);
    EXPECT_EQ(waiting->starts, 0U);
    tell("a", std::string("send ") + kKernelTarget + " body=" + run_command("boot-b") +
                  "\nsend {boot-b} body=1001");
    EXPECT_THAT(said("boot-b"),
                ElementsAre("1 numbers first=1 last=1001 gaps=0 others=0", "1 done"));
    EXPECT_EQ(world.status(id_of("boot-b"))->mailbox_messages, 0U);
}

class ComponentMailbox : public OnWorkers {
protected:
    ComponentMailbox() : OnWorkers(with_bound()) {}
    static KernelWorld::Options with_bound() {
        KernelWorld::Options options;
        options.limits.mailbox.messages_max = 10;
        return options;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentMailbox, worker_counts(), worker_name);

TEST_P(ComponentMailbox, CK152_AFullMailboxRefusesAtOnceAndSaysSo) {
    start({"a", "b"});
    tell("b", "sleep 1000\nreceive\nsleep 1000\nreceive 10");
    tell("a",
         "repeat 11\nsend {b} expect=30 body=%i\nend\nreceive\nsend {b} body=unheard\n"
         "sleep 1500\nsend {b} body=12");
    EXPECT_THAT(of("a"),
                ElementsAre(AllOf(StartsWith("4 error kind=timeout target=b of=request expects=30 "
                                             "inherit=0 body=11 cap="),
                                  HasSubstr(R"({"full":{"mailbox":"b","messages":10,)"))));
    EXPECT_EQ(now(), Nanoseconds(0)) << "nobody has waited";
    EXPECT_EQ(world.status(id_of("b"))->mailbox_messages, 10U);
    EXPECT_EQ(world.status(id_of("b"))->refused, 1U) << "the other one was told to its sender";
    const std::vector<std::string> log = world.log_lines();
    EXPECT_EQ(std::count_if(log.begin(), log.end(),
                            [](const std::string& line) {
                                return line.find("mailbox_refused_messages") != line.npos;
                            }),
              1);
    advance(2 * kSecond);
    const std::vector<std::string> received = of("b");
    ASSERT_EQ(received.size(), 12U);
    EXPECT_EQ(received[0], "2 request source=a expects=30 inherit=0 body=1");
    EXPECT_EQ(received[9], "4 request source=a expects=30 inherit=0 body=10");
    EXPECT_EQ(received[10], "4 request source=a inherit=0 body=12");
    EXPECT_EQ(received[11], "4 done");
    EXPECT_EQ(world.status(id_of("b"))->refused, 1U);
}

TEST_P(ComponentMailbox, CK153_TwoThatFloodEachOtherBeforeTheyReadBothGoOn) {
    start({"a", "b", "c", "d"});
    tell("d", "echo");
    // Each has taken its program before the other sends, and both start at one instant.
    const auto floods = [](const std::string& other) {
        return "sleep 10\nrepeat 100\nsend {" + other +
               "} body=%i\nend\nnote sent\nsleep 1000\nreceive 11";
    };
    tell("a", floods("b"));
    tell("b", floods("a"));
    tell("c", "sleep 10\nrepeat 100\nawait {d} expect=1 body=q\nend\nnote asked");
    advance(10 * kMillisecond);
    // Neither waited, nor did those beside them.
    EXPECT_THAT(of("a"), ElementsAre("5 note sent"));
    EXPECT_THAT(of("b"), ElementsAre("5 note sent"));
    const std::vector<std::string> asked = of("c");
    ASSERT_EQ(asked.size(), 102U);
    EXPECT_EQ(std::count(asked.begin(), asked.end(), "3 response source=d inherit=1 body=q"), 100);
    EXPECT_EQ(world.kernel().counters().refused.load(), 180U);
    for (const auto& [name, other] : {std::pair("a", "b"), std::pair("b", "a")}) {
        EXPECT_EQ(world.status(id_of(name))->mailbox_messages, 10U) << name;
        EXPECT_EQ(world.status(id_of(name))->refused, 90U) << name;
    }

    advance(kSecond);
    for (const auto& [name, other] : {std::pair("a", "b"), std::pair("b", "a")}) {
        std::vector<std::string> expected;
        for (int number = 1; number <= 10; ++number) {
            expected.push_back("7 request source=" + std::string(other) +
                               " inherit=0 body=" + std::to_string(number));
        }
        EXPECT_EQ(of(name), expected);
    }
    advance(60 * kSecond);
    EXPECT_THAT(of("a"), IsEmpty()) << "the eleventh never comes";
    EXPECT_THAT(of("b"), IsEmpty());
}

TEST_P(ComponentMailbox, CK154_AFullMailboxStillTakesTheAnswerItsProcessAwaits) {
    start({"b", "c", "x"});
    tell("c", "receive\nsleep 1000\nrespond body=r");
    tell("b", "await {c} expect=5 body=q\nreceive 9\nnote empty");
    tell("x", "repeat 20\nsend {b} body=%i\nend");
    // One of the ten places is kept for the outcome (K-263).
    EXPECT_EQ(world.status(id_of("b"))->mailbox_messages, 10U);
    EXPECT_EQ(world.status(id_of("b"))->refused, 11U);
    EXPECT_THAT(of("b"), IsEmpty());
    advance(kSecond - kInstant);
    EXPECT_THAT(of("b"), IsEmpty());
    advance(kInstant);
    const std::vector<std::string> came = of("b");
    ASSERT_EQ(came.size(), 12U);
    EXPECT_EQ(came[0], "1 response source=c inherit=0 body=r");
    EXPECT_EQ(came[1], "2 request source=x inherit=0 body=1");
    EXPECT_EQ(came[9], "2 request source=x inherit=0 body=9");
    EXPECT_EQ(came[10], "3 note empty");
}

TEST_P(ComponentMailbox, CK161_WhoIsRefusedMayStillAnswer) {
    start({"a", "c"});
    tell("a",
         "receive\nrepeat 20\nsend {c} body=noise\nend\nawait {c} expect=5 body=more\n"
         "respond body=r");
    tell("c", "await {a} expect=5 body=q\nsleep 1000");
    EXPECT_EQ(now(), Nanoseconds(0)) << "nobody has waited";
    const std::vector<std::string> asked = of("a");
    ASSERT_EQ(asked.size(), 3U);
    EXPECT_EQ(asked[0], "1 request source=c expects=5 inherit=0 body=q");
    EXPECT_THAT(asked[1],
                AllOf(StartsWith("5 error kind=timeout target=c of=request expects=5 inherit=0 "
                                 "body=more cap="),
                      HasSubstr(R"({"full":{"mailbox":"c","messages":10,)")));
    EXPECT_EQ(asked[2], "6 done");
    EXPECT_EQ(world.status(id_of("c"))->refused, 11U);
    EXPECT_THAT(of("c"), ElementsAre("1 response source=a inherit=0 body=r"));
}

}  // namespace
}  // namespace perdure::conformance
