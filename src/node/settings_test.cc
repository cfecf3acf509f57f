#include "node/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "node/settings_file.h"
#include "node/settings_table.h"

namespace perdure::node {
namespace {

using testing::HasSubstr;

struct SettingsTest : testing::Test {
    SettingsTest() {
        sources.home = "/h";
        sources.home_origin = "flag --home";
        sources.file_name = "perdure.yaml";
        sources.hardware_threads = 3;
    }
    Result<LoadedSettings> load() { return load_settings(sources); }
    Settings values() {
        auto loaded = load();
        EXPECT_TRUE(loaded) << loaded.error().message();
        return loaded ? loaded->values : Settings();
    }
    std::string error() {
        auto loaded = load();
        EXPECT_FALSE(loaded);
        if (loaded) {
            return "";
        }
        EXPECT_EQ(loaded.error().code(), ErrorCode::InvalidInput);
        return loaded.error().message();
    }
    std::string origin(std::string_view key) {
        const LoadedSettings loaded = load().value();
        for (const SettingRow& row : loaded.rows) {
            if (row.key == key) {
                return row.value + " " + row.origin;
            }
        }
        return "";
    }

    SettingSources sources;
};

TEST_F(SettingsTest, WithoutSourcesEverythingHasItsDefault) {
    const Settings settings = values();
    EXPECT_EQ(settings.home, "/h");
    EXPECT_EQ(settings.workers, 3u);
    EXPECT_EQ(settings.http_port, std::nullopt);
    EXPECT_EQ(settings.worker_port, 49134u);
    EXPECT_EQ(settings.durability, Durability::Power);
    EXPECT_EQ(settings.journal_bytes_max, 67'108'864u);
    EXPECT_EQ(settings.mailbox_messages_max, 100'000u);
    EXPECT_EQ(settings.reserve_bytes, 268'435'456u);
    EXPECT_EQ(origin("workers"), "3 default");
    EXPECT_EQ(origin("home"), "/h flag --home");
}

TEST_F(SettingsTest, EveryDefaultIsAValueThatTheTableTakes) {
    const Settings defaults;
    for (const SettingEntry& entry : setting_table()) {
        if (entry.key != "home") {
            Settings settings;
            EXPECT_TRUE(assign(entry, value_text(entry, defaults), settings)) << entry.key;
        }
    }
}

TEST_F(SettingsTest, EachKeyStandsOnceAndHasItsOwnVariable) {
    std::set<std::string> keys;
    std::set<std::string> variables;
    for (const SettingDescription& setting : describe_settings()) {
        EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
        EXPECT_TRUE(variables.insert(setting.variable).second) << setting.key;
        EXPECT_FALSE(setting.text.empty()) << setting.key;
    }
}

TEST_F(SettingsTest, LaterSourcesWin) {
    sources.file_text = "verbosity: 1\nhttp:\n  port: 8081\n";
    EXPECT_EQ(origin("verbosity"), "1 perdure.yaml:1");
    EXPECT_EQ(origin("http.port"), "8081 perdure.yaml:3");
    sources.environment["PERDURE_VERBOSITY"] = "2";
    EXPECT_EQ(origin("verbosity"), "2 environment PERDURE_VERBOSITY");
    sources.flags.push_back({"verbosity", "3", "--verbosity"});
    EXPECT_EQ(origin("verbosity"), "3 flag --verbosity");
    EXPECT_EQ(values().http_port, 8081u);
}

TEST_F(SettingsTest, AllKindsOfValuesAreRead) {
    sources.file_text =
        "node_name: my-node.os\nhttp: {port: auto}\nlog: {level: debug, enabled: false, files: "
        "2}\ndurability: memory\n";
    const Settings settings = values();
    EXPECT_EQ(settings.node_name, "my-node.os");
    EXPECT_EQ(settings.http_port, std::nullopt);
    EXPECT_EQ(settings.log_level, LogLevel::Debug);
    EXPECT_FALSE(settings.log_enabled);
    EXPECT_EQ(settings.durability, Durability::Memory);
}

TEST_F(SettingsTest, AnEmptyFileIsNoError) {
    for (const char* text : {"", "\n", "# only a comment\n", "---\n", "http:\n"}) {
        sources.file_text = text;
        EXPECT_EQ(values().workers, 3u) << text;
    }
}

TEST_F(SettingsTest, AnUnknownKeyNamesTheClosestKnownOne) {
    sources.file_text = "workers: 2\njurnal_bytes_max: 1\n";
    EXPECT_EQ(error(),
              "perdure.yaml: line 2: unknown setting \"jurnal_bytes_max\"; the closest known one "
              "is journal_bytes_max");
    sources.file_text = "http:\n  prt: 1\n";
    EXPECT_THAT(
        error(),
        HasSubstr("line 2: unknown setting \"http.prt\"; the closest known one is http.port"));
    sources.file_text = "something_else_entirely: {a: [1, {b: c}]}\n";
    EXPECT_THAT(error(), HasSubstr("unknown setting \"something_else_entirely\""));
}

// It was accepted and did nothing; a later version brings it.
TEST_F(SettingsTest, RestartBackoffIsNotKnown) {
    sources.file_text = "restart_backoff: true\n";
    EXPECT_THAT(error(), HasSubstr("line 1: unknown setting \"restart_backoff\""));
}

TEST_F(SettingsTest, ComponentsEndAtWhatTheEngineTakes) {
    sources.file_text = "component_bytes_max: 67108864\n";
    EXPECT_EQ(values().component_bytes_max, 67'108'864u);
    sources.file_text = "component_bytes_max: 67108865\n";
    EXPECT_THAT(error(), HasSubstr("expected an integer from 1024 to 67108864"));
}

TEST_F(SettingsTest, AnUnknownVariableNamesTheClosestKnownOne) {
    sources.environment["PERDURE_WORKER"] = "1";
    EXPECT_EQ(error(), "unknown variable PERDURE_WORKER; the closest known one is PERDURE_WORKERS");
}

TEST_F(SettingsTest, ForeignVariablesAreLeftAlone) {
    sources.environment = {{"PERDURE_HOME", "x"},
                           {"PERDURE_SHARE", "y"},
                           {"PERDURE_TEST_HOOK", "z"},
                           {"WORKERS", "no"}};
    EXPECT_EQ(values().workers, 3u);
}

TEST_F(SettingsTest, AnErrorNamesPlaceValueAndWhatWouldBeRight) {
    sources.file_text = "\nverbosity: 5\n";
    EXPECT_EQ(error(),
              "perdure.yaml: line 2: verbosity: expected an integer from 0 to 4, got \"5\"");
    sources.file_text.reset();
    sources.environment["PERDURE_LOG_LEVEL"] = "loud";
    EXPECT_EQ(error(),
              "PERDURE_LOG_LEVEL: expected one of trace, debug, info, warn, error, got \"loud\"");
    sources.environment.clear();
    sources.flags.push_back({"http.port", "65536", "--http-port"});
    EXPECT_EQ(error(), "--http-port: expected a port from 0 to 65535 or auto, got \"65536\"");
}

TEST_F(SettingsTest, IntegersAreTakenWithinTheirRangeOnly) {
    for (const SettingEntry& entry : setting_table()) {
        const auto* field = std::get_if<IntegerField>(&entry.field);
        if (!field) {
            continue;
        }
        Settings settings;
        EXPECT_TRUE(assign(entry, std::to_string(field->least), settings)) << entry.key;
        EXPECT_EQ(settings.*field->field, field->least);
        EXPECT_TRUE(assign(entry, std::to_string(field->most), settings)) << entry.key;
        EXPECT_FALSE(assign(entry, std::to_string(field->most + 1), settings)) << entry.key;
        if (field->least > 0) {
            EXPECT_FALSE(assign(entry, std::to_string(field->least - 1), settings)) << entry.key;
        }
        EXPECT_EQ(settings.*field->field, field->most)
            << "a refused value changes nothing: " << entry.key;
    }
}

TEST_F(SettingsTest, WrongTypesAreRefused) {
    for (const char* bad :
         {"", "-1", "+1", "1.5", "1e3", "0x10", " 1", "1 ", "many", "99999999999999999999"}) {
        sources.environment["PERDURE_WORKERS"] = bad;
        EXPECT_THAT(error(), HasSubstr("expected an integer")) << bad;
    }
    sources.environment.clear();
    for (const char* bad :
         {"workers: [1]", "workers: {a: 1}", "workers:", "workers: \"2\"", "log: {enabled: yes}",
          "log: {enabled: \"true\"}", "http: 80", "http: [1]", "durability: disk",
          "node_name: My_Node", "node_name: our", "home: /x", "- 1", "just text", "? [a]\n: b"}) {
        sources.file_text = bad;
        EXPECT_THAT(error(), HasSubstr("perdure.yaml: line 1: ")) << bad;
    }
}

TEST_F(SettingsTest, AKeyThatStandsTwiceIsRefused) {
    sources.file_text = "workers: 1\nworkers: 2\n";
    EXPECT_EQ(error(), "perdure.yaml: line 2: workers: stands twice");
}

TEST_F(SettingsTest, WhatIsNoYamlIsRefusedWithItsLine) {
    sources.file_text = "workers: 1\nverbosity: [1, \n";
    EXPECT_THAT(error(), HasSubstr("perdure.yaml: line "));
    sources.file_text = std::string(20'000, '[');
    EXPECT_THAT(error(), HasSubstr("perdure.yaml: "));
}

TEST_F(SettingsTest, LimitsThatContradictEachOtherAreNamedWithTheirOrigins) {
    sources.file_text = "journal_bytes_max: 8388608\n";
    EXPECT_EQ(error(),
              "journal_process_bytes_max 16777216 (default) is above journal_bytes_max 8388608 "
              "(perdure.yaml:1); lower the "
              "first or raise the second");
}

TEST_F(SettingsTest, PlaceholdersTakeVariablesAndDefaults) {
    sources.environment = {{"COUNT", "2"}, {"EMPTY", ""}};
    sources.file_text =
        "workers: ${COUNT}\nverbosity: ${LEVEL:3} # ${NOT_SET}\nnode_name: a${EMPTY:b}c\n";
    const Settings settings = values();
    EXPECT_EQ(settings.workers, 2u);
    EXPECT_EQ(settings.verbosity, 3u);
    EXPECT_EQ(settings.node_name, "ac");
}

TEST_F(SettingsTest, AllMissingPlaceholdersAreNamedAtOnce) {
    sources.file_text = "workers: ${ONE}\nverbosity: ${TWO}\nnode_name: ${ONE}\n";
    EXPECT_EQ(error(), "perdure.yaml: not set and without a default: ONE, TWO");
}

TEST(SettingsPlaceholders, TextWithoutThemIsUnchanged) {
    for (const char* text :
         {"", "a: b", "a: $b {c}", "a: ${", "a: b # ${X}", "a: '#' # ${X}", "a: \"x\"#\n"}) {
        EXPECT_EQ(expand_placeholders(text, {}).value(), text);
    }
    EXPECT_EQ(expand_placeholders("u: ${URL:redis://host:1}", {}).value(), "u: redis://host:1");
}

TEST(SettingsFile, AMissingFileIsNothingAndADirectoryAnError) {
    EXPECT_FALSE(read_settings_file("/nowhere/perdure.yaml").value());
    EXPECT_FALSE(read_settings_file("/proc/self/fd"));
}

/// docs/how-to/settings.md holds exactly this table between its two marks.
std::string table_text() {
    std::ostringstream out;
    out << "| Key | Type | Default | Range | Unit | Variable | Flag | Meaning "
           "|\n|---|---|---|---|---|---|---|---|\n";
    for (const SettingDescription& setting : describe_settings()) {
        const auto code = [](const std::string& text) {
            return text.empty() ? std::string() : "`" + text + "`";
        };
        std::string type = setting.type;
        for (std::size_t at = 0; (at = type.find('|', at)) != std::string::npos; at += 2) {
            type.replace(at, 1, "\\|");
        }
        out << "| `" << setting.key << "` | " << type << " | " << setting.default_value << " | "
            << setting.range << " | " << setting.unit << " | " << code(setting.variable) << " | "
            << code(setting.flag) << " | " << setting.text << " |\n";
    }
    return out.str();
}

TEST(SettingsPage, TheManualShowsTheTableAsItIs) {
    std::ifstream file(PERDURE_SOURCE_DIR "/docs/how-to/settings.md");
    std::stringstream page;
    page << file.rdbuf();
    EXPECT_TRUE(page.str().find(table_text()) != std::string::npos)
        << "docs/how-to/settings.md is out of date; put this table into it:\n"
        << table_text();
}

}  // namespace
}  // namespace perdure::node
