#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "kernel/worker_queue.h"

namespace perdure::kernel {

class Worker;

/// Something that is to happen on a worker's thread: a message that arrives, a wake, a piece of
/// work.
struct Task : WorkerItem {
    /// Thread: the worker's. `self` owns this task.
    virtual void run(Worker& worker, std::unique_ptr<Task> self) = 0;
};

/// Work without a type of its own; not for anything that happens once per message.
struct CallTask final : Task {
    explicit CallTask(std::function<void(Worker&)> work_in) : work(std::move(work_in)) {}
    void run(Worker& worker, std::unique_ptr<Task>) override { work(worker); }
    std::function<void(Worker&)> work;
};

}  // namespace perdure::kernel
