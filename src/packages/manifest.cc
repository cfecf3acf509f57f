#include "packages/manifest.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "abi/capability.h"
#include "abi/json.h"
#include "abi/json_cursor.h"
#include "abi/message_codec.h"
#include "abi/quote.h"
#include "packages/known_keys.h"

namespace perdure::packages {
namespace {

constexpr std::array<std::string_view, 10> kKeys = {"process_name",
                                                    "process_wasm_path",
                                                    "on_exit",
                                                    "request_networking",
                                                    "request_capabilities",
                                                    "grant_capabilities",
                                                    "public",
                                                    "turn",
                                                    "delivery",
                                                    "durability"};

Error over_limit(const std::string& where, std::size_t found, std::size_t limit,
                 std::string_view name) {
    return {ErrorCode::Overloaded, where + ": " + std::to_string(found) + "; at most " +
                                       std::to_string(limit) + " are allowed (" +
                                       std::string(name) + ")"};
}

Result<std::size_t> bounded_size(const JsonCursor& list, std::size_t limit, std::string_view name) {
    ASSIGN_OR_RETURN(const std::size_t size, list.array_size());
    if (size > limit) {
        return over_limit(list.path(), size, limit, name);
    }
    return size;
}

// One of the words that choose something not built yet is Unsupported; any other word is a mistake
// (P-MAN-9 to 11).
Result<void> check_unbuilt(const JsonCursor& entry, std::string_view key,
                           std::span<const std::string_view> words) {
    ASSIGN_OR_RETURN(const auto field, entry.optional_member(key));
    if (!field) {
        return {};
    }
    const std::string* word = field->value().as_string();
    if (word && *word == "default") {
        return {};
    }
    if (word && std::find(words.begin(), words.end(), *word) != words.end()) {
        return Error(ErrorCode::Unsupported,
                     field->path() + ": " + quote(*word) +
                         " is not built in this version; leave the key out");
    }
    std::string allowed;
    for (const std::string_view known : words) {
        allowed += (allowed.empty() ? "" : " or ") + quote(known);
    }
    return field->expected(allowed);
}

Result<void> check_unbuilt_options(const JsonCursor& entry) {
    static constexpr std::array<std::string_view, 1> kTurns = {"atomic"};
    static constexpr std::array<std::string_view, 1> kDeliveries = {"durable"};
    static constexpr std::array<std::string_view, 3> kClasses = {"power", "process", "memory"};
    ASSIGN_OR_RETURN(const auto delivery, entry.optional_member("delivery"));
    const Json* turn = entry.value().find("turn");
    if (delivery && delivery->value() == Json("durable") && !(turn && *turn == Json("atomic"))) {
        return delivery->error(
            "\"durable\" needs \"turn\": \"atomic\"; add it or leave the key out");
    }
    RETURN_IF_ERROR(check_unbuilt(entry, "turn", kTurns));
    RETURN_IF_ERROR(check_unbuilt(entry, "delivery", kDeliveries));
    return check_unbuilt(entry, "durability", kClasses);
}

Result<std::string> read_process_name(const JsonCursor& entry) {
    ASSIGN_OR_RETURN(const JsonCursor name, required_member(entry, "process_name", kKeys));
    ASSIGN_OR_RETURN(const std::string_view text, name.string());
    if (!is_safe_name(text)) {
        return name.expected("a process name of 1 to 255 of a-z, 0-9 and -");
    }
    return std::string(text);
}

Result<std::string> read_wasm_path(const JsonCursor& entry) {
    ASSIGN_OR_RETURN(const JsonCursor path, required_member(entry, "process_wasm_path", kKeys));
    ASSIGN_OR_RETURN(const std::string_view text, path.string());
    return parse_package_path(text).with_context(path.path());
}

Result<OnExit> read_on_exit(const JsonCursor& entry) {
    ASSIGN_OR_RETURN(const JsonCursor at, required_member(entry, "on_exit", kKeys));
    ASSIGN_OR_RETURN(OnExit on_exit, on_exit_from_json(at, BodyForm::BytesOrText));
    const std::string where = at.path() + ".Requests";
    if (on_exit.requests.size() > kExitRequestsPerProcessMax) {
        return over_limit(where, on_exit.requests.size(), kExitRequestsPerProcessMax,
                          "exit_requests_max");
    }
    for (std::size_t i = 0; i < on_exit.requests.size(); ++i) {
        const ExitRequest& exit = on_exit.requests[i];
        const std::string item = where + '[' + std::to_string(i) + ']';
        // The shape was read already; this names the part that is not safe.
        RETURN_IF_ERROR(parse_address(to_string(exit.target)).with_context(item + "[0]"));
        for (std::size_t c = 0; c < exit.request.capabilities.size(); ++c) {
            RETURN_IF_ERROR(
                parse_address(to_string(exit.request.capabilities[c].issuer))
                    .with_context(item + "[1].capabilities[" + std::to_string(c) + "].issuer"));
        }
    }
    return on_exit;
}

// An element that names an unsafe id is left out with a warning (P-MAN-5); one of a wrong shape is
// an error.
Result<std::optional<ManifestCapability>> read_capability(const JsonCursor& at,
                                                          std::vector<std::string>& warnings) {
    std::optional<JsonCursor> id_at = at;
    std::string params(kMessagingParams);
    if (at.value().is_object()) {
        ASSIGN_OR_RETURN(id_at, at.member("process"));
        ASSIGN_OR_RETURN(const JsonCursor value, at.member("params"));
        params = value.value().to_text();
    } else if (!at.value().as_string()) {
        return at.expected("\"process:package:publisher\" or {\"process\": …, \"params\": …}");
    }
    ASSIGN_OR_RETURN(const std::string_view text, id_at->string());
    ASSIGN_OR_RETURN(ProcessId id, parse_process_id_shape(text).with_context(id_at->path()));
    if (!is_safe(id)) {
        warnings.push_back(id_at->path() + ": left out, because no process can be named " +
                           quote(text));
        return std::optional<ManifestCapability>();
    }
    return std::optional(ManifestCapability{std::move(id), std::move(params)});
}

Result<std::vector<ManifestCapability>> read_capabilities(const JsonCursor& entry,
                                                          std::string_view key,
                                                          std::vector<std::string>& warnings) {
    std::vector<ManifestCapability> capabilities;
    ASSIGN_OR_RETURN(const auto list, entry.optional_member(key));
    if (!list) {
        return capabilities;
    }
    ASSIGN_OR_RETURN(const std::size_t size,
                     bounded_size(*list, kCapabilitiesPerProcessMax, "manifest_capabilities_max"));
    for (std::size_t i = 0; i < size; ++i) {
        ASSIGN_OR_RETURN(auto capability, read_capability(list->item(i), warnings));
        if (capability) {
            capabilities.push_back(std::move(*capability));
        }
    }
    return capabilities;
}

Result<ManifestEntry> read_entry(const JsonCursor& at, std::vector<std::string>& warnings) {
    ManifestEntry entry;
    ASSIGN_OR_RETURN(entry.process_name, read_process_name(at));
    ASSIGN_OR_RETURN(entry.process_wasm_path, read_wasm_path(at));
    ASSIGN_OR_RETURN(entry.on_exit, read_on_exit(at));
    ASSIGN_OR_RETURN(entry.request_networking, bool_or(at, "request_networking", false));
    ASSIGN_OR_RETURN(entry.request_capabilities,
                     read_capabilities(at, "request_capabilities", warnings));
    ASSIGN_OR_RETURN(entry.grant_capabilities,
                     read_capabilities(at, "grant_capabilities", warnings));
    ASSIGN_OR_RETURN(entry.is_public, bool_or(at, "public", false));
    RETURN_IF_ERROR(check_unbuilt_options(at));
    if (std::string slip = find_likely_slip(at, kKeys); !slip.empty()) {
        warnings.push_back(std::move(slip));
    }
    return entry;
}

Json capabilities_to_json(const std::vector<ManifestCapability>& capabilities) {
    Json list = Json::array();
    for (const ManifestCapability& capability : capabilities) {
        if (capability.params == kMessagingParams) {
            list.push(to_string(capability.process));
            continue;
        }
        auto params = parse_json(capability.params);
        list.push(Json::object(
            {{"process", to_string(capability.process)},
             {"params", params ? std::move(params).value() : Json(capability.params)}}));
    }
    return list;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text) {
    if (text.size() > kManifestBytesMax) {
        return over_limit("bytes", text.size(), kManifestBytesMax, "manifest_bytes_max");
    }
    ASSIGN_OR_RETURN(const Json document, parse_json(text));
    const JsonCursor whole(document);
    if (!document.is_array()) {
        return whole.expected("an array with one object per process");
    }
    ASSIGN_OR_RETURN(const std::size_t size,
                     bounded_size(whole, kProcessesPerPackageMax, "processes_per_package_max"));
    Manifest manifest;
    std::unordered_set<std::string> names;
    for (std::size_t i = 0; i < size; ++i) {
        const JsonCursor at = whole.item(i);
        ASSIGN_OR_RETURN(ManifestEntry entry, read_entry(at, manifest.warnings));
        if (!names.insert(entry.process_name).second) {
            return at.error("a second process named " + quote(entry.process_name) +
                            "; names must differ");
        }
        manifest.entries.push_back(std::move(entry));
    }
    return manifest;
}

Result<std::string> parse_package_path(std::string_view path) {
    const auto refuse = [path](std::string_view why) {
        return Error(ErrorCode::InvalidInput, "path " + quote(path) + " " + std::string(why));
    };
    std::string_view rest = path;
    if (rest.starts_with('/')) {
        rest.remove_prefix(1);
    }
    if (rest.empty() || rest.size() > kWasmPathBytesMax) {
        return refuse("is empty or too long; write /NAME.wasm, at most " +
                      std::to_string(kWasmPathBytesMax) + " bytes (wasm_path_bytes_max)");
    }
    const bool odd = std::any_of(rest.begin(), rest.end(), [](char c) {
        return c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (odd) {
        return refuse("holds a backslash or a control character; write /NAME.wasm");
    }
    std::string result(rest);
    while (true) {
        const std::size_t slash = rest.find('/');
        const std::string_view part = rest.substr(0, slash);
        if (part.empty() || part == "." || part == "..") {
            return refuse(
                "has an empty step, a . or a ..; write a path below pkg/, such as /NAME.wasm");
        }
        if (slash == std::string_view::npos) {
            return result;
        }
        rest.remove_prefix(slash + 1);
    }
}

std::string manifest_to_text(const Manifest& manifest) {
    Json list = Json::array();
    for (const ManifestEntry& entry : manifest.entries) {
        list.push(Json::object({
            {"process_name", entry.process_name},
            {"process_wasm_path", '/' + entry.process_wasm_path},
            {"on_exit", on_exit_to_json(entry.on_exit)},
            {"request_networking", entry.request_networking},
            {"request_capabilities", capabilities_to_json(entry.request_capabilities)},
            {"grant_capabilities", capabilities_to_json(entry.grant_capabilities)},
            {"public", entry.is_public},
        }));
    }
    return list.to_pretty_text();
}

}  // namespace perdure::packages
