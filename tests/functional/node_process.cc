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

Child start(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& variables) {
    int out[2];
    int err[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    const std::string program = std::string(PERDURE_BUILD_DIR) + "/perdure";
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    std::vector<std::string> environment{"PATH=" + std::string(getenv("PATH") != nullptr ? getenv("PATH") : "/usr/bin")};
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
    EXPECT_EQ(posix_spawn(&child.pid, program.c_str(), &actions, nullptr, argv.data(), envp.data()), 0) << program;
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

Ended run_program(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment) {
    const Child child = start(arguments, environment);
    Ended ended;
    std::thread errors([&] { ended.err = read_all(child.err); });
    ended.out = read_all(child.out);
    errors.join();
    ended.status = wait_status(child.pid);
    return ended;
}

NodeProcess::NodeProcess(Options options) : options_(std::move(options)) {
    std::vector<std::string> arguments{"run", "--home", options_.home, "--http-port", "0"};
    arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
    const Child child = start(arguments, options_.environment);
    pid_ = child.pid;
    out_reader_ = std::thread([this, out = child.out] { read(out, out_, &lines_); });
    err_reader_ = std::thread([this, err = child.err] { read(err, err_, nullptr); });
}

NodeProcess::~NodeProcess() {
    kill_hard();
}

void NodeProcess::read(int descriptor, std::string& into, std::vector<std::string>* lines) {
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

std::optional<std::string> NodeProcess::wait_for_line(const std::function<bool(std::string_view)>& wanted) {
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

std::optional<std::string> NodeProcess::wait_for_line(std::string_view part) {
    return wait_for_line([part](std::string_view line) { return line.find(part) != std::string_view::npos; });
}

std::vector<std::string> NodeProcess::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

std::string NodeProcess::errors() const {
    const std::lock_guard lock(mutex_);
    return err_;
}

void NodeProcess::join() {
    if (out_reader_.joinable()) {
        out_reader_.join();
    }
    if (err_reader_.joinable()) {
        err_reader_.join();
    }
}

void NodeProcess::kill_hard() {
    if (!status_) {
        ::kill(pid_, SIGKILL);
        status_ = wait_status(pid_);
    }
    join();
}

int NodeProcess::end() {
    if (!status_) {
        ::kill(pid_, SIGTERM);
    }
    return wait();
}

int NodeProcess::wait() {
    if (!status_) {
        status_ = wait_status(pid_);
    }
    join();
    return *status_;
}

Ended NodeProcess::command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--home", options_.home});
    return run_program(arguments);
}

}  // namespace perdure::functional
