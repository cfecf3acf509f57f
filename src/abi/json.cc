#include "abi/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>

namespace perdure {

// Takes the parser's events and builds the tree. The open containers are a stack, so nesting costs
// no recursion.
class JsonBuilder {
public:
    // Boost.JSON looks for these names. NOLINTBEGIN(readability-identifier-naming)
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
    // NOLINTEND(readability-identifier-naming)
    using Code = boost::json::error_code;

    Json take() { return std::move(result_); }
    bool number_out_of_range() const { return number_out_of_range_; }

    bool on_document_begin(Code&) { return true; }
    bool on_document_end(Code&) { return true; }
    bool on_object_begin(Code&) { return open(Json::object()); }
    bool on_object_end(std::size_t, Code&) {
        keep_last_of_duplicates(*std::get_if<Json::Object>(&open_.back().container.content_));
        return close();
    }
    bool on_array_begin(Code&) { return open(Json::array()); }
    bool on_array_end(std::size_t, Code&) { return close(); }
    bool on_key_part(boost::json::string_view part, std::size_t, Code&) { return collect(part); }
    bool on_key(boost::json::string_view part, std::size_t, Code&) {
        collect(part);
        open_.back().key = std::exchange(text_, {});
        return true;
    }
    bool on_string_part(boost::json::string_view part, std::size_t, Code&) { return collect(part); }
    bool on_string(boost::json::string_view part, std::size_t, Code&) {
        collect(part);
        return put(std::exchange(text_, {}));
    }
    bool on_number_part(boost::json::string_view part, Code&) { return collect(part); }
    bool on_int64(std::int64_t value, boost::json::string_view, Code&) { return put_number(value); }
    bool on_uint64(std::uint64_t value, boost::json::string_view, Code&) {
        return put_number(value);
    }
    bool on_double(double guess, boost::json::string_view part, Code& code) {
        collect(part);
        double value = 0;  // The parser's own conversion is not exact; this one is.
        const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), value);
        if (read.ec == std::errc::result_out_of_range) {
            if (std::abs(guess) > 1) {
                number_out_of_range_ = true;
                code = boost::json::error::exponent_overflow;
                return false;
            }
            value = std::copysign(0.0, guess);
        }
        return put_number(value);
    }
    bool on_bool(bool value, Code&) { return put(value); }
    bool on_null(Code&) { return put(nullptr); }
    bool on_comment_part(boost::json::string_view, Code&) { return true; }
    bool on_comment(boost::json::string_view, Code&) { return true; }

private:
    struct Open {
        Json container;
        std::string key;
    };

    bool collect(boost::json::string_view part) {
        text_.append(part.data(), part.size());
        return true;
    }
    bool open(Json container) {
        open_.push_back({std::move(container), {}});
        return true;
    }
    bool close() {
        Json done = std::move(open_.back().container);
        open_.pop_back();
        return put(std::move(done));
    }
    template <typename Number>
    bool put_number(Number value) {
        text_.clear();
        return put(value);
    }
    bool put(Json value) {
        if (open_.empty()) {
            result_ = std::move(value);
            return true;
        }
        Json::Content& into = open_.back().container.content_;
        if (auto* items = std::get_if<Json::Array>(&into)) {
            items->push_back(std::move(value));
        } else {
            std::get_if<Json::Object>(&into)->push_back(
                {std::move(open_.back().key), std::move(value)});
        }
        return true;
    }

    // One sort an object instead of one search a key: a hostile object must not cost the square of
    // its size.
    static void keep_last_of_duplicates(Json::Object& members) {
        if (members.size() < 2) {
            return;
        }
        std::vector<std::uint32_t> order(members.size());
        for (std::uint32_t i = 0; i < order.size(); ++i) {
            order[i] = i;
        }
        std::sort(order.begin(), order.end(), [&members](std::uint32_t a, std::uint32_t b) {
            const int by_key = members[a].key.compare(members[b].key);
            return by_key != 0 ? by_key < 0 : a < b;
        });
        std::vector<bool> gone(members.size());
        bool any = false;
        for (std::size_t i = 0, first = 0; i < order.size(); ++i) {
            if (members[order[first]].key != members[order[i]].key) {
                first = i;
            } else if (i != first) {
                members[order[first]].value = std::move(members[order[i]].value);
                gone[order[i]] = true;
                any = true;
            }
        }
        if (any) {
            std::size_t index = 0;
            std::erase_if(members, [&](const JsonMember&) { return gone[index++]; });
        }
    }

    std::vector<Open> open_;
    std::string text_;
    Json result_;
    bool number_out_of_range_ = false;
};

namespace {

Error syntax_error(std::string_view text, std::size_t offset, const std::string& what) {
    const std::string_view before = text.substr(0, std::min(offset, text.size()));
    const std::size_t line =
        1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    return {ErrorCode::InvalidInput, "line " + std::to_string(line) + ", column " +
                                         std::to_string(before.size() - line_start + 1) + ": " +
                                         what};
}

std::string explain(const boost::json::error_code& code, const JsonLimits& limits) {
    using boost::json::error;
    if (code == error::too_deep) {
        return "nested deeper than " + std::to_string(limits.depth_max) +
               " levels (json_depth_max)";
    }
    if (code == error::incomplete) {
        return "the text ends inside a value";
    }
    if (code == error::extra_data) {
        return "something follows the value; write exactly one JSON value";
    }
    return "no valid JSON here (" + code.message() + ")";
}

}  // namespace

// Out of line: inlined moves of the variant are large, and g++ 12 suspects them of reading what is
// not there.
Json::Json() = default;
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json::Json(std::nullptr_t) {}
Json::Json(std::string text) : content_(std::move(text)) {}
Json::Json(std::string_view text) : content_(std::string(text)) {}
Json::Json(const char* text) : content_(std::string(text)) {}
Json::Json(Array items) : content_(std::move(items)) {}
Json::Json(double value) {
    if (std::isfinite(value)) {
        content_ = value;
    }
}

void Json::put_signed(std::int64_t value) {
    content_ = value;
}
void Json::put_unsigned(std::uint64_t value) {
    content_ = value;
}

Json Json::array() {
    return Array{};
}

Json Json::object() {
    Json made;
    made.content_ = Object{};
    return made;
}

Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
    Object made;
    made.reserve(members.size());
    for (const auto& [key, value] : members) {
        made.push_back({std::string(key), value});
    }
    return from_members(std::move(made));
}

Json Json::from_members(Object members) {
    Json json;
    json.content_ = std::move(members);
    return json;
}

Json Json::byte_array(ByteView bytes) {
    Array made;
    made.reserve(bytes.size());
    for (const Byte byte : bytes) {
        made.emplace_back(byte);
    }
    return made;
}

std::optional<bool> Json::as_bool() const {
    const bool* value = std::get_if<bool>(&content_);
    return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::int64_t> Json::as_i64() const {
    const auto* value = std::get_if<std::int64_t>(&content_);
    return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::uint64_t> Json::as_u64() const {
    if (const auto* large = std::get_if<std::uint64_t>(&content_)) {
        return *large;
    }
    const auto* value = std::get_if<std::int64_t>(&content_);
    return value && *value >= 0 ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

std::optional<double> Json::as_double() const {
    if (const auto* value = std::get_if<double>(&content_)) {
        return *value;
    }
    if (const auto* value = std::get_if<std::int64_t>(&content_)) {
        return static_cast<double>(*value);
    }
    const auto* large = std::get_if<std::uint64_t>(&content_);
    return large ? std::optional(static_cast<double>(*large)) : std::nullopt;
}

const Json* Json::find(std::string_view key) const {
    if (const Object* members = as_object()) {
        for (const JsonMember& member : *members) {
            if (member.key == key) {
                return &member.value;
            }
        }
    }
    return nullptr;
}

Json& Json::set(std::string_view key, Json value) {
    auto* members = std::get_if<Object>(&content_);
    CHECK(members != nullptr, "set() on", kind_name());
    for (JsonMember& member : *members) {
        if (member.key == key) {
            member.value = std::move(value);
            return *this;
        }
    }
    members->push_back({std::string(key), std::move(value)});
    return *this;
}

Json& Json::push(Json value) {
    auto* items = std::get_if<Array>(&content_);
    CHECK(items != nullptr, "push() on", kind_name());
    items->push_back(std::move(value));
    return *this;
}

std::string_view Json::kind_name() const {
    static constexpr std::string_view kNames[] = {"null",       "a boolean", "an integer",
                                                  "an integer", "a number",  "a string",
                                                  "an array",   "an object"};
    return kNames[content_.index()];
}

bool operator==(const Json& left, const Json& right) {
    return left.content_.index() == right.content_.index() &&
           left.to_canonical_text() == right.to_canonical_text();
}

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
    if (text.size() > limits.bytes_max) {
        return Error(ErrorCode::Overloaded,
                     "JSON text of " + std::to_string(text.size()) + " bytes; at most " +
                         std::to_string(limits.bytes_max) + " are read (json_bytes_max)");
    }
    boost::json::parse_options options;
    options.max_depth = limits.depth_max;
    boost::json::basic_parser<JsonBuilder> parser(options);
    boost::json::error_code code;
    const std::size_t consumed = parser.write_some(false, text.data(), text.size(), code);
    if (!code && consumed < text.size()) {
        code = boost::json::error::extra_data;
    }
    if (code) {
        return syntax_error(text, consumed,
                            parser.handler().number_out_of_range()
                                ? "this number is too large for a double"
                                : explain(code, limits));
    }
    return parser.handler().take();
}

}  // namespace perdure
