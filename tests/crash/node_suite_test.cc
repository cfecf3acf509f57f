/// The crash suite over a whole node (K-266, C-K-162): what recovery finds is a prefix of the log,
/// explains every output that had left, and the node that boots on it brings everybody back. And
/// the proof that it can fail.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "crash_expectations.h"
#include "node_workload.h"
#include "stepped_node.h"

namespace perdure::crash {
namespace {

constexpr std::size_t kActionsPerStretch = 1'500;
constexpr std::size_t kStretchesPerHome =
    6;  // then a new home: nothing is ever compacted here, so old ones open slowly
constexpr std::size_t kHomesMax = 60;

/// What was known of a disk when its power was cut.
struct Known {
    const NodeStretch& stretch;
    const NodeMoment& moment;
    const std::vector<RegisterChange>& changes;
};

std::optional<std::string> check(Storage& storage, const Contents& contents, const Known& known) {
    const NodeMoment& moment = known.moment;
    const std::uint64_t recovered = storage.recovered().last.value;
    const Contents& wanted =
        known.stretch.contents_up_to(std::min(recovered, moment.highest_given));
    if (const auto wrong = difference(contents, wanted, same_value)) {
        return fmt::format("the store is no prefix up to entry {}: {}", recovered, *wrong);
    }
    bool present = false;
    if (const auto wrong = savers_present(contents, present)) {
        return wrong;
    }
    if (!present && moment.savers_shown) {
        return "the installed savers are gone";
    }
    if (const auto wrong = held_of_the_gone(contents)) {
        return wrong;
    }
    if (const auto wrong =
            explain(observe(contents), known.changes, *moment.shown, moment.changes)) {
        return wrong;
    }
    if (storage.log().last().value < moment.highest_given) {
        return fmt::format("numbers go on at {}, {} was given out", storage.log().last().value,
                           moment.highest_given);
    }
    return {};
}

CrashReport run_suite(const CrashOptions& options) {
    CrashWalk walk(options);
    walk.report.recovery = "booted";
    // What boot cleans up is left by older versions only; the suite of the storage room has such
    // entries.
    walk.report.kind_never_made = EntryKind::Boot;
    for (std::size_t home = 0; home < kHomesMax && !walk.done(); ++home) {
        NodeWorkload workload(options.seed + (home << 32), options.faults, options.kernel_faults);
        for (std::size_t i = 0; i < kStretchesPerHome && !walk.done(); ++i) {
            const NodeStretch stretch = workload.run(kActionsPerStretch);
            walk.crash_everywhere(stretch, [&](SimulatedFiles& files, const NodeMoment& moment) {
                return boot_and_look(files, [&](Storage& storage, const Contents& contents) {
                    return check(storage, contents, {stretch, moment, workload.changes()});
                });
            });
        }
        walk.add(workload.losses());
        walk.add(workload.counts());
        walk.report.trace_hash ^= workload.trace_hash();
    }
    return walk.finish();
}

TEST(NodeCrashSuite, CK162_WhateverLeftTheNodeIsExplainedByWhatComesBack) {
    expect_no_losses(run_suite, 0);
}

TEST(NodeCrashSuite, TheSameSeedGivesTheSameRun) {
    expect_same_run_for_same_seed(run_suite);
}

TEST(NodeCrashSuite, FindsAnOpenGate) {
    expect_found(run_suite,
                 {.gate_opens_early = true, .sync_skipped = false, .order_broken = false});
}

TEST(NodeCrashSuite, FindsASkippedSync) {
    expect_found(run_suite,
                 {.gate_opens_early = false, .sync_skipped = true, .order_broken = false});
}

TEST(NodeCrashSuite, FindsBrokenOrder) {
    expect_found(run_suite,
                 {.gate_opens_early = false, .sync_skipped = false, .order_broken = true});
}

TEST(NodeCrashSuite, FindsASkippedRevocation) {
    expect_found(run_suite, {}, {.revocation_skipped = true, .outcome_twice = false});
}

TEST(NodeCrashSuite, FindsAnOutcomeDeliveredTwice) {
    expect_found(run_suite, {}, {.revocation_skipped = false, .outcome_twice = true});
}

}  // namespace
}  // namespace perdure::crash
