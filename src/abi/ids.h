#pragma once

/// Names: who a process, a package and a node are, as values, and their printed forms (kernel
/// specification §1).
///
///   package id   package:publisher                          my-cool-software:publisher-node.os
///   process id   process:package:publisher chat:my-cool-software:publisher-node.os address
///   node@process:package:publisher some-user.os@chat:my-cool-software:publisher-node.os
///
/// Ids are compared part by part and byte by byte: no case folding, no normalisation (K-9). Parsing
/// checks the characters too (K-7); only records that guests hand over may hold anything, and
/// `is_safe` tells (K-8).

#include <compare>
#include <cstddef>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "base/result.h"

namespace perdure {

/// The longest part of an id, in bytes. A longer one is refused like a bad character (K-2).
inline constexpr std::size_t kIdPartBytesMax = 255;

/// In an address from a guest this node name means the own node (K-12). Never so in one from the
/// network.
inline constexpr std::string_view kOurNode = "our";

struct PackageId {
    std::string package;
    std::string publisher;

    friend auto operator<=>(const PackageId&, const PackageId&) = default;
};

struct ProcessId {
    std::string process;
    std::string package;
    std::string publisher;

    PackageId package_id() const { return {package, publisher}; }
    friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

struct Address {
    std::string node;
    ProcessId process;

    friend auto operator<=>(const Address&, const Address&) = default;
};

/// What is wrong with the text of an id (K-6).
enum class AddressFault {
    TooManyAts,
    TooManyColons,
    MissingNodeId,
    MissingField,
    ProcessNameNotSafe,
    PackageNameNotSafe,
    NodeNotSafe,
    PublisherNodeNotSafe,
};
/// The kind as it stands in the specification, for example `MissingNodeId`.
std::string_view to_string(AddressFault fault);

/// A fault with the part that shows it; `part` is empty unless the fault is one of the four
/// `…NotSafe`.
struct AddressProblem {
    AddressFault fault;
    std::string part;

    friend bool operator==(const AddressProblem&, const AddressProblem&) = default;
};

/// The first fault of `text` by the rules of K-4 (address) and K-5 (process id, package id);
/// nothing if it is valid.
std::optional<AddressProblem> find_address_problem(std::string_view text);
std::optional<AddressProblem> find_process_id_problem(std::string_view text);
std::optional<AddressProblem> find_package_id_problem(std::string_view text);

/// Parse a printed form. Errors: InvalidInput; the message starts with the name of the
/// AddressFault, shows the offending part (shortened, control characters escaped) and says what is
/// allowed.
Result<Address> parse_address(std::string_view text);
Result<ProcessId> parse_process_id(std::string_view text);
Result<PackageId> parse_package_id(std::string_view text);

/// The same without the check of characters and lengths: for ids inside JSON bodies, which like
/// records may name anything that "does not exist" (K-8). Old module names come back under their
/// present names (M-DIA-1).
Result<Address> parse_address_shape(std::string_view text);
Result<ProcessId> parse_process_id_shape(std::string_view text);

/// Whether all parts keep K-2. An unsafe id names nothing: as a target it does not exist, as an
/// issuer it is left out.
bool is_safe(const PackageId& id);
bool is_safe(const ProcessId& id);
bool is_safe(const Address& address);
/// Whether `name` can be a process name or package name; whether it can be a node or publisher
/// name.
bool is_safe_name(std::string_view name);
bool is_safe_node(std::string_view name);

std::string to_string(const PackageId& id);
std::string to_string(const ProcessId& id);
std::string to_string(const Address& address);
std::ostream& operator<<(std::ostream& out, const PackageId& id);
std::ostream& operator<<(std::ostream& out, const ProcessId& id);
std::ostream& operator<<(std::ostream& out, const Address& address);

/// `address` with `own_node` in place of the alias `our` (K-12). For addresses that guests hand
/// over only.
Address resolve_our(Address address, std::string_view own_node);

/// The present id of a module that older guest libraries know as `http_server`, `http_client` or
/// `fd_manager` (all `distro:sys`, M-DIA-1); every other id comes back unchanged.
ProcessId resolve_old_module_name(ProcessId id);

/// Whether only the node itself may create a process of this id: package `distro:sys` (K-10).
bool is_reserved(const ProcessId& id);

/// The ids of K-14. Each call builds a value; keep it where it is used often.
namespace well_known {
ProcessId system_module(std::string_view name);  ///< `name:distro:sys`
inline ProcessId kernel() {
    return system_module("kernel");
}
inline ProcessId net() {
    return system_module("net");
}
inline ProcessId state() {
    return system_module("state");
}
inline ProcessId vfs() {
    return system_module("vfs");
}
inline ProcessId timer() {
    return system_module("timer");
}
inline ProcessId eth() {
    return system_module("eth");
}
inline ProcessId kv() {
    return system_module("kv");
}
inline ProcessId sqlite() {
    return system_module("sqlite");
}
inline ProcessId fd_manager() {
    return system_module("fd-manager");
}
inline ProcessId http_server() {
    return system_module("http-server");
}
inline ProcessId http_client() {
    return system_module("http-client");
}
inline ProcessId notifications() {
    return system_module("notifications");
}
inline ProcessId backup() {
    return system_module("backup");
}
ProcessId terminal();        ///< `terminal:terminal:sys`
ProcessId terminal_alias();  ///< `terminal:distro:sys`, routed as `terminal()` (M-GEN-3)
}  // namespace well_known

}  // namespace perdure

template <>
struct std::hash<perdure::PackageId> {
    std::size_t operator()(const perdure::PackageId& id) const noexcept;
};
template <>
struct std::hash<perdure::ProcessId> {
    std::size_t operator()(const perdure::ProcessId& id) const noexcept;
};
template <>
struct std::hash<perdure::Address> {
    std::size_t operator()(const perdure::Address& address) const noexcept;
};
