/// The threads of a node are those that are documented, and no others.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Pair;

/// How often each name occurs; digits at the end of a name become N, those of RocksDB one name.
std::map<std::string, int> threads_of(pid_t process) {
    std::map<std::string, int> counts;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
        std::string name;
        std::ifstream file(task.path() / "comm");
        std::getline(file, name);
        if (name.starts_with("rocksdb:")) {
            continue;
        }
        const std::size_t digits = name.find_last_not_of("0123456789") + 1;
        ++counts[digits == name.size() ? name : name.substr(0, digits) + "N"];
    }
    return counts;
}

/// The first column of the table in docs/architecture/threads.md.
std::set<std::string> documented() {
    std::set<std::string> names;
    std::ifstream file(std::string(PERDURE_SOURCE_DIR) + "/docs/architecture/threads.md");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("| `")) {
            names.insert(line.substr(3, line.find('`', 3) - 3));
        }
    }
    return names;
}

TEST(Threads, E19_OfAnIdleNodeAreTheDocumentedOnes) {
    const TemporaryDirectory directory;
    const std::string package = make_package(
        directory.path(), "talk", {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}});
    NodeProcess node({.home = directory / "home",
                      .arguments = {package},
                      .environment = {{"PERDURE_WORKERS", "3"}}});
    ASSERT_TRUE(node.wait_for_line("echo at "));
    ASSERT_EQ(node.command({"send", "echo:talk:test.os", "hello"}).status, 0);

    std::map<std::string, int> counts = threads_of(node.pid());
    // The main thread, and a timer of RocksDB.
    EXPECT_LE(counts["perdure"], 2);
    counts.erase("perdure");
    EXPECT_THAT(counts, ElementsAre(Pair("blocking", 4), Pair("committer", 1), Pair("control", 1),
                                    Pair("http", 1), Pair("kwe-compile-N", 2), Pair("log", 3),
                                    Pair("output", 1), Pair("ticker", 1), Pair("worker", 3)));
    const std::set<std::string> names = documented();
    EXPECT_THAT(names, Contains("main"));
    EXPECT_EQ(names.size(), counts.size() + 1) << "docs/architecture/threads.md";
    for (const auto& [name, count] : counts) {
        EXPECT_THAT(names, Contains(name)) << "docs/architecture/threads.md";
    }
    EXPECT_EQ(node.end(), 0);
}

}  // namespace
}  // namespace perdure::functional
