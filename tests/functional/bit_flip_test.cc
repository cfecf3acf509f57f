/// One bit flipped in a block of a file of a used home: doctor reports it by the file's name, or
/// the start is refused by name, or it is harmless for a reason given here. No start that succeeds
/// shows a changed or missing value, runs other code, or forgets a package.
///
/// PERDURE_FLIPS: how many blocks of 4 KiB are tried (default 80; every file has at least one).

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <set>

#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"
#include "raw_client.h"

namespace perdure::functional {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 4096;
constexpr unsigned kSeed = 17;
/// So small that a state of some kilobytes lies beside the log.
const Environment kSettings{{"PERDURE_ENTRY_INLINE_BYTES_MAX", "20000"}};
constexpr const char* kNames[] = {"small", "medium", "wide", "large", "huge"};

std::size_t flips_wanted() {
    const char* set = getenv("PERDURE_FLIPS");
    return set != nullptr ? strtoul(set, nullptr, 10) : 80;
}

/// Why a flip in a file may go unreported; nothing if it may not. `path` begins in the home.
std::optional<std::string> harmless_because(std::string_view path) {
    if (path == "console.log" || path.starts_with("log/")) {
        return "text for people; nothing reads it back";
    }
    if (path.starts_with("cache/")) {
        return "compiled code is authenticated by the key: what does not fit is compiled anew";
    }
    if (path == "db/IDENTITY" || path.starts_with("db/OPTIONS-")) {
        return "RocksDB writes it and every start makes it anew; nothing reads it";
    }
    return std::nullopt;
}

std::string process(std::string_view name) {
    return std::string(name) + ":used:test.os";
}

std::string get(const std::string& home, const std::string& path) {
    RawClient client = RawClient::to_control_socket(home);
    client.write("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.read_to_end();
}

/// What a running node holds, as far as anybody can ask for it.
struct Held {
    std::string packages;
    std::map<std::string, std::string> states;  ///< The whole answer, by process.
};

Held ask(const std::string& home) {
    Held held;
    const auto without_head = [](const std::string& answer) {
        return answer.substr(0, answer.find("\r\n")) +
               answer.substr(std::min(answer.find("\r\n\r\n"), answer.size()));
    };
    held.packages = without_head(get(home, "/v1/packages"));
    for (const char* name : kNames) {
        held.states[process(name)] =
            without_head(get(home, "/v1/processes/" + process(name) + "/state/bytes"));
    }
    const std::string counter = "counter:counter-cpp:perdure.os";
    held.states[counter] = without_head(get(home, "/v1/processes/" + counter + "/state/bytes"));
    return held;
}

bool is_ok(const std::string& answer) {
    return answer.starts_with("HTTP/1.1 200 ");
}

/// A home after three runs: packages, states of all sizes in tables, log and files, a code store,
/// compiled code, logs. At rest.
void make_used_home(const std::string& parent, const std::string& home) {
    std::vector<PackagedProcess> processes;
    for (const char* name : kNames) {
        processes.push_back({.name = name, .fixture = "script", .on_exit = "\"Restart\""});
    }
    const auto fill = [](const NodeProcess& node, std::size_t factor) {
        for (std::size_t i = 0; i < std::size(kNames); ++i) {
            const std::size_t size = (std::size_t{1} << (4 * i)) * factor;
            EXPECT_EQ(run_script(node, process(kNames[i]), "set-state #" + std::to_string(size)),
                      "1 done\n");
        }
    };
    {
        NodeProcess node(
            {.home = home,
             .arguments = {copy_counter_sample(parent), make_package(parent, "used", processes)},
             .environment = kSettings});
        ASSERT_TRUE(node.wait_for_line("counter: 2")) << node.errors();
        ASSERT_TRUE(eventually([&] { return row_of(node, process(kNames[0])).has_value(); }));
        EXPECT_EQ(node.command({"kill", "counter:counter-cpp:perdure.os"}).status, 0);
        fill(node, 2);
        node.kill_hard();
    }
    {
        NodeProcess node({.home = home, .environment = kSettings});
        ASSERT_TRUE(node.wait_for_line("ready ")) << node.errors();
        fill(node, 3);
        EXPECT_EQ(node.end(), 0);
    }
    const Ended detached =
        run_program({"run", "--detach", "--home", home, "--http-port", "0"}, kSettings);
    ASSERT_EQ(detached.status, 0) << detached.err;
    for (const char* name : kNames) {
        for (int pass = 0; pass < 10; ++pass) {
            EXPECT_EQ(run_program({"send", process(name), "get-state", "--home", home}).status, 0);
        }
    }
    write_file(parent + "/import", "written last");
    EXPECT_EQ(run_program(
                  {"process-state", "import", process("small"), parent + "/import", "--home", home})
                  .status,
              0);
    EXPECT_EQ(run_program({"stop", "--home", home}).status, 0);
    ASSERT_TRUE(eventually([&] { return run_program({"doctor", "--home", home}).status == 0; }));
    fs::remove(home + "/control.sock");
}

struct Flip {
    std::string path;  ///< In the home.
    std::uint64_t at = 0;
    unsigned bit = 0;
};

/// One flip in every block of every file, in random order, the first block of each file first.
std::vector<Flip> all_flips(const std::string& home) {
    std::mt19937 random(kSeed);
    std::vector<Flip> firsts;
    std::vector<Flip> others;
    for (const auto& entry : fs::recursive_directory_iterator(home)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        std::vector<Flip> flips;
        for (std::uint64_t block = 0; block < entry.file_size(); block += kBlock) {
            const std::uint64_t size = std::min<std::uint64_t>(kBlock, entry.file_size() - block);
            flips.push_back({fs::relative(entry.path(), home), block + random() % size,
                             static_cast<unsigned>(random() % 8)});
        }
        std::shuffle(flips.begin(), flips.end(), random);
        if (!flips.empty()) {
            firsts.push_back(flips.back());
            others.insert(others.end(), flips.begin(), flips.end() - 1);
        }
    }
    std::shuffle(others.begin(), others.end(), random);
    firsts.insert(firsts.end(), others.begin(), others.end());
    return firsts;
}

struct Tally {
    std::atomic<int> named_by_doctor{0};
    std::atomic<int> refused{0};
    std::atomic<int> harmless{0};
};

/// Flips one bit in a copy of `used` and judges what doctor and a start make of it.
void check(const std::string& used, const Held& before, const Flip& flip, Tally& tally) {
    SCOPED_TRACE(flip.path + " byte " + std::to_string(flip.at) + " bit " +
                 std::to_string(flip.bit));
    const TemporaryDirectory directory;
    const std::string home = directory / "home";
    fs::copy(used, home, fs::copy_options::recursive);
    std::string bytes = read_whole_file(home + "/" + flip.path);
    bytes[flip.at] = static_cast<char>(bytes[flip.at] ^ (1 << flip.bit));
    write_file(home + "/" + flip.path, bytes);
    const std::string file = fs::path(flip.path).filename();

    const Ended doctor = run_program({"doctor", "--home", home});
    const bool named = doctor.status == 1 && doctor.out.find(file) != std::string::npos;
    tally.named_by_doctor += named ? 1 : 0;

    NodeProcess node({.home = home, .environment = kSettings});
    if (!node.wait_for_line("ready ")) {
        const int status = node.wait();
        EXPECT_TRUE(status == 1 || status == 4) << status << "\n" << node.errors();
        EXPECT_NE(node.errors().find("perdure: "), std::string::npos);
        EXPECT_TRUE(named || node.errors().find(file) != std::string::npos)
            << doctor.out << node.errors();
        ++tally.refused;
        return;
    }
    const Held after = ask(home);
    if (is_ok(after.packages) || !named) {
        EXPECT_EQ(after.packages, before.packages);
    }
    for (const auto& [id, state] : before.states) {
        const std::string& found = after.states.at(id);
        if (found != state) {
            // A failure that says so, where doctor said so before; never another value, never none.
            EXPECT_TRUE(found.starts_with("HTTP/1.1 500 ") && named) << id << "\n" << found;
        }
    }
    if (named) {
        return;
    }
    const auto reason = harmless_because(flip.path);
    EXPECT_TRUE(reason) << "neither doctor nor the start reports it\n"
                        << doctor.out << node.errors();
    tally.harmless += reason ? 1 : 0;
    // The code that runs is the code that was installed.
    EXPECT_TRUE(run_script(node, process("small"), "get-state")
                    .starts_with("1 get-state value=written%20last"));
}

TEST(BitFlip, EveryFlipInAUsedHomeIsReportedByNameOrHarmlessAndNoValueChanges) {
    const TemporaryDirectory directory;
    const std::string used = directory / "used-home";
    make_used_home(directory.path(), used);
    Held before;
    {
        const std::string home = directory / "unharmed";
        fs::copy(used, home, fs::copy_options::recursive);
        NodeProcess node({.home = home, .environment = kSettings});
        ASSERT_TRUE(node.wait_for_line("ready ")) << node.errors();
        before = ask(home);
    }
    ASSERT_TRUE(is_ok(before.packages)) << before.packages;
    for (const auto& [id, state] : before.states) {
        ASSERT_TRUE(is_ok(state)) << id << "\n" << state;
    }
    std::vector<Flip> flips = all_flips(used);
    std::set<std::string> folders;
    for (const Flip& flip : flips) {
        const std::string folder = fs::path(flip.path).parent_path();
        folders.insert(folder.starts_with("cache/code/") ? "cache/code" : folder);
    }
    EXPECT_EQ(folders,
              (std::set<std::string>{"", "cache", "cache/code", "code", "db", "db/large", "log"}));
    const std::size_t blocks = flips.size();
    flips.resize(std::min(flips.size(), flips_wanted()));

    Tally tally;
    for (const Flip& flip : flips) {
        check(used, before, flip, tally);
    }
    std::cout << flips.size() << " of " << blocks << " blocks: " << tally.named_by_doctor
              << " flips named by doctor, " << tally.refused << " starts refused, "
              << tally.harmless << " harmless\n";
    EXPECT_GT(tally.named_by_doctor, 0);
    EXPECT_GT(tally.refused, 0);
    EXPECT_GT(tally.harmless, 0);
}

}  // namespace
}  // namespace perdure::functional
