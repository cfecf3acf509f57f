#pragma once

/// Failures as values: `Result<T>` holds either a `T` or an `Error`.
///
/// No exception is thrown by our code and none crosses a room's border: almost every failure here
/// is an answer to somebody (offline, timed out, not found, full), so it belongs in the type. The
/// interface is that of `std::expected`, plus `with_context`. Reading the value of a failed result
/// is a bug and aborts.

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"

namespace perdure {

/// What the caller can do about a failure. Every module maps these to its wire errors in one
/// function.
enum class ErrorCode {
    NotFound,       ///< The thing named does not exist.
    AlreadyExists,  ///< The name is taken.
    InvalidInput,   ///< The caller sent something malformed; the message says what and how to mend
                    ///< it.
    NotPermitted,   ///< A right is missing; the message names it.
    TimedOut,       ///< No answer by the deadline.
    Unreachable,    ///< The other side cannot be reached.
    Overloaded,     ///< A named limit is reached; trying later may work.
    Corrupt,        ///< Stored bytes are not what was written.
    Unsupported,    ///< Valid, but not built or not available here.
    Cancelled,      ///< The caller or a shutdown gave the work up.
    Io,             ///< The operating system refused; the message carries its text.
};

/// The code's name as it stands in logs and JSON, for example `not_found`.
std::string_view to_string(ErrorCode code);

/// A failure: a code, a message that names cause and cure, and the context it passed through.
class Error {
public:
    Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

    ErrorCode code() const { return code_; }

    /// Outermost context first: `manifest.json: line 3: unknown key "onexit"`.
    const std::string& message() const { return message_; }

    /// Puts `where` and a colon before the message.
    Error with_context(std::string_view where) && {
        message_.insert(0, std::string(where) + ": ");
        return std::move(*this);
    }

    friend bool operator==(const Error&, const Error&) = default;

private:
    ErrorCode code_;
    std::string message_;
};

template <typename T>
class [[nodiscard]] Result {
    static_assert(!std::is_reference_v<T> && !std::is_same_v<T, Error>);

public:
    using value_type = T;

    Result(T value)
        : content_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
    Result(Error error)
        : content_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

    template <typename U>
        requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
                 !std::is_same_v<std::remove_cvref_t<U>, Error> &&
                 !std::is_same_v<std::remove_cvref_t<U>, Result>)
    Result(U&& value)
        : content_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT: implicit by design

    bool has_value() const { return content_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T& value() & { return checked(); }
    const T& value() const& { return const_cast<Result*>(this)->checked(); }
    T&& value() && { return std::move(checked()); }
    T& operator*() & { return checked(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(checked()); }
    T* operator->() { return &checked(); }
    const T* operator->() const { return &value(); }

    T value_or(T fallback) && { return has_value() ? std::move(checked()) : std::move(fallback); }

    const Error& error() const& {
        CHECK(!has_value(), "error() of a successful result");
        return *std::get_if<1>(&content_);
    }
    Error&& error() && {
        CHECK(!has_value(), "error() of a successful result");
        return std::move(*std::get_if<1>(&content_));
    }

    Result with_context(std::string_view where) && {
        if (has_value()) {
            return std::move(*this);
        }
        return std::move(*this).error().with_context(where);
    }

    template <typename F>
    auto and_then(F&& next) && -> std::invoke_result_t<F, T&&> {
        if (!has_value()) {
            return std::move(*this).error();
        }
        return std::forward<F>(next)(std::move(checked()));
    }

private:
    T& checked() {
        CHECK(has_value(), "value() of a failed result", std::get_if<1>(&content_)->message());
        return *std::get_if<0>(&content_);
    }

    std::variant<T, Error> content_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

    bool has_value() const { return !error_.has_value(); }
    explicit operator bool() const { return has_value(); }
    void value() const { CHECK(has_value(), "value() of a failed result", error_->message()); }

    const Error& error() const& {
        CHECK(!has_value(), "error() of a successful result");
        return *error_;
    }
    Error&& error() && {
        CHECK(!has_value(), "error() of a successful result");
        return std::move(*error_);
    }

    Result with_context(std::string_view where) && {
        if (has_value()) {
            return {};
        }
        return std::move(*error_).with_context(where);
    }

private:
    std::optional<Error> error_;
};

/// Evaluates `expression` (a Result); on failure returns its error from the enclosing function.
#define RETURN_IF_ERROR(expression)                  \
    do {                                             \
        if (auto result_ = (expression); !result_) { \
            return std::move(result_).error();       \
        }                                            \
    } while (false)

/// `ASSIGN_OR_RETURN(auto bytes, drive.read(path));` declares or assigns the value, or returns the
/// error.
#define ASSIGN_OR_RETURN(target, expression) \
    PERDURE_ASSIGN_OR_RETURN_(PERDURE_CONCAT_(result_, __LINE__), target, expression)
#define PERDURE_CONCAT_INNER_(left, right) left##right
#define PERDURE_CONCAT_(left, right) PERDURE_CONCAT_INNER_(left, right)
#define PERDURE_ASSIGN_OR_RETURN_(result, target, expression) \
    auto result = (expression);                               \
    if (!result) {                                            \
        return std::move(result).error();                     \
    }                                                         \
    target = std::move(result).value()

}  // namespace perdure
