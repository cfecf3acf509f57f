#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace perdure::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool no_directory(const std::string&) {
    return false;
}

Invocation parse(std::vector<std::string> words) {
    const auto parsed = parse_arguments(std::move(words), no_directory);
    EXPECT_TRUE(parsed) << parsed.error().message();
    if (!parsed || !parsed->invocation) {
        ADD_FAILURE() << "no command";
        return {};
    }
    return *parsed->invocation;
}

std::string error(std::vector<std::string> words) {
    const auto parsed = parse_arguments(std::move(words), no_directory);
    if (parsed) {
        ADD_FAILURE() << "parsed";
        return "";
    }
    EXPECT_EQ(parsed.error().message().find('\n'), std::string::npos);
    return parsed.error().message();
}

std::string help(std::vector<std::string> words) {
    const auto parsed = parse_arguments(std::move(words), no_directory);
    EXPECT_TRUE(parsed && !parsed->invocation);
    return parsed ? parsed->help : "";
}

/// Words of a shell line; single quotes only, which is all the examples use.
std::vector<std::string> split(std::string_view line) {
    std::vector<std::string> words(1);
    bool quoted = false;
    for (const char letter : line) {
        if (letter == '\'') {
            quoted = !quoted;
        } else if (letter == ' ' && !quoted) {
            words.emplace_back();
        } else {
            words.back() += letter;
        }
    }
    return words;
}

TEST(Arguments, EveryExampleOfTheHelpParsesAsItsVerb) {
    for (const VerbInfo& info : verb_table()) {
        EXPECT_FALSE(info.examples.empty()) << info.name;
        for (const Example& example : info.examples) {
            auto words = split(example.command);
            ASSERT_EQ(words.front(), "perdure");
            words.erase(words.begin());
            EXPECT_EQ(parse(words).verb, info.verb) << example.command;
        }
    }
}

TEST(Arguments, EveryVerbShowsItsExamplesInItsHelp) {
    for (const VerbInfo& info : verb_table()) {
        auto words = split(info.name);
        words.emplace_back("--help");
        const std::string text = help(words);
        for (const Example& example : info.examples) {
            EXPECT_THAT(text, HasSubstr(std::string(example.command))) << info.name;
        }
        EXPECT_THAT(text, HasSubstr("--home"));
        EXPECT_THAT(text, HasSubstr("Usage: perdure " + std::string(info.name)));
    }
}

TEST(Arguments, TheHelpListsAllVerbs) {
    for (const auto& words : {std::vector<std::string>{}, {"--help"}, {"help"}}) {
        const std::string text = help(words);
        for (const std::string_view word : first_words()) {
            EXPECT_THAT(text, HasSubstr(std::string(word)));
        }
    }
    EXPECT_THAT(help({"help", "logs"}), HasSubstr("--follow"));
    EXPECT_THAT(help({"process-state", "--help"}), HasSubstr("export"));
}

TEST(Arguments, HomeAndJsonStandBeforeOrAfterTheVerb) {
    for (const auto& words : {std::vector<std::string>{"--home", "/h", "--json", "ps"},
                              {"ps", "--json", "--home=/h"},
                              {"--json", "ps", "--home", "/h"}}) {
        const Invocation invocation = parse(words);
        EXPECT_EQ(invocation.verb, Verb::Ps);
        EXPECT_EQ(invocation.home, "/h");
        EXPECT_EQ(invocation.format, OutputFormat::Json);
    }
    EXPECT_EQ(parse({"--home", "/h", "process-state", "show", "a:b:c"}).verb, Verb::StateShow);
}

// Four verbs took the flag and printed what they always print.
TEST(Arguments, JsonIsTakenOnlyWhereThereIsAValueToPrint) {
    for (const auto& words : {std::vector<std::string>{"run", "--json"},
                              {"--json", "build"},
                              {"completion", "bash", "--json"},
                              {"process-state", "export", "a:b:c", "--json"}}) {
        EXPECT_THAT(error(words), HasSubstr("--json"));
    }
    EXPECT_THAT(help({"help", "run"}), testing::Not(HasSubstr("--json")));
    EXPECT_THAT(help({"help", "ps"}), HasSubstr("--json"));
}

TEST(Arguments, RunTurnsItsFlagsIntoSettings) {
    const Invocation invocation =
        parse({"run", "--http-port", "0", "-v", "2", "--worker-port=5", "--log-level", "debug",
               "-l", "--detach", "--config", "c.yaml", "one", "two"});
    std::vector<std::string> flags;
    for (const auto& flag : invocation.setting_flags) {
        flags.push_back(flag.key + "=" + flag.value + " " + flag.flag);
    }
    EXPECT_THAT(flags, testing::UnorderedElementsAre(
                           "http.port=0 --http-port", "verbosity=2 --verbosity",
                           "gateway.port=5 --worker-port", "log.level=debug --log-level",
                           "log.enabled=false --logging-off"));
    EXPECT_EQ(invocation.detach, Switch::On);
    EXPECT_EQ(invocation.config_file, "c.yaml");
    EXPECT_THAT(invocation.package_dirs, ElementsAre("one", "two"));
}

TEST(Arguments, TheFormWithoutAVerbIsRun) {
    for (const auto& words : {std::vector<std::string>{"./home", "-p", "8081"},
                              {"/a/home", "--port", "8081"},
                              {"mynodedir", "-p", "8081"}}) {
        const Invocation invocation = parse(words);
        EXPECT_EQ(invocation.verb, Verb::Run);
        EXPECT_EQ(invocation.home, words.front());
        EXPECT_EQ(invocation.setting_flags.at(0).key, "http.port");
    }
    const auto near_a_verb =
        parse_arguments({"log"}, [](const std::string& word) { return word == "log"; });
    ASSERT_TRUE(near_a_verb);
    EXPECT_EQ(near_a_verb->invocation->home, "log");
}

TEST(Arguments, AMisspeltVerbNamesTheClosestOne) {
    EXPECT_EQ(error({"strat"}),
              "perdure: unknown verb \"strat\"; the closest one is `perdure start`");
    EXPECT_EQ(error({"process-state", "exprot", "a:b:c"}),
              "perdure: unknown verb \"process-state exprot\"; the closest one is `perdure "
              "process-state export`");
    EXPECT_THAT(error({"--home", "/h", "pss"}), HasSubstr("`perdure ps`"));
}

TEST(Arguments, AMisspeltFlagNamesTheClosestOne) {
    EXPECT_THAT(error({"logs", "--folow"}),
                HasSubstr("the closest flag is --follow (see `perdure logs --help`)"));
    EXPECT_THAT(error({"run", "--htp-port=1"}), HasSubstr("the closest flag is --http-port"));
    EXPECT_THAT(error({"config", "show", "--orign"}),
                HasSubstr("the closest flag is --origin (see `perdure config show --help`)"));
}

TEST(Arguments, EveryVerbHasItsUsageErrors) {
    const std::vector<std::vector<std::string>> bad = {
        {"remove"},
        {"kill"},
        {"restart"},
        {"send"},
        {"send", "a:b:c"},
        {"process-state"},
        {"process-state", "show"},
        {"process-state", "export"},
        {"process-state", "import", "a:b:c"},
        {"process-state", "clear"},
        {"config"},
        {"completion"},
        {"completion", "fish"},
        {"ps", "more"},
        {"stop", "more"},
        {"doctor", "more"},
        {"version", "more"},
        {"build", "a", "b"},
        {"start", "a", "b"},
        {"logs", "a:b:c", "d:e:f"},
        {"logs", "--lines", "x"},
        {"logs", "--verbosity", "256"},
        {"send", "a:b:c", "x", "--timeout", "-1"},
        {"send", "a:b:c", "x", "--timeout", "1", "--no-wait"},
        {"run", "--http-port"},
        {"ps", "--home"},
        {"--nothing"},
    };
    for (const auto& words : bad) {
        EXPECT_THAT(error(words), testing::StartsWith("perdure")) << words.front();
    }
}

TEST(Arguments, SendTakesBodyBlobAndTime) {
    const Invocation waits =
        parse({"send", "our@a:b:c", "{\"x\":[1]}", "--blob", "f", "--timeout", "3"});
    EXPECT_EQ(waits.name, "our@a:b:c");
    EXPECT_EQ(waits.body, "{\"x\":[1]}");
    EXPECT_EQ(waits.blob_file, "f");
    EXPECT_EQ(waits.timeout_seconds, 3u);
    EXPECT_EQ(parse({"send", "a:b:c", "x"}).timeout_seconds, 15u);
    EXPECT_EQ(parse({"send", "a:b:c", "x", "--no-wait"}).timeout_seconds, std::nullopt);
    EXPECT_EQ(parse({"send", "a:b:c", "-"}).body, "-");
    EXPECT_EQ(parse({"send", "a:b:c", ""}).body, "");
    EXPECT_EQ(parse({"send", "a:b:c", "[1,2]"}).body, "[1,2]");
    EXPECT_EQ(parse({"send", "a:b:c", "--", "--x"}).body, "--x");
}

TEST(Arguments, ABodyMayLookLikeAVerb) {
    EXPECT_EQ(parse({"send", "a:b:c", "ps"}).body, "ps");
    EXPECT_EQ(parse({"process-state", "export", "a:b:c", "clear"}).file, "clear");
}

TEST(Arguments, LogsTakesItsLimits) {
    const Invocation invocation = parse({"logs", "-f", "-v", "3", "-n", "7", "a:b:c"});
    EXPECT_EQ(invocation.follow, Switch::On);
    EXPECT_EQ(invocation.verbosity, 3u);
    EXPECT_EQ(invocation.lines_max, 7u);
    EXPECT_EQ(invocation.name, "a:b:c");
}

TEST(Arguments, TheVersionFlagIsTheVersionVerb) {
    EXPECT_EQ(parse({"--version"}).verb, Verb::Version);
}

TEST(Arguments, TheCompletionScriptKnowsVerbsAndFlags) {
    const std::string script = bash_completion();
    for (const std::string_view word : first_words()) {
        EXPECT_THAT(script, HasSubstr(std::string(word)));
    }
    EXPECT_THAT(script, HasSubstr("'process-state export'"));
    EXPECT_THAT(script, HasSubstr("--follow"));
    EXPECT_THAT(script, HasSubstr("complete -o default -F _perdure perdure"));
}

}  // namespace
}  // namespace perdure::cli
