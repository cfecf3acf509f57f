#pragma once

/// Crashes a recorded workload at every operation of the disk and checks what recovery makes of it
/// (K-266): the store is a prefix of the log, explains every output that had left, and no number is
/// given twice.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "workload.h"

namespace perdure::crash {

struct SuiteOptions {
    Backend backend = Backend::Rocks;
    std::uint64_t seed = 1;
    std::size_t images = 500;  ///< Distinct images to recover.
    std::size_t per_kind_min =
        0;  ///< Goes on until each entry kind and fault has this many (bounded).
    LogFaultsForTest faults;
    bool stop_at_first_loss = false;
};

struct SuiteReport {
    std::size_t points = 0;  ///< Pairs of an operation and a way to crash.
    std::size_t images = 0;  ///< Distinct disks among them, each recovered.
    std::array<std::size_t, kEntryKindCount>
        by_kind{};  ///< Images with such an entry appended but not durable.
    std::size_t lost = 0;
    std::size_t torn = 0;
    std::size_t reordered = 0;
    std::size_t full = 0;
    std::size_t sync_failed = 0;
    std::size_t recovering = 0;
    std::size_t entries = 0;
    std::size_t outputs = 0;
    std::size_t restarts = 0;
    double seconds = 0;
    std::uint64_t trace_hash = 0;
    std::vector<std::string> losses;

    std::size_t least() const;
    std::string table() const;
};

SuiteReport run_suite(const SuiteOptions& options);

}  // namespace perdure::crash
