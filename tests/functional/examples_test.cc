/// The examples of every verb's `--help` are executed, as they stand in the one table of verbs.
/// Only /tmp is replaced by a directory of the test's own.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cli/verbs.h"
#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

using cli::Verb;

bool has_guest_tools() {
    return std::filesystem::exists("/usr/bin/clang") &&
           std::filesystem::exists("/usr/bin/wasm-ld") &&
           std::filesystem::exists("/usr/include/wasm32-wasi");
}

/// Beside the program in an installed tree; elsewhere where a build of the whole tree leaves it.
std::string find_componentize() {
    for (const std::string& folder :
         {std::string(PERDURE_BUILD_DIR), std::string(PERDURE_SOURCE_DIR) + "/build/release"}) {
        if (std::filesystem::exists(folder + "/perdure-componentize")) {
            return folder + "/perdure-componentize";
        }
    }
    return "";
}

/// A directory with samples/counter-cpp to stand in, and homes.
class Examples : public testing::TestWithParam<cli::VerbInfo> {
protected:
    Examples() { copy_counter_sample(directory_.path()); }

    Environment environment(const std::string& home) const {
        Environment variables{{"PERDURE_HOME", home}, {"PERDURE_SHARE", PERDURE_SOURCE_DIR}};
        if (const std::string componentize = find_componentize(); !componentize.empty()) {
            variables["PERDURE_COMPONENTIZE"] = componentize;
        }
        return variables;
    }
    std::string shell_line(std::string_view command) const {
        std::string line(command);
        for (std::size_t place = 0; (place = line.find(" /tmp/", place)) != std::string::npos;
             ++place) {
            line.replace(place + 1, 4, directory_.path());
        }
        return "cd " + directory_.path() + " && exec " + line;
    }

    /// `run` in the foreground ends by a signal; in the background by `stop`.
    void check_run(const cli::Example& example) {
        const bool detached = example.command.find("--detach") != std::string_view::npos;
        const std::string home = directory_ / (detached ? "demo" : "fresh");
        if (detached) {
            const Ended ended =
                run_shell(shell_line(example.command), environment(directory_ / "unused"));
            EXPECT_EQ(ended.status, 0) << ended.err;
            EXPECT_TRUE(ended.out.starts_with("ready http=")) << ended.out;
            EXPECT_EQ(run_program({"stop", "--home", home}).status, 0);
            EXPECT_TRUE(
                eventually([&] { return run_program({"doctor", "--home", home}).status == 0; }));
            return;
        }
        const auto node = RunningProgram::of_shell(shell_line(example.command), environment(home));
        EXPECT_TRUE(node->wait_for_line("ready http=127.0.0.1:")) << node->errors();
        if (example.command.find("samples/") != std::string_view::npos) {
            EXPECT_TRUE(node->wait_for_line("counter: "));
        }
        EXPECT_EQ(node->end(), 0) << node->errors();
    }

    void check_build(const cli::Example& example) {
        // The first example is run inside the package.
        const bool inside = example.command == "perdure build";
        const std::string folder = inside ? directory_ / "samples/counter-cpp" : directory_.path();
        std::filesystem::remove(directory_ / "samples/counter-cpp/pkg/counter.wasm");
        const Ended ended = run_shell("cd " + folder + " && exec " + std::string(example.command),
                                      environment(directory_ / "home"));
        if (!has_guest_tools()) {
            EXPECT_EQ(ended.status, 1);
            EXPECT_NE(ended.err.find("apt-get install"), std::string::npos) << ended.err;
            return;
        }
        if (find_componentize().empty()) {
            EXPECT_EQ(ended.status, 1);
            EXPECT_NE(ended.err.find("perdure-componentize"), std::string::npos) << ended.err;
            return;
        }
        EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_TRUE(std::filesystem::exists(directory_ / "samples/counter-cpp/pkg/counter.wasm"));
    }

    void check_with_node(const cli::VerbInfo& info, const cli::Example& example) {
        NodeProcess node(
            {.home = directory_ / "home", .arguments = {directory_ / "samples/counter-cpp"}});
        ASSERT_TRUE(node.wait_for_line("counter: ")) << node.errors();
        if (info.verb == Verb::StateImport) {
            write_file(directory_ / "counter.state", std::string("\x07\0\0\0\0\0\0\0", 8));
        }
        if (info.verb == Verb::Doctor) {
            EXPECT_EQ(node.end(), 0);
        }
        if (example.command.find(" -f") != std::string_view::npos) {
            const auto follower =
                RunningProgram::of_shell(shell_line(example.command), environment(node.home()));
            EXPECT_TRUE(follower->wait_for_line("counter: ")) << follower->errors();
            return;
        }
        const Ended ended = run_shell(shell_line(example.command), environment(node.home()));
        EXPECT_EQ(ended.status, 0) << ended.err << ended.out;
        check_effect(info.verb, example, ended, node);
    }

    void check_effect(Verb verb, const cli::Example& example, const Ended& ended,
                      NodeProcess& node) {
        switch (verb) {
            case Verb::Kill: EXPECT_FALSE(row_of(node, "counter:counter-cpp:perdure.os")); return;
            case Verb::Remove: EXPECT_FALSE(row_of(node, "counter:counter-cpp:perdure.os")); return;
            case Verb::StateExport: {
                const bool to_file = example.command.find("/tmp/") != std::string_view::npos;
                EXPECT_EQ(
                    (to_file ? read_whole_file(directory_ / "counter.state") : ended.out).size(),
                    8u);
                return;
            }
            case Verb::StateImport: EXPECT_TRUE(node.wait_for_line("counter: 7")); return;
            case Verb::StateClear: EXPECT_TRUE(node.wait_for_line("no state found")); return;
            case Verb::Restart: EXPECT_TRUE(node.wait_for_line("counter: ")); return;
            case Verb::Stop: EXPECT_EQ(node.wait(), 0); return;
            case Verb::Send:
                return;  // Answers are compared in verbs_test.cc; one of the examples does not wait
                         // for any.
            default: EXPECT_NE(ended.out, ""); return;
        }
    }

    const TemporaryDirectory directory_;
};

TEST_P(Examples, AreShownByHelpAndWork) {
    const cli::VerbInfo& info = GetParam();
    ASSERT_FALSE(info.examples.empty());
    const Ended help = run_shell("exec perdure " + std::string(info.name) + " --help");
    EXPECT_EQ(help.status, 0);
    for (const cli::Example& example : info.examples) {
        SCOPED_TRACE(example.command);
        EXPECT_NE(help.out.find(example.command), std::string::npos);
        std::filesystem::remove_all(directory_ / "home");
        switch (info.verb) {
            case Verb::Run: check_run(example); break;
            case Verb::Build: check_build(example); break;
            default: check_with_node(info, example);
        }
    }
}

std::string test_name(const testing::TestParamInfo<cli::VerbInfo>& info) {
    std::string name(info.param.name);
    std::erase_if(name, [](char letter) { return letter == ' ' || letter == '-'; });
    return name;
}

INSTANTIATE_TEST_SUITE_P(OfTheHelp, Examples,
                         testing::ValuesIn(cli::verb_table().begin(), cli::verb_table().end()),
                         test_name);

}  // namespace
}  // namespace perdure::functional
