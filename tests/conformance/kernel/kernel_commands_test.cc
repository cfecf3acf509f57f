/// Commands to the kernel, prints, and WASI (kernel specification, 10).

#include <algorithm>

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentCommands : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentCommands, worker_counts(), worker_name);

TEST_P(ComponentCommands, AProcessIsInitialisedAndRunByMessages) {
    EXPECT_EQ(command(initialise_command("a"), code_of("script")), R"("InitializedProcess")");
    EXPECT_EQ(starts("a"), 0U);
    EXPECT_EQ(command(run_command("a")), R"("StartedProcess")");
    EXPECT_EQ(starts("a"), 1U);
}

TEST_P(ComponentCommands, CK130_WhatIsAbsentOrRunsAlreadyIsNotRun) {
    EXPECT_EQ(command(run_command("ghost")), R"("RunProcessError")");
    add("a");
    tell("a", "note ready");
    EXPECT_EQ(command(run_command("a")), R"("RunProcessError")");
    EXPECT_EQ(starts("a"), 1U);
    EXPECT_THAT(of("a"), ElementsAre("1 note ready", "1 done"));
}

TEST_P(ComponentCommands, CK132_AGuestInAnEndlessLoopIsKilledPromptly) {
    for (const char* component : {"text-loop", "text-bulk-memory"}) {
        world.start_component(id_of(component), fixture(component), {});
        world.compute(50 * kMillisecond);
        ASSERT_TRUE(exists(component));
        Request request;
        request.body = SharedBytes(kill_command(component));
        request.expects_response = 30;
        const std::size_t before = driver.responses.size();
        ASSERT_TRUE(
            world.kernel()
                .send(driver, KernelWorld::full_address("kernel:distro:sys"), request, {}, {})
                .has_value());
        world.compute(100 * kMillisecond);
        EXPECT_FALSE(exists(component)) << component;
        ASSERT_EQ(driver.responses.size(), before + 1) << component;
        EXPECT_EQ(text_of(driver.responses.back().response.body.view()),
                  R"({"KilledProcess":")" + id_of(component) + R"("})");
    }
    settle();
}

TEST_P(ComponentCommands, CK139_TypesAreNoImportsAndUnknownFunctionsAreNamed) {
    add("types", "text-type-only-import");
    EXPECT_THAT(kernel_said(), Contains("process n.os@types:test:os returned without error"));
    EXPECT_EQ(command(initialise_command("a"), code_of("text-missing-import")),
              R"("InitializeProcessError")");
    EXPECT_THAT(kernel_said(0),
                Contains(AllOf(StartsWith("InitializeProcess: "), HasSubstr("appear"),
                               HasSubstr("vanish"), HasSubstr("teleport"))));
    for (const char* component : {"text-no-init", "text-wrong-init", "text-wrong-import-type"}) {
        EXPECT_EQ(command(initialise_command("a"), code_of(component)),
                  R"("InitializeProcessError")")
            << component;
    }
    EXPECT_FALSE(exists("a"));
}

TEST_P(ComponentCommands, CK141_PrintsCarryTheirPackageAndNeverHoldUpAGuest) {
    add("a");
    tell("a",
         "print 0 x\nprint 255 quiet\nreport none\nrepeat 100000\nprint 3 %i\nend\n"
         "report program\nnote printed");
    EXPECT_THAT(world.prints(0), ElementsAre("test:os: x"));
    EXPECT_THAT(world.prints(254), Not(Contains("test:os: quiet")));
    EXPECT_THAT(world.prints(255), Contains("test:os: quiet"));
    EXPECT_EQ(world.prints(3).size(), 100'001U);
    EXPECT_THAT(of("a"), ElementsAre("8 note printed", "8 done"));
}

/// Commands given by a guest that holds root.
class ComponentRoot : public OnWorkers {
protected:
    void add_root() { add("root", "script", {.capabilities = {root_of(KernelWorld::kNode)}}); }
    static std::string asks(const std::string& body, const std::string& options = " expect=30") {
        return std::string("send ") + kKernelTarget + " body=" + body + options + "\n";
    }
    /// What the report of an answer or of a send error by the kernel has behind its line number.
    static std::string answered(const std::string& body) {
        return "response source=kernel:distro:sys inherit=0 body=" + body;
    }
    static std::string refused(const std::string& body) {
        return "error kind=timeout target=kernel:distro:sys of=request expects=30 inherit=0 body=" +
               body;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentRoot, worker_counts(), worker_name);

TEST_P(ComponentRoot, CK131_AKillIsAnsweredOnlyWhenThereWasSomethingAndAnAnswerIsExpected) {
    add_root();
    add("a");
    add("b");
    const std::string kill_a = kill_command("a");
    tell("root", asks(kill_a) + "receive\n" + asks(kill_a) + "receive\n");
    EXPECT_EQ(now(), Nanoseconds(0));
    EXPECT_THAT(of("root"), ElementsAre("2 " + answered(R"({"KilledProcess":"a"})"),
                                        "4 " + refused(R"({"KillProcess":"a"})"), "4 done"));
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(kernel_said(2), Contains("KillProcess: there is no process a:test:os"));

    tell("root", asks(kill_command("b"), "") + asks(kill_command("ghost"), "") + "receive");
    EXPECT_FALSE(exists("b"));
    advance(60 * kSecond);
    EXPECT_THAT(of("root"), IsEmpty());
}

TEST_P(ComponentRoot, CK133_BootedIsIgnoredAndNonsenseTimesOutAtOnce) {
    add_root();
    prepare_boot("boot-waiting", "print 0 runs", {.on_exit = OnExit::restart()});
    const std::uint64_t root_starts = starts("root");
    tell("root", asks("\"Booted\"") + "note asked");
    EXPECT_THAT(of("root"), ElementsAre("2 note asked", "2 done")) << "no answer";
    EXPECT_THAT(kernel_said(0),
                ElementsAre("Booted from n.os@root:test:os ignored: only the kernel says it"));
    EXPECT_EQ(world.status(id_of("boot-waiting"))->phase, kernel::LifePhase::Initialised);
    EXPECT_THAT(said("boot-waiting"), IsEmpty());
    EXPECT_EQ(starts("root"), root_starts);

    add("asker", "script", {.capabilities = {root_of(KernelWorld::kNode)}});
    tell("asker", asks(R"({"Nonsense":1})") + "receive\n" + asks("%ff") + "receive\n" +
                      asks("", "") + "receive");
    EXPECT_EQ(now(), Nanoseconds(0));
    EXPECT_THAT(of("asker"),
                ElementsAre("2 " + refused(R"({"Nonsense":1})"), "4 " + refused("%ff")));
    const std::vector<std::string> printed = kernel_said(0);
    ASSERT_EQ(printed.size(), 4U);
    for (std::size_t index = 1; index < printed.size(); ++index) {
        EXPECT_THAT(printed[index], StartsWith("not a kernel command from n.os@asker:test:os: "));
    }
    advance(60 * kSecond);
    EXPECT_THAT(of("asker"), IsEmpty());
}

/// A process that comes to its end by itself, at each step of being killed and initialised again.
TEST_P(ComponentRoot, CK108_AnExitThatRacesWithAKillDoesNotTouchTheSuccessor) {
    constexpr int kSteps = 12;
    const std::string replace =
        "get-blob\n" + asks(kill_command("a")) + "send " + kKernelTarget +
        " expect=30 blob=@blob body=" + initialise_command("a", R"("Restart")") + "\n" +
        asks(run_command("a")) + "receive 3";
    int found = 0;
    int absent = 0;
    const auto race = [&](const OnExit& on_exit, bool ends_first, int apart) {
        add("a", "script", {.on_exit = on_exit});
        add_root();
        Request request;
        request.body = SharedBytes(replace);
        const auto send_to_root = [&] {
            ASSERT_TRUE(world.kernel()
                            .send(driver, KernelWorld::full_address(id_of("root")), request,
                                  code_of("script"), {})
                            .has_value());
        };
        tell("a", "sleep 1\nreturn");
        const auto end_by_itself = [&] { world.clock().advance(kMillisecond); };
        if (ends_first) {
            end_by_itself();
            world.step(apart);
            send_to_root();
        } else {
            send_to_root();
            world.step(apart);
            end_by_itself();
        }
        settle();
        const std::vector<std::string> answers = of("root");
        ASSERT_EQ(answers.size(), 5U);
        const bool killed = answers[1] == "5 " + answered(R"({"KilledProcess":"a"})");
        ++(killed ? found : absent);
        EXPECT_TRUE(killed || answers[1].starts_with("5 error kind=timeout")) << answers[1];
        EXPECT_EQ(answers[2], "5 " + answered(R"("InitializedProcess")"));
        EXPECT_EQ(answers[3], "5 " + answered(R"("StartedProcess")"));
        ASSERT_TRUE(exists("a"));
        EXPECT_EQ(starts("a"), 1U);
        advance(kSecond);
        tell("a", "note new");
        EXPECT_THAT(of("a"), ElementsAre("1 note new", "1 done"));
        EXPECT_EQ(starts("a"), 1U);
        EXPECT_EQ(world.journal().count(Family::Processes), 1U) << "its record stays";
        EXPECT_TRUE(world.kill(id_of("a")));
        EXPECT_TRUE(world.kill(id_of("root")));
    };
    for (const OnExit& on_exit : {OnExit::none(), OnExit::restart()}) {
        for (const bool ends_first : {true, false}) {
            for (int apart = 0; apart < kSteps; ++apart) {
                SCOPED_TRACE(::testing::Message()
                             << "ends first " << ends_first << ", apart " << apart);
                race(on_exit, ends_first, apart);
            }
        }
    }
    // Some kills came too late; none did for the one that restarts.
    EXPECT_GT(absent, 0);
    EXPECT_GT(found, 2 * kSteps);
}

struct Resolution {
    const char* name;
    std::uint32_t us;
    const char *monotonic, *seconds, *nanoseconds;
};
/// The ends of the setting, and its default.
const Resolution kResolutions[] = {{"OneMicrosecond", 1, "1000", "0", "1000"},
                                   {"OneMillisecond", 1'000, "1000000", "0", "1000000"},
                                   {"OneSecond", 1'000'000, "1000000000", "1", "0"}};

class ComponentClocks : public ScriptedComponents,
                        public ::testing::WithParamInterface<Resolution> {
protected:
    ComponentClocks() : ScriptedComponents(with_resolution()) {}
    static KernelWorld::Options with_resolution() {
        KernelWorld::Options options;
        options.limits.guest_clock_resolution_us = GetParam().us;
        return options;
    }
};
INSTANTIATE_TEST_SUITE_P(Resolutions, ComponentClocks, ::testing::ValuesIn(kResolutions),
                         [](const auto& info) { return info.param.name; });

TEST_P(ComponentClocks, E11_AGuestsClocksGoAndSayThatTheyGoInStepsOfTheSetting) {
    add("said", "text-clock-resolution");
    EXPECT_THAT(said("said"),
                ElementsAre(GetParam().monotonic, GetParam().seconds, GetParam().nanoseconds));
    add("a");
    advance(Nanoseconds(1'234'567'890));
    tell("a", "clock");
    const Nanoseconds::rep now = 1'234'567'890;
    const Nanoseconds::rep step = Nanoseconds::rep{GetParam().us} * 1'000;
    EXPECT_THAT(
        of("a"),
        ElementsAre(StartsWith("1 clock monotonic_ns=" + std::to_string(now - now % step) + " "),
                    "1 done"));
}

/// Everything a guest finds of WASI, once through the current adapter and once through the oldest
/// version that is served.
TEST_P(ComponentCommands, CK140_E11_AGuestFindsTheServedCallsOfWasiAndNoOthers) {
    add("a");
    tell("a",
         "sleep 2000\nclock\nrandom 16\nrandom 16\nopen /\nopen /etc/passwd\nstdin\nenvironment");
    advance(2 * kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    const std::vector<std::string> lines = of("a");
    ASSERT_EQ(lines.size(), 8U);
    EXPECT_EQ(lines[0], "2 clock monotonic_ns=2000000000 wall_ns=1000000002000000000");
    EXPECT_THAT(lines[1], StartsWith("3 random "));
    EXPECT_NE(lines[1].substr(2), lines[2].substr(2));
    EXPECT_THAT(lines[3], StartsWith("5 open errno="));
    EXPECT_THAT(lines[4], StartsWith("6 open errno="));
    EXPECT_EQ(lines[5], "7 stdin bytes=0");
    EXPECT_EQ(lines[6], "8 environment count=0");
    EXPECT_EQ(lines[7], "8 done");

    for (const char* component : {"wasi", "wasi-0-2-0"}) {
        add(component, component);
        EXPECT_THAT(
            said(component),
            ElementsAre("monotonic clock: yes", "wall clock: yes after 2020: no",
                        "random bytes: yes", StartsWith("directory: refused"),
                        StartsWith("file: refused"), "standard input: end", "environment: empty"));
    }
    add("sockets", "text-sockets");
    EXPECT_THAT(said("sockets"), ElementsAre(StartsWith("socket refused: ")));
}

TEST_P(ComponentCommands, E11_ASleepInInitSuspendsOnlyTheGuestThatSleeps) {
    start({"b"});
    add("sleep", "sleep");
    add("old", "sleep-wasi-0-2-0");
    add("text", "text-wasi-0-2-0");
    advance(50 * kMillisecond);
    EXPECT_THAT(said("text"), ElementsAre("slept and drew with wasi 0.2.0"));
    tell("b", "note awake");
    EXPECT_THAT(of("b"), ElementsAre("1 note awake", "1 done"));
    advance(2 * kSecond - 50 * kMillisecond - kInstant);
    for (const char* name : {"sleep", "old"}) {
        EXPECT_THAT(said(name), ElementsAre("sleeping")) << name;
    }
    advance(kInstant);
    for (const char* name : {"sleep", "old"}) {
        EXPECT_THAT(said(name), ElementsAre("sleeping", "slept ms=2000")) << name;
    }
    add("random", "random");
    EXPECT_THAT(said("random"), ElementsAre(::testing::MatchesRegex("random [0-9a-f]{32}")));
}

}  // namespace
}  // namespace perdure::conformance
