/// After random work nothing is left of it (engine specification, 16).

#include "soak.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <random>

namespace perdure::soak {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The variants that show what is found run only so long.
constexpr std::chrono::milliseconds kShort{2'000};

std::chrono::milliseconds time_of_soak() {
    const char* seconds = std::getenv("PERDURE_SOAK_SECONDS");
    return std::chrono::seconds(seconds == nullptr ? 10 : std::atoi(seconds));
}

TEST(Soak, NothingIsLeftOfRandomWork) {
    const std::uint64_t seed = std::random_device{}();
    const Done done = run({.time = time_of_soak(), .seed = seed});
    fmt::print(
        "seed {}: {} requests, {} kills, {} restarts, {} installs, {} removals; resident MiB after "
        "the first third {}, after the last {}\n",
        seed, done.requests, done.kills, done.restarts, done.installs, done.removals,
        done.resident_after_first_third >> 20, done.resident_after_last_third >> 20);
    EXPECT_THAT(done.left_over, IsEmpty());
    EXPECT_GT(done.requests, 0U);
    EXPECT_GT(done.kills, 0U);
    EXPECT_GT(done.restarts, 0U);
    EXPECT_GT(done.installs, 0U);
    EXPECT_GT(done.removals, 0U);
}

TEST(Soak, FindsProcessesThatStay) {
    const Done done = run({.time = kShort, .keep_a_package = true});
    EXPECT_THAT(done.left_over, Contains(HasSubstr("process p0:soak0:test.os")));
    EXPECT_THAT(done.left_over, Contains(HasSubstr("slots of the engine's pool")));
}

TEST(Soak, FindsMemoryThatIsNotGivenBack) {
    const Done done = run({.time = kShort, .leak = true});
    EXPECT_THAT(done.left_over, Contains(HasSubstr("resident memory grew")));
}

TEST(Soak, FindsARequestWithoutAnAnswer) {
    const Done done = run({.time = kShort, .drop_an_answer = true});
    EXPECT_THAT(done.left_over, Contains("1 Requests without an answer"));
}

}  // namespace
}  // namespace perdure::soak
