/// The promise of the whole program (K-266): a counter that saves before it prints is killed at any
/// moment, and the next run goes on from a value not lower than the last one that was shown. Some
/// kills come after a printed line, some at a random moment after the start: during the
/// installation, the recovery or the boot, too.
///
/// PERDURE_KILLS: how often the node is killed (default 50).

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

int kills_wanted() {
    const char* set = getenv("PERDURE_KILLS");
    return set != nullptr ? atoi(set) : 50;
}

/// A guest that prints the numbers it saves.
struct Counting {
    const char* process;
    const char* fixture;
    std::string_view mark;  ///< In front of the number.
    /// Whether a number is saved before it is shown, so that the next life begins above it; the
    /// sample saves the next one after showing.
    bool saves_first;
    bool always_installs = false;  ///< Each run, not only now and then.
};
constexpr Counting kSaver{"saver", "set-state-loop", "saved: ", true};
constexpr Counting kSample{"counter", "counter-cpp", "counter: ", false, true};

std::vector<std::uint64_t> numbers_of(const Counting& counting,
                                      const std::vector<std::string>& lines) {
    std::vector<std::uint64_t> numbers;
    for (const std::string& line : lines) {
        if (const auto place = line.find(counting.mark); place != std::string::npos) {
            numbers.push_back(
                std::strtoull(line.c_str() + place + counting.mark.size(), nullptr, 10));
        }
    }
    return numbers;
}

bool contains_line(const std::vector<std::string>& lines, std::string_view part) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(part) != line.npos; });
}

struct Kills {
    int kills = 0;
    int at_random = 0;     ///< Of `kills`: at a random moment after the start.
    int before_ready = 0;  ///< Of those: before the node had said that it is ready.
    int losses = 0;
    int losses_at_random = 0;  ///< Of `losses`: because of a kill at a random moment.
    std::uint64_t last_shown = 0;
};

void print(const char* name, const Kills& result) {
    std::printf(
        "%s kills=%d at_random=%d before_ready=%d losses=%d losses_at_random=%d "
        "last_shown=%llu\n",
        name, result.kills, result.at_random, result.before_ready, result.losses,
        result.losses_at_random, static_cast<unsigned long long>(result.last_shown));
}

/// Kills a node `kills` times and compares what each run starts from with what those before had
/// shown. Every second kill comes after a random number of lines and a short wait, the others at a
/// random moment up to 300 ms after the start. Every fourth run installs the package again.
Kills kill_again_and_again(const Counting& counting, int kills, unsigned seed,
                           const std::map<std::string, std::string>& environment) {
    const TemporaryDirectory directory;
    const std::string package = make_package(
        directory.path(), "counts",
        {{.name = counting.process, .fixture = counting.fixture, .on_exit = "\"Restart\""}});
    std::mt19937 random(seed);
    Kills result;
    std::optional<std::uint64_t> shown;
    bool last_at_random = false;
    for (; result.kills < kills; ++result.kills) {
        const bool at_random = result.kills % 2 == 0;
        const bool installs = counting.always_installs || !shown || result.kills % 4 == 0;
        NodeProcess node(
            {.home = directory / "home",
             .arguments = installs ? std::vector<std::string>{package} : std::vector<std::string>{},
             .environment = environment});
        if (at_random) {
            // Half of them early, where a node starts.
            const unsigned us_max = random() % 2 == 0 ? 300'000 : 50'000;
            std::this_thread::sleep_for(std::chrono::microseconds(random() % us_max));
        } else {
            for (auto lines = 1 + random() % 4; lines > 0; --lines) {
                if (!node.wait_for_line(counting.mark)) {
                    ADD_FAILURE() << "no line after kill " << result.kills << "\n" << node.errors();
                    return result;
                }
            }
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
        }
        node.kill_hard();
        const std::vector<std::string> lines = node.lines();
        if (at_random) {
            ++result.at_random;
            result.before_ready += contains_line(lines, "ready ") ? 0 : 1;
        }
        // All that was shown, in the moment of the kill too.
        const std::vector<std::uint64_t> numbers = numbers_of(counting, lines);
        const bool lost_all = shown && contains_line(lines, "no state found");
        const bool lost_some =
            shown && !numbers.empty() && numbers.front() < *shown + (counting.saves_first ? 1 : 0);
        if (lost_all || lost_some) {
            ++result.losses;
            result.losses_at_random += last_at_random ? 1 : 0;
        }
        if (!numbers.empty()) {
            shown = numbers.back();
            last_at_random = at_random;
        }
    }
    result.last_shown = shown.value_or(0);
    return result;
}

TEST(Kill, NothingShownIsLostHoweverOftenTheNodeIsKilled) {
    const int kills = kills_wanted();
    const Kills result = kill_again_and_again(kSaver, kills, 7, {});
    EXPECT_EQ(result.kills, kills);
    EXPECT_EQ(result.losses, 0);
    EXPECT_EQ(result.at_random, (kills + 1) / 2);
    EXPECT_GT(result.before_ready, 0);
    EXPECT_GE(result.last_shown, static_cast<std::uint64_t>(kills));
    print("saver", result);
}

/// As `perdure run` of the sample does.
TEST(Kill, TheSampleNeverGoesBackHoweverOftenTheNodeIsKilled) {
    const int kills = std::max(10, kills_wanted() / 5);
    const Kills result = kill_again_and_again(kSample, kills, 17, {});
    EXPECT_EQ(result.kills, kills);
    EXPECT_EQ(result.losses, 0);
    EXPECT_EQ(result.at_random, (kills + 1) / 2);
    EXPECT_GE(result.last_shown, static_cast<std::uint64_t>(kills / 2));
    print("sample", result);
}

TEST(Kill, NothingShownIsLostWhenTheDiskIsSlow) {
    const Kills result =
        kill_again_and_again(kSaver, 10, 11, {{"PERDURE_TEST_DISK_DELAY_MS", "15"}});
    EXPECT_EQ(result.kills, 10);
    EXPECT_EQ(result.losses, 0);
    print("slow_disk", result);
}

TEST(Kill, KillSuite_FindsAnOpenGate) {
    // The twin of the tests above: with the gate held open they have to report a loss.
    const Kills result = kill_again_and_again(
        kSaver, 20, 13,
        {{"PERDURE_TEST_DISK_DELAY_MS", "15"}, {"PERDURE_TEST_GATE_OPENS_EARLY", "1"}});
    EXPECT_GT(result.losses, 0);
    print("open_gate", result);
}

}  // namespace
}  // namespace perdure::functional
