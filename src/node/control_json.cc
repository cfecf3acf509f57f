/// The wire form of the values of `NodeApi`; docs/protocols/control.md lists every field.

#include "node/control_api.h"
#include "node/wire_text.h"

namespace perdure::node {
namespace {

Json strings(const std::vector<std::string>& texts) {
    Json array = Json::array();
    for (const std::string& text : texts) {
        array.push(text);
    }
    return array;
}

/// `NAME` holds text; what is no text stands as `NAME_base64`.
void set_bytes(Json& object, const std::string& name, const SharedBytes& bytes) {
    if (is_utf8(bytes.text())) {
        object.set(name, bytes.text());
    } else {
        object.set(name + "_base64", base64_encode(bytes.view()));
    }
}

std::string_view outcome_name(SendAnswer::Outcome outcome) {
    switch (outcome) {
        case SendAnswer::Outcome::Sent: return "sent";
        case SendAnswer::Outcome::Response: return "response";
        case SendAnswer::Outcome::Offline: return "offline";
        case SendAnswer::Outcome::Timeout: return "timeout";
        case SendAnswer::Outcome::Refused: return "refused";
    }
    return "timeout";
}

}  // namespace

Json error_json(const Error& error) {
    return Json::object({{"error", Json::object({{"code", to_string(error.code())},
                                                 {"message", to_utf8(error.message())}})}});
}

Json to_json(const ProcessRow& row) {
    return Json::object({{"process", row.process},
                         {"phase", row.phase},
                         {"restarts", row.restarts},
                         {"mailbox_messages", row.mailbox_messages},
                         {"mailbox_bytes", row.mailbox_bytes},
                         {"memory_bytes", row.memory_bytes},
                         {"cpu_ns", row.cpu_ns},
                         {"state_bytes", row.state_bytes},
                         {"seen", row.seen},
                         {"durable", row.durable}});
}

Json to_json(const PackageRow& row) {
    return Json::object({{"package", row.package},
                         {"version", row.version},
                         {"processes", strings(row.processes)}});
}

Json to_json(const StartedPackage& started) {
    return Json::object({{"package", started.package},
                         {"processes", strings(started.processes)},
                         {"replaced", started.replaced}});
}

Json to_json(const SendAnswer& answer) {
    Json json = Json::object({{"outcome", outcome_name(answer.outcome)}});
    if (answer.outcome == SendAnswer::Outcome::Response) {
        set_bytes(json, "body", answer.body);
        if (answer.blob) {
            json.set("blob_base64", base64_encode(answer.blob->view()));
            json.set("blob_mime", answer.blob_mime ? Json(to_utf8(*answer.blob_mime)) : Json());
        }
    }
    if (!answer.reason.empty()) {
        json.set("reason", to_utf8(answer.reason));
    }
    return json;
}

Json to_json(const ProcessStateInfo& info) {
    Json json = Json::object({{"process", info.process}, {"present", info.present}});
    if (info.present) {
        json.set("bytes", info.bytes);
        json.set("sha256", info.sha256);
    }
    return json;
}

Json to_json(const LogLine& line) {
    Json json = Json::object({{"time", format_time(line.time)}});
    if (line.origin == LogOrigin::Node) {
        json.set("origin", "node");
        json.set("level", to_string(line.level));
    } else {
        json.set("origin", "print");
        json.set("verbosity", line.verbosity);
    }
    json.set("source", to_utf8(line.source));
    json.set("text", to_utf8(line.text));
    return json;
}

Json to_json(const SettingRow& row) {
    return Json::object(
        {{"key", row.key}, {"value", to_utf8(row.value)}, {"origin", to_utf8(row.origin)}});
}

Json to_json(const Health& health) {
    return Json::object(
        {{"live", health.live}, {"ready", health.ready}, {"reasons", strings(health.reasons)}});
}

Json to_json(const VersionInfo& version) {
    return Json::object({{"version", version.version},
                         {"commit", version.commit},
                         {"engine", version.engine},
                         {"store_format", version.store_format}});
}

}  // namespace perdure::node
