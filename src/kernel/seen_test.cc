/// Who has learned what: the number each print and each answer waits for (kernel specification
/// §3.5, K-265). The gate that holds them back is the node's; here the numbers are checked that it
/// is given.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/life_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Seen : public LifeScenario {
protected:
    using LifeScenario::LifeScenario;

    SequenceNumber last() { return world.journal().last(); }
    SequenceNumber of_print(std::string_view part) { return world.number_of(part); }

    /// Says everything that comes.
    static mock::Script says(mock::Api& api) {
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            const std::string line = describe(delivery);
            co_await api.print(0, line);
        }
    }
    /// Asks once and says what came.
    static Script asks(mock::Send send) {
        return [send = std::move(send)](mock::Api& api) -> mock::Script {
            const mock::Delivery outcome = co_await api.send_and_await(send);
            const std::string line = "heard: " + describe(outcome);
            co_await api.print(0, line);
            co_await api.receive();
        };
    }
    /// Saves a state, then does the rest.
    static Script saves_then_sends(mock::Send send) {
        return [send = std::move(send)](mock::Api& api) -> mock::Script {
            co_await save(api, "s");
            co_await api.send_request(send);
            co_await api.receive();
        };
    }
    /// What a process made for it learns with the answer to one command.
    SequenceNumber number_of_answer(std::string_view name, std::string_view command) {
        world.start(id_of(name), asks(ask_kernel(command)),
                    guest(OnExit::none(), {root_of(KernelWorld::kNode)}));
        world.settle();
        const auto status = world.status(id_of(name));
        CHECK(status.has_value());
        return SequenceNumber{status->seen};
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Seen, worker_counts(), worker_name);

TEST_P(Seen, CK165_APrintBeforeSetStateWaitsForNothingAndOneAfterItForItsEntry) {
    world.journal().hold_syncs();
    begin("a", [](mock::Api& api) -> mock::Script {
        co_await say(api, "before");
        co_await save(api, "s");
        co_await say(api, "after");
    });
    EXPECT_THAT(said("a"), ElementsAre("before", "after"));
    EXPECT_TRUE(is_durable(of_print("before")));
    EXPECT_EQ(of_print("after"), last());
    EXPECT_FALSE(is_durable(of_print("after")));
    world.journal().sync();
    EXPECT_TRUE(is_durable(of_print("after")));
}

TEST_P(Seen, CK143_WithASyncHeldBackCallsReturnAndMessagesArriveAndOnlyTheirConsequencesWait) {
    begin("b", says);
    begin("unrelated", says);
    world.journal().hold_syncs();
    begin("a", [](mock::Api& api) -> mock::Script {
        co_await save(api, "s");
        const mock::Send to_b = tell("b", "from a");
        co_await api.send_request(to_b);
        co_await say(api, "all calls have returned");
        co_await api.receive();
    });
    EXPECT_THAT(said("b"), ElementsAre("Request from a from a"));
    EXPECT_EQ(of_print("Request from a"), last());
    EXPECT_EQ(of_print("all calls have returned"), last());
    begin("c", [](mock::Api& api) -> mock::Script { co_await say(api, "no pending past"); });
    EXPECT_TRUE(is_durable(of_print("no pending past")));
}

TEST_P(Seen, AResponseAndATimeoutCarryWhatTheirMakerHadSeen) {
    begin("b", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await save(api, "s");
        const mock::Response response = answer("done");
        co_await api.send_response(response);
        co_await api.receive();
    });
    begin("asker", silent);
    connect();
    world.journal().hold_syncs();
    world.start("c:test:os", asks(ask("b", "question", 5)),
                guest(OnExit::none(), {messaging("b")}));
    world.settle();
    EXPECT_THAT(said("c"), ElementsAre("heard: Response done from b"));
    EXPECT_EQ(of_print("heard: Response done"), last());
}

TEST_P(Seen, CK163_WhatAReceiverStoresIsNeverNewerThanWhatItsSenderStored) {
    constexpr int kNumbers = 10;
    // Cut at every point: after `cut` rounds everything appended so far is on disk, nothing later
    // is.
    for (int cut = 0; cut < 60; ++cut) {
        const std::string a = "a" + std::to_string(cut);
        const std::string b = "b" + std::to_string(cut);
        const auto stores_what_comes = [](mock::Api& api) -> mock::Script {
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                co_await api.set_state(delivery.request.body);
            }
        };
        world.start(id_of(b), stores_what_comes);
        world.settle();
        world.journal().hold_syncs();
        world.start(
            id_of(a),
            [&b](mock::Api& api) -> mock::Script {
                for (int number = 1; number <= kNumbers; ++number) {
                    const std::string text = std::to_string(number);
                    co_await api.set_state(text);
                    const mock::Send message = tell(b, text);
                    co_await api.send_request(message);
                    co_await api.spin(1);
                    co_await until(api, Nanoseconds(0));
                }
                co_await api.receive();
            },
            guest(OnExit::none(), {messaging(b)}));
        world.step(cut % 12);
        world.journal().sync();
        world.journal().hold_syncs();
        world.settle();
        EXPECT_EQ(stored_state(b), std::to_string(kNumbers));
        world.crash_and_boot();
        const auto stored = [&](const std::string& name) {
            const std::optional<std::string> state = stored_state(name);
            return state ? std::stoi(*state) : 0;
        };
        EXPECT_LE(stored(b), stored(a)) << "cut " << cut;
    }
}

TEST_P(Seen, ReadingAPendingStateOrItsDeletionWaitsForIt) {
    begin("a", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await save(api, "s");
        co_await api.receive();
        co_await api.clear_state();
        co_await api.receive();
    });
    const auto reads = [](std::string line) {
        return [line = std::move(line)](mock::Api& api) -> mock::Script {
            co_await api.get_state();
            co_await api.print(0, line);
        };
    };
    begin("reader", reads("nothing pending"));
    EXPECT_TRUE(is_durable(of_print("nothing pending")));
    world.journal().hold_syncs();
    send_to("a", "save");
    const SequenceNumber saved = last();
    world.kill("a:test:os");
    world.start("a:test:os", reads("read the state"));
    world.settle();
    EXPECT_GE(of_print("read the state"), saved);
    EXPECT_FALSE(is_durable(of_print("read the state")));

    world.journal().sync();
    world.journal().hold_syncs();
    world.start("a:test:os", [](mock::Api& api) -> mock::Script {
        co_await api.clear_state();
        co_await api.receive();
    });
    world.settle();
    const SequenceNumber cleared = last();
    world.kill("a:test:os");
    world.start("a:test:os", reads("read that there is none"));
    world.settle();
    EXPECT_GE(of_print("read that there is none"), cleared);
}

TEST_P(Seen, AnInstanceBeginsWithTheEntryThatMadeIt) {
    world.journal().hold_syncs();
    world.start(
        "a:test:os",
        [](mock::Api& api) -> mock::Script {
            co_await say(api, "first words");
            co_await api.receive();
        },
        guest(OnExit::restart()));
    world.settle();
    EXPECT_EQ(of_print("first words"), last());
    world.start("b:test:os",
                [](mock::Api& api) -> mock::Script { co_await say(api, "not stored"); });
    world.settle();
    // Its id was free because of what the table was; nothing newer than that.
    EXPECT_LE(of_print("not stored"), last());
}

TEST_P(Seen, ASuccessorThatIsNotStoredDependsOnTheRemovalThatMadeItsIdFree) {
    begin("a", silent, guest(OnExit::restart()));
    world.journal().hold_syncs();
    EXPECT_TRUE(world.kill("a:test:os"));
    const SequenceNumber removed = last();
    EXPECT_FALSE(is_durable(removed));
    world.start("a:test:os",
                [](mock::Api& api) -> mock::Script { co_await say(api, "the successor"); });
    world.settle();
    EXPECT_GE(of_print("the successor"), removed);
}

TEST_P(Seen, ARestartedInstanceAndTheReportOfTheCrashWaitForWhatTheOldOneDid) {
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            note("a", "started");
            if (of("a").size() == 2) {
                co_await say(api, "second life");
                co_await api.receive();
            }
            co_await api.receive();
            co_await save(api, "s");
            co_await trap(api, "panic");
        },
        guest(OnExit::restart()));
    world.journal().hold_syncs();
    send_to("a", "go");
    EXPECT_EQ(of_print("second life"), last());
    EXPECT_EQ(of_print("a:test:os ended with error"), last());
}

TEST_P(Seen, TheExitBehaviourThatWasSetByCommandIsACauseOfWhatFollowsFromIt) {
    begin("a", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await api.get_on_exit();
        co_await say(api, "asked for it");
        co_await api.receive();
    });
    begin("heir", says);
    connect();
    begin("b", [](mock::Api& api) -> mock::Script { co_await api.receive(); });
    world.journal().hold_syncs();
    world.kernel().set_on_exit(parse_process_id("a:test:os").value(), OnExit::restart());
    world.kernel().set_on_exit(parse_process_id("b:test:os").value(), fires("heir", "b ended"));
    const SequenceNumber set = last();
    send_to("a", "x");
    send_to("b", "x");
    EXPECT_FALSE(is_durable(of_print("asked for it")));
    EXPECT_GE(of_print("Request b ended from b"), set);
    EXPECT_GE(of_print("process n.os@b:test:os: on_exit Requests"), set);
}

TEST_P(Seen, ExitRequestsCarryWhatTheProcessHadSeen) {
    begin("heir", says);
    begin(
        "a",
        [](mock::Api& api) -> mock::Script {
            co_await api.receive();
            co_await save(api, "s");
        },
        guest(fires("heir", "a ended"), {messaging("heir")}));
    world.journal().hold_syncs();
    const SequenceNumber before = last();
    send_to("a", "x");
    const SequenceNumber saved{before.value + 1};
    EXPECT_GE(of_print("Request a ended"), saved);
    EXPECT_FALSE(is_durable(of_print("Request a ended")));
}

TEST_P(Seen, WhatAProcessHoldsIsKnownFromTheEntryThatGaveIt) {
    begin("b", says);
    begin(
        "a",
        [](mock::Api& api) -> mock::Script {
            co_await api.receive();
            co_await api.our_capabilities();
            co_await say(api, "looked");
            co_await api.receive();
        },
        guest(OnExit::restart()));
    world.journal().hold_syncs();
    const auto granted =
        world.kernel().grant(parse_process_id("a:test:os").value(),
                             {{capability("b", "1"), GrantCause::Command, {}, {}, {}}});
    ASSERT_TRUE(granted.has_value());
    EXPECT_EQ(*granted, last());
    send_to("a", "x");
    EXPECT_EQ(of_print("looked"), *granted);
}

TEST_P(Seen, AMessageAllowedByACapabilityJustGivenWaitsForTheGrant) {
    add("b", says);
    add(
        "a",
        [](mock::Api& api) -> mock::Script {
            co_await api.receive();
            const mock::Send message = tell("b", "allowed now");
            co_await api.send_request(message);
            co_await api.receive();
        },
        guest(OnExit::restart()));
    run("b");
    run("a");
    world.journal().hold_syncs();
    const auto granted = world.kernel().grant(parse_process_id("a:test:os").value(),
                                              {{messaging("b"), GrantCause::Command, {}, {}, {}}});
    send_to("a", "x");
    EXPECT_EQ(of_print("Request allowed now"), *granted);
}

TEST_P(Seen, WhoLearnsThatAProcessIsGoneWaitsForItsRemoval) {
    begin("a", silent, guest(OnExit::restart()));
    begin("c", silent);
    world.journal().hold_syncs();
    EXPECT_TRUE(world.kill("a:test:os"));
    const SequenceNumber removed = last();
    world.start("b:test:os", asks(ask("a", "hello", 5)), guest(OnExit::none(), {messaging("a")}));
    world.settle();
    EXPECT_GE(of_print("heard: Timeout of Request hello"), removed);
}

TEST_P(Seen, WhoLearnsThatAProcessThatIsNotStoredIsGoneWaitsForWhatItHadSeen) {
    begin("a", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await save(api, "s");
    });
    world.journal().hold_syncs();
    send_to("a", "x");
    ASSERT_FALSE(exists("a"));
    const SequenceNumber saved = last();
    world.start("b:test:os", asks(ask("a", "hello", 5)), guest(OnExit::none(), {messaging("a")}));
    world.settle();
    EXPECT_EQ(of_print("heard: Timeout of Request hello"), saved);
}

TEST_P(Seen, AKillIsAnsweredWithTheNumberOfTheRemovalAndOfWhatTheProcessDid) {
    begin("stored", saves_then_sends(tell("nobody", "x")), guest(OnExit::restart()));
    world.journal().hold_syncs();
    world.start("unstored:test:os", saves_then_sends(tell("nobody", "x")));
    world.settle();
    const SequenceNumber saved = last();
    const SequenceNumber of_unstored =
        number_of_answer("r1", R"({"KillProcess":"unstored:test:os"})");
    EXPECT_EQ(of_unstored, saved);
    EXPECT_EQ(last(), saved);  // Its removal is no entry.
    const SequenceNumber of_stored = number_of_answer("r2", R"({"KillProcess":"stored:test:os"})");
    EXPECT_GT(of_stored, saved);
    EXPECT_EQ(of_stored, last());
    // And so does who hears that there is nothing left to kill.
    EXPECT_EQ(number_of_answer("r3", R"({"KillProcess":"stored:test:os"})"), of_stored);
}

TEST_P(Seen, AnswersOfTheKernelWaitForWhatTheyTell) {
    begin("a", silent, guest(OnExit::restart()));
    begin("b", silent, guest(OnExit::restart()));
    world.journal().hold_syncs();
    EXPECT_TRUE(is_durable(number_of_answer("r1", R"({"Debug":{"Process":"a:test:os"}})")));
    EXPECT_TRUE(is_durable(number_of_answer("r2", R"({"Debug":"ProcessMap"})")));
    const auto granted =
        world.kernel().grant(parse_process_id("a:test:os").value(),
                             {{capability("x", "1"), GrantCause::Command, {}, {}, {}}});
    EXPECT_EQ(number_of_answer("r3", R"({"Debug":{"Process":"a:test:os"}})"), *granted);
    EXPECT_EQ(number_of_answer("r4", R"({"Debug":"ProcessMap"})"), *granted);
    const std::string has =
        R"({"Debug":{"HasCap":{"on":"a:test:os","cap":{"issuer":"n.os@x:test:os","params":"1"}}}})";
    EXPECT_EQ(number_of_answer("r5", has), *granted);
    EXPECT_EQ(number_of_answer("r6", R"({"RunProcess":"a:test:os"})"), *granted);
    // What is about another process does not wait for this one (K-265 (6)).
    EXPECT_TRUE(is_durable(number_of_answer("r7", R"({"Debug":{"Process":"b:test:os"}})")));
    Causality asker;
    (void)world.kernel().processes().tell(asker);
    EXPECT_EQ(asker.seen(), *granted);
}

TEST_P(Seen, TheRefusalOfATakenIdWaitsForTheEntryThatTookIt) {
    world.journal().hold_syncs();
    add("taken", silent, guest(OnExit::restart()));
    const SequenceNumber taken = last();
    const mock::ScriptScope scope("taken-code", silent);
    const std::string body =
        R"({"InitializeProcess":{"id":"taken:test:os","wasm_bytes_handle":"","wit_version":null,"on_exit":"None",)"
        R"("initial_capabilities":[],"public":false}})";
    world.start("r:test:os", asks(ask_kernel(body, blob("mock:taken-code"))),
                guest(OnExit::none(), {root_of(KernelWorld::kNode)}));
    world.settle();
    EXPECT_THAT(said("r"), ElementsAre(HasSubstr("InitializeProcessError")));
    EXPECT_EQ(of_print("heard: Response"), taken);
    EXPECT_EQ(of_print("InitializeProcess: "), taken);
}

TEST_P(Seen, ThePrintAboutACommandWaitsForWhatItsSenderHadSeen) {
    world.journal().hold_syncs();
    begin(
        "r",
        [](mock::Api& api) -> mock::Script {
            co_await save(api, "s");
            const mock::Send nonsense = not_expecting(ask_kernel("nonsense"));
            co_await api.send_request(nonsense);
            co_await api.receive();
        },
        guest(OnExit::none(), {root_of(KernelWorld::kNode)}));
    EXPECT_EQ(of_print("not a kernel command"), last());
}

TEST_P(Seen, AModuleDoesNotAddUpOverItsCallers) {
    world.journal().hold_syncs();
    begin(
        "eager",
        [](mock::Api& api) -> mock::Script {
            co_await save(api, "s");
            const mock::Send question = ask_kernel(R"({"Debug":{"Process":"nobody:test:os"}})");
            co_await api.send_and_await(question);
            co_await say(api, "eager heard");
        },
        guest(OnExit::none(), {root_of(KernelWorld::kNode)}));
    EXPECT_EQ(of_print("eager heard"), last());
    begin("modest", asks(ask_kernel(R"({"Debug":{"Process":"kernel:distro:sys"}})")),
          guest(OnExit::none(), {root_of(KernelWorld::kNode)}));
    EXPECT_TRUE(is_durable(of_print("heard: Response {\"Debug\"")));
}

TEST_P(Seen, ANumberNeverGoesDown) {
    world.journal().hold_syncs();
    begin("a", [](mock::Api& api) -> mock::Script {
        co_await save(api, "s");
        const mock::OnExit none;
        co_await api.set_on_exit(none);  // No entry: it was None before.
        co_await api.receive();
        co_await say(api, "later");
        co_await api.receive();
    });
    const SequenceNumber saved = last();
    send_to("a", "x");
    EXPECT_GE(of_print("later"), saved);
    EXPECT_GE(SequenceNumber{world.status("a:test:os")->seen}, saved);
}

TEST_P(Seen, ChangesOfTheTableThatStoreNothingDoNotLowerTheNumberOfARecord) {
    begin("parent", silent, guest(OnExit::none()));
    const ProcessId parent = parse_process_id("parent:test:os").value();
    world.journal().hold_syncs();
    world.kernel().set_on_exit(parent, OnExit::restart());
    world.kernel().set_on_exit(parent, OnExit::none());
    const SequenceNumber changed = last();
    NewProcess child;
    child.id = parse_process_id("child:test:os").value();
    child.initialiser = parent;
    ASSERT_TRUE(world.kernel().initialise(std::move(child)).has_value());
    EXPECT_EQ(last(), changed);
    EXPECT_EQ(world.kernel().debug_process(parent).number(), changed);
    world.kernel().set_on_exit(parent, OnExit::none());
    EXPECT_EQ(world.kernel().debug_process(parent).number(), changed);
    EXPECT_TRUE(world.kill("child:test:os"));
    EXPECT_GE(world.kernel().debug_process(parent).number(), changed);
}

}  // namespace
}  // namespace perdure::kernel
