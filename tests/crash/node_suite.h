#pragma once

/// Crashes the recorded workload of a whole node at every operation of the disk (K-266, C-K-162):
/// what recovery finds is a prefix of the log, explains every output that had left, and the node
/// that boots on it brings everybody back.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "node_workload.h"

namespace perdure::crash {

struct NodeSuiteOptions {
    std::uint64_t seed = 1;
    std::size_t images = 500;  ///< Distinct images to recover.
    std::size_t per_kind_min =
        0;  ///< Goes on until each entry kind and fault has this many (bounded).
    LogFaultsForTest faults;
    bool stop_at_first_loss = false;
};

struct NodeSuiteReport {
    std::size_t points = 0;  ///< Pairs of an operation and a way to crash.
    std::size_t images = 0;  ///< Distinct disks among them, each recovered and booted.
    std::array<std::size_t, kEntryKindCount>
        by_kind{};  ///< Images with such an entry appended but not durable.
    std::size_t lost = 0;
    std::size_t torn = 0;
    std::size_t reordered = 0;
    std::size_t full = 0;
    std::size_t sync_failed = 0;
    std::size_t recovering = 0;
    NodeCounts workload;
    double seconds = 0;
    std::uint64_t trace_hash = 0;
    std::vector<std::string> losses;

    std::size_t least() const;
    std::string table() const;
};

NodeSuiteReport run_node_suite(const NodeSuiteOptions& options);

}  // namespace perdure::crash
