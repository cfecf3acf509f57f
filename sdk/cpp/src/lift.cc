#include "lift.h"

#include <cstdlib>

#include "perdure/process.h"

namespace perdure::detail {

std::string lift(guest_string_t text) {
    std::string lifted(reinterpret_cast<const char*>(text.ptr), text.len);
    guest_string_free(&text);
    return lifted;
}

Bytes lift(guest_list_u8_t bytes) {
    return Bytes::adopt(bytes.ptr, bytes.len);
}

ProcessId lift(const standard_process_id_t& id) {
    return {lift(id.process_name), lift(id.package_name), lift(id.publisher_node)};
}

Address lift(const standard_address_t& address) {
    return {lift(address.node), lift(address.process)};
}

Blob lift(const standard_lazy_load_blob_t& blob) {
    Blob lifted;
    if (blob.mime.is_some)
        lifted.mime = lift(blob.mime.val);
    lifted.bytes = lift(blob.bytes);
    return lifted;
}

Capability lift(const standard_capability_t& capability) {
    return {lift(capability.issuer), lift(capability.params)};
}

std::vector<Capability> lift(const standard_list_capability_t& capabilities) {
    std::vector<Capability> lifted;
    lifted.reserve(capabilities.len);
    for (std::size_t i = 0; i < capabilities.len; ++i) {
        lifted.push_back(lift(capabilities.ptr[i]));
    }
    if (capabilities.len > 0)
        std::free(capabilities.ptr);
    return lifted;
}

Request lift(const standard_request_t& request) {
    Request lifted;
    lifted.inherit = request.inherit;
    if (request.expects_response.is_some)
        lifted.expects_response_s = request.expects_response.val;
    lifted.body = lift(request.body);
    lifted.metadata = lift(request.metadata);
    lifted.capabilities = lift(request.capabilities);
    return lifted;
}

Response lift(const standard_response_t& response) {
    Response lifted;
    lifted.inherit = response.inherit;
    lifted.body = lift(response.body);
    lifted.metadata = lift(response.metadata);
    lifted.capabilities = lift(response.capabilities);
    return lifted;
}

SendError lift(const standard_send_error_t& error) {
    SendError lifted;
    lifted.kind = error.kind == STANDARD_SEND_ERROR_KIND_OFFLINE ? SendErrorKind::Offline
                                                                 : SendErrorKind::Timeout;
#if PERDURE_WIT_VERSION >= 80
    lifted.target = lift(error.target);
#endif
    if (error.message.tag == STANDARD_MESSAGE_REQUEST) {
        lifted.message = lift(error.message.val.request);
    } else {
        lifted.message = lift(error.message.val.response.f0);
        // A Response that comes back has no context of its own; what stands there is freed.
        (void)lift(error.message.val.response.f1);
    }
    lifted.blob = lift(error.lazy_load_blob);
    return lifted;
}

std::optional<std::string> lift(const standard_option_json_t& text) {
    if (!text.is_some)
        return std::nullopt;
    return lift(text.val);
}

std::optional<Bytes> lift(const standard_option_context_t& context) {
    if (!context.is_some)
        return std::nullopt;
    return Bytes::adopt(context.val.ptr, context.val.len);
}

std::optional<Blob> lift(const standard_option_lazy_load_blob_t& blob) {
    if (!blob.is_some)
        return std::nullopt;
    return lift(blob.val);
}

IncomingResponse lift_response(standard_tuple2_address_message_t& delivered) {
    if (delivered.f1.tag != STANDARD_MESSAGE_RESPONSE)
        panic("the node answered with a Request");
    IncomingResponse lifted;
    lifted.source = lift(delivered.f0);
    lifted.response = lift(delivered.f1.val.response.f0);
    lifted.context = lift(delivered.f1.val.response.f1);
    return lifted;
}

}  // namespace perdure::detail
