#pragma once

/// Where work that may block is done (vfs, SQLite, compiling, reading from disk): never on a
/// worker.

#include <functional>

namespace perdure {

class Executor {
public:
    virtual ~Executor() = default;

    /// Runs `work` once, later, on some thread of the pool; in a deterministic test on the test's
    /// own thread. Thread: any. `work` must not throw and must not run guest code.
    virtual void submit(std::function<void()> work) = 0;
};

}  // namespace perdure
