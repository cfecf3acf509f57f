/// Every verb in five situations: it works, no node runs, the name is unknown, a program reads the
/// answer, the words are wrong. Each cell is tried here, or names the test of verbs_test.cc that
/// tries it, or says why there is nothing to try.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/verbs.h"
#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

constexpr const char* kEcho = "echo:talk:test.os";
constexpr const char* kWrong = "ecko:talk:test.os";
constexpr const char* kClosest = "the closest existing one is echo:talk:test.os";

using Words = std::vector<std::string>;

struct Try {
    Words words;
    int status = 0;
    /// In the answer; of a refusal in its one line; with --json the members of the value.
    std::vector<std::string> parts;
};
/// `tries`, or the name of a test, or a reason.
struct Cell {
    std::vector<Try> tries;
    std::string test;
    std::string reason;
};
Cell tried(Words words, std::vector<std::string> parts) {
    return {{{std::move(words), 0, std::move(parts)}}, {}, {}};
}
Cell refused(int status, const std::vector<std::pair<Words, std::string>>& tries) {
    Cell cell;
    for (const auto& [words, part] : tries) {
        cell.tries.push_back({words, status, {part}});
    }
    return cell;
}
Cell tested_by(std::string test) {
    return {{}, std::move(test), {}};
}
Cell not_applicable(std::string reason) {
    return {{}, {}, std::move(reason)};
}

struct Row {
    std::string_view verb;
    Cell works;
    Cell no_node;
    Cell unknown_name;
    Cell json;
    Cell usage;
};

class VerbTable : public testing::Test {
protected:
    VerbTable()
        : package_(make_package(directory_.path(), "talk",
                                {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}})) {}

    static Cell no_node(Words words) {
        return refused(1, {{std::move(words), "start one with `perdure run --home "}});
    }
    static Cell unknown(Words words) { return refused(1, {{std::move(words), kClosest}}); }
    static Cell no_json(Words words) { return refused(2, {{std::move(words), "--json"}}); }

    /// In an order in which all of them can be done by one node; the last one wants it at rest.
    std::vector<Row> rows() const {
        const std::string nowhere = directory_ / "nowhere";
        const Cell nameless = not_applicable("it takes no name");
        const Cell asks_no_node = not_applicable("it asks no node");
        return {
            {"run", tested_by("RunStartsANodeAndFollowsItsPackages"),
             not_applicable("it starts one"),
             refused(2, {{{"run", nowhere}, "nowhere: no such directory"}}),
             no_json({"run", "--json"}),
             refused(2, {{{"run", "--http-port", "many"}, "many"},
                         {{"run", "--http-port", "65536"}, "65536"},
                         {{"run", "--config", nowhere}, "no such file"}})},
            {"build", not_applicable("it needs compilers; functional_examples_test builds"),
             asks_no_node, refused(1, {{{"build", nowhere}, "nowhere"}}),
             no_json({"build", package_, "--json"}),
             refused(2, {{{"build", "a", "b"}, "build --help"}})},
            {"ps", tested_by("PsShowsATableWithARowForEachProcess"), no_node({"ps"}), nameless,
             tried({"ps"}, {"processes"}), refused(2, {{{"ps", "extra"}, "extra"}})},
            {"logs", tested_by("LogsShowsTheNewestLinesOfOneOrAll"), no_node({"logs"}),
             refused(1, {{{"logs", kWrong}, kClosest}, {{"logs", "-f", kWrong}, kClosest}}),
             tried({"logs", "--lines", "1", kEcho}, {"time", "origin", "source", "text"}),
             refused(2, {{{"logs", "--lines", "x"}, "--lines"},
                         {{"logs", "--verbosity", "256"}, "verbosity"},
                         {{"logs", "no-process"}, "MissingField"}})},
            {"send",
             tested_by("SendBringsBodyAndBlobThereAndBack"),
             no_node({"send", kEcho, "hello"}),
             refused(1, {{{"send", kWrong, "hello"}, kClosest},
                         {{"send", std::string("our@") + kWrong, "hello", "--no-wait"}, kClosest}}),
             {{{{"send", kEcho, "hello"}, 0, {"outcome", "body"}},
               {{"send", kEcho, "hello", "--no-wait"}, 0, {"outcome"}}},
              {},
              {}},
             refused(2, {{{"send", kEcho}, "BODY"},
                         {{"send", kEcho, "hello", "--timeout", "-1"}, "--timeout"},
                         {{"send", kEcho, "hello", "--timeout", "1", "--no-wait"}, "--timeout"}})},
            {"restart", tested_by("RestartBeginsAgainWithTheSavedState"),
             no_node({"restart", kEcho}), unknown({"restart", kWrong}),
             tried({"restart", kEcho}, {"process"}),
             refused(2, {{{"restart"}, "PROCESS"}, {{"restart", "a:b"}, "MissingField"}})},
            {"process-state import", tested_by("ProcessStateIsShownExportedImportedAndCleared"),
             no_node({"process-state", "import", kEcho, "/dev/null"}),
             unknown({"process-state", "import", kWrong, "/dev/null"}),
             tried({"process-state", "import", kEcho, "/dev/null"}, {"process"}),
             refused(2, {{{"process-state", "import", kEcho}, "FILE"}})},
            {"process-state show", tested_by("ProcessStateIsShownExportedImportedAndCleared"),
             no_node({"process-state", "show", kEcho}), unknown({"process-state", "show", kWrong}),
             tried({"process-state", "show", kEcho}, {"process", "present", "bytes", "sha256"}),
             refused(2, {{{"process-state"}, "process-state"},
                         {{"process-state", "show"}, "PROCESS"},
                         {{"process-state", "show", "A:b:c"}, "ProcessNameNotSafe"}})},
            {"process-state export", tested_by("ProcessStateIsShownExportedImportedAndCleared"),
             no_node({"process-state", "export", kEcho}),
             unknown({"process-state", "export", kWrong}),
             no_json({"process-state", "export", kEcho, "--json"}),
             refused(2, {{{"process-state", "export"}, "PROCESS"}})},
            {"process-state clear", tested_by("ProcessStateIsShownExportedImportedAndCleared"),
             no_node({"process-state", "clear", kEcho}),
             unknown({"process-state", "clear", kWrong}),
             tried({"process-state", "clear", kEcho}, {"process"}),
             refused(2, {{{"process-state", "clear"}, "PROCESS"}})},
            {"config show", tested_by("ConfigShowTellsValuesAndWhereTheyCameFrom"),
             tested_by("ConfigShowWithoutANodeShowsTheNextRun"), nameless,
             tried({"config", "show", "--origin"}, {"settings"}),
             refused(2, {{{"config"}, "config"}, {{"config", "show", "extra"}, "extra"}})},
            {"version", tested_by("VersionShowsProgramAndNode"),
             tested_by("VersionShowsProgramAndNode"), nameless,
             tried({"version"}, {"program", "node"}),
             refused(2, {{{"version", "extra"}, "extra"}})},
            {"completion", tried({"completion", "bash"}, {"complete -o default -F _perdure"}),
             asks_no_node, not_applicable("a shell is one of a list: see the wrong words"),
             no_json({"completion", "bash", "--json"}),
             refused(2, {{{"completion", "fish"}, "fish"}, {{"completion"}, "SHELL"}})},
            {"kill", tested_by("KillEndsAProcessForGood"), no_node({"kill", kEcho}),
             unknown({"kill", kWrong}), tried({"kill", kEcho}, {"process"}),
             refused(2, {{{"kill"}, "PROCESS"}, {{"kill", "no-process"}, "MissingField"}})},
            {"start", tested_by("StartAndRemoveReplaceAndEndAPackage"),
             no_node({"start", package_}),
             refused(1, {{{"start", nowhere}, "nowhere: no such directory"}}),
             tried({"start", package_}, {"package", "processes", "replaced"}),
             refused(2, {{{"start", "a", "b"}, "start --help"}})},
            {"remove", tested_by("StartAndRemoveReplaceAndEndAPackage"),
             no_node({"remove", "talk:test.os"}),
             refused(1, {{{"remove", "tlk:test.os"}, "the closest existing one is talk:test.os"}}),
             tried({"remove", "talk:test.os"}, {"package"}),
             refused(2, {{{"remove"}, "PACKAGE"}, {{"remove", "no-colon"}, "MissingField"}})},
            {"stop", tested_by("StopEndsTheNodeInOrder"), no_node({"stop"}), nameless,
             tried({"stop"}, {"stopping"}), refused(2, {{{"stop", "extra"}, "extra"}})},
            {"doctor", tested_by("DoctorWantsTheHomeAtRest"), tested_by("DoctorWantsTheHomeAtRest"),
             nameless, tried({"doctor"}, {"home", "healthy", "findings"}),
             refused(2, {{{"doctor", "extra"}, "extra"}})},
        };
    }

    Ended run_in(const std::string& home, Words words) const {
        words.insert(words.end(), {"--home", home});
        return run_program(words);
    }
    static std::string line_of(const Words& words) {
        std::string line;
        for (const std::string& word : words) {
            line += word + " ";
        }
        return line;
    }
    /// Tries what `cell` has to be tried in `home`.
    void expect_cell(const Cell& cell, const std::string& home) const {
        for (const Try& one : cell.tries) {
            SCOPED_TRACE(line_of(one.words));
            const Ended ended = run_in(home, one.words);
            for (const std::string& part : one.parts) {
                if (one.status != 0) {
                    expect_refusal(ended, one.status, part);
                } else {
                    EXPECT_EQ(ended.status, 0) << ended.err;
                    EXPECT_NE(ended.out.find(part), std::string::npos) << ended.out;
                }
            }
        }
    }

    const TemporaryDirectory directory_;
    const std::string package_;
    const std::string home_ = directory_ / "home";
};

TEST_F(VerbTable, HasARowForEachVerbAndEveryCellIsTriedOrExplained) {
    std::multiset<std::string_view> verbs;
    for (const Row& row : rows()) {
        SCOPED_TRACE(row.verb);
        verbs.insert(row.verb);
        for (const Cell* cell :
             {&row.works, &row.no_node, &row.unknown_name, &row.json, &row.usage}) {
            EXPECT_EQ((cell->tries.empty() ? 0 : 1) + (cell->test.empty() ? 0 : 1) +
                          (cell->reason.empty() ? 0 : 1),
                      1);
        }
        EXPECT_FALSE(row.usage.tries.empty());
        EXPECT_FALSE(row.json.tries.empty());
    }
    std::multiset<std::string_view> known;
    for (const cli::VerbInfo& info : cli::verb_table()) {
        known.insert(info.name);
    }
    EXPECT_EQ(verbs, known);
}

TEST_F(VerbTable, TheTestsItNamesExist) {
    std::set<std::string> tests;
    const auto& all = *testing::UnitTest::GetInstance();
    for (int suite = 0; suite < all.total_test_suite_count(); ++suite) {
        for (int test = 0; test < all.GetTestSuite(suite)->total_test_count(); ++test) {
            tests.insert(all.GetTestSuite(suite)->GetTestInfo(test)->name());
        }
    }
    for (const Row& row : rows()) {
        for (const Cell* cell : {&row.works, &row.no_node, &row.unknown_name}) {
            EXPECT_TRUE(cell->test.empty() || tests.contains(cell->test)) << cell->test;
        }
    }
}

TEST_F(VerbTable, WithoutANodeTheMessageSaysWhichCommandStartsOne) {
    for (const Row& row : rows()) {
        expect_cell(row.works, home_);
        expect_cell(row.no_node, home_);
    }
    EXPECT_FALSE(std::filesystem::exists(home_));
    EXPECT_NE(run_in(home_, {"ps"})
                  .err.find("no node runs in " + home_ + "; start one with `perdure run --home " +
                            home_ + "`"),
              std::string::npos);
}

TEST_F(VerbTable, AfterAHardKillTheSocketThatIsLeftMeansNoNode) {
    NodeProcess node({.home = home_, .arguments = {package_}});
    ASSERT_TRUE(node.wait_for_line("echo at "));
    node.kill_hard();
    for (const Row& row : rows()) {
        expect_cell(row.no_node, home_);
    }
}

TEST_F(VerbTable, AnUnknownNameComesWithTheClosestOneAndWrongWordsWithStatus2) {
    NodeProcess node({.home = home_, .arguments = {package_}});
    ASSERT_TRUE(node.wait_for_line("echo at "));
    for (const Row& row : rows()) {
        expect_cell(row.unknown_name, home_);
        expect_cell(row.usage, home_);
    }
    // A name that resembles nothing gets no advice.
    const Ended strange = run_in(home_, {"kill", "something-else:entirely:far.away"});
    expect_refusal(strange, 1, "there is no process something-else");
    EXPECT_EQ(strange.err.find("closest"), std::string::npos) << strange.err;
    expect_refusal(run_program({"ps", "--home", ""}), 2, "--home");
    EXPECT_EQ(number_of(*row_of(node, kEcho), "restarts"), 0u);
}

TEST_F(VerbTable, WithJsonEveryAnswerIsOneValueAndWhoHasNoneRefusesTheFlag) {
    NodeProcess node({.home = home_, .arguments = {package_}});
    ASSERT_TRUE(node.wait_for_line("echo at "));
    for (const Row& row : rows()) {
        SCOPED_TRACE(row.verb);
        if (row.verb == "doctor") {
            EXPECT_EQ(node.wait(), 0);
        }
        if (row.json.tries.front().status != 0) {
            expect_cell(row.json, home_);
            continue;
        }
        for (const auto& [typed, status, members] : row.json.tries) {
            Words words = typed;
            words.emplace_back("--json");
            const Json answer = json_of(run_in(home_, words));
            for (const std::string& member : members) {
                EXPECT_NE(answer.find(member), nullptr) << member << " in " << answer.to_text();
            }
        }
    }
    const Json examined = json_of(run_in(home_, {"doctor", "--json"}));
    EXPECT_EQ(text_of(examined, "home"), home_);
    EXPECT_EQ(examined.find("healthy")->as_bool(), true);
    const Json version = json_of(run_in(home_, {"version", "--json"}));
    EXPECT_TRUE(version.find("node") != nullptr && version.find("node")->is_null());
    const Json config = json_of(run_in(home_, {"config", "show", "--json"}));
    for (const Json& row : *config.find("settings")->as_array()) {
        EXPECT_NE(text_of(row, "key"), "");
        EXPECT_NE(text_of(row, "origin"), "");
    }
}

}  // namespace
}  // namespace perdure::functional
