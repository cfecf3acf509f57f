#include "abi/ids.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "abi/quote.h"

namespace perdure {
namespace {

enum class Dots { Allowed, Refused };

bool is_safe_part(std::string_view part, Dots dots) {
    if (part.empty() || part.size() > kIdPartBytesMax) {
        return false;
    }
    return std::all_of(part.begin(), part.end(), [dots](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
               (c == '.' && dots == Dots::Allowed);
    });
}

// The pieces of a printed form, borrowed. A package id leaves `process` empty, a process id `node`
// too.
struct Pieces {
    std::string_view node;
    std::string_view process;
    std::string_view package;
    std::string_view publisher;
};

enum class Form { Address, Process, Package };
enum class Strictness { Characters, ShapeOnly };

// Whoever wants a Pieces gets either that or the first problem; never both.
struct Split {
    Pieces pieces;
    std::optional<AddressProblem> problem;
};

Split refuse(AddressFault fault, std::string_view part = {}) {
    return {{}, AddressProblem{fault, std::string(part)}};
}

// K-4, rules 4 and 5, on what follows the `@`.
Split split_segments(std::string_view text, Form form) {
    const std::size_t wanted = form == Form::Package ? 2 : 3;
    const auto colons = static_cast<std::size_t>(std::count(text.begin(), text.end(), ':'));
    if (colons + 1 < wanted) {
        return refuse(AddressFault::MissingField);
    }
    if (colons + 1 > wanted) {
        return refuse(AddressFault::TooManyColons);
    }
    Pieces pieces;
    if (form != Form::Package) {
        const std::size_t colon = text.find(':');
        pieces.process = text.substr(0, colon);
        text.remove_prefix(colon + 1);
    }
    const std::size_t colon = text.find(':');
    pieces.package = text.substr(0, colon);
    pieces.publisher = text.substr(colon + 1);
    if ((form != Form::Package && pieces.process.empty()) || pieces.package.empty() ||
        pieces.publisher.empty()) {
        return refuse(AddressFault::MissingField);
    }
    return {pieces, std::nullopt};
}

// K-4, rule 6.
std::optional<AddressProblem> find_unsafe(const Pieces& pieces, Form form) {
    const auto problem = [](AddressFault fault, std::string_view part) {
        return AddressProblem{fault, std::string(part)};
    };
    if (form == Form::Address && !is_safe_part(pieces.node, Dots::Allowed)) {
        return problem(AddressFault::NodeNotSafe, pieces.node);
    }
    if (form != Form::Package && !is_safe_part(pieces.process, Dots::Refused)) {
        return problem(AddressFault::ProcessNameNotSafe, pieces.process);
    }
    if (!is_safe_part(pieces.package, Dots::Refused)) {
        return problem(AddressFault::PackageNameNotSafe, pieces.package);
    }
    if (!is_safe_part(pieces.publisher, Dots::Allowed)) {
        return problem(AddressFault::PublisherNodeNotSafe, pieces.publisher);
    }
    return std::nullopt;
}

Split split(std::string_view text, Form form, Strictness strictness) {
    std::string_view node;
    std::string_view rest = text;
    if (form == Form::Address) {
        const std::size_t at = text.find('@');
        if (at == std::string_view::npos) {
            return refuse(AddressFault::MissingNodeId);
        }
        if (text.find('@', at + 1) != std::string_view::npos) {
            return refuse(AddressFault::TooManyAts);
        }
        if (at == 0) {
            return refuse(AddressFault::MissingNodeId);
        }
        node = text.substr(0, at);
        rest = text.substr(at + 1);
    }
    Split result = split_segments(rest, form);
    result.pieces.node = node;
    if (!result.problem && strictness == Strictness::Characters) {
        result.problem = find_unsafe(result.pieces, form);
    }
    return result;
}

std::string_view printed_form(Form form) {
    switch (form) {
        case Form::Address: return "node@process:package:publisher";
        case Form::Process: return "process:package:publisher";
        case Form::Package: return "package:publisher";
    }
    return {};
}

std::string explain(const AddressProblem& problem, Form form) {
    static constexpr std::string_view kName = "use 1 to 255 of a-z, 0-9 and -";
    static constexpr std::string_view kNode = "use 1 to 255 of a-z, 0-9, - and .";
    const std::string write = "; write " + std::string(printed_form(form));
    switch (problem.fault) {
        case AddressFault::TooManyAts: return "more than one @" + write;
        case AddressFault::TooManyColons: return "too many colons" + write;
        case AddressFault::MissingNodeId: return "no node before an @" + write;
        case AddressFault::MissingField: return "a part is missing or empty" + write;
        case AddressFault::ProcessNameNotSafe:
            return "process name " + quote(problem.part) + "; " + std::string(kName);
        case AddressFault::PackageNameNotSafe:
            return "package name " + quote(problem.part) + "; " + std::string(kName);
        case AddressFault::NodeNotSafe:
            return "node " + quote(problem.part) + "; " + std::string(kNode);
        case AddressFault::PublisherNodeNotSafe:
            return "publisher " + quote(problem.part) + "; " + std::string(kNode);
    }
    return {};
}

Error to_error(const AddressProblem& problem, std::string_view text, Form form) {
    return {ErrorCode::InvalidInput, std::string(to_string(problem.fault)) + " in " + quote(text) +
                                         ": " + explain(problem, form)};
}

ProcessId process_of(const Pieces& pieces) {
    return {std::string(pieces.process), std::string(pieces.package),
            std::string(pieces.publisher)};
}

Result<ProcessId> read_process_id(std::string_view text, Strictness strictness) {
    const Split found = split(text, Form::Process, strictness);
    if (found.problem) {
        return to_error(*found.problem, text, Form::Process);
    }
    return process_of(found.pieces);
}

Result<Address> read_address(std::string_view text, Strictness strictness) {
    const Split found = split(text, Form::Address, strictness);
    if (found.problem) {
        return to_error(*found.problem, text, Form::Address);
    }
    return Address{std::string(found.pieces.node), process_of(found.pieces)};
}

std::size_t hash_parts(std::initializer_list<std::string_view> parts) {
    std::size_t hash = 0;
    for (const std::string_view part : parts) {
        hash ^=
            std::hash<std::string_view>{}(part) + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    }
    return hash;
}

}  // namespace

std::string_view to_string(AddressFault fault) {
    switch (fault) {
        case AddressFault::TooManyAts: return "TooManyAts";
        case AddressFault::TooManyColons: return "TooManyColons";
        case AddressFault::MissingNodeId: return "MissingNodeId";
        case AddressFault::MissingField: return "MissingField";
        case AddressFault::ProcessNameNotSafe: return "ProcessNameNotSafe";
        case AddressFault::PackageNameNotSafe: return "PackageNameNotSafe";
        case AddressFault::NodeNotSafe: return "NodeNotSafe";
        case AddressFault::PublisherNodeNotSafe: return "PublisherNodeNotSafe";
    }
    return {};
}

std::optional<AddressProblem> find_address_problem(std::string_view text) {
    return split(text, Form::Address, Strictness::Characters).problem;
}
std::optional<AddressProblem> find_process_id_problem(std::string_view text) {
    return split(text, Form::Process, Strictness::Characters).problem;
}
std::optional<AddressProblem> find_package_id_problem(std::string_view text) {
    return split(text, Form::Package, Strictness::Characters).problem;
}

Result<Address> parse_address(std::string_view text) {
    return read_address(text, Strictness::Characters);
}
Result<ProcessId> parse_process_id(std::string_view text) {
    return read_process_id(text, Strictness::Characters);
}
Result<PackageId> parse_package_id(std::string_view text) {
    const Split found = split(text, Form::Package, Strictness::Characters);
    if (found.problem) {
        return to_error(*found.problem, text, Form::Package);
    }
    return PackageId{std::string(found.pieces.package), std::string(found.pieces.publisher)};
}
Result<Address> parse_address_shape(std::string_view text) {
    ASSIGN_OR_RETURN(Address address, read_address(text, Strictness::ShapeOnly));
    address.process = resolve_old_module_name(std::move(address.process));
    return address;
}
Result<ProcessId> parse_process_id_shape(std::string_view text) {
    ASSIGN_OR_RETURN(ProcessId id, read_process_id(text, Strictness::ShapeOnly));
    return resolve_old_module_name(std::move(id));
}

bool is_safe_name(std::string_view name) {
    return is_safe_part(name, Dots::Refused);
}
bool is_safe_node(std::string_view name) {
    return is_safe_part(name, Dots::Allowed);
}
bool is_safe(const PackageId& id) {
    return is_safe_name(id.package) && is_safe_node(id.publisher);
}
bool is_safe(const ProcessId& id) {
    return is_safe_name(id.process) && is_safe_name(id.package) && is_safe_node(id.publisher);
}
bool is_safe(const Address& address) {
    return is_safe_node(address.node) && is_safe(address.process);
}

std::string to_string(const PackageId& id) {
    return id.package + ':' + id.publisher;
}
std::string to_string(const ProcessId& id) {
    return id.process + ':' + id.package + ':' + id.publisher;
}
std::string to_string(const Address& address) {
    return address.node + '@' + to_string(address.process);
}
std::ostream& operator<<(std::ostream& out, const PackageId& id) {
    return out << to_string(id);
}
std::ostream& operator<<(std::ostream& out, const ProcessId& id) {
    return out << to_string(id);
}
std::ostream& operator<<(std::ostream& out, const Address& address) {
    return out << to_string(address);
}

Address resolve_our(Address address, std::string_view own_node) {
    if (address.node == kOurNode) {
        address.node = own_node;
    }
    return address;
}

ProcessId resolve_old_module_name(ProcessId id) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kOldNames = {{
        {"http_server", "http-server"},
        {"http_client", "http-client"},
        {"fd_manager", "fd-manager"},
    }};
    if (is_reserved(id)) {
        for (const auto& [old_name, name] : kOldNames) {
            if (id.process == old_name) {
                id.process = name;
                break;
            }
        }
    }
    return id;
}

bool is_reserved(const ProcessId& id) {
    return id.package == "distro" && id.publisher == "sys";
}

namespace well_known {
ProcessId system_module(std::string_view name) {
    return {std::string(name), "distro", "sys"};
}
ProcessId terminal() {
    return {"terminal", "terminal", "sys"};
}
ProcessId terminal_alias() {
    return system_module("terminal");
}
}  // namespace well_known

}  // namespace perdure

std::size_t std::hash<perdure::PackageId>::operator()(const perdure::PackageId& id) const noexcept {
    return perdure::hash_parts({id.package, id.publisher});
}
std::size_t std::hash<perdure::ProcessId>::operator()(const perdure::ProcessId& id) const noexcept {
    return perdure::hash_parts({id.process, id.package, id.publisher});
}
std::size_t std::hash<perdure::Address>::operator()(
    const perdure::Address& address) const noexcept {
    const perdure::ProcessId& id = address.process;
    return perdure::hash_parts({address.node, id.process, id.package, id.publisher});
}
