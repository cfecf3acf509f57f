#include "abi/state_codec.h"

#include "abi/json.h"
#include "abi/json_cursor.h"
#include "abi/quote.h"

namespace perdure {
namespace {

using namespace state_request;

struct RequestName {
    std::string_view operator()(const GetState&) const { return "GetState"; }
    std::string_view operator()(const SetState&) const { return "SetState"; }
    std::string_view operator()(const DeleteState&) const { return "DeleteState"; }
    std::string_view operator()(const Backup&) const { return "Backup"; }
};

Json tagged(std::string_view name, Json content) {
    return Json::object({{name, std::move(content)}});
}

struct RequestWriter {
    Json operator()(const Backup&) const { return "Backup"; }
    template <typename WithId>
    Json operator()(const WithId& request) const {
        return tagged(RequestName{}(request), to_string(request.id));
    }
};

struct ErrorWriter {
    Json operator()(const state_error::NotFound& error) const {
        return tagged("NotFound", Json::object({{"process_id", to_string(error.id)}}));
    }
    Json operator()(const state_error::BadBytes& error) const {
        return tagged("BadBytes", Json::object({{"action", error.action}}));
    }
    Json operator()(const state_error::BadJson& error) const {
        return tagged("BadJson", Json::object({{"error", error.error}}));
    }
    Json operator()(const state_error::BadRequest& error) const {
        return tagged("BadRequest", Json::object({{"error", error.error}}));
    }
    Json operator()(const state_error::StoreFailure& error) const {
        return tagged("RocksDBError",
                      Json::object({{"action", error.action}, {"error", error.error}}));
    }
    Json operator()(const state_error::IoError& error) const {
        return tagged("IOError", Json::object({{"error", error.error}}));
    }
    Json operator()(const state_error::StartupError& error) const {
        return tagged("StartupError", Json::object({{"action", error.action}}));
    }
};

}  // namespace

Result<StateRequest> decode_state_request(ByteView body) {
    ASSIGN_OR_RETURN(const Json document, parse_json(text_of(body)));
    const JsonCursor whole(document);
    ASSIGN_OR_RETURN(const TaggedJson request, read_tagged(whole));
    if (request.name == "Backup" && !request.content) {
        return StateRequest(Backup{});
    }
    const bool known =
        request.name == "GetState" || request.name == "SetState" || request.name == "DeleteState";
    if (!known) {
        return whole.error("no request " + quote(request.name) +
                           "; known are GetState, SetState, DeleteState and Backup");
    }
    ASSIGN_OR_RETURN(const JsonCursor content, content_of(request, whole));
    ASSIGN_OR_RETURN(const std::string_view text, content.string());
    ASSIGN_OR_RETURN(ProcessId id, parse_process_id_shape(text).with_context(content.path()));
    if (request.name == "GetState") {
        return StateRequest(GetState{std::move(id)});
    }
    if (request.name == "SetState") {
        return StateRequest(SetState{std::move(id)});
    }
    return StateRequest(DeleteState{std::move(id)});
}

SharedBytes encode_state_request(const StateRequest& request) {
    return SharedBytes(std::visit(RequestWriter{}, request).to_text());
}

SharedBytes encode_state_success(const StateRequest& request) {
    return SharedBytes(Json(std::visit(RequestName{}, request)).to_text());
}

SharedBytes encode_state_error(const StateError& error) {
    return SharedBytes(tagged("Err", std::visit(ErrorWriter{}, error)).to_text());
}

}  // namespace perdure
