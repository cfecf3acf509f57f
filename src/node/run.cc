#include "node/run.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <future>
#include <thread>

#include "base/system_clock.h"
#include "base/system_random.h"
#include "node/async_sink.h"
#include "node/log_sinks.h"
#include "node/node.h"
#include "node/output_writer.h"
#include "node/test_hooks.h"
#include "storage/home.h"
#include "transport/http_client.h"

extern char** environ;  // NOLINT: POSIX gives it no header without extensions

namespace perdure::node {
namespace {

constexpr std::size_t kOutputBytesMax = 4u << 20;
constexpr auto kDetachTimeout = std::chrono::seconds(30);
constexpr auto kDetachPoll = std::chrono::milliseconds(20);

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGHUP, SIGTERM, SIGINT, SIGQUIT}) {
        sigaddset(&set, signal);
    }
    return set;
}

/// For a console that is a file nobody watches.
class NoSink final : public LogSink {
public:
    void write(LogLevel, std::string_view) override {}
};

void print_error(const Error& error) {
    std::fprintf(stderr, "perdure: %s\n", error.message().c_str());
}

int status_of(const Error& error) {
    if (error.code() == ErrorCode::Unreachable) {  // As Node::start has it.
        return static_cast<int>(ExitStatus::PortInUse);
    }
    return exit_status_of_start(error);
}

/// `path` and the directories above it, as far as they are missing, mode 0700 (M-DSK-6).
Result<void> make_directories(Files& files, const std::string& path) {
    const std::string parent = parent_of(path);
    if (parent == path || files.info(path)) {
        return {};
    }
    RETURN_IF_ERROR(make_directories(files, parent));
    auto made = files.make_directory(path);
    if (!made) {
        return made.error().code() == ErrorCode::AlreadyExists ? Result<void>() : made;
    }
    static_cast<void>(files.sync_directory(parent));
    return {};
}

/// Makes the way to `home` as far as `directory`, which is `home` or what is above it.
Result<void> make_way(Files& files, const std::string& home, const std::string& directory) {
    auto made = make_directories(files, directory);
    if (made) {
        return {};
    }
    return Error(made.error().code(), home + ": cannot be made (" + made.error().message() +
                                          "); choose another home with --home");
}

std::string ready_line(const Node& node, const Settings& settings) {
    return "ready http=127.0.0.1:" + std::to_string(node.http_port()) + " home=" + settings.home;
}

/// Installs the packages named on the command line. Errors: the first one that could not be
/// installed.
Result<void> install_packages(Node& node, const std::vector<std::string>& directories) {
    for (const std::string& directory : directories) {
        std::promise<Result<StartedPackage>> promise;
        auto answer = promise.get_future();
        node.start_package(directory, [&promise](Result<StartedPackage> started) {
            promise.set_value(std::move(started));
        });
        RETURN_IF_ERROR(answer.get().with_context(directory));
    }
    return {};
}

int run_in_foreground(const RunOptions& options) {
    const sigset_t signals = ending_signals();
    // Before any thread is made, so that all of them leave these signals to this one.
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);

    const SystemClock clock;
    const std::unique_ptr<Files> files = make_posix_files();
    const bool bounded = options.console == Console::Bounded;
    const auto console = std::make_unique<AsyncSink>(
        bounded ? std::make_unique<NoSink>() : make_stderr_sink(options.error_colours),
        kOutputBytesMax);
    OutputWriter output(STDOUT_FILENO, kOutputBytesMax);
    const TestHooks hooks = read_test_hooks();
    std::atomic<bool> slow{false};
    const std::unique_ptr<Files> hooked_files = with_test_hooks(*files, hooks, slow);
    if (hooks.any()) {
        make_stderr_sink(options.error_colours)
            ->write(LogLevel::Warn,
                    "test_hooks_set cure=\"unset the variables PERDURE_TEST_…: this node may lose "
                    "data\"");
    }
    const std::string& home = options.settings.values.home;
    if (const auto made = make_way(*files, home, parent_of(home)); !made) {
        print_error(made.error());
        return static_cast<int>(ExitStatus::Failure);
    }
    Files& disk = hooks.any() ? *hooked_files : *files;
    NodeWorld world{
        clock,
        disk,
        *console,
        hooks.faults,
        [](int status, const std::string& why) {
            if (status != 0) {
                // What is on disk is unknown: nothing more may happen (K-247), not even an end of
                // log lines.
                print_error(Error(ErrorCode::Io,
                                  why + "; the node ends at once; check the disk, then start "
                                        "again: it recovers from its log"));
                _exit(status);
            }
            kill(getpid(), SIGTERM);
        },
        [] { return std::make_unique<SystemRandom>(); },
        [&output](std::function<void()> done) { output.when_written(std::move(done)); }};
    auto started = Node::start(options.settings, world);
    if (!started) {
        print_error(started.error());
        return status_of(started.error());
    }
    Node& node = **started;
    LogQuery query;
    query.verbosity = static_cast<std::uint8_t>(options.settings.values.verbosity);
    query.until = LogQuery::Until::Forever;
    LogReceiver receiver;
    receiver.line = [&output, bounded](const LogLine& line) {
        if (line.origin == LogOrigin::Print && !bounded) {
            output.write_line(line.text);
        }
    };
    receiver.end = [](const Result<void>&) {};
    slow.store(true);
    output.write_line(ready_line(node, options.settings.values));
    auto following = node.logs(query, receiver);
    if (auto installed = install_packages(node, options.package_dirs); !installed) {
        print_error(installed.error());
        return static_cast<int>(ExitStatus::Failure);
    }
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    started->reset();
    if (bounded) {
        output.write_line("ended home=" + home);
    }
    return static_cast<int>(ExitStatus::Success);
}

int run_detached(const RunOptions& options) {
    const std::string& home = options.settings.values.home;
    const std::unique_ptr<Files> files = make_posix_files();
    if (const auto made = make_way(*files, home, home); !made) {
        print_error(made.error());
        return static_cast<int>(ExitStatus::Failure);
    }
    if (const auto info = files->info(home); info && !info->directory) {
        print_error(Error(ErrorCode::InvalidInput, home + ": not a directory"));
        return static_cast<int>(ExitStatus::Failure);
    }
    // A name of its own until the home is this node's: another one may be running, and writing to
    // its console.log.
    const std::string console = home + "/console.log";
    const std::string output = console + "." + std::to_string(getpid());
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    std::vector<char*> arguments{const_cast<char*>(options.program.c_str())};
    for (const std::string& argument : options.arguments) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    pid_t child = 0;
    const int failed = posix_spawn(&child, options.program.c_str(), &actions, &attributes,
                                   arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) {
        static_cast<void>(files->remove(output));
        print_error(Error(ErrorCode::Io,
                          "the node could not be started: " + std::string(strerror(failed))));
        return static_cast<int>(ExitStatus::Failure);
    }
    const auto deadline = std::chrono::steady_clock::now() + kDetachTimeout;
    while (std::chrono::steady_clock::now() < deadline) {
        std::ifstream lines(output);
        std::string line;
        while (std::getline(lines, line)) {
            if (line.starts_with("ready ")) {
                static_cast<void>(files->rename(output, console));
                std::printf("%s\n", line.c_str());
                return static_cast<int>(ExitStatus::Success);
            }
        }
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) {
            std::ifstream again(output);
            while (std::getline(again, line)) {
                std::fprintf(stderr, "%s\n", line.c_str());
            }
            static_cast<void>(files->remove(output));
            return WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(ExitStatus::Failure);
        }
        std::this_thread::sleep_for(kDetachPoll);
    }
    print_error(Error(ErrorCode::TimedOut, "the node was not ready within 30 s; see " + output));
    return static_cast<int>(ExitStatus::Failure);
}

}  // namespace

int run_node(const RunOptions& options) {
    return options.attach == Attach::Detached ? run_detached(options) : run_in_foreground(options);
}

VersionInfo program_version() {
    VersionInfo info;
    info.version = PERDURE_VERSION;
    info.commit = PERDURE_COMMIT;
    info.engine = PERDURE_ENGINE;
    info.store_format = kHomeFormat;
    return info;
}

std::string control_socket_path(const std::string& home) {
    return home + "/control.sock";
}

}  // namespace perdure::node
