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

#include "knowledge.h"
#include "node_under_test.h"
#include "testing/seeded_random.h"
#include "testing/simulated_files.h"
#include "workload.h"

namespace perdure::crash {

/// What was known just before one operation of the disk was carried out.
struct NodeMoment {
    std::shared_ptr<const Knowledge> shown;  ///< Everything that outputs which left depend on.
    std::uint32_t changes = 0;               ///< How many changes somebody had asked for.
    bool savers_shown = false;
    std::uint64_t highest_given = 0;
    std::uint32_t kinds_pending = 0;  ///< Bit per EntryKind that is appended but not durable.
    bool full = false;
    bool sync_failed = false;
    bool recovering = false;
};

struct NodeStretch {
    DiskImage start;
    std::vector<DiskOperation> operations;
    std::vector<NodeMoment> moments;  ///< One per operation, and one behind the last.
    std::vector<HistoryItem> history;
};

struct NodeCounts {
    std::uint64_t entries = 0;
    std::uint64_t prints = 0;
    std::uint64_t answers = 0;  ///< Of the command line.
    std::uint64_t messages = 0;
    std::uint64_t changes = 0;
    std::uint64_t starts = 0;

    NodeCounts& operator+=(const NodeCounts& other);
};

class NodeWorkload {
public:
    NodeWorkload(std::uint64_t seed, LogFaultsForTest faults);
    ~NodeWorkload();

    /// Runs until the next power cut.
    NodeStretch run(std::size_t actions);

    const std::vector<RegisterChange>& changes() const;
    /// What the workload itself found after its own restarts.
    std::vector<std::string> losses() const;
    std::uint64_t trace_hash() const;
    const NodeCounts& counts() const;

private:
    class Run;
    std::unique_ptr<Run> run_;
};

}  // namespace perdure::crash
