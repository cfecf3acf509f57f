#pragma once

/// Deliberate faults for the suites that promise zero losses: each must report one when a hook is set.
/// Variables `PERDURE_TEST_…`; a node that runs with any of them says so at every start.

#include <chrono>
#include <memory>

#include "base/files.h"
#include "base/log.h"
#include "storage/log.h"

namespace perdure::node {

struct TestHooks {
    std::chrono::milliseconds disk_delay{0};  ///< `PERDURE_TEST_DISK_DELAY_MS`: every append and sync of a file takes so much longer.
    LogFaultsForTest faults;                  ///< `PERDURE_TEST_GATE_OPENS_EARLY=1`

    bool any() const { return disk_delay.count() != 0 || faults.gate_opens_early; }

};

TestHooks read_test_hooks();

/// `files` with `delay` before each append and sync. `files` outlives the result.
std::unique_ptr<Files> with_disk_delay(Files& files, std::chrono::milliseconds delay);

}  // namespace perdure::node
