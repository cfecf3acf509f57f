/// `perdure doctor` on the homes that the real program leaves: it finds what is damaged, names the
/// file, changes nothing.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

class Doctor : public testing::Test {
protected:
    /// A counter ran, the node was killed hard, started again and killed again: log, tables and
    /// code are there.
    Doctor() {
        const std::string package = copy_counter_sample(directory_.path());
        NodeProcess first({.home = home_, .arguments = {package}});
        EXPECT_TRUE(first.wait_for_line("counter: 2")) << first.errors();
        first.kill_hard();
        NodeProcess second({.home = home_});
        EXPECT_TRUE(second.wait_for_line("counter: ")) << second.errors();
        EXPECT_TRUE(second.wait_for_line("counter: "));
        second.kill_hard();
    }

    Ended doctor(const std::vector<std::string>& flags = {}) const {
        std::vector<std::string> words{"doctor", "--home", home_};
        words.insert(words.end(), flags.begin(), flags.end());
        return run_program(words);
    }
    /// The files of `folder` whose names end so, the longest first.
    std::vector<std::string> files(const std::string& folder, std::string_view ending) const {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(home_ + "/" + folder)) {
            if (entry.path().string().ends_with(ending) && entry.file_size() != 0) {
                found.push_back(entry.path());
            }
        }
        std::sort(found.begin(), found.end(),
                  [](const std::string& left, const std::string& right) {
                      return std::filesystem::file_size(left) > std::filesystem::file_size(right);
                  });
        return found;
    }
    /// Flips a bit at each of `places` in turn; doctor has to name the file each time, then the bit
    /// is put back.
    void expect_named(const std::string& path, const std::vector<std::size_t>& places) const {
        const std::string whole = read_whole_file(path);
        for (const std::size_t place : places) {
            SCOPED_TRACE(path + " byte " + std::to_string(place) + " of " +
                         std::to_string(whole.size()));
            ASSERT_LT(place, whole.size());
            std::string damaged = whole;
            damaged[place] = static_cast<char>(damaged[place] ^ 0x10);
            write_file(path, damaged);
            const Ended ended = doctor();
            EXPECT_EQ(ended.status, 1) << ended.out << ended.err;
            EXPECT_NE(ended.out.find(std::filesystem::path(path).filename()), std::string::npos)
                << ended.out << ended.err;
            EXPECT_NE(ended.out.find("error "), std::string::npos) << ended.out;
        }
        write_file(path, whole);
        EXPECT_EQ(doctor().status, 0);
    }

    const TemporaryDirectory directory_;
    const std::string home_ = directory_ / "home";
};

TEST_F(Doctor, FindsAUsedHomeHealthyAndChangesNothing) {
    const auto before = fingerprints(home_);
    const Ended ended = doctor();
    EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
    EXPECT_NE(ended.out.find("ok " + home_ + ": "), std::string::npos) << ended.out;
    EXPECT_EQ(ended.out.find("error"), std::string::npos) << ended.out;
    EXPECT_NE(ended.out.find("note " + home_ + ": this version has no network"), std::string::npos)
        << ended.out;
    EXPECT_EQ(fingerprints(home_), before);
    EXPECT_GT(before.size(), 8u);
}

TEST_F(Doctor, NamesADamagedLogFile) {
    const auto logs = files("db", ".log");
    ASSERT_FALSE(logs.empty());
    const std::size_t size = std::filesystem::file_size(logs.front());
    // Not the last record: what was cut off there is what a crash leaves.
    expect_named(logs.front(), {size / 4, size / 3});
}

TEST_F(Doctor, NamesADamagedTable) {
    const auto tables = files("db", ".sst");
    ASSERT_FALSE(tables.empty());
    const std::size_t size = std::filesystem::file_size(tables.front());
    expect_named(tables.front(), {3, size / 2, size - 3});
}

TEST_F(Doctor, NamesADamagedComponent) {
    const auto components = files("code", ".wasm");
    ASSERT_EQ(components.size(), 1u);
    const std::size_t size = std::filesystem::file_size(components.front());
    expect_named(components.front(), {0, size / 2, size - 1});
}

// It said "ok" of a home whose next start could not run the package.
TEST_F(Doctor, NamesThePackageWhoseComponentIsMissing) {
    const std::string component = files("code", ".wasm").front();
    std::filesystem::remove(component);
    const Ended ended = doctor();
    EXPECT_EQ(ended.status, 1) << ended.out;
    EXPECT_NE(ended.out.find("error " + component +
                             ": is missing; package counter-cpp:perdure.os needs it as "
                             "pkg/counter.wasm; install the package again"),
              std::string::npos)
        << ended.out;
}

TEST_F(Doctor, DamageIsLeftAsItIs) {
    const std::string component = files("code", ".wasm").front();
    write_file(component, "something else");
    const auto before = fingerprints(home_);
    EXPECT_EQ(doctor().status, 1);
    EXPECT_EQ(fingerprints(home_), before);
}

TEST_F(Doctor, WithJsonTheDamageIsAFinding) {
    const std::string component = files("code", ".wasm").front();
    write_file(component, "something else");
    const Ended ended = doctor({"--json"});
    EXPECT_EQ(ended.status, 1);
    const auto answer = parse_json(ended.out);
    ASSERT_TRUE(answer) << ended.out;
    EXPECT_EQ(answer->find("healthy")->as_bool(), false);
    bool named = false;
    for (const Json& finding : *answer->find("findings")->as_array()) {
        named = named || (text_of(finding, "severity") == "error" &&
                          text_of(finding, "subject") == component);
    }
    EXPECT_TRUE(named) << ended.out;
}

TEST_F(Doctor, NamesAHomeOfANewerFormatAndOneThatIsOpenToOthers) {
    write_file(home_ + "/version", "999\n");
    Ended ended = doctor();
    EXPECT_EQ(ended.status, 1);
    EXPECT_NE(ended.out.find("version: format 999 is newer"), std::string::npos) << ended.out;
    write_file(home_ + "/version", "1\n");
    std::filesystem::permissions(home_, std::filesystem::perms{0755});
    ended = doctor();
    EXPECT_EQ(ended.status, 1);
    EXPECT_NE(ended.out.find("chmod go-rwx " + home_), std::string::npos) << ended.out;
}

}  // namespace
}  // namespace perdure::functional
