/// `kernel:distro:sys`: commands, replies, and who may give them (kernel specification §7.1).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "kernel/life_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::string_view kRoot = "root:test:os";

class KernelCommands : public LifeScenario {
protected:
    using LifeScenario::LifeScenario;

    /// Code under a name, for InitializeProcess.
    mock::Blob code_of(const std::string& name, mock::ScriptFunction script) {
        scopes_.push_back(std::make_unique<mock::ScriptScope>(name, std::move(script)));
        return blob("mock:" + name);
    }
    static std::string initialise_body(std::string_view id, std::string_view on_exit = R"("None")",
                                       std::string_view capabilities = "[]",
                                       std::string_view more = "") {
        return R"({"InitializeProcess":{"id":")" + std::string(id) +
               R"(","wasm_bytes_handle":"/test:os/pkg/x.wasm","wit_version":1,"on_exit":)" +
               std::string(on_exit) + R"(,"initial_capabilities":)" + std::string(capabilities) +
               R"(,"public":false)" + std::string(more) + "}}";
    }
    static std::string capability_json(const Capability& capability) {
        return R"({"issuer":")" + to_string(capability.issuer) + R"(","params":"\")" +
               capability.params.substr(1, capability.params.size() - 2) + R"(\""})";
    }
    /// Sends one after the other without waiting, in the name of root; then notes what comes.
    void root_sends(std::vector<mock::Send> sends, std::vector<Capability> capabilities = {}) {
        capabilities.push_back(root_of(KernelWorld::kNode));
        world.start(kRoot, sends_then_listens("root", std::move(sends)),
                    guest(OnExit::none(), std::move(capabilities)));
        world.settle();
    }
    std::size_t records() { return world.journal().count(Family::Processes); }

private:
    std::vector<std::unique_ptr<mock::ScriptScope>> scopes_;
};
INSTANTIATE_TEST_SUITE_P(Workers, KernelCommands, worker_counts(), worker_name);

TEST_P(KernelCommands, AProcessIsInitialisedAndRun) {
    const mock::Blob code = code_of("hello", [this](mock::Api& api) -> mock::Script {
        note("made", api.our());
        co_await api.receive();
    });
    EXPECT_EQ(command(initialise_body("made:test:os", R"("Restart")"), code),
              R"("InitializedProcess")");
    EXPECT_EQ(world.status("made:test:os")->phase, LifePhase::Initialised);
    EXPECT_THAT(of("made"), IsEmpty());
    EXPECT_EQ(records(), 1U);
    EXPECT_EQ(command(R"({"RunProcess":"made:test:os"})"), R"("StartedProcess")");
    EXPECT_THAT(of("made"), ElementsAre("n.os@made:test:os"));
    EXPECT_TRUE(holds("made", messaging("made")));
}

TEST_P(KernelCommands, CK127_WhatCannotBeInitialisedIsRefusedAndChangesNothing) {
    begin("taken", listens("taken"), guest(OnExit::restart()));
    const mock::Blob code = code_of("fine", silent);
    const std::string error = R"("InitializeProcessError")";
    const Causality before(world.journal().last());
    EXPECT_EQ(command(initialise_body("no-blob:test:os")), error);
    EXPECT_EQ(command(initialise_body("Unsafe:test:os"), code), error);
    EXPECT_EQ(command(initialise_body("taken:test:os"), code), error);
    EXPECT_EQ(command(initialise_body("garbage:test:os"), blob("no component")), error);
    EXPECT_EQ(command(initialise_body("kernel:distro:sys"), code), error);
    EXPECT_THAT(kernel_prints(0), SizeIs(5));
    EXPECT_THAT(
        kernel_prints(0),
        ElementsAre(HasSubstr("the code of no-blob:test:os is missing"), HasSubstr("not safe"),
                    HasSubstr("taken:test:os is taken"), HasSubstr("InitializeProcess: "),
                    HasSubstr("belongs to the node itself")));
    EXPECT_EQ(world.journal().last(), before.seen());
    for (const char* name : {"no-blob", "garbage"}) {
        EXPECT_FALSE(exists(name));
    }
    EXPECT_EQ(starts("taken"), 1U);
    EXPECT_THAT(of("taken"), IsEmpty());
    EXPECT_EQ(records(), 1U);
}

class SmallComponents : public KernelCommands {
protected:
    SmallComponents() : KernelCommands(limits()) {}
    static KernelLimits limits() {
        KernelLimits limits;
        limits.component_bytes_max = std::string_view("mock:fine").size();
        return limits;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, SmallComponents, worker_counts(), worker_name);

TEST_P(SmallComponents, CodeAtTheLimitIsTakenAndOneByteMoreIsRefused) {
    EXPECT_EQ(command(initialise_body("fine:test:os"), code_of("fine", silent)),
              R"("InitializedProcess")");
    EXPECT_EQ(command(initialise_body("large:test:os"), code_of("large", silent)),
              R"("InitializeProcessError")");
    EXPECT_THAT(kernel_prints(0),
                ElementsAre(HasSubstr(
                    "a component of 10 bytes; at most 9 are taken (component_bytes_max)")));
    EXPECT_FALSE(exists("large"));
}

TEST_P(KernelCommands, ARuntimeModuleIsToldAtOnceThatItsCommandHasNoAnswer) {
    go();
    Request request;
    request.body = SharedBytes(std::string_view("\"nonsense\""));
    request.expects_response = 5;
    const auto sent = world.kernel().send(probe, KernelWorld::full_address("kernel:distro:sys"),
                                          std::move(request), std::nullopt, {});
    ASSERT_TRUE(sent) << sent.error().message();
    world.settle();
    EXPECT_THAT(probe.refused, ElementsAre(*sent));
    EXPECT_THAT(probe.responses, IsEmpty());
}

TEST_P(KernelCommands, CK147_WithoutSpaceNothingIsInitialisedAndKillsAreCarriedOut) {
    begin("victim", silent, guest(OnExit::restart()));
    const mock::Blob code = code_of("fine", silent);
    world.journal().take_space_away();
    EXPECT_EQ(command(initialise_body("made:test:os"), code), R"("InitializeProcessError")");
    EXPECT_THAT(kernel_prints(0), ElementsAre(HasSubstr("less than reserve_bytes free")));
    EXPECT_FALSE(exists("made"));
    EXPECT_EQ(command(R"({"KillProcess":"victim:test:os"})"),
              R"({"KilledProcess":"victim:test:os"})");
    EXPECT_FALSE(exists("victim"));
    world.journal().make_room();
    EXPECT_EQ(command(initialise_body("made:test:os"), code), R"("InitializedProcess")");
}

TEST_P(KernelCommands, OptionsThisVersionHasNotBuiltAreRefused) {
    const mock::Blob code = code_of("fine", silent);
    for (const char* option :
         {R"(,"turn":"atomic")", R"(,"turn":"immediate")", R"(,"delivery":"durable")"}) {
        EXPECT_EQ(command(initialise_body("a:test:os", R"("None")", "[]", option), code),
                  R"("InitializeProcessError")")
            << option;
    }
    EXPECT_FALSE(exists("a"));
}

TEST_P(KernelCommands, CK128_InitialiseGrantAndRunSentWithoutWaitingWorkAsWritten) {
    begin("b", listens("b"));
    const mock::Blob code = code_of("speaks", [](mock::Api& api) -> mock::Script {
        const mock::Send first_thing = tell("b", "hello");
        co_await api.send_request(first_thing);
        co_await api.receive();
    });
    const std::string grant = R"({"GrantCapabilities":{"target":"made:test:os","capabilities":[)" +
                              capability_json(messaging("b")) + "]}}";
    root_sends({ask_kernel(initialise_body("made:test:os"), code), not_expecting(ask_kernel(grant)),
                ask_kernel(R"({"RunProcess":"made:test:os"})")});
    EXPECT_THAT(of("b"), ElementsAre("Request hello from made"));
    EXPECT_THAT(of("root"), ElementsAre("Response \"InitializedProcess\" from kernel",
                                        "Response \"StartedProcess\" from kernel"));
    EXPECT_TRUE(holds("root", messaging("made")));  // K-199
    EXPECT_FALSE(holds("made", messaging("root")));
}

TEST_P(KernelCommands, CK129_InitialCapabilitiesTheSenderDoesNotHoldAreLeftOutAndReported) {
    const mock::Blob code = code_of("silent", silent);
    const std::string list = "[" + capability_json(messaging("held")) + "," +
                             capability_json(messaging("not-held")) + "," +
                             capability_json(messaging("root")) + "]";
    root_sends({ask_kernel(initialise_body("made:test:os", R"("None")", list), code)},
               {messaging("held")});
    EXPECT_THAT(of("root"), ElementsAre("Response \"InitializedProcess\" from kernel"));
    EXPECT_TRUE(holds("made", messaging("held")));
    EXPECT_TRUE(holds("made", messaging("root")));  // It issues this one itself.
    EXPECT_FALSE(holds("made", messaging("not-held")));
    EXPECT_THAT(kernel_prints(0),
                ElementsAre(AllOf(HasSubstr("made:test:os"), HasSubstr("not-held:test:os"),
                                  HasSubstr("root:test:os"))));
}

TEST_P(KernelCommands, CK130_RunningWhatIsAbsentOrRunsAlreadyIsAnErrorTheGuestDoesNotNotice) {
    begin("a", listens("a"));
    EXPECT_EQ(command(R"({"RunProcess":"absent:test:os"})"), R"("RunProcessError")");
    EXPECT_EQ(command(R"({"RunProcess":"a:test:os"})"), R"("RunProcessError")");
    EXPECT_EQ(command(R"({"RunProcess":"kernel:distro:sys"})"), R"("RunProcessError")");
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_EQ(starts("a"), 1U);
}

TEST_P(KernelCommands, CK131_AKillIsAnsweredOnlyWhenThereWasSomethingAndAnAnswerIsExpected) {
    begin("a", silent);
    begin("b", silent);
    EXPECT_EQ(command(R"({"KillProcess":"a:test:os"})"), R"({"KilledProcess":"a:test:os"})");
    EXPECT_FALSE(exists("a"));
    EXPECT_EQ(command(R"({"KillProcess":"a:test:os"})"), "Timeout");
    EXPECT_THAT(kernel_prints(2), Contains("KillProcess: there is no process a:test:os"));
    EXPECT_EQ(command(R"({"KillProcess":"kernel:distro:sys"})"), "Timeout");
    EXPECT_TRUE(world.status(kKernelId).has_value());

    root_sends({not_expecting(ask_kernel(R"({"KillProcess":"b:test:os"})")),
                not_expecting(ask_kernel(R"({"KillProcess":"absent:test:os"})"))});
    world.advance(60 * kSecond);
    EXPECT_FALSE(exists("b"));
    EXPECT_THAT(of("root"), IsEmpty());
}

TEST_P(KernelCommands, NoRevokeLeavesWhatTheKilledProcessIssued) {
    begin("a", silent);
    begin("b", silent);
    connect();
    EXPECT_TRUE(holds("b", messaging("a")));
    const mock::Send kill =
        with_metadata(ask_kernel(R"({"KillProcess":"a:test:os"})"), "no-revoke");
    EXPECT_EQ(answer_to(kRoot, kill), R"({"KilledProcess":"a:test:os"})");
    EXPECT_TRUE(holds("b", messaging("a")));
    begin("a", silent);
    const mock::Send other =
        with_metadata(ask_kernel(R"({"KillProcess":"a:test:os"})"), "no-Revoke");
    EXPECT_EQ(answer_to(kRoot, other), R"({"KilledProcess":"a:test:os"})");
    EXPECT_FALSE(holds("b", messaging("a")));
}

TEST_P(KernelCommands, WhoHoldsRootMayKillItselfAndGetsNoReply) {
    root_sends({ask_kernel(R"({"KillProcess":"root:test:os"})"),
                ask_kernel(R"({"KillProcess":"root:test:os"})")});
    EXPECT_FALSE(world.status(kRoot).has_value());
    world.advance(60 * kSecond);
    EXPECT_THAT(of("root"), IsEmpty());
    begin("a", silent);
    EXPECT_EQ(command(R"({"KillProcess":"a:test:os"})"), R"({"KilledProcess":"a:test:os"})");
}

TEST_P(KernelCommands, CK133_BootedIsIgnoredAndNonsenseTimesOutAtOnce) {
    add("waiting", listens("waiting"), guest(OnExit::restart()));
    EXPECT_EQ(command(R"("Booted")"), "nothing");
    EXPECT_THAT(kernel_prints(0), ElementsAre(HasSubstr("Booted from n.os@root:test:os ignored")));
    EXPECT_EQ(world.status("waiting:test:os")->phase, LifePhase::Initialised);
    EXPECT_THAT(of("waiting"), IsEmpty());

    EXPECT_EQ(command(R"({"Nonsense":1})"), "Timeout");
    EXPECT_EQ(command(""), "Timeout");
    EXPECT_EQ(command("\xFF"), "Timeout");
    EXPECT_THAT(kernel_prints(0), SizeIs(4));
    EXPECT_THAT(kernel_prints(0)[1], HasSubstr("not a kernel command from n.os@root:test:os"));
    root_sends({not_expecting(ask_kernel("nonsense"))});
    world.advance(60 * kSecond);
    EXPECT_THAT(of("root"), IsEmpty());
}

TEST_P(KernelCommands, CK134_DebugAnswersInTheirShapes) {
    begin("a", silent, guest(OnExit::restart(), {messaging("b")}));
    Causality asker;
    const auto shown =
        world.kernel().debug_process(parse_process_id("a:test:os").value()).tell(asker);
    ASSERT_TRUE(shown.has_value());
    const std::string entry = R"({"wasm_bytes_handle":")" + shown->wasm_bytes_handle +
                              R"(","wit_version":null,"on_exit":"Restart","capabilities":[)" +
                              capability_json(messaging("a")) + "," +
                              capability_json(messaging("b")) + R"(],"public":false})";
    EXPECT_EQ(command(R"({"Debug":{"Process":"a:test:os"}})"),
              R"({"Debug":{"Process":)" + entry + "}}");
    EXPECT_EQ(command(R"({"Debug":{"Process":"absent:test:os"}})"),
              R"({"Debug":{"Process":null}})");

    const std::string map = command(R"({"Debug":"ProcessMap"})");
    EXPECT_TRUE(map.starts_with(R"({"Debug":{"ProcessMap":{)")) << map;
    EXPECT_THAT(map, HasSubstr(R"("a:test:os":)" + entry));
    EXPECT_THAT(map, HasSubstr(R"("kernel:distro:sys":{"wasm_bytes_handle":"")"));  // K-201

    const auto has = [&](std::string_view id, const Capability& wanted) {
        return command(R"({"Debug":{"HasCap":{"on":")" + std::string(id) + R"(","cap":)" +
                       capability_json(wanted) + "}}}");
    };
    EXPECT_EQ(has("a:test:os", messaging("b")), R"({"Debug":{"HasCap":true}})");
    EXPECT_EQ(has("a:test:os", messaging("c")), R"({"Debug":{"HasCap":false}})");
    EXPECT_EQ(has("absent:test:os", messaging("b")), R"({"Debug":{"HasCap":null}})");
}

TEST_P(KernelCommands, CK135_WithoutRootNothingIsDoneAndTheDenialMarkSaysWhy) {
    begin("a", silent);
    begin("b",
          sends_then_listens("b", {ask_kernel(R"({"KillProcess":"a:test:os"})"),
                                   not_expecting(ask_kernel(R"({"KillProcess":"a:test:os"})"))}));
    ASSERT_THAT(of("b"), SizeIs(1));
    EXPECT_THAT(of("b").front(), AllOf(HasSubstr("Timeout of Request"), HasSubstr("mark "),
                                       HasSubstr("denied"), HasSubstr("kernel:distro:sys")));
    EXPECT_TRUE(exists("a"));
    EXPECT_EQ(world.kernel().counters().denied.load(), 1U);
}

TEST_P(KernelCommands, CK136_CapabilitiesInExitRequestsAreTakenAsObjectsAndAsPairs) {
    const mock::Blob code =
        code_of("ends", [](mock::Api& api) -> mock::Script { co_await api.receive(); });
    const std::string object = capability_json(messaging("b"));
    const auto on_exit = [](const std::string& capability) {
        return R"({"Requests":[["n.os@b:test:os",{"inherit":false,"expects_response":5,"body":[104,105],)"
               R"("metadata":null,"capabilities":[)" +
               capability + "]},null]]}";
    };
    begin("b", listens("b"));
    const std::string initial = "[" + object + "]";
    const std::string given[] = {on_exit(object), on_exit("[" + object + ",[1,2,3]]")};
    std::vector<Capability> rights{messaging("b")};
    int count = 0;
    for (const std::string& wanted : given) {
        const std::string id = "made" + std::to_string(count++) + ":test:os";
        const auto outcome =
            ask_as(kRoot, ask_kernel(initialise_body(id, wanted, initial), code), rights);
        ASSERT_TRUE(outcome.has_value());
        EXPECT_EQ(outcome->response.body, R"("InitializedProcess")");
        Causality asker;
        const auto shown = world.kernel().debug_process(parse_process_id(id).value()).tell(asker);
        ASSERT_TRUE(shown && shown->on_exit.requests.size() == 1);
        EXPECT_THAT(shown->on_exit.requests[0].request.capabilities, ElementsAre(messaging("b")));
        EXPECT_EQ(shown->on_exit.requests[0].request.expects_response, std::nullopt);
        EXPECT_TRUE(world.kill(id));
    }
    EXPECT_THAT(of("b"), ElementsAre("Request hi from made0", "Request hi from made1"));
}

TEST_P(KernelCommands, GrantDropAndSetOnExitChangeTheTargetAndSayNothing) {
    begin("a", silent, guest(OnExit::restart()));
    const std::string list =
        R"("capabilities":[)" + capability_json(messaging("ahead-of-its-birth")) + "]}}";
    root_sends({ask_kernel(R"({"GrantCapabilities":{"target":"a:test:os",)" + list)});
    EXPECT_TRUE(holds("a", messaging("ahead-of-its-birth")));
    EXPECT_THAT(of("root"), IsEmpty());
    world.kill(kRoot);
    root_sends(
        {not_expecting(ask_kernel(R"({"DropCapabilities":{"target":"a:test:os",)" + list)),
         not_expecting(ask_kernel(R"({"SetOnExit":{"target":"a:test:os","on_exit":"None"}})"))});
    EXPECT_FALSE(holds("a", messaging("ahead-of-its-birth")));
    EXPECT_EQ(world.status("a:test:os")->on_exit, OnExit::Kind::None);
    EXPECT_EQ(records(), 0U);
    world.kill(kRoot);

    const SequenceNumber before = world.journal().last();
    root_sends(
        {not_expecting(ask_kernel(R"({"GrantCapabilities":{"target":"absent:test:os",)" + list)),
         not_expecting(ask_kernel(R"({"DropCapabilities":{"target":"absent:test:os",)" + list)),
         not_expecting(
             ask_kernel(R"({"SetOnExit":{"target":"absent:test:os","on_exit":"Restart"}})"))});
    EXPECT_EQ(world.journal().last(), before);
    EXPECT_THAT(of("root"), IsEmpty());
}

TEST_P(KernelCommands, CommandsOfOneSenderKeepTheirOrderAndOthersDoNotWaitForThem) {
    const mock::Blob code = code_of("made", listens("made"));
    begin("a", silent);
    // The code is loaded on the pool, so the first command takes a while; what follows it waits.
    root_sends({ask_kernel(initialise_body("made:test:os"), code),
                ask_kernel(R"({"RunProcess":"made:test:os"})"),
                ask_kernel(R"({"KillProcess":"made:test:os"})"),
                ask_kernel(initialise_body("made:test:os"), code),
                ask_kernel(R"({"RunProcess":"made:test:os"})")});
    EXPECT_THAT(of("root"),
                ElementsAre(HasSubstr("InitializedProcess"), HasSubstr("StartedProcess"),
                            HasSubstr("KilledProcess"), HasSubstr("InitializedProcess"),
                            HasSubstr("StartedProcess")));
    EXPECT_EQ(answer_to("other:test:os", ask_kernel(R"({"KillProcess":"a:test:os"})")),
              R"({"KilledProcess":"a:test:os"})");
}

TEST_P(KernelCommands, ResponsesToTheKernelAreIgnored) {
    begin("a", [](mock::Api& api) -> mock::Script {
        for (;;) {
            co_await api.receive();
            const mock::Response response = answer(R"({"KillProcess":"a:test:os"})");
            co_await api.send_response(response);
        }
    });
    Request question;
    question.expects_response = 5;
    const auto sent =
        world.kernel().send(probe, KernelWorld::full_address("a:test:os"), question, {}, {});
    ASSERT_TRUE(sent.has_value());
    world.settle();
    EXPECT_THAT(probe.responses, SizeIs(1));
    EXPECT_TRUE(exists("a"));
}

TEST_P(KernelCommands, CK182_DeniedMessagesAreCountedAndEachPairIsLoggedOnce) {
    add("b", listens("b"));
    add("c", listens("c"));
    std::vector<mock::Send> sends;
    for (int count = 0; count < 100; ++count) {
        sends.push_back(tell("b", "x"));
        sends.push_back(tell("c", "x"));
    }
    sends.push_back(at_node(tell("b", "far away"), "unreachable.os"));
    add("a", sends_then_listens("a", sends),
        guest(OnExit::none(), {network_of(KernelWorld::kNode)}));
    for (const char* name : {"a", "b", "c"}) {
        run(name);
    }
    EXPECT_THAT(of("a"), ElementsAre(HasSubstr("Offline of Request far away")));
    EXPECT_THAT(of("b"), IsEmpty());
    EXPECT_THAT(of("c"), IsEmpty());
    EXPECT_THAT(
        kernel_prints(0),
        ElementsAre(AllOf(HasSubstr("a:test:os"), HasSubstr("b:test:os"), HasSubstr("messaging")),
                    AllOf(HasSubstr("a:test:os"), HasSubstr("c:test:os"), HasSubstr("messaging"))));
    EXPECT_EQ(world.kernel().counters().denied.load(), 200U);
}

/// A computing guest lets time pass for everybody, so this runs on one worker and one thread.
class ComputingTarget : public KernelCommands {};
INSTANTIATE_TEST_SUITE_P(Workers, ComputingTarget, ::testing::Values(1), worker_name);

TEST_P(ComputingTarget, CK132_AnEndlessLoopIsStoppedWithinAHundredMilliseconds) {
    add(
        "root",
        [this](mock::Api& api) -> mock::Script {
            co_await until(api, 50 * kMillisecond);
            const Nanoseconds asked = now();
            const mock::Send kill = ask_kernel(R"({"KillProcess":"loop:test:os"})");
            const mock::Delivery outcome = co_await api.send_and_await(kill);
            note("root", outcome.response.body);
            note("root", now() - asked <= 100 * kMillisecond ? "in time" : "late");
        },
        guest(OnExit::none(), {root_of(KernelWorld::kNode)}));
    run("root");
    bool stopped = true;
    world.start("loop:test:os", [&, this](mock::Api& api) -> mock::Script {
        for (;;) {
            world.clock().advance(kMillisecond);
            stopped = false;
            co_await api.spin(1);
            stopped = true;
        }
    });
    world.settle();
    EXPECT_THAT(of("root"), ElementsAre(R"({"KilledProcess":"loop:test:os"})", "in time"));
    EXPECT_FALSE(exists("loop"));
    EXPECT_FALSE(stopped);  // It was inside its loop, and nothing of it ran any more.
}

TEST(KernelCommandsOnThreads, CK132_AnEndlessLoopOnAnotherThreadIsStopped) {
    KernelWorld::Options options;
    options.workers = 4;
    options.threads = Kernel::Threads::Real;
    KernelWorld world(options);
    world.start("loop:test:os", [](mock::Api& api) -> mock::Script {
        co_await say(api, "computes");
        co_await api.spin_forever();
    });
    ASSERT_TRUE(world.terminal().wait_for("computes"));
    EXPECT_TRUE(world.kill("loop:test:os"));
    EXPECT_FALSE(world.status("loop:test:os").has_value());
}

}  // namespace
}  // namespace perdure::kernel
