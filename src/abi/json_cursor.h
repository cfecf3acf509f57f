#pragma once

/// Reading JSON with good error messages: a place in a document that knows its path.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "abi/json.h"
#include "base/bytes.h"
#include "base/result.h"

namespace perdure {

/// A borrowed value and the way to it, for example `$.on_exit.Requests[1][0]`. The document
/// outlives the cursor.
///
/// Every reading method fails with InvalidInput, `PATH: expected X, got Y`, when the value is of
/// another kind.
class JsonCursor {
public:
    explicit JsonCursor(const Json& document, std::string path = "$")
        : value_(&document), path_(std::move(path)) {}

    const Json& value() const { return *value_; }
    const std::string& path() const { return path_; }

    /// The member `key`; fails if this is no object or has no such member. `null` counts as
    /// present.
    Result<JsonCursor> member(std::string_view key) const;
    /// The same, but absent or `null` is nothing. Fails only if this is no object.
    Result<std::optional<JsonCursor>> optional_member(std::string_view key) const;
    /// Precondition: this is an array of more than `index` items.
    JsonCursor item(std::size_t index) const;

    Result<std::size_t> array_size() const;
    Result<bool> boolean() const;
    Result<std::uint64_t> u64() const;
    Result<std::uint32_t> u32() const;
    /// Borrowed from the document.
    Result<std::string_view> string() const;
    /// An array of integers 0…255.
    Result<SharedBytes> bytes() const;

    /// InvalidInput `PATH: what`.
    Error error(std::string_view what) const;
    /// InvalidInput `PATH: expected what, got (the kind of this value)`.
    Error expected(std::string_view what) const;

private:
    const Json* value_;
    std::string path_;
};

/// An enumeration in JSON (kernel.md §7): `"Name"`, or `{"Name":content}` with exactly one key.
struct TaggedJson {
    std::string_view name;              ///< Borrowed from the document.
    std::optional<JsonCursor> content;  ///< Nothing if it was a string.
};
Result<TaggedJson> read_tagged(const JsonCursor& at);
/// The content of a name that has to have one. Errors: InvalidInput.
Result<JsonCursor> content_of(const TaggedJson& tagged, const JsonCursor& at);

/// A missing optional is null and absent members default (kernel.md §7): shorthand over
/// `optional_member`.
Result<bool> bool_or(const JsonCursor& object, std::string_view key, bool fallback);
Result<std::optional<std::string>> optional_string(const JsonCursor& object, std::string_view key);
Result<std::optional<std::uint64_t>> optional_u64(const JsonCursor& object, std::string_view key);
Result<std::optional<std::uint32_t>> optional_u32(const JsonCursor& object, std::string_view key);

}  // namespace perdure
