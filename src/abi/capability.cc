#include "abi/capability.h"

#include "abi/json.h"
#include "abi/message_codec.h"

namespace perdure {
namespace {

// key    := issuer " " ("j" canonical-json | "t" text)
// issuer := printed address, of a safe one | "!" (decimal-length ":" part)^4 of any other
//
// A safe address holds neither blank nor `!`, so keys of different capabilities differ.
std::string issuer_key(const Address& issuer) {
    if (is_safe(issuer)) {
        return to_string(issuer);
    }
    std::string key = "!";
    for (const std::string* part : {&issuer.node, &issuer.process.process, &issuer.process.package,
                                    &issuer.process.publisher}) {
        key += std::to_string(part->size()) + ':' + *part;
    }
    return key;
}

std::string params_key(std::string_view params) {
    if (params == kMessagingParams || params == kNetworkParams) {
        return 'j' + std::string(params);  // By far the most frequent ones, and already canonical.
    }
    const auto json = parse_json(params);
    return json ? 'j' + json->to_canonical_text() : 't' + std::string(params);
}

Address kernel_of(std::string_view own_node) {
    return {std::string(own_node), well_known::kernel()};
}

// The mark's params, if it is one: exactly one of the two keys decides.
std::optional<Json> mark_params(const Capability& capability, std::string_view own_node) {
    if (capability.issuer.node != own_node || capability.issuer.process != well_known::kernel()) {
        return std::nullopt;
    }
    auto params = parse_json(capability.params);
    if (!params || !(params->find("denied") || params->find("full"))) {
        return std::nullopt;
    }
    return std::move(params).value();
}

Result<Capability> read_denied(const Json& params) {
    ASSIGN_OR_RETURN(const JsonCursor denied, JsonCursor(params).member("denied"));
    return capability_from_json(denied);
}

Result<Refusal> read_refusal(const Json& params) {
    ASSIGN_OR_RETURN(const JsonCursor full, JsonCursor(params).member("full"));
    ASSIGN_OR_RETURN(const auto outstanding, optional_u64(full, "outstanding"));
    if (outstanding) {
        return Refusal(TooMuchOutstanding{*outstanding});
    }
    ASSIGN_OR_RETURN(const auto messages, optional_u64(full, "messages"));
    ASSIGN_OR_RETURN(const auto bytes, optional_u64(full, "bytes"));
    ASSIGN_OR_RETURN(const auto peer, optional_string(full, "peer"));
    if (peer) {
        return Refusal(FullPeer{*peer, messages.value_or(0), bytes.value_or(0)});
    }
    ASSIGN_OR_RETURN(const JsonCursor mailbox, full.member("mailbox"));
    ASSIGN_OR_RETURN(const std::string_view text, mailbox.string());
    ASSIGN_OR_RETURN(Address address, parse_address_shape(text));
    return Refusal(FullMailbox{std::move(address), messages.value_or(0), bytes.value_or(0)});
}

Json refusal_to_json(const FullMailbox& full) {
    return Json::object(
        {{"mailbox", to_string(full.mailbox)}, {"messages", full.messages}, {"bytes", full.bytes}});
}
Json refusal_to_json(const FullPeer& full) {
    return Json::object({{"peer", full.peer}, {"messages", full.messages}, {"bytes", full.bytes}});
}
Json refusal_to_json(const TooMuchOutstanding& full) {
    return Json::object({{"outstanding", full.outstanding}});
}

}  // namespace

bool operator==(const Capability& left, const Capability& right) {
    return left.issuer == right.issuer && params_equal(left.params, right.params);
}

Capability messaging_of(Address process) {
    return {std::move(process), std::string(kMessagingParams)};
}
Capability network_of(std::string_view own_node) {
    return {kernel_of(own_node), std::string(kNetworkParams)};
}
Capability root_of(std::string_view own_node) {
    return messaging_of(kernel_of(own_node));
}

bool params_equal(std::string_view left, std::string_view right) {
    return left == right || params_key(left) == params_key(right);
}

CapabilityKey::CapabilityKey(const Capability& capability)
    : text_(issuer_key(capability.issuer) + ' ' + params_key(capability.params)) {}

std::string to_string(const Capability& capability) {
    return to_string(capability.issuer) + '(' + capability.params + ')';
}
std::ostream& operator<<(std::ostream& out, const Capability& capability) {
    return out << to_string(capability);
}

Capability make_denial_mark(std::string_view own_node, const Capability& missing) {
    return {kernel_of(own_node), Json::object({{"denied", capability_to_json(missing)}}).to_text()};
}

Capability make_refusal_mark(std::string_view own_node, const Refusal& refusal) {
    Json full = std::visit([](const auto& what) { return refusal_to_json(what); }, refusal);
    return {kernel_of(own_node), Json::object({{"full", std::move(full)}}).to_text()};
}

bool is_mark(const Capability& capability, std::string_view own_node) {
    return mark_params(capability, own_node).has_value();
}

std::optional<Capability> denied_by(const Capability& capability, std::string_view own_node) {
    const auto params = mark_params(capability, own_node);
    if (!params) {
        return std::nullopt;
    }
    auto denied = read_denied(*params);
    return denied ? std::optional(std::move(denied).value()) : std::nullopt;
}

std::optional<Refusal> refused_by(const Capability& capability, std::string_view own_node) {
    const auto params = mark_params(capability, own_node);
    if (!params) {
        return std::nullopt;
    }
    auto refusal = read_refusal(*params);
    return refusal ? std::optional(std::move(refusal).value()) : std::nullopt;
}

}  // namespace perdure
