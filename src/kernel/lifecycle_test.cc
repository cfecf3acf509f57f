/// From initialisation to removal: returning, crashing, restarting, being killed (kernel
/// specification §§5.2, 5.4, 5.7) and what the kernel prints about it (§8.5).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/life_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class Lifecycle : public LifeScenario {
protected:
    using LifeScenario::LifeScenario;

    /// Says that it started, then waits for messages and ends in the way their body names.
    static mock::Script obeys(mock::Api& api) {
        co_await say(api, "started");
        for (;;) {
            const mock::Delivery order = co_await api.receive();
            if (order.request.body == "return") {
                co_return;
            }
            if (order.request.body == "panic") {
                co_await trap(api, "panicked as told");
            }
            const std::string line = "got " + order.request.body;
            co_await api.print(0, line);
        }
    }
    /// Crash reports of `name`.
    std::vector<std::string> reports(std::string_view name) {
        std::vector<std::string> found;
        for (const std::string& line : kernel_prints(0)) {
            if (line.find("process n.os@" + id_of(name) + " ended with error:") !=
                std::string::npos) {
                found.push_back(line);
            }
        }
        return found;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Lifecycle, worker_counts(), worker_name);

Replacement all_of(std::vector<NewProcess> processes) {
    Replacement replacement;
    replacement.processes = std::move(processes);
    return replacement;
}

TEST_P(Lifecycle, InitialisingRunsNoGuestCodeAndRunningRunsItOnce) {
    add("a", [](mock::Api& api) -> mock::Script {
        const std::string line = "init of " + api.our();
        co_await api.print(0, line);
        co_await api.receive();
    });
    world.settle();
    EXPECT_EQ(world.status("a:test:os")->phase, LifePhase::Initialised);
    EXPECT_THAT(said("a"), IsEmpty());
    run("a");
    EXPECT_EQ(world.status("a:test:os")->phase, LifePhase::Running);
    EXPECT_THAT(said("a"), ElementsAre("init of n.os@a:test:os"));
    const auto again = world.kernel().run(parse_process_id("a:test:os").value(), {});
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code(), ErrorCode::AlreadyExists);
    world.settle();
    EXPECT_THAT(said("a"), SizeIs(1));
}

TEST_P(Lifecycle, AnUnsafeReservedOrTakenIdIsRefusedAndNothingChanges) {
    begin("a", silent);
    const auto refused = [&](std::string process, std::string package) {
        NewProcess made;
        made.id = {std::move(process), std::move(package), "os"};
        made.on_exit = OnExit::restart();
        const auto result = world.kernel().initialise(std::move(made));
        return result ? "taken in" : std::string(to_string(result.error().code()));
    };
    const std::size_t records = world.journal().count(Family::Processes);
    EXPECT_EQ(refused("Bad_Name", "test"), to_string(ErrorCode::InvalidInput));
    EXPECT_EQ(refused("a", "test"), to_string(ErrorCode::AlreadyExists));
    NewProcess reserved;
    reserved.id = well_known::kernel();
    EXPECT_EQ(world.kernel().initialise(std::move(reserved)).error().code(),
              ErrorCode::InvalidInput);
    NewProcess one;
    one.id = {"twice", "test", "os"};
    NewProcess same = one;
    std::vector<NewProcess> both{one, same};
    EXPECT_EQ(world.kernel().replace(all_of(std::move(both))).error().code(),
              ErrorCode::AlreadyExists);
    EXPECT_FALSE(exists("twice"));
    EXPECT_EQ(world.journal().count(Family::Processes), records);
    EXPECT_EQ(starts("a"), 1U);
}

TEST_P(Lifecycle, CK94_AProcessThatReturnsLeavesTheTable) {
    begin("a", obeys);
    send_to("a", "return");
    EXPECT_THAT(kernel_prints(1), AllOf(Contains("process n.os@a:test:os returned without error"),
                                        Contains("process n.os@a:test:os: on_exit None")));
    EXPECT_THAT(reports("a"), IsEmpty());
    EXPECT_FALSE(exists("a"));
    EXPECT_EQ(command(R"({"Debug":{"Process":"a:test:os"}})"), R"({"Debug":{"Process":null}})");
}

TEST_P(Lifecycle, CK95_AProcessThatEndsEveryTwoSecondsCountsOnSteadily) {
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            const std::optional<std::string> stored = co_await api.get_state();
            const std::string next = stored ? std::to_string(std::stoi(*stored) + 1) : "0";
            co_await api.set_state(next);
            note("a", next + " at " + std::to_string(now() / kSecond) + " s");
            co_await until(api, now() + 2 * kSecond);
        },
        guest(OnExit::restart()));
    world.advance(10 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("0 at 0 s", "1 at 2 s", "2 at 4 s", "3 at 6 s", "4 at 8 s",
                                     "5 at 10 s"));
    EXPECT_EQ(now(), 10 * kSecond);
    EXPECT_EQ(stored_state("a"), "5");
    EXPECT_EQ(starts("a"), 6U);
    EXPECT_EQ(crashes("a"), 0U);
}

TEST_P(Lifecycle, CK96_AProcessThatPanicsAtOnceKeepsRestartingAndDisturbsNobody) {
    add("b", echo);
    add("c", [this](mock::Api& api) -> mock::Script {
        for (int count = 0; count < 100; ++count) {
            const mock::Send question = ask("b", std::to_string(count), 1);
            const mock::Delivery outcome = co_await api.send_and_await(question);
            note("c", describe(outcome));
        }
    });
    connect();
    world.start(
        "a:test:os", [](mock::Api& api) -> mock::Script { co_await trap(api, "no luck"); },
        guest(OnExit::restart()));
    world.run("b:test:os");
    world.run("c:test:os");
    world.step(2'000);
    EXPECT_THAT(of("c"), SizeIs(100));
    EXPECT_THAT(of("c"), Each(HasSubstr("Response")));
    EXPECT_GT(starts("a"), 100U);
    EXPECT_THAT(reports("a"), SizeIs(crashes("a")));
    EXPECT_THAT(reports("a"), Each(HasSubstr("no luck")));

    EXPECT_TRUE(world.kill("a:test:os"));
    EXPECT_FALSE(exists("a"));
    const std::size_t until_now = reports("a").size();
    world.advance(60 * kSecond);
    EXPECT_THAT(reports("a"), SizeIs(until_now));
    world.reboot();
    EXPECT_FALSE(exists("a"));
}

TEST_P(Lifecycle, CK97_AKilledProcessIsNotRestartedNorThereAfterAReboot) {
    begin("a", obeys, guest(OnExit::restart()));
    EXPECT_TRUE(world.kill("a:test:os"));
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(said("a"), ElementsAre("started"));
    EXPECT_EQ(world.journal().count(Family::Processes), 0U);
    EXPECT_EQ(world.journal().count(Family::Capabilities), 0U);
    EXPECT_FALSE(world.kill("a:test:os"));
    world.reboot();
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(said("a"), ElementsAre("started"));
}

TEST_P(Lifecycle, CK103_AProcessThatSetsRestartIsRestartedAndStartedAfterAReboot) {
    const Capability held = capability("b", R"({"kind":"read"})");
    begin(
        "a",
        [](mock::Api& api) -> mock::Script {
            const mock::OnExit before = co_await api.get_on_exit();
            co_await say(api, before.kind == KWE_ON_EXIT_NONE ? "was None" : "was Restart");
            const mock::OnExit restart = guest_restart();
            co_await api.set_on_exit(restart);
            co_await api.receive();
            co_await trap(api, "panic");
        },
        guest(OnExit::none(), {held}));
    EXPECT_EQ(world.status("a:test:os")->on_exit, OnExit::Kind::Restart);
    send_to("a", "x");
    EXPECT_THAT(said("a"), ElementsAre("was None", "was Restart"));
    EXPECT_EQ(starts("a"), 2U);
    world.reboot();
    EXPECT_THAT(said("a"), ElementsAre("was None", "was Restart", "was Restart"));
    EXPECT_TRUE(holds("a", held));
    EXPECT_TRUE(holds("a", messaging("a")));
}

TEST_P(Lifecycle, CK104_AProcessThatSetsNoneIsGoneAndNotThereAfterAReboot) {
    begin(
        "a",
        [](mock::Api& api) -> mock::Script {
            co_await say(api, "started");
            const mock::OnExit none;
            co_await api.set_on_exit(none);
            co_await api.receive();
        },
        guest(OnExit::restart(), {capability("b", "1")}));
    EXPECT_EQ(world.journal().count(Family::Processes), 0U);
    EXPECT_EQ(world.journal().count(Family::Capabilities), 0U);
    EXPECT_TRUE(exists("a"));
    EXPECT_TRUE(holds("a", capability("b", "1")));
    send_to("a", "x");
    EXPECT_FALSE(exists("a"));
    world.reboot();
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(said("a"), ElementsAre("started"));
}

TEST_P(Lifecycle, CapabilitiesFollowAProcessBetweenNoneAndRestart) {
    begin("a", [](mock::Api& api) -> mock::Script {
        for (;;) {
            const mock::Delivery order = co_await api.receive();
            mock::OnExit on_exit = guest_restart();
            if (order.request.body == "none") {
                on_exit = mock::OnExit();
            }
            co_await api.set_on_exit(on_exit);
        }
    });
    const ProcessId id = parse_process_id("a:test:os").value();
    const auto give = [&](std::string_view params) {
        world.kernel().grant(id, {{capability("b", params), GrantCause::Command, {}, {}, {}}});
    };
    give("1");
    EXPECT_EQ(world.journal().count(Family::Capabilities), 0U);
    send_to("a", "restart");
    give("2");
    world.kernel().drop(id, {capability("b", "1")});
    EXPECT_EQ(world.journal().count(Family::Capabilities), 2U);
    send_to("a", "none");
    EXPECT_EQ(world.journal().count(Family::Capabilities), 0U);
    give("3");
    send_to("a", "restart");
    world.crash_and_boot();
    EXPECT_TRUE(exists("a"));
    EXPECT_FALSE(holds("a", capability("b", "1")));
    EXPECT_TRUE(holds("a", capability("b", "2")));
    EXPECT_TRUE(holds("a", capability("b", "3")));
}

TEST_P(Lifecycle,
       CK105_AFloodOfBrokenErrorTextLeavesAReportWithItsTailAndTheExitBehaviourIsHonoured) {
    add("b", listens("b"));
    begin(
        "a",
        [](mock::Api& api) -> mock::Script {
            std::string flood(1 << 20, 'x');
            flood += "\xFF\xFE";
            co_await api.write_stderr(flood);
            co_await write_error(api, "the last words");
            co_await trap(api, "never shown");
        },
        guest(fires("b", "a ended"), {messaging("b")}));
    ASSERT_THAT(reports("a"), SizeIs(1));
    const std::string report = reports("a").front();
    const std::string head = "\x1b[38;5;196mprocess n.os@a:test:os ended with error:\x1b[0m\n";
    ASSERT_TRUE(report.starts_with(head)) << report.substr(0, 100);
    // 5 000 bytes are kept, of which the two broken ones become U+FFFD, three bytes each.
    EXPECT_EQ(report.size(), head.size() + 5'000 - 2 + 6);
    EXPECT_TRUE(report.ends_with("x\xEF\xBF\xBD\xEF\xBF\xBDthe last words"));
    EXPECT_THAT(report, Not(HasSubstr("never shown")));
    EXPECT_THAT(of("b"), ElementsAre("Request a ended from a"));
    EXPECT_FALSE(exists("a"));
}

TEST_P(Lifecycle, ACharacterCutOffByTheKeptTailIsReplaced) {
    begin("a", [](mock::Api& api) -> mock::Script {
        std::string text;
        for (int count = 0; count < 3'000; ++count) {
            text += "\xE2\x82\xAC";  // 9 000 bytes; the kept 5 000 begin inside of one
        }
        co_await api.write_stderr(text);
        co_await trap(api, "x");
    });
    ASSERT_THAT(reports("a"), SizeIs(1));
    EXPECT_THAT(reports("a").front(),
                HasSubstr("\x1b[0m\n\xEF\xBF\xBD\xEF\xBF\xBD\xE2\x82\xAC\xE2\x82\xAC"));
    EXPECT_THAT(reports("a").front(), EndsWith("\xE2\x82\xAC"));
}

TEST_P(Lifecycle, CK106_AnExitCallCountsAsReturnOrAsCrashByItsCode) {
    begin("a", [](mock::Api& api) -> mock::Script { co_await api.exit(0); }, guest(OnExit::none()));
    begin("b", [](mock::Api& api) -> mock::Script { co_await api.exit(7); }, guest(OnExit::none()));
    EXPECT_THAT(kernel_prints(1), Contains("process n.os@a:test:os returned without error"));
    EXPECT_THAT(kernel_prints(1), Not(Contains("process n.os@b:test:os returned without error")));
    EXPECT_THAT(reports("a"), IsEmpty());
    ASSERT_THAT(reports("b"), SizeIs(1));
    EXPECT_THAT(reports("b").front(), HasSubstr("exit with status 7"));
    EXPECT_FALSE(exists("a"));
    EXPECT_FALSE(exists("b"));
}

TEST_P(Lifecycle, CK107_WithoutErrorTextTheReportNamesTheCauseOfTheTrap) {
    begin("a", [](mock::Api& api) -> mock::Script {
        co_await trap(api, "unreachable instruction executed");
    });
    begin("b", [](mock::Api& api) -> mock::Script {
        const mock::Send question = tell("b", "to itself");
        co_await api.send_and_await(question);
    });
    EXPECT_THAT(reports("a"),
                ElementsAre("\x1b[38;5;196mprocess n.os@a:test:os ended with error:\x1b[0m\n"
                            "unreachable instruction executed"));
    ASSERT_THAT(reports("b"), SizeIs(1));
    EXPECT_THAT(reports("b").front(), HasSubstr("expects-response"));
}

TEST_P(Lifecycle, CK108_AnExitThatRacesWithAKillDoesNotTouchTheSuccessor) {
    std::optional<bool> killed;
    const ProcessId id = parse_process_id("a:test:os").value();
    begin(
        "a",
        [&, this](mock::Api& api) -> mock::Script {
            co_await until(api, kSecond);
            // Asked for while it still runs; carried out when it has ended by itself.
            world.kernel().kill(
                id, Worker::Revoke::Issued,
                [&killed](std::optional<SequenceNumber> number) { killed = number.has_value(); });
        },
        guest(OnExit::none()));
    world.clock().advance(kSecond);
    world.step(1);
    ASSERT_FALSE(exists("a"));
    ASSERT_FALSE(killed.has_value());
    world.start("a:test:os", obeys, guest(OnExit::restart()));
    world.settle();
    EXPECT_EQ(killed, false);
    ASSERT_TRUE(exists("a"));
    EXPECT_EQ(starts("a"), 1U);
    send_to("a", "hello");
    EXPECT_THAT(said("a"), ElementsAre("started", "got hello"));
    EXPECT_EQ(world.journal().count(Family::Processes), 1U);
}

TEST_P(Lifecycle, AKillThatMeetsARestartEndsTheNextInstanceForGood) {
    std::optional<bool> killed;
    const ProcessId id = parse_process_id("a:test:os").value();
    begin(
        "a",
        [&, this](mock::Api& api) -> mock::Script {
            note("a", "started");
            co_await until(api, kSecond);
            world.kernel().kill(
                id, Worker::Revoke::Issued,
                [&killed](std::optional<SequenceNumber> number) { killed = number.has_value(); });
        },
        guest(OnExit::restart()));
    world.advance(kSecond);
    EXPECT_EQ(killed, true);
    EXPECT_FALSE(exists("a"));
    world.advance(60 * kSecond);
    world.reboot();
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(of("a"), ElementsAre("started"));
}

TEST_P(Lifecycle, OfTwoKillsTheSecondFindsNothing) {
    begin("a", silent, guest(OnExit::restart()));
    std::vector<bool> answers;
    for (int count = 0; count < 2; ++count) {
        world.kernel().kill(
            parse_process_id("a:test:os").value(), Worker::Revoke::Issued,
            [&](std::optional<SequenceNumber> number) { answers.push_back(number.has_value()); });
    }
    world.settle();
    EXPECT_THAT(answers, ElementsAre(true, false));
}

TEST_P(Lifecycle, RuntimeModulesCannotBeKilledRunOrRestarted) {
    EXPECT_FALSE(world.kill(kKernelId));
    const auto ran = world.kernel().run(well_known::kernel(), {});
    ASSERT_FALSE(ran.has_value());
    EXPECT_EQ(ran.error().code(), ErrorCode::InvalidInput);
    std::optional<bool> restarted;
    world.kernel().restart(well_known::kernel(), [&](std::optional<SequenceNumber> number) {
        restarted = number.has_value();
    });
    world.settle();
    EXPECT_EQ(restarted, false);
    EXPECT_FALSE(world.kernel().set_on_exit(well_known::kernel(), OnExit::none()).has_value());
    EXPECT_TRUE(world.status(kKernelId)->is_module);
}

TEST_P(Lifecycle, AKilledProcessThatNeverRanIsGone) {
    add("a", obeys, guest(OnExit::restart()));
    EXPECT_TRUE(world.kill("a:test:os"));
    EXPECT_FALSE(exists("a"));
    const auto ran = world.kernel().run(parse_process_id("a:test:os").value(), {});
    ASSERT_FALSE(ran.has_value());
    EXPECT_EQ(ran.error().code(), ErrorCode::NotFound);
    EXPECT_THAT(said("a"), IsEmpty());
}

TEST_P(Lifecycle, ARunFollowedAtOnceByAKillStartsNothing) {
    add("a", obeys, guest(OnExit::restart()));
    world.run("a:test:os");
    EXPECT_TRUE(world.kill("a:test:os"));
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(said("a"), IsEmpty());
}

TEST_P(Lifecycle, ARestartOnDemandIsANewInstanceWithAnEmptyQueueWhateverTheExitBehaviour) {
    const std::vector<std::pair<std::string, OnExit>> kinds{
        {"n", OnExit::none()}, {"r", OnExit::restart()}, {"q", fires("b", "never sent")}};
    begin("b", listens("b"));
    for (const auto& [name, on_exit] : kinds) {
        begin(
            name,
            [this, name = name](mock::Api& api) -> mock::Script {
                note(name, "started");
                const mock::Send question = ask("b", "question of " + name, 60);
                co_await api.send_request(question);
                co_await until(api, now() + kSecond);
                const mock::Delivery delivery = co_await api.receive();
                note(name, describe(delivery));
                co_await api.receive();
            },
            guest(on_exit, {messaging("b")}));
        send_to(name, "lost");
        std::optional<bool> restarted;
        world.kernel().restart(
            parse_process_id(id_of(name)).value(),
            [&](std::optional<SequenceNumber> number) { restarted = number.has_value(); });
        world.settle();
        EXPECT_EQ(restarted, true);
        EXPECT_EQ(starts(name), 2U);
        EXPECT_EQ(crashes(name), 0U);
        EXPECT_EQ(world.status(id_of(name))->outstanding, 1U);
        EXPECT_EQ(world.status(id_of(name))->mailbox_messages,
                  1U);  // The place of its own outcome.
        EXPECT_EQ(world.status(id_of(name))->on_exit, on_exit.kind);
        send_to(name, "kept");
        world.advance(kSecond);
        EXPECT_THAT(of(name), ElementsAre("started", "started", "Request kept from sender"));
    }
    EXPECT_THAT(of("b"), Not(Contains(HasSubstr("never sent"))));
}

TEST_P(Lifecycle, ARestartOnDemandNeedsAProcessThatRuns) {
    add("a", silent);
    std::vector<bool> answers;
    for (const char* id : {"a:test:os", "absent:test:os"}) {
        world.kernel().restart(
            parse_process_id(id).value(),
            [&](std::optional<SequenceNumber> number) { answers.push_back(number.has_value()); });
        world.settle();
    }
    EXPECT_THAT(answers, ElementsAre(false, false));
    EXPECT_EQ(world.status("a:test:os")->phase, LifePhase::Initialised);
}

TEST_P(Lifecycle, ARestartThatOvertakesTheFirstStartMakesOneInstance) {
    add("a", obeys);
    // The start is promised before the worker sees the restart, but queued behind it.
    world.kernel().restart(parse_process_id("a:test:os").value(),
                           [](std::optional<SequenceNumber>) {});
    world.run("a:test:os");
    world.settle();
    EXPECT_EQ(starts("a"), 1U);
    EXPECT_EQ(world.status("a:test:os")->phase, LifePhase::Running);
    send_to("a", "hello");
    EXPECT_THAT(said("a"), ElementsAre("started", "got hello"));
}

TEST_P(Lifecycle, WhatWaitedInAMailboxAtTheExitIsDiscardedAndItsSenderTimesOutAtItsDeadline) {
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            note("a", "started");
            co_await until(api, kSecond);
            co_await trap(api, "panic");
        },
        guest(OnExit::none()));
    begin("c", sends_then_listens("c", {ask("a", "never read", 5)}));
    world.advance(kSecond);
    EXPECT_FALSE(exists("a"));
    world.advance(4 * kSecond - kInstant);
    EXPECT_THAT(of("c"), IsEmpty());
    world.advance(kInstant);
    EXPECT_THAT(of("c"), ElementsAre("Timeout of Request never read to a"));
}

TEST_P(Lifecycle, ARestartedInstanceKeepsWhatItHoldsButNotItsQueue) {
    const Capability held = capability("b", "1");
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            note("a", "started");
            co_await until(api, now() + kSecond);
            co_await trap(api, "panic");
        },
        guest(OnExit::restart(), {held}));
    send_to("a", "discarded");
    EXPECT_EQ(world.status("a:test:os")->mailbox_messages, 1U);
    world.advance(kSecond);
    EXPECT_EQ(world.status("a:test:os")->mailbox_messages, 0U);
    EXPECT_EQ(starts("a"), 2U);
    EXPECT_TRUE(holds("a", held));
    EXPECT_THAT(of("a"), ElementsAre("started", "started"));
}

TEST_P(Lifecycle, AKillTakesAwayWhatTheProcessIssuedFromEveryHolder) {
    const Capability issued = capability("x", R"({"door":1})");
    const Capability other = capability("y", R"({"door":1})");
    add("x", silent, guest(OnExit::restart()));
    add("granted", silent, guest(OnExit::restart()));
    add("initial", silent, guest(OnExit::none(), {issued, other}));
    add("booted", silent, guest(OnExit::restart(), {issued, other}));
    world.journal().sync();
    go();
    world.reboot();  // `initial` is gone now; `booted` holds what it was given before.
    begin("initial", silent, guest(OnExit::none(), {issued, other}));
    world.kernel().grant(parse_process_id("granted:test:os").value(),
                         {{issued, GrantCause::Command, {}, {}, {}}});
    for (const char* name : {"granted", "initial", "booted"}) {
        EXPECT_TRUE(holds(name, issued)) << name;
    }
    EXPECT_TRUE(world.kill("x:test:os"));
    for (const char* name : {"granted", "initial", "booted"}) {
        EXPECT_FALSE(holds(name, issued)) << name;
        EXPECT_FALSE(holds(name, messaging("x"))) << name;
    }
    EXPECT_TRUE(holds("booted", other));
    world.crash_and_boot();
    EXPECT_FALSE(holds("granted", issued));
    EXPECT_FALSE(holds("booted", issued));
    EXPECT_TRUE(holds("booted", other));
}

TEST_P(Lifecycle, AKillWithoutRevocationLeavesWhatTheProcessIssued) {
    const Capability issued = capability("x", R"({"door":1})");
    add("x", silent, guest(OnExit::restart()));
    begin("y", silent, guest(OnExit::restart(), {issued}));
    std::optional<bool> killed;
    world.kernel().kill(parse_process_id("x:test:os").value(), Worker::Revoke::Nothing,
                        [&](std::optional<SequenceNumber> number) { killed = number.has_value(); });
    world.settle();
    EXPECT_EQ(killed, true);
    EXPECT_FALSE(exists("x"));
    EXPECT_TRUE(holds("y", issued));
    EXPECT_TRUE(holds("y", messaging("x")));
    world.crash_and_boot();
    EXPECT_TRUE(holds("y", issued));
}

TEST_P(Lifecycle, CK83_WhenAnIssuerRestartsNobodyLosesAnything) {
    const Capability issued = capability("x", R"({"door":1})");
    add("x", obeys, guest(OnExit::restart()));
    begin("y", silent, guest(OnExit::restart(), {issued}));
    send_to("x", "panic");
    send_to("x", "return");
    EXPECT_EQ(starts("x"), 3U);
    EXPECT_TRUE(holds("y", issued));
    EXPECT_TRUE(holds("y", messaging("x")));
    world.reboot();
    EXPECT_TRUE(holds("y", issued));
}

TEST_P(Lifecycle, SeveralProcessesMadeAtOnceAllGiveTheirInitialiserTheirMessaging) {
    begin("parent", silent, guest(OnExit::restart()));
    std::vector<NewProcess> children;
    for (const char* name : {"left", "right"}) {
        NewProcess child;
        child.id = parse_process_id(id_of(name)).value();
        child.on_exit = OnExit::restart();
        child.initialiser = parse_process_id("parent:test:os").value();
        children.push_back(std::move(child));
    }
    ASSERT_TRUE(world.kernel().replace(all_of(std::move(children))).has_value());
    EXPECT_TRUE(holds("parent", messaging("left")));
    EXPECT_TRUE(holds("parent", messaging("right")));
    EXPECT_THAT(world.journal().kinds(), Contains(EntryKind::Initialise).Times(2));
    EXPECT_TRUE(world.journal().stored(Family::Processes, "left:test:os").has_value());
    world.kill("left:test:os");
    world.kill("right:test:os");
}

TEST_P(Lifecycle, AReplacementIsOneEntryAndACrashBeforeItLeavesEverythingAsItWas) {
    const ProcessId a = parse_process_id(id_of("a")).value();
    const Capability issued = capability("a", R"({"door":1})");
    begin("a", obeys, guest(OnExit::restart()));
    begin("b", silent, guest(OnExit::restart(), {issued}));
    begin("c", silent, guest(OnExit::restart()));
    std::optional<Worker::Halted> halted;
    world.kernel().halt(a, [&](Worker::Halted done) { halted = done; });
    world.settle();
    ASSERT_TRUE(halted.has_value());
    EXPECT_TRUE(halted->was_running);
    EXPECT_EQ(world.status(id_of("a"))->phase, LifePhase::Initialised);
    const auto stored = [&](std::string_view name) {
        return world.journal().stored(Family::Processes, id_of(name)).has_value();
    };
    EXPECT_TRUE(stored("a")) << "halting is no entry";

    // Without the id among those that leave it is taken, and the halted one can run again.
    NewProcess successor;
    successor.id = a;
    successor.on_exit = OnExit::restart();
    EXPECT_EQ(world.kernel().replace(all_of({successor})).error().code(), ErrorCode::AlreadyExists);
    run("a");
    world.kernel().halt(a, [](Worker::Halted) {});
    world.settle();

    world.journal().hold_syncs();
    const std::size_t entries = world.journal().kinds().size();
    const auto replace = [&] {
        Replacement replacement;
        replacement.ended = {a, parse_process_id(id_of("nobody")).value()};
        NewProcess other;
        other.id = parse_process_id(id_of("d")).value();
        other.on_exit = OnExit::restart();
        replacement.processes.push_back(other);
        const Capability granted = capability("d", R"({"key":2})");
        replacement.grants = {
            {parse_process_id(id_of("c")).value(), {granted, GrantCause::Manifest, {}, {}, {}}},
            {parse_process_id(id_of("nobody")).value(),
             {granted, GrantCause::Manifest, {}, {}, {}}}};
        replacement.change.kind = EntryKind::Install;
        const auto replaced = world.kernel().replace(std::move(replacement));
        ASSERT_TRUE(replaced.has_value());
        world.settle();
        EXPECT_FALSE(exists("a"));
        EXPECT_TRUE(exists("d"));
        EXPECT_FALSE(holds("b", issued));
        EXPECT_TRUE(holds("c", granted));
        EXPECT_FALSE(stored("a"));
        EXPECT_TRUE(stored("d"));
    };
    replace();
    EXPECT_EQ(world.journal().kinds().size(), entries + 1);
    EXPECT_EQ(world.journal().kinds().back(), EntryKind::Install);

    world.crash_and_boot();
    EXPECT_TRUE(exists("a"));
    EXPECT_EQ(world.status(id_of("a"))->phase, LifePhase::Running);
    EXPECT_FALSE(exists("d"));
    EXPECT_TRUE(holds("b", issued));
    replace();
}

// A kill between a failed sync and the end of the node ran into a CHECK.
TEST_P(Lifecycle, CK147_WithAFailedLogAKillHarmsNobodyAndItsNumberIsNeverDurable) {
    begin("a", obeys, guest(OnExit::restart()));
    world.journal().fail_log();
    std::optional<SequenceNumber> number;
    world.kernel().kill(parse_process_id(id_of("a")).value(), Worker::Revoke::Issued,
                        [&](std::optional<SequenceNumber> done) { number = done; });
    world.settle();
    ASSERT_TRUE(number.has_value());
    EXPECT_GT(number->value, world.journal().durable().value);
}

TEST_P(Lifecycle, ATrapBecauseOfTheMemoryLimitIsACrash) {
    begin("a", [](mock::Api& api) -> mock::Script {
        const bool grown = api.grow_memory(std::uint64_t{2} << 30);
        co_await trap(api, grown ? "there was enough" : "out of memory");
    });
    ASSERT_THAT(reports("a"), SizeIs(1));
    EXPECT_THAT(reports("a").front(), HasSubstr("out of memory"));
    EXPECT_FALSE(exists("a"));
}

class FullEngine : public Lifecycle {
protected:
    FullEngine() : Lifecycle(two_places()) {}
    static KernelWorld::Options two_places() {
        KernelWorld::Options options;
        options.processes_max = 2;
        return options;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, FullEngine, worker_counts(), worker_name);

TEST_P(FullEngine, AProcessAboveTheLimitWaitsAndGoesOnWhenAnotherHasEnded) {
    begin("a", obeys);
    begin("b", obeys);
    begin("c", obeys);
    connect();
    EXPECT_THAT(said("c"), IsEmpty());
    EXPECT_EQ(world.status("c:test:os")->phase, LifePhase::Running);
    EXPECT_EQ(starts("c"), 0U);
    world.advance(10 * kSecond);
    const auto waits = [](const std::string& line) {
        return line.find("waits for a place") != std::string::npos;
    };
    const auto lines = kernel_prints(1);
    EXPECT_EQ(std::count_if(lines.begin(), lines.end(), waits), 1);

    world.kill("a:test:os");
    world.advance(100 * kMillisecond);
    EXPECT_THAT(said("c"), ElementsAre("started"));
    EXPECT_EQ(starts("c"), 1U);
    EXPECT_EQ(crashes("c"), 0U);
    EXPECT_THAT(said("b"), ElementsAre("started"));
}

TEST_P(FullEngine, WhatIsSentToAProcessThatWaitsForAPlaceIsReadWhenItRuns) {
    begin("a", obeys);
    begin("c", listens("c"));
    add("d", listens("d"));
    connect();
    run("d");
    EXPECT_EQ(starts("d"), 0U);
    Causality asker;
    const auto probed =
        world.kernel().send(probe, KernelWorld::full_address("d:test:os"), Request{}, {}, {});
    ASSERT_TRUE(probed.has_value());
    world.advance(kSecond);
    EXPECT_THAT(of("d"), IsEmpty());
    world.kill("a:test:os");
    world.advance(100 * kMillisecond);
    EXPECT_THAT(of("d"), ElementsAre("Request  from vfs"));
}

TEST_P(FullEngine, AProcessThatIsKilledWhileItWaitsForAPlaceNeverStarts) {
    begin("a", obeys);
    begin("b", obeys);
    begin("c", obeys, guest(OnExit::restart()));
    EXPECT_TRUE(world.kill("c:test:os"));
    world.kill("a:test:os");
    world.advance(10 * kSecond);
    EXPECT_FALSE(exists("c"));
    EXPECT_THAT(said("c"), IsEmpty());
}

TEST_P(FullEngine, ARestartFindsItsOwnPlaceAgain) {
    begin("a", obeys, guest(OnExit::restart()));
    begin("b", obeys);
    world.kernel().restart(parse_process_id("a:test:os").value(),
                           [](std::optional<SequenceNumber>) {});
    world.settle();
    EXPECT_THAT(said("a"), ElementsAre("started", "started"));
    EXPECT_EQ(starts("a"), 2U);
}

}  // namespace
}  // namespace perdure::kernel
