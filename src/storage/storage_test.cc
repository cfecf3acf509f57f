#include "storage/storage.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "testing/simulated_storage.h"

namespace perdure {
namespace {

TEST(Storage, WhatWasAcceptedIsThereAfterAnOrderlyEnd) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    ASSERT_TRUE(node.start());
    EXPECT_EQ(node.set("a", "1").value, 1u);
    const std::uint64_t log_id = node->log_id();
    node.stop();
    SimulatedFiles after(files.image_after(Crash::Lost, 1));
    SimulatedStorage next(after);
    ASSERT_TRUE(next.start());
    EXPECT_TRUE(next->recovered().orderly);
    EXPECT_EQ(next.get("a"), "1");
    EXPECT_EQ(next.set("b", "2").value, 2u) << "numbers go on after the last one";
    EXPECT_EQ(next->log_id(), log_id);
}

TEST(Storage, CK180_AfterAnUncleanEndNumbersGoOnAboveTheCeilingEachTime) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    ASSERT_TRUE(node.start());
    node.set("a", "1");
    node.drain();
    node.crash();
    std::uint64_t highest = kCeilingStep;
    for (int i = 0; i < 3; ++i) {
        SimulatedStorage next(files);
        ASSERT_TRUE(next.start());
        EXPECT_FALSE(next->recovered().orderly);
        const SequenceNumber number = next.set("a", "2");
        EXPECT_GT(number.value, highest);
        highest = number.value / kCeilingStep * kCeilingStep + kCeilingStep - 1;
        next.crash();
    }
    SimulatedStorage last(files);
    ASSERT_TRUE(last.start());
    EXPECT_EQ(last.get("a"), "1") << "what was never written is gone";
    last.stop();
    SimulatedStorage orderly(files);
    ASSERT_TRUE(orderly.start());
    EXPECT_TRUE(orderly->recovered().orderly);
}

TEST(Storage, CK147_AfterAFailedSyncNothingLeavesAndTheNextStartWritesWhatItShowsAnew) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    ASSERT_TRUE(node.start());
    node.set("a", "1");
    node.drain();
    bool left = false;
    node->gate().pass(node.set("a", "2"), [&] { left = true; });
    files.fail_sync(1);
    EXPECT_EQ(node->committer().step(), Committer::Step::Failed);
    EXPECT_FALSE(left);
    ASSERT_EQ(node.fatal.size(), 1u);
    node.crash();

    // The same machine goes on: its cache shows bytes that no later sync writes.
    SimulatedStorage next(files);
    ASSERT_TRUE(next.start());
    const std::string shown = next.get("a");
    next.crash();
    SimulatedFiles after(files.image_after(Crash::Lost, 1));
    SimulatedStorage last(after);
    ASSERT_TRUE(last.start());
    EXPECT_EQ(last.get("a"), shown) << "what the second start could have let out is on disk";
}

TEST(Storage, CK143_CK165_OutputsWithPendingCausesWaitAndOthersDoNot) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    ASSERT_TRUE(node.start());
    std::vector<std::string> lines;
    Gate::Channel terminal(node->gate());
    const auto print = [&](std::string line) { lines.push_back(std::move(line)); };
    terminal.send(Seen<std::string>("before", {0}), 0, print);
    const SequenceNumber number = node.set("a", "1");
    terminal.send(Seen<std::string>("after", number), 0, print);
    std::size_t during_sync = 0;
    files.on_sync([&](const std::string&) { during_sync = lines.size(); });
    node->gate().pass({0}, [&] { lines.emplace_back("unrelated"); });
    node.drain();
    EXPECT_EQ(during_sync, 2u);
    EXPECT_EQ(lines, (std::vector<std::string>{"before", "unrelated", "after"}));
}

TEST(Storage, CK165_WhatWaitedForASyncThatNeverCameIsNeverShown) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    ASSERT_TRUE(node.start());
    int shown = 0;
    node->gate().pass(node.set("a", "1"), [&] { ++shown; });
    node.crash();
    EXPECT_EQ(shown, 0);
}

TEST(Storage, CK146_AGuestThatOnlySavesLosesAtMostTheLastValue) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    ASSERT_TRUE(node.start());
    for (int i = 0; i < 20; ++i) {
        node.set("a", std::to_string(i));
        SimulatedFiles cut(files.image_after(Crash::Lost, 1));
        node->committer().step();
        SimulatedStorage next(cut);
        ASSERT_TRUE(next.start());
        EXPECT_EQ(next.get("a"), i == 0 ? "(none)" : std::to_string(i - 1));
    }
}

TEST(Storage, LargeValuesAreCheckedAtTheStartAndDamageIsRefusedUnchanged) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    node.options.limits.entry_inline_bytes_max = 100;
    ASSERT_TRUE(node.start());
    const std::string big(3000, 'b');
    Entry entry{EntryKind::SetState, {{Family::ProcessState, SharedBytes("k"), SharedBytes(big)}}};
    ASSERT_TRUE(node->log().append(node->log().stage(std::move(entry)).value(), 1));
    node.drain();
    DiskImage image;
    {
        Entry orphan{EntryKind::SetState,
                     {{Family::ProcessState, SharedBytes("k2"), SharedBytes(big)}}};
        const auto never_appended = node->log().stage(std::move(orphan)).value();
        image = files.image_after(Crash::Lost, 1);
    }
    node.crash();
    {
        SimulatedFiles after(image);
        EXPECT_EQ(after.list("/home/db/large")->size(), 2u);
        SimulatedStorage next(after);
        ASSERT_TRUE(next.start());
        EXPECT_EQ(next.get("k"), big);
        EXPECT_EQ(after.list("/home/db/large")->size(), 1u) << "no live entry refers to the other";
        next.set("k", "small");
        next.drain();
        EXPECT_EQ(after.list("/home/db/large")->size(), 0u);
    }
    SimulatedFiles damaged(image);
    const std::string path = "/home/db/large/" + damaged.list("/home/db/large")->front();
    ASSERT_TRUE(damaged.open_write(path, OpenMode::Keep).value()->write_at(1000, bytes_of("?")));
    const DiskImage before = damaged.image_after(Crash::Kept, 0);
    SimulatedStorage next(damaged);
    const auto refused = next.start();
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find(path), std::string::npos);
    EXPECT_EQ(damaged.image_after(Crash::Kept, 0), before);
}

TEST(Storage, ClassMemoryForgetsAndNeverWaits) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    node.options.durability = Durability::Memory;
    ASSERT_TRUE(node.start());
    bool left = false;
    node->gate().pass(node.set("a", "1"), [&] { left = true; });
    EXPECT_TRUE(left);
    EXPECT_EQ(node->log().durable().value, 1u);
    node.drain();
    EXPECT_EQ(node.get("a"), "1");
    EXPECT_FALSE(files.info("/home/db"));
}

TEST(Storage, ClassProcessSurvivesTheEndOfTheProgramWithoutSyncs) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    node.options.durability = Durability::Process;
    ASSERT_TRUE(node.start());
    node.set("a", "1");
    node.drain();
    const std::uint64_t syncs = files.sync_count();
    node.set("a", "2");
    node.drain();
    EXPECT_EQ(files.sync_count(), syncs);
    node.crash();
    SimulatedFiles killed(files.image_after(Crash::Kept, 1));
    SimulatedStorage next(killed);
    ASSERT_TRUE(next.start());
    EXPECT_EQ(next.get("a"), "2");
    SimulatedFiles cut(files.image_after(Crash::Lost, 1));
    SimulatedStorage weaker(cut);
    EXPECT_TRUE(weaker.start()) << "a power cut may take what was promised against a kill only";
}

TEST(Storage, ManyThreadsAppendAndEveryOutputLeavesAfterItsEntry) {
    SimulatedFiles files;
    KeptLines sink;
    const Log logger(sink, LogLevel::Info);
    const ManualClock clock;
    SeededRandom random(1);
    auto home = Home::open(files, "/home").value();
    StorageOptions options;
    options.fatal = [](const std::string& why) { FAIL() << why; };
    auto storage = Storage::open(std::move(options), *home, files, clock, random, logger).value();
    constexpr int kThreads = 4;
    constexpr int kEach = 500;
    std::latch left(kThreads * kEach);
    std::atomic<int> early{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                const std::string key = std::to_string(t) + "/" + std::to_string(i % 7);
                const Appended appended = storage->log().append(
                    {EntryKind::SetState,
                     {{Family::ProcessState, SharedBytes(key), SharedBytes(std::to_string(i))}}},
                    static_cast<OwnerId>(t + 1));
                storage->gate().pass(appended.number, [&, number = appended.number] {
                    early += storage->log().durable() < number ? 1 : 0;
                    left.count_down();
                });
                auto value = storage->log().read(Family::ProcessState, bytes_of(key)).value();
                Causality me;
                EXPECT_EQ(std::move(value).tell(me)->text(), std::to_string(i));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    left.wait();
    EXPECT_EQ(early, 0);
    EXPECT_EQ(storage->log().last().value, static_cast<std::uint64_t>(kThreads * kEach));
    storage->stop();
    EXPECT_EQ(storage->log().durable(), storage->log().last());
}

}  // namespace
}  // namespace perdure
