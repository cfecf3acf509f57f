#pragma once

/// The values of mock.h as structs of kwe.h, and back. For mock.cc only.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kwe.h"
#include "engine/mock.h"

namespace perdure::engine::mock {

inline kwe_slice slice(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string string(const kwe_slice& from) {
    return {reinterpret_cast<const char*>(from.ptr), from.len};
}
inline std::optional<std::string> optional_string(const kwe_slice& from, std::uint8_t present) {
    return present != 0 ? std::optional(string(from)) : std::nullopt;
}
inline kwe_slice optional_slice(const std::optional<std::string>& text) {
    return text ? slice(std::string_view(*text)) : kwe_slice{};
}

/// kwe.h structs over the script's values; both have to live until the call has returned.
class Views {
public:
    static kwe_procid id(const Address& from) {
        return {slice(from.process), slice(from.package), slice(from.publisher)};
    }
    static kwe_address address(const Address& from) { return {slice(from.node), id(from)}; }
    std::span<const kwe_cap> capabilities(const std::vector<Capability>& from) {
        auto& made = capabilities_.emplace_back();
        for (const Capability& capability : from) {
            made.push_back({address(capability.issuer), slice(capability.params)});
        }
        return made;
    }
    static kwe_blob blob(const std::optional<Blob>& from) {
        return from ? kwe_blob{slice(from->bytes), optional_slice(from->mime), 1,
                               from->mime.has_value()}
                    : kwe_blob{};
    }
    kwe_request request(const Request& from) {
        const auto caps = capabilities(from.capabilities);
        return {slice(from.body),
                optional_slice(from.metadata),
                caps.data(),
                caps.size(),
                from.expects_response.value_or(0),
                from.inherit,
                from.expects_response.has_value(),
                from.metadata.has_value()};
    }
    kwe_response response(const Response& from) {
        const auto caps = capabilities(from.capabilities);
        return {slice(from.body), optional_slice(from.metadata), caps.data(), caps.size(),
                from.inherit,     from.metadata.has_value()};
    }
    kwe_send send(const Send& from) {
        return {address(from.target), request(from.request), blob(from.blob),
                optional_slice(from.context), from.context.has_value()};
    }
    std::span<const kwe_send> sends(const std::vector<Send>& from) {
        auto& made = sends_.emplace_back();
        for (const Send& one : from) {
            made.push_back(send(one));
        }
        return made;
    }
    kwe_on_exit on_exit(const OnExit& from) {
        const auto requests = sends(from.requests);
        return {static_cast<std::uint8_t>(from.kind), requests.data(), requests.size()};
    }

private:
    // Vectors of vectors: the elements stay where they are when the outer one grows.
    std::vector<std::vector<kwe_cap>> capabilities_;
    std::vector<std::vector<kwe_send>> sends_;
};

inline Address address_of(const kwe_address& from) {
    return {string(from.node), string(from.id.process), string(from.id.package),
            string(from.id.publisher)};
}
inline std::vector<Capability> capabilities_of(const kwe_cap* from, std::size_t count) {
    std::vector<Capability> made;
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back({address_of(from[i].issuer), string(from[i].params)});
    }
    return made;
}
inline std::optional<Blob> blob_of(const kwe_blob& from) {
    return from.present != 0
               ? std::optional(Blob{string(from.bytes), optional_string(from.mime, from.has_mime)})
               : std::nullopt;
}
inline Request request_of(const kwe_request& from) {
    return {string(from.body), from.inherit != 0,
            from.has_expects != 0 ? std::optional(from.expects_response) : std::nullopt,
            optional_string(from.metadata, from.has_metadata),
            capabilities_of(from.caps, from.ncaps)};
}
inline Response response_of(const kwe_response& from) {
    return {string(from.body), from.inherit != 0, optional_string(from.metadata, from.has_metadata),
            capabilities_of(from.caps, from.ncaps)};
}
inline OnExit on_exit_of(const kwe_on_exit& from) {
    OnExit made{from.kind, {}};
    for (std::size_t i = 0; i < from.nsends; ++i) {
        const kwe_send& send = from.sends[i];
        made.requests.push_back(
            {address_of(send.target), request_of(send.request), std::nullopt, blob_of(send.blob)});
    }
    return made;
}
inline Delivery delivery_of(const kwe_recv& from) {
    Delivery made;
    made.is_error = from.is_error != 0;
    made.error_kind = from.error_kind;
    made.is_response = from.message.is_response != 0;
    made.peer = address_of(from.peer);
    if (made.is_response) {
        made.response = response_of(from.message.response);
    } else {
        made.request = request_of(from.message.request);
    }
    made.context = made.is_error ? optional_string(from.context, from.has_context)
                                 : optional_string(from.message.context, from.message.has_context);
    made.blob = blob_of(from.blob);
    return made;
}

}  // namespace perdure::engine::mock
