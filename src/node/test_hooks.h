#pragma once

/// Deliberate faults for the suites that promise zero losses: each must report one when a hook is set.
/// Variables `PERDURE_TEST_…`; a node that runs with any of them says so at every start.

#include <atomic>
#include <chrono>
#include <memory>

#include "base/files.h"
#include "base/log.h"
#include "storage/log.h"

namespace perdure::node {

struct TestHooks {
    std::chrono::milliseconds disk_delay{0};  ///< `PERDURE_TEST_DISK_DELAY_MS`: every append and sync of a
                                              ///< file takes so much longer once the node is ready.
    LogFaultsForTest faults;                  ///< `PERDURE_TEST_GATE_OPENS_EARLY=1`

    bool any() const { return disk_delay.count() != 0 || faults.gate_opens_early; }

};

TestHooks read_test_hooks();

/// `files` with `delay` before each append and sync while `on`. Both outlive the result.
std::unique_ptr<Files> with_disk_delay(Files& files, std::chrono::milliseconds delay, const std::atomic<bool>& on);

}  // namespace perdure::node
