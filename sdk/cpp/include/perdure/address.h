#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace perdure {

/// Names a package: printed `package:publisher`.
struct PackageId {
    std::string package_name;
    std::string publisher_node;

    /// None unless `text` is two non-empty parts of the allowed characters.
    static std::optional<PackageId> parse(std::string_view text);
    std::string to_string() const;
    friend bool operator==(const PackageId&, const PackageId&) = default;
};

/// Names a process on whatever node: printed `process:package:publisher`.
///
/// Allowed are `a`-`z`, `0`-`9` and `-`, in the publisher also `.`; every part has at least one
/// character. The fields themselves may hold anything: a target that breaks the rule is, for the
/// node, a process that does not exist.
struct ProcessId {
    std::string process_name;
    std::string package_name;
    std::string publisher_node;

    /// None unless `text` is three non-empty parts of the allowed characters.
    static std::optional<ProcessId> parse(std::string_view text);
    std::string to_string() const;
    PackageId package() const { return {package_name, publisher_node}; }
    friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

/// One process on one node: printed `node@process:package:publisher`. The node `our` means the node
/// the caller runs on.
struct Address {
    std::string node;
    ProcessId process;

    /// None unless `text` has exactly one `@` between a node name and a process id.
    static std::optional<Address> parse(std::string_view text);
    /// A process on this node.
    static Address local(ProcessId process) { return {"our", std::move(process)}; }
    std::string to_string() const;
    friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace perdure
