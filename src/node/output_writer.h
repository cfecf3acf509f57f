#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace perdure::node {

/// Writes lines to a file descriptor on a thread of its own, so that a slow terminal or a full pipe
/// holds up nobody.
///
/// At most `bytes_max` wait; what does not fit is dropped, and a later line says how many were
/// (K-230). A reader that has gone is no error: its lines go nowhere.
class OutputWriter {
public:
    OutputWriter(int descriptor, std::size_t bytes_max);
    /// Writes what waits, as far as the reader takes it within a second.
    ~OutputWriter();

    /// Thread: any; never blocks.
    void write_line(std::string line);

    /// Calls `done` once all lines so far are written or dropped; after a second without all of
    /// them all the same, so that a blocked terminal holds up nobody. Thread: any; `done` on the
    /// writer's thread or before this returns.
    void when_written(std::function<void()> done);

private:
    struct Waiter {
        std::uint64_t lines;
        std::chrono::steady_clock::time_point patience;
        std::function<void()> done;
    };
    enum class Release : std::uint8_t { Due, All };

    void release(Release which);
    void run();
    bool write_all(const std::string& text);

    const int descriptor_;
    const std::size_t bytes_max_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::string> queue_;
    std::deque<Waiter> waiters_;  // in order of `lines`
    std::uint64_t queued_ = 0;    // lines, ever
    std::uint64_t written_ = 0;   // of those
    std::size_t waiting_bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace perdure::node
