#pragma once

/// Data that can only be reached through its lock.

#include <mutex>
#include <utility>

namespace perdure {

/// Holds a `T` under a mutex. Locks are leaves: never send, call back or touch a disk while holding
/// one.
template <typename T>
class Guarded {
public:
    Guarded() = default;
    template <typename... Args>
    explicit Guarded(std::in_place_t, Args&&... args) : value_(std::forward<Args>(args)...) {}

    class Locked {
    public:
        T& operator*() { return value_; }
        T* operator->() { return &value_; }
        /// For a condition variable that waits under this lock.
        std::unique_lock<std::mutex>& lock() { return lock_; }

    private:
        friend class Guarded;
        Locked(std::mutex& mutex, T& value) : lock_(mutex), value_(value) {}
        std::unique_lock<std::mutex> lock_;
        T& value_;
    };

    Locked lock() const { return Locked(mutex_, value_); }

private:
    mutable std::mutex mutex_;
    mutable T value_;
};

}  // namespace perdure
