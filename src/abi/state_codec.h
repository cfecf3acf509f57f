#pragma once

/// Bodies of `state:distro:sys` (K-203, K-204). The stored object itself travels as the blob.

#include <string>
#include <string_view>
#include <variant>

#include "abi/ids.h"
#include "base/bytes.h"
#include "base/result.h"

namespace perdure {

/// The mime of the object in the reply to GetState.
inline constexpr std::string_view kStateMime = "application/octet-stream";

namespace state_request {
struct GetState {
    ProcessId id;
};
struct SetState {
    ProcessId id;  ///< The object is the Request's blob.
};
struct DeleteState {
    ProcessId id;
};
struct Backup {};
}  // namespace state_request

using StateRequest = std::variant<state_request::GetState, state_request::SetState,
                                  state_request::DeleteState, state_request::Backup>;

/// Errors: InvalidInput or Overloaded; answer `state_error::BadJson` with the message.
/// Ids have the shape of an id only: nothing is stored for an unsafe one.
Result<StateRequest> decode_state_request(ByteView body);
SharedBytes encode_state_request(const StateRequest& request);

namespace state_error {
struct NotFound {
    ProcessId id;  ///< GetState without a stored object.
};
struct BadBytes {
    std::string action;  ///< `SetState` without a blob.
};
struct BadJson {
    std::string error;
};
struct BadRequest {
    std::string error;  ///< The message was not a Request.
};
struct StoreFailure {
    std::string action;  ///< On the wire `RocksDBError`, whatever the store is.
    std::string error;
};
struct IoError {
    std::string error;
};
struct StartupError {
    std::string action;
};
}  // namespace state_error

using StateError = std::variant<state_error::NotFound, state_error::BadBytes, state_error::BadJson,
                                state_error::BadRequest, state_error::StoreFailure,
                                state_error::IoError, state_error::StartupError>;

/// The reply to a request that succeeded: its name as a JSON string, for example `"GetState"`.
SharedBytes encode_state_success(const StateRequest& request);
/// `{"Err":{…}}`
SharedBytes encode_state_error(const StateError& error);

}  // namespace perdure
