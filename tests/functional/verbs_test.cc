/// What the verbs do. That each of them is tried in each situation is checked by
/// verb_table_test.cc, which names tests of this file.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

constexpr const char* kEcho = "echo:talk:test.os";
constexpr const char* kScript = "script:talk:test.os";

using Words = std::vector<std::string>;

class Verbs : public testing::Test {
protected:
    Verbs()
        : package_(
              make_package(directory_.path(), "talk",
                           {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""},
                            {.name = "script", .fixture = "script", .on_exit = "\"Restart\""}})),
          node_({.home = directory_ / "home", .arguments = {package_}}) {
        EXPECT_TRUE(node_.wait_for_line("echo at "));
    }

    Words start() const { return {"start", package_}; }
    Ended perdure(const Words& words) const { return node_.command(words); }

    const TemporaryDirectory directory_;
    const std::string package_;
    NodeProcess node_;
};

TEST_F(Verbs, RunStartsANodeAndFollowsItsPackages) {
    const std::string package =
        make_package(directory_.path(), "second",
                     {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}});
    // There is no gateway yet: its flag is accepted, and the ready line promises none.
    NodeProcess second(
        {.home = directory_ / "second-home", .arguments = {"--worker-port", "0", package}});
    const auto ready = second.wait_for_line("ready http=127.0.0.1:");
    ASSERT_TRUE(ready) << second.errors();
    EXPECT_NE(ready->find(" home=" + (directory_ / "second-home")), std::string::npos) << *ready;
    EXPECT_EQ(ready->find("workers="), std::string::npos) << *ready;
    EXPECT_TRUE(second.wait_for_line("echo at perdure.os@echo:second:test.os"));
    EXPECT_EQ(second.end(), 0);
    EXPECT_EQ(std::filesystem::status(directory_ / "second-home").permissions(),
              std::filesystem::perms::owner_all);
}

TEST_F(Verbs, StartAndRemoveReplaceAndEndAPackage) {
    Ended ended = perdure(start());
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, "replaced talk:test.os: echo:talk:test.os script:talk:test.os\n");
    ended = perdure({"remove", "talk:test.os"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, "removed talk:test.os\n");
    EXPECT_FALSE(row_of(node_, kEcho));
    ended = perdure(start());
    EXPECT_EQ(ended.out, "started talk:test.os: echo:talk:test.os script:talk:test.os\n")
        << ended.err;
    EXPECT_TRUE(row_of(node_, kEcho));
}

TEST_F(Verbs, StartTakesTheCurrentDirectory) {
    const Ended ended = run_shell("cd " + package_ + " && perdure start --home " + node_.home());
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_TRUE(ended.out.starts_with("replaced talk:test.os")) << ended.out;
}

TEST_F(Verbs, PsShowsATableWithARowForEachProcess) {
    const Ended ended = perdure({"ps"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_TRUE(ended.out.starts_with("PROCESS")) << ended.out;
    for (const char* title : {"PHASE", "RESTARTS", "MESSAGES", "MAILBOX", "MEMORY", "CPU", "STATE",
                              "SEEN", "DURABLE"}) {
        EXPECT_NE(ended.out.find(title), std::string::npos) << title;
    }
    EXPECT_NE(ended.out.find(kEcho), std::string::npos);
    EXPECT_NE(ended.out.find(kScript), std::string::npos);
}

TEST_F(Verbs, LogsShowsTheNewestLinesOfOneOrAll) {
    run_script(node_, kScript, "print 0 first\nprint 0 second\nprint 1 for-debuggers");
    ASSERT_TRUE(node_.wait_for_line("second"));
    const Ended all = perdure({"logs"});
    EXPECT_EQ(all.status, 0) << all.err;
    EXPECT_NE(all.out.find("package_installed"), std::string::npos) << all.out;
    EXPECT_NE(all.out.find("echo at "), std::string::npos);
    const Ended one = perdure({"logs", "--lines", "1", kScript});
    EXPECT_NE(one.out.find("second"), std::string::npos) << one.out;
    EXPECT_EQ(one.out.find("first"), std::string::npos) << one.out;
    const Ended deeper = perdure({"logs", "--verbosity", "1", "--lines", "1", kScript});
    EXPECT_NE(deeper.out.find("for-debuggers"), std::string::npos) << deeper.out;
}

TEST_F(Verbs, LogsFollowsUntilTheNodeEnds) {
    RunningProgram follower({"logs", "-f", kScript, "--home", node_.home()});
    run_script(node_, kScript, "print 0 while-following");
    EXPECT_TRUE(follower.wait_for_line("while-following"));
    EXPECT_EQ(node_.end(), 0);
    EXPECT_EQ(follower.wait(), 0) << follower.errors();
}

TEST_F(Verbs, SendBringsBodyAndBlobThereAndBack) {
    EXPECT_EQ(perdure({"send", kEcho, "hello"}).out, "hello\n");
    EXPECT_EQ(perdure({"send", "our@echo:talk:test.os", "hello"}).out, "hello\n");
    EXPECT_EQ(perdure({"send", "perdure.os@echo:talk:test.os", "hello"}).out, "hello\n");
    const Ended from_stdin = run_shell(std::string("printf piped | perdure send ") + kEcho +
                                       " - --home " + node_.home());
    EXPECT_EQ(from_stdin.out, "piped\n") << from_stdin.err;
    write_file(directory_ / "blob", "attached");
    const Ended with_blob = perdure({"send", kEcho, "hello", "--blob", directory_ / "blob"});
    EXPECT_NE(with_blob.err.find("blob of 8 B"), std::string::npos) << with_blob.err;
    const Ended sent = perdure({"send", kEcho, "hello", "--no-wait"});
    EXPECT_EQ(sent.status, 0);
    EXPECT_EQ(sent.out + sent.err, "");
}

TEST_F(Verbs, SendSaysWhyThereIsNoAnswer) {
    expect_refusal(perdure({"send", kScript, "sleep 60000", "--timeout", "0"}), 1,
                   "timeout: script:talk:test.os has not answered in time");
    // The kernel has no answer to what is no command of its: that is told at once.
    expect_refusal(perdure({"send", "kernel:distro:sys", "\"nonsense\"", "--timeout", "100000000"}),
                   1,
                   "kernel:distro:sys: refused: kernel:distro:sys has no answer to this Request");
    expect_refusal(perdure({"send", "other.os@echo:talk:test.os", "hello"}), 1,
                   "node other.os cannot be reached");
    expect_refusal(perdure({"send", kEcho, "hello", "--blob", directory_ / "nowhere"}), 1,
                   "No such file");
}

TEST_F(Verbs, KillEndsAProcessForGood) {
    const Ended ended = perdure({"kill", kEcho});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, "killed echo:talk:test.os\n");
    EXPECT_FALSE(row_of(node_, kEcho));
    expect_refusal(perdure({"kill", kEcho}), 1, "there is no process echo:talk:test.os");
}

TEST_F(Verbs, SendTellsThatTheTargetEndedOrBeganAnew) {
    for (const auto& [verb, part] : std::vector<std::pair<std::string, std::string>>{
             {"restart", "timeout: script:talk:test.os was started anew before it answered"},
             {"kill", "timeout: script:talk:test.os ended before it answered"}}) {
        SCOPED_TRACE(verb);
        RunningProgram asking({"send", kScript, "print 0 asked-" + verb + "\nreceive", "--timeout",
                               "2", "--home", node_.home()});
        ASSERT_TRUE(node_.wait_for_line("asked-" + verb));
        EXPECT_EQ(perdure({verb, kScript}).status, 0);
        EXPECT_EQ(asking.wait(), 1);
        EXPECT_NE(asking.errors().find(part), std::string::npos) << asking.errors();
    }
}

TEST(Kill, SendsTheExitRequestsAndDoesNotRestart) {
    const TemporaryDirectory directory;
    const std::string package =
        make_package(directory.path(), "will",
                     {{.name = "heir", .fixture = "script", .on_exit = "\"Restart\""},
                      {.name = "owner",
                       .fixture = "script",
                       .on_exit = "\"Restart\"",
                       .request_capabilities = R"(["heir:will:test.os"])"}});
    NodeProcess node({.home = directory / "home", .arguments = {package}});
    ASSERT_TRUE(node.wait_for_line("ready "));
    ASSERT_TRUE(eventually([&] { return row_of(node, "owner:will:test.os").has_value(); }));
    EXPECT_EQ(run_script(node, "owner:will:test.os",
                         "queue our@heir:will:test.os body=print%200%20inherited\n"
                         "set-on-exit queued"),
              "2 done\n");
    const Ended killed = node.command({"kill", "owner:will:test.os"});
    EXPECT_EQ(killed.status, 0) << killed.err;
    EXPECT_TRUE(node.wait_for_line("inherited")) << node.errors();
    EXPECT_FALSE(row_of(node, "owner:will:test.os"));
}

TEST_F(Verbs, RestartBeginsAgainWithTheSavedState) {
    run_script(node_, kScript, "count-state");
    const Ended ended = perdure({"restart", kScript});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, "restarted script:talk:test.os\n");
    EXPECT_EQ(run_script(node_, kScript, "count-state"), "1 count-state 1\n1 done\n");
    EXPECT_EQ(number_of(*row_of(node_, kScript), "restarts"), 1u);
}

TEST_F(Verbs, ProcessStateIsShownExportedImportedAndCleared) {
    EXPECT_EQ(perdure({"process-state", "show", kScript}).out,
              "script:talk:test.os: no state saved\n");
    expect_refusal(perdure({"process-state", "export", kScript}), 1, "has no saved state");
    run_script(node_, kScript, "set-state abc%00");
    const std::string shown = perdure({"process-state", "show", kScript}).out;
    EXPECT_TRUE(shown.starts_with("script:talk:test.os: 4 bytes, sha256 ")) << shown;
    EXPECT_EQ(perdure({"process-state", "export", kScript}).out, std::string("abc\0", 4));
    const std::string file = directory_ / "state";
    EXPECT_EQ(perdure({"process-state", "export", kScript, file}).status, 0);
    EXPECT_EQ(read_whole_file(file), std::string("abc\0", 4));
    write_file(file, "imported");
    EXPECT_EQ(perdure({"process-state", "import", kScript, file}).out,
              "replaced the state of script:talk:test.os\n");
    EXPECT_EQ(run_script(node_, kScript, "get-state"), "1 get-state value=imported\n1 done\n");
    const Ended piped = run_shell(std::string("printf piped | perdure process-state import ") +
                                  kScript + " - --home " + node_.home());
    EXPECT_EQ(piped.status, 0) << piped.err;
    EXPECT_EQ(perdure({"process-state", "export", kScript}).out, "piped");
    EXPECT_EQ(perdure({"process-state", "clear", kScript}).out,
              "cleared the state of script:talk:test.os\n");
    EXPECT_EQ(run_script(node_, kScript, "get-state"), "1 get-state none\n1 done\n");
}

TEST_F(Verbs, StateOutlivesItsPackageAndCanBeReachedByName) {
    run_script(node_, kScript, "set-state kept");
    EXPECT_EQ(perdure({"remove", "talk:test.os"}).status, 0);
    EXPECT_EQ(perdure({"process-state", "export", kScript}).out, "kept");
    EXPECT_EQ(perdure({"process-state", "clear", kScript}).status, 0);
    expect_refusal(perdure({"process-state", "show", kScript}), 1,
                   "there is no process script:talk:test.os");
}

TEST_F(Verbs, ConfigShowTellsValuesAndWhereTheyCameFrom) {
    const Ended plain = perdure({"config", "show"});
    EXPECT_EQ(plain.status, 0) << plain.err;
    EXPECT_TRUE(plain.out.starts_with("SETTING")) << plain.out;
    EXPECT_EQ(plain.out.find("ORIGIN"), std::string::npos);
    const Ended origins = perdure({"config", "show", "--origin"});
    EXPECT_NE(origins.out.find("ORIGIN"), std::string::npos);
    EXPECT_NE(origins.out.find("flag --http-port"), std::string::npos) << origins.out;
}

TEST_F(Verbs, ConfigShowWithoutANodeShowsTheNextRun) {
    const std::string home = directory_ / "configured";
    std::filesystem::create_directories(home);
    write_file(home + "/perdure.yaml", "# mine\nverbosity: 2\n");
    const Ended ended =
        run_program({"config", "show", "--origin", "--home", home}, {{"PERDURE_WORKERS", "3"}});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_NE(ended.err.find("no node runs in " + home), std::string::npos) << ended.err;
    EXPECT_NE(ended.out.find(home + "/perdure.yaml:2"), std::string::npos) << ended.out;
    EXPECT_NE(ended.out.find("environment PERDURE_WORKERS"), std::string::npos) << ended.out;
}

TEST_F(Verbs, VersionShowsProgramAndNode) {
    const Ended ended = perdure({"version"});
    EXPECT_EQ(ended.status, 0);
    EXPECT_TRUE(ended.out.starts_with("perdure ")) << ended.out;
    EXPECT_NE(ended.out.find("node in " + node_.home()), std::string::npos) << ended.out;
    const Ended alone = run_program({"version", "--home", directory_ / "nobody"});
    EXPECT_EQ(alone.status, 0);
    EXPECT_EQ(alone.out.find("node in"), std::string::npos);
}

TEST_F(Verbs, DoctorWantsTheHomeAtRest) {
    expect_refusal(perdure({"doctor"}), 1, "perdure stop --home");
    EXPECT_EQ(node_.end(), 0);
    const Ended ended = run_program({"doctor", "--home", node_.home()});
    EXPECT_EQ(ended.status, 0) << ended.out;
    const Ended empty = run_program({"doctor", "--home", directory_ / "nobody"});
    EXPECT_EQ(empty.status, 0) << empty.err;
    EXPECT_NE(empty.out.find("does not exist yet"), std::string::npos) << empty.out;
    EXPECT_FALSE(std::filesystem::exists(directory_ / "nobody"));
}

TEST_F(Verbs, StopEndsTheNodeInOrder) {
    const Ended ended = perdure({"stop"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, "stopping the node in " + node_.home() + "\n");
    EXPECT_EQ(node_.wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(node_.home() + "/control.sock"));
}

TEST_F(Verbs, AnUnknownVerbOrFlagComesWithTheClosestOne) {
    expect_refusal(run_program({"strt"}), 2, "the closest one is `perdure start`");
    expect_refusal(run_program({"process-state", "shw", kEcho}), 2,
                   "the closest one is `perdure process-state show`");
    expect_refusal(run_program({"config", "shw"}), 2, "the closest one is `perdure config show`");
    expect_refusal(perdure({"logs", "--lnes", "3"}), 2, "the closest flag is --lines");
    expect_refusal(run_program({"version", "--jsn"}), 2, "the closest flag is --json");
    expect_refusal(run_program({"run", "--htp-port", "0"}), 2, "the closest flag is --http-port");
}

TEST_F(Verbs, LogsWithJsonIsOneValueALine) {
    run_script(node_, kScript, "print 0 two%0alines%1b[0m");
    ASSERT_TRUE(node_.wait_for_line("two"));
    const Ended ended = perdure({"logs", "--json", kScript});
    EXPECT_EQ(ended.status, 0) << ended.err;
    ASSERT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 1) << ended.out;
    const auto line = parse_json(ended.out);
    ASSERT_TRUE(line) << ended.out;
    EXPECT_EQ(text_of(*line, "source"), kScript);
    EXPECT_EQ(text_of(*line, "origin"), "print");
    EXPECT_NE(text_of(*line, "text").find("two\nlines\x1b[0m"), std::string::npos) << ended.out;
}

TEST_F(Verbs, TheHomeIsTheOneOfTheSpecification) {
    // With parents that do not exist yet: `run` makes them, for this user only.
    const std::string user = directory_ / "user";
    std::filesystem::create_directory(user);
    for (const auto& [environment, home] : std::vector<std::pair<Environment, std::string>>{
             {{{"HOME", user}}, user + "/.local/share/perdure"},
             {{{"HOME", user}, {"XDG_DATA_HOME", user + "/data"}}, user + "/data/perdure"},
             {{{"HOME", user},
               {"XDG_DATA_HOME", user + "/data"},
               {"PERDURE_HOME", user + "/deep/mine"}},
              user + "/deep/mine"}}) {
        RunningProgram node({"run", "--http-port", "0"}, environment);
        const auto ready = node.wait_for_line("ready ");
        ASSERT_TRUE(ready) << node.errors();
        EXPECT_TRUE(ready->ends_with("home=" + home)) << *ready;
        EXPECT_EQ(run_program({"stop"}, environment).status, 0);
        EXPECT_EQ(node.wait(), 0);
        const std::string parent = std::filesystem::path(home).parent_path();
        EXPECT_EQ(std::filesystem::status(parent).permissions(), std::filesystem::perms::owner_all)
            << parent;
    }
}

TEST_F(Verbs, APortInUseEndsWithStatus5BeforeAnyProcessRan) {
    const Json config = json_of(perdure({"config", "show", "--json"}));
    EXPECT_TRUE(config.find("settings"));
    const auto ready = node_.lines().front();
    const std::string after_host = ready.substr(ready.find("127.0.0.1:") + 10);
    const std::string port = after_host.substr(0, after_host.find(' '));
    const Ended ended =
        run_program({"run", "--home", directory_ / "second", "--http-port", port, package_});
    EXPECT_EQ(ended.status, 5) << ended.err;
    EXPECT_NE(ended.err.find("port in use"), std::string::npos) << ended.err;
    EXPECT_NE(ended.err.find(port), std::string::npos) << ended.err;
    EXPECT_EQ(ended.out, "");
}

}  // namespace
}  // namespace perdure::functional
