#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "perdure/address.h"
#include "perdure/bytes.h"

namespace perdure {

/// Bytes beside a message. "No mime" and "empty mime" differ; so do "no blob" and "empty blob".
struct Blob {
    std::optional<std::string> mime;
    Bytes bytes;
    friend bool operator==(const Blob&, const Blob&) = default;
};

/// A right: named by the process that issued it and by parameters (JSON text by convention).
struct Capability {
    Address issuer;
    std::string params;
    friend bool operator==(const Capability&, const Capability&) = default;
};

/// A message that may want an answer.
struct Request {
    /// Continue the request being handled: whoever gets this one may answer in our place, and the
    /// blob being handled goes along unless another one is given.
    bool inherit = false;
    /// Seconds until the node reports a timeout; none: no answer is wanted.
    std::optional<std::uint64_t> expects_response_s;
    Bytes body;
    std::optional<std::string> metadata;
    std::vector<Capability> capabilities;
    friend bool operator==(const Request&, const Request&) = default;
};

/// The answer to the most recent Request that wanted one.
struct Response {
    /// Carry the blob being handled unless another one is given.
    bool inherit = false;
    Bytes body;
    std::optional<std::string> metadata;
    std::vector<Capability> capabilities;
    friend bool operator==(const Response&, const Response&) = default;
};

/// A Request out of the mailbox. `source` is set by the node and can be trusted; for another node's
/// process only its node name is proven.
struct IncomingRequest {
    Address source;
    Request request;
};

/// The answer to one of our Requests. `source` need not be the process we asked.
struct IncomingResponse {
    Address source;
    Response response;
    /// What the Request was sent with.
    std::optional<Bytes> context;
};

enum class SendErrorKind {
    Offline,  ///< The target's node cannot be reached or is not known.
    Timeout,  ///< Everything else: no answer in time, or none possible.
};

/// A message of ours that failed, with all it carried.
struct SendError {
    SendErrorKind kind = SendErrorKind::Timeout;
    /// None only in guests of interface version 0.7, which is not told.
    std::optional<Address> target;
    std::variant<Request, Response> message;
    std::optional<Blob> blob;
};

/// A send error out of the mailbox.
struct FailedMessage {
    SendError error;
    /// What the message was sent with.
    std::optional<Bytes> context;
};

/// An element of the mailbox.
using Incoming = std::variant<IncomingRequest, IncomingResponse, FailedMessage>;

/// A Request together with where it goes and what travels beside it.
struct Outgoing {
    Address target;
    Request request;
    std::optional<Bytes> context;
    std::optional<Blob> blob;
};

}  // namespace perdure
