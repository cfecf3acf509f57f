#pragma once

/// The recorded workload of the crash suite: twenty processes append, read, tell each other and let
/// outputs out, while the disk runs full, syncs fail and the node restarts. A seed decides
/// everything.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "node_under_test.h"
#include "testing/seeded_random.h"
#include "testing/simulated_files.h"

namespace perdure::crash {

/// The contents after an entry; shared, since most keys stay.
struct HistoryItem {
    std::uint64_t number = 0;
    std::shared_ptr<const Contents> contents;
};

/// What was known just before one operation of the disk was carried out.
struct Moment {
    std::uint64_t highest_given = 0;  ///< Number given out last.
    std::uint64_t shown = 0;          ///< Highest number an output that left depends on.
    std::uint32_t kinds_pending = 0;  ///< Bit per EntryKind that is appended but not durable.
    bool full = false;
    bool sync_failed = false;
    bool recovering = false;
};

/// One disk from a start image until its power is cut.
struct Stretch {
    DiskImage start;
    std::vector<DiskOperation> operations;
    std::vector<Moment> moments;  ///< One per operation, and one behind the last.
    std::vector<HistoryItem>
        history;  ///< Entries that exist, of this stretch and before, in number order.
};

class Workload {
public:
    Workload(Backend backend, std::uint64_t seed, LogFaultsForTest faults);

    /// Runs until the next power cut.
    Stretch run(std::size_t actions);

    /// Outputs that left although their cause was gone after a restart of the workload itself.
    const std::vector<std::string>& losses() const { return losses_; }
    /// Over everything that happened, in order.
    std::uint64_t trace_hash() const { return trace_; }
    struct Counts {
        std::uint64_t entries = 0;
        std::uint64_t outputs = 0;
        std::uint64_t restarts = 0;
    };
    const Counts& counts() const { return counts_; }

private:
    void act(NodeUnderTest& node);
    void append(NodeUnderTest& node, std::size_t process);
    void output(NodeUnderTest& node, std::size_t process);
    Entry make_entry(std::size_t process, EntryKind kind);
    void remember(const Entry& entry, std::uint64_t number, EntryKind kind);
    bool start(NodeUnderTest& node);
    void after_start(NodeUnderTest& node);
    void mark_moments();
    Moment moment() const;
    void trace(std::string_view what, std::uint64_t value);

    const Backend backend_;
    const LogFaultsForTest faults_;
    SeededRandom random_;
    DiskImage image_;
    std::unique_ptr<SimulatedFiles> files_;
    std::vector<HistoryItem> history_;
    std::vector<std::pair<std::uint64_t, EntryKind>> pending_;  // given out, not durable
    std::array<Causality, 20> processes_;
    std::vector<Moment> moments_;
    std::uint64_t highest_given_ = 0;
    std::uint64_t shown_ = 0;
    std::uint64_t next_value_ = 0;
    std::uint64_t sync_failures_ = 0;  // of this stretch's disk that were dealt with
    bool full_ = false;
    bool sync_failed_ = false;
    bool recovering_ = false;
    std::vector<std::string> losses_;
    std::uint64_t trace_ = 0;
    Counts counts_;
};

}  // namespace perdure::crash
