/// A disk that is full, and one that fails a sync, under the real program (K-247). The hook
/// PERDURE_TEST_DISK_FILE names a file that says what the disk does from now on
/// (src/node/test_hooks.h).

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <random>

#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"
#include "raw_client.h"

namespace perdure::functional {
namespace {

constexpr std::string_view kLoop = "loop:disk:test.os";
constexpr std::string_view kNoSpaceText = "the disk has less than reserve_bytes free";

std::string script(std::string_view name) {
    return std::string(name) + ":disk:test.os";
}

/// The last `… saved: N` of `lines`; 0 if there is none.
std::uint64_t last_saved(const std::vector<std::string>& lines) {
    constexpr std::string_view kMark = "saved: ";
    std::uint64_t last = 0;
    for (const std::string& line : lines) {
        if (const auto place = line.find(kMark); place != std::string::npos) {
            const char* digits = line.data() + place + kMark.size();
            std::from_chars(digits, line.data() + line.size(), last);
        }
    }
    return last;
}

/// A node with script processes `first` to `third`, `large`, `victim` and `reader`, each with the
/// saved state "before", and a process that saves and prints numbers for ever.
class Disk : public testing::Test {
protected:
    Disk() {
        std::vector<PackagedProcess> processes{
            {.name = "loop", .fixture = "set-state-loop", .on_exit = "\"Restart\""}};
        for (const char* name : {"first", "second", "third", "large", "victim", "reader"}) {
            processes.push_back({.name = name, .fixture = "script", .on_exit = "\"Restart\""});
        }
        package_ = make_package(directory_.path(), "disk", processes);
        start({package_});
        EXPECT_TRUE(node_->wait_for_line("saved: 2"));
        for (const char* name : {"first", "second", "third", "large", "victim", "reader"}) {
            EXPECT_EQ(run_script(*node_, script(name), "set-state before"), "1 done\n");
        }
    }

    void start(const std::vector<std::string>& packages) {
        node_.reset();
        node_ = std::make_unique<NodeProcess>(NodeProcess::Options{
            .home = directory_ / "home",
            .arguments = packages,
            .environment = {{"PERDURE_TEST_DISK_FILE", directory_ / "rules"}}});
        const auto ready = node_->wait_for_line("ready http=127.0.0.1:");
        ASSERT_TRUE(ready) << node_->errors();
        const char* digits = ready->data() + std::string_view("ready http=127.0.0.1:").size();
        std::from_chars(digits, ready->data() + ready->size(), port_);
        for (const char* name : {"first", "second", "third", "large", "reader"}) {
            ASSERT_TRUE(eventually([&] { return row_of(*node_, script(name)).has_value(); }));
        }
    }
    /// From now on the disk does so; in one step.
    void disk(std::string_view words) {
        write_file(directory_ / "rules.new", words);
        std::filesystem::rename(directory_ / "rules.new", directory_ / "rules");
    }
    void tell(std::string_view name, const std::string& program) const {
        const Ended sent =
            node_->command({"send", script(name), "report none\n" + program, "--no-wait"});
        EXPECT_EQ(sent.status, 0) << sent.err;
    }
    bool reaches(std::string_view name, std::string_view phase) const {
        return eventually([&] { return text_of(*row_of(*node_, script(name)), "phase") == phase; });
    }
    std::string get(std::string_view path) const {
        RawClient client = RawClient::to_port(port_);
        EXPECT_TRUE(client.write("GET " + std::string(path) +
                                 " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        return client.read_to_end();
    }
    bool is_ready() const { return get("/readyz").starts_with("HTTP/1.1 200 "); }
    bool has_shown(std::string_view text) const {
        for (const std::string& line : node_->lines()) {
            if (line.find(text) != std::string::npos) {
                return true;
            }
        }
        return false;
    }
    Ended import_state(std::string_view name, std::string_view bytes) const {
        write_file(directory_ / "import", bytes);
        return node_->command({"process-state", "import", script(name), directory_ / "import"});
    }
    std::string state_of(std::string_view name) const {
        const Ended exported = node_->command({"process-state", "export", script(name)});
        EXPECT_EQ(exported.status, 0) << exported.err;
        return exported.out;
    }

    /// What had been shown is there after a start; of the rest, all or nothing.
    void start_and_check_recovered(std::uint64_t shown) {
        start({});
        EXPECT_EQ(state_of("first"), "shown");
        const std::string second = state_of("second");
        EXPECT_TRUE(second == "before" || second == "unsynced") << second;
        const std::string reader = state_of("reader");
        EXPECT_TRUE(reader == "before" || reader == "imported") << reader;
        ASSERT_TRUE(node_->wait_for_line("saved: "));
        EXPECT_GT(last_saved(node_->lines()), shown);
        EXPECT_EQ(import_state("reader", "after").status, 0);
        EXPECT_EQ(state_of("reader"), "after");
    }

    const TemporaryDirectory directory_;
    std::string package_;
    std::unique_ptr<NodeProcess> node_;
    std::uint16_t port_ = 0;
};

TEST_F(Disk, CK147_WithoutSpaceSaversWaitCommandsAreRefusedAndNothingAcceptedIsLost) {
    EXPECT_TRUE(is_ready());
    // Accepted before the disk is full: what the sync under way holds, and entries behind it.
    disk("hold-syncs\n");
    tell("first", "set-state under-way\nprint 0 first-left\nsleep 600000");
    ASSERT_TRUE(reaches("first", "waiting-sleep"));
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(directory_ / "rules.held"); }));
    tell("second", "set-state accepted\nprint 0 second-left\nsleep 600000");
    ASSERT_TRUE(reaches("second", "waiting-sleep"));
    RunningProgram show({"process-state", "show", script("second"), "--home", node_->home()});

    // Not a byte is free: what was being synced leaves, what is behind it fails to be written.
    disk("free-bytes=0\n");
    ASSERT_TRUE(
        eventually([&] { return node_->errors().find("write_failed") != std::string::npos; }));
    ASSERT_TRUE(eventually([&] { return !is_ready(); }));
    EXPECT_TRUE(get("/readyz").starts_with("HTTP/1.1 503 "));
    EXPECT_NE(get("/readyz").find("\ndisk_full\n"), std::string::npos) << get("/readyz");
    EXPECT_TRUE(get("/healthz").starts_with("HTTP/1.1 200 "));
    EXPECT_NE(node_->errors().find("space_ran_out"), std::string::npos);
    tell("victim", "print 0 victim-saves\nset-state lost\nprint 0 victim-saved");
    tell("third", "set-state waited\nprint 0 third-saved\nsleep 600000");
    tell("large", "set-state #5000000\nprint 0 large-saved\nsleep 600000");
    for (const char* saver : {"victim", "third", "large"}) {
        EXPECT_TRUE(reaches(saver, "waiting-room")) << saver;
    }
    EXPECT_TRUE(std::filesystem::is_empty(node_->home() + "/db/large"))
        << "nothing is written beside the log either";
    expect_refusal(import_state("reader", "imported"), 1, kNoSpaceText);
    expect_refusal(import_state("reader", std::string(5 << 20, 'x')), 1, kNoSpaceText);
    EXPECT_FALSE(has_shown("second-left"));
    EXPECT_FALSE(has_shown("victim-saved"));
    EXPECT_FALSE(has_shown("third-saved"));
    EXPECT_FALSE(has_shown("large-saved"));
    EXPECT_FALSE(show.status_now());
    EXPECT_TRUE(show.lines().empty());

    // Some of the reserve is free: what was accepted is written, nothing new is taken.
    disk("free-bytes=1000000\n");
    ASSERT_TRUE(node_->wait_for_line("second-left")) << node_->errors();
    EXPECT_TRUE(has_shown("first-left"));
    EXPECT_EQ(show.wait(), 0) << show.errors();
    EXPECT_FALSE(is_ready());
    const std::string program = "get-state\nclock";
    EXPECT_TRUE(
        run_script(*node_, script("reader"), program).starts_with("1 get-state value=before"))
        << "who does not write goes on";
    EXPECT_TRUE(reaches("victim", "waiting-room"));
    EXPECT_EQ(node_->command({"kill", script("victim")}).status, 0);
    EXPECT_FALSE(row_of(*node_, script("victim")));
    EXPECT_TRUE(reaches("third", "waiting-room"));
    expect_refusal(import_state("reader", "imported"), 1, kNoSpaceText);
    expect_refusal(node_->command({"process-state", "clear", script("reader")}), 1, kNoSpaceText);
    expect_refusal(node_->command({"start", package_}), 1, kNoSpaceText);
    write_file(directory_ / "blob", "by message");
    const Ended by_message =
        node_->command({"send", "state:distro:sys", R"({"SetState":"reader:disk:test.os"})",
                        "--blob", directory_ / "blob"});
    EXPECT_NE(by_message.out.find(kNoSpaceText), std::string::npos)
        << by_message.out << by_message.err;
    EXPECT_EQ(state_of("reader"), "before");
    EXPECT_FALSE(has_shown("third-saved"));

    // Space returns: work goes on.
    disk("");
    EXPECT_TRUE(eventually([&] { return has_shown("third-saved") && has_shown("large-saved"); }));
    EXPECT_TRUE(node_->wait_for_line("saved: ")) << "the loop goes on as well";
    EXPECT_TRUE(eventually([&] { return is_ready(); }));
    EXPECT_NE(node_->errors().find("space_returned"), std::string::npos);
    EXPECT_EQ(import_state("reader", "imported").status, 0);
    EXPECT_FALSE(has_shown("victim-saved"));

    const std::uint64_t shown = last_saved(node_->lines());
    node_->kill_hard();
    start({});
    EXPECT_EQ(state_of("first"), "under-way");
    EXPECT_EQ(state_of("second"), "accepted");
    EXPECT_EQ(state_of("third"), "waited");
    EXPECT_EQ(state_of("large").size(), 5'000'000u);
    EXPECT_EQ(state_of("victim"), "before");
    EXPECT_EQ(state_of("reader"), "imported");
    ASSERT_TRUE(node_->wait_for_line("saved: "));
    EXPECT_GT(last_saved(node_->lines()), shown);
}

/// What everybody sees of a failed sync: status 74, one line with cause and cure.
void expect_failed_sync(NodeProcess& node) {
    EXPECT_EQ(node.wait(), 74) << node.errors();
    const std::string errors = node.errors();
    const auto line = errors.find("perdure: ");
    ASSERT_NE(line, std::string::npos) << errors;
    for (const char* part : {"sync failed (test hook)", "check the disk", "start again"}) {
        EXPECT_NE(errors.find(part, line), std::string::npos) << part << "\n" << errors;
    }
}

TEST_F(Disk, CK147_AFailedSyncEndsTheNodeShowsNothingMoreAndTheNextStartRecovers) {
    tell("first", "set-state shown\nprint 0 first-left\nsleep 600000");
    ASSERT_TRUE(node_->wait_for_line("first-left"));
    disk("hold-syncs\n");
    tell("second", "set-state unsynced\nprint 0 second-left\nsleep 600000");
    ASSERT_TRUE(reaches("second", "waiting-sleep"));
    RunningProgram show({"process-state", "show", script("second"), "--home", node_->home()});
    RunningProgram kill({"kill", script("victim"), "--home", node_->home()});
    write_file(directory_ / "import", "imported");
    RunningProgram import({"process-state", "import", script("reader"), directory_ / "import",
                           "--home", node_->home()});
    EXPECT_TRUE(is_ready()) << "health answers while the gate is shut";

    disk("fail-syncs\n");
    expect_failed_sync(*node_);
    EXPECT_FALSE(has_shown("second-left"));
    for (RunningProgram* command : {&show, &kill, &import}) {
        EXPECT_EQ(command->wait(), 1);
        EXPECT_TRUE(command->lines().empty());
        EXPECT_NE(command->errors(), "");
    }
    const std::uint64_t shown = last_saved(node_->lines());
    EXPECT_GT(shown, 0u);

    disk("");
    start_and_check_recovered(shown);
}

TEST_F(Disk, CK147_ASyncThatFailsWhileTheNodeStartsEndsItToo) {
    tell("first", "set-state shown\nprint 0 first-left\nsleep 600000");
    ASSERT_TRUE(node_->wait_for_line("first-left"));
    node_->kill_hard();
    const std::uint64_t shown = last_saved(node_->lines());
    disk("fail-syncs\n");
    for (int attempt = 0; attempt < 2; ++attempt) {
        NodeProcess failing({.home = directory_ / "home",
                             .environment = {{"PERDURE_TEST_DISK_FILE", directory_ / "rules"}}});
        expect_failed_sync(failing);
        EXPECT_TRUE(failing.lines().empty()) << failing.lines().front();
    }
    disk("");
    start_and_check_recovered(shown);
}

bool contains(const std::vector<std::string>& lines, std::string_view part) {
    return std::any_of(lines.begin(), lines.end(), [part](const std::string& line) {
        return line.find(part) != std::string::npos;
    });
}

/// When the node is killed hard, after the command `kill` was begun.
enum class CrashAt : std::uint8_t { SyncHeld, AnyMoment, AnyMomentToo, Answered };

TEST(KillUnderLoad, CK169_WheneverTheAnswerWasPrintedTheProcessIsGoneAndItsOutputsHadLeft) {
    constexpr int kRounds = 16;
    const TemporaryDirectory directory;
    const auto rules = [&](std::string_view words) {
        write_file(directory / "rules.new", words);
        std::filesystem::rename(directory / "rules.new", directory / "rules");
    };
    std::vector<PackagedProcess> processes;
    for (const char* name : {"load-1", "load-2"}) {
        processes.push_back({.name = name, .fixture = "set-state-loop", .on_exit = "\"Restart\""});
    }
    for (int round = 0; round < kRounds; ++round) {
        processes.push_back({.name = "victim-" + std::to_string(round),
                             .fixture = "script",
                             .on_exit = "\"Restart\""});
    }
    std::vector<std::string> packages{make_package(directory.path(), "disk", processes)};
    std::mt19937 random(5);
    const auto any_moment = [&] {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    };
    int answered = 0;
    std::vector<std::string> gone;
    for (int round = 0; round < kRounds; ++round) {
        SCOPED_TRACE(round);
        const std::string victim = script("victim-" + std::to_string(round));
        const std::string last_words = "last-words-" + std::to_string(round);
        const auto crash_at = static_cast<CrashAt>(round % 4);
        rules("");
        NodeProcess node({.home = directory / "home",
                          .arguments = packages,
                          .environment = {{"PERDURE_TEST_DISK_FILE", directory / "rules"}}});
        packages.clear();
        ASSERT_TRUE(node.wait_for_line("saved: ")) << node.errors();
        ASSERT_TRUE(eventually([&] { return row_of(node, victim).has_value(); }));
        for (const std::string& killed : gone) {
            EXPECT_FALSE(row_of(node, killed)) << killed;
        }
        rules("hold-syncs\n");
        const Ended told = node.command(
            {"send", victim, "report none\nset-state x\nprint 0 " + last_words + "\nsleep 600000",
             "--no-wait"});
        EXPECT_EQ(told.status, 0) << told.err;
        ASSERT_TRUE(
            eventually([&] { return text_of(*row_of(node, victim), "phase") == "waiting-sleep"; }));
        RunningProgram kill({"kill", victim, "--home", node.home()});
        if (crash_at == CrashAt::SyncHeld) {
            any_moment();
            node.kill_hard();
            EXPECT_EQ(kill.wait(), 1);
            EXPECT_FALSE(contains(node.lines(), last_words));
        } else {
            any_moment();
            rules("");
            if (crash_at == CrashAt::Answered) {
                EXPECT_EQ(kill.wait(), 0) << kill.errors();
            } else {
                any_moment();
            }
            node.kill_hard();
        }
        if (kill.wait() == 0) {
            ++answered;
            gone.push_back(victim);
            EXPECT_TRUE(contains(node.lines(), last_words));
        } else {
            EXPECT_TRUE(kill.lines().empty()) << kill.lines().front();
        }
    }
    EXPECT_GE(answered, kRounds / 4);
    EXPECT_LE(answered, kRounds - kRounds / 4);
    NodeProcess node({.home = directory / "home"});
    ASSERT_TRUE(node.wait_for_line("saved: "));
    for (const std::string& killed : gone) {
        EXPECT_FALSE(row_of(node, killed)) << killed;
    }
}

}  // namespace
}  // namespace perdure::functional
