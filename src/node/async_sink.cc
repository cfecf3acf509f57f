#include "node/async_sink.h"

#include <utility>

#include "node/thread_name.h"

namespace perdure::node {

AsyncSink::AsyncSink(std::unique_ptr<LogSink> target, std::size_t bytes_max)
    : target_(std::move(target)), bytes_max_(bytes_max), thread_([this] {
          name_this_thread("log");
          run();
      }) {}

AsyncSink::~AsyncSink() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void AsyncSink::write(LogLevel level, std::string_view line) {
    bool asleep = false;
    {
        const std::lock_guard lock(mutex_);
        if (waiting_bytes_ + line.size() > bytes_max_) {
            ++dropped_;
            return;
        }
        waiting_bytes_ += line.size();
        queue_.push_back({level, std::string(line)});
        asleep = std::exchange(asleep_, false);
    }
    if (asleep) {
        wake_.notify_one();
    }
}

void AsyncSink::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        asleep_ = queue_.empty();
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        asleep_ = false;
        if (queue_.empty()) {
            return;
        }
        std::deque<Line> taken;
        taken.swap(queue_);
        const std::uint64_t dropped = std::exchange(dropped_, 0);
        lock.unlock();
        std::size_t done = 0;
        for (const Line& line : taken) {
            target_->write(line.level, line.text);
            done += line.text.size();
        }
        if (dropped != 0) {
            target_->write(LogLevel::Warn,
                           format_event("log_lines_dropped", {LogField("lines", dropped)}));
        }
        target_->flush();
        lock.lock();
        waiting_bytes_ -= done;
        wake_.wait_for(lock, kPause, [this] { return stopping_; });
    }
}

}  // namespace perdure::node
