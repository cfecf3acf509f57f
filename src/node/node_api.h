#pragma once

/// A running node as the control protocol sees it: one method per verb, plain values in and out.
///
/// The node implements it; `control_api.h` maps HTTP to it; tests put a fake behind it.
///
/// Rules for every method:
///   1. Thread: any. None blocks: an answer that has to wait arrives through its callback, exactly
///   once, on any
///      thread, possibly before the method returns.
///   2. An answer that shows something durable has passed the gate when the callback runs (K-267).
///   3. A callback is never called after `shutdown` has been answered and the node is gone; whoever
///   waits then sees
///      the connection end.
/// Errors common to all: NotFound (the message names the thing), InvalidInput (malformed id),
/// Overloaded (a named limit, no space on disk), Cancelled (the node is stopping), Io, Corrupt.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "node/settings.h"

namespace perdure::node {

template <typename T>
using Done = std::function<void(Result<T>)>;

/// One line of `ps`.
struct ProcessRow {
    std::string process;  ///< `name:package:publisher`
    std::string phase;    ///< The kernel's word for where its life stands, for example `running` or
                          ///< `waiting`.
    std::uint64_t restarts = 0;  ///< Since the node started.
    std::uint64_t mailbox_messages = 0;
    std::uint64_t mailbox_bytes = 0;
    std::uint64_t memory_bytes = 0;  ///< Linear memory now.
    std::uint64_t cpu_ns = 0;        ///< Guest time since the node started, over all its instances.
    std::uint64_t state_bytes = 0;   ///< Of the saved process state; 0 also where there is none.
    std::uint64_t seen = 0;          ///< The newest entry it depends on.
    std::uint64_t durable = 0;       ///< The node's durable number when the row was taken.
};

struct PackageRow {
    std::string package;                 ///< `package:publisher`
    std::string version;                 ///< As its metadata says; may be empty.
    std::vector<std::string> processes;  ///< Ids of the processes its manifest starts.
};

struct StartedPackage {
    std::string package;
    std::vector<std::string> processes;  ///< Started by this call, in manifest order.
    bool replaced = false;               ///< An installed package of this id was replaced.
};

struct SendCommand {
    std::string address;  ///< `node@process:package:publisher`, or without `node@` for this node.
    SharedBytes body;
    std::optional<SharedBytes> blob;
    std::optional<std::string> blob_mime;  ///< Only with a blob.
    /// How long to wait for the Response; nothing: send and do not wait.
    std::optional<std::uint64_t> timeout_seconds;
};

/// What `send` brought back.
struct SendAnswer {
    enum class Outcome : std::uint8_t {
        Sent,      ///< No Response was asked for; the message was taken by the target's mailbox.
        Response,  ///< `body` and `blob` are the Response's.
        Offline,   ///< Send error.
        Timeout,   ///< Send error: the time was up; `reason` says whether the target had ended.
        Refused,   ///< Send error, at once: the mailbox is full, or the target has no answer to
                   ///< such a Request; `reason` says which.
    };
    Outcome outcome = Outcome::Sent;
    SharedBytes body;
    std::optional<SharedBytes> blob;
    std::optional<std::string> blob_mime;
    std::string reason;  ///< For send errors: one line, cause and cure.
};

/// What `process-state show` tells.
struct ProcessStateInfo {
    std::string process;
    bool present =
        false;  ///< False: never saved, or cleared. An empty saved state is present with 0 bytes.
    std::uint64_t bytes = 0;
    std::string sha256;  ///< Lower-case hex of the bytes; empty if not present.
};

enum class LogOrigin : std::uint8_t {
    Print,  ///< `print-to-terminal` of a guest, or a print of the kernel about one (K-228 to
            ///< K-230).
    Node,   ///< A line of the node's own log.
};

struct LogLine {
    WallTime time;
    LogOrigin origin = LogOrigin::Print;
    std::uint8_t verbosity = 0;       ///< Of a print: its level. 0 for lines of the node.
    LogLevel level = LogLevel::Info;  ///< Of a line of the node. Info for prints.
    std::string source;               ///< Process id of a print; `node` for lines of the node.
    std::string text;
};

struct LogQuery {
    std::string process;         ///< Only lines of this process; empty: all.
    std::uint8_t verbosity = 0;  ///< Prints above it are left out (K-231).
    enum class Until : std::uint8_t {
        End,
        Forever
    } until = Until::End;            ///< Forever: go on with new lines.
    std::uint64_t lines_max = 1000;  ///< At most so many of the kept lines, the newest.
};

/// Receives a subscription's lines. Both functions are called one at a time, in order, on any
/// thread, and must not block; `end` is called last and once, unless the subscription is destroyed
/// first.
struct LogReceiver {
    std::function<void(const LogLine&)> line;
    std::function<void(Result<void>)> end;
};

/// Destroying it ends the subscription: no call to its receiver is running or will come after the
/// destructor returned. Never destroy it from inside its receiver.
class LogSubscription {
public:
    virtual ~LogSubscription() = default;
};

struct Health {
    bool live = true;                  ///< False: the node is stopping or broken.
    bool ready = false;                ///< Processes run and new work is taken.
    std::vector<std::string> reasons;  ///< Why not ready: `starting`, `stopping`, `disk_full`.
};

struct VersionInfo {
    std::string version;  ///< `0.1.0`
    std::string commit;   ///< Short; may be empty.
    std::string engine;   ///< For example `wasmtime 48.0.8`.
    std::uint64_t store_format = 0;
};

class NodeApi {
public:
    virtual ~NodeApi() = default;

    virtual void processes(Done<std::vector<ProcessRow>> done) = 0;
    virtual void packages(Done<std::vector<PackageRow>> done) = 0;

    /// Installs the package in `directory` (absolute) and starts its processes; replaces an
    /// installed one of that id. Errors: InvalidInput (manifest, component), NotPermitted.
    virtual void start_package(std::string directory, Done<StartedPackage> done) = 0;
    /// Ends the processes of `package` and removes it. Process state stays (M-STA-2).
    virtual void remove_package(std::string package, Done<void> done) = 0;

    /// One Request in the terminal's name. A send error is an answer, not an error of the call.
    virtual void send(SendCommand command, Done<SendAnswer> done) = 0;
    virtual void kill(std::string process, Done<void> done) = 0;
    /// Ends the running instance, without its exit behaviour, and starts a new one with the saved
    /// state.
    virtual void restart(std::string process, Done<void> done) = 0;

    virtual void show_state(std::string process, Done<ProcessStateInfo> done) = 0;
    /// Nothing: no state is saved.
    virtual void export_state(std::string process, Done<std::optional<SharedBytes>> done) = 0;
    /// The running instance goes on with what it has in memory; the next one finds `bytes`.
    virtual void import_state(std::string process, SharedBytes bytes, Done<void> done) = 0;
    virtual void clear_state(std::string process, Done<void> done) = 0;

    /// Kept lines first, oldest first, then new ones if asked. Errors: NotFound (no such process
    /// was ever seen).
    virtual Result<std::unique_ptr<LogSubscription>> logs(LogQuery query, LogReceiver receiver) = 0;

    virtual std::vector<SettingRow> config() const = 0;
    virtual Health health() const = 0;
    virtual VersionInfo version() const = 0;

    /// Begins an orderly end and answers once it has begun; the node ends soon after.
    virtual void shutdown(Done<void> done) = 0;
};

}  // namespace perdure::node
