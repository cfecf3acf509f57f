#include "kernel/party.h"

#include <functional>

namespace perdure::kernel {
namespace {

std::size_t mix(std::size_t seed, std::string_view part) {
    // Parts are hashed one by one, so that no separator inside a guest's record can imitate another
    // address (K-8).
    return (seed ^ std::hash<std::string_view>{}(part)) * 0x9e3779b97f4a7c15ULL;
}

}  // namespace

std::size_t hash_address(const AddressView& address) {
    std::size_t hash = mix(0, address.id.process);
    hash = mix(hash, address.id.package);
    hash = mix(hash, address.id.publisher);
    return mix(hash, address.node);
}

bool same_address(const AddressView& view, const Address& address) {
    return view.id.process == address.process.process &&
           view.id.package == address.process.package &&
           view.id.publisher == address.process.publisher && view.node == address.node;
}

AddressView view_of(const Address& address) {
    return {address.node,
            {address.process.process, address.process.package, address.process.publisher}};
}

CapabilityView view_of(const Capability& capability) {
    return {view_of(capability.issuer), capability.params};
}

BlobView view_of(const Blob& blob) {
    BlobView view;
    view.bytes = blob.bytes.view();
    if (blob.mime) {
        view.mime = *blob.mime;
    }
    return view;
}

Address copy_of(const AddressView& view) {
    return {std::string(view.node),
            {std::string(view.id.process), std::string(view.id.package),
             std::string(view.id.publisher)}};
}

Capability copy_of(const CapabilityView& view) {
    return {copy_of(view.issuer), std::string(view.params)};
}

Blob copy_of(const BlobView& view) {
    Blob blob;
    blob.bytes = SharedBytes(view.bytes);
    if (view.mime) {
        blob.mime = std::string(*view.mime);
    }
    return blob;
}

}  // namespace perdure::kernel
