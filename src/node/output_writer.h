#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace perdure::node {

/// Writes lines to a file descriptor on a thread of its own, so that a slow terminal or a full pipe holds up nobody.
///
/// At most `bytes_max` wait; what does not fit is dropped, and a later line says how many were (K-230). A reader that has
/// gone is no error: its lines go nowhere.
class OutputWriter {
public:
    OutputWriter(int descriptor, std::size_t bytes_max);
    /// Writes what waits, as far as the reader takes it within a second.
    ~OutputWriter();

    /// Thread: any; never blocks.
    void write_line(std::string line);

private:
    void run();
    bool write_all(const std::string& text);

    const int descriptor_;
    const std::size_t bytes_max_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::string> queue_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace perdure::node
