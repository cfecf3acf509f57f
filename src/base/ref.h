#pragma once

/// Shared ownership for things that messages, tables and snapshots hold at once and that have no
/// single owner.

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace perdure {

/// Base of what `Ref` points to. Thread: references may be taken and given back on any thread.
class RefCounted {
public:
    RefCounted() = default;
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;

    virtual ~RefCounted() = default;

private:
    template <typename T>
    friend class Ref;
    mutable std::atomic<std::uint32_t> references_{0};
};

/// A counted reference; null only by default construction or after a move.
template <typename T>
class Ref {
public:
    Ref() = default;
    explicit Ref(T* target) : target_(target) { retain(); }
    Ref(const Ref& other) : target_(other.target_) { retain(); }
    Ref(Ref&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
    template <typename U>
        requires std::is_convertible_v<U*, T*>
    Ref(const Ref<U>& other) : target_(other.get()) {  // NOLINT: implicit as for pointers
        retain();
    }
    Ref& operator=(Ref other) noexcept {
        std::swap(target_, other.target_);
        return *this;
    }
    ~Ref() { release(); }

    T* get() const { return target_; }
    T& operator*() const { return *target_; }
    T* operator->() const { return target_; }
    explicit operator bool() const { return target_ != nullptr; }
    friend bool operator==(const Ref& left, const Ref& right) {
        return left.target_ == right.target_;
    }

private:
    void retain() {
        if (target_) {
            target_->references_.fetch_add(1, std::memory_order_relaxed);
        }
    }
    void release() {
        if (target_ && target_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete target_;
        }
    }

    T* target_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> make_ref(Args&&... args) {
    return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace perdure
