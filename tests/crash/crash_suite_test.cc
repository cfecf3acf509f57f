/// The crash suite of K-266 (C-K-162, its storage part): the store is a prefix of the log, explains
/// every output that had left, and no number is given twice. And the proof that it can fail.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "crash_expectations.h"
#include "workload.h"

namespace perdure::crash {
namespace {

constexpr std::size_t kActionsPerStretch = 400;
constexpr std::size_t kStretchesMax = 400;
constexpr Backend kBackends[] = {Backend::Rocks, Backend::Model};

std::optional<std::string> check(NodeUnderTest& node, const Stretch& stretch,
                                 const Moment& moment) {
    if (const auto started = node.start(); !started) {
        return "the start was refused: " + started.error().message();
    }
    const std::uint64_t recovered = node.recovered().value;
    if (moment.shown > recovered) {
        return fmt::format("an output that had left depends on entry {}, the store ends with {}",
                           moment.shown, recovered);
    }
    const auto contents = node.contents();
    if (!contents) {
        return "a listing failed: " + contents.error().message();
    }
    const Contents& wanted = stretch.contents_up_to(std::min(recovered, moment.highest_given));
    if (const auto wrong = difference(*contents, wanted)) {
        return fmt::format("the store is no prefix up to entry {}: {}", recovered, *wrong);
    }
    const Appended next = node.log().append({EntryKind::Boot, {}}, kKernelOwner);
    if (!next || next.number.value <= moment.highest_given) {
        return fmt::format("number {} is given a second time", next.number.value);
    }
    node.crash();
    return {};
}

RunSuite suite_on(Backend backend) {
    return [backend](const CrashOptions& options) {
        CrashWalk walk(options);
        Workload workload(backend, options.seed, options.faults);
        for (std::size_t i = 0; i < kStretchesMax && !walk.done(); ++i) {
            const Stretch stretch = workload.run(kActionsPerStretch);
            walk.crash_everywhere(stretch, [&](SimulatedFiles& files, const Moment& moment) {
                const auto node =
                    make_node(backend, files, {{}, [](const Error&) { return false; }});
                return check(*node, stretch, moment);
            });
            walk.add(workload.take_losses());
        }
        walk.add(workload.counts());
        walk.report.trace_hash = workload.trace_hash();
        return walk.finish();
    };
}

TEST(CrashSuite, CK162_WhateverLeftIsExplainedByWhatSurvives) {
    expect_no_losses(suite_on(Backend::Rocks), 1);
}

TEST(CrashSuite, TheSameHoldsOverTheModelStore) {
    expect_no_losses(suite_on(Backend::Model), 1);
}

TEST(CrashSuite, TheSameSeedGivesTheSameRun) {
    for (const Backend backend : kBackends) {
        expect_same_run_for_same_seed(suite_on(backend));
    }
}

void expect_found_on_both(LogFaultsForTest faults) {
    for (const Backend backend : kBackends) {
        expect_found(suite_on(backend), faults);
    }
}

TEST(CrashSuiteDeathTest, ARecoveryThatEndsTheProgramIsNamed) {
    StretchOf<DiskMoment> stretch;
    stretch.moments.emplace_back();
    const auto ends = [&] {
        CrashWalk({}).crash_everywhere(stretch, [](SimulatedFiles&, const DiskMoment&) {
            std::abort();
            return std::optional<std::string>();
        });
    };
    EXPECT_DEATH(ends(), "before operation 0 .the end., .*: ended here");
}

TEST(CrashSuite, FindsAnOpenGate) {
    expect_found_on_both({.gate_opens_early = true, .sync_skipped = false, .order_broken = false});
}

TEST(CrashSuite, FindsASkippedSync) {
    expect_found_on_both({.gate_opens_early = false, .sync_skipped = true, .order_broken = false});
}

TEST(CrashSuite, FindsBrokenOrder) {
    expect_found_on_both({.gate_opens_early = false, .sync_skipped = false, .order_broken = true});
}

TEST(CrashSuite, BothStoresHoldTheSameAfterTheSameEntries) {
    // The same seed gives both the same actions as long as nothing depends on the disk; compare
    // what is left.
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        Contents contents[2];
        for (const Backend backend : kBackends) {
            SimulatedFiles files;
            auto node = make_node(backend, files, {{}, [](const Error&) { return false; }});
            ASSERT_TRUE(node->start());
            SeededRandom random(seed);
            for (int i = 0; i < 300; ++i) {
                const auto family = static_cast<Family>(1 + random.below(kFamilyCount - 1));
                const std::string key = "k" + std::to_string(random.below(40));
                std::optional<SharedBytes> value;
                if (!random.one_in(3)) {
                    value = SharedBytes(std::string(1 + random.below(500),
                                                    static_cast<char>('a' + random.below(26))));
                }
                ASSERT_TRUE(node->log().append(
                    {EntryKind::Module, {{family, SharedBytes(key), value}}}, kKernelOwner));
                if (random.one_in(10)) {
                    node->committer().step();
                }
                if (random.one_in(60)) {
                    node->flush();
                }
            }
            node->stop();
            auto again = make_node(backend, files, {{}, [](const Error&) { return false; }});
            ASSERT_TRUE(again->start());
            contents[static_cast<int>(backend)] = again->contents().value();
            again->crash();
        }
        EXPECT_EQ(contents[0], contents[1]);
        EXPECT_FALSE(contents[0].empty());
    }
}

}  // namespace
}  // namespace perdure::crash
