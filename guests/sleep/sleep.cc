// Sleeps two seconds and prints how long that was on its monotonic clock.

#include <time.h>

#include "perdure/perdure.h"

namespace {

std::int64_t now_ms() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * std::int64_t{1000} + time.tv_nsec / 1'000'000;
}

}  // namespace

void init(const perdure::Address&) {
    const auto start = now_ms();
    perdure::print("sleeping");
    perdure::sleep(std::chrono::seconds(2));
    perdure::print("slept ms=", now_ms() - start);
}

PERDURE_PROCESS(init)
