/// Each column of `perdure ps` is driven to a known value.

#include <gtest/gtest.h>

#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

constexpr const char* kScript = "script:columns:test.os";

class Ps : public testing::Test {
protected:
    Ps()
        : node_({.home = directory_ / "home",
                 .arguments = {make_package(
                     directory_.path(), "columns",
                     {{.name = "script", .fixture = "script", .on_exit = "\"Restart\""},
                      {.name = "idle",
                       .fixture = "idle",
                       .on_exit = "\"Restart\"",
                       .is_public = true},
                      {.name = "loop", .fixture = "text-loop", .on_exit = "\"Restart\""}})}}) {
        EXPECT_TRUE(node_.wait_for_line("ready "));
        EXPECT_TRUE(
            eventually([&] { return listed_processes(node_).find(kScript) != std::string::npos; }));
    }

    std::uint64_t column(std::string_view process, std::string_view name) const {
        const auto row = row_of(node_, process);
        return row ? number_of(*row, name) : 0;
    }
    std::uint64_t column(std::string_view name) const { return column(kScript, name); }
    std::string phase(std::string_view process) const {
        const auto row = row_of(node_, process);
        return row ? text_of(*row, "phase") : "";
    }
    void tell(const std::string& program) const {
        const Ended sent = node_.command({"send", kScript, program, "--no-wait"});
        EXPECT_EQ(sent.status, 0) << sent.err;
    }

    const TemporaryDirectory directory_;
    NodeProcess node_;
};

TEST_F(Ps, PhaseTellsWhatAProcessDoes) {
    EXPECT_TRUE(eventually([&] { return phase("idle:columns:test.os") == "waiting-receive"; }));
    EXPECT_TRUE(eventually([&] { return phase("loop:columns:test.os") == "running"; }));
    tell("sleep 600000");
    EXPECT_TRUE(eventually([&] { return phase(kScript) == "waiting-sleep"; }));
    EXPECT_EQ(node_.command({"restart", kScript}).status, 0);
    tell("await our@idle:columns:test.os expect=600");
    EXPECT_TRUE(eventually([&] { return phase(kScript) == "waiting-await"; })) << phase(kScript);
}

TEST_F(Ps, RestartsCountsCrashesAndRestartsSinceTheNodeStarted) {
    EXPECT_EQ(column("restarts"), 0u);
    EXPECT_EQ(node_.command({"restart", kScript}).status, 0);
    EXPECT_EQ(column("restarts"), 1u);
    tell("trap");
    EXPECT_TRUE(eventually([&] { return column("restarts") == 2; }));
    NodeProcess::Options options{.home = node_.home()};
    EXPECT_EQ(node_.end(), 0);
    NodeProcess again(options);
    ASSERT_TRUE(again.wait_for_line("ready "));
    EXPECT_EQ(number_of(*row_of(again, kScript), "restarts"), 0u);
}

TEST_F(Ps, MailboxCountsWhatWaitsInMessagesAndBytes) {
    EXPECT_EQ(column("mailbox_messages"), 0u);
    EXPECT_EQ(column("mailbox_bytes"), 0u);
    tell("sleep 600000");
    ASSERT_TRUE(eventually([&] { return phase(kScript) == "waiting-sleep"; }));
    EXPECT_TRUE(eventually([&] { return column("mailbox_messages") == 0; }));
    tell(";" + std::string(99, 'x'));
    EXPECT_TRUE(eventually([&] { return column("mailbox_messages") == 1; }));
    const std::uint64_t one = column("mailbox_bytes");
    EXPECT_GE(one, 100u);
    tell(";" + std::string(1099, 'x'));
    EXPECT_TRUE(eventually([&] { return column("mailbox_messages") == 2; }));
    EXPECT_EQ(column("mailbox_bytes"), 2 * one + 1000);
    EXPECT_EQ(node_.command({"restart", kScript}).status, 0);
    EXPECT_TRUE(eventually(
        [&] { return column("mailbox_messages") == 0 && column("mailbox_bytes") == 0; }));
}

TEST_F(Ps, MemoryIsTheLinearMemoryOfTheInstance) {
    const std::string report = run_script(node_, kScript, "memory");
    ASSERT_TRUE(report.starts_with("1 memory ")) << report;
    EXPECT_TRUE(eventually([&] { return column("memory_bytes") == std::stoull(report.substr(9)); }))
        << report;
    const std::string more = run_script(node_, kScript, "allocate 10000000\nmemory");
    const std::uint64_t grown = std::stoull(more.substr(more.find("2 memory ") + 9));
    EXPECT_GE(grown, 10'000'000u);
    EXPECT_TRUE(eventually([&] { return column("memory_bytes") == grown; }));
    EXPECT_EQ(node_.command({"restart", kScript}).status, 0);
    EXPECT_TRUE(
        eventually([&] { return column("memory_bytes") == std::stoull(report.substr(9)); }));
}

TEST_F(Ps, CpuGrowsForAGuestThatComputesAndRestsForOneThatWaits) {
    ASSERT_TRUE(eventually([&] { return phase("idle:columns:test.os") == "waiting-receive"; }));
    const std::uint64_t resting = column("idle:columns:test.os", "cpu_ns");
    const std::uint64_t computing = column("loop:columns:test.os", "cpu_ns");
    EXPECT_TRUE(eventually(
        [&] { return column("loop:columns:test.os", "cpu_ns") > computing + 20'000'000; }));
    EXPECT_EQ(column("idle:columns:test.os", "cpu_ns"), resting);
    const std::uint64_t before = column("cpu_ns");
    // It shares its cores with `loop` and with whatever else the machine does.
    EXPECT_TRUE(eventually([&] {
        run_script(node_, kScript, "spin 50");
        return column("cpu_ns") >= before + 25'000'000;
    }));
}

TEST_F(Ps, StateIsTheSizeOfTheSavedState) {
    EXPECT_EQ(column("state_bytes"), 0u);
    run_script(node_, kScript, "set-state #1000");
    EXPECT_EQ(column("state_bytes"), 1000u);
    write_file(directory_ / "state", "seven b");
    EXPECT_EQ(node_.command({"process-state", "import", kScript, directory_ / "state"}).status, 0);
    EXPECT_EQ(column("state_bytes"), 7u);
    EXPECT_EQ(node_.command({"process-state", "clear", kScript}).status, 0);
    EXPECT_EQ(column("state_bytes"), 0u);
}

TEST_F(Ps, StateIsKnownAfterABootAlsoBeforeTheProcessAskedForIt) {
    run_script(node_, kScript, "set-state #1000");
    EXPECT_EQ(node_.end(), 0);
    NodeProcess again({.home = node_.home()});
    ASSERT_TRUE(again.wait_for_line("ready "));
    EXPECT_EQ(number_of(*row_of(again, kScript), "state_bytes"), 1000u);
}

TEST_F(Ps, SeenAndDurableGoUpWithEachChangeThatWasSaved) {
    run_script(node_, kScript, "set-state a");
    const std::uint64_t seen = column("seen");
    EXPECT_GT(seen, 0u);
    EXPECT_GE(column("durable"), seen);
    run_script(node_, kScript, "set-state b\nset-state c\nset-state d");
    EXPECT_EQ(column("seen"), seen + 3);
    EXPECT_GE(column("durable"), seen + 3);
    // Who saves nothing depends on nothing new.
    const std::uint64_t idle = column("idle:columns:test.os", "seen");
    EXPECT_LT(idle, seen);
    EXPECT_EQ(column("idle:columns:test.os", "durable"), column("durable"));
}

TEST_F(Ps, TheTableShowsTheSameInReadableUnits) {
    run_script(node_, kScript, "set-state #2048");
    const Ended ended = node_.command({"ps"});
    EXPECT_EQ(ended.status, 0);
    EXPECT_NE(ended.out.find("2.0 KiB"), std::string::npos) << ended.out;
    EXPECT_NE(ended.out.find("waiting-receive"), std::string::npos) << ended.out;
    EXPECT_EQ(ended.out.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace perdure::functional
