#pragma once

/// `GET /v1/logs`: a log subscription poured into an HTTP stream. Private to the control protocol.

#include "node/node_api.h"
#include "transport/http_server.h"

namespace perdure::node {

/// Subscribes and answers with a stream of JSON lines; after an error nothing was answered yet. The
/// subscription ends with the stream: when the client leaves, the server stops or the last line has
/// gone out. Lines that a slow client has no room for are dropped and counted in the next line it
/// gets: `{"dropped":N}`.
Result<void> stream_logs(NodeApi& api, const LogQuery& query,
                         const transport::HttpResponder& responder);

}  // namespace perdure::node
