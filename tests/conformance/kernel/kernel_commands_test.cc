/// Commands to the kernel, full mailboxes and prints (kernel specification, 10).

#include <algorithm>

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

Blob code_of(std::string_view component) {
    Blob blob;
    blob.bytes = SharedBytes(std::string_view(fixture(component)));
    return blob;
}

std::string initialize(std::string_view name, std::string_view wit_version) {
    return R"({"InitializeProcess":{"id":")" + id_of(name) +
           R"(","wasm_bytes_handle":"/test:os/pkg/a.wasm",)" + std::string(wit_version) +
           R"("on_exit":"None","initial_capabilities":[],"public":false}})";
}

std::string run(std::string_view name) {
    return R"({"RunProcess":")" + id_of(name) + R"("})";
}

class ComponentCommands : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentCommands, worker_counts(), worker_name);

TEST_P(ComponentCommands, AProcessIsInitialisedAndRunByMessages) {
    EXPECT_EQ(command(initialize("a", ""), code_of("script")), R"("InitializedProcess")");
    EXPECT_EQ(starts("a"), 0U);
    EXPECT_EQ(command(run("a")), R"("StartedProcess")");
    EXPECT_EQ(starts("a"), 1U);
}

TEST_P(ComponentCommands, CK130_WhatIsAbsentOrRunsAlreadyIsNotRun) {
    EXPECT_EQ(command(run("ghost")), R"("RunProcessError")");
    add("a");
    tell("a", "note ready");
    EXPECT_EQ(command(run("a")), R"("RunProcessError")");
    EXPECT_EQ(starts("a"), 1U);
    EXPECT_THAT(of("a"), ElementsAre("1 note ready", "1 done"));
}

TEST_P(ComponentCommands, CK132_AGuestInAnEndlessLoopIsKilledPromptly) {
    for (const char* component : {"text-loop", "text-bulk-memory"}) {
        world.start_component(id_of(component), fixture(component), {});
        world.compute(50 * kMillisecond);
        ASSERT_TRUE(exists(component));
        Request request;
        request.body = SharedBytes(R"({"KillProcess":")" + id_of(component) + R"("})");
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
    EXPECT_EQ(command(initialize("a", ""), code_of("text-missing-import")),
              R"("InitializeProcessError")");
    EXPECT_THAT(kernel_said(0),
                Contains(AllOf(StartsWith("InitializeProcess: "), HasSubstr("appear"),
                               HasSubstr("vanish"), HasSubstr("teleport"))));
    for (const char* component : {"text-no-init", "text-wrong-init", "text-wrong-import-type"}) {
        EXPECT_EQ(command(initialize("a", ""), code_of(component)), R"("InitializeProcessError")")
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
