/// Homes that a node must not use. Where a test runs as root, whom no permission stops, the program
/// runs as the user `nobody`.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

class Homes : public testing::Test {
protected:
    /// `perdure WORDS` as a user who is not root.
    Ended run_as_a_user(const std::string& words) {
        if (geteuid() != 0) {
            return run_shell("exec perdure " + words);
        }
        // Where the program was built may be closed to others.
        fs::permissions(directory_.path(), fs::perms{0755});
        const std::string program = directory_ / "perdure";
        fs::copy_file(PERDURE_BUILD_DIR "/perdure", program, fs::copy_options::skip_existing);
        return run_shell("cd / && exec setpriv --reuid=" + std::to_string(kNobody) + " --regid=" +
                         std::to_string(kNobody) + " --clear-groups " + program + " " + words);
    }
    /// An empty directory of the user of `run_as_a_user`.
    std::string own_directory(const std::string& name) {
        const std::string path = directory_ / name;
        fs::create_directory(path);
        fs::permissions(path, fs::perms{0700});
        if (geteuid() == 0) {
            EXPECT_EQ(chown(path.c_str(), kNobody, kNobody), 0);
        }
        return path;
    }

    const TemporaryDirectory directory_;
};

TEST_F(Homes, ThatAreReadOnlyAreRefusedWithTheCure) {
    const std::string home = own_directory("home");
    fs::permissions(home, fs::perms{0500});
    const Ended ended = run_as_a_user("run --http-port 0 --home " + home);
    expect_refusal(ended, 1, home + ": read-only; run: chmod 700 " + home);
    fs::permissions(home, fs::perms{0700});
    EXPECT_TRUE(fs::is_empty(home));
}

TEST_F(Homes, ThatCannotBeMadeAreRefusedWithTheCure) {
    const std::string parent = own_directory("parent");
    fs::permissions(parent, fs::perms{0500});
    for (const char* path : {"/home", "/deeper/home"}) {
        SCOPED_TRACE(path);
        for (const char* verb : {"run", "run --detach"}) {
            const Ended ended =
                run_as_a_user(std::string(verb) + " --http-port 0 --home " + parent + path);
            expect_refusal(ended, 1, "choose another home with --home");
            expect_refusal(ended, 1, "Permission denied");
        }
    }
    fs::permissions(parent, fs::perms{0700});
    EXPECT_TRUE(fs::is_empty(parent));
}

TEST_F(Homes, OfAnotherUserAreRefusedWithTheCure) {
    const std::string home = geteuid() == 0 ? own_directory("home") : "/usr";
    const std::string cure =
        home + ": belongs to another user; run as that user, or choose another home with --home";
    expect_refusal(run_program({"run", "--http-port", "0", "--home", home}), 1, cure);
    if (geteuid() == 0) {
        EXPECT_TRUE(fs::is_empty(home));
        expect_refusal(run_as_a_user("run --http-port 0 --home /usr"), 1,
                       "/usr: belongs to another user; run as that user");
    }
}

}  // namespace
}  // namespace perdure::functional
