#pragma once

/// What requests of the control protocol carry, checked: docs/protocols/control.md. Private to the
/// control protocol.
///
/// Errors of all: InvalidInput, naming the member or parameter and what would be right.

#include <string>
#include <string_view>

#include "base/result.h"
#include "node/node_api.h"
#include "transport/http.h"

namespace perdure::node {

/// The absolute directory of `POST /v1/packages`.
Result<std::string> parse_start_request(std::string_view body);
/// `POST /v1/send`. The address has been checked, the target may not exist.
Result<SendCommand> parse_send_request(std::string_view request);
/// The parameters of `GET /v1/logs`.
Result<LogQuery> parse_log_query(const transport::HttpTarget& target);

}  // namespace perdure::node
