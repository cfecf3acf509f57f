#pragma once

// Results of the glue's functions as our values. Each function takes over the memory its argument
// owns: bytes move, strings are copied and freed. An argument is used once and not freed again.

#include "guest.h"
#include "perdure/message.h"
#include "perdure/wit_version.h"

namespace perdure::detail {

std::string lift(guest_string_t text);
Bytes lift(guest_list_u8_t bytes);
ProcessId lift(const standard_process_id_t& id);
Address lift(const standard_address_t& address);
Blob lift(const standard_lazy_load_blob_t& blob);
Capability lift(const standard_capability_t& capability);
std::vector<Capability> lift(const standard_list_capability_t& capabilities);
Request lift(const standard_request_t& request);
Response lift(const standard_response_t& response);
SendError lift(const standard_send_error_t& error);

std::optional<std::string> lift(const standard_option_json_t& text);
std::optional<Bytes> lift(const standard_option_context_t& context);
std::optional<Blob> lift(const standard_option_lazy_load_blob_t& blob);

/// A delivered Response; traps if the node handed over anything else.
IncomingResponse lift_response(standard_tuple2_address_message_t& delivered);

}  // namespace perdure::detail
