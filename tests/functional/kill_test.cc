/// The promise of the whole program (K-266): a counter that saves before it prints is killed at any
/// moment, and the next run goes on from a value not lower than the last one that was shown.
///
/// PERDURE_KILLS: how often the node is killed (default 50).

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

int kills_wanted() {
    const char* set = getenv("PERDURE_KILLS");
    return set != nullptr ? atoi(set) : 50;
}

/// The number of a line `… saved: N`.
std::optional<std::uint64_t> number_of(std::string_view line) {
    constexpr std::string_view kMark = "saved: ";
    const auto place = line.find(kMark);
    if (place == std::string_view::npos) {
        return std::nullopt;
    }
    return std::strtoull(std::string(line.substr(place + kMark.size())).c_str(), nullptr, 10);
}

struct Losses {
    int kills = 0;
    int losses = 0;
    std::uint64_t last_shown = 0;
};

/// Kills a node `kills` times, each time after a random number of lines and a random wait, and
/// compares what the next run starts from with what the one before had shown.
Losses kill_again_and_again(int kills, unsigned seed,
                            const std::map<std::string, std::string>& environment) {
    const TemporaryDirectory directory;
    const std::string package =
        make_package(directory.path(), "saver",
                     {{.name = "saver", .fixture = "set-state-loop", .on_exit = "\"Restart\""}});
    std::mt19937 random(seed);
    Losses result;
    std::optional<std::uint64_t> shown;
    for (; result.kills < kills; ++result.kills) {
        NodeProcess node({.home = directory / "home",
                          .arguments = result.kills == 0 ? std::vector<std::string>{package}
                                                         : std::vector<std::string>{},
                          .environment = environment});
        const int lines = 1 + static_cast<int>(random() % 4);
        bool first = true;
        for (int line = 0; line < lines; ++line) {
            const auto found = node.wait_for_line("saved: ");
            if (!found) {
                ADD_FAILURE() << "no line after kill " << result.kills << "\n" << node.errors();
                return result;
            }
            const std::uint64_t number = *number_of(*found);
            // The guest saves the next number and prints it, so the first one after a kill is above
            // all shown before.
            if (first && shown && number <= *shown) {
                ++result.losses;
            }
            first = false;
            shown = number;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
        node.kill_hard();
        for (const std::string& line : node.lines()) {
            if (const auto number = number_of(line); number && *number > *shown) {
                shown = number;  // Shown in the moment of the kill.
            }
        }
    }
    result.last_shown = shown.value_or(0);
    return result;
}

TEST(Kill, NothingShownIsLostHoweverOftenTheNodeIsKilled) {
    const int kills = kills_wanted();
    const Losses result = kill_again_and_again(kills, 7, {});
    EXPECT_EQ(result.kills, kills);
    EXPECT_EQ(result.losses, 0);
    EXPECT_GE(result.last_shown, static_cast<std::uint64_t>(kills));
    std::printf("kills=%d losses=%d last_shown=%llu\n", result.kills, result.losses,
                static_cast<unsigned long long>(result.last_shown));
}

TEST(Kill, NothingShownIsLostWhenTheDiskIsSlow) {
    const Losses result = kill_again_and_again(10, 11, {{"PERDURE_TEST_DISK_DELAY_MS", "15"}});
    EXPECT_EQ(result.kills, 10);
    EXPECT_EQ(result.losses, 0);
}

TEST(Kill, KillSuite_FindsAnOpenGate) {
    // The twin of the tests above: with the gate held open they have to report a loss.
    const Losses result = kill_again_and_again(
        20, 13, {{"PERDURE_TEST_DISK_DELAY_MS", "15"}, {"PERDURE_TEST_GATE_OPENS_EARLY", "1"}});
    EXPECT_GT(result.losses, 0);
}

}  // namespace
}  // namespace perdure::functional
