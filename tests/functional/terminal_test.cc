/// A node whose standard output nobody reads.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"

namespace perdure::functional {
namespace {

/// What may wait for a reader: the node's queue, the pipe, the line that is being written.
constexpr std::size_t kWaitingBytesMax = (4u << 20) + (64u << 10) + (64u << 10);

class BlockedTerminal : public testing::Test {
protected:
    BlockedTerminal() {
        const std::string pipe = directory_ / "pipe";
        EXPECT_EQ(mkfifo(pipe.c_str(), 0600), 0);
        // Both ends, so that the node finds a reader; nothing is read unless a test does.
        pipe_ = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        EXPECT_GE(pipe_, 0);
        const std::string package =
            make_package(directory_.path(), "talk",
                         {{.name = "script", .fixture = "script", .on_exit = "\"Restart\""},
                          {.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}});
        node_ = RunningProgram::of_shell("exec perdure run --home " + home_ + " --http-port 0 " +
                                         package + " >" + pipe);
        EXPECT_TRUE(eventually([&] {
            const Ended listed = command({"ps"});
            return listed.out.find("script:talk:test.os") != std::string::npos &&
                   listed.out.find("echo:talk:test.os") != std::string::npos;
        })) << node_->errors();
    }
    ~BlockedTerminal() override { ::close(pipe_); }

    Ended command(std::vector<std::string> words) const {
        words.insert(words.end(), {"--home", home_});
        return run_program(words);
    }
    Ended run(const std::string& program) const {
        return command({"send", "script:talk:test.os", program, "--timeout", "60"});
    }
    /// Reads until `part` has come.
    std::string read_up_to(std::string_view part) const {
        std::string text;
        char buffer[1 << 16];
        EXPECT_TRUE(eventually([&] {
            ssize_t count = 0;
            while ((count = ::read(pipe_, buffer, sizeof buffer)) > 0) {
                text.append(buffer, static_cast<std::size_t>(count));
            }
            return text.find(part) != std::string::npos;
        })) << text.size();
        return text;
    }

    const TemporaryDirectory directory_;
    const std::string home_ = directory_ / "home";
    int pipe_ = -1;
    std::unique_ptr<RunningProgram> node_;
};

TEST_F(BlockedTerminal, CK141_AHundredThousandPrintsHoldUpNobodyAndWhatWaitsIsBounded) {
    const std::string line(200, 'x');
    const Ended printed = run("print 0 begin\nprint 255 deep\nrepeat 100000\nprint 0 " + line +
                              "\nend\nnote printed");
    EXPECT_EQ(printed.status, 0) << printed.err;
    EXPECT_EQ(printed.out, "6 note printed\n6 done\n");
    const Ended echoed = command({"send", "echo:talk:test.os", "still here", "--timeout", "60"});
    EXPECT_NE(echoed.out.find("still here"), std::string::npos) << echoed.err;
    EXPECT_EQ(command({"kill", "echo:talk:test.os"}).status, 0);
    EXPECT_EQ(node_->status_now(), std::nullopt);

    // Twenty megabytes were printed; what waited is bounded, and says what is missing.
    EXPECT_EQ(run("print 0 end").status, 0);
    std::string shown;
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(run("print 0 again").status, 0);
        shown += read_up_to("");
        return shown.find("again") != std::string::npos;
    }));
    EXPECT_LE(shown.size(), kWaitingBytesMax);
    EXPECT_NE(shown.find("talk:test.os: begin\ntalk:test.os: " + line + "\n"), std::string::npos);
    EXPECT_EQ(shown.find("deep"), std::string::npos)
        << "level 255 is shown to nobody who asks for 0";
    EXPECT_NE(shown.find(" lines were dropped: nobody read them in time\n"), std::string::npos);
}

// A line longer than a pipe takes at once held the thread that writes, and with it the end.
TEST_F(BlockedTerminal, CK141_ANodeWithABlockedTerminalEndsInOrder) {
    const std::string line(57'000, 'x');
    EXPECT_EQ(run("set-state kept\nrepeat 100\nprint 0 " + line + "\nend").status, 0);
    ASSERT_EQ(::kill(node_->pid(), SIGTERM), 0);
    ASSERT_TRUE(eventually([&] { return node_->status_now().has_value(); }));
    EXPECT_EQ(node_->status_now(), 0);
    NodeProcess again({.home = home_});
    ASSERT_TRUE(again.wait_for_line("ready "));
    EXPECT_EQ(again.command({"process-state", "export", "script:talk:test.os"}).out, "kept");
}

}  // namespace
}  // namespace perdure::functional
