#pragma once

/// A node in this program, on the real engine and the real disk, under random work: packages come
/// and go, processes talk, wait, crash, are killed and restarted.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace perdure::soak {

/// Resident memory after the last third of the work: at most so many times that after the first,
/// and the store's write buffer, which fills to 64 MiB, is emptied then, and fills again.
inline constexpr std::uint64_t kGrowthFactorMax = 2;
inline constexpr std::uint64_t kWriteBufferBytes = 64u << 20;

struct Work {
    std::chrono::milliseconds time{10'000};
    std::uint64_t seed = 1;
    // What shows that the checks find something.
    bool keep_a_package = false;  ///< It is not removed at the end.
    bool leak = false;            ///< After the first third more is taken and kept than may be.
    bool drop_an_answer = false;  ///< Of one Request nobody notes that it was answered.
};

struct Done {
    std::uint64_t steps = 0, requests = 0, kills = 0, restarts = 0, installs = 0, removals = 0;
    std::uint64_t resident_after_first_third = 0, resident_after_last_third = 0;  ///< Bytes.
    /// What is there that should not be, a line each.
    std::vector<std::string> left_over;
};

/// Starts a node, works, removes everything, looks, and ends the node.
Done run(const Work& work);

}  // namespace perdure::soak
