#pragma once

/// `CHECK(condition, values…)` ends the program, in every build, when our own code broke an
/// invariant.
///
/// Nothing that a guest, peer, file or operator supplies may reach a CHECK: those are answered with
/// an `Error`. Ending is safe because a restart recovers everything that was shown to anybody.
/// `DCHECK` costs nothing in release builds and belongs in hot loops only.

#include <sstream>
#include <string>
#include <string_view>

namespace perdure::internal {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& values);

template <typename... Values>
[[noreturn]] __attribute__((noinline, cold)) void check_failed_with(const char* file, int line,
                                                                    const char* condition,
                                                                    const Values&... values) {
    std::ostringstream text;
    ((text << ' ' << values), ...);
    check_failed(file, line, condition, text.str());
}

}  // namespace perdure::internal

#define CHECK(condition, ...)                                                              \
    do {                                                                                   \
        if (!(condition)) [[unlikely]] {                                                   \
            ::perdure::internal::check_failed_with(__FILE__, __LINE__,                     \
                                                   #condition __VA_OPT__(, ) __VA_ARGS__); \
        }                                                                                  \
    } while (false)

#ifdef NDEBUG
#define DCHECK(condition, ...) \
    do {                       \
    } while (false && (condition))
#else
#define DCHECK(condition, ...) CHECK(condition __VA_OPT__(, ) __VA_ARGS__)
#endif
