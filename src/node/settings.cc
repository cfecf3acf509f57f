#include "node/settings.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "abi/quote.h"
#include "node/settings_file.h"
#include "node/settings_table.h"

namespace perdure::node {
namespace {

constexpr std::string_view kPrefix = "PERDURE_";

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
    const std::vector<std::string_view> views(known.begin(), known.end());
    const std::string_view closest = closest_word(word, views);
    return closest.empty() ? std::string() : "; the closest known one is " + std::string(closest);
}

Error unknown_key(std::string_view key) {
    std::vector<std::string> keys;
    for (const SettingEntry& entry : setting_table()) {
        keys.emplace_back(entry.key);
    }
    return Error(ErrorCode::InvalidInput,
                 "unknown setting " + quote(key) + did_you_mean(key, keys));
}

bool is_group(std::string_view path) {
    return std::ranges::any_of(setting_table(), [path](const SettingEntry& entry) {
        return entry.key.size() > path.size() && entry.key.starts_with(path) &&
               entry.key[path.size()] == '.';
    });
}

bool is_text(const SettingEntry& entry) {
    return !std::holds_alternative<IntegerField>(entry.field) &&
           !std::holds_alternative<PortField>(entry.field) &&
           !std::holds_alternative<BooleanField>(entry.field);
}

/// Settings under construction, with the place each value came from.
class Loader {
public:
    explicit Loader(const SettingSources& sources) : sources_(sources) {
        loaded_.values.home = sources.home;
        loaded_.values.workers = std::clamp<std::uint64_t>(sources.hardware_threads, 1, 1024);
        origins_["home"] = sources.home_origin;
    }

    Result<void> add_file() {
        if (!sources_.file_text) {
            return {};
        }
        ASSIGN_OR_RETURN(const std::string text,
                         expand_placeholders(*sources_.file_text, sources_.environment));
        ASSIGN_OR_RETURN(const auto settings, parse_settings_file(text, is_group));
        for (const FileSetting& setting : settings) {
            RETURN_IF_ERROR(
                add_from_file(setting).with_context("line " + std::to_string(setting.line)));
        }
        return {};
    }

    Result<void> add_environment() {
        for (const auto& [name, value] : sources_.environment) {
            if (!name.starts_with(kPrefix) || is_other_variable(name)) {
                continue;
            }
            const SettingEntry* entry = entry_of_variable(name);
            if (!entry) {
                return unknown_variable(name);
            }
            RETURN_IF_ERROR(assign(*entry, value, loaded_.values).with_context(name));
            origins_[std::string(entry->key)] = "environment " + name;
        }
        return {};
    }

    Result<void> add_flags() {
        for (const SettingFlag& flag : sources_.flags) {
            const SettingEntry* entry = find_setting(flag.key);
            if (!entry) {
                return unknown_key(flag.key);
            }
            RETURN_IF_ERROR(assign(*entry, flag.value, loaded_.values).with_context(flag.flag));
            origins_[flag.key] = "flag " + flag.flag;
        }
        return {};
    }

    /// Limits that only make sense together.
    Result<void> check_pairs() {
        RETURN_IF_ERROR(at_most("journal_process_bytes_max", "journal_bytes_max"));
        RETURN_IF_ERROR(at_most("entry_inline_bytes_max", "journal_process_bytes_max"));
        RETURN_IF_ERROR(at_most("entry_inline_bytes_max", "batch_bytes_max"));
        return at_most("print_bytes_max", "print_queue_bytes_max");
    }

    LoadedSettings finish() {
        for (const SettingEntry& entry : setting_table()) {
            const auto origin = origins_.find(std::string(entry.key));
            loaded_.rows.push_back(
                {.key = std::string(entry.key),
                 .value = value_text(entry, loaded_.values),
                 .origin = origin == origins_.end() ? "default" : origin->second});
        }
        return std::move(loaded_);
    }

private:
    static bool is_other_variable(std::string_view name) {
        return std::ranges::find(kOtherVariables, name) != std::end(kOtherVariables) ||
               name.starts_with(kTestVariablePrefix);
    }
    static const SettingEntry* entry_of_variable(std::string_view name) {
        for (const SettingEntry& entry : setting_table()) {
            if (variable_of(entry.key) == name) {
                return &entry;
            }
        }
        return nullptr;
    }
    static Error unknown_variable(std::string_view name) {
        std::vector<std::string> variables;
        for (const SettingEntry& entry : setting_table()) {
            variables.push_back(variable_of(entry.key));
        }
        return Error(ErrorCode::InvalidInput,
                     "unknown variable " + std::string(name) + did_you_mean(name, variables));
    }

    Result<void> add_from_file(const FileSetting& setting) {
        const SettingEntry* entry = find_setting(setting.key);
        if (!entry) {
            return unknown_key(setting.key);
        }
        if (setting.quoted && !is_text(*entry)) {
            return Error(ErrorCode::InvalidInput, setting.key + ": expected " +
                                                      expected_words(*entry) + ", got the text " +
                                                      quote(setting.value));
        }
        RETURN_IF_ERROR(assign(*entry, setting.value, loaded_.values).with_context(setting.key));
        origins_[setting.key] = sources_.file_name + ":" + std::to_string(setting.line);
        return {};
    }

    std::uint64_t integer(std::string_view key) const {
        return loaded_.values.*std::get<IntegerField>(find_setting(key)->field).field;
    }
    std::string with_origin(std::string_view key) const {
        const auto origin = origins_.find(std::string(key));
        return std::string(key) + " " + std::to_string(integer(key)) + " (" +
               (origin == origins_.end() ? "default" : origin->second) + ")";
    }
    Result<void> at_most(std::string_view smaller, std::string_view larger) const {
        if (integer(smaller) <= integer(larger)) {
            return {};
        }
        return Error(ErrorCode::InvalidInput, with_origin(smaller) + " is above " +
                                                  with_origin(larger) +
                                                  "; lower the first or raise the second");
    }

    const SettingSources& sources_;
    LoadedSettings loaded_;
    std::map<std::string, std::string> origins_;
};

}  // namespace

std::vector<SettingDescription> describe_settings() {
    const Settings defaults;
    std::vector<SettingDescription> descriptions;
    for (const SettingEntry& entry : setting_table()) {
        descriptions.push_back({.key = std::string(entry.key),
                                .type = type_name(entry),
                                .default_value = entry.default_words.empty()
                                                     ? value_text(entry, defaults)
                                                     : std::string(entry.default_words),
                                .range = range_text(entry),
                                .unit = std::string(entry.unit),
                                .variable = variable_of(entry.key),
                                .flag = std::string(entry.flag),
                                .text = std::string(entry.text)});
    }
    return descriptions;
}

Result<LoadedSettings> load_settings(const SettingSources& sources) {
    Loader loader(sources);
    RETURN_IF_ERROR(loader.add_file().with_context(sources.file_name));
    RETURN_IF_ERROR(loader.add_environment());
    RETURN_IF_ERROR(loader.add_flags());
    RETURN_IF_ERROR(loader.check_pairs());
    return loader.finish();
}

Result<std::optional<std::string>> read_settings_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return std::optional<std::string>();
        }
        return Error(ErrorCode::Io, path + ": " + std::strerror(errno));
    }
    std::string text(kSettingsFileBytesMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (file.bad()) {
        return Error(ErrorCode::Io, path + ": cannot be read; is it a file?");
    }
    if (text.size() > kSettingsFileBytesMax) {
        return Error(ErrorCode::Overloaded,
                     path + ": longer than " + std::to_string(kSettingsFileBytesMax) + " bytes");
    }
    return std::optional<std::string>(std::move(text));
}

}  // namespace perdure::node
