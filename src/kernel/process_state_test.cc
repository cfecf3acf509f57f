/// What a process saves with `set-state`: whose it is, what it outlives, what happens when it
/// cannot be stored (kernel specification §6, §3.5).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/life_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::string shown(const std::optional<std::string>& state) {
    return state ? "[" + *state + "]" : "none";
}

class ProcessState : public LifeScenario {
protected:
    using LifeScenario::LifeScenario;

    /// Notes the state it finds, then does what messages say: `set X`, `clear`, `get`, `panic`,
    /// `return`.
    Script obeys(std::string name) {
        return [this, name = std::move(name)](mock::Api& api) -> mock::Script {
            const std::optional<std::string> found = co_await api.get_state();
            note(name, "found " + shown(found));
            for (;;) {
                const mock::Delivery order = co_await api.receive();
                const std::string body = order.request.body;
                if (body.starts_with("set ")) {
                    const std::string value = body.substr(4);
                    co_await api.set_state(value);
                } else if (body == "clear") {
                    co_await api.clear_state();
                } else if (body == "get") {
                    const std::optional<std::string> state = co_await api.get_state();
                    note(name, shown(state));
                } else if (body == "panic") {
                    co_await trap(api, "panic");
                } else {
                    co_return;
                }
                note(name, body + " done");
            }
        };
    }
    /// Lets the guest compute for `count` ms without a call, one tick each.
    static mock::Call<mock::Nothing> compute_ms(mock::Api& api, KernelWorld& world) {
        world.clock().advance(kMillisecond);
        return api.spin(1);
    }
    std::string crash_report() {
        for (const std::string& line : kernel_prints(0)) {
            if (line.find("ended with error") != std::string::npos) {
                return line;
            }
        }
        return "";
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ProcessState, worker_counts(), worker_name);

TEST_P(ProcessState, CK118_NoneThenEmptyThenNoneAgain) {
    begin("a", [this](mock::Api& api) -> mock::Script {
        std::optional<std::string> state = co_await api.get_state();
        note("a", shown(state));
        co_await save(api, "");
        state = co_await api.get_state();
        note("a", shown(state));
        co_await api.clear_state();
        state = co_await api.get_state();
        note("a", shown(state));
        co_await api.clear_state();  // Deleting nothing is fine (K-175).
        state = co_await api.get_state();
        note("a", shown(state));
    });
    EXPECT_THAT(of("a"), ElementsAre("none", "[]", "none", "none"));
    EXPECT_EQ(stored_state("a"), std::nullopt);
}

TEST_P(ProcessState, AReadSeesTheLastWriteWhetherOrNotItIsOnDisk) {
    for (const bool held : {false, true}) {
        if (held) {
            world.journal().hold_syncs();
        }
        begin("a", [this](mock::Api& api) -> mock::Script {
            for (int count = 0; count < 3; ++count) {
                const std::string next = std::to_string(count);
                co_await api.set_state(next);
                const std::optional<std::string> state = co_await api.get_state();
                note("a", shown(state));
            }
            co_await api.clear_state();
            const std::optional<std::string> state = co_await api.get_state();
            note("a", shown(state));
        });
    }
    EXPECT_THAT(of("a"), ElementsAre("[0]", "[1]", "[2]", "none", "[0]", "[1]", "[2]", "none"));
}

TEST_P(ProcessState, BytesComeBackUnchanged) {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) {
        all += static_cast<char>(byte);
    }
    begin("a", [this, all](mock::Api& api) -> mock::Script {
        co_await api.set_state(all);
        const std::optional<std::string> state = co_await api.get_state();
        note("a", state == all ? "the same" : "changed");
    });
    EXPECT_THAT(of("a"), ElementsAre("the same"));
    EXPECT_EQ(stored_state("a"), all);
}

TEST_P(ProcessState, CK119_ItSurvivesCrashKillReinstallationAndReboots) {
    begin("a", obeys("a"), guest(OnExit::restart()));
    send_to("a", "set precious");
    send_to("a", "panic");
    send_to("a", "return");
    EXPECT_THAT(of("a"), ElementsAre("found none", "set precious done", "found [precious]",
                                     "found [precious]"));
    notes.clear();
    EXPECT_TRUE(world.kill("a:test:os"));
    begin("a", obeys("a"), guest(OnExit::restart()));  // Another component under the same id.
    EXPECT_THAT(of("a"), ElementsAre("found [precious]"));
    world.reboot();
    world.crash_and_boot();
    EXPECT_THAT(of("a"), ElementsAre("found [precious]", "found [precious]", "found [precious]"));
    send_to("a", "clear");
    send_to("a", "panic");
    EXPECT_EQ(of("a").back(), "found none");
}

TEST_P(ProcessState, CK120_AnotherProcessOfThePackageHasAStateOfItsOwn) {
    begin("a", obeys("a"));
    begin("b", obeys("b"));
    send_to("a", "set of a");
    send_to("b", "get");
    send_to("b", "set of b");
    send_to("a", "get");
    send_to("b", "clear");
    send_to("a", "get");
    EXPECT_THAT(of("a"), ElementsAre("found none", "set of a done", "[of a]", "get done", "[of a]",
                                     "get done"));
    EXPECT_THAT(of("b"),
                ElementsAre("found none", "none", "get done", "set of b done", "clear done"));
}

TEST_P(ProcessState, CK122_AStoreThatFailsTrapsTheGuestAndNeverAnswersNone) {
    begin("a", obeys("a"), guest(OnExit::none()));
    send_to("a", "set precious");
    world.journal().fail_store("the disk is gone");
    begin("reader", obeys("reader"), guest(OnExit::none()));
    EXPECT_THAT(of("reader"), IsEmpty());
    EXPECT_FALSE(exists("reader"));
    EXPECT_THAT(crash_report(), HasSubstr("get-state failed: the disk is gone"));

    const std::string large(5 << 20, 'x');
    begin(
        "writer",
        [this, large](mock::Api& api) -> mock::Script {
            co_await api.set_state(large);
            note("writer", "went on");
        },
        guest(OnExit::none()));
    EXPECT_THAT(of("writer"), IsEmpty());
    EXPECT_FALSE(exists("writer"));
    EXPECT_THAT(kernel_prints(0).back(), HasSubstr("state could not be stored: the disk is gone"));
    EXPECT_EQ(stored_state("writer"), std::nullopt);
}

TEST_P(ProcessState, AFailureHonoursTheExitBehaviour) {
    world.journal().fail_store("busy");
    begin("heir", listens("heir"));
    begin("a", obeys("a"), guest(fires("heir", "a could not read"), {messaging("heir")}));
    EXPECT_THAT(of("heir"), ElementsAre("Request a could not read from a"));
    EXPECT_FALSE(exists("a"));
}

TEST_P(ProcessState, CK126_AHundredMegabytesAreSetAndReadBesideOthers) {
    begin("echo", echo);
    begin("pinger", [this](mock::Api& api) -> mock::Script {
        for (int count = 0; count < 50; ++count) {
            const mock::Send question = ask("echo", "x", 1);
            const mock::Delivery outcome = co_await api.send_and_await(question);
            note("pinger", describe(outcome));
        }
    });
    notes.clear();
    add("pinger2", [this](mock::Api& api) -> mock::Script {
        for (int count = 0; count < 50; ++count) {
            const mock::Send question = ask("echo", "x", 1);
            const mock::Delivery outcome = co_await api.send_and_await(question);
            note("pinger2", describe(outcome));
        }
    });
    add("a", [this](mock::Api& api) -> mock::Script {
        const std::string large(100 << 20, 'x');
        co_await api.set_state(large);
        const std::optional<std::string> state = co_await api.get_state();
        note("a", state == large ? "the same" : "changed");
    });
    go_together();
    EXPECT_THAT(of("a"), ElementsAre("the same"));
    EXPECT_THAT(of("pinger2"), SizeIs(50));
    EXPECT_THAT(of("pinger2"), Not(Contains(HasSubstr("Timeout"))));
}

TEST_P(ProcessState, CK144_WhatWasSetAndSentBeforeAPanicStays) {
    begin("asker", sends_then_listens("asker", {}));
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            const std::optional<std::string> found = co_await api.get_state();
            note("a", shown(found));
            co_await api.receive();
            co_await save(api, "answered");
            const mock::Response response = answer("yes");
            co_await api.send_response(response);
            co_await trap(api, "panic");
        },
        guest(OnExit::restart()));
    add("b", sends_then_listens("b", {ask("a", "question", 5)}));
    go();
    EXPECT_THAT(of("b"), ElementsAre("Response yes from a"));
    EXPECT_THAT(of("a"), ElementsAre("none", "[answered]"));
}

TEST_P(ProcessState, CK146_AGuestThatNeverReceivesLosesAtMostTheLastValueToAPowerCut) {
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            const std::optional<std::string> found = co_await api.get_state();
            note("a", shown(found));
            for (int count = found ? std::stoi(*found) + 1 : 0;; ++count) {
                const std::string next = std::to_string(count);
                co_await api.set_state(next);
                co_await until(api, now() + 100 * kMillisecond);
            }
        },
        guest(OnExit::restart()));
    world.advance(kSecond);
    EXPECT_EQ(stored_state("a"), "10");
    world.journal().hold_syncs();
    world.advance(100 * kMillisecond);  // The entry of this one does not reach the disk.
    EXPECT_EQ(stored_state("a"), "11");
    world.crash_and_boot();
    EXPECT_THAT(of("a"), ElementsAre("none", "[10]"));
}

TEST_P(ProcessState, CK147_WithoutSpaceAGuestIsSuspendedInSetStateAndCanBeKilled) {
    begin("a", obeys("a"), guest(OnExit::restart()));
    begin("b", obeys("b"), guest(OnExit::restart()));
    send_to("a", "set before");
    world.journal().take_room_away();
    send_to("a", "set after");
    send_to("b", "set of b");
    EXPECT_EQ(world.status("a:test:os")->waiting, Waiting::Room);
    EXPECT_EQ(of("a").back(), "set before done");
    EXPECT_EQ(stored_state("a"), "before");
    world.advance(60 * kSecond);  // There is no time limit.
    EXPECT_EQ(world.status("a:test:os")->waiting, Waiting::Room);

    EXPECT_TRUE(world.kill("a:test:os"));  // The kernel's own entries are always taken.
    EXPECT_FALSE(exists("a"));
    EXPECT_FALSE(world.journal().stored(Family::Processes, "a:test:os").has_value());

    world.journal().make_room();
    world.settle();
    EXPECT_EQ(of("b").back(), "set of b done");
    EXPECT_EQ(world.status("b:test:os")->waiting, Waiting::Receive);
    EXPECT_EQ(stored_state("b"), "of b");
    EXPECT_EQ(stored_state("a"), "before");
    world.crash_and_boot();
    EXPECT_EQ(stored_state("a"), "before");
    EXPECT_EQ(of("b").back(), "found [of b]");
}

TEST_P(ProcessState, WithoutSpaceCapabilityCallsAndClearStateWaitToo) {
    const std::vector<mock::Capability> list(1, guest_capability("a", "1"));
    begin(
        "a",
        [this, list](mock::Api& api) -> mock::Script {
            co_await save(api, "x");
            for (;;) {
                const mock::Delivery order = co_await api.receive();
                if (order.request.body == "save") {
                    co_await api.save_capabilities(list);
                } else if (order.request.body == "drop") {
                    co_await api.drop_capabilities(list);
                } else {
                    co_await api.clear_state();
                }
                note("a", order.request.body);
            }
        },
        guest(OnExit::restart()));
    std::size_t done = 0;
    for (const char* order : {"save", "drop", "clear"}) {
        world.journal().take_room_away();
        send_to("a", order);
        EXPECT_EQ(world.status("a:test:os")->waiting, Waiting::Room) << order;
        EXPECT_THAT(of("a"), SizeIs(done));
        EXPECT_EQ(holds("a", capability("a", "1")), order == std::string_view("drop"));
        EXPECT_EQ(stored_state("a"), "x");
        world.journal().make_room();
        world.settle();
        EXPECT_THAT(of("a"), SizeIs(++done));
        EXPECT_EQ(of("a").back(), order);
        EXPECT_EQ(world.status("a:test:os")->waiting, Waiting::Receive) << order;
    }
    EXPECT_EQ(stored_state("a"), std::nullopt);
    EXPECT_FALSE(holds("a", capability("a", "1")));
}

TEST_P(ProcessState, WhatDoesNotFitIntoTheShareWaitsForRoomOfItsSize) {
    const std::vector<mock::Capability> list(1, guest_capability("a", std::string(500, '1')));
    begin(
        "a",
        [this, list](mock::Api& api) -> mock::Script {
            const mock::Delivery order = co_await api.receive();
            co_await save(api, "x");
            if (order.request.body == "save") {
                co_await api.save_capabilities(list);
            } else {
                const mock::OnExit long_one = guest_fires({tell("nobody", std::string(500, '2'))});
                co_await api.set_on_exit(long_one);
            }
            note("a", order.request.body);
            co_await api.receive();
        },
        guest(OnExit::restart()));
    for (const char* order : {"save", "set"}) {
        world.journal().hold_syncs();
        world.journal().set_bounds(
            100, 10'000);  // The small entry leaves a little room, which is no use.
        send_to("a", order);
        EXPECT_EQ(world.status("a:test:os")->waiting, Waiting::Room);
        EXPECT_THAT(of("a"), Not(Contains(order)));
        world.journal().set_bounds(10'000, 10'000);
        world.journal().sync();
        world.settle();
        EXPECT_THAT(of("a"), Contains(order));
        world.kernel().restart(parse_process_id("a:test:os").value(),
                               [](std::optional<SequenceNumber>) {});
        world.settle();
    }
}

TEST_P(ProcessState, AboveItsShareSetOnExitIsTakenAndItsGuestWaitsAfterIt) {
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            co_await api.receive();
            const mock::OnExit none;
            co_await api.set_on_exit(none);
            note("a",
                 "went on, waiting: " + std::string(to_string(world.status("a:test:os")->waiting)));
            co_await api.receive();
            note("a", "received");
        },
        guest(OnExit::restart()));
    world.journal().take_room_away();
    send_to("a", "go");
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_EQ(world.status("a:test:os")->on_exit, OnExit::Kind::None);
    EXPECT_FALSE(world.journal().stored(Family::Processes, "a:test:os").has_value());
    EXPECT_EQ(world.status("a:test:os")->waiting, Waiting::Room);
    send_to("a", "wakes nobody");
    EXPECT_THAT(of("a"), IsEmpty());
    world.journal().make_room();
    world.settle();
    EXPECT_THAT(of("a"), ElementsAre("went on, waiting: no", "received"));
    EXPECT_FALSE(exists("a"));
}

TEST_P(ProcessState, AGuestThatOwesRoomCanBeKilledAndRestarted) {
    const auto script = [this](mock::Api& api) -> mock::Script {
        note("a", "started");
        co_await api.receive();
        const mock::OnExit restart = guest_restart();
        co_await api.set_on_exit(restart);
        note("a", "went on");
        co_await api.receive();
    };
    begin("a", script, guest(OnExit::none()));
    world.journal().take_room_away();
    send_to("a", "go");
    world.kernel().restart(parse_process_id("a:test:os").value(),
                           [](std::optional<SequenceNumber>) {});
    world.settle();
    EXPECT_THAT(of("a"), ElementsAre("started", "started"));
    world.journal().make_room();  // Wakes the old instance only, which is gone.
    world.settle();
    EXPECT_THAT(of("a"), ElementsAre("started", "started"));
    world.journal().take_room_away();
    send_to("a", "go");
    EXPECT_TRUE(world.kill("a:test:os"));
    EXPECT_FALSE(exists("a"));
    world.journal().make_room();
    world.settle();
    EXPECT_THAT(of("a"), ElementsAre("started", "started"));
}

TEST_P(ProcessState, CK178_AGuestAboveItsShareIsSuspendedAndOthersGoOn) {
    constexpr std::size_t kShare = 4'000;
    const auto appends = [this](std::string name) {
        return [this, name = std::move(name)](mock::Api& api) -> mock::Script {
            co_await api.receive();
            for (int count = 0; count < 100; ++count) {
                const std::string value(500, static_cast<char>('a' + count % 26));
                co_await api.set_state(value);
                note(name, std::to_string(count));
            }
            co_await api.receive();
        };
    };
    for (const char* name : {"a", "c", "d", "e"}) {
        begin(name, appends(name));
    }
    begin("b", echo);
    world.journal().hold_syncs();
    world.journal().set_bounds(kShare, 2 * kShare);
    send_to("a", "go");
    EXPECT_EQ(world.status("a:test:os")->waiting, Waiting::Room);
    EXPECT_THAT(of("a"), SizeIs(7));  // Of 500 bytes and a key each.

    // Others still append, until all together have filled the bound.
    send_to("c", "go");
    EXPECT_THAT(of("c"), SizeIs(7));
    send_to("d", "go");
    EXPECT_EQ(world.status("d:test:os")->waiting, Waiting::Room);
    EXPECT_LT(of("d").size(), 7U);
    send_to("e", "go");
    EXPECT_EQ(world.status("e:test:os")->waiting, Waiting::Room);
    // Who appends nothing goes on; the kernel's own entries are taken; who waits can be killed.
    EXPECT_EQ(answer_to("asker:test:os", ask("b", "hello", 5)), "hello");
    EXPECT_TRUE(world.kill("a:test:os"));
    EXPECT_THAT(of("a"), SizeIs(7));

    world.journal().sync();
    world.settle();
    EXPECT_THAT(of("c"), SizeIs(100));
    EXPECT_THAT(of("d"), SizeIs(100));
    EXPECT_THAT(of("e"), SizeIs(100));
    EXPECT_THAT(of("a"), SizeIs(7));
    EXPECT_EQ(world.status("c:test:os")->waiting, Waiting::Receive);
}

TEST_P(ProcessState, AStateCallDisturbsNoMessages) {
    begin("a", [this](mock::Api& api) -> mock::Script {
        const mock::Delivery first = co_await api.receive();
        co_await save(api, "x");
        const std::optional<std::string> state = co_await api.get_state();
        const mock::Response response = answer("still yours with " + *state);
        co_await api.send_response(response);
        for (;;) {
            const mock::Delivery next = co_await api.receive();
            note("a", describe(next));
        }
    });
    begin("b", sends_then_listens("b", {ask("a", "1", 5), tell("a", "2"), tell("a", "3")}));
    EXPECT_THAT(of("b"), ElementsAre("Response still yours with x from a"));
    EXPECT_THAT(of("a"), ElementsAre("Request 2 from b", "Request 3 from b"));
}

class SmallStates : public ProcessState {
protected:
    SmallStates() : ProcessState(limits()) {}
    static KernelLimits limits() {
        KernelLimits limits;
        limits.state_bytes_max = 10;
        return limits;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, SmallStates, worker_counts(), worker_name);

TEST_P(SmallStates, AStateAtTheLimitIsTakenAndOneByteMoreTrapsWithTheLimitInTheText) {
    begin("a", obeys("a"));
    send_to("a", "set 0123456789");
    EXPECT_EQ(of("a").back(), "set 0123456789 done");
    send_to("a", "set 0123456789x");
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(crash_report(), HasSubstr("state of 11 bytes exceeds state_bytes_max 10"));
    EXPECT_EQ(stored_state("a"), "0123456789");
}

/// A computing guest lets time pass for everybody, so these run on one worker and one thread.
class ComputingGuest : public ProcessState {};
INSTANTIATE_TEST_SUITE_P(Workers, ComputingGuest, ::testing::Values(1), worker_name);

TEST_P(ComputingGuest, CK145_WhatWasSetBeforeALongComputationIsThereAfterACrashInTheMiddle) {
    const MonotonicTime crash_at = world.clock().monotonic_now() + 3 * kSecond;
    world.kernel().worker(0).run_at(crash_at,
                                    [] {});  // The guest gives way when something else is due.
    world.start(
        "a:test:os",
        [this](mock::Api& api) -> mock::Script {
            const std::optional<std::string> found = co_await api.get_state();
            note("a", shown(found));
            if (found) {
                co_await api.receive();
            }
            co_await save(api, "s1");
            for (int ms = 0; ms < 5'000; ++ms) {
                co_await compute_ms(api, world);
            }
            note("a", "computed");
        },
        guest(OnExit::restart()));
    while (world.clock().monotonic_now() < crash_at) {
        world.step(1);
    }
    EXPECT_EQ(world.clock().monotonic_now(), crash_at);
    world.crash_and_boot();
    EXPECT_THAT(of("a"), ElementsAre("none", "[s1]"));
}

}  // namespace
}  // namespace perdure::kernel
