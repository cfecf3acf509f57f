#include "node/settings_table.h"

#include <array>
#include <charconv>
#include <limits>

#include "abi/ids.h"
#include "abi/quote.h"
#include "packages/code_store.h"

namespace perdure::node {
namespace {

constexpr std::uint64_t kKiB = 1ULL << 10;
constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr std::uint64_t kPortMax = 65'535;
constexpr std::string_view kAuto = "auto";

// clang-format off
constexpr SettingEntry kTable[] = {
    {"home", HomeField{&Settings::home}, "", "--home", "see `perdure help`",
     "Directory the node lives in; chosen by --home or PERDURE_HOME, never in a file."},
    {"node_name", NodeNameField{&Settings::node_name}, "", "", "",
     "Name of this node in addresses."},
    {"http.port", PortField{&Settings::http_port}, "", "--http-port", "auto",
     "Port of the HTTP server on loopback; 0 takes any free one, auto the first free one of 8080 to 8999."},
    {"gateway.port", IntegerField{&Settings::worker_port, 0, kPortMax}, "", "--worker-port", "",
     "Port for workers on loopback; 0 takes any free one. Accepted; there is no gateway yet."},
    {"log.level", LogLevelField{&Settings::log_level}, "", "--log-level", "",
     "Least level of the node's own log lines."},
    {"log.enabled", BooleanField{&Settings::log_enabled}, "", "", "",
     "Whether log lines and prints are written to files in the home."},
    {"log.bytes_max", IntegerField{&Settings::log_bytes_max, 64 * kKiB, 64 * kGiB}, "bytes", "--max-log-size", "",
     "Size of all files in log/ together, half for the node's own lines, half for prints; the oldest are dropped."},
    {"log.files", IntegerField{&Settings::log_files, 1, 100}, "files", "--number-log-files", "",
     "Over how many files each half of the log is spread; fewer where one would be below 4096 bytes."},
    {"verbosity", IntegerField{&Settings::verbosity, 0, 4}, "", "--verbosity", "",
     "Prints of guests up to this level are shown: 0 plain output, 1 debug, 2 runtime information, 3 and 4 events."},
    {"workers", IntegerField{&Settings::workers, 1, 1024}, "threads", "", "hardware threads",
     "Threads that run processes."},
    {"blocking_threads", IntegerField{&Settings::blocking_threads, 1, 256}, "threads", "", "",
     "Threads for work that blocks: files, installing, values too large for the log."},
    {"processes_max", IntegerField{&Settings::processes_max, 1, 1'000'000}, "processes", "", "",
     "Processes at once; the machine's address space may allow fewer."},
    {"durability", DurabilityField{&Settings::durability}, "", "", "",
     "What must survive before anybody outside sees a change: a power cut, a crash of the node only, or nothing."},
    {"journal_bytes_max", IntegerField{&Settings::journal_bytes_max, kMiB, 64 * kGiB}, "bytes", "", "",
     "Entries waiting for the disk, all processes together; above it guests that save wait."},
    {"journal_process_bytes_max", IntegerField{&Settings::journal_process_bytes_max, 64 * kKiB, 64 * kGiB}, "bytes", "", "",
     "Entries of one process waiting for the disk; at most journal_bytes_max."},
    {"entry_inline_bytes_max", IntegerField{&Settings::entry_inline_bytes_max, 4 * kKiB, kGiB}, "bytes", "", "",
     "A larger entry is written beside the log first; at most journal_process_bytes_max."},
    {"batch_bytes_max", IntegerField{&Settings::batch_bytes_max, 64 * kKiB, 4 * kGiB}, "bytes", "", "",
     "Entries written and synced at once; at least entry_inline_bytes_max."},
    {"reserve_bytes", IntegerField{&Settings::reserve_bytes, 16 * kMiB, 1024 * kGiB}, "bytes", "", "",
     "With less than this free on the disk nothing new is accepted; what was accepted still fits."},
    {"mailbox_messages_max", IntegerField{&Settings::mailbox_messages_max, 1, 100'000'000}, "messages", "", "",
     "Messages waiting in one mailbox; more are refused."},
    {"mailbox_bytes_max", IntegerField{&Settings::mailbox_bytes_max, 64 * kKiB, 64 * kGiB}, "bytes", "", "",
     "Bytes waiting in one mailbox; more are refused."},
    {"outstanding_max", IntegerField{&Settings::outstanding_max, 1, 100'000'000}, "requests", "", "",
     "Requests of one process that wait for a Response."},
    {"process_memory_bytes_max", IntegerField{&Settings::process_memory_bytes_max, 64 * kKiB, 4 * kGiB}, "bytes", "", "",
     "Linear memory of one process; more is refused to its allocator."},
    {"component_bytes_max", IntegerField{&Settings::component_bytes_max, kKiB, packages::kComponentBytesMax}, "bytes", "", "",
     "Size of one component; a larger one is refused. Installed ones stay."},
    {"state_bytes_max", IntegerField{&Settings::state_bytes_max, 1, 4 * kGiB}, "bytes", "", "",
     "Saved state of one process; saving more ends the process."},
    {"message_body_bytes_max", IntegerField{&Settings::message_body_bytes_max, kKiB, 4 * kGiB}, "bytes", "", "",
     "Body of one message."},
    {"message_blob_bytes_max", IntegerField{&Settings::message_blob_bytes_max, kKiB, 4 * kGiB}, "bytes", "", "",
     "Blob of one message."},
    {"timers_max", IntegerField{&Settings::timers_max, 1, 100'000'000}, "timers", "", "",
     "Timers of one process that may wait at once."},
    {"guest_clock_resolution_us", IntegerField{&Settings::guest_clock_resolution_us, 1, 1'000'000}, "µs", "", "",
     "Resolution of the clocks that guests read."},
    {"print_bytes_max", IntegerField{&Settings::print_bytes_max, 80, 64 * kMiB}, "bytes", "", "",
     "One print of a guest; what is longer is cut with a mark."},
    {"print_queue_bytes_max", IntegerField{&Settings::print_queue_bytes_max, 64 * kKiB, 4 * kGiB}, "bytes", "", "",
     "Prints waiting for the disk or a slow terminal; more are dropped and counted. At least print_bytes_max."},
    {"print_kept_bytes_max", IntegerField{&Settings::print_kept_bytes_max, 64 * kKiB, 4 * kGiB}, "bytes", "", "",
     "Lines kept in memory for `perdure logs`."},
};
// clang-format on

constexpr std::string_view kDurabilities[] = {"power", "process", "memory"};
constexpr std::string_view kLogLevels[] = {"trace", "debug", "info", "warn", "error"};

std::string join(std::span<const std::string_view> words, std::string_view between) {
    std::string joined;
    for (const std::string_view word : words) {
        joined += (joined.empty() ? "" : std::string(between)) + std::string(word);
    }
    return joined;
}

std::optional<std::size_t> index_of(std::span<const std::string_view> words,
                                    std::string_view word) {
    for (std::size_t index = 0; index < words.size(); ++index) {
        if (words[index] == word) {
            return index;
        }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> parse_integer(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::string range_words(std::uint64_t least, std::uint64_t most) {
    return std::to_string(least) + " to " + std::to_string(most);
}

template <typename... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};

/// Whether `text` was taken.
bool take(const SettingEntry& entry, std::string_view text, Settings& settings) {
    return std::visit(Overloaded{
                          [&](const IntegerField& field) {
                              const auto value = parse_integer(text);
                              if (!value || *value < field.least || *value > field.most) {
                                  return false;
                              }
                              settings.*field.field = *value;
                              return true;
                          },
                          [&](const PortField& field) {
                              const auto value = parse_integer(text);
                              if (text != kAuto && (!value || *value > kPortMax)) {
                                  return false;
                              }
                              settings.*field.field = value;
                              return true;
                          },
                          [&](const BooleanField& field) {
                              if (text != "true" && text != "false") {
                                  return false;
                              }
                              settings.*field.field = text == "true";
                              return true;
                          },
                          [&](const NodeNameField& field) {
                              if (!is_safe_node(text) || text == kOurNode) {
                                  return false;
                              }
                              settings.*field.field = text;
                              return true;
                          },
                          [&](const DurabilityField& field) {
                              const auto index = index_of(kDurabilities, text);
                              if (index) {
                                  // The analyzer does not count the words.
                                  // NOLINTNEXTLINE(*EnumCastOutOfRange)
                                  settings.*field.field = static_cast<Durability>(*index);
                              }
                              return index.has_value();
                          },
                          [&](const LogLevelField& field) {
                              const auto index = index_of(kLogLevels, text);
                              if (index) {
                                  settings.*field.field = static_cast<LogLevel>(*index);
                              }
                              return index.has_value();
                          },
                          [](const HomeField&) { return false; },
                      },
                      entry.field);
}

}  // namespace

std::span<const SettingEntry> setting_table() {
    return kTable;
}

const SettingEntry* find_setting(std::string_view key) {
    for (const SettingEntry& entry : kTable) {
        if (entry.key == key) {
            return &entry;
        }
    }
    return nullptr;
}

std::string variable_of(std::string_view key) {
    std::string variable = "PERDURE_";
    for (const char letter : key) {
        variable += letter == '.'                    ? '_'
                    : letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32)
                                                     : letter;
    }
    return variable;
}

std::string_view to_string(Durability durability) {
    return kDurabilities[static_cast<std::size_t>(durability)];
}

Result<void> assign(const SettingEntry& entry, std::string_view text, Settings& settings) {
    if (take(entry, text, settings)) {
        return {};
    }
    return Error(ErrorCode::InvalidInput,
                 "expected " + expected_words(entry) + ", got " + quote(text));
}

std::string value_text(const SettingEntry& entry, const Settings& settings) {
    return std::visit(
        Overloaded{
            [&](const IntegerField& field) { return std::to_string(settings.*field.field); },
            [&](const PortField& field) {
                const auto& port = settings.*field.field;
                return port ? std::to_string(*port) : std::string(kAuto);
            },
            [&](const BooleanField& field) {
                return std::string(settings.*field.field ? "true" : "false");
            },
            [&](const NodeNameField& field) { return settings.*field.field; },
            [&](const DurabilityField& field) {
                return std::string(to_string(settings.*field.field));
            },
            [&](const LogLevelField& field) {
                return std::string(kLogLevels[static_cast<std::size_t>(settings.*field.field)]);
            },
            [&](const HomeField& field) { return settings.*field.field; },
        },
        entry.field);
}

std::string expected_words(const SettingEntry& entry) {
    return std::visit(
        Overloaded{
            [](const IntegerField& field) {
                return "an integer from " + range_words(field.least, field.most);
            },
            [](const PortField&) { return "a port from " + range_words(0, kPortMax) + " or auto"; },
            [](const BooleanField&) { return std::string("true or false"); },
            [](const NodeNameField&) {
                return std::string(
                    "a node name of a-z, 0-9, '-' and '.', at most 255 long and not \"our\"");
            },
            [](const DurabilityField&) { return "one of " + join(kDurabilities, ", "); },
            [](const LogLevelField&) { return "one of " + join(kLogLevels, ", "); },
            [](const HomeField&) {
                return std::string("no value here: use --home or PERDURE_HOME");
            },
        },
        entry.field);
}

std::string type_name(const SettingEntry& entry) {
    return std::visit(Overloaded{
                          [](const IntegerField&) { return std::string("integer"); },
                          [](const PortField&) { return std::string("integer or auto"); },
                          [](const BooleanField&) { return std::string("boolean"); },
                          [](const NodeNameField&) { return std::string("text"); },
                          [](const DurabilityField&) { return join(kDurabilities, "|"); },
                          [](const LogLevelField&) { return join(kLogLevels, "|"); },
                          [](const HomeField&) { return std::string("path"); },
                      },
                      entry.field);
}

std::string range_text(const SettingEntry& entry) {
    if (const auto* field = std::get_if<IntegerField>(&entry.field)) {
        return range_words(field->least, field->most);
    }
    return std::holds_alternative<PortField>(entry.field) ? range_words(0, kPortMax)
                                                          : std::string();
}

}  // namespace perdure::node
