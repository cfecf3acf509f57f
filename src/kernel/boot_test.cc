/// What a boot makes of the stored table, after an orderly end and after a crash (kernel
/// specification §5.8).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "abi/record_codec.h"
#include "kernel/life_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Boot : public LifeScenario {
protected:
    using LifeScenario::LifeScenario;

    /// One process of each behaviour; the third tells the second that it ended.
    void three_processes() {
        add("first", listens("first"), guest(OnExit::none()));
        add(
            "second",
            [this](mock::Api& api) -> mock::Script {
                note("second", "started");
                for (;;) {
                    const mock::Delivery delivery = co_await api.receive();
                    note("second", describe(delivery));
                }
            },
            guest(OnExit::restart()));
        add(
            "third",
            [this](mock::Api& api) -> mock::Script {
                note("third", "started");
                co_await api.receive();
            },
            guest(fires("second", "third ended"), {messaging("second")}));
        go();
        EXPECT_THAT(of("third"), ElementsAre("started"));
        notes.clear();
    }
    void expect_the_three_after_a_boot() {
        EXPECT_FALSE(exists("first"));
        EXPECT_EQ(world.status("second:test:os")->phase, LifePhase::Running);
        EXPECT_THAT(of("second"), ElementsAre("started", "Request third ended from third"));
        EXPECT_FALSE(exists("third"));
        EXPECT_THAT(of("third"), IsEmpty());
        EXPECT_FALSE(holds("second", messaging("third")));
        EXPECT_EQ(world.journal().count(Family::Processes), 1U);
    }
    void put(Family family, SharedBytes key, SharedBytes value) {
        Entry entry{EntryKind::Module, {}};
        entry.changes.push_back({family, std::move(key), std::move(value)});
        world.journal().append(kKernelAppender, entry);
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Boot, worker_counts(), worker_name);

TEST_P(Boot, CK110_AfterAnOrderlyEndEachBehaviourIsHonoured) {
    three_processes();
    world.reboot();
    expect_the_three_after_a_boot();
}

TEST_P(Boot, CK111_AfterAHardKillEachBehaviourIsHonoured) {
    three_processes();
    world.crash_and_boot();
    expect_the_three_after_a_boot();
}

TEST_P(Boot, CK112_AnotherBootFiresTheRequestNoSecondTime) {
    three_processes();
    world.crash_and_boot();
    notes.clear();
    world.reboot();
    EXPECT_THAT(of("second"), ElementsAre("started"));
    world.crash_and_boot();
    EXPECT_THAT(of("second"), ElementsAre("started", "started"));
    EXPECT_FALSE(exists("third"));
}

/// Nothing that a boot appends is on disk before the test says so.
class HeldBoot : public Boot {
protected:
    HeldBoot() : Boot(holding()) {}
    static KernelWorld::Options holding() {
        KernelWorld::Options options;
        options.make_modules = [](KernelWorld& world) {
            world.journal().hold_syncs();
            return std::vector<std::unique_ptr<RuntimeModule>>();
        };
        return options;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, HeldBoot, worker_counts(), worker_name);

TEST_P(HeldBoot, ABootThatDiesBeforeItsEntriesAreOnDiskFiresTheRequestAgain) {
    three_processes();
    world.journal().sync();
    world.crash_and_boot();
    EXPECT_THAT(of("second"), ElementsAre("started", "Request third ended from third"));
    notes.clear();
    world.crash_and_boot();
    EXPECT_THAT(of("second"), ElementsAre("started", "Request third ended from third"));
    world.journal().sync();
    notes.clear();
    world.crash_and_boot();
    EXPECT_THAT(of("second"), ElementsAre("started"));
    EXPECT_FALSE(exists("third"));
}

TEST_P(Boot, CK114_AKilledProcessIsAbsentAfterAHardKillOnceTheAnswerCouldLeave) {
    begin("a", silent, guest(OnExit::restart()));
    world.journal().hold_syncs();
    std::optional<SequenceNumber> answer;
    const auto kill = [&] {
        answer.reset();
        world.kernel().kill(parse_process_id("a:test:os").value(), Worker::Revoke::Issued,
                            [&](std::optional<SequenceNumber> number) { answer = number; });
        world.settle();
    };
    kill();
    ASSERT_TRUE(answer.has_value());
    EXPECT_FALSE(is_durable(*answer));  // So nobody outside has seen it, and it may be undone.
    world.crash_and_boot();
    EXPECT_TRUE(exists("a"));

    world.journal().hold_syncs();
    kill();
    world.journal().sync();
    EXPECT_TRUE(is_durable(*answer));
    world.crash_and_boot();
    EXPECT_FALSE(exists("a"));
}

TEST_P(Boot, CK115_AProcessWithoutCodeIsKeptAndRunsWhenItIsBack) {
    const Capability held = capability("b", R"({"kind":"read"})");
    begin("a", listens("a"), guest(OnExit::restart(), {held}));
    begin("b", silent, guest(OnExit::restart()));
    world.lose_code("a:test:os");
    world.reboot();
    EXPECT_FALSE(exists("a"));
    EXPECT_TRUE(exists("b"));
    EXPECT_THAT(kernel_prints(0), Contains(HasSubstr("process a:test:os was not started")));
    EXPECT_TRUE(world.journal().stored(Family::Processes, "a:test:os").has_value());
    world.crash_and_boot();
    EXPECT_FALSE(exists("a"));

    world.restore_code();
    world.reboot();
    EXPECT_EQ(world.status("a:test:os")->phase, LifePhase::Running);
    EXPECT_TRUE(holds("a", held));
    EXPECT_TRUE(holds("a", messaging("b")));
    send_to("a", "hello");
    EXPECT_THAT(of("a"), ElementsAre("Request hello from sender"));
}

TEST_P(Boot, ANewInitialisationTakesOverWhatAProcessWithoutCodeHeld) {
    const Capability held = capability("b", "1");
    begin("a", silent, guest(OnExit::restart(), {held}));
    world.lose_code("a:test:os");
    world.reboot();
    begin("a", listens("a"), guest(OnExit::restart(), {capability("b", "2")}));
    EXPECT_TRUE(holds("a", held));
    EXPECT_TRUE(holds("a", capability("b", "2")));
    world.restore_code();
    world.reboot();
    EXPECT_TRUE(holds("a", held));
    EXPECT_TRUE(holds("a", capability("b", "2")));
}

TEST_P(Boot, AfterANewInitialisationWithNoneNothingOfTheOldRecordComesBack) {
    begin("a", silent, guest(OnExit::restart(), {capability("b", "1")}));
    world.lose_code("a:test:os");
    world.reboot();
    begin("a", listens("a"), guest(OnExit::none()));
    EXPECT_EQ(world.journal().count(Family::Processes), 0U);
    EXPECT_EQ(world.journal().count(Family::Capabilities), 0U);
    world.restore_code();
    world.crash_and_boot();
    EXPECT_FALSE(exists("a"));
}

TEST_P(Boot, AKillRemovesTheRecordOfAProcessWithoutCodeAndRevokesWhatItIssued) {
    const Capability issued = capability("a", "1");
    begin("a", silent, guest(OnExit::restart()));
    begin("b", silent, guest(OnExit::restart(), {issued}));
    world.lose_code("a:test:os");
    world.reboot();
    EXPECT_TRUE(holds("b", issued));
    EXPECT_TRUE(world.kill("a:test:os"));
    EXPECT_FALSE(world.kill("a:test:os"));
    EXPECT_FALSE(holds("b", issued));
    EXPECT_FALSE(world.journal().stored(Family::Processes, "a:test:os").has_value());
    world.restore_code();
    world.reboot();
    EXPECT_FALSE(exists("a"));
    EXPECT_FALSE(holds("b", issued));
}

TEST_P(Boot, AProcessWithoutCodeLosesWhatAKilledOneIssued) {
    const Capability issued = capability("b", "1");
    begin("a", silent, guest(OnExit::restart(), {issued, capability("c", "1")}));
    begin("b", silent, guest(OnExit::restart()));
    world.lose_code("a:test:os");
    world.reboot();
    EXPECT_TRUE(world.kill("b:test:os"));
    world.restore_code();
    world.reboot();
    EXPECT_FALSE(holds("a", issued));
    EXPECT_FALSE(holds("a", messaging("b")));
    EXPECT_TRUE(holds("a", capability("c", "1")));
}

TEST_P(Boot, CK116_ProcessesThatMessageEachOtherFirstThingAtBootAreBothHeard) {
    const auto greets = [this](std::string name, std::string_view other) {
        return sends_then_listens(std::move(name), {ask(other, "hello", 5)});
    };
    add("a", greets("a", "b"), guest(OnExit::restart()));
    add("b", greets("b", "a"), guest(OnExit::restart()));
    go_together();
    notes.clear();
    world.crash_and_boot();
    EXPECT_THAT(of("a"), ElementsAre("Request hello from b"));
    EXPECT_THAT(of("b"), ElementsAre("Request hello from a"));
}

TEST_P(Boot, CK117_AnEndUnderLoadLeavesATableWithoutNone) {
    begin("echo", echo, guest(OnExit::restart()));
    const auto asks_for_ever = [](mock::Api& api) -> mock::Script {
        for (;;) {
            const mock::Send question = ask("echo", "x", 5);
            co_await api.send_and_await(question);
        }
    };
    add("kept", asks_for_ever, guest(OnExit::restart(), {messaging("echo")}));
    add("none", asks_for_ever, guest(OnExit::none(), {messaging("echo")}));
    world.run("kept:test:os");
    world.run("none:test:os");
    world.step(500);
    const std::size_t records = world.journal().count(Family::Processes);
    EXPECT_EQ(records, 2U);
    world.kernel().stop();
    EXPECT_EQ(world.journal().count(Family::Processes), 2U);
    EXPECT_FALSE(world.journal().stored(Family::Processes, "none:test:os").has_value());
    EXPECT_EQ(world.journal().count(Family::Capabilities), 3U);
}

TEST_P(Boot, RecordsOfUnsafeIdsAndOfNoneAndCapabilitiesOfNobodyAreDropped) {
    begin("a", silent, guest(OnExit::restart()));
    ProcessRecord record;
    record.code_handle = "/test:os/pkg/x.wasm";
    record.on_exit = OnExit::none();
    put(Family::Processes, SharedBytes(std::string_view("none:test:os")),
        encode_process_record(record));
    record.on_exit = OnExit::restart();
    put(Family::Processes, SharedBytes(std::string_view("kernel:distro:sys")),
        encode_process_record(record));
    CapabilityRecord orphan;
    orphan.capability = capability("a", "1");
    const ProcessId nobody = parse_process_id("nobody:test:os").value();
    put(Family::Capabilities, capability_key(nobody, orphan.capability),
        encode_capability_record(orphan));
    world.reboot();
    EXPECT_TRUE(exists("a"));
    EXPECT_FALSE(exists("none"));
    EXPECT_THAT(kernel_prints(0),
                Contains(HasSubstr("the stored process none:test:os was dropped")));
    EXPECT_THAT(kernel_prints(0),
                Contains(HasSubstr("the stored process kernel:distro:sys was dropped")));
    EXPECT_EQ(world.journal().count(Family::Processes), 1U);
    EXPECT_EQ(world.journal().count(Family::Capabilities), 1U);
}

TEST_P(Boot, EveryFieldOfARecordSurvives) {
    KernelWorld::Guest open =
        guest(OnExit::restart(), {capability("b", R"({ "spelled" : "so" })")});
    open.is_public = true;
    begin("a", silent, open);
    Causality asker;
    const ProcessId id = parse_process_id("a:test:os").value();
    const auto before = world.kernel().debug_process(id).tell(asker);
    world.crash_and_boot();
    const auto after = world.kernel().debug_process(id).tell(asker);
    ASSERT_TRUE(before && after);
    EXPECT_EQ(before->wasm_bytes_handle, after->wasm_bytes_handle);
    EXPECT_EQ(before->on_exit, after->on_exit);
    EXPECT_TRUE(after->is_public);
    EXPECT_THAT(after->capabilities, Contains(capability("b", R"({ "spelled" : "so" })")));
    EXPECT_THAT(after->capabilities, SizeIs(before->capabilities.size()));
}

TEST_P(Boot, TimersQueuesAndOutstandingRequestsDoNotOutliveTheNode) {
    begin("b", silent, guest(OnExit::restart()));
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            note("a", "started");
            const mock::Send question = ask("b", "x", 10);
            co_await api.send_request(question);
            co_await until(api, now() + 5 * kSecond);
            note("a", "slept");
        },
        guest(OnExit::restart(), {messaging("b")}));
    world.advance(kSecond);
    world.crash_and_boot();
    EXPECT_EQ(world.status("a:test:os")->outstanding, 1U);
    EXPECT_EQ(world.status("b:test:os")->mailbox_messages, 0U);
    world.advance(4 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("started", "started"));
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("started", "started", "slept", "started"));
}

}  // namespace
}  // namespace perdure::kernel
