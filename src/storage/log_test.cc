#include "storage/log.h"

#include <gtest/gtest.h>

#include "storage/committer.h"
#include "storage/gate.h"
#include "storage/memory_store.h"
#include "testing/simulated_files.h"

namespace perdure {
namespace {

class LinesSink final : public LogSink {
public:
    void write(LogLevel, std::string_view line) override { lines.emplace_back(line); }
    std::vector<std::string> lines;
};

/// A store whose next writes can be made to fail, and that remembers its batches.
class WatchedStore final : public Store {
public:
    WriteOutcome write(std::span<const StoreChange> changes, Sync sync) override {
        ++writes;
        if (fail_next != WriteOutcome::Kind::Done) {
            return {std::exchange(fail_next, WriteOutcome::Kind::Done), "made to fail"};
        }
        last_batch.clear();
        for (const StoreChange& change : changes) {
            last_batch.emplace_back(text_of(change.key));
        }
        last_sync = sync;
        return inner.write(changes, sync);
    }
    Result<std::optional<StoreValue>> read(Family family, ByteView key) const override {
        if (fail_reads) {
            return Error(ErrorCode::Corrupt, "made to fail");
        }
        return inner.read(family, key);
    }
    std::unique_ptr<StoreCursor> scan(Family family, ByteView prefix,
                                      ByteView after) const override {
        return inner.scan(family, prefix, after);
    }
    WriteOutcome rewrite_recovered() override { return {}; }

    MemoryStore inner;
    int writes = 0;
    bool fail_reads = false;
    WriteOutcome::Kind fail_next = WriteOutcome::Kind::Done;
    std::vector<std::string> last_batch;
    Sync last_sync = Sync::No;
};

Entry set(std::string_view key, std::string_view value) {
    return {EntryKind::SetState, {{Family::ProcessState, SharedBytes(key), SharedBytes(value)}}};
}
Entry clear(std::string_view key) {
    return {EntryKind::ClearState, {{Family::ProcessState, SharedBytes(key), std::nullopt}}};
}

class LogTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(files.make_directory("/db"));
        make({});
    }

    void make(LogLimits limits, Durability durability = Durability::Power) {
        committer.reset();
        log.reset();
        large = std::make_unique<LargeEntries>(files, "/db/large", [](const std::string&) {});
        ASSERT_TRUE(large->open());
        log = std::make_unique<EntryLog>(EntryLog::Start{{0}, kCeilingStep, durability, limits, {}},
                                         store, *large);
        BatchMark mark;
        mark.ceiling = kCeilingStep;
        committer = std::make_unique<Committer>(
            Committer::Parts{*log, store, gate, *large, files, logger, "/db",
                             [this](const std::string& why) { fatal.push_back(why); },
                             [this](SequenceNumber number) { reached.push_back(number.value); },
                             [this](const Error&) { return retry; }},
            mark);
    }

    std::string read(std::string_view key) {
        Causality learner;
        const auto value =
            std::move(log->read(Family::ProcessState, bytes_of(key)).value()).tell(learner);
        return value ? std::string(value->text()) : "(none)";
    }
    std::uint64_t number_of(std::string_view key) {
        return log->read(Family::ProcessState, bytes_of(key)).value().number().value;
    }
    BatchMark stored_mark() {
        const auto value = store.inner.read(Family::Meta, bytes_of(kMarkKey));
        if (!value || !value->has_value()) {
            ADD_FAILURE() << "no mark";
            return {};
        }
        return decode_mark((*value)->bytes.view()).value();
    }
    void drain() {
        while (committer->step() == Committer::Step::Wrote) {
        }
    }

    SimulatedFiles files;
    WatchedStore store;
    Gate gate;
    LinesSink sink;
    const Log logger{sink, LogLevel::Info};
    std::vector<std::string> fatal;
    std::vector<std::uint64_t> reached;
    bool retry = false;
    std::unique_ptr<LargeEntries> large;
    std::unique_ptr<EntryLog> log;
    std::unique_ptr<Committer> committer;
};

TEST_F(LogTest, AnAppendIsVisibleAtOnceAndCountsUp) {
    EXPECT_EQ(log->append(set("k", "1"), 1).number.value, 1u);
    EXPECT_EQ(log->append(set("k", "2"), 1).number.value, 2u);
    EXPECT_EQ(read("k"), "2");
    EXPECT_EQ(number_of("k"), 2u);
    EXPECT_EQ(log->durable().value, 0u);
    EXPECT_EQ(store.writes, 0);
}

TEST_F(LogTest, AReadDependsOnAnEntryOnlyUntilItIsDurable) {
    log->append(set("k", "1"), 1);
    drain();
    EXPECT_EQ(log->durable().value, 1u);
    EXPECT_EQ(log->written().value, 1u);
    EXPECT_EQ(read("k"), "1");
    EXPECT_EQ(number_of("k"), 0u);
    EXPECT_FALSE(log->read_pending(Family::ProcessState, bytes_of("k")));
}

TEST_F(LogTest, NotThereDependsOnTheDeletion) {
    log->append(set("k", "1"), 1);
    drain();
    log->append(clear("k"), 1);
    EXPECT_EQ(read("k"), "(none)");
    EXPECT_EQ(number_of("k"), 2u);
    const auto pending = log->read_pending(Family::ProcessState, bytes_of("k"));
    ASSERT_TRUE(pending);
    EXPECT_EQ(pending->number().value, 2u);
    EXPECT_EQ(number_of("never"), 0u);
}

TEST_F(LogTest, AListingShowsPendingChangesAndDependsOnTheNewestInItsRange) {
    log->append(set("a1", "1"), 1);
    log->append(set("a2", "2"), 1);
    log->append(set("a3", "3"), 1);
    drain();
    log->append(set("a4", "4"), 1);
    log->append(set("b", "x"), 1);
    log->append(clear("a2"), 1);
    Causality learner;
    auto listing = log->list(Family::ProcessState, bytes_of("a"), {}, 10).value();
    EXPECT_EQ(listing.number().value, 6u) << "the deletion counts";
    std::string keys;
    for (const KeyValue& item : std::move(listing).tell(learner).items) {
        keys += std::string(item.key.text()) + "=" + std::string(item.value.text()) + " ";
    }
    EXPECT_EQ(keys, "a1=1 a3=3 a4=4 ");
    EXPECT_EQ(log->list(Family::ProcessState, bytes_of("b"), {}, 10)->number().value, 5u);
    EXPECT_EQ(log->list(Family::ProcessState, bytes_of("c"), {}, 10)->number().value, 0u);
}

TEST_F(LogTest, AListingIsCutAtItsLimitAndGoesOnAfterItsLastKey) {
    for (const char* key : {"a", "b", "c", "d"}) {
        log->append(set(key, "v"), 1);
        if (*key == 'b') {
            drain();
        }
    }
    Causality learner;
    auto first = std::move(log->list(Family::ProcessState, {}, {}, 3).value()).tell(learner);
    ASSERT_EQ(first.items.size(), 3u);
    EXPECT_TRUE(first.more);
    auto rest =
        std::move(log->list(Family::ProcessState, {}, first.items.back().key.view(), 3).value())
            .tell(learner);
    ASSERT_EQ(rest.items.size(), 1u);
    EXPECT_FALSE(rest.more);
    EXPECT_EQ(rest.items[0].key.text(), "d");
}

TEST_F(LogTest, CK181_OneKeySetAThousandTimesIsOneWriteWithItsLastValueAndDistinctKeysAreAllKept) {
    for (int i = 0; i < 1000; ++i) {
        Entry entry = set("k", std::to_string(i));
        entry.changes.push_back({Family::Packages, SharedBytes("history/" + std::to_string(i)),
                                 SharedBytes(std::to_string(i))});
        log->append(std::move(entry), 1);
    }
    EXPECT_EQ(committer->step(), Committer::Step::Wrote);
    EXPECT_EQ(std::count(store.last_batch.begin(), store.last_batch.end(), "k"), 1);
    EXPECT_EQ(read("k"), "999");
    for (int i = 0; i < 1000; ++i) {
        const std::string key = "history/" + std::to_string(i);
        EXPECT_EQ(store.inner.read(Family::Packages, bytes_of(key)).value()->bytes.text(),
                  std::to_string(i));
    }
    EXPECT_EQ(log->durable().value, 1000u);
    EXPECT_EQ(committer->counters().syncs, 1u);
}

TEST_F(LogTest, BatchesAreCutBetweenEntriesAtTheirBound) {
    LogLimits limits;
    limits.batch_bytes_max = 3 * (kEntryOverheadBytes + 101);
    make(limits);
    for (int i = 0; i < 4; ++i) {
        log->append(set(std::to_string(i), std::string(100, 'x')), 1);
    }
    EXPECT_EQ(committer->step(), Committer::Step::Wrote);
    EXPECT_EQ(log->durable().value, 3u);
    EXPECT_EQ(committer->step(), Committer::Step::Wrote);
    EXPECT_EQ(log->durable().value, 4u);
    EXPECT_EQ(committer->step(), Committer::Step::Idle);
}

TEST_F(LogTest, CK178_AFullQueueHoldsUpOnlyWhoFillsIt) {
    LogLimits limits;
    const std::uint64_t one = kEntryOverheadBytes + 101;
    limits.journal_bytes_max = 8 * one;
    limits.journal_process_bytes_max = 2 * one;
    make(limits);
    const auto append = [&](OwnerId owner) {
        return log->append(set("k", std::string(100, 'x')), owner).outcome;
    };
    EXPECT_EQ(append(1), Appended::Outcome::Taken);
    EXPECT_EQ(append(1), Appended::Outcome::Taken);
    EXPECT_EQ(append(1), Appended::Outcome::NoRoom) << "a quarter for one owner";
    for (OwnerId owner = 2; owner < 5; ++owner) {
        EXPECT_EQ(append(owner), Appended::Outcome::Taken);
        EXPECT_EQ(append(owner), Appended::Outcome::Taken);
    }
    EXPECT_EQ(append(5), Appended::Outcome::NoRoom) << "the whole bound";
    EXPECT_EQ(append(kKernelOwner), Appended::Outcome::Taken);

    std::vector<int> woken;
    log->when_room(1, 101, [&] { woken.push_back(1); });
    const std::uint64_t killed = log->when_room(5, 101, [&] { woken.push_back(5); });
    log->when_room(2, 101, [&] { woken.push_back(2); });
    log->forget(killed);
    EXPECT_TRUE(woken.empty());
    drain();
    EXPECT_EQ(woken, (std::vector<int>{1, 2}));
    EXPECT_EQ(append(1), Appended::Outcome::Taken);
    EXPECT_EQ(log->status().pending_count, 1u);
    EXPECT_EQ(log->status().pending_bytes, one);
}

TEST_F(LogTest, ARefusedEntryIsLeftUntouched) {
    LogLimits limits;
    limits.journal_process_bytes_max = 1;
    make(limits);
    EXPECT_TRUE(log->append(set("a", "1"), 1)) << "taken when nothing else is pending";
    Entry entry = set("b", "2");
    EXPECT_EQ(log->append(std::move(entry), 1).outcome, Appended::Outcome::NoRoom);
    ASSERT_EQ(entry.changes.size(), 1u);
    EXPECT_EQ(entry.changes[0].value->text(), "2");
    EXPECT_EQ(log->last().value, 1u);
}

TEST_F(LogTest, OutputsWaitForTheBatchThatHoldsTheirCause) {
    std::vector<std::string> lines;
    Gate::Channel channel(gate);
    const auto print = [&](std::string line) { lines.push_back(std::move(line)); };
    const SequenceNumber number = log->append(set("k", "1"), 1).number;
    channel.send(Seen<std::string>("saved", number), 0, print);
    EXPECT_TRUE(lines.empty());
    drain();
    EXPECT_EQ(lines, (std::vector<std::string>{"saved"}));
    EXPECT_EQ(reached, (std::vector<std::uint64_t>{1}));
}

TEST_F(LogTest, CK147_WithoutSpaceNewEntriesAreHeldOffAndAcceptedOnesWritten) {
    LogLimits limits;
    limits.reserve_bytes = 1000;
    make(limits);
    ASSERT_TRUE(log->append(set("accepted", "1"), 1));
    files.set_capacity(files.used_bytes() + 999);
    EXPECT_EQ(committer->step(), Committer::Step::Wrote) << "the reserve is for what was accepted";
    EXPECT_EQ(log->append(set("k", "1"), 1).outcome, Appended::Outcome::NoSpace);
    EXPECT_TRUE(log->append(set("exit", "1"), kKernelOwner));
    EXPECT_TRUE(log->status().no_space);
    bool woken = false;
    log->when_room(1, 10, [&] { woken = true; });
    drain();
    EXPECT_FALSE(woken);
    files.set_capacity(1 << 30);
    drain();
    EXPECT_TRUE(woken);
    EXPECT_FALSE(log->status().no_space);
    EXPECT_TRUE(log->append(set("k", "1"), 1));
    ASSERT_EQ(sink.lines.size(), 2u);
    EXPECT_TRUE(sink.lines[0].starts_with("space_ran_out"));
    EXPECT_TRUE(sink.lines[1].starts_with("space_returned"));
}

TEST_F(LogTest, CK147_AFailedWriteKeepsTheBatchAndTheGateShut) {
    bool left = false;
    gate.pass(log->append(set("k", "1"), 1).number, [&] { left = true; });
    store.fail_next = WriteOutcome::Kind::FailedWrite;
    EXPECT_EQ(committer->step(), Committer::Step::Stalled);
    EXPECT_FALSE(left);
    EXPECT_EQ(read("k"), "1");
    log->append(set("k", "2"), 1);
    EXPECT_EQ(committer->step(), Committer::Step::Wrote);
    EXPECT_TRUE(left);
    EXPECT_EQ(log->durable().value, 1u) << "the kept batch goes first, as it was";
    store.fail_next = WriteOutcome::Kind::FailedWrite;
    retry = true;
    EXPECT_EQ(committer->step(), Committer::Step::Wrote);
    EXPECT_EQ(read("k"), "2");
    EXPECT_TRUE(fatal.empty());
}

TEST_F(LogTest, CK147_AFailedSyncLetsNothingMoreOut) {
    bool left = false;
    gate.pass(log->append(set("k", "1"), 1).number, [&] { left = true; });
    bool woken = false;
    log->when_room(1, 1, [&] { woken = true; });
    store.fail_next = WriteOutcome::Kind::FailedSync;
    EXPECT_EQ(committer->step(), Committer::Step::Failed);
    EXPECT_EQ(fatal.size(), 1u);
    EXPECT_TRUE(woken) << "whoever waits learns of the end";
    EXPECT_EQ(log->append(set("k", "2"), kKernelOwner).outcome, Appended::Outcome::Stopped);
    const int writes = store.writes;
    EXPECT_EQ(committer->step(), Committer::Step::Failed);
    EXPECT_EQ(store.writes, writes) << "never tried again";
    gate.pass({0}, [&] { left = true; });
    EXPECT_FALSE(left);
}

TEST_F(LogTest, CK122_ADamagedValueIsAFailureNotAnAbsence) {
    store.fail_reads = true;
    EXPECT_EQ(log->read(Family::ProcessState, bytes_of("k")).error().code(), ErrorCode::Corrupt);
}

TEST_F(LogTest, ALargeEntryIsSyncedBesideTheLogFirst) {
    LogLimits limits;
    limits.entry_inline_bytes_max = 1000;
    make(limits);
    const std::string big(5000, 'b');
    EXPECT_TRUE(log->append(set("at-limit", std::string(992, 'x')), 1));
    EXPECT_EQ(log->append(set("k", big), 1).outcome, Appended::Outcome::TooLarge);
    EXPECT_TRUE(log->needs_staging(set("k", big)));
    auto staged = log->stage(set("k", big));
    ASSERT_TRUE(staged) << staged.error().message();
    EXPECT_EQ(files.list("/db/large")->size(), 1u);
    const Appended appended = log->append(std::move(*staged), 1);
    ASSERT_TRUE(appended);
    EXPECT_FALSE(log->read_pending(Family::ProcessState, bytes_of("k")))
        << "only `read` may fetch the file";
    EXPECT_EQ(read("k"), big);
    EXPECT_EQ(number_of("k"), appended.number.value);
    drain();
    EXPECT_EQ(read("k"), big);
    EXPECT_EQ(number_of("k"), 0u);

    // Replaced by a second one, and that one by a small value: a file lives as long as an entry
    // refers to it.
    ASSERT_TRUE(log->append(log->stage(set("k", big + "2")).value(), 1));
    EXPECT_EQ(files.list("/db/large")->size(), 2u);
    drain();
    EXPECT_EQ(files.list("/db/large")->size(), 1u);
    EXPECT_EQ(read("k"), big + "2");
    log->append(set("k", "small"), 1);
    drain();
    EXPECT_EQ(files.list("/db/large")->size(), 0u);
    EXPECT_EQ(read("k"), "small");
}

TEST_F(LogTest, ALargeEntryOfManyPiecesIsWhole) {
    LogLimits limits;
    limits.entry_inline_bytes_max = 1000;
    make(limits);
    for (const std::size_t size : {256 << 10, (256 << 10) + 1, (3 << 20) + 7}) {
        std::string big(size, '\0');
        for (std::size_t i = 0; i < size; ++i) {
            big[i] = static_cast<char>(i * 2654435761U >> 13);
        }
        ASSERT_TRUE(log->append(log->stage(set("k", big)).value(), 1)) << size;
        drain();
        EXPECT_TRUE(read("k") == big) << size;
    }
}

TEST_F(LogTest, AStagedEntryThatIsNeverAppendedLeavesNothingBehind) {
    LogLimits limits;
    limits.entry_inline_bytes_max = 100;
    make(limits);
    {
        auto staged = log->stage(set("k", std::string(500, 'x'))).value();
    }
    EXPECT_EQ(files.list("/db/large")->size(), 0u);
    EXPECT_EQ(log->stage(set(std::string(200, 'k'), "")).error().code(), ErrorCode::InvalidInput);
}

TEST_F(LogTest, ADamagedLargeValueIsAFailure) {
    LogLimits limits;
    limits.entry_inline_bytes_max = 100;
    make(limits);
    ASSERT_TRUE(log->append(log->stage(set("k", std::string(500, 'x'))).value(), 1));
    drain();
    const std::string path = "/db/large/" + files.list("/db/large")->at(0);
    auto file = files.open_write(path, OpenMode::Keep).value();
    ASSERT_TRUE(file->write_at(77, bytes_of("y")));
    EXPECT_EQ(log->read(Family::ProcessState, bytes_of("k")).error().code(), ErrorCode::Corrupt);
}

TEST_F(LogTest, TheCeilingIsRaisedBeforeAnybodyNeedsIt) {
    // With a step of 2^20, half of it is left when the next one is written.
    Entry empty{EntryKind::Boot, {}};
    for (std::uint64_t i = 0; i < kCeilingStep / 2; ++i) {
        ASSERT_TRUE(log->append(Entry(empty), kKernelOwner));
    }
    drain();
    EXPECT_EQ(stored_mark().ceiling, kCeilingStep);
    log->append(Entry(empty), kKernelOwner);
    drain();
    EXPECT_EQ(stored_mark().ceiling, 2 * kCeilingStep);
}

TEST_F(LogTest, ClassProcessIsDurableWhenWrittenAndSyncsOnlyForTheCeiling) {
    make({}, Durability::Process);
    log->append(set("k", "1"), 1);
    drain();
    EXPECT_EQ(store.last_sync, Sync::No);
    EXPECT_EQ(log->durable().value, 1u);
    EXPECT_TRUE(gate.is_open({1}));
    log->append(set("k", "2"), 1);
    drain();
    EXPECT_EQ(stored_mark().durable.value, 0u) << "never promises more than was synced";
}

TEST_F(LogTest, AfterCloseNothingIsTakenAndWhatWasTakenIsWritten) {
    log->append(set("k", "1"), 1);
    bool called = false;
    log->when_room(1, 1, [&] { called = true; });
    log->close();
    EXPECT_TRUE(called);
    EXPECT_EQ(log->append(set("k", "2"), 1).outcome, Appended::Outcome::Stopped);
    drain();
    EXPECT_TRUE(committer->write_orderly_end());
    EXPECT_TRUE(stored_mark().orderly);
    EXPECT_EQ(log->durable().value, 1u);
}

}  // namespace
}  // namespace perdure
