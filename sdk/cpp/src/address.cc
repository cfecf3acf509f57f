#include "perdure/address.h"

#include <algorithm>
#include <array>

namespace perdure {
namespace {

enum class Dots { Allowed, Refused };

bool is_safe(std::string_view part, Dots dots) {
    const auto allowed = [dots](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
               (c == '.' && dots == Dots::Allowed);
    };
    return !part.empty() && std::all_of(part.begin(), part.end(), allowed);
}

/// The parts of `text` between colons, if there are exactly N of them.
template <std::size_t N>
std::optional<std::array<std::string_view, N>> split(std::string_view text) {
    std::array<std::string_view, N> parts;
    for (std::size_t i = 0; i + 1 < N; ++i) {
        const auto colon = text.find(':');
        if (colon == std::string_view::npos)
            return std::nullopt;
        parts[i] = text.substr(0, colon);
        text.remove_prefix(colon + 1);
    }
    if (text.find(':') != std::string_view::npos)
        return std::nullopt;
    parts[N - 1] = text;
    return parts;
}

std::string join(std::initializer_list<std::string_view> parts) {
    std::string joined;
    for (const auto part : parts)
        joined.append(part);
    return joined;
}

}  // namespace

std::optional<PackageId> PackageId::parse(std::string_view text) {
    const auto parts = split<2>(text);
    if (!parts)
        return std::nullopt;
    const auto [package, publisher] = *parts;
    if (!is_safe(package, Dots::Refused) || !is_safe(publisher, Dots::Allowed))
        return std::nullopt;
    return PackageId{std::string(package), std::string(publisher)};
}

std::string PackageId::to_string() const {
    return join({package_name, ":", publisher_node});
}

std::optional<ProcessId> ProcessId::parse(std::string_view text) {
    const auto parts = split<3>(text);
    if (!parts)
        return std::nullopt;
    const auto [process, package, publisher] = *parts;
    if (!is_safe(process, Dots::Refused) || !is_safe(package, Dots::Refused) ||
        !is_safe(publisher, Dots::Allowed)) {
        return std::nullopt;
    }
    return ProcessId{std::string(process), std::string(package), std::string(publisher)};
}

std::string ProcessId::to_string() const {
    return join({process_name, ":", package_name, ":", publisher_node});
}

std::optional<Address> Address::parse(std::string_view text) {
    const auto at = text.find('@');
    if (at == std::string_view::npos)
        return std::nullopt;
    const auto node = text.substr(0, at);
    auto process = ProcessId::parse(text.substr(at + 1));
    if (!process || !is_safe(node, Dots::Allowed))
        return std::nullopt;
    return Address{std::string(node), std::move(*process)};
}

std::string Address::to_string() const {
    return join({node, "@", process.to_string()});
}

}  // namespace perdure
