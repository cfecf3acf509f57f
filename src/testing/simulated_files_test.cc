#include "testing/simulated_files.h"

#include <gtest/gtest.h>

#include <set>

namespace perdure {
namespace {

std::string read(Files& files, const std::string& path) {
    const auto bytes = read_file(files, path, 1 << 20);
    return bytes ? std::string(text_of(*bytes))
                 : "(" + std::string(to_string(bytes.error().code())) + ")";
}

std::unique_ptr<WritableFile> synced_file(SimulatedFiles& files, const std::string& path,
                                          std::string_view text) {
    auto file = files.open_write(path, OpenMode::New).value();
    EXPECT_TRUE(file->append(bytes_of(text)));
    EXPECT_TRUE(file->sync());
    EXPECT_TRUE(files.sync_directory(parent_of(path)));
    return file;
}

TEST(SimulatedFiles, ShowsWritesAtOnceAndKeepsOnlySyncedOnesThroughAPowerCut) {
    SimulatedFiles files;
    auto file = synced_file(files, "/f", "old");
    ASSERT_TRUE(file->append(bytes_of("new")));
    EXPECT_EQ(read(files, "/f"), "oldnew");
    SimulatedFiles after(files.image_after(Crash::Lost, 1));
    EXPECT_EQ(read(after, "/f"), "old");
    SimulatedFiles killed(files.image_after(Crash::Kept, 1));
    EXPECT_EQ(read(killed, "/f"), "oldnew");
}

TEST(SimulatedFiles, ANameIsDurableOnlyAfterItsDirectoryIsSynced) {
    SimulatedFiles files;
    auto file = files.open_write("/f", OpenMode::New).value();
    ASSERT_TRUE(file->append(bytes_of("x")));
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(read(*std::make_unique<SimulatedFiles>(files.image_after(Crash::Lost, 1)), "/f"),
              "(not_found)");
    ASSERT_TRUE(files.sync_directory("/"));
    ASSERT_TRUE(files.rename("/f", "/g"));
    SimulatedFiles after(files.image_after(Crash::Lost, 1));
    EXPECT_EQ(read(after, "/f"), "x");
    EXPECT_EQ(read(after, "/g"), "(not_found)");
}

TEST(SimulatedFiles, ReorderedWritesSurviveInAnySubsetOfSectors) {
    SimulatedFiles files;
    auto file = synced_file(files, "/f", std::string(4 * kSectorBytes, '-'));
    ASSERT_TRUE(file->write_at(0, bytes_of(std::string(4 * kSectorBytes, '+'))));
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        SimulatedFiles after(files.image_after(Crash::Reordered, seed));
        const std::string content = read(after, "/f");
        std::string pattern;
        for (std::size_t i = 0; i < 4; ++i) {
            const std::string sector = content.substr(i * kSectorBytes, kSectorBytes);
            EXPECT_TRUE(sector == std::string(kSectorBytes, sector[0]))
                << "a sector is written whole or not at all";
            pattern += sector[0];
        }
        seen.insert(pattern);
    }
    EXPECT_EQ(seen.size(), 16u);
}

TEST(SimulatedFiles, TornWritesSurviveAsAPrefixThatMayEndWithinASector) {
    SimulatedFiles files;
    auto file = synced_file(files, "/f", "");
    ASSERT_TRUE(file->append(bytes_of(std::string(600, 'a'))));
    ASSERT_TRUE(file->append(bytes_of(std::string(600, 'b'))));
    bool within = false;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        SimulatedFiles after(files.image_after(Crash::Torn, seed));
        const std::string content = read(after, "/f");
        EXPECT_EQ(content,
                  (std::string(600, 'a') + std::string(600, 'b')).substr(0, content.size()));
        within |= content.size() % kSectorBytes != 0;
    }
    EXPECT_TRUE(within);
}

TEST(SimulatedFiles, TheSameSeedGivesTheSameImage) {
    SimulatedFiles files;
    auto file = synced_file(files, "/f", "");
    ASSERT_TRUE(file->append(bytes_of(std::string(5000, 'a'))));
    const DiskImage one = files.image_after(Crash::Reordered, 7);
    const DiskImage other = files.image_after(Crash::Reordered, 7);
    EXPECT_EQ(one, other);
    EXPECT_EQ(one.hash(), other.hash());
    EXPECT_NE(one.hash(), files.image_after(Crash::Lost, 7).hash());
}

TEST(SimulatedFiles, AFailedSyncLeavesBytesInTheCacheThatNoLaterSyncWrites) {
    SimulatedFiles files;
    auto file = synced_file(files, "/f", "old");
    ASSERT_TRUE(file->append(bytes_of("lost")));
    files.fail_sync(1);
    EXPECT_FALSE(file->sync());
    EXPECT_TRUE(file->sync()) << "this is why a failed sync is never tried again";
    EXPECT_EQ(read(files, "/f"), "oldlost");
    SimulatedFiles after(files.image_after(Crash::Lost, 1));
    EXPECT_EQ(read(after, "/f"), "old");
}

TEST(SimulatedFiles, RunsFullAndWritesWhatFits) {
    SimulatedFiles files;
    auto file = files.open_write("/f", OpenMode::New).value();
    files.set_capacity(10);
    EXPECT_TRUE(file->append(bytes_of("12345678")));
    EXPECT_EQ(file->append(bytes_of("abcd")).error().code(), ErrorCode::Overloaded);
    EXPECT_EQ(read(files, "/f"), "12345678ab");
    EXPECT_EQ(files.free_bytes("/").value(), 0u);
    files.set_capacity(100);
    EXPECT_TRUE(file->append(bytes_of("abcd"))) << "trying again overwrites what was left behind";
    EXPECT_EQ(read(files, "/f"), "12345678abcd");
}

TEST(SimulatedFiles, FailsByNumber) {
    SimulatedFiles files;
    auto file = files.open_write("/f", OpenMode::New).value();
    files.fail_write(2);
    EXPECT_TRUE(file->append(bytes_of("a")));
    EXPECT_FALSE(file->append(bytes_of("b")));
    EXPECT_TRUE(file->append(bytes_of("c")));
    files.fail_rename(1);
    EXPECT_FALSE(files.rename("/f", "/g"));
    EXPECT_TRUE(files.rename("/f", "/g"));
}

TEST(SimulatedFiles, TheRecordReplaysToTheSameDisk) {
    SimulatedFiles files;
    const DiskImage start = files.image_after(Crash::Kept, 0);
    files.record();
    auto file = synced_file(files, "/f", "one");
    ASSERT_TRUE(files.make_directory("/d"));
    ASSERT_TRUE(files.rename("/f", "/d/f"));
    ASSERT_TRUE(file->append(bytes_of("two")));
    SimulatedDisk disk(start);
    for (const DiskOperation& operation : files.recorded()) {
        disk.apply(operation);
    }
    for (const Crash crash : {Crash::Kept, Crash::Lost, Crash::Torn, Crash::Reordered}) {
        EXPECT_EQ(disk.image_after(crash, 3), files.image_after(crash, 3)) << to_string(crash);
    }
    EXPECT_EQ(files.operation_count(), files.recorded().size());
}

TEST(SimulatedFiles, ADetachedDiskRefusesEveryChange) {
    SimulatedFiles files;
    auto file = synced_file(files, "/f", "x");
    files.detach();
    EXPECT_FALSE(file->append(bytes_of("y")));
    EXPECT_FALSE(file->sync());
    EXPECT_FALSE(files.remove("/f"));
    EXPECT_EQ(read(files, "/f"), "x");
}

}  // namespace
}  // namespace perdure
