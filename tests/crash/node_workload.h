#pragma once

/// The workload of the crash suite over a whole node: the real composition of `node/` on the
/// simulated disk and the mock engine, stepped on one thread. Twenty processes save, send, ask,
/// print, hold capabilities, trap and return; packages come and go; the command line asks, kills,
/// imports and lists. A seed decides everything.
///
/// What it knows does not come from the log's numbers: each durable change that somebody asks for
/// has an id of its own and remembers everything in its causal past (K-265), messages carry what
/// their senders know, and so does every output.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "disk_workload.h"
#include "kernel/faults.h"
#include "knowledge.h"

namespace perdure::crash {

struct NodeMoment : DiskMoment {
    /// Everything that outputs which left depend on.
    std::shared_ptr<const Knowledge> shown = std::make_shared<const Knowledge>();
    std::uint32_t changes = 0;  ///< How many changes somebody had asked for.
    bool savers_shown = false;
};
using NodeStretch = StretchOf<NodeMoment>;

class NodeWorkload {
public:
    NodeWorkload(std::uint64_t seed, LogFaultsForTest faults,
                 kernel::KernelFaultsForTest kernel_faults);
    ~NodeWorkload();

    /// Runs until the next power cut.
    NodeStretch run(std::size_t actions);

    const std::vector<RegisterChange>& changes() const;
    /// What the workload itself found after its own restarts.
    std::vector<std::string> losses() const;
    std::uint64_t trace_hash() const;
    WorkloadCounts counts() const;

private:
    class Run;
    std::unique_ptr<Run> run_;
};

}  // namespace perdure::crash
