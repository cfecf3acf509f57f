#pragma once

/// The storage room put together: recovery, store, log, committer and gate of one home. What
/// `node/` builds.

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "storage/gate.h"
#include "storage/log.h"
#include "storage/rocks_options.h"

namespace perdure {

class Committer;
class Home;

struct StorageOptions {
    Durability durability = Durability::Power;
    LogLimits limits;
    /// Called once, on any thread, when a sync has failed: nothing leaves any more, and the program
    /// has to end at once with kExitStatusFailedSync (74). The text is for the log.
    std::function<void(const std::string& why)> fatal;
    /// Called on the committer's thread after `durable` has moved and the gate has opened. Cheap;
    /// may be empty.
    std::function<void(SequenceNumber durable)> durable_reached;

    /// Deterministic tests step the committer themselves (`committer().step()`); then no thread is
    /// started.
    bool step_by_hand = false;
    /// What a failed write does before it is tried again; false gives up. Empty: waits a second,
    /// until the log stops.
    std::function<bool(const Error&)> after_failed_write;
    LogFaultsForTest faults;
    AppendedForTest appended;
    RocksTuning tuning;
};

class Storage {
public:
    /// Recovers the store in `home` (K-270) and starts the committer. What was recovered has been
    /// written anew and synced and the ceiling raised before this returns, so outputs may leave
    /// from then on.
    ///
    /// Errors: Corrupt (loss of durable data; names the file; the home is unchanged), Unsupported
    /// (newer format), Io.
    static Result<std::unique_ptr<Storage>> open(StorageOptions options, Home& home, Files& files,
                                                 const Clock& clock, Random& random,
                                                 const Log& log);
    ~Storage();

    EntryLog& log();
    Gate& gate();
    Committer& committer();
    /// 64 random bits of this home's log, drawn when it was made (K-272).
    std::uint64_t log_id() const;
    /// What the last start found: for the boot line and `doctor`.
    struct Recovered {
        SequenceNumber last;
        bool orderly = false;  ///< The last end was an orderly one.
        std::string cut;       ///< One line when damage above the durable number was cut off.
    };
    const Recovered& recovered() const;

    /// The orderly end: nothing is taken any more, everything accepted is written and synced, then
    /// the gate shuts. Thread: the one that opened it. Once.
    void stop();

    /// Ends like a crash that the disk survives: nothing more is written. Only with `step_by_hand`.
    void crash_for_test();
    Store& store_for_test();

private:
    struct Parts;
    explicit Storage(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace perdure
