#pragma once

#include <span>
#include <vector>

#include "perdure/message.h"

namespace perdure {

/// All rights this process holds.
std::vector<Capability> our_capabilities();

/// Whether this process holds the right `params` issued by `issuer`.
bool holds(const Address& issuer, std::string_view params);

/// Keeps rights that arrived with the message being handled; others are left out by the node.
void save_capabilities(std::span<const Capability> capabilities);

/// Gives rights up.
void drop_capabilities(std::span<const Capability> capabilities);

}  // namespace perdure
