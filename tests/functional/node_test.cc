/// The program as a user meets it: starting, looking, sending, killing, starting again.

#include <gtest/gtest.h>

#include <filesystem>

#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

TEST(Node, CK95_ACounterCountsOnAcrossRestartsAndRuns) {
    const TemporaryDirectory directory;
    const std::string package =
        make_package(directory.path(), "counting",
                     {{.name = "counter", .fixture = "counter-cpp", .on_exit = "\"Restart\""}});
    {
        NodeProcess node({.home = directory / "home", .arguments = {package}});
        ASSERT_TRUE(node.wait_for_line("ready http=127.0.0.1:"));
        EXPECT_TRUE(node.wait_for_line("counting:test.os: init"));
        EXPECT_TRUE(node.wait_for_line("counting:test.os: no state found"));
        for (int number = 0; number < 5; ++number) {
            EXPECT_TRUE(node.wait_for_line("counting:test.os: counter: " + std::to_string(number)))
                << number;
        }
        EXPECT_EQ(node.end(), 0);
    }
    NodeProcess again({.home = directory / "home"});
    ASSERT_TRUE(again.wait_for_line("counting:test.os: init"));
    const auto line = again.wait_for_line("counting:test.os: ");
    ASSERT_TRUE(line);
    EXPECT_NE(line->find("counter: "), std::string::npos) << *line;
}

TEST(Node, AHomeIsHeldByOneNode) {
    const TemporaryDirectory directory;
    NodeProcess node({.home = directory / "home"});
    ASSERT_TRUE(node.wait_for_line("ready "));
    const Ended second = run_program({"run", "--home", directory / "home", "--http-port", "0"});
    EXPECT_EQ(second.status, 3);
    EXPECT_NE(second.err.find("home in use"), std::string::npos) << second.err;
}

TEST(Node, SendBringsTheAnswerOfAProcess) {
    const TemporaryDirectory directory;
    const std::string package = make_package(
        directory.path(), "talk", {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}});
    NodeProcess node({.home = directory / "home", .arguments = {package}});
    ASSERT_TRUE(node.wait_for_line("echo at "));
    const Ended answer = node.command({"send", "echo:talk:test.os", "hello", "--timeout", "10"});
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_NE(answer.out.find("hello"), std::string::npos) << answer.out;
    const Ended nobody = node.command({"send", "ecko:talk:test.os", "hello"});
    EXPECT_EQ(nobody.status, 1);
    EXPECT_NE(nobody.err.find("echo:talk:test.os"), std::string::npos) << nobody.err;
}

TEST(Node, CK97_AKilledProcessDoesNotComeBackAfterAReboot) {
    const TemporaryDirectory directory;
    const std::string package = make_package(
        directory.path(), "talk", {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}});
    {
        NodeProcess node({.home = directory / "home", .arguments = {package}});
        ASSERT_TRUE(node.wait_for_line("echo at "));
        EXPECT_EQ(node.command({"kill", "echo:talk:test.os"}).status, 0);
        node.kill_hard();
    }
    NodeProcess again({.home = directory / "home"});
    ASSERT_TRUE(again.wait_for_line("ready "));
    const Ended listed = again.command({"ps", "--json"});
    EXPECT_EQ(listed.status, 0);
    EXPECT_EQ(listed.out.find("echo:talk"), std::string::npos) << listed.out;
}

TEST(Node, AGuestThatComputesForEverLeavesOthersAlone) {
    const TemporaryDirectory directory;
    const std::string package =
        make_package(directory.path(), "mixed",
                     {{.name = "loop1", .fixture = "text-loop", .on_exit = "\"Restart\""},
                      {.name = "loop2", .fixture = "text-loop", .on_exit = "\"Restart\""},
                      {.name = "loop3", .fixture = "text-loop", .on_exit = "\"Restart\""},
                      {.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}});
    NodeProcess node({.home = directory / "home", .arguments = {package}});
    ASSERT_TRUE(node.wait_for_line("echo at "));
    const Ended answer =
        node.command({"send", "echo:mixed:test.os", "still here", "--timeout", "10"});
    EXPECT_EQ(answer.status, 0) << answer.err;
    for (const char* loop : {"loop1", "loop2", "loop3"}) {
        EXPECT_EQ(node.command({"kill", std::string(loop) + ":mixed:test.os"}).status, 0) << loop;
    }
    EXPECT_EQ(node.end(), 0);
}

TEST(Node, ACrashIsReportedWithItsTextAndOnExitIsHonoured) {
    const TemporaryDirectory directory;
    const std::string package =
        make_package(directory.path(), "bad",
                     {{.name = "panic", .fixture = "panic-rust", .on_exit = "\"None\""}});
    NodeProcess node({.home = directory / "home", .arguments = {package}});
    const auto report = node.wait_for_line("panic:bad:test.os ended with error:");
    ASSERT_TRUE(report);
    EXPECT_NE(report->find("\x1b[38;5;196m"), std::string::npos);
    EXPECT_TRUE(node.wait_for_line("panicked"));
    const Ended listed = node.command({"ps", "--json"});
    EXPECT_EQ(listed.out.find("panic:bad"), std::string::npos) << listed.out;
}

/// The contents of all files of code in `home`.
std::vector<std::string> stored_code(const std::string& home) {
    std::vector<std::string> code;
    for (const auto& file : std::filesystem::directory_iterator(home + "/code")) {
        code.push_back(read_whole_file(file.path()));
    }
    return code;
}

// Every version of a package that was ever installed stayed in the home.
TEST(Node, AStartRemovesCodeThatNoInstalledPackageNames) {
    const TemporaryDirectory directory;
    const std::string home = directory / "home";
    make_package(directory.path(), "talk",
                 {{.name = "echo", .fixture = "idle", .on_exit = "\"Restart\""}});
    {
        NodeProcess node({.home = home, .arguments = {directory / "talk"}});
        ASSERT_TRUE(node.wait_for_line("ready "));
        ASSERT_TRUE(eventually(
            [&] { return node.command({"ps"}).out.find("echo:talk") != std::string::npos; }));
        std::filesystem::remove_all(directory / "talk");
        make_package(directory.path(), "talk",
                     {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}});
        ASSERT_EQ(node.command({"start", directory / "talk"}).status, 0);
        EXPECT_EQ(stored_code(home).size(), 2u) << "the node still runs";
        node.kill_hard();
    }
    write_file(home + "/code/" + std::string(64, 'a') + ".wasm.new", "half");
    {
        // This log knows nothing of the records on disk.
        NodeProcess node({.home = home, .environment = {{"PERDURE_DURABILITY", "memory"}}});
        ASSERT_TRUE(node.wait_for_line("ready "));
        EXPECT_EQ(stored_code(home).size(), 3u);
        EXPECT_EQ(node.end(), 0);
    }
    // What cannot be removed is a warning, and the node starts.
    std::filesystem::create_directories(home + "/code/folder/full");
    {
        NodeProcess node({.home = home});
        ASSERT_TRUE(node.wait_for_line("echo at "));
        std::filesystem::remove_all(home + "/code/folder");
        EXPECT_EQ(stored_code(home), std::vector<std::string>{read_fixture("echo")});
        EXPECT_EQ(node.command({"send", "echo:talk:test.os", "hello", "--timeout", "10"}).status,
                  0);
        for (const char* line : {"unused_code_kept", "unused_code_removed files=2"}) {
            const auto logged = [&] {
                return read_whole_file(home + "/log/node.log").find(line) != std::string::npos;
            };
            EXPECT_TRUE(eventually(logged)) << line;
        }
        EXPECT_EQ(node.command({"remove", "talk:test.os"}).status, 0);
        EXPECT_EQ(node.end(), 0);
    }
    NodeProcess node({.home = home});
    ASSERT_TRUE(node.wait_for_line("ready "));
    EXPECT_TRUE(stored_code(home).empty());
}

TEST(Node, AComponentWithAnUnservedImportIsRefusedWithItsNameAndNothingIsInstalled) {
    const TemporaryDirectory directory;
    const std::string package = make_package(
        directory.path(), "strange", {{.name = "strange", .fixture = "text-missing-import"}});
    NodeProcess node({.home = directory / "home"});
    ASSERT_TRUE(node.wait_for_line("ready "));
    const Ended started = node.command({"start", package});
    EXPECT_EQ(started.status, 1);
    for (const char* name : {"appear", "vanish", "teleport"}) {
        EXPECT_NE(started.err.find(name), std::string::npos) << started.err;
    }
    const Ended listed = node.command({"ps", "--json"});
    EXPECT_EQ(listed.out.find("strange"), std::string::npos) << listed.out;
}

}  // namespace
}  // namespace perdure::functional
