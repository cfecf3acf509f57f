#pragma once

/// The kernel as a whole: the process table, the workers, and the operations that concern more than
/// one process.
///
/// It sees Wasm as `Engine`, the log as `Journal`, time as `Clock`: everything comes in through the
/// constructor, so that the same kernel runs on real threads in a node and single-threaded in a
/// test.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "abi/kernel_codec.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "kernel/faults.h"
#include "kernel/guest.h"
#include "kernel/instance.h"
#include "kernel/journal.h"
#include "kernel/limits.h"
#include "kernel/module.h"
#include "kernel/process.h"
#include "kernel/process_table.h"
#include "kernel/terminal.h"
#include "kernel/worker.h"

namespace perdure::kernel {

struct StoredProcess;

/// Where code is found by its handle (`/package:publisher/pkg/NAME.wasm`); `vfs` takes this over
/// later.
class CodeSource {
public:
    virtual ~CodeSource() = default;

    struct Found {
        Bytes wasm;
        ContentHash hash;
    };
    /// Errors: NotFound, Io, Corrupt. Thread: any but the workers'; may block.
    virtual Result<Found> read(std::string_view handle) = 0;
};

/// What the kernel is built on; everything outlives it.
struct KernelParts {
    const Clock& clock;
    Journal& journal;
    Engine& engine;
    Terminal& terminal;
    Executor& blocking;
    CodeSource& code;
    Log log;
    /// One generator per worker and one for the kernel itself (K-261).
    std::function<std::unique_ptr<Random>()> make_random;
};

struct KernelOptions {
    std::string own_node;
    std::uint32_t workers = 1;
    KernelLimits limits;
    KernelFaultsForTest faults = {};
};

/// A process that is to be made (K-127). The code is loaded and checked already.
struct NewProcess {
    ProcessId id;
    std::string code_handle;
    std::optional<std::uint32_t> wit_version;
    OnExit on_exit;
    bool is_public = false;
    std::shared_ptr<const Code> code;
    /// What it shall hold; filtered by what `initialiser` issues or holds, unless that is empty
    /// (K-115).
    std::vector<CapabilityRecord> capabilities;
    /// Gets its `messaging` (K-199); nothing for the kernel itself.
    std::optional<ProcessId> initialiser;
    std::optional<PackageId> package;
    SequenceNumber seen;  ///< What the asker knew: prints about it wait for that.
};

/// Changes of the table that happen together, in one entry.
struct Replacement {
    /// Leave the table, with what they held and what they issued; ids that nobody has are no error.
    /// Their guests have been halted (`Kernel::halt`).
    std::vector<ProcessId> ended;
    SequenceNumber ended_seen;  ///< What those had seen.
    std::vector<NewProcess> processes;
    /// For processes that are there afterwards, new ones included; others are passed over.
    std::vector<std::pair<ProcessId, CapabilityRecord>> grants;
    Entry change{EntryKind::Initialise,
                 {}};  ///< What else the entry holds: a package's record, for example.
};

/// One process as `ps` shows it.
struct ProcessStatus {
    ProcessId id;
    LifePhase phase = LifePhase::Initialised;
    Waiting waiting = Waiting::No;
    bool is_module = false;
    OnExit::Kind on_exit = OnExit::Kind::None;
    std::uint32_t worker = 0;
    std::uint64_t starts = 0, crashes = 0, cpu_ns = 0, memory_bytes = 0, seen = 0;
    std::uint64_t state_bytes = kStateBytesUnknown;
    std::uint64_t mailbox_messages = 0, mailbox_bytes = 0, outstanding = 0, refused = 0;
};

/// Counters of the node; they describe and promise nothing (K-254).
struct KernelCounters {
    std::atomic<std::uint64_t> denied{0};   ///< `kernel_denied_total`
    std::atomic<std::uint64_t> refused{0};  ///< `kernel_mailbox_refused_total`
};

class Kernel final : public ModuleServices {
public:
    Kernel(KernelOptions options, KernelParts parts);
    ~Kernel() override;
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    /// Puts a runtime module into the table (K-100). Before `boot`; `module` outlives the kernel's
    /// stop.
    void add_module(RuntimeModule& module);

    /// Loads the table and prepares everything to run, as K-165 orders it; blocks. Errors: Corrupt,
    /// Io of the journal.
    Result<void> boot();
    /// Runs what boot initialised (`Booted`), and with `Threads::Real` starts the worker threads.
    enum class Threads : std::uint8_t { Real, Stepped };
    void start(Threads threads);

    /// A millisecond has gone by: running guests are asked whether they go on (K-260). Thread: any.
    void tick();
    /// Graceful end (K-170): stops all guests, appends the removal of `None` entries. Afterwards
    /// nothing runs any more.
    void stop();

    // Operations. Thread: any.

    /// Loads and checks code on the blocking pool, then calls `done` on one of its threads (K-128,
    /// K-233).
    using CodeDone = std::function<void(Result<std::shared_ptr<const Code>>)>;
    void load_code(SharedBytes wasm, ContentHash hash, CodeDone done);

    /// K-127. Errors: InvalidInput (unsafe or reserved id), AlreadyExists. On error nothing has
    /// changed. The number is that of the entry; of a process that is not stored, that of the last
    /// entry made for its id (K-265 (5)).
    Result<SequenceNumber> initialise(NewProcess process);
    /// All of it or nothing, in one entry; also after a crash. Errors: as `initialise`.
    Result<SequenceNumber> replace(Replacement replacement);
    /// Ends the guest of `id` as a kill does, exit requests included, but leaves the process in the
    /// table, initialised: `replace` takes it out, or `run` starts it again. `done` is called on a
    /// worker or before this returns.
    using HaltDone = std::function<void(Worker::Halted)>;
    void halt(const ProcessId& id, HaltDone done);
    /// K-130. Errors: NotFound, InvalidInput (a runtime module), AlreadyExists (running). `seen` is
    /// what the asker knew.
    Result<void> run(const ProcessId& id, SequenceNumber seen);
    /// K-161. `done` gets the number of the removal, or nothing if there is no such process; it is
    /// called on a worker or before this returns. Of a process that boot could not start the record
    /// is removed.
    using KillDone = std::function<void(std::optional<SequenceNumber>)>;
    void kill(const ProcessId& id, Worker::Revoke revoke, KillDone done);
    /// Ends the instance and starts the next one, whatever the exit behaviour. Same callback as
    /// `kill`, with the number the new instance begins with.
    void restart(const ProcessId& id, KillDone done);
    /// K-117. Nothing when there is no such process.
    std::optional<SequenceNumber> grant(const ProcessId& target,
                                        const std::vector<CapabilityRecord>& capabilities);
    std::optional<SequenceNumber> drop(const ProcessId& target,
                                       const std::vector<Capability>& capabilities);
    std::optional<SequenceNumber> set_on_exit(const ProcessId& target, OnExit on_exit);

    Seen<std::vector<ProcessStatus>> processes() const;
    /// Debug (K-191): the whole table, one process, whether a process holds a capability (nothing:
    /// no such process).
    Seen<std::vector<std::pair<ProcessId, ProcessEntry>>> debug_map() const;
    Seen<std::optional<ProcessEntry>> debug_process(const ProcessId& id) const;
    Seen<std::optional<bool>> debug_has_cap(const ProcessId& id,
                                            const Capability& capability) const;

    // ModuleServices
    void respond(const RuntimeModule& module, const ReplyHandle& reply, Response response,
                 std::optional<Blob> blob, SequenceNumber seen) override;
    Result<std::uint64_t> send(const RuntimeModule& module, const Address& target, Request request,
                               std::optional<Blob> blob, SequenceNumber seen) override;
    void refuse(const ReplyHandle& reply, SequenceNumber seen) override;
    void run_on_worker(std::function<void()> work) override;
    void run_at(MonotonicTime at, std::function<void()> work) override;
    void print(const RuntimeModule& module, std::uint8_t level, std::string text,
               SequenceNumber seen) override;
    const std::string& own_node() const override { return options_.own_node; }

    // For workers and instances.

    const KernelLimits& limits() const { return options_.limits; }
    const KernelFaultsForTest& faults() const { return options_.faults; }
    const Clock& clock() const { return parts_.clock; }
    Journal& journal() { return parts_.journal; }
    Engine& engine() { return parts_.engine; }
    Executor& blocking() { return parts_.blocking; }
    Terminal& terminal() { return parts_.terminal; }
    const Log& log() const { return parts_.log; }
    ProcessTable& table() { return table_; }
    KernelCounters& counters() { return counters_; }
    /// How often `tick` was called.
    std::uint64_t ticks() const { return ticks_.load(std::memory_order_relaxed); }
    Worker& worker(std::uint32_t index) { return *workers_[index]; }
    std::uint32_t worker_count() const { return static_cast<std::uint32_t>(workers_.size()); }

    /// A print of `kernel:distro:sys`.
    void print(std::uint8_t level, std::string text, SequenceNumber seen);
    /// Counts a denied message and logs sender, target and missing capability once (K-242).
    void note_denial(const Party& sender, const Party& target, const Capability& missing,
                     SequenceNumber seen);
    /// Counts a refused message and logs at most once per target and minute (K-83).
    void note_refused(Process& target);
    void trace_drop(std::string_view reason, const Envelope& envelope);

    struct OwnChange {
        SequenceNumber number;
        std::size_t bytes_without_room =
            0;  ///< Size of the entry that did not fit into the process's share; 0: it did.
    };
    /// Nothing has changed when there was no room.
    OwnChange change_own_capabilities(Process& process, CapabilityChange change,
                                      const std::vector<Capability>& capabilities);
    /// Always taken; without room its guest is to wait afterwards (K-268).
    OwnChange change_on_exit(Process& process, OnExit on_exit);
    /// Takes `process` out of the table with everything it held, and what it issued unless told
    /// otherwise (K-118). Whoever learns of it depends on the result: the entry's number or what
    /// the process had `seen`, if that is newer.
    SequenceNumber remove(Process& process, Worker::Revoke revoke, SequenceNumber seen);

private:
    struct Refusals {
        std::unordered_map<std::string, std::pair<MonotonicTime, std::uint64_t>> last;
    };

    Ref<Process> make_process(ProcessFacts facts);
    std::uint32_t place() const;
    ProcessRecord record_of(const Process& process, const OnExit& on_exit) const;
    SequenceNumber append_always(Entry entry);
    /// A print that waits until the table is not held any more.
    struct HeldPrint {
        std::string text;
        SequenceNumber seen;
    };
    void enter(ProcessTable::Writer& writer, NewProcess process, Entry& change,
               std::vector<TableEntry>& entries, std::vector<HeldPrint>& prints);
    /// Takes `id` out of the table; others that lose by it are put into the table and their ids
    /// into `losers`.
    void take_out(ProcessTable::Writer& writer, const ProcessId& id, Entry& change,
                  std::vector<ProcessId>& losers, std::vector<Ref<Process>>& gone);
    /// `record` for `holder`, as changed by `entries`, or as it is in the table.
    void give(const ProcessTable::Writer& writer, const ProcessId& holder, CapabilityRecord record,
              Entry& change, std::vector<TableEntry>& entries);
    /// The copies of the entries that lose what `issuer` issued; stored ones are erased in `change`
    /// (K-118).
    std::vector<TableEntry> revoke_issued(const ProcessTable::Writer& writer, const Address& issuer,
                                          Entry& change);
    /// Takes a dormant process out of the store; nothing if there is none of this id.
    std::optional<SequenceNumber> remove_dormant(const ProcessId& id, Worker::Revoke revoke);
    /// Keeps the number of the removal of `id` at least until it is durable.
    void note_freed(const ProcessId& id, SequenceNumber number);
    OwnChange put_on_exit(ProcessTable::Writer& writer, TableEntry entry, OnExit on_exit);
    void load_stored_code(std::vector<StoredProcess>& found);
    void enter_stored(const ProcessId& id, const ProcessRecord& record,
                      std::shared_ptr<const Code> code,
                      const std::vector<CapabilityRecord>& capabilities);
    void stop_processes();
    Ref<Process> find(const ProcessId& id) const;
    Ref<Process> module_process(const RuntimeModule& module) const;

    const KernelOptions options_;
    const KernelParts parts_;
    ProcessTable table_;
    // Lines of their own: whoever counts must not slow those who look at something else.
    alignas(kCacheLine) KernelCounters counters_;
    alignas(kCacheLine) std::atomic<std::uint64_t> ticks_{0};
    alignas(kCacheLine) std::atomic<std::uint32_t> next_appender_{1};
    alignas(kCacheLine) std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::thread> threads_;
    std::vector<std::atomic<std::uint32_t>> population_;  ///< Processes per worker.
    /// What stored processes hold whose code could not be loaded at boot. They are not in the
    /// table, but their records stay for the next boot or a new initialisation (K-167). Only while
    /// a table writer lives.
    std::unordered_map<ProcessId, std::vector<CapabilityRecord>> dormant_;
    /// Removed ids and what their removal depends on; looked through when it has grown. Only while
    /// a table writer lives.
    static constexpr std::size_t kFreedKept = 1'024;
    std::unordered_map<ProcessId, SequenceNumber> freed_;
    std::size_t freed_looked_through_at_ = kFreedKept;
    std::vector<Ref<Process>> booted_;
    std::vector<Ref<Process>> modules_;
    Guarded<std::unordered_set<std::string>> denials_logged_;
    Guarded<Refusals> refusals_;
    Guarded<std::unique_ptr<Random>> random_;
    const ProcessId kernel_id_ = well_known::kernel();
    bool running_ = false;
};

}  // namespace perdure::kernel
