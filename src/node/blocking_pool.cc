#include "node/blocking_pool.h"

#include <utility>

#include "node/thread_name.h"

namespace perdure::node {

BlockingPool::BlockingPool(std::uint32_t threads) {
    for (std::uint32_t index = 0; index < threads; ++index) {
        threads_.emplace_back([this] {
            name_this_thread("blocking");
            run();
        });
    }
}

BlockingPool::~BlockingPool() {
    stop();
}

void BlockingPool::submit(std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) {
            return;
        }
        queue_.push_back(std::move(work));
    }
    wake_.notify_one();
}

void BlockingPool::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) {
            return;
        }
        std::function<void()> work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        work();
        work = nullptr;
        lock.lock();
    }
}

void BlockingPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
    threads_.clear();
}

}  // namespace perdure::node
