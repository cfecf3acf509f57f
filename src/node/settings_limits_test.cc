/// The bounds of what the settings are read from.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "node/settings.h"

namespace perdure::node {
namespace {

TEST(SettingsFile, AFileOfOneMebibyteIsReadAndALongerOneRefused) {
    std::string pattern = "/tmp/perdure-settings-XXXXXX";
    const std::filesystem::path folder = ::mkdtemp(pattern.data());
    const std::string path = folder / "perdure.yaml";
    std::ofstream(path) << std::string(kSettingsFileBytesMax, '#');
    const auto read = read_settings_file(path);
    ASSERT_TRUE(read.has_value()) << read.error().message();
    ASSERT_TRUE(read->has_value());
    EXPECT_EQ((*read)->size(), kSettingsFileBytesMax);
    std::ofstream(path, std::ios::app) << '#';
    const auto refused = read_settings_file(path);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::Overloaded);
    EXPECT_EQ(refused.error().message(), path + ": longer than 1048576 bytes");
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace perdure::node
