#include "abi/json_cursor.h"

#include <limits>

#include "abi/quote.h"

namespace perdure {
namespace {

// A key as a step of a path: `.name`, or `["odd name"]`.
std::string step(std::string_view key) {
    for (const char c : key) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!plain) {
            return '[' + quote(key) + ']';
        }
    }
    return '.' + std::string(key);
}

}  // namespace

Result<JsonCursor> JsonCursor::member(std::string_view key) const {
    if (!value_->is_object()) {
        return expected("an object");
    }
    const Json* found = value_->find(key);
    if (!found) {
        return error("the key " + quote(key) + " is missing; add it");
    }
    return JsonCursor(*found, path_ + step(key));
}

Result<std::optional<JsonCursor>> JsonCursor::optional_member(std::string_view key) const {
    if (!value_->is_object()) {
        return expected("an object");
    }
    const Json* found = value_->find(key);
    if (!found || found->is_null()) {
        return std::optional<JsonCursor>();
    }
    return std::optional(JsonCursor(*found, path_ + step(key)));
}

JsonCursor JsonCursor::item(std::size_t index) const {
    const Json::Array* items = value_->as_array();
    CHECK(items != nullptr && index < items->size(), path_, index);
    return JsonCursor((*items)[index], path_ + '[' + std::to_string(index) + ']');
}

Result<std::size_t> JsonCursor::array_size() const {
    const Json::Array* items = value_->as_array();
    if (!items) {
        return expected("an array");
    }
    return items->size();
}

Result<bool> JsonCursor::boolean() const {
    const auto found = value_->as_bool();
    if (!found) {
        return expected("true or false");
    }
    return *found;
}

Result<std::uint64_t> JsonCursor::u64() const {
    const auto found = value_->as_u64();
    if (!found) {
        return expected("an integer from 0 to 18446744073709551615");
    }
    return *found;
}

Result<std::uint32_t> JsonCursor::u32() const {
    const auto found = value_->as_u64();
    if (!found || *found > std::numeric_limits<std::uint32_t>::max()) {
        return expected("an integer from 0 to 4294967295");
    }
    return static_cast<std::uint32_t>(*found);
}

Result<std::string_view> JsonCursor::string() const {
    const std::string* found = value_->as_string();
    if (!found) {
        return expected("a string");
    }
    return std::string_view(*found);
}

Result<SharedBytes> JsonCursor::bytes() const {
    const Json::Array* items = value_->as_array();
    if (!items) {
        return expected("an array of bytes");
    }
    for (std::size_t i = 0; i < items->size(); ++i) {
        const auto byte = (*items)[i].as_u64();
        if (!byte || *byte > 255) {
            return item(i).expected("an integer from 0 to 255");
        }
    }
    return SharedBytes::make(items->size(), [items](std::span<Byte> out) {
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = static_cast<Byte>(*(*items)[i].as_u64());
        }
    });
}

Error JsonCursor::error(std::string_view what) const {
    return {ErrorCode::InvalidInput, path_ + ": " + std::string(what)};
}

Error JsonCursor::expected(std::string_view what) const {
    std::string got(value_->kind_name());
    if (const std::string* text = value_->as_string()) {
        got += ' ' + quote(*text);
    } else if (!value_->is_array() && !value_->is_object() && !value_->is_null()) {
        got += ' ' + value_->to_text();
    }
    return error("expected " + std::string(what) + ", got " + got);
}

Result<TaggedJson> read_tagged(const JsonCursor& at) {
    if (const std::string* name = at.value().as_string()) {
        return TaggedJson{*name, std::nullopt};
    }
    const Json::Object* members = at.value().as_object();
    if (!members || members->size() != 1) {
        return at.expected("a name, or an object whose one key is a name");
    }
    const JsonMember& member = members->front();
    return TaggedJson{member.key, JsonCursor(member.value, at.path() + step(member.key))};
}

Result<JsonCursor> content_of(const TaggedJson& tagged, const JsonCursor& at) {
    if (!tagged.content) {
        return at.error(quote(tagged.name) + " needs content; write {" + quote(tagged.name) +
                        ": …}");
    }
    return *tagged.content;
}

Result<bool> bool_or(const JsonCursor& object, std::string_view key, bool fallback) {
    ASSIGN_OR_RETURN(const auto found, object.optional_member(key));
    return found ? found->boolean() : Result<bool>(fallback);
}

Result<std::optional<std::string>> optional_string(const JsonCursor& object, std::string_view key) {
    ASSIGN_OR_RETURN(const auto found, object.optional_member(key));
    if (!found) {
        return std::optional<std::string>();
    }
    ASSIGN_OR_RETURN(const std::string_view text, found->string());
    return std::optional(std::string(text));
}

Result<std::optional<std::uint64_t>> optional_u64(const JsonCursor& object, std::string_view key) {
    ASSIGN_OR_RETURN(const auto found, object.optional_member(key));
    if (!found) {
        return std::optional<std::uint64_t>();
    }
    ASSIGN_OR_RETURN(const std::uint64_t number, found->u64());
    return std::optional(number);
}

Result<std::optional<std::uint32_t>> optional_u32(const JsonCursor& object, std::string_view key) {
    ASSIGN_OR_RETURN(const auto found, object.optional_member(key));
    if (!found) {
        return std::optional<std::uint32_t>();
    }
    ASSIGN_OR_RETURN(const std::uint32_t number, found->u32());
    return std::optional(number);
}

}  // namespace perdure
