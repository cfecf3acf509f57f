#include "node_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace perdure::functional {
namespace {

struct Child {
    pid_t pid = -1;
    int out = -1;
    int err = -1;
};

const std::string& perdure_program() {
    static const std::string kProgram = std::string(PERDURE_BUILD_DIR) + "/perdure";
    return kProgram;
}

const std::string kShell = "/bin/sh";

Child start(const std::string& program, const std::vector<std::string>& arguments,
            const Environment& variables) {
    int out[2];
    int err[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    const char* path = getenv("PATH");
    std::vector<std::string> environment{"PATH=" + std::string(PERDURE_BUILD_DIR) + ":" +
                                         (path != nullptr ? path : "/usr/bin")};
    if (!variables.contains("HOME")) {
        environment.emplace_back("HOME=/nonexistent");
    }
    for (const auto& [name, value] : variables) {
        environment.push_back(name + "=" + value);
    }
    std::vector<char*> envp;
    for (const std::string& variable : environment) {
        envp.push_back(const_cast<char*>(variable.c_str()));
    }
    envp.push_back(nullptr);
    Child child;
    EXPECT_EQ(posix_spawn(&child.pid, program.c_str(), &actions, nullptr, argv.data(), envp.data()),
              0)
        << program;
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    child.out = out[0];
    child.err = err[0];
    return child;
}

int wait_status(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string read_all(int descriptor) {
    std::string text;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::read(descriptor, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(count));
    }
    close(descriptor);
    return text;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "perdure-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

namespace {

Ended run_to_end(const std::string& program, const std::vector<std::string>& arguments,
                 const Environment& environment) {
    const Child child = start(program, arguments, environment);
    Ended ended;
    std::thread errors([&] { ended.err = read_all(child.err); });
    ended.out = read_all(child.out);
    errors.join();
    ended.status = wait_status(child.pid);
    return ended;
}

}  // namespace

Ended run_program(const std::vector<std::string>& arguments, const Environment& environment) {
    return run_to_end(perdure_program(), arguments, environment);
}

Ended run_shell(const std::string& line, const Environment& environment) {
    return run_to_end(kShell, {"-c", line}, environment);
}

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

RunningProgram::RunningProgram(const std::vector<std::string>& arguments,
                               const Environment& environment) {
    begin(perdure_program(), arguments, environment);
}

RunningProgram::RunningProgram(Shell, const std::string& line, const Environment& environment) {
    begin(kShell, {"-c", line}, environment);
}

std::unique_ptr<RunningProgram> RunningProgram::of_shell(const std::string& line,
                                                         const Environment& environment) {
    return std::unique_ptr<RunningProgram>(new RunningProgram(Shell{}, line, environment));
}

void RunningProgram::begin(const std::string& program, const std::vector<std::string>& arguments,
                           const Environment& environment) {
    const Child child = start(program, arguments, environment);
    pid_ = child.pid;
    out_reader_ = std::thread([this, out = child.out] { read(out, out_, &lines_); });
    err_reader_ = std::thread([this, err = child.err] { read(err, err_, nullptr); });
}

RunningProgram::~RunningProgram() {
    kill_hard();
}

void RunningProgram::read(int descriptor, std::string& into, std::vector<std::string>* lines) {
    char buffer[4096];
    for (ssize_t count = 0; (count = ::read(descriptor, buffer, sizeof buffer)) > 0;) {
        const std::lock_guard lock(mutex_);
        into.append(buffer, static_cast<std::size_t>(count));
        if (lines != nullptr) {
            for (std::size_t end = 0; (end = into.find('\n')) != std::string::npos;) {
                lines->push_back(into.substr(0, end));
                into.erase(0, end + 1);
            }
        }
        changed_.notify_all();
    }
    close(descriptor);
    const std::lock_guard lock(mutex_);
    if (lines != nullptr) {
        out_closed_ = true;
    }
    changed_.notify_all();
}

std::optional<std::string> RunningProgram::wait_for_line(
    const std::function<bool(std::string_view)>& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::unique_lock lock(mutex_);
    for (;;) {
        while (next_ < lines_.size()) {
            const std::string& line = lines_[next_++];
            if (wanted(line)) {
                return line;
            }
        }
        if (out_closed_ || changed_.wait_until(lock, deadline) == std::cv_status::timeout) {
            return std::nullopt;
        }
    }
}

std::optional<std::string> RunningProgram::wait_for_line(std::string_view part) {
    return wait_for_line(
        [part](std::string_view line) { return line.find(part) != std::string_view::npos; });
}

std::vector<std::string> RunningProgram::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

std::string RunningProgram::errors() const {
    const std::lock_guard lock(mutex_);
    return err_;
}

void RunningProgram::join() {
    if (out_reader_.joinable()) {
        out_reader_.join();
    }
    if (err_reader_.joinable()) {
        err_reader_.join();
    }
}

void RunningProgram::kill_hard() {
    if (!status_) {
        ::kill(pid_, SIGKILL);
        status_ = wait_status(pid_);
    }
    join();
}

int RunningProgram::end() {
    if (!status_) {
        ::kill(pid_, SIGTERM);
    }
    return wait();
}

int RunningProgram::wait() {
    if (!status_) {
        status_ = wait_status(pid_);
    }
    join();
    return *status_;
}

std::optional<int> RunningProgram::status_now() {
    int status = 0;
    if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) {
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    return status_;
}

namespace {

std::vector<std::string> run_arguments(const NodeProcess::Options& options) {
    std::vector<std::string> arguments{"run", "--home", options.home, "--http-port", "0"};
    arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
    return arguments;
}

}  // namespace

NodeProcess::NodeProcess(const Options& options)
    : RunningProgram(run_arguments(options), options.environment), home_(options.home) {}

Ended NodeProcess::command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--home", home_});
    return run_program(arguments);
}

}  // namespace perdure::functional
