#include "storage/log_scan.h"

#include <gtest/gtest.h>

#include "storage/recovery.h"
#include "testing/simulated_storage.h"

namespace perdure {
namespace {

/// The log of a store with `count` entries of `size` bytes, one batch each.
Bytes log_bytes(int count, std::size_t size) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    EXPECT_TRUE(node.start());
    for (int i = 0; i < count; ++i) {
        node.set("k" + std::to_string(i), std::string(size, 'x'));
        node.drain();
    }
    const LogScan scan = scan_log(files, "/home/db").value();
    return read_file(files, scan.files.at(0), UINT64_MAX).value();
}

LogScan scan_one(ByteView bytes) {
    LogScan scan;
    scan.files.emplace_back("one");
    scan_log_file(bytes, 0, scan);
    return scan;
}

TEST(LogScan, ReadsEveryBatchThatRocksDbWrote) {
    const LogScan scan = scan_one(log_bytes(5, 100));
    ASSERT_EQ(scan.batches.size(), 6u);
    EXPECT_TRUE(scan.damages.empty());
    for (std::size_t i = 1; i < scan.batches.size(); ++i) {
        EXPECT_EQ(scan.batches[i].begin, scan.batches[i - 1].end);
        EXPECT_EQ(scan.batches[i].mark.previous, scan.batches[i - 1].mark.last);
        EXPECT_EQ(scan.batches[i].mark.last.value, i);
        EXPECT_EQ(scan.batches[i].mark.durable.value, i - 1);
    }
}

TEST(LogScan, ReadsBatchesThatSpanBlocksAndTheirTrailers) {
    // 10 919-byte records move the end of a block through all its last bytes.
    const LogScan scan = scan_one(log_bytes(40, 10'807));
    EXPECT_EQ(scan.batches.size(), 41u);
    EXPECT_TRUE(scan.damages.empty());
}

TEST(LogScan, FindsWholeBatchesBehindDamage) {
    const Bytes bytes = log_bytes(8, 5000);
    const LogScan whole = scan_one(bytes);
    for (std::size_t harmed = 0; harmed < whole.batches.size(); ++harmed) {
        for (const std::uint64_t skip : {0u, 4u, 5u, 6u, 50u}) {
            Bytes flipped = bytes;
            flipped[whole.batches[harmed].begin + skip] ^= 0xff;
            const LogScan scan = scan_one(flipped);
            ASSERT_FALSE(scan.damages.empty());
            EXPECT_EQ(scan.damages[0].offset, whole.batches[harmed].begin);
            EXPECT_EQ(scan.damages[0].batches_before, harmed);
            EXPECT_EQ(scan.batches.size(), whole.batches.size() - 1) << harmed << "+" << skip;
        }
    }
}

TEST(LogScan, AnyBytesAreReadWithoutFault) {
    const Bytes bytes = log_bytes(4, 9000);
    SeededRandom random(5);
    for (int round = 0; round < 3000; ++round) {
        Bytes changed = bytes;
        for (std::uint64_t i = random.below(6); i-- > 0;) {
            const std::size_t at = random.below(changed.size());
            changed[at] = static_cast<Byte>(random.next());
        }
        changed.resize(random.below(changed.size() + 1));
        const LogScan scan = scan_one(changed);
        for (const ScannedBatch& batch : scan.batches) {
            EXPECT_LE(batch.end, changed.size());
        }
        (void)first_record_damage(changed);
        (void)parse_batch(ByteView(changed).first(std::min<std::size_t>(changed.size(), 200)));
    }
    EXPECT_TRUE(scan_one({}).damages.empty());
    EXPECT_TRUE(scan_one(Bytes(100, 0)).damages.empty())
        << "the file was longer than what was written";
    Bytes zeros(100, 0);
    zeros.back() = 1;
    EXPECT_FALSE(scan_one(zeros).damages.empty()) << "zeros are no batches";
    Bytes longer = bytes;
    longer.resize(bytes.size() + 50'000);
    EXPECT_TRUE(scan_one(longer).damages.empty());
    EXPECT_EQ(scan_one(longer).batches.size(), scan_one(bytes).batches.size());
}

TEST(LogScan, BytesThatHoldNoHeaderBehindTheLastRecordAreARemnant) {
    const Bytes bytes = log_bytes(1, 100);
    const std::uint64_t end = scan_one(bytes).batches.back().end;
    const auto remnant_at = [&](std::size_t size) -> std::optional<std::uint64_t> {
        Bytes changed = bytes;
        changed.resize(end);
        changed.resize(size);
        const LogScan scan = scan_one(changed);
        EXPECT_TRUE(scan.damages.empty());
        EXPECT_LE(scan.remnants.size(), 1u);
        return scan.remnants.empty() ? std::nullopt : std::optional(scan.remnants[0].offset);
    };
    EXPECT_EQ(remnant_at(end), std::nullopt);
    EXPECT_EQ(remnant_at(end + 1), end);
    EXPECT_EQ(remnant_at(end + 6), end);
    EXPECT_EQ(remnant_at(end + 7), std::nullopt) << "a header of zeros";
    EXPECT_EQ(remnant_at(32'768), std::nullopt);
    EXPECT_EQ(remnant_at(32'769), 32'768u);
    EXPECT_EQ(remnant_at(32'774), 32'768u);
    EXPECT_EQ(remnant_at(32'775), std::nullopt);
}

TEST(LogScan, ABatchWithoutAMarkIsDamage) {
    // sequence, one put into family 2 ("processes"), and no mark.
    Bytes batch(12, 0);
    batch[8] = 1;
    const auto header =
        record_header(Family::Processes, bytes_of("k"), ValueFormat::Inline, bytes_of("v"));
    for (const Byte byte : {Byte{5}, Byte{2}, Byte{1}, Byte{'k'}, Byte{6}}) {
        batch.push_back(byte);
    }
    batch.insert(batch.end(), header.begin(), header.end());
    batch.push_back('v');
    const auto operations = parse_batch(batch);
    ASSERT_TRUE(operations);
    EXPECT_EQ(operations->at(0).family_id, 2u);
    EXPECT_EQ(text_of(operations->at(0).key), "k");
    batch[8] = 2;
    EXPECT_FALSE(parse_batch(batch)) << "the count is checked";
    batch[8] = 1;
    batch[12] = 9;
    EXPECT_FALSE(parse_batch(batch)) << "an unknown operation";
}

TEST(Judge, TakesTheHighestDurableNumberFromNoteOrAnyWholeBatch) {
    LogScan scan;
    scan.files = {"a.log"};
    scan.batches.push_back({0, 0, 100, {{0}, {5}, {0}, kCeilingStep, false}});
    scan.batches.push_back({0, 100, 200, {{5}, {9}, {5}, kCeilingStep, false}});
    EXPECT_EQ(judge(scan, Error(ErrorCode::NotFound, ""), {}).durable.value, 5u);
    const auto note = encode_note({7});
    const Bytes bytes(note.begin(), note.end());
    EXPECT_EQ(judge(scan, bytes, {}).durable.value, 7u);
    EXPECT_FALSE(judge(scan, bytes, {}).loses_durable_data());
    scan.batches.pop_back();
    EXPECT_TRUE(judge(scan, bytes, {}).loses_durable_data());
    EXPECT_FALSE(judge(scan, bytes, SequenceNumber{7}).loses_durable_data())
        << "table files hold it";
}

TEST(Judge, DamageInAFileThatTableFilesHoldIsNoLoss) {
    LogScan scan;
    scan.files = {"old.log", "new.log"};
    scan.damages.push_back({0, 40, 0, "damaged"});
    scan.batches.push_back({1, 0, 100, {{20}, {25}, {20}, kCeilingStep, false}});
    const Judgement judgement = judge(scan, Error(ErrorCode::NotFound, ""), SequenceNumber{20});
    EXPECT_FALSE(judgement.loses_durable_data());
    EXPECT_FALSE(judgement.cut);
    EXPECT_EQ(judgement.obsolete, (std::vector<std::size_t>{0}));
    EXPECT_EQ(judgement.end.value, 25u);
    // Without that knowledge, or with a gap, it counts.
    EXPECT_TRUE(
        judge(scan, Error(ErrorCode::NotFound, ""), SequenceNumber{19}).loses_durable_data());
}

TEST(Judge, AFileThatIsDamagedTwiceIsRemovedOnce) {
    // Found by fuzz/log_reader_fuzz.cc: removing it a second time failed, and with it the start.
    LogScan scan;
    scan.files = {"old.log", "new.log"};
    scan.damages.push_back({0, 40, 0, "damaged"});
    scan.damages.push_back({0, 80, 0, "damaged"});
    scan.batches.push_back({1, 0, 100, {{20}, {25}, {20}, kCeilingStep, false}});
    const Judgement judgement = judge(scan, Error(ErrorCode::NotFound, ""), SequenceNumber{20});
    EXPECT_EQ(judgement.obsolete, (std::vector<std::size_t>{0}));
    EXPECT_FALSE(judgement.cut);
}

TEST(Judge, AFileWithABatchThatIsNeededIsNeverObsolete) {
    // Found by fuzz/log_reader_fuzz.cc: the file was to be removed and cut.
    LogScan scan;
    scan.files = {"old.log", "new.log"};
    scan.damages.push_back({0, 40, 0, "damaged"});
    scan.batches.push_back({0, 60, 90, {{20}, {23}, {20}, kCeilingStep, false}});
    scan.damages.push_back({0, 90, 1, "damaged"});
    scan.batches.push_back({1, 0, 100, {{20}, {25}, {20}, kCeilingStep, false}});
    const Judgement judgement = judge(scan, Error(ErrorCode::NotFound, ""), SequenceNumber{20});
    EXPECT_TRUE(judgement.obsolete.empty());
    ASSERT_TRUE(judgement.cut);
    EXPECT_EQ(judgement.cut->file_index, 0u);
    EXPECT_EQ(judgement.cut->offset, 40u);
    EXPECT_EQ(judgement.end.value, 20u);
}

}  // namespace
}  // namespace perdure
