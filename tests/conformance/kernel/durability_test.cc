/// When what a component saved is kept, whom a slow disk holds up, and what a crash leaves (kernel
/// specification, 10). The disk is the journal in memory: what is on it moves when a test says so.

#include <algorithm>

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentDurability : public OnWorkers {
protected:
    static Guest restarts() {
        Guest guest;
        guest.on_exit = OnExit::restart();
        return guest;
    }
    kernel::Waiting waiting(std::string_view name) { return world.status(id_of(name))->waiting; }
    std::uint64_t number_stored(std::string_view name) {
        return std::stoull(stored_state(name).value_or("0"));
    }
    /// The saved number of the fixture `set-state-loop`.
    std::optional<int> saved_by_loop(std::string_view name) {
        const std::optional<std::string> stored = stored_state(name);
        return stored ? std::optional<int>((*stored)[0]) : std::nullopt;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentDurability, worker_counts(), worker_name);

TEST_P(ComponentDurability, CK145_WhatWasSetBeforeALongComputationIsThereAfterACrashInTheMiddle) {
    add("a", "script", restarts());
    world.journal().hold_syncs();
    // For ever, which is more than five seconds.
    post("a", "set-state s1\nprint 0 computes\nloop");
    world.compute(kSecond);
    EXPECT_THAT(said("a"), ElementsAre("computes"));
    world.journal().sync();  // The committer does not wait for the guest.
    world.compute(2 * kSecond);
    ASSERT_EQ(now(), 3 * kSecond);
    EXPECT_EQ(starts("a"), 1U) << "it still computes";
    EXPECT_GE(world.status(id_of("a"))->cpu_ns, 500'000'000U);
    world.crash_and_boot();
    tell("a", "get-state");
    EXPECT_THAT(of("a"), ElementsAre("1 get-state value=s1", "1 done"));
}

/// The fixture saves a number, prints it and sleeps 100 ms, again and again.
TEST_P(ComponentDurability, CK146_AGuestThatNeverReceivesLosesAtMostTheLastValueToAPowerCut) {
    add("a", "set-state-loop", restarts());
    std::vector<std::string> expected = {"saved: 0"};
    EXPECT_EQ(said("a"), expected);
    int next = 1;
    for (int cut = 0; cut < 10; ++cut) {
        for (int saves = 0; saves < 3; ++saves) {
            advance(100 * kMillisecond);
            expected.push_back("saved: " + std::to_string(next++));
        }
        // The entry of this one does not reach the disk.
        world.journal().hold_syncs();
        advance(100 * kMillisecond);
        expected.push_back("saved: " + std::to_string(next));
        EXPECT_EQ(said("a"), expected);
        EXPECT_EQ(saved_by_loop("a"), next);
        world.crash_and_boot();
        // It goes on behind the last but one.
        expected.push_back("saved: " + std::to_string(next++));
        EXPECT_EQ(said("a"), expected);
    }
}

/// Cut before and after every call of both: everything appended so far is on disk, nothing later
/// is.
TEST_P(ComponentDurability, CK163_WhatAReceiverStoresIsNeverNewerThanWhatItsSenderStored) {
    constexpr int kCalls = 40;
    int cuts = 0;
    int behind = 0;
    int calls = 0;
    int cut = 0;
    world.terminal().at_print = [&](const kernel::Print& print) {
        if (print.level == 3 && calls++ == cut) {
            world.journal().sync();
            world.journal().hold_syncs();
            ++cuts;
        }
    };
    // The sender runs ahead, or waits until the receiver has stored.
    for (const char* pause : {"", "sleep 1\n"}) {
        for (cut = 0; cut < kCalls; ++cut) {
            SCOPED_TRACE(::testing::Message() << "cut " << cut << " " << pause);
            start({"a", "b"});
            if (GetParam() > 1) {
                EXPECT_NE(world.status(id_of("a"))->worker, world.status(id_of("b"))->worker);
            }
            tell("a", "set-state 0");
            tell("b", "set-state 0");
            world.journal().hold_syncs();
            calls = 0;
            tell("b",
                 "report none\nrepeat 10\nreceive\nprint 3 x\nset-state @body\nprint 3 x\nend");
            tell("a",
                 "report none\nrepeat 10\nprint 3 x\nset-state %i\nprint 3 x\nsend {b} body=%i\n" +
                     std::string(pause) + "end");
            advance(20 * kMillisecond);
            EXPECT_EQ(number_stored("b"), 10U);
            EXPECT_EQ(calls, kCalls);
            world.crash_and_boot();
            EXPECT_LE(number_stored("b"), number_stored("a"));
            behind += number_stored("a") > 0 ? 1 : 0;
            EXPECT_FALSE(exists("a"));
        }
    }
    EXPECT_EQ(cuts, 2 * kCalls);
    EXPECT_GE(behind, kCalls) << "most cuts lie behind the first entry";
}

TEST_P(ComponentDurability, CK178_AComponentAboveItsShareIsSuspendedAndOthersGoOn) {
    constexpr std::size_t kShare = 4'000;
    start({"a", "c", "d", "e", "b"});
    const char* appends = "repeat 100\nset-state #500\nnote %i\nend";
    world.journal().hold_syncs();
    world.journal().set_bounds(kShare, 2 * kShare);
    tell("a", appends);
    EXPECT_EQ(waiting("a"), kernel::Waiting::Room);
    EXPECT_EQ(of("a").size(), 7U) << "of 500 bytes and a key each";

    // Others still append, until all together have filled the bound.
    tell("c", appends);
    EXPECT_EQ(waiting("c"), kernel::Waiting::Room);
    EXPECT_EQ(of("c").size(), 7U);
    tell("d", appends);
    EXPECT_EQ(waiting("d"), kernel::Waiting::Room);
    EXPECT_LT(of("d").size(), 7U);
    tell("e", appends);
    EXPECT_EQ(waiting("e"), kernel::Waiting::Room);
    EXPECT_THAT(of("e"), IsEmpty());

    // Who appends nothing goes on, and what it shows waits for nothing.
    tell("b", "print 0 going%20on\nnote alive");
    EXPECT_THAT(of("b"), ElementsAre("2 note alive", "2 done"));
    EXPECT_LE(world.number_of("going on"), world.journal().durable());
    EXPECT_LT(world.journal().durable(), world.journal().last());
    // Who waits can be killed.
    EXPECT_TRUE(world.kill(id_of("a")));
    EXPECT_FALSE(exists("a"));
    advance(kSecond);
    for (const char* name : {"c", "d", "e"}) {
        EXPECT_EQ(waiting(name), kernel::Waiting::Room) << name;
    }
    EXPECT_EQ(of("c").size() + of("d").size() + of("e").size(), 0U);

    world.journal().sync();
    settle();
    EXPECT_THAT(of("a"), IsEmpty());
    const std::pair<const char*, std::size_t> kLeft[] = {{"c", 93}, {"e", 100}};
    for (const auto& [name, notes] : kLeft) {
        const std::vector<std::string> lines = of(name);
        ASSERT_EQ(lines.size(), notes + 1) << name;
        EXPECT_EQ(lines.front(), "3 note " + std::to_string(101 - notes));
        EXPECT_EQ(lines[notes - 1], "3 note 100");
        EXPECT_EQ(waiting(name), kernel::Waiting::Receive);
    }
    EXPECT_THAT(of("d"), Contains("3 note 100"));
    EXPECT_EQ(waiting("d"), kernel::Waiting::Receive);
}

}  // namespace
}  // namespace perdure::conformance
