#pragma once

#include <optional>
#include <utility>
#include <variant>

namespace perdure {

/// Either a value or the reason why there is none. Reading the side that is not there traps.
template <class T, class E>
class [[nodiscard]] Result {
public:
    Result(T value) : sides_(std::in_place_index<0>, std::move(value)) {}

    static Result failure(E error) { return Result(FailureTag{}, std::move(error)); }

    bool has_value() const { return sides_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T& value() & { return side<0>(); }
    const T& value() const& { return side<0>(); }
    T&& value() && { return std::move(side<0>()); }
    E& error() & { return side<1>(); }
    const E& error() const& { return side<1>(); }
    E&& error() && { return std::move(side<1>()); }

    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

private:
    struct FailureTag {};
    Result(FailureTag, E error) : sides_(std::in_place_index<1>, std::move(error)) {}

    template <std::size_t I>
    auto& side() {
        auto* found = std::get_if<I>(&sides_);
        if (found == nullptr)
            __builtin_trap();
        return *found;
    }
    template <std::size_t I>
    const auto& side() const {
        const auto* found = std::get_if<I>(&sides_);
        if (found == nullptr)
            __builtin_trap();
        return *found;
    }

    std::variant<T, E> sides_;
};

}  // namespace perdure
