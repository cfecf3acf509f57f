#include "packages/metadata.h"

#include <algorithm>
#include <array>

#include "abi/json.h"
#include "abi/json_cursor.h"
#include "abi/quote.h"
#include "packages/known_keys.h"

namespace perdure::packages {
namespace {

constexpr std::array<std::string_view, 6> kKeys = {"name",         "description",   "image",
                                                   "external_url", "animation_url", "properties"};
constexpr std::array<std::string_view, 10> kProperties = {
    "package_name", "publisher",   "current_version", "mirrors",      "code_hashes",
    "license",      "screenshots", "wit_version",     "dependencies", "api_includes"};

bool is_version_hash(std::string_view text) {
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return text.empty() || (text.size() == 64 && std::all_of(text.begin(), text.end(), is_digit));
}

// P-PKG-7: an empty text means "not yet built".
Result<void> check_code_hashes(const JsonCursor& at) {
    const Json::Object* members = at.value().as_object();
    if (!members) {
        return at.expected("an object of versions and their hashes");
    }
    for (const JsonMember& member : *members) {
        const JsonCursor hash(member.value, at.path() + '[' + quote(member.key) + ']');
        ASSIGN_OR_RETURN(const std::string_view text, hash.string());
        if (!is_version_hash(text)) {
            return hash.expected(
                "64 hexadecimal digits in lower case, or \"\" while it is not built");
        }
    }
    return {};
}

Result<void> check_list_of_strings(const JsonCursor& object, std::string_view key) {
    ASSIGN_OR_RETURN(const auto list, object.optional_member(key));
    if (!list) {
        return {};
    }
    ASSIGN_OR_RETURN(const std::size_t size, list->array_size());
    for (std::size_t i = 0; i < size; ++i) {
        RETURN_IF_ERROR(list->item(i).string());
    }
    return {};
}

Result<void> check_optional_string(const JsonCursor& object, std::string_view key) {
    RETURN_IF_ERROR(optional_string(object, key));
    return {};
}

Result<std::vector<PackageId>> read_dependencies(const JsonCursor& properties) {
    std::vector<PackageId> dependencies;
    ASSIGN_OR_RETURN(const auto list, properties.optional_member("dependencies"));
    if (!list) {
        return dependencies;
    }
    ASSIGN_OR_RETURN(const std::size_t size, list->array_size());
    for (std::size_t i = 0; i < size; ++i) {
        const JsonCursor item = list->item(i);
        ASSIGN_OR_RETURN(const std::string_view text, item.string());
        ASSIGN_OR_RETURN(PackageId id, parse_package_id(text).with_context(item.path()));
        dependencies.push_back(std::move(id));
    }
    return dependencies;
}

Result<PackageId> read_id(const JsonCursor& properties) {
    ASSIGN_OR_RETURN(const JsonCursor name,
                     required_member(properties, "package_name", kProperties));
    ASSIGN_OR_RETURN(const std::string_view package, name.string());
    if (!is_safe_name(package)) {
        return name.expected("a package name of 1 to 255 of a-z, 0-9 and -");
    }
    ASSIGN_OR_RETURN(const JsonCursor node, required_member(properties, "publisher", kProperties));
    ASSIGN_OR_RETURN(const std::string_view publisher, node.string());
    if (!is_safe_node(publisher)) {
        return node.expected("a publisher of 1 to 255 of a-z, 0-9, - and .");
    }
    return PackageId{std::string(package), std::string(publisher)};
}

}  // namespace

Result<PackageMetadata> parse_metadata(std::string_view text) {
    if (text.size() > kMetadataBytesMax) {
        return Error(ErrorCode::Overloaded, std::to_string(text.size()) + " bytes; at most " +
                                                std::to_string(kMetadataBytesMax) +
                                                " are read (metadata_bytes_max)");
    }
    ASSIGN_OR_RETURN(const Json document, parse_json(text));
    const JsonCursor whole(document);
    ASSIGN_OR_RETURN(const JsonCursor properties, required_member(whole, "properties", kKeys));
    PackageMetadata metadata;
    ASSIGN_OR_RETURN(metadata.id, read_id(properties));
    ASSIGN_OR_RETURN(const JsonCursor version,
                     required_member(properties, "current_version", kProperties));
    ASSIGN_OR_RETURN(const std::string_view version_text, version.string());
    metadata.version = version_text;
    ASSIGN_OR_RETURN(metadata.wit_version, optional_u32(properties, "wit_version"));
    ASSIGN_OR_RETURN(metadata.dependencies, read_dependencies(properties));
    ASSIGN_OR_RETURN(metadata.name, optional_string(whole, "name"));
    ASSIGN_OR_RETURN(metadata.description, optional_string(whole, "description"));
    for (const std::string_view key : {"image", "external_url", "animation_url"}) {
        RETURN_IF_ERROR(check_optional_string(whole, key));
    }
    RETURN_IF_ERROR(check_optional_string(properties, "license"));
    for (const std::string_view key : {"mirrors", "screenshots", "api_includes"}) {
        RETURN_IF_ERROR(check_list_of_strings(properties, key));
    }
    ASSIGN_OR_RETURN(const auto hashes, properties.optional_member("code_hashes"));
    if (hashes) {
        RETURN_IF_ERROR(check_code_hashes(*hashes));
    }
    metadata.text = text;
    return metadata;
}

}  // namespace perdure::packages
