#include "node/output_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "node/thread_name.h"

namespace perdure::node {
namespace {

/// How long the end of the program waits for a reader that takes nothing.
constexpr int kLastWriteMs = 1000;

}  // namespace

OutputWriter::OutputWriter(int descriptor, std::size_t bytes_max)
    : descriptor_(descriptor), bytes_max_(bytes_max), thread_([this] {
          name_this_thread("output");
          run();
      }) {}

OutputWriter::~OutputWriter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void OutputWriter::write_line(std::string line) {
    line += '\n';
    {
        const std::lock_guard lock(mutex_);
        if (waiting_bytes_ + line.size() > bytes_max_) {
            ++dropped_;
            return;
        }
        if (dropped_ != 0) {
            std::string note = std::to_string(std::exchange(dropped_, 0)) + " lines were dropped: nobody read them in time\n";
            waiting_bytes_ += note.size();
            queue_.push_back(std::move(note));
        }
        waiting_bytes_ += line.size();
        queue_.push_back(std::move(line));
    }
    wake_.notify_one();
}

bool OutputWriter::write_all(const std::string& text) {
    std::size_t written = 0;
    while (written < text.size()) {
        pollfd ready{descriptor_, POLLOUT, 0};
        const int polled = ::poll(&ready, 1, kLastWriteMs);
        if (polled == 0) {
            const std::lock_guard lock(mutex_);
            if (stopping_) {
                return false;
            }
            continue;
        }
        // A pipe that is ready takes this much at once; more of it would wait for a reader and could not be stopped.
        const std::size_t size = std::min<std::size_t>(text.size() - written, PIPE_BUF);
        const ssize_t count = ::write(descriptor_, text.data() + written, size);
        if (count < 0 && errno != EINTR && errno != EAGAIN) {
            return false;
        }
        written += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return true;
}

void OutputWriter::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) {
            return;
        }
        std::deque<std::string> taken;
        taken.swap(queue_);
        lock.unlock();
        std::size_t done = 0;
        bool reading = true;
        for (const std::string& line : taken) {
            reading = reading && write_all(line);
            done += line.size();
        }
        lock.lock();
        waiting_bytes_ -= done;
    }
}

}  // namespace perdure::node
