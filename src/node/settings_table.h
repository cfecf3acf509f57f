#pragma once

/// The one table of all settings. Private to the settings module.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "node/settings.h"

namespace perdure::node {

struct IntegerField {
    std::uint64_t Settings::* field;
    std::uint64_t least;
    std::uint64_t most;
};
/// A port, or `auto` for the first free one of a range.
struct PortField {
    std::optional<std::uint64_t> Settings::* field;
};
struct BooleanField {
    bool Settings::* field;
};
struct NodeNameField {
    std::string Settings::* field;
};
struct DurabilityField {
    Durability Settings::* field;
};
struct LogLevelField {
    LogLevel Settings::* field;
};
/// Decided before the settings are read: shown, never set.
struct HomeField {
    std::string Settings::* field;
};

struct SettingEntry {
    std::string_view key;
    std::variant<IntegerField, PortField, BooleanField, NodeNameField, DurabilityField,
                 LogLevelField, HomeField>
        field;
    std::string_view unit;
    std::string_view flag;
    std::string_view
        default_words;  ///< Instead of a value, where the default depends on the machine.
    std::string_view text;
};

std::span<const SettingEntry> setting_table();

/// Null if there is no such key.
const SettingEntry* find_setting(std::string_view key);

/// `PERDURE_HTTP_PORT` of `http.port`.
std::string variable_of(std::string_view key);

/// Puts the value written as `text` into `settings`. Errors: InvalidInput (`expected …, got …`).
Result<void> assign(const SettingEntry& entry, std::string_view text, Settings& settings);

/// The value as it would be written in the file.
std::string value_text(const SettingEntry& entry, const Settings& settings);

/// What the entry takes, in words: `an integer from 0 to 4`.
std::string expected_words(const SettingEntry& entry);

std::string type_name(const SettingEntry& entry);
std::string range_text(const SettingEntry& entry);

}  // namespace perdure::node
