#include "node/output_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>
#include <vector>

#include "node/thread_name.h"

namespace perdure::node {
namespace {

/// How long the end of the program waits for a reader that takes nothing.
constexpr int kLastWriteMs = 1000;

/// How long somebody waits for lines to be written.
constexpr auto kPatience = std::chrono::seconds(1);

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
            std::string note = std::to_string(std::exchange(dropped_, 0)) +
                               " lines were dropped: nobody read them in time\n";
            waiting_bytes_ += note.size();
            ++queued_;
            queue_.push_back(std::move(note));
        }
        waiting_bytes_ += line.size();
        ++queued_;
        queue_.push_back(std::move(line));
    }
    wake_.notify_one();
}

void OutputWriter::when_written(std::function<void()> done) {
    {
        const std::lock_guard lock(mutex_);
        if (written_ != queued_ && !stopping_) {
            waiters_.push_back(
                {queued_, std::chrono::steady_clock::now() + kPatience, std::move(done)});
            return;
        }
    }
    done();
}

void OutputWriter::release(Release which) {
    std::vector<std::function<void()>> ready;
    {
        const std::lock_guard lock(mutex_);
        while (!waiters_.empty() &&
               (which == Release::All || waiters_.front().lines <= written_ ||
                waiters_.front().patience <= std::chrono::steady_clock::now())) {
            ready.push_back(std::move(waiters_.front().done));
            waiters_.pop_front();
        }
    }
    for (const auto& done : ready) {
        done();
    }
}

bool OutputWriter::write_all(const std::string& text) {
    std::size_t written = 0;
    while (written < text.size()) {
        pollfd ready{descriptor_, POLLOUT, 0};
        const int polled = ::poll(&ready, 1, kLastWriteMs);
        release(Release::Due);
        if (polled == 0) {
            const std::lock_guard lock(mutex_);
            if (stopping_) {
                return false;
            }
            continue;
        }
        // A pipe that is ready takes this much at once; more of it would wait for a reader and
        // could not be stopped.
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
            lock.unlock();
            release(Release::All);
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
            {
                const std::lock_guard count(mutex_);
                ++written_;
            }
            release(Release::Due);
        }
        lock.lock();
        waiting_bytes_ -= done;
    }
}

}  // namespace perdure::node
