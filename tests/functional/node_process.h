#pragma once

/// The real program as a child process: started, read line by line, killed, asked by its own command line.

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace perdure::functional {

/// A directory below the system's temporary one, removed with everything in it at the end.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::string& path() const { return path_; }
    std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

private:
    std::string path_;
};

/// What a program that has ended left behind.
struct Ended {
    int status = -1;  ///< Exit status, or -1 if a signal ended it.
    std::string out;
    std::string err;
};

/// Longest wait for anything; a test that needs it has failed.
inline constexpr std::chrono::seconds kPatience{60};

/// Runs build/…/perdure with `arguments` to its end.
Ended run_program(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment = {});

/// A node: `perdure run --home HOME --http-port 0 …`.
class NodeProcess {
public:
    struct Options {
        std::string home;
        std::vector<std::string> arguments = {};          ///< Further flags and package directories.
        std::map<std::string, std::string> environment = {};  ///< Beside PATH and HOME, the only variables it has.
    };
    explicit NodeProcess(Options options);
    /// Kills it if it still runs.
    ~NodeProcess();
    NodeProcess(const NodeProcess&) = delete;
    NodeProcess& operator=(const NodeProcess&) = delete;

    /// Waits for a line of standard output that `wanted` accepts, from where the last wait stopped. Nothing: it ended or
    /// took longer than kPatience.
    std::optional<std::string> wait_for_line(const std::function<bool(std::string_view)>& wanted);
    std::optional<std::string> wait_for_line(std::string_view part);
    /// All lines so far.
    std::vector<std::string> lines() const;
    std::string errors() const;

    /// SIGKILL, and waits until it is gone.
    void kill_hard();
    /// SIGTERM; its exit status.
    int end();
    /// Waits until it ends by itself; its exit status, -1 for a signal.
    int wait();
    pid_t pid() const { return pid_; }
    const std::string& home() const { return options_.home; }

    /// `perdure VERB … --home HOME`
    Ended command(std::vector<std::string> arguments) const;

private:
    void read(int descriptor, std::string& into, std::vector<std::string>* lines);
    void join();

    const Options options_;
    pid_t pid_ = -1;
    std::thread out_reader_;
    std::thread err_reader_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<std::string> lines_;
    std::string out_;
    std::string err_;
    std::size_t next_ = 0;
    bool out_closed_ = false;
    std::optional<int> status_;
};

}  // namespace perdure::functional
