#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace perdure::node {

/// The bounded pool for work that blocks: reading from the store, compiling, files
/// (`blocking_threads`).
///
/// Work waits in one queue, first in, first out. After `stop` what waits is still run, and nothing
/// new is taken.
class BlockingPool final : public Executor {
public:
    explicit BlockingPool(std::uint32_t threads);
    ~BlockingPool() override;

    void submit(std::function<void()> work) override;
    /// Returns when all work has ended. Thread: the one that made the pool. Once or more.
    void stop();

private:
    void run();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace perdure::node
