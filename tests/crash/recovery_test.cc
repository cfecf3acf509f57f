/// Recovery against damage, byte by byte (C-K-180): what lies above the highest durable number
/// known is cut off with one line, what lies at or below it refuses the start and changes nothing.

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/doctor.h"
#include "storage/log_scan.h"
#include "testing/simulated_storage.h"

namespace perdure {
namespace {

constexpr int kBatches = 6;

/// A home with kBatches batches of one entry each, "k<i>" = "v<i>"; the last one is written but not
/// known as durable.
class UsedHome {
public:
    UsedHome() {
        SimulatedFiles files;
        SimulatedStorage node(files);
        EXPECT_TRUE(node.start());
        for (int i = 1; i <= kBatches; ++i) {
            if (i == kBatches) {
                files.on_sync(
                    [&](const std::string&) { image = files.image_after(Crash::Kept, 0); });
            }
            node.set("k" + std::to_string(i), "v" + std::to_string(i));
            node.drain();
        }
        SimulatedFiles used(image);
        scan = scan_log(used, "/home/db").value();
        EXPECT_EQ(scan.batches.size(), kBatches + 1u)
            << "the first batch of the start comes before";
        EXPECT_TRUE(scan.damages.empty());
        log_path = scan.files.at(0);
        log_bytes = *image.files.at(log_path).bytes;
    }

    DiskImage with_log(Bytes bytes) const {
        DiskImage changed = image;
        changed.put(log_path, std::move(bytes));
        return changed;
    }
    const ScannedBatch& batch(int number) const {
        return scan.batches.at(static_cast<std::size_t>(number));
    }

    DiskImage image;
    LogScan scan;
    std::string log_path;
    Bytes log_bytes;
};

const UsedHome& used_home() {
    static const UsedHome home;
    return home;
}

/// Opens and expects exactly the first `count` entries.
void expect_entries(const DiskImage& image, int count, bool cut, const std::string& what) {
    SimulatedFiles files(image);
    SimulatedStorage node(files);
    const auto started = node.start();
    ASSERT_TRUE(started) << what << ": " << started.error().message();
    for (int i = 1; i <= kBatches; ++i) {
        const std::string wanted = i <= count ? "v" + std::to_string(i) : "(none)";
        ASSERT_EQ(node.get("k" + std::to_string(i)), wanted) << what;
    }
    ASSERT_EQ(!node->recovered().cut.empty(), cut) << what;
    auto lines = node.sink.lines.lock();
    const auto is_cut = [](const std::string& line) { return line.starts_with("log_cut_off"); };
    ASSERT_EQ(std::count_if(lines->begin(), lines->end(), is_cut), cut ? 1 : 0) << what;
    ASSERT_EQ(node.set("next", "x").value, kCeilingStep + 1)
        << what << ": an unclean end goes on above the ceiling";
}

void expect_refusal(const DiskImage& image, const std::string& named, const std::string& what) {
    SimulatedFiles files(image);
    SimulatedStorage node(files);
    const auto started = node.start();
    ASSERT_FALSE(started) << what;
    ASSERT_NE(started.error().message().find(named), std::string::npos)
        << what << ": " << started.error().message();
    ASSERT_EQ(exit_status_of_start(started.error()), 1) << what;
    ASSERT_EQ(files.image_after(Crash::Kept, 0), image) << what << ": the home was changed";
}

TEST(Recovery, CK180_AWholeHomeOpensWithAllItsBatches) {
    expect_entries(used_home().image, kBatches, false, "untouched");
}

TEST(Recovery, CK180_TheLastBatchCutAtEveryByteOpensWithTheBatchesBefore) {
    const UsedHome& home = used_home();
    const ScannedBatch& last = home.batch(kBatches);
    const auto end = home.log_bytes.begin() + static_cast<std::ptrdiff_t>(last.end);
    const auto is_zero = [](Byte byte) { return byte == 0; };
    ASSERT_LT(last.end, home.log_bytes.size()) << "a log file is longer than what was written";
    ASSERT_TRUE(std::all_of(end, home.log_bytes.end(), is_zero));
    for (std::uint64_t size = last.begin; size < last.end; ++size) {
        const auto from = home.log_bytes.begin() + static_cast<std::ptrdiff_t>(size);
        expect_entries(home.with_log(Bytes(home.log_bytes.begin(), from)), kBatches - 1,
                       size != last.begin, "cut at " + std::to_string(size));
        // The same where the file had been made longer before: zeros stand for what is missing.
        Bytes zeros = home.log_bytes;
        std::fill(zeros.begin() + static_cast<std::ptrdiff_t>(size), zeros.end(), Byte{0});
        const bool whole = std::all_of(from, end, is_zero);
        expect_entries(home.with_log(zeros), whole ? kBatches : kBatches - 1,
                       !whole && size != last.begin, "zeros from " + std::to_string(size));
    }
}

TEST(Recovery, CK180_AByteFlippedAboveTheDurableNumberIsCutOffFromThatBatchOn) {
    const UsedHome& home = used_home();
    const ScannedBatch& last = home.batch(kBatches);
    for (std::uint64_t at = last.begin; at < last.end; ++at) {
        Bytes flipped = home.log_bytes;
        flipped[at] ^= 0x10;
        expect_entries(home.with_log(flipped), kBatches - 1, true,
                       "flipped at " + std::to_string(at));
    }
}

TEST(Recovery, CK180_AByteFlippedAtOrBelowTheDurableNumberRefusesTheStart) {
    const UsedHome& home = used_home();
    DiskImage without_note = home.image;
    without_note.files.erase("/home/db/durable");
    for (std::uint64_t at = 0; at < home.batch(kBatches).begin; ++at) {
        Bytes flipped = home.log_bytes;
        flipped[at] ^= 0x01;
        expect_refusal(home.with_log(flipped), home.log_path,
                       "with the note, flipped at " + std::to_string(at));
        DiskImage image = without_note;
        image.put(home.log_path, flipped);
        expect_refusal(image, home.log_path,
                       "from a later batch, flipped at " + std::to_string(at));
    }
}

TEST(Recovery, CK180_WholeBatchesRemovedAlthoughNotedAsDurableRefuseTheStart) {
    const UsedHome& home = used_home();
    for (int kept = 0; kept < kBatches; ++kept) {
        const Bytes cut(
            home.log_bytes.begin(),
            home.log_bytes.begin() + static_cast<std::ptrdiff_t>(home.batch(kept).begin));
        expect_refusal(home.with_log(cut), home.log_path,
                       "only " + std::to_string(kept) + " batches kept");
    }
    DiskImage removed = home.image;
    removed.files.erase(home.log_path);
    expect_refusal(removed, "log files are missing", "no log file");
    // Without the note nothing says that the last ones were durable.
    DiskImage unknown = home.with_log(
        Bytes(home.log_bytes.begin(),
              home.log_bytes.begin() + static_cast<std::ptrdiff_t>(home.batch(3).begin)));
    unknown.files.erase("/home/db/durable");
    expect_entries(unknown, 2, false, "no note");
}

TEST(Recovery, CK180_ABatchTakenOutOfTheMiddleIsNoticed) {
    const UsedHome& home = used_home();
    Bytes bytes = home.log_bytes;
    bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(home.batch(3).begin),
                bytes.begin() + static_cast<std::ptrdiff_t>(home.batch(3).end));
    expect_refusal(home.with_log(bytes), home.log_path, "batch 3 removed");
}

TEST(Recovery, ADamagedNoteIsReportedAndLaterBatchesStandForIt) {
    const UsedHome& home = used_home();
    DiskImage image = home.image;
    Bytes note = *image.files.at("/home/db/durable").bytes;
    note[3] ^= 1;
    image.put("/home/db/durable", note);
    expect_entries(image, kBatches, false, "damaged note");
    Bytes flipped = home.log_bytes;
    flipped[home.batch(2).begin + 9] ^= 1;
    image.put(home.log_path, flipped);
    expect_refusal(image, home.log_path, "damaged note and damaged batch");
}

TEST(Recovery, ATornFirstBatchOfAStartDoesNotHideWhatTableFilesHold) {
    // A second start has flushed everything, and its first batch is torn: nothing durable lies in
    // the log files.
    SimulatedFiles files(used_home().image);
    DiskImage torn;
    {
        SimulatedStorage node(files);
        files.on_sync([&](const std::string& path) {
            if (path.ends_with(".log")) {
                torn = files.image_after(Crash::Kept, 0);
            }
        });
        ASSERT_TRUE(node.start());
    }
    SimulatedFiles at_sync(torn);
    const LogScan scan = scan_log(at_sync, "/home/db").value();
    ASSERT_EQ(scan.batches.size(), 1u);
    const std::string path = scan.files.at(scan.batches[0].file_index);
    for (std::uint64_t size = scan.batches[0].begin; size < scan.batches[0].end; size += 3) {
        const Bytes& whole = *torn.files.at(path).bytes;
        DiskImage image = torn;
        image.put(path, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
        expect_entries(image, kBatches, size != 0, "first batch cut at " + std::to_string(size));
    }
}

TEST(Recovery, ALogFileOfAnyLengthBehindItsLastRecordOpensBesideNewerTables) {
    // Found by the suite over the node: of up to six bytes behind the last record RocksDB makes a
    // torn header, and refuses a store with a family whose tables are newer than that file.
    SimulatedFiles files;
    {
        SimulatedStorage node(files);
        ASSERT_TRUE(node.start());
        node->log().append(
            {EntryKind::Install, {{Family::Packages, SharedBytes("p"), SharedBytes("old")}}}, 1);
        node.drain();
    }
    {
        SimulatedStorage node(files);
        ASSERT_TRUE(node.start()) << "puts the package into a table";
        node.set("k", "v");
        node.drain();
    }
    DiskImage image;
    {
        SimulatedStorage node(files);
        files.on_sync([&](const std::string& path) {
            if (path.ends_with(".sst") && image.files.empty()) {
                image = files.image_after(Crash::Lost, 0);
            }
        });
        ASSERT_TRUE(node.start()) << "notes that the log file holds no package";
        files.on_sync({});
    }
    SimulatedFiles used(image);
    const LogScan scan = scan_log(used, "/home/db").value();
    ASSERT_TRUE(scan.damages.empty());
    ASSERT_FALSE(scan.batches.empty());
    const ScannedBatch& last = scan.batches.back();
    const std::string path = scan.files.at(last.file_index);
    const Bytes& log = *image.files.at(path).bytes;
    std::size_t remnants = 0;
    for (const std::size_t end : {last.end, std::uint64_t{32'768}, std::uint64_t{65'536}}) {
        for (std::size_t more = 0; more <= 8; ++more) {
            Bytes longer(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(last.end));
            longer.resize(end + more);
            DiskImage changed = image;
            changed.put(path, longer);
            SimulatedFiles at_start(changed);
            remnants += scan_log(at_start, "/home/db").value().remnants.size();
            KeptLines sink;
            const auto report =
                examine_home("/home", 0, at_start, ManualClock(), Log(sink, LogLevel::Error));
            ASSERT_TRUE(report);
            EXPECT_EQ(std::count_if(report->findings.begin(), report->findings.end(),
                                    [](const Finding& finding) {
                                        return finding.severity == Finding::Severity::Damage;
                                    }),
                      0)
                << end << "+" << more;
            SimulatedStorage node(at_start);
            const auto started = node.start();
            ASSERT_TRUE(started) << end << "+" << more << ": " << started.error().message();
            EXPECT_EQ(node.get("k"), "v");
            EXPECT_TRUE(node->recovered().cut.empty()) << "nothing was taken away";
        }
    }
    EXPECT_EQ(remnants, 18u) << "one to six bytes in the last block";
}

TEST(Recovery, BatchesThatSpanBlocksAreReadAndCutLikeOthers) {
    SimulatedFiles files;
    SimulatedStorage node(files);
    ASSERT_TRUE(node.start());
    const std::string big(100'000, 'x');
    DiskImage image;
    node.set("a", big);
    node.drain();
    files.on_sync([&](const std::string&) { image = files.image_after(Crash::Kept, 0); });
    node.set("b", big);
    node.drain();
    SimulatedFiles used(image);
    const LogScan scan = scan_log(used, "/home/db").value();
    ASSERT_EQ(scan.batches.size(), 3u);
    const std::string path = scan.files.at(0);
    for (std::uint64_t at = scan.batches[2].begin; at < scan.batches[2].end; at += 4999) {
        Bytes flipped = *image.files.at(path).bytes;
        flipped[at] ^= 0x40;
        DiskImage changed = image;
        changed.put(path, flipped);
        SimulatedFiles after(changed);
        SimulatedStorage next(after);
        const auto started = next.start();
        ASSERT_TRUE(started) << at << started.error().message();
        EXPECT_EQ(next.get("a"), big);
        EXPECT_EQ(next.get("b"), "(none)");
    }
}

}  // namespace
}  // namespace perdure
