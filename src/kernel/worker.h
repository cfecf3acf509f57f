#pragma once

/// One scheduler thread with its own processes (K-258): drains its queue, expires deadlines, runs
/// slices.
///
/// A process belongs to one worker; only that worker touches its mailbox and its instance. Others
/// push tasks to the worker's queue, first in, first out by push, which keeps the order causal
/// (K-80).

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "kernel/deadline_wheel.h"
#include "kernel/envelope.h"
#include "kernel/journal.h"
#include "kernel/parker.h"
#include "kernel/process_table.h"
#include "kernel/ready_queues.h"
#include "kernel/router.h"
#include "kernel/task.h"
#include "kernel/worker_queue.h"

namespace perdure::kernel {

class Instance;
class Kernel;
class Process;

class Worker {
public:
    Worker(Kernel& kernel, std::uint32_t index, std::unique_ptr<Random> random);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Any thread.

    std::uint32_t index() const { return index_; }
    /// Queues `task` and wakes the worker if it is parked.
    void post(std::unique_ptr<Task> task);
    void post(std::function<void(Worker&)> work) {
        post(std::make_unique<CallTask>(std::move(work)));
    }
    /// Makes `run` return soon.
    void stop();
    /// A function that wakes `process` if it still runs instance `number`.
    std::function<void()> waker(Ref<Process> process, std::uint64_t number);
    Journal::ReadDone reader(Ref<Process> process, std::uint64_t number);
    Journal::AppendDone appender(Ref<Process> process, std::uint64_t number);

    // The worker's own thread.

    /// Works until `stop`, parking when there is nothing to do.
    void run();

    enum class Did : std::uint8_t { Work, Nothing };
    /// One round: the queue, what is due, one slice. For tests and simulation, which never park.
    Did step();
    /// When the worker has something to do although nobody wakes it.
    std::optional<MonotonicTime> next_deadline() { return deadlines_.next(); }

    Kernel& kernel() { return kernel_; }
    Random& random() { return *random_; }
    DeadlineWheel& deadlines() { return deadlines_; }

    const TableSnapshot& table();
    const Route& route(const Process& sender, TargetCache& cache, const AddressView& target);
    std::shared_ptr<const HeldSet> held(const Process& process, SequenceNumber* number = nullptr);
    std::shared_ptr<const OnExit> on_exit(const Process& process, SequenceNumber* number = nullptr);

    /// Hands `envelope`, whose room in its target's mailbox is reserved, to its target's worker.
    void deliver(std::unique_ptr<Envelope> envelope);
    /// Sends a Response to where its Request wants it; without such a process it is dropped. It is
    /// never refused; PastHalf tells that its target's mailbox is (K-83).
    Room deliver_response(std::unique_ptr<Envelope> envelope, const Party& to);
    /// A message reached this worker, the one of its target.
    void arrive(std::unique_ptr<Envelope> envelope);

    /// Calls `work` here, not before `at`.
    void run_at(MonotonicTime at, std::function<void()> work);

    void wake(Process& process) { ready_.wake(process); }
    TickDecision on_tick(Instance& instance);

    /// Creates and starts an instance of a process that has none; it begins with `seen` or the
    /// number of the process's own record, whichever is newer.
    void start(const Ref<Process>& process, SequenceNumber seen);
    /// Makes a runtime module ready to take messages.
    void start_module(const Ref<Process>& process);

    enum class Revoke : std::uint8_t { Issued, Nothing };
    /// Ends `process` wherever it is (K-161) and calls `done` with the number of its removal;
    /// nothing if it has ended.
    void kill(const Ref<Process>& process, Revoke revoke,
              const std::function<void(std::optional<SequenceNumber>)>& done);
    /// Ends the guest as `kill` does and leaves the process in the table, initialised
    /// (`Kernel::halt`).
    struct Halted {
        bool was_running = false;
        SequenceNumber seen;  ///< What the process had seen.
    };
    Halted halt(const Ref<Process>& process);
    /// Ends the instance and starts the next one at once, whatever the exit behaviour.
    void restart(const Ref<Process>& process,
                 const std::function<void(std::optional<SequenceNumber>)>& done);
    /// Stops the instance without any exit behaviour: the node ends (K-165), or the process has
    /// left the table.
    void shut_down(Process& process);
    /// At boot, before any worker runs: sends the exit requests of a process that ended with its
    /// node, then takes it out of the table (K-166).
    void fire_at_boot(Process& process, const OnExit& on_exit);
    /// Takes everything that waits in the queue.
    void take_posted() {
        while (drain()) {
        }
    }
    /// After all processes are shut down: frees what still waits for a point in time.
    void discard_deadlines();

private:
    void run_slice(Process& process, MonotonicTime now);
    /// Since the last call or the slice's begin: a lone guest's slice may last, and its counter
    /// goes on meanwhile.
    void count_cpu(Process& process, MonotonicTime now);
    void run_module(Process& process, MonotonicTime now);
    void finish(Process& process, MonotonicTime now);
    /// Ends the instance; a guest with much memory is deleted elsewhere.
    void delete_instance(Process& process);
    /// The same, and discards what waits in the mailbox (K-148).
    void drop_instance(Process& process, MonotonicTime now);
    /// Ends the instance with the exit requests of its process; what that had seen.
    SequenceNumber end_guest(Process& process);
    SequenceNumber leave(Process& process, Revoke revoke, SequenceNumber seen);
    void fire_exit_requests(Process& process, const OnExit& on_exit, SequenceNumber seen);
    void report_end(Process& process, const GuestExit& exit, SequenceNumber seen);
    bool drain();
    void start_again_later(const Ref<Process>& process, SequenceNumber seen);

    Kernel& kernel_;
    const std::uint32_t index_;
    std::unique_ptr<Random> random_;
    WorkerQueue queue_;
    Parker parker_;
    std::atomic<bool> stopping_{false};
    DeadlineWheel deadlines_;
    struct CallAt;
    std::list<std::unique_ptr<CallAt>> calls_;
    ReadyQueues ready_;
    std::uint64_t ticks_ = 0;         // Of the kernel, that are known here.
    MonotonicTime cpu_counted_to_{};  ///< Of the slice that runs.
    bool interrupted_ =
        false;  ///< The slice that runs ends because something waits for this worker itself.
    std::shared_ptr<const TableSnapshot> table_;
    std::uint64_t table_generation_ = 0;
};

}  // namespace perdure::kernel
