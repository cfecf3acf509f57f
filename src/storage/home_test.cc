#include "storage/home.h"

#include <gtest/gtest.h>

#include "testing/simulated_files.h"

namespace perdure {
namespace {

void put(SimulatedFiles& files, const std::string& path, std::string_view text) {
    ASSERT_TRUE(files.open_write(path, OpenMode::Truncate).value()->append(bytes_of(text)));
}

TEST(Home, IsMadeOnceAndOpensAgain) {
    SimulatedFiles files;
    EXPECT_EQ(Home::open(files, "/home").value()->db_path(), "/home/db");
    EXPECT_EQ(text_of(read_file(files, "/home/version", 100).value()), "1\n");
    EXPECT_TRUE(Home::open(files, "/home"));
}

TEST(Home, InUseIsRefusedWithItsPathAndStatusThree) {
    SimulatedFiles files;
    const auto held = Home::open(files, "/home").value();
    const auto refused = Home::open(files, "/home");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "home in use: /home");
    EXPECT_EQ(exit_status_of_start(refused.error()), 3);
}

TEST(Home, OfANewerFormatIsRefusedUnchangedWithStatusFour) {
    SimulatedFiles files;
    Home::open(files, "/home").value();
    put(files, "/home/version", "2\n");
    const DiskImage before = files.image_after(Crash::Kept, 0);
    const auto refused = Home::open(files, "/home");
    ASSERT_FALSE(refused);
    EXPECT_EQ(exit_status_of_start(refused.error()), 4);
    EXPECT_EQ(files.image_after(Crash::Kept, 0), before);
}

TEST(Home, WithADamagedVersionIsRefusedByName) {
    for (const char* text : {"", "x", "0\n", "1 \n", "-1", "99999999999999999999"}) {
        SimulatedFiles files;
        Home::open(files, "/home").value();
        put(files, "/home/version", text);
        const auto refused = Home::open(files, "/home");
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().code(), ErrorCode::Corrupt);
        EXPECT_NE(refused.error().message().find("/home/version"), std::string::npos);
        EXPECT_EQ(exit_status_of_start(refused.error()), 1);
    }
}

TEST(Home, ThatHoldsAStoreButNoVersionIsNotTakenForANewOne) {
    SimulatedFiles files;
    Home::open(files, "/home").value();
    ASSERT_TRUE(files.make_directory("/home/db"));
    put(files, "/home/db/CURRENT", "MANIFEST-000001\n");
    ASSERT_TRUE(files.remove("/home/version"));
    EXPECT_EQ(Home::open(files, "/home").error().code(), ErrorCode::Corrupt);
}

TEST(Home, OpenToOthersIsRefusedWithTheCure) {
    SimulatedFiles files;
    Home::open(files, "/home").value();
    files.set_permissions("/home", 0755);
    const auto refused = Home::open(files, "/home");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::NotPermitted);
    EXPECT_NE(refused.error().message().find("chmod 700 /home"), std::string::npos);
}

TEST(Home, ReadOnlyIsRefusedWithTheCure) {
    SimulatedFiles files;
    Home::open(files, "/home").value();
    for (const std::uint32_t permissions : {0500u, 0600u, 0u}) {
        files.set_permissions("/home", permissions);
        const auto refused = Home::open(files, "/home");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ErrorCode::NotPermitted);
        EXPECT_EQ(refused.error().message(), "/home: read-only; run: chmod 700 /home");
    }
    files.set_permissions("/home", 0700);
    EXPECT_TRUE(Home::open(files, "/home"));
}

TEST(Home, CutShortWhileItIsMadeIsMadeAgain) {
    SimulatedFiles files;
    files.record();
    Home::open(files, "/home").value();
    SimulatedFiles empty;
    SimulatedDisk disk(empty.image_after(Crash::Kept, 0));
    for (const DiskOperation& operation : files.recorded()) {
        for (const Crash crash : {Crash::Lost, Crash::Torn, Crash::Reordered, Crash::Kept}) {
            SimulatedFiles after(disk.image_after(crash, 1));
            EXPECT_TRUE(Home::open(after, "/home")) << to_string(operation.kind);
        }
        disk.apply(operation);
    }
}

}  // namespace
}  // namespace perdure
