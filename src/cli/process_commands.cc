/// Verbs about processes: ps, send, kill, restart, process-state.

#include <cerrno>
#include <cstring>
#include <fstream>

#include "abi/ids.h"
#include "cli/commands.h"
#include "node/wire_text.h"
#include "transport/http.h"

namespace perdure::cli {
namespace {

using node::ExitStatus;

std::string process_target(const Session& session, std::string_view rest) {
    return "/v1/processes/" + transport::percent_encode(session.invocation.name) +
           std::string(rest);
}

/// A verb that changes one process: `done` is what it says when it is done.
Outcome change_process(const Session& session, std::string method, std::string_view rest,
                       std::string body, std::string_view done) {
    if (!check_process(session)) {
        return ExitStatus::Usage;
    }
    ASSIGN_OR_RETURN(const Json answer,
                     session.node.call(std::move(method), process_target(session, rest),
                                       std::move(body), Patience::Endless));
    if (session.json()) {
        print_json(session, answer);
    } else {
        session.out() << done << " " << session.invocation.name << "\n";
    }
    return ExitStatus::Success;
}

Result<std::string> send_body(const Session& session) {
    const Invocation& invocation = session.invocation;
    std::string body = invocation.body;
    if (body == "-") {
        ASSIGN_OR_RETURN(body, read_input(session, "-"));
    }
    Json json = Json::object({{"address", invocation.name}});
    if (node::is_utf8(body)) {
        json.set("body", body);
    } else {
        json.set("body_base64", node::base64_encode(bytes_of(body)));
    }
    if (invocation.blob_file) {
        ASSIGN_OR_RETURN(const std::string blob, read_input(session, *invocation.blob_file));
        json.set("blob_base64", node::base64_encode(bytes_of(blob)));
    }
    if (invocation.timeout_seconds) {
        json.set("timeout_s", *invocation.timeout_seconds);
    }
    return json.to_text();
}

/// The bytes under `name` or `name_base64`; nothing if neither is there.
Result<std::optional<std::string>> bytes_member(const Json& answer, const std::string& name) {
    if (const Json* text = answer.find(name); text && text->as_string()) {
        return std::optional(*text->as_string());
    }
    const Json* encoded = answer.find(name + "_base64");
    if (!encoded || !encoded->as_string()) {
        return std::optional<std::string>();
    }
    ASSIGN_OR_RETURN(const Bytes bytes, node::base64_decode(*encoded->as_string()));
    return std::optional(std::string(perdure::text_of(bytes)));
}

Outcome print_response(const Session& session, const Json& answer) {
    ASSIGN_OR_RETURN(const auto body, bytes_member(answer, "body"));
    ASSIGN_OR_RETURN(const auto blob, bytes_member(answer, "blob"));
    const std::string text = body.value_or("");
    // A terminal gets something harmless, a file or pipe the bytes as they came.
    session.out() << (session.context.out_device == Device::Terminal ? printable(text) : text);
    if (!text.ends_with('\n')) {
        session.out() << "\n";
    }
    if (blob) {
        session.err() << "blob of " << size_text(blob->size()) << " (shown by --json)\n";
    }
    return ExitStatus::Success;
}

}  // namespace

Outcome ps(const Session& session) {
    ASSIGN_OR_RETURN(const Json answer, session.node.get("/v1/processes"));
    if (session.json()) {
        print_json(session, answer);
        return ExitStatus::Success;
    }
    Table table({{"PROCESS"},
                 {"PHASE"},
                 {"RESTARTS", Align::Right},
                 {"MESSAGES", Align::Right},
                 {"MAILBOX", Align::Right},
                 {"MEMORY", Align::Right},
                 {"CPU", Align::Right},
                 {"STATE", Align::Right},
                 {"SEEN", Align::Right},
                 {"DURABLE", Align::Right}});
    const Json* rows = answer.find("processes");
    for (const Json& row : rows && rows->as_array() ? *rows->as_array() : Json::Array()) {
        table.add(
            {printable(text_of(row, "process")), printable(text_of(row, "phase")),
             std::to_string(number_of(row, "restarts")),
             std::to_string(number_of(row, "mailbox_messages")),
             size_text(number_of(row, "mailbox_bytes")), size_text(number_of(row, "memory_bytes")),
             duration_text(number_of(row, "cpu_ns")), size_text(number_of(row, "state_bytes")),
             std::to_string(number_of(row, "seen")), std::to_string(number_of(row, "durable"))});
    }
    const std::string text = table.to_text();
    const std::size_t title_end = text.find('\n');
    session.out() << paint(text.substr(0, title_end), Paint::Bold, session.colouring())
                  << text.substr(title_end);
    return ExitStatus::Success;
}

Outcome send(const Session& session) {
    const std::string& address = session.invocation.name;
    const bool with_node = address.find('@') != std::string::npos;
    if (auto parsed = parse_address(with_node ? address : "our@" + address); !parsed) {
        return usage(session, std::move(parsed).error().with_context(address));
    }
    ASSIGN_OR_RETURN(std::string body, send_body(session));
    ASSIGN_OR_RETURN(const Json answer, session.node.post("/v1/send", std::move(body)));
    const std::string outcome = text_of(answer, "outcome");
    if (session.json()) {
        print_json(session, answer);
    }
    if (outcome == "offline" || outcome == "timeout" || outcome == "refused") {
        const std::string reason = text_of(answer, "reason");
        return Error(outcome == "refused" ? ErrorCode::Overloaded : ErrorCode::TimedOut,
                     address + ": " + outcome + (reason.empty() ? std::string() : ": " + reason));
    }
    if (session.json() || outcome == "sent") {
        return ExitStatus::Success;
    }
    return print_response(session, answer);
}

Outcome kill(const Session& session) {
    return change_process(session, "POST", "/kill", {}, "killed");
}
Outcome restart(const Session& session) {
    return change_process(session, "POST", "/restart", {}, "restarted");
}
Outcome clear_state(const Session& session) {
    return change_process(session, "DELETE", "/state", {}, "cleared the state of");
}

Outcome show_state(const Session& session) {
    if (!check_process(session)) {
        return ExitStatus::Usage;
    }
    ASSIGN_OR_RETURN(const Json answer, session.node.get(process_target(session, "/state")));
    const Json* present = answer.find("present");
    if (session.json()) {
        print_json(session, answer);
    } else if (present && present->as_bool().value_or(false)) {
        session.out() << session.invocation.name << ": " << number_of(answer, "bytes")
                      << " bytes, sha256 " << text_of(answer, "sha256") << "\n";
    } else {
        session.out() << session.invocation.name << ": no state saved\n";
    }
    return ExitStatus::Success;
}

Outcome export_state(const Session& session) {
    if (!check_process(session)) {
        return ExitStatus::Usage;
    }
    ASSIGN_OR_RETURN(const std::string bytes,
                     session.node.get_bytes(process_target(session, "/state/bytes")));
    const std::string path = session.invocation.file.value_or("-");
    if (path == "-") {
        session.out().write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        return ExitStatus::Success;
    }
    std::ofstream file(session.absolute(path), std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) {
        return Error(ErrorCode::Io, path + ": " + std::strerror(errno));
    }
    session.err() << "wrote " << size_text(bytes.size()) << " to " << path << "\n";
    return ExitStatus::Success;
}

Outcome import_state(const Session& session) {
    if (!check_process(session)) {
        return ExitStatus::Usage;
    }
    ASSIGN_OR_RETURN(std::string bytes, read_input(session, *session.invocation.file));
    return change_process(session, "PUT", "/state/bytes", std::move(bytes),
                          "replaced the state of");
}

}  // namespace perdure::cli
