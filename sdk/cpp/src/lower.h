#pragma once

// Our values as arguments of the glue's functions. Nothing is copied but the small records: every
// pointer leads into the value it was made from, which must outlive the call. A Lowering owns the
// arrays that lists of records need.

#include <list>
#include <string_view>
#include <vector>

#include "guest.h"
#include "perdure/message.h"
#include "perdure/process.h"

namespace perdure::detail {

class Lowering {
public:
    static guest_string_t text(std::string_view text) {
        return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())), text.size()};
    }
    static guest_list_u8_t bytes(const Bytes& bytes) {
        return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    }
    static standard_context_t context(const Bytes& bytes) {
        return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    }
    static standard_process_id_t process_id(const ProcessId& id) {
        return {text(id.process_name), text(id.package_name), text(id.publisher_node)};
    }
    static standard_address_t address(const Address& address) {
        return {text(address.node), process_id(address.process)};
    }
    static standard_lazy_load_blob_t blob(const Blob& blob) {
        standard_lazy_load_blob_t lowered{};
        lowered.mime.is_some = blob.mime.has_value();
        if (blob.mime)
            lowered.mime.val = text(*blob.mime);
        lowered.bytes = bytes(blob.bytes);
        return lowered;
    }

    standard_list_capability_t capabilities(std::span<const Capability> capabilities) {
        auto& array = capability_arrays_.emplace_back();
        array.reserve(capabilities.size());
        for (const auto& capability : capabilities) {
            array.push_back({address(capability.issuer), text(capability.params)});
        }
        return {array.data(), array.size()};
    }
    standard_request_t request(const Request& request) {
        standard_request_t lowered{};
        lowered.inherit = request.inherit;
        lowered.expects_response.is_some = request.expects_response_s.has_value();
        lowered.expects_response.val = request.expects_response_s.value_or(0);
        lowered.body = bytes(request.body);
        lowered.metadata = metadata(request.metadata);
        lowered.capabilities = list_of(request.capabilities);
        return lowered;
    }
    standard_response_t response(const Response& response) {
        standard_response_t lowered{};
        lowered.inherit = response.inherit;
        lowered.body = bytes(response.body);
        lowered.metadata = metadata(response.metadata);
        lowered.capabilities = list_of(response.capabilities);
        return lowered;
    }

private:
    static standard_option_json_t metadata(const std::optional<std::string>& metadata) {
        standard_option_json_t lowered{};
        lowered.is_some = metadata.has_value();
        if (metadata)
            lowered.val = text(*metadata);
        return lowered;
    }
    standard_list_capability_t list_of(const std::vector<Capability>& list) {
        if (list.empty())
            return {nullptr, 0};
        return capabilities(list);
    }

    std::list<std::vector<standard_capability_t>> capability_arrays_;
};

/// Pointers as the glue wants them for optional arguments: null for none.
struct OptionalBlob {
    explicit OptionalBlob(const std::optional<Blob>& blob) : present(blob.has_value()) {
        if (blob)
            lowered = Lowering::blob(*blob);
    }
    standard_lazy_load_blob_t* pointer() { return present ? &lowered : nullptr; }

    standard_lazy_load_blob_t lowered{};
    bool present;
};

struct OptionalContext {
    explicit OptionalContext(const std::optional<Bytes>& context) : present(context.has_value()) {
        if (context)
            lowered = Lowering::context(*context);
    }
    standard_context_t* pointer() { return present ? &lowered : nullptr; }

    standard_context_t lowered{};
    bool present;
};

}  // namespace perdure::detail
