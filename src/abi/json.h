#pragma once

/// JSON as a value. Objects keep the order in which their keys came; of duplicate keys the last
/// value counts, in the place of the first. Numbers written as integers stay integers; `1` and
/// `1.0` are different values (K-86).
///
/// Parsing never throws and takes no more than its limits; the parser underneath stays inside
/// json.cc.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace perdure {

struct JsonMember;

class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<JsonMember>;

    Json();  ///< null
    Json(const Json& other);
    Json(Json&& other) noexcept;
    Json& operator=(const Json& other);
    Json& operator=(Json&& other) noexcept;
    ~Json();
    template <std::same_as<bool> B>
    Json(B value) : content_(value) {}  // NOLINT: this and the following are implicit by design
    template <std::integral I>
        requires(!std::same_as<I, bool>)
    Json(I value) {
        if (std::in_range<std::int64_t>(value)) {
            put_signed(static_cast<std::int64_t>(value));
        } else {
            put_unsigned(static_cast<std::uint64_t>(value));
        }
    }
    Json(std::nullptr_t);
    Json(double value);  ///< Not a number and infinite become null.
    Json(std::string text);
    Json(std::string_view text);
    Json(const char* text);
    Json(Array items);

    static Json array();
    static Json object();
    /// `Json::object({{"id", 5}, {"name", "x"}})`; the keys must differ.
    static Json object(std::initializer_list<std::pair<std::string_view, Json>> members);
    /// The keys must differ. For many members: `set` looks through all keys each time.
    static Json from_members(Object members);
    /// An array of numbers 0…255: how bytes stand in the bodies of kernel.md §7.
    static Json byte_array(ByteView bytes);

    bool is_null() const { return std::holds_alternative<std::monostate>(content_); }
    bool is_object() const { return as_object() != nullptr; }
    bool is_array() const { return as_array() != nullptr; }

    std::optional<bool> as_bool() const;
    /// The number if it was written as an integer and fits.
    std::optional<std::int64_t> as_i64() const;
    std::optional<std::uint64_t> as_u64() const;
    /// Any number, rounded if need be.
    std::optional<double> as_double() const;
    const std::string* as_string() const { return std::get_if<std::string>(&content_); }
    const Array* as_array() const { return std::get_if<Array>(&content_); }
    const Object* as_object() const { return std::get_if<Object>(&content_); }

    /// The value under `key`; null pointer if there is none or this is no object. Time: one pass
    /// over the keys.
    const Json* find(std::string_view key) const;

    /// Puts `value` under `key`, replacing what was there. Precondition: this is an object.
    Json& set(std::string_view key, Json value);
    /// Adds `value` at the end. Precondition: this is an array.
    Json& push(Json value);

    /// The kind in words, for messages: `a string`, `an object`, …
    std::string_view kind_name() const;

    /// Compact text. Integers print as integers; other numbers in their shortest exact form, always
    /// with `.` or `e`.
    std::string to_text() const;
    /// The same with two blanks of indentation a level, for people.
    std::string to_pretty_text() const;
    /// Compact text with the keys of every object sorted: equal values, and only they, have equal
    /// text.
    std::string to_canonical_text() const;

    /// Key order does not matter; integers and other numbers are never equal.
    friend bool operator==(const Json& left, const Json& right);

private:
    friend class JsonBuilder;
    friend class JsonWriter;
    using Content = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double,
                                 std::string, Array, Object>;

    void put_signed(std::int64_t value);
    void put_unsigned(std::uint64_t value);

    // Invariant: the unsigned alternative holds only what the signed one cannot.
    Content content_;
};

struct JsonMember {
    std::string key;
    Json value;
};

/// Deepest nesting of arrays and objects; a scalar has depth 0, `[]` depth 1.
inline constexpr std::size_t kJsonDepthMax = 64;  // json_depth_max
/// Longest text parsed unless the caller says otherwise.
inline constexpr std::size_t kJsonBytesMax = 64u << 20;  // json_bytes_max

struct JsonLimits {
    std::size_t depth_max = kJsonDepthMax;
    std::size_t bytes_max = kJsonBytesMax;
};

/// Parses exactly one value, white space around it allowed; strict RFC 8259, UTF-8 checked.
///
/// Errors: InvalidInput with line and column (both from 1, columns in bytes) of what was not
/// understood, of the value that is too deep or of a number that no double can hold; Overloaded if
/// `text` is longer than `bytes_max`.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace perdure
