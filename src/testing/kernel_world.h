#pragma once

/// A whole kernel inside a test: scripted guests on the mock engine, a journal in memory, recorded
/// prints. Either stepped on the test's own thread with a clock that moves only on request, or on
/// real threads.
///
/// ```cpp
/// KernelWorld world({.workers = 4});
/// world.start("echo:test:os", [](mock::Api& api) -> mock::Script { … });
/// world.settle();
/// EXPECT_THAT(world.prints(), Contains("test:os: hello"));
/// ```
///
/// Scripts need `perdure_engine_mock`; with `perdure_engine` instead the guests are real
/// components, see `start_component`.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/mock.h"
#include "kernel/kernel.h"
#include "kernel/kernel_module.h"
#include "testing/manual_clock.h"
#include "testing/model_journal.h"

namespace perdure::testing {

/// Runs work on the test's thread when asked; with real threads at once, on the caller's.
class ManualExecutor final : public Executor {
public:
    explicit ManualExecutor(bool immediate) : immediate_(immediate) {}
    void submit(std::function<void()> work) override;
    /// Runs what waits; false if nothing did.
    bool run_all();

private:
    const bool immediate_;
    std::mutex mutex_;
    std::deque<std::function<void()>> queue_;
};

/// Prints with the number each waits for. Thread: any.
class RecordedTerminal final : public kernel::Terminal {
public:
    struct Line {
        kernel::Print print;
        SequenceNumber seen;
    };
    void print(kernel::Print print, SequenceNumber seen) override;
    std::vector<Line> lines() const;
    /// Waits, at most a minute, until some line contains `part`; false if none came.
    bool wait_for(std::string_view part) const;

    /// Called with each print, on the thread that prints: a guest that prints can be given virtual
    /// time for what it does. Set before anything runs.
    std::function<void(const kernel::Print&)> at_print;

private:
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<Line> lines_;
};

class KernelWorld {
public:
    struct Options {
        std::uint32_t workers = 1;
        kernel::Kernel::Threads threads = kernel::Kernel::Threads::Stepped;
        kernel::KernelLimits limits;
        std::uint64_t seed = 1;
        std::uint32_t processes_max = 10'000;
        std::vector<kernel::RuntimeModule*> modules =
            {};  ///< Beside the kernel's own; outlive the world.
        /// More of them, for those that need the kernel: made anew at each boot.
        std::function<std::vector<std::unique_ptr<kernel::RuntimeModule>>(KernelWorld&)>
            make_modules = {};
        std::optional<engine::CodeCache> cache =
            {};  ///< Where compiled components are kept between worlds.
    };
    KernelWorld() : KernelWorld(Options{}) {}
    explicit KernelWorld(Options options);
    ~KernelWorld();

    static constexpr const char* kNode = "n.os";

    struct Guest {
        OnExit on_exit = OnExit::none();
        bool is_public = false;
        std::vector<Capability> capabilities = {};
        std::optional<std::uint32_t> wit_version = {};
        std::uint32_t standard = KWE_STANDARD_HYPERWARE_1_0;
    };

    /// Registers `script` under a name of its own, initialises process `id` with it and runs it.
    /// CHECKs success.
    void start(std::string_view id, engine::mock::ScriptFunction script) {
        start(id, std::move(script), Guest{});
    }
    void start(std::string_view id, engine::mock::ScriptFunction script, Guest guest);
    void initialise(std::string_view id, engine::mock::ScriptFunction script, Guest guest);
    /// The same with the bytes of a component. Errors of `initialise_component`: as the engine's
    /// `load` has them.
    void start_component(std::string_view id, const std::string& wasm, Guest guest);
    Result<void> initialise_component(std::string_view id, const std::string& wasm, Guest guest);
    void run(std::string_view id);
    /// Gives each of the two the other's `messaging`.
    void connect(std::string_view left, std::string_view right);
    void grant_messaging(std::string_view holder, std::string_view target);
    /// Kills and settles; whether there was such a process.
    bool kill(std::string_view id);

    /// Stepped only: works until nothing is left to do at this moment.
    void settle();
    /// Stepped only: at most this many rounds, for guests that never come to rest.
    void step(int rounds);
    /// Stepped only: moves the clock on, deadline by deadline, settling at each.
    void advance(Nanoseconds by);
    /// Stepped only: the same for guests that compute and may never come to rest. The clock goes on
    /// by a millisecond each time the kernel has looked at it, with a tick for the guest that runs.
    void compute(Nanoseconds by);
    /// Stepped only: from now on the clock goes on by this much before each look at it, the
    /// kernel's or a guest's, with a tick at every whole millisecond. All of it on the test's
    /// thread, so the same looks see the same ticks. Zero: it stands still again.
    void let_looks_take(Nanoseconds each);
    /// Ticks that running guests see, one each millisecond of virtual time.
    void tick() { kernel_->tick(); }

    /// Ends the kernel (gracefully) and boots a new one on the same journal. Scripts stay
    /// registered.
    void reboot();
    /// As a hard kill of the node: nothing is told or appended, what was not durable is gone.
    void crash_and_boot();
    /// From now on boot does not find the code of `id`, or finds it again.
    void lose_code(std::string_view id);
    void restore_code();

    kernel::Kernel& kernel() { return *kernel_; }
    ModelJournal& journal() { return journal_; }
    ManualClock& clock() { return clock_; }
    RecordedTerminal& terminal() { return terminal_; }
    engine::WasmEngine& engine() { return *engine_; }
    ManualExecutor& executor() { return executor_; }

    /// Texts of all prints so far, in order; those of level `level` at most.
    std::vector<std::string> prints(std::uint8_t level = 255) const;
    /// The same of one source; a guest's without the prefix of its package.
    std::vector<std::string> prints_of(std::string_view id, std::uint8_t level = 255) const;
    /// What the print that contains `part` waits for; CHECKs that there is one.
    SequenceNumber number_of(std::string_view part) const;
    /// Lines of the node's log.
    std::vector<std::string> log_lines() const;
    std::optional<kernel::ProcessStatus> status(std::string_view id);
    /// The address of a local process as scripts name it.
    static engine::mock::Address address(std::string_view id);
    static Address full_address(std::string_view id);

private:
    class Code;
    class Lines;
    class WatchedClock;

    void enter(std::string_view id, const std::string& handle, const std::string& wasm,
               Guest guest);
    void build();
    void tear_down();
    bool step_once();

    const Options options_;
    ManualClock clock_;
    ManualExecutor executor_;
    ModelJournal journal_;
    RecordedTerminal terminal_;
    std::unique_ptr<Lines> log_;
    std::unique_ptr<Code> code_;
    std::vector<std::shared_ptr<void>>
        scripts_;  ///< Of a type that only programs with the mock engine have.
    std::unique_ptr<WatchedClock> watched_clock_;
    std::unique_ptr<Clock> system_clock_;
    std::unique_ptr<engine::WasmEngine> engine_;
    std::unique_ptr<kernel::Kernel> kernel_;
    std::unique_ptr<kernel::KernelModule> kernel_module_;
    std::vector<std::unique_ptr<kernel::RuntimeModule>> made_modules_;
    std::uint64_t next_seed_;
    std::uint64_t next_script_ = 0;
    bool shut_down_asked_ = false;
};

}  // namespace perdure::testing
