#pragma once

/// The control protocol: routes of docs/protocols/control.md onto `NodeApi`, values onto JSON.
///
/// It decides nothing: it parses, calls one method, and turns the answer or error into a response.
/// Where a name does not exist it adds the closest one that does. It holds no state but the log
/// subscriptions of open streams, each owned by its stream and ended with it.

#include <functional>
#include <memory>
#include <string>

#include "abi/json.h"
#include "base/result.h"
#include "node/node_api.h"
#include "transport/http_server.h"

namespace perdure::node {

/// Which routes a listener offers: the control socket has all of them, the public port only what
/// needs no right.
enum class ControlScope : std::uint8_t {
    Everything,  ///< Whoever can open the socket is root (M-DSK-6).
    HealthOnly,  ///< `/healthz` and `/readyz`; everything else is 404 (M-HSV-48).
};

/// A handler for `HttpServer`. `api` outlives the server it is given to.
transport::HttpHandler make_control_handler(NodeApi& api, ControlScope scope);

/// The status an error of ours has on the wire.
unsigned http_status(ErrorCode code);
/// `{"error":{"code":"not_found","message":"…"}}`
Json error_json(const Error& error);
transport::HttpResponse error_response(const Error& error);

/// The wire form of values, also used by the command line for `--json` and for reading answers
/// back.
Json to_json(const ProcessRow& row);
Json to_json(const PackageRow& row);
Json to_json(const StartedPackage& started);
Json to_json(const SendAnswer& answer);
Json to_json(const ProcessStateInfo& info);
Json to_json(const LogLine& line);
Json to_json(const SettingRow& row);
Json to_json(const Health& health);
Json to_json(const VersionInfo& version);

}  // namespace perdure::node
