#pragma once

/// Who a message comes from or goes to: an address that never changes, with its hash, shared by all
/// that name it.

#include <string>
#include <string_view>

#include "abi/ids.h"
#include "abi/message.h"
#include "base/ref.h"
#include "kernel/host_calls.h"

namespace perdure::kernel {

/// One hash for an address however it is held, so that a guest's view finds the kernel's own
/// record.
std::size_t hash_address(const AddressView& address);
bool same_address(const AddressView& view, const Address& address);

/// Views of our own values; they live as long as what they view.
AddressView view_of(const Address& address);
CapabilityView view_of(const Capability& capability);
BlobView view_of(const Blob& blob);
/// Copies of what a guest handed over.
Address copy_of(const AddressView& view);
Capability copy_of(const CapabilityView& view);
Blob copy_of(const BlobView& view);

class Party final : public RefCounted {
public:
    explicit Party(Address address_in)
        : address(std::move(address_in)),
          hash(hash_address(view_of(address))),
          printed(to_string(address)) {}

    const Address address;
    const std::size_t hash;
    const std::string printed;
};

inline bool same_party(const Party& left, const Party& right) {
    return &left == &right || (left.hash == right.hash && left.address == right.address);
}

}  // namespace perdure::kernel
