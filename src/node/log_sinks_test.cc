#include "node/log_sinks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
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
    auto sink = make_file_sink({.path = path, .log_bytes_max = 3 * 4096, .log_files = 3});
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
