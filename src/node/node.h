#pragma once

/// The composition root: builds every room in the order it reads, starts them, and ends them in
/// reverse.
///
/// Start: home and its lock → storage (recovery, committer, gate) → blocking pool → code store →
/// engine → kernel with its modules → boot → ticker and workers → control socket and HTTP port
/// answer. Both are bound before the engine, so that a port in use ends the start before any
/// process ran. Nothing leaves before recovery is synced (K-270).

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "abi/ids.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/files.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "kernel/faults.h"
#include "node/node_api.h"
#include "node/settings.h"
#include "storage/log.h"
#include "storage/storage.h"

namespace perdure::kernel {
class Kernel;
}

namespace perdure::node {

/// How a suite drives a node on its own thread: the node starts no thread, binds no socket, and
/// moves only when it is stepped (K-262). Everything outlives the node.
struct NodeByHand {
    Executor& blocking;                   ///< Instead of the blocking pool.
    std::function<void()> stop_blocking;  ///< Runs what waits there; nothing more is taken.
    std::function<void()> step;           ///< Moves the kernel on while a command waits for it.
    std::function<void(Storage&)>
        recovered;  ///< Looks at what recovery found, before the kernel boots.
    /// As in StorageOptions.
    RocksTuning tuning;
    std::function<bool(const Error&)> after_failed_write;
    AppendedForTest appended;
    kernel::KernelFaultsForTest kernel_faults;
};

/// The world as the node sees it; everything outlives the node (K-261).
struct NodeWorld {
    const Clock& clock;
    Files& files;
    /// Lines of the node itself, besides the log file and `perdure logs`.
    LogSink& console;
    /// Left empty except by suites that show that they find a loss.
    LogFaultsForTest faults;
    /// Called once when the node has to end: by command or signal with 0, after a failed sync
    /// with 74.
    std::function<void(int status, const std::string& why)> end;
    /// One generator for each part that draws (K-261).
    std::function<std::unique_ptr<Random>()> make_random;
    /// Calls `done` once what has been shown so far has been written to the terminal; nothing:
    /// there is no terminal.
    std::function<void(std::function<void()> done)> after_output = nullptr;
    NodeByHand* by_hand = nullptr;
};

class Node final : public NodeApi {
public:
    /// Errors: those of Home::open and Storage::open, and of the engine (see
    /// `exit_status_of_start`); Unreachable: the HTTP port is in use.
    static Result<std::unique_ptr<Node>> start(LoadedSettings settings, NodeWorld world);
    /// Ends in order (K-170): at most 5 s.
    ~Node() override;

    /// The HTTP port that was bound; 0 without one.
    std::uint16_t http_port() const;

    // Only by hand.
    kernel::Kernel& kernel();
    Storage& storage();
    /// The next to happen is the destructor: as a crash that the disk survives, nothing more is
    /// written or let out.
    void crash_for_test();

    // NodeApi
    void processes(Done<std::vector<ProcessRow>> done) override;
    void packages(Done<std::vector<PackageRow>> done) override;
    void start_package(std::string directory, Done<StartedPackage> done) override;
    void remove_package(std::string package, Done<void> done) override;
    void send(SendCommand command, Done<SendAnswer> done) override;
    void kill(std::string process, Done<void> done) override;
    void restart(std::string process, Done<void> done) override;
    void show_state(std::string process, Done<ProcessStateInfo> done) override;
    void export_state(std::string process, Done<std::optional<SharedBytes>> done) override;
    void import_state(std::string process, SharedBytes bytes, Done<void> done) override;
    void clear_state(std::string process, Done<void> done) override;
    Result<std::unique_ptr<LogSubscription>> logs(LogQuery query, LogReceiver receiver) override;
    std::vector<SettingRow> config() const override;
    Health health() const override;
    VersionInfo version() const override;
    void shutdown(Done<void> done) override;

private:
    struct Parts;
    explicit Node(std::unique_ptr<Parts> parts);

    void list_processes(SequenceNumber also_seen, const Done<std::vector<ProcessRow>>& done);
    void write_state(const ProcessId& id, std::optional<SharedBytes> bytes, Done<void> done);
    void change_state(const std::string& process, std::optional<SharedBytes> bytes,
                      Done<void> done);
    Result<void> listen();
    Result<void> boot();
    /// Of a process that runs, belongs to an installed package or has saved state; else the answer
    /// is NotFound.
    void check_known(const std::string& process, Done<void> done);
    /// The saved state, whether or not anybody knows the process.
    void read_state(const ProcessId& id, Done<std::optional<SharedBytes>> done);

    std::unique_ptr<Parts> parts_;
};

}  // namespace perdure::node
