#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/log.h"

namespace perdure::node {

/// Hands lines to another sink on a thread of its own, so that a slow disk or terminal holds up no
/// worker.
///
/// At most `bytes_max` wait; what does not fit is dropped, and a later line says how many were. A
/// line is handed on at once, or, when others were just before, at most `kPause` later together
/// with those that came meanwhile: a flood of lines costs neither a wake nor a write each. Thread:
/// any.
class AsyncSink final : public LogSink {
public:
    AsyncSink(std::unique_ptr<LogSink> target, std::size_t bytes_max);
    /// Returns when everything that waited has been handed on.
    ~AsyncSink() override;

    void write(LogLevel level, std::string_view line) override;

    static constexpr std::chrono::milliseconds kPause{5};

private:
    struct Line {
        LogLevel level;
        std::string text;
    };
    void run();

    const std::unique_ptr<LogSink> target_;
    const std::size_t bytes_max_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Line> queue_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool asleep_ = false;  // Until it is notified, not only for the pause.
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace perdure::node
