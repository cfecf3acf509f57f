#include "abi/message_codec.h"

#include "abi/quote.h"

namespace perdure {
namespace {

Json optional_to_json(const std::optional<std::string>& text) {
    return text ? Json(*text) : Json();
}

Json request_to_json(const Request& request) {
    return Json::object({
        {"inherit", request.inherit},
        {"expects_response", request.expects_response ? Json(*request.expects_response) : Json()},
        {"body", Json::byte_array(request.body.view())},
        {"metadata", optional_to_json(request.metadata)},
        {"capabilities", capabilities_to_json(request.capabilities)},
    });
}

Json exit_request_to_json(const ExitRequest& exit) {
    Json blob;
    if (exit.blob) {
        blob = Json::object({{"mime", optional_to_json(exit.blob->mime)},
                             {"bytes", Json::byte_array(exit.blob->bytes.view())}});
    }
    Json triple = Json::array();
    triple.push(to_string(exit.target)).push(request_to_json(exit.request)).push(std::move(blob));
    return triple;
}

Result<SharedBytes> body_from_json(const JsonCursor& at, BodyForm form) {
    if (form == BodyForm::BytesOrText) {
        if (const std::string* text = at.value().as_string()) {
            return SharedBytes(*text);
        }
    }
    return at.bytes();
}

Result<Request> request_from_json(const JsonCursor& at, BodyForm form) {
    Request request;
    ASSIGN_OR_RETURN(request.inherit, bool_or(at, "inherit", false));
    ASSIGN_OR_RETURN(request.expects_response, optional_u64(at, "expects_response"));
    ASSIGN_OR_RETURN(const JsonCursor body, at.member("body"));
    ASSIGN_OR_RETURN(request.body, body_from_json(body, form));
    ASSIGN_OR_RETURN(request.metadata, optional_string(at, "metadata"));
    ASSIGN_OR_RETURN(const auto capabilities, at.optional_member("capabilities"));
    if (capabilities) {
        ASSIGN_OR_RETURN(request.capabilities, capabilities_from_json(*capabilities));
    }
    return request;
}

Result<std::optional<Blob>> blob_from_json(const JsonCursor& at) {
    if (at.value().is_null()) {
        return std::optional<Blob>();
    }
    Blob blob;
    ASSIGN_OR_RETURN(blob.mime, optional_string(at, "mime"));
    ASSIGN_OR_RETURN(const JsonCursor bytes, at.member("bytes"));
    ASSIGN_OR_RETURN(blob.bytes, bytes.bytes());
    return std::optional(std::move(blob));
}

Result<Address> address_from_json(const JsonCursor& at) {
    ASSIGN_OR_RETURN(const std::string_view text, at.string());
    return parse_address_shape(text).with_context(at.path());
}

Result<Capability> capability_from_object(const JsonCursor& at) {
    ASSIGN_OR_RETURN(const JsonCursor issuer, at.member("issuer"));
    ASSIGN_OR_RETURN(const JsonCursor params, at.member("params"));
    Capability capability;
    ASSIGN_OR_RETURN(capability.issuer, address_from_json(issuer));
    ASSIGN_OR_RETURN(const std::string_view text, params.string());
    capability.params = text;
    return capability;
}

Result<ExitRequest> exit_request_from_json(const JsonCursor& at, BodyForm form) {
    ASSIGN_OR_RETURN(const std::size_t size, at.array_size());
    if (size != 3) {
        return at.error("expected [address, request, blob or null], got " + std::to_string(size) +
                        " items");
    }
    ExitRequest exit;
    ASSIGN_OR_RETURN(exit.target, address_from_json(at.item(0)));
    ASSIGN_OR_RETURN(exit.request, request_from_json(at.item(1), form));
    ASSIGN_OR_RETURN(exit.blob, blob_from_json(at.item(2)));
    return exit;
}

}  // namespace

Json capability_to_json(const Capability& capability) {
    return Json::object({{"issuer", to_string(capability.issuer)}, {"params", capability.params}});
}

Json capabilities_to_json(const std::vector<Capability>& capabilities) {
    Json list = Json::array();
    for (const Capability& capability : capabilities) {
        list.push(capability_to_json(capability));
    }
    return list;
}

Result<Capability> capability_from_json(const JsonCursor& at) {
    const Json::Array* pair = at.value().as_array();
    if (!pair) {
        return capability_from_object(at);
    }
    if (pair->size() != 2) {
        return at.error("expected a capability object or the pair [object, signature bytes]");
    }
    RETURN_IF_ERROR(at.item(1).bytes());
    return capability_from_object(at.item(0));
}

Result<std::vector<Capability>> capabilities_from_json(const JsonCursor& at) {
    ASSIGN_OR_RETURN(const std::size_t size, at.array_size());
    std::vector<Capability> list;
    list.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        ASSIGN_OR_RETURN(Capability capability, capability_from_json(at.item(i)));
        list.push_back(std::move(capability));
    }
    return list;
}

Json on_exit_to_json(const OnExit& on_exit) {
    if (on_exit.kind != OnExit::Kind::Requests) {
        return to_string(on_exit.kind);
    }
    Json list = Json::array();
    for (const ExitRequest& exit : on_exit.requests) {
        list.push(exit_request_to_json(exit));
    }
    return Json::object({{"Requests", std::move(list)}});
}

Result<OnExit> on_exit_from_json(const JsonCursor& at, BodyForm body) {
    static constexpr std::string_view kForms = "\"None\", \"Restart\" or {\"Requests\": […]}";
    const auto tagged = read_tagged(at);
    if (!tagged) {
        return at.expected(kForms);
    }
    if (tagged->name == "None" && !tagged->content) {
        return OnExit::none();
    }
    if (tagged->name == "Restart" && !tagged->content) {
        return OnExit::restart();
    }
    if (tagged->name != "Requests" || !tagged->content) {
        return at.error("expected " + std::string(kForms) + ", got " + quote(tagged->name));
    }
    ASSIGN_OR_RETURN(const std::size_t size, tagged->content->array_size());
    std::vector<ExitRequest> requests;
    requests.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        ASSIGN_OR_RETURN(ExitRequest exit, exit_request_from_json(tagged->content->item(i), body));
        requests.push_back(std::move(exit));
    }
    return OnExit::fire(std::move(requests));
}

}  // namespace perdure
