#pragma once

/// What processes say to each other, as guests see it (kernel specification §2.1 and §8.2). Values:
/// cheap to move; bodies and blobs are shared and immutable, so copying a message copies no content
/// bytes (K-47, K-237).
///
/// Ids, sources, targets, reply addresses and contexts belong to the kernel's envelope and are not
/// here (K-17).

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "abi/ids.h"
#include "base/bytes.h"

namespace perdure {

/// A right: whoever holds it may do what `issuer` understands by `params` (K-85).
struct Capability {
    Address issuer;
    std::string
        params;  ///< JSON text as first received, never rewritten (K-87). May be no JSON at all.

    /// Equality of K-86: same issuer, same JSON value; see abi/capability.h. Reads both params: for
    /// large sets compare `CapabilityKey`s instead.
    friend bool operator==(const Capability& left, const Capability& right);
};

/// Bytes that travel beside a body and are copied into a guest only when it asks (K-46, K-47).
struct Blob {
    std::optional<std::string> mime;  ///< "None" and "empty" differ.
    SharedBytes bytes;

    friend bool operator==(const Blob&, const Blob&) = default;
};

struct Request {
    bool inherit = false;
    std::optional<std::uint64_t>
        expects_response;  ///< Seconds until Timeout; nothing: no Response is expected.
    SharedBytes body;
    std::optional<std::string>
        metadata;  ///< JSON text by convention, never checked (K-19). Absent and empty differ.
    std::vector<Capability> capabilities;

    friend bool operator==(const Request&, const Request&) = default;
};

struct Response {
    bool inherit = false;
    SharedBytes body;
    std::optional<std::string> metadata;
    std::vector<Capability> capabilities;

    friend bool operator==(const Response&, const Response&) = default;
};

/// A Response's context lies beside it, in the envelope.
using Message = std::variant<Request, Response>;

/// Offline: the target's node cannot be reached. Timeout: every other way to fail (K-61).
enum class SendErrorKind : std::uint8_t { Offline, Timeout };

/// A message that failed, as its sender gets it back (K-62).
struct SendError {
    SendErrorKind kind = SendErrorKind::Timeout;
    Address target;  ///< With `our` resolved.
    Message
        message;  ///< As it was sent, after filtering; the last capability may be a mark (K-242).
    std::optional<Blob> blob;

    friend bool operator==(const SendError&, const SendError&) = default;
};

/// One message of `OnExit::Requests`: sent, once, in the name of the process that ended (K-154).
struct ExitRequest {
    Address target;
    Request request;
    std::optional<Blob> blob;

    friend bool operator==(const ExitRequest&, const ExitRequest&) = default;
};

/// What happens when a process ends (K-144).
struct OnExit {
    enum class Kind : std::uint8_t { None, Restart, Requests };

    Kind kind = Kind::None;
    std::vector<ExitRequest> requests;  ///< Empty unless `kind` is Requests.

    static OnExit none() { return {}; }
    static OnExit restart() { return {Kind::Restart, {}}; }
    static OnExit fire(std::vector<ExitRequest> requests) {
        return {Kind::Requests, std::move(requests)};
    }

    friend bool operator==(const OnExit&, const OnExit&) = default;
};

inline std::string_view to_string(SendErrorKind kind) {
    return kind == SendErrorKind::Offline ? "Offline" : "Timeout";
}
inline std::string_view to_string(OnExit::Kind kind) {
    switch (kind) {
        case OnExit::Kind::None: return "None";
        case OnExit::Kind::Restart: return "Restart";
        case OnExit::Kind::Requests: return "Requests";
    }
    return "None";
}
inline std::ostream& operator<<(std::ostream& out, SendErrorKind kind) {
    return out << to_string(kind);
}
inline std::ostream& operator<<(std::ostream& out, OnExit::Kind kind) {
    return out << to_string(kind);
}

}  // namespace perdure
