#pragma once

/// Settings of a node: defaults, then the configuration file, then `PERDURE_…` variables, then
/// flags (M-DSK-7).
///
/// Each key stands once, in the table of settings_table.cc: name, type, default, range, unit and
/// description. The help, `docs/how-to/settings.md`, `config show` and the checks all come from it.
/// A key `a.b` is key `b` in mapping `a` of the file and `PERDURE_A_B` in the environment. Unknown
/// keys, wrong types and numbers out of range are errors that name key, place, the bad value and
/// what would be right.
///
/// Nothing here reads the process's environment: it is an argument. Only `read_settings_file`
/// touches a disk.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace perdure::node {

/// What an entry must survive before somebody outside may depend on it (K-256).
enum class Durability : std::uint8_t { Power, Process, Memory };
std::string_view to_string(Durability durability);

/// The checked values. Sizes are bytes; the defaults here are those of the table.
struct Settings {
    std::string home;                      ///< Absolute.
    std::string node_name = "perdure.os";  ///< `node_name`; characters of a node id (K-2).
    /// `http.port`: nothing = the first free one of 8080 to 8999; 0 = any free one.
    std::optional<std::uint64_t> http_port;
    std::uint64_t worker_port = 49134;    ///< `gateway.port`; 0 = any free one.
    LogLevel log_level = LogLevel::Info;  ///< `log.level`: of the node's own lines.
    bool log_enabled = true;              ///< `log.enabled`: whether the log file is written.
    std::uint64_t log_bytes_max =
        16'000'000;  ///< `log.bytes_max`: over all files of both logs together (M-TRM-6).
    std::uint64_t log_files = 4;  ///< `log.files`: of each log.
    std::uint64_t verbosity = 0;  ///< 0 to 4 (K-231).
    std::uint64_t workers = 1;    ///< Default: the machine's hardware threads.
    std::uint64_t blocking_threads = 4;
    std::uint64_t processes_max = 20'000;
    Durability durability = Durability::Power;
    std::uint64_t journal_bytes_max = 64u << 20;
    std::uint64_t journal_process_bytes_max = 16u << 20;
    std::uint64_t entry_inline_bytes_max = 4u << 20;
    std::uint64_t batch_bytes_max = 16u << 20;
    std::uint64_t reserve_bytes = 256u << 20;
    std::uint64_t mailbox_messages_max = 100'000;
    std::uint64_t mailbox_bytes_max = 64u << 20;
    std::uint64_t outstanding_max = 100'000;
    std::uint64_t process_memory_bytes_max = 1u << 30;
    std::uint64_t component_bytes_max = 64u << 20;
    std::uint64_t state_bytes_max = 1u << 30;
    std::uint64_t message_body_bytes_max = 1u << 30;
    std::uint64_t message_blob_bytes_max = 1u << 30;
    std::uint64_t timers_max = 100'000;
    std::uint64_t guest_clock_resolution_us = 1'000;
    std::uint64_t print_bytes_max = 64u << 10;  ///< One print; what is longer is cut with a mark.
    std::uint64_t print_queue_bytes_max =
        4u << 20;  ///< Prints waiting for the gate or a slow terminal (K-230).
    std::uint64_t print_kept_bytes_max = 4u << 20;  ///< Kept in memory for `perdure logs`.
};

/// One setting as `config show` prints it.
struct SettingRow {
    std::string key;
    std::string value;   ///< As it would be written in the file; `auto` for an absent `http.port`.
    std::string origin;  ///< `default`, `FILE:LINE`, `environment PERDURE_X` or `flag --x`.
};

struct LoadedSettings {
    Settings values;
    std::vector<SettingRow> rows;  ///< In table order.
};

/// One line of the table, as text: for the help and docs/how-to/settings.md.
struct SettingDescription {
    std::string key;
    std::string
        type;  ///< `integer`, `boolean`, `text` or the words of a choice: `power|process|memory`
    std::string default_value;  ///< `67108864`; what depends on the machine or the home is
                                ///< described in words.
    std::string range;          ///< `1 to 1024`; empty where there is none
    std::string unit;           ///< `bytes`, `µs`, …; empty where there is none
    std::string variable;       ///< `PERDURE_HTTP_PORT`
    std::string flag;           ///< `--http-port`; empty where there is none
    std::string text;           ///< One sentence.
};
std::vector<SettingDescription> describe_settings();

/// A value given by a flag, by key.
struct SettingFlag {
    std::string key;
    std::string value;
    std::string flag;  ///< As typed, for messages: `--http-port`
};

struct SettingSources {
    std::string home;         ///< Where the node lives; already decided, absolute.
    std::string home_origin;  ///< `default`, `environment PERDURE_HOME` or `flag --home`
    std::optional<std::string> file_text;  ///< Nothing: there is no file.
    std::string file_name;                 ///< For messages.
    std::map<std::string, std::string>
        environment;  ///< All variables; only `PERDURE_…` ones are looked at.
    std::vector<SettingFlag> flags;
    std::uint64_t hardware_threads = 1;  ///< Default of `workers`.
};

/// Variables that begin with PERDURE_ but are no settings: they are left alone.
inline constexpr std::string_view kOtherVariables[] = {"PERDURE_HOME", "PERDURE_SHARE",
                                                       "PERDURE_COMPONENTIZE", "PERDURE_WASM_TOOLS",
                                                       "PERDURE_GUESTS_CACHE"};

/// The same for every variable with this prefix: hooks of the test suites.
inline constexpr std::string_view kTestVariablePrefix = "PERDURE_TEST_";

/// Puts the sources together. Errors: InvalidInput (everything an operator can get wrong; one
/// problem per message).
Result<LoadedSettings> load_settings(const SettingSources& sources);

/// The text of `path`; nothing if there is no such file. Errors: Io, Overloaded (above
/// `kSettingsFileBytesMax`).
Result<std::optional<std::string>> read_settings_file(const std::string& path);
inline constexpr std::size_t kSettingsFileBytesMax = 1u << 20;  // settings_file_bytes_max

}  // namespace perdure::node
