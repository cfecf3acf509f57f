#pragma once

/// The real program as a child process: started, read line by line, killed, asked by its own
/// command line.

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
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

using Environment = std::map<std::string, std::string>;

/// Runs build/…/perdure with `arguments` to its end. `environment`: beside PATH and HOME, the only
/// variables it has.
Ended run_program(const std::vector<std::string>& arguments, const Environment& environment = {});

/// Runs `line` in a shell, to its end; `perdure` is the program under test.
Ended run_shell(const std::string& line, const Environment& environment = {});

/// Asks `condition` again and again; false if it did not come true within kPatience.
bool eventually(const std::function<bool()>& condition);

/// build/…/perdure while it runs.
class RunningProgram {
public:
    explicit RunningProgram(const std::vector<std::string>& arguments,
                            const Environment& environment = {});
    /// `line` in a shell, which the program should replace (`exec perdure …`).
    static std::unique_ptr<RunningProgram> of_shell(const std::string& line,
                                                    const Environment& environment = {});
    /// Kills it if it still runs.
    ~RunningProgram();
    RunningProgram(const RunningProgram&) = delete;
    RunningProgram& operator=(const RunningProgram&) = delete;

    /// Waits for a line of standard output that `wanted` accepts, from where the last wait stopped.
    /// Nothing: it ended or took longer than kPatience.
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
    /// Nothing: it still runs.
    std::optional<int> status_now();
    pid_t pid() const { return pid_; }

private:
    struct Shell {};
    RunningProgram(Shell, const std::string& line, const Environment& environment);
    void begin(const std::string& program, const std::vector<std::string>& arguments,
               const Environment& environment);
    void read(int descriptor, std::string& into, std::vector<std::string>* lines);
    void join();

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

/// A node: `perdure run --home HOME --http-port 0 …`.
class NodeProcess : public RunningProgram {
public:
    struct Options {
        std::string home;
        std::vector<std::string> arguments = {};  ///< Further flags and package directories.
        Environment environment = {};
    };
    explicit NodeProcess(const Options& options);
    const std::string& home() const { return home_; }

    /// `perdure VERB … --home HOME`
    Ended command(std::vector<std::string> arguments) const;

private:
    const std::string home_;
};

}  // namespace perdure::functional
