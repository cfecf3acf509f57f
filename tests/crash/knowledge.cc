#include "knowledge.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "abi/record_codec.h"
#include "packages/package_record.h"

namespace perdure::crash {

std::string saver_id(std::size_t index) {
    return fmt::format("s{}:{}", index, kSaverPackage);
}
std::string visitor_package(std::size_t index) {
    return fmt::format("v{}:sys", index);
}
std::string visitor_id(std::size_t index) {
    return "v:" + visitor_package(index);
}
std::string child_id(std::size_t index) {
    return fmt::format("c{}:{}", index, kSaverPackage);
}
ProcessId id_of(const std::string& text) {
    return parse_process_id(text).value();
}

std::uint32_t number_after(std::string_view text, std::string_view mark) {
    const std::size_t at = text.find(mark);
    std::uint32_t number = 0;
    if (at != std::string_view::npos) {
        std::from_chars(text.data() + at + mark.size(), text.data() + text.size(), number);
    }
    return number;
}

std::string change_text(std::uint32_t change) {
    return fmt::format("c{}.", change);
}
std::string capability_params(std::uint32_t change) {
    return fmt::format("{{\"saved\":{}}}", change);
}
std::uint32_t change_in(std::string_view text) {
    return text.starts_with('c') ? number_after(text, "c") : 0;
}

Register register_of(RegisterKind kind, std::size_t index) {
    switch (kind) {
        case RegisterKind::State: return static_cast<Register>(index);
        case RegisterKind::NewestCapability: return static_cast<Register>(kSavers + index);
        case RegisterKind::OldestCapability: return static_cast<Register>(2 * kSavers + index);
        case RegisterKind::VisitorLife: return static_cast<Register>(3 * kSavers + index);
        case RegisterKind::VisitorPackage:
            return static_cast<Register>(3 * kSavers + kVisitors + index);
        case RegisterKind::VisitorOnExit:
            return static_cast<Register>(3 * kSavers + 2 * kVisitors + index);
        case RegisterKind::VisitorState:
            return static_cast<Register>(3 * kSavers + 3 * kVisitors + index);
        case RegisterKind::ChildLife:
            return static_cast<Register>(3 * kSavers + 4 * kVisitors + index);
    }
    return 0;
}

std::string name_of(Register which) {
    static constexpr std::pair<RegisterKind, std::string_view> kNames[] = {
        {RegisterKind::ChildLife, "life of child "},
        {RegisterKind::VisitorState, "imported state of visitor "},
        {RegisterKind::VisitorOnExit, "exit behaviour of visitor "},
        {RegisterKind::VisitorPackage, "package of visitor "},
        {RegisterKind::VisitorLife, "life of visitor "},
        {RegisterKind::OldestCapability, "oldest capability of saver "},
        {RegisterKind::NewestCapability, "newest capability of saver "},
        {RegisterKind::State, "state of saver "},
    };
    for (const auto& [kind, name] : kNames) {
        if (const Register first = register_of(kind, 0); which >= first) {
            return std::string(name) + std::to_string(which - first);
        }
    }
    return "?";
}

void learn(Knowledge& knower, const Knowledge& news) {
    for (std::size_t i = 0; i < kRegisters; ++i) {
        knower[i] = std::max(knower[i], news[i]);
    }
}

Observed observe(const Contents& contents) {
    Observed observed;
    const auto find = [&](Family family, std::string_view key) -> const std::string* {
        const auto at = contents.find(content_key(family, key));
        return at == contents.end() ? nullptr : &at->second;
    };
    const auto state = [&](const std::string& id) {
        const std::string* found = find(Family::ProcessState, process_key(id_of(id)).text());
        return found == nullptr ? std::string() : change_text(change_in(*found));
    };
    for (std::size_t i = 0; i < kSavers; ++i) {
        observed[register_of(RegisterKind::State, i)] = state(saver_id(i));
        std::uint32_t newest = 0;
        std::uint32_t oldest = 0;
        const std::string prefix =
            content_key(Family::Capabilities, capability_key_prefix(id_of(saver_id(i))));
        for (auto at = contents.lower_bound(prefix);
             at != contents.end() && at->first.starts_with(prefix); ++at) {
            const auto record = decode_capability_record(bytes_of(at->second));
            const std::uint32_t number =
                record ? number_after(record->capability.params, "{\"saved\":") : 0;
            if (number != 0) {
                newest = std::max(newest, number);
                oldest = oldest == 0 ? number : std::min(oldest, number);
            }
        }
        if (newest != 0) {
            observed[register_of(RegisterKind::NewestCapability, i)] = std::to_string(newest);
            observed[register_of(RegisterKind::OldestCapability, i)] = std::to_string(oldest);
        }
    }
    for (std::size_t i = 0; i < kVisitors; ++i) {
        if (const std::string* found =
                find(Family::Processes, process_key(id_of(visitor_id(i))).text())) {
            const auto record = decode_process_record(bytes_of(*found));
            if (record) {
                observed[register_of(RegisterKind::VisitorLife, i)] =
                    std::to_string(number_after(record->code_handle, "/v-"));
                observed[register_of(RegisterKind::VisitorOnExit, i)] =
                    record->on_exit.requests.empty()
                        ? fmt::format("manifest {}", number_after(record->code_handle, "/v-"))
                        : std::string(record->on_exit.requests.front().request.body.text());
            }
        }
        if (const std::string* found = find(Family::Packages, visitor_package(i))) {
            const auto record = packages::decode_package_record(bytes_of(*found));
            observed[register_of(RegisterKind::VisitorPackage, i)] = record ? record->version : "?";
        }
        observed[register_of(RegisterKind::VisitorState, i)] = state(visitor_id(i));
    }
    for (std::size_t i = 0; i < kChildren; ++i) {
        if (find(Family::Processes, process_key(id_of(child_id(i))).text()) != nullptr) {
            observed[register_of(RegisterKind::ChildLife, i)] = "up";
        }
    }
    return observed;
}

std::optional<std::string> held_of_the_gone(const Contents& contents) {
    const std::string prefix = content_key(Family::Capabilities, "");
    for (auto at = contents.lower_bound(prefix);
         at != contents.end() && at->first.starts_with(prefix); ++at) {
        const auto record = decode_capability_record(bytes_of(at->second));
        if (!record) {
            return "a capability record: " + record.error().message();
        }
        const ProcessId& issuer = record->capability.issuer.process;
        const bool is_module = issuer.package == "distro" || issuer == well_known::terminal();
        if (!is_module &&
            !contents.contains(content_key(Family::Processes, process_key(issuer).text()))) {
            return fmt::format("a capability of {}, which is gone, is still held",
                               to_string(issuer));
        }
    }
    return std::nullopt;
}

std::optional<std::string> savers_present(const Contents& contents, bool& present) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < kSavers; ++i) {
        count +=
            contents.count(content_key(Family::Processes, process_key(id_of(saver_id(i))).text()));
    }
    const bool installed = contents.contains(content_key(Family::Packages, kSaverPackage));
    present = count == kSavers && installed;
    if (present || (count == 0 && !installed)) {
        return std::nullopt;
    }
    return fmt::format("{} of {} processes of one package are there, its record {}", count, kSavers,
                       installed ? "too" : "not");
}

std::optional<std::string> explain(const Observed& observed,
                                   const std::vector<RegisterChange>& changes,
                                   const Knowledge& shown, std::uint32_t asked_for) {
    // Of each register the newest change that may have left what was found, and the oldest that was
    // not shown to be over.
    Knowledge newest{};
    Knowledge oldest{};
    std::array<bool, kRegisters> explained{};
    for (Register which = 0; which < kRegisters; ++which) {
        explained[which] = observed[which].empty() && shown[which] == 0;
    }
    for (std::uint32_t id = 1; id <= asked_for; ++id) {
        const RegisterChange& change = changes[id - 1];
        if (change.value == observed[change.which] && id >= shown[change.which]) {
            newest[change.which] = id;
            if (!explained[change.which]) {
                oldest[change.which] = id;
                explained[change.which] = true;
            }
        }
    }
    for (std::size_t i = 0; i < kVisitors; ++i) {
        // Who is gone has no exit behaviour.
        if (observed[register_of(RegisterKind::VisitorLife, i)].empty()) {
            const Register on_exit = register_of(RegisterKind::VisitorOnExit, i);
            explained[on_exit] = true;
            newest[on_exit] = asked_for;
            oldest[on_exit] = 0;
        }
    }
    for (Register which = 0; which < kRegisters; ++which) {
        if (!explained[which]) {
            return fmt::format(
                "{}: change {} (\"{}\") was shown, found is \"{}\"", name_of(which), shown[which],
                shown[which] == 0 ? "" : changes[shown[which] - 1].value, observed[which]);
        }
    }
    for (Register which = 0; which < kRegisters; ++which) {
        if (oldest[which] == 0 || oldest[which] != newest[which]) {
            continue;
        }
        const Knowledge& past = changes[oldest[which] - 1].past;
        for (Register cause = 0; cause < kRegisters; ++cause) {
            if (past[cause] > newest[cause]) {
                return fmt::format("{}: \"{}\" survived without its cause, change {} of {}",
                                   name_of(which), observed[which], past[cause], name_of(cause));
            }
        }
    }
    return std::nullopt;
}

Result<Contents> contents_of(EntryLog& log) {
    Contents contents;
    for (std::uint8_t number = 0; number < kFamilyCount; ++number) {
        const auto family = static_cast<Family>(number);
        if (family == Family::Meta) {
            continue;
        }
        ASSIGN_OR_RETURN(auto listing, log.list(family, {}, {}, 1'000'000));
        Causality reader;
        for (const KeyValue& item : std::move(listing).tell(reader).items) {
            contents.emplace(content_key(family, item.key.text()), item.value.text());
        }
    }
    return contents;
}

bool same_value(const std::string& found, const std::string& wanted) {
    if (wanted.starts_with(kLargeMark)) {
        return wanted == std::string(kLargeMark) + std::to_string(found.size());
    }
    return found == wanted;
}

}  // namespace perdure::crash
