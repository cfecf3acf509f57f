#include "abi/kernel_codec.h"

#include <array>

#include "abi/message_codec.h"
#include "abi/quote.h"

namespace perdure {
namespace {

using kernel_command::InitializeProcess;

Result<ProcessId> id_from_json(const JsonCursor& at) {
    ASSIGN_OR_RETURN(const std::string_view text, at.string());
    return parse_process_id_shape(text).with_context(at.path());
}

Result<ProcessId> id_member(const JsonCursor& at, std::string_view key) {
    ASSIGN_OR_RETURN(const JsonCursor member, at.member(key));
    return id_from_json(member);
}

Result<std::vector<Capability>> capabilities_member(const JsonCursor& at, std::string_view key) {
    ASSIGN_OR_RETURN(const JsonCursor member, at.member(key));
    return capabilities_from_json(member);
}

Result<OnExit> on_exit_member(const JsonCursor& at) {
    ASSIGN_OR_RETURN(const JsonCursor member, at.member("on_exit"));
    return on_exit_from_json(member);
}

Result<bool> boolean_member(const JsonCursor& at, std::string_view key) {
    ASSIGN_OR_RETURN(const JsonCursor member, at.member(key));
    return member.boolean();
}

Result<std::string> string_member(const JsonCursor& at, std::string_view key) {
    ASSIGN_OR_RETURN(const JsonCursor member, at.member(key));
    ASSIGN_OR_RETURN(const std::string_view text, member.string());
    return std::string(text);
}

// What the process asks for beyond the default, if this node has not built it.
std::optional<Error> find_unbuilt_option(const JsonCursor& at) {
    static constexpr std::array<std::string_view, 3> kKeys = {"turn", "delivery", "durability"};
    for (const std::string_view key : kKeys) {
        const Json* value = at.value().find(key);
        if (value && !value->is_null() && *value != Json("default")) {
            return Error(ErrorCode::Unsupported,
                         at.path() + '.' + std::string(key) + ": " +
                             value->to_text().substr(0, kQuoteBytesMax) +
                             " is not built in this version; leave the key out");
        }
    }
    return std::nullopt;
}

Result<InitializeProcess> initialize_from_json(const JsonCursor& at) {
    InitializeProcess command;
    ASSIGN_OR_RETURN(command.id, id_member(at, "id"));
    ASSIGN_OR_RETURN(command.wasm_bytes_handle, string_member(at, "wasm_bytes_handle"));
    ASSIGN_OR_RETURN(command.wit_version, optional_u32(at, "wit_version"));
    ASSIGN_OR_RETURN(command.on_exit, on_exit_member(at));
    ASSIGN_OR_RETURN(command.initial_capabilities, capabilities_member(at, "initial_capabilities"));
    ASSIGN_OR_RETURN(command.is_public, boolean_member(at, "public"));
    command.refusal = find_unbuilt_option(at);
    return command;
}

template <typename Command>
Result<KernelCommand> targeted_capabilities(const JsonCursor& at) {
    Command command;
    ASSIGN_OR_RETURN(command.target, id_member(at, "target"));
    ASSIGN_OR_RETURN(command.capabilities, capabilities_member(at, "capabilities"));
    return KernelCommand(std::move(command));
}

Result<KernelCommand> set_on_exit_from_json(const JsonCursor& at) {
    kernel_command::SetOnExit command;
    ASSIGN_OR_RETURN(command.target, id_member(at, "target"));
    ASSIGN_OR_RETURN(command.on_exit, on_exit_member(at));
    return KernelCommand(std::move(command));
}

Result<KernelCommand> debug_from_json(const JsonCursor& at) {
    ASSIGN_OR_RETURN(const TaggedJson debug, read_tagged(at));
    if (debug.name == "ProcessMap" && !debug.content) {
        return KernelCommand(kernel_command::DebugProcessMap{});
    }
    if (debug.name == "Process") {
        ASSIGN_OR_RETURN(const JsonCursor content, content_of(debug, at));
        ASSIGN_OR_RETURN(ProcessId id, id_from_json(content));
        return KernelCommand(kernel_command::DebugProcess{std::move(id)});
    }
    if (debug.name == "HasCap") {
        ASSIGN_OR_RETURN(const JsonCursor content, content_of(debug, at));
        kernel_command::DebugHasCap command;
        ASSIGN_OR_RETURN(command.on, id_member(content, "on"));
        ASSIGN_OR_RETURN(const JsonCursor cap, content.member("cap"));
        ASSIGN_OR_RETURN(command.cap, capability_from_json(cap));
        return KernelCommand(std::move(command));
    }
    return at.error("no debug command " + quote(debug.name) +
                    "; known are ProcessMap, Process and HasCap");
}

template <typename Command>
Result<KernelCommand> single_id(const JsonCursor& at) {
    ASSIGN_OR_RETURN(ProcessId id, id_from_json(at));
    return KernelCommand(Command{std::move(id)});
}

Result<KernelCommand> command_with_content(std::string_view name, const JsonCursor& at,
                                           const JsonCursor& whole) {
    using namespace kernel_command;
    if (name == "InitializeProcess") {
        ASSIGN_OR_RETURN(InitializeProcess command, initialize_from_json(at));
        return KernelCommand(std::move(command));
    }
    if (name == "RunProcess") {
        return single_id<RunProcess>(at);
    }
    if (name == "KillProcess") {
        return single_id<KillProcess>(at);
    }
    if (name == "GrantCapabilities") {
        return targeted_capabilities<GrantCapabilities>(at);
    }
    if (name == "DropCapabilities") {
        return targeted_capabilities<DropCapabilities>(at);
    }
    if (name == "SetOnExit") {
        return set_on_exit_from_json(at);
    }
    if (name == "Debug") {
        return debug_from_json(at);
    }
    return whole.error("no kernel command " + quote(name));
}

Json version_to_json(const std::optional<std::uint32_t>& version) {
    return version ? Json(*version) : Json();
}

Json tagged(std::string_view name, Json content) {
    return Json::object({{name, std::move(content)}});
}

struct CommandWriter {
    Json operator()(const InitializeProcess& command) const {
        return tagged(
            "InitializeProcess",
            Json::object({
                {"id", to_string(command.id)},
                {"wasm_bytes_handle", command.wasm_bytes_handle},
                {"wit_version", version_to_json(command.wit_version)},
                {"on_exit", on_exit_to_json(command.on_exit)},
                {"initial_capabilities", capabilities_to_json(command.initial_capabilities)},
                {"public", command.is_public},
            }));
    }
    Json operator()(const kernel_command::RunProcess& command) const {
        return tagged("RunProcess", to_string(command.id));
    }
    Json operator()(const kernel_command::KillProcess& command) const {
        return tagged("KillProcess", to_string(command.id));
    }
    Json operator()(const kernel_command::GrantCapabilities& command) const {
        return tagged("GrantCapabilities", targeted(command.target, command.capabilities));
    }
    Json operator()(const kernel_command::DropCapabilities& command) const {
        return tagged("DropCapabilities", targeted(command.target, command.capabilities));
    }
    Json operator()(const kernel_command::SetOnExit& command) const {
        return tagged("SetOnExit", Json::object({{"target", to_string(command.target)},
                                                 {"on_exit", on_exit_to_json(command.on_exit)}}));
    }
    Json operator()(const kernel_command::Booted&) const { return "Booted"; }
    Json operator()(const kernel_command::Shutdown&) const { return "Shutdown"; }
    Json operator()(const kernel_command::DebugProcessMap&) const {
        return tagged("Debug", "ProcessMap");
    }
    Json operator()(const kernel_command::DebugProcess& command) const {
        return tagged("Debug", tagged("Process", to_string(command.id)));
    }
    Json operator()(const kernel_command::DebugHasCap& command) const {
        return tagged("Debug",
                      tagged("HasCap", Json::object({{"on", to_string(command.on)},
                                                     {"cap", capability_to_json(command.cap)}})));
    }

    static Json targeted(const ProcessId& target, const std::vector<Capability>& capabilities) {
        return Json::object(
            {{"target", to_string(target)}, {"capabilities", capabilities_to_json(capabilities)}});
    }
};

struct ReplyWriter {
    Json operator()(const kernel_reply::InitializedProcess&) const { return "InitializedProcess"; }
    Json operator()(const kernel_reply::InitializeProcessError&) const {
        return "InitializeProcessError";
    }
    Json operator()(const kernel_reply::StartedProcess&) const { return "StartedProcess"; }
    Json operator()(const kernel_reply::RunProcessError&) const { return "RunProcessError"; }
    Json operator()(const kernel_reply::KilledProcess& reply) const {
        return tagged("KilledProcess", to_string(reply.id));
    }
    Json operator()(const kernel_reply::DebugProcessMap& reply) const {
        Json::Object map;
        map.reserve(reply.processes.size());
        for (const auto& [id, entry] : reply.processes) {
            map.push_back({to_string(id), process_entry_to_json(entry)});
        }
        return tagged("Debug", tagged("ProcessMap", Json::from_members(std::move(map))));
    }
    Json operator()(const kernel_reply::DebugProcess& reply) const {
        return tagged(
            "Debug", tagged("Process", reply.entry ? process_entry_to_json(*reply.entry) : Json()));
    }
    Json operator()(const kernel_reply::DebugHasCap& reply) const {
        return tagged("Debug", tagged("HasCap", reply.held ? Json(*reply.held) : Json()));
    }
};

Result<ProcessEntry> entry_from_json(const JsonCursor& at) {
    ProcessEntry entry;
    ASSIGN_OR_RETURN(entry.wasm_bytes_handle, string_member(at, "wasm_bytes_handle"));
    ASSIGN_OR_RETURN(entry.wit_version, optional_u32(at, "wit_version"));
    ASSIGN_OR_RETURN(entry.on_exit, on_exit_member(at));
    ASSIGN_OR_RETURN(entry.capabilities, capabilities_member(at, "capabilities"));
    ASSIGN_OR_RETURN(entry.is_public, boolean_member(at, "public"));
    return entry;
}

Result<KernelReply> process_map_from_json(const JsonCursor& at) {
    const Json::Object* members = at.value().as_object();
    if (!members) {
        return at.expected("an object of process ids");
    }
    kernel_reply::DebugProcessMap map;
    for (const JsonMember& member : *members) {
        ASSIGN_OR_RETURN(ProcessId id, parse_process_id_shape(member.key).with_context(at.path()));
        ASSIGN_OR_RETURN(
            ProcessEntry entry,
            entry_from_json(JsonCursor(member.value, at.path() + '[' + quote(member.key) + ']')));
        map.processes.emplace_back(std::move(id), std::move(entry));
    }
    return KernelReply(std::move(map));
}

Result<KernelReply> debug_reply_from_json(const JsonCursor& at) {
    ASSIGN_OR_RETURN(const TaggedJson debug, read_tagged(at));
    ASSIGN_OR_RETURN(const JsonCursor content, content_of(debug, at));
    if (debug.name == "ProcessMap") {
        return process_map_from_json(content);
    }
    if (debug.name == "Process") {
        kernel_reply::DebugProcess reply;
        if (!content.value().is_null()) {
            ASSIGN_OR_RETURN(reply.entry, entry_from_json(content));
        }
        return KernelReply(std::move(reply));
    }
    if (debug.name == "HasCap") {
        kernel_reply::DebugHasCap reply;
        if (!content.value().is_null()) {
            ASSIGN_OR_RETURN(reply.held, content.boolean());
        }
        return KernelReply(reply);
    }
    return at.error("no debug reply " + quote(debug.name));
}

}  // namespace

Result<KernelCommand> decode_kernel_command(ByteView body) {
    ASSIGN_OR_RETURN(const Json document, parse_json(text_of(body)));
    const JsonCursor whole(document);
    ASSIGN_OR_RETURN(const TaggedJson command, read_tagged(whole));
    if (!command.content) {
        if (command.name == "Booted") {
            return KernelCommand(kernel_command::Booted{});
        }
        if (command.name == "Shutdown") {
            return KernelCommand(kernel_command::Shutdown{});
        }
        return whole.error("no kernel command " + quote(command.name) + " without content");
    }
    return command_with_content(command.name, *command.content, whole);
}

SharedBytes encode_kernel_command(const KernelCommand& command) {
    return SharedBytes(std::visit(CommandWriter{}, command).to_text());
}

Json process_entry_to_json(const ProcessEntry& entry) {
    return Json::object({
        {"wasm_bytes_handle", entry.wasm_bytes_handle},
        {"wit_version", version_to_json(entry.wit_version)},
        {"on_exit", on_exit_to_json(entry.on_exit)},
        {"capabilities", capabilities_to_json(entry.capabilities)},
        {"public", entry.is_public},
    });
}

SharedBytes encode_kernel_reply(const KernelReply& reply) {
    return SharedBytes(std::visit(ReplyWriter{}, reply).to_text());
}

Result<KernelReply> decode_kernel_reply(ByteView body) {
    using namespace kernel_reply;
    ASSIGN_OR_RETURN(const Json document, parse_json(text_of(body)));
    const JsonCursor whole(document);
    ASSIGN_OR_RETURN(const TaggedJson reply, read_tagged(whole));
    if (reply.content && reply.name == "Debug") {
        return debug_reply_from_json(*reply.content);
    }
    if (reply.content && reply.name == "KilledProcess") {
        ASSIGN_OR_RETURN(ProcessId id, id_from_json(*reply.content));
        return KernelReply(KilledProcess{std::move(id)});
    }
    if (!reply.content) {
        if (reply.name == "InitializedProcess") {
            return KernelReply(InitializedProcess{});
        }
        if (reply.name == "InitializeProcessError") {
            return KernelReply(InitializeProcessError{});
        }
        if (reply.name == "StartedProcess") {
            return KernelReply(StartedProcess{});
        }
        if (reply.name == "RunProcessError") {
            return KernelReply(RunProcessError{});
        }
    }
    return whole.error("no kernel reply " + quote(reply.name));
}

}  // namespace perdure
