#pragma once

/// The whole node of the crash suite: the real composition of `node/` on a simulated disk and the
/// mock engine, stepped by hand, and the packages that its workload installs.

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/executor.h"
#include "base/log.h"
#include "kernel/kernel.h"
#include "node/node.h"
#include "storage/committer.h"
#include "storage/storage.h"
#include "testing/manual_clock.h"
#include "testing/seeded_random.h"
#include "testing/simulated_files.h"
#include "world.h"

namespace perdure::crash {

inline constexpr std::uint32_t kKernelWorkers = 2;
inline constexpr const char* kHome = "/home";
inline constexpr std::size_t kRoundsMax = 1'000'000;

/// The blocking pool, in the hands of whoever steps the node.
class HandExecutor final : public Executor {
public:
    void submit(std::function<void()> work) override {
        if (immediate) {
            work();
        } else if (!closed_) {
            queue_.push_back(std::move(work));
        }
    }
    /// The end: what waits is run, nothing more is taken.
    void stop() {
        run_all();
        closed_ = true;
    }
    bool run_one() {
        if (queue_.empty()) {
            return false;
        }
        const auto work = std::move(queue_.front());
        queue_.pop_front();
        work();
        return true;
    }
    void run_all() {
        while (run_one()) {
        }
    }
    bool immediate = false;  ///< While the node starts: boot waits for the pool.

private:
    std::deque<std::function<void()>> queue_;
    bool closed_ = false;
};

class NoLines final : public LogSink {
public:
    void write(LogLevel, std::string_view) override {}
};

/// One life of a node on a simulated disk.
class SteppedNode {
public:
    SteppedNode(SimulatedFiles& files, std::uint64_t seed) : files_(files), next_seed_(seed) {
        by_hand.stop_blocking = [this] { executor.stop(); };
        by_hand.step = [this] {
            for (std::uint32_t worker = 0; worker < kKernelWorkers; ++worker) {
                node_->kernel().worker(worker).step();
            }
            executor.run_one();
        };
        by_hand.after_failed_write = [](const Error&) { return false; };
        by_hand.tuning.automatic_compaction = false;
        by_hand.tuning.write_buffer_bytes = 8 << 20;
        by_hand.tuning.wal_extend_bytes = 2 << 10;  // often
    }
    ~SteppedNode() { crash(); }

    Result<void> start() {
        node::LoadedSettings settings;
        settings.values.home = kHome;
        settings.values.node_name = kNode;
        settings.values.log_enabled = false;
        settings.values.workers = kKernelWorkers;
        const LogLimits limits = small_limits();
        settings.values.journal_bytes_max = limits.journal_bytes_max;
        settings.values.journal_process_bytes_max = limits.journal_process_bytes_max;
        settings.values.entry_inline_bytes_max = limits.entry_inline_bytes_max;
        settings.values.batch_bytes_max = limits.batch_bytes_max;
        settings.values.reserve_bytes = limits.reserve_bytes;
        executor.immediate = true;
        auto started = node::Node::start(
            std::move(settings),
            {clock, files_, lines_, faults, [this](int, const std::string&) { ended = true; },
             [this] { return std::make_unique<SeededRandom>(next_seed_++); }, nullptr, &by_hand});
        executor.immediate = false;
        if (!started) {
            return std::move(started).error();
        }
        node_ = std::move(*started);
        return {};
    }
    /// Works until nothing is left to do at this moment; false if that never comes.
    bool settle() {
        for (std::size_t round = 0; round < kRoundsMax; ++round) {
            bool worked = executor.run_one();
            for (std::uint32_t worker = 0; worker < kKernelWorkers; ++worker) {
                worked =
                    node_->kernel().worker(worker).step() == kernel::Worker::Did::Work || worked;
            }
            worked = node_->storage().committer().step() == Committer::Step::Wrote || worked;
            if (!worked) {
                return true;
            }
        }
        return false;
    }
    void stop() { node_.reset(); }
    void crash() {
        if (node_ != nullptr) {
            node_->crash_for_test();
            node_.reset();
        }
    }
    node::Node& operator*() { return *node_; }
    node::Node* operator->() { return node_.get(); }

    node::NodeByHand by_hand{executor, {}, {}, {}, {}, {}, {}, {}};
    HandExecutor executor;
    ManualClock clock;
    LogFaultsForTest faults;
    bool ended = false;  ///< The node has asked for its own end.

private:
    SimulatedFiles& files_;
    NoLines lines_;
    std::uint64_t next_seed_;
    std::unique_ptr<node::Node> node_;
};

void put_savers_package(SimulatedFiles& files);
/// The version is the change that installs it. The folder to install from.
std::string put_visitor_package(SimulatedFiles& files, std::size_t index, std::uint32_t change);

/// Starts a whole node on the disk `files` and lets everybody come to rest. Says what did not come
/// back, if anything; `at_recovery` does so of the contents before anything runs.
std::optional<std::string> boot_and_look(
    SimulatedFiles& files,
    const std::function<std::optional<std::string>(Storage&, const Contents&)>& at_recovery);

}  // namespace perdure::crash
