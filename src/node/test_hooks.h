#pragma once

/// Deliberate faults for the suites that promise zero losses: each must report one when a hook is
/// set. Variables `PERDURE_TEST_…`; a node that runs with any of them says so at every start.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "base/files.h"
#include "base/log.h"
#include "storage/log.h"

namespace perdure::node {

struct TestHooks {
    std::chrono::milliseconds disk_delay{0};  ///< `PERDURE_TEST_DISK_DELAY_MS`: every append and
                                              ///< sync of a file takes so much longer once the node
                                              ///< is ready.
    std::string disk_file;    ///< `PERDURE_TEST_DISK_FILE`: says what the disk does from now on.
    LogFaultsForTest faults;  ///< `PERDURE_TEST_GATE_OPENS_EARLY=1`

    bool any() const {
        return disk_delay.count() != 0 || !disk_file.empty() || faults.gate_opens_early;
    }
};

TestHooks read_test_hooks();

/// `files` as `hooks` would have them: with `hooks.disk_delay` while `slow`, and as the text in
/// `hooks.disk_file` says, which a test may replace at any time (a missing file changes nothing):
///
///     text := (word "\n")*
///     word := "free-bytes=" N   so much space is free; with 0, appends fail for want of space
///           | "hold-syncs"      a sync waits while the word is there
///           | "fail-syncs"      a sync fails
///
/// Once a sync waits there is a file of that name and `.held`.
///
/// `files` and `slow` outlive the result.
std::unique_ptr<Files> with_test_hooks(Files& files, const TestHooks& hooks,
                                       const std::atomic<bool>& slow);

}  // namespace perdure::node
