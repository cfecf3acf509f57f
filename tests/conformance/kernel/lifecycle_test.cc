/// How processes end and start again, and what they keep (kernel specification, 10).

#include <algorithm>

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentLife : public OnWorkers {
protected:
    static Guest guest(OnExit on_exit) {
        Guest made;
        made.on_exit = std::move(on_exit);
        return made;
    }
    /// What the kernel printed about crashes of `name`.
    std::vector<std::string> crash_reports(std::string_view name) {
        std::vector<std::string> reports;
        for (const std::string& line : kernel_said(0)) {
            if (line.find(id_of(name) + " ended with error") != line.npos) {
                reports.push_back(line);
            }
        }
        return reports;
    }
    bool is_in_table(std::string_view name) {
        const auto answer = command(R"({"Debug":{"Process":")" + id_of(name) + R"("}})");
        EXPECT_TRUE(answer.has_value());
        return answer != R"({"Debug":{"Process":null}})";
    }
    std::optional<std::string> kill_by_message(std::string_view name) {
        return command(kill_command(name));
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentLife, worker_counts(), worker_name);

TEST_P(ComponentLife, CK94_AProcessThatReturnsIsGone) {
    start({"a"});
    EXPECT_TRUE(is_in_table("a"));
    tell("a", "return");
    EXPECT_THAT(world.prints(1), Contains("process n.os@a:test:os returned without error"));
    EXPECT_THAT(world.prints(0), Not(Contains(HasSubstr("a:test:os returned"))));
    EXPECT_FALSE(exists("a"));
    EXPECT_FALSE(is_in_table("a"));
}

TEST_P(ComponentLife, CK96_AProcessThatPanicsAtOnceKeepsRestartingAndHurtsNobody) {
    start({"a", "b"});
    tell("b", "echo");
    world.start_component(id_of("c"), fixture("panic"), guest(OnExit::restart()));
    world.step(200);
    EXPECT_GT(starts("c"), 10U);
    EXPECT_GE(crash_reports("c").size(), starts("c") - 1);
    EXPECT_THAT(crash_reports("c").back(), HasSubstr("panic at start"));
    post("a", "send {b} expect=5 body=q\nreceive");
    world.step(200);
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=1 body=q", "2 done"));
    EXPECT_TRUE(kill_by_message("c").has_value());
    EXPECT_FALSE(exists("c"));
    const std::size_t reports = crash_reports("c").size();
    advance(60 * kSecond);
    EXPECT_EQ(crash_reports("c").size(), reports);
    world.reboot();
    EXPECT_FALSE(exists("c"));
}

TEST_P(ComponentLife, CK97_AKilledProcessIsNotRestartedNorThereAfterAReboot) {
    add("a", "script", guest(OnExit::restart()));
    EXPECT_EQ(kill_by_message("a"), R"({"KilledProcess":"a:test:os"})");
    advance(60 * kSecond);
    EXPECT_FALSE(exists("a"));
    world.reboot();
    EXPECT_FALSE(exists("a"));
}

constexpr const char* kQueueAndSet = "queue {p} body=last blob=b\nset-on-exit queued\n";
constexpr const char* kLast = "1 request source=a inherit=0 body=last";

TEST_P(ComponentLife, CK98_AProcessThatReturnsSendsItsExitRequestWithItsBlob) {
    start({"a", "p"});
    tell("p", "receive\nget-blob");
    tell("a", std::string(kQueueAndSet) + "return");
    EXPECT_THAT(of("p"), ElementsAre("1 request source=a inherit=0 body=last", "2 get-blob blob=b",
                                     "2 done"));
    EXPECT_FALSE(is_in_table("a"));
}

TEST_P(ComponentLife, CK99_APanicAndAKillSendTheSame) {
    start({"a", "p"});
    tell("p", "receive\nget-blob\nreceive\nget-blob");
    tell("a", std::string(kQueueAndSet) + "panic oh");
    EXPECT_FALSE(is_in_table("a"));
    start({"a"});
    tell("a", kQueueAndSet);
    EXPECT_EQ(kill_by_message("a"), R"({"KilledProcess":"a:test:os"})");
    EXPECT_THAT(of("p"), ElementsAre("1 request source=a inherit=0 body=last", "2 get-blob blob=b",
                                     "3 request source=a inherit=0 body=last", "4 get-blob blob=b",
                                     "4 done"));
    EXPECT_FALSE(is_in_table("a"));
}

TEST_P(ComponentLife, CK100_ExitRequestsExpectNothingWhateverWasAskedFor) {
    start({"a", "p"});
    tell("p", "receive 2");
    tell("a", "queue {p} expect=5 body=last\nset-on-exit queued\nget-on-exit\nreturn");
    EXPECT_THAT(of("a"),
                ElementsAre("3 get-on-exit requests count=1 target=p inherit=0 body=last"));
    EXPECT_THAT(of("p"), ElementsAre(kLast));
}

TEST_P(ComponentLife, CK101_ExitRequestsObeyTheRulesOfEveryMessage) {
    start({"a", "p"});
    add("stranger");
    world.grant_messaging(id_of("a"), id_of("ghost"));
    tell("p", "receive 2");
    tell("stranger", "receive");
    tell("a",
         "queue {ghost} body=1\nqueue {stranger} body=2\nqueue other.os@p:test:os body=3\n"
         "queue {p} body=last\nset-on-exit queued\nreturn");
    EXPECT_THAT(of("p"), ElementsAre(kLast));
    EXPECT_THAT(of("stranger"), IsEmpty());
    EXPECT_FALSE(exists("a"));
}

TEST_P(ComponentLife, CK102_ACapabilityThatIsNotHeldDoesNotTravel) {
    start({"a", "p", "other"});
    tell("p", "receive 2");
    tell("a", "queue {p} body=last cap={other}|secret\nset-on-exit queued\nreturn");
    EXPECT_THAT(of("p"), ElementsAre(kLast));
}

TEST_P(ComponentLife, CK103_RestartSetAtRunTimeHoldsForTheNextCrashAndTheNextBoot) {
    add("a");
    tell("a", "set-on-exit restart\npanic oh");
    EXPECT_EQ(starts("a"), 2U);
    EXPECT_THAT(crash_reports("a"), ElementsAre(HasSubstr("oh")));
    world.reboot();
    EXPECT_TRUE(exists("a"));
    tell("a", "note runs");
    EXPECT_THAT(of("a"), ElementsAre("1 note runs", "1 done"));
}

TEST_P(ComponentLife, CK104_NoneSetAtRunTimeHoldsForTheReturnAndTheNextBoot) {
    add("a", "script", guest(OnExit::restart()));
    tell("a", "set-on-exit none\nget-on-exit\nreturn");
    EXPECT_THAT(of("a"), ElementsAre("2 get-on-exit none"));
    EXPECT_FALSE(exists("a"));
    world.reboot();
    EXPECT_FALSE(exists("a"));
}

TEST_P(ComponentLife, CK105_AFloodOfBrokenErrorTextLeavesAReportWithItsTail) {
    add("a", "script", guest(OnExit::restart()));
    tell("a", "stderr #1000000\nstderr %ff%fethe%20tail\ntrap");
    const std::vector<std::string> reports = crash_reports("a");
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_TRUE(reports[0].ends_with("\xef\xbf\xbd\xef\xbf\xbdthe tail")) << reports[0];
    EXPECT_LT(reports[0].size(), 20'000U);
    EXPECT_EQ(starts("a"), 2U);
}

TEST_P(ComponentLife, CK106_E10_AnExitCallCountsAsReturnOrAsCrashByItsCode) {
    for (const char* name : {"a", "b"}) {
        add(name);
    }
    tell("a", "exit 0");
    tell("b", "exit 3");
    add("c", "exit-success");
    add("d", "exit-three");
    for (const char* name : {"a", "c"}) {
        EXPECT_THAT(kernel_said(),
                    Contains("process n.os@" + id_of(name) + " returned without error"));
        EXPECT_THAT(crash_reports(name), IsEmpty());
    }
    for (const char* name : {"b", "d"}) {
        EXPECT_THAT(kernel_said(),
                    Not(Contains("process n.os@" + id_of(name) + " returned without error")));
        EXPECT_THAT(crash_reports(name), ElementsAre(HasSubstr("exit")));
    }
}

TEST_P(ComponentLife, CK107_E10_ATrapWithoutAWordIsReportedByItsCause) {
    const std::pair<const char*, const char*> kCauses[] = {
        {"text-unreachable", "unreachable"},
        {"text-divide-by-zero", "divide by zero"},
        {"text-out-of-bounds", "out of bounds"},
        {"text-stack-overflow", "stack"},
    };
    for (const auto& [component, cause] : kCauses) {
        add(component, component);
        EXPECT_THAT(crash_reports(component), ElementsAre(HasSubstr(cause)));
    }
    add("a");
    tell("a", "trap");
    EXPECT_THAT(crash_reports("a"), ElementsAre(HasSubstr("unreachable")));
}

TEST_P(ComponentLife, CK118_NeverSavedSavedAsNothingAndClearedAreToldApart) {
    add("a");
    tell("a", "get-state\nset-state\nget-state\nclear-state\nget-state");
    EXPECT_THAT(of("a"), ElementsAre("1 get-state none", "3 get-state value=", "5 get-state none",
                                     "5 done"));
}

TEST_P(ComponentLife, CK119_StateOutlivesCrashKillNewInstallationAndReboot) {
    constexpr const char* kState = "1 get-state value=%00%ffstate";
    add("a", "script", guest(OnExit::restart()));
    tell("a", "set-state %00%ffstate\npanic oh");
    tell("a", "get-state");
    EXPECT_THAT(of("a"), ElementsAre(kState, "1 done"));
    ASSERT_TRUE(world.kill(id_of("a")));
    add("a", "script-kinode-0-8", guest(OnExit::restart()));
    tell("a", "get-state");
    EXPECT_THAT(of("a"), ElementsAre(kState, "1 done"));
    world.reboot();
    tell("a", "get-state");
    EXPECT_THAT(of("a"), ElementsAre(kState, "1 done"));
    world.crash_and_boot();
    tell("a", "get-state");
    EXPECT_THAT(of("a"), ElementsAre(kState, "1 done"));
}

TEST_P(ComponentLife, CK120_NobodySeesTheStateOfAnother) {
    add("a");
    add("b");
    tell("a", "set-state of-a");
    tell("b", "get-state\nset-state of-b");
    tell("a", "get-state");
    EXPECT_THAT(of("b"), ElementsAre("1 get-state none", "2 done"));
    EXPECT_THAT(of("a"), ElementsAre("1 done", "1 get-state value=of-a", "1 done"));
}

TEST_P(ComponentLife, CK122_AStoreThatFailsIsATrapAndNeverAnAbsence) {
    add("a", "script", guest(OnExit::restart()));
    tell("a", "set-state kept");
    of("a");
    world.journal().fail_store("the disk is on fire");
    tell("a", "get-state\nnote not-reached");
    EXPECT_THAT(of("a"), IsEmpty());
    tell("a", "set-state #5000000\nnote not-reached");
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_THAT(crash_reports("a"),
                ElementsAre(HasSubstr("the disk is on fire"), HasSubstr("the disk is on fire")));
    world.journal().fail_store("");
    tell("a", "get-state");
    EXPECT_THAT(of("a"), ElementsAre("1 get-state value=kept", "1 done"));
}

TEST_P(ComponentLife, CK144_WhatAProcessSavedAndSentBeforeAPanicCounts) {
    add("b", "script", guest(OnExit::restart()));
    add("a");
    connect();
    tell("b", "receive\nset-state saved\nrespond body=r\npanic oh");
    tell("a", "send {b} expect=5\nreceive");
    EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=r", "2 done"));
    EXPECT_EQ(starts("b"), 2U);
    of("b");
    tell("b", "get-state");
    EXPECT_THAT(of("b"), ElementsAre("1 get-state value=saved", "1 done"));
}

struct Counter {
    const char* component;
    Nanoseconds sleeps;
};

class ComponentCounter : public ScriptedComponents,
                         public ::testing::WithParamInterface<Counter> {};
INSTANTIATE_TEST_SUITE_P(Libraries, ComponentCounter,
                         ::testing::Values(Counter{"counter-rust", 2 * kSecond},
                                           Counter{"counter-rust-v1", 2 * kSecond},
                                           Counter{"counter-hyperware", 2 * kSecond},
                                           Counter{"counter-cpp", 100 * kMillisecond}),
                         [](const auto& info) {
                             std::string name = info.param.component;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

TEST_P(ComponentCounter, CK95_TheCounterSampleCountsOnSteadilyForEver) {
    Guest guest;
    guest.on_exit = OnExit::restart();
    std::vector<std::string> expected = {"init", "no state found"};
    add("counter", GetParam().component, guest);
    EXPECT_EQ(said("counter"), expected);
    for (int count = 0; count < 20; ++count) {
        advance(GetParam().sleeps - kInstant);
        EXPECT_EQ(said("counter"), expected) << "before the time";
        advance(kInstant);
        expected.emplace_back("init");
        expected.push_back("counter: " + std::to_string(count));
        EXPECT_EQ(said("counter"), expected) << "no growing pause";
    }
    EXPECT_EQ(starts("counter"), 21U);
    EXPECT_EQ(crashes("counter"), 0U);
    // The number that is stored is the next one to be shown.
    const std::string stored = stored_state("counter").value_or("");
    ASSERT_EQ(stored.size(), 8U);
    EXPECT_EQ(stored[0], 20);
    world.crash_and_boot();
    advance(GetParam().sleeps);
    EXPECT_THAT(said("counter"), Contains("counter: 21"));
}

}  // namespace
}  // namespace perdure::conformance
