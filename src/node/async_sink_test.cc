#include "node/async_sink.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace perdure::node {
namespace {

struct Received {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> lines;
    int unflushed = 0;
    bool blocked = false;
    std::atomic<bool> inside{false};
};

/// A sink whose writes wait while `blocked` is set.
class Slow final : public LogSink {
public:
    explicit Slow(Received& received) : received_(received) {}
    void write(LogLevel, std::string_view line) override {
        std::unique_lock lock(received_.mutex);
        received_.inside.store(true);
        received_.changed.notify_all();
        received_.changed.wait(lock, [&] { return !received_.blocked; });
        received_.lines.emplace_back(line);
        ++received_.unflushed;
    }
    void flush() override {
        const std::lock_guard lock(received_.mutex);
        received_.unflushed = 0;
        received_.changed.notify_all();
    }

private:
    Received& received_;
};

TEST(AsyncSink, HandsLinesOnInOrderBeforeItEnds) {
    Received received;
    {
        AsyncSink sink(std::make_unique<Slow>(received), 1 << 20);
        for (int line = 0; line < 100; ++line) {
            sink.write(LogLevel::Info, "line " + std::to_string(line));
        }
    }
    ASSERT_EQ(received.lines.size(), 100u);
    EXPECT_EQ(received.lines.front(), "line 0");
    EXPECT_EQ(received.lines.back(), "line 99");
}

TEST(AsyncSink, LinesAreLetOutWhileItLives) {
    Received received;
    AsyncSink sink(std::make_unique<Slow>(received), 1 << 20);
    for (std::size_t lines = 1; lines <= 5; ++lines) {
        sink.write(LogLevel::Info, "line");
        std::unique_lock lock(received.mutex);
        received.changed.wait(
            lock, [&] { return received.lines.size() == lines && received.unflushed == 0; });
    }
}

TEST(AsyncSink, NeverWaitsForASlowTargetAndSaysHowManyLinesItDropped) {
    Received received;
    received.blocked = true;
    {
        AsyncSink sink(std::make_unique<Slow>(received), 10);
        sink.write(LogLevel::Info, "first");
        {
            std::unique_lock lock(received.mutex);
            received.changed.wait(lock, [&] { return received.inside.load(); });
        }
        sink.write(LogLevel::Info,
                   "12345");  // With "first" under way these are the 10 bytes that may wait.
        sink.write(LogLevel::Info, "6");  // Limit + 1.
        sink.write(LogLevel::Info, "7");
        {
            const std::lock_guard lock(received.mutex);
            received.blocked = false;
        }
        received.changed.notify_all();
    }
    ASSERT_EQ(received.lines.size(), 3u);
    EXPECT_EQ(received.lines[0], "first");
    EXPECT_EQ(received.lines[1], "12345");
    EXPECT_EQ(received.lines[2], "log_lines_dropped lines=2");
}

}  // namespace
}  // namespace perdure::node
