// Sending and receiving: perdure/send.h, perdure/receive.h and perdure/blob.h.

#include <vector>

#include "lift.h"
#include "lower.h"
#include "perdure/blob.h"
#include "perdure/receive.h"
#include "perdure/send.h"

namespace perdure {

using detail::lift;
using detail::Lowering;

void send(const Outgoing& outgoing) {
    Lowering lowering;
    auto target = Lowering::address(outgoing.target);
    auto request = lowering.request(outgoing.request);
    detail::OptionalContext context(outgoing.context);
    detail::OptionalBlob blob(outgoing.blob);
    standard_send_request(&target, &request, context.pointer(), blob.pointer());
}

void send_all(std::span<const Outgoing> outgoing) {
    Lowering lowering;
    std::vector<standard_tuple4_address_request_option_context_option_lazy_load_blob_t> array;
    array.reserve(outgoing.size());
    for (const auto& message : outgoing) {
        const detail::OptionalContext context(message.context);
        const detail::OptionalBlob blob(message.blob);
        array.push_back({Lowering::address(message.target),
                         lowering.request(message.request),
                         {context.present, context.lowered},
                         {blob.present, blob.lowered}});
    }
    standard_list_tuple4_address_request_option_context_option_lazy_load_blob_t list{array.data(),
                                                                                     array.size()};
    standard_send_requests(&list);
}

Result<IncomingResponse, SendError> send_and_await(const Outgoing& outgoing) {
    Lowering lowering;
    auto target = Lowering::address(outgoing.target);
    auto request = lowering.request(outgoing.request);
    detail::OptionalBlob blob(outgoing.blob);
    standard_tuple2_address_message_t delivered;
    standard_send_error_t error;
    if (!standard_send_and_await_response(&target, &request, blob.pointer(), &delivered, &error)) {
        return Result<IncomingResponse, SendError>::failure(lift(error));
    }
    return detail::lift_response(delivered);
}

void respond(const Response& response, const std::optional<Blob>& blob) {
    Lowering lowering;
    auto lowered = lowering.response(response);
    detail::OptionalBlob lowered_blob(blob);
    standard_send_response(&lowered, lowered_blob.pointer());
}

Incoming receive() {
    standard_tuple2_address_message_t delivered;
    standard_tuple2_send_error_option_context_t failed;
    if (!standard_receive(&delivered, &failed)) {
        return FailedMessage{lift(failed.f0), lift(failed.f1)};
    }
    if (delivered.f1.tag == STANDARD_MESSAGE_REQUEST) {
        auto source = lift(delivered.f0);
        return IncomingRequest{std::move(source), lift(delivered.f1.val.request)};
    }
    return detail::lift_response(delivered);
}

std::optional<Blob> get_blob() {
    standard_lazy_load_blob_t blob;
    if (!standard_get_blob(&blob))
        return std::nullopt;
    return lift(blob);
}

#if PERDURE_WIT_VERSION >= 100

bool has_blob() {
    return standard_has_blob();
}

std::optional<Blob> last_blob() {
    standard_lazy_load_blob_t blob;
    if (!standard_last_blob(&blob))
        return std::nullopt;
    return lift(blob);
}

#endif

}  // namespace perdure
