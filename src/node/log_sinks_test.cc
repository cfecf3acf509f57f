#include "node/log_sinks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace perdure::node {
namespace {

namespace fs = std::filesystem;

struct LogSinkTest : testing::Test {
    LogSinkTest() {
        std::string pattern = "/tmp/perdure-log-XXXXXX";
        folder = ::mkdtemp(pattern.data());
    }
    ~LogSinkTest() override { fs::remove_all(folder); }
    static std::string content(const fs::path& path) {
        std::ifstream file(path);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }

    fs::path folder;
};

TEST_F(LogSinkTest, ALineInTheFileHasTimeLevelAndText) {
    const fs::path path = folder / "log" / "node.log";
    auto sink = make_file_sink({.path = path});
    ASSERT_TRUE(sink) << sink.error().message();
    (*sink)->write(LogLevel::Warn, "disk_full reserve_bytes=5");
    (*sink)->flush();
    EXPECT_THAT(content(path),
                testing::MatchesRegex("....-..-..T..:..:...*Z warn.* disk_full reserve_bytes=5\n"));
}

TEST_F(LogSinkTest, FilesRotateAndStayWithinTheirLimits) {
    const fs::path path = folder / "node.log";
    auto sink = make_file_sink({.path = path, .bytes_max = 3 * 4096, .files = 3});
    ASSERT_TRUE(sink);
    for (int line = 0; line < 1000; ++line) {
        (*sink)->write(LogLevel::Info, "line_written number=" + std::to_string(line));
    }
    (*sink)->flush();
    std::size_t files = 0;
    std::uintmax_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
        ++files;
        bytes += entry.file_size();
        EXPECT_LE(entry.file_size(), 4096u);
    }
    EXPECT_EQ(files, 3u);
    EXPECT_LE(bytes, 3u * 4096);
    EXPECT_THAT(content(path), testing::HasSubstr("number=999"));
}

// A larger setting left them, and nothing ever removed them.
TEST_F(LogSinkTest, FilesOfALargerSettingAreRemoved) {
    const auto put = [this](const char* name, std::size_t size) {
        std::ofstream(folder / name) << std::string(size, 'x');
    };
    put("node.log", 4096);
    put("node.1.log", 4097);
    put("node.2.log", 4096);
    put("node.3.log", 1);
    put("node.12.log", 1);
    put("node.old.log", 9999);
    put("prints.3.log", 9999);
    ASSERT_TRUE(make_file_sink({.path = folder / "node.log", .bytes_max = 3 * 4096, .files = 3}));
    std::set<std::string> left;
    for (const auto& entry : fs::directory_iterator(folder)) {
        left.insert(entry.path().filename());
    }
    EXPECT_THAT(left,
                testing::ElementsAre("node.2.log", "node.log", "node.old.log", "prints.3.log"));
}

TEST_F(LogSinkTest, FilesThatWouldBeTooSmallAreFewer) {
    auto sink =
        make_file_sink({.path = folder / "node.log", .bytes_max = 3 * 4096 - 1, .files = 100});
    ASSERT_TRUE(sink);
    std::uintmax_t bytes = 0;
    for (int line = 0; line < 1000; ++line) {
        (*sink)->write(LogLevel::Info, "line_written number=" + std::to_string(line));
    }
    (*sink)->flush();
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
        ++files;
        bytes += entry.file_size();
    }
    EXPECT_EQ(files, 2u);
    EXPECT_LT(bytes, 3u * 4096);
}

TEST_F(LogSinkTest, ALineLongerThanAFileIsCutWithAMark) {
    const fs::path path = folder / "node.log";
    auto sink = make_file_sink({.path = path, .bytes_max = 2 * 4096, .files = 2});
    ASSERT_TRUE(sink);
    constexpr std::size_t kWhole = 4096 - 128;
    (*sink)->write(LogLevel::Warn, std::string(kWhole, 'a'));
    (*sink)->flush();
    EXPECT_THAT(content(path), testing::HasSubstr(std::string(kWhole, 'a') + "\n"));
    (*sink)->write(LogLevel::Warn, std::string(kWhole + 1, 'b'));
    (*sink)->flush();
    EXPECT_THAT(content(path),
                testing::HasSubstr(std::string(kWhole, 'b') + " … 1 bytes cut (log.bytes_max)\n"));
    EXPECT_LE(fs::file_size(path), 4096u);
}

TEST_F(LogSinkTest, AFileThatCannotBeOpenedIsAnError) {
    const auto sink = make_file_sink({.path = "/proc/no/such/node.log"});
    ASSERT_FALSE(sink);
    EXPECT_EQ(sink.error().code(), ErrorCode::Io);
}

TEST_F(LogSinkTest, OnlyAColouredTerminalGetsEscapes) {
    for (const Colours colours : {Colours::Off, Colours::On}) {
        testing::internal::CaptureStderr();
        make_stderr_sink(colours)->write(LogLevel::Error, "sync_failed");
        const std::string text = testing::internal::GetCapturedStderr();
        EXPECT_THAT(text, testing::HasSubstr("sync_failed"));
        EXPECT_EQ(text.find('\x1b') != std::string::npos, colours == Colours::On);
    }
}

}  // namespace
}  // namespace perdure::node
