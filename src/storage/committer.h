#pragma once

/// Moves the log on: takes what waits, writes it as one batch, syncs, publishes, opens the gate
/// (K-255, K-269).
///
/// While the disk works the next batch collects: group commit without a timer. One thread in
/// production; deterministic tests call `step()` themselves.
///
/// Invariants:
///  1. Batches are written in number order, cut between entries, each as one atomic write with its
///  mark.
///  2. A key that was changed several times within a batch is written once, with its last value.
///  3. A failed sync is never tried again: nothing leaves any more and the fatal handler is told
///  (K-247).
///  4. A failed write is tried again with the gate shut for what it holds, until the end of the
///  node.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/log.h"
#include "storage/gate.h"
#include "storage/log.h"
#include "storage/record.h"
#include "storage/store.h"

namespace perdure {

/// Numbers given out below it; raised in steps of this many, early (K-270).
inline constexpr std::uint64_t kCeilingStep = 1ull << 20;

class Committer {
public:
    struct Parts {
        EntryLog& log;
        Store& store;
        Gate& gate;
        LargeEntries& large;
        Files& files;
        const Log& logger;
        std::string db_path;  ///< Where free space is asked for and the note lies; empty: neither.
        std::function<void(const std::string&)> fatal;
        std::function<void(SequenceNumber)> durable_reached;
        std::function<bool(const Error&)> after_failed_write;
    };

    /// `recovered` is the mark the store holds now, with everything up to its last number durable.
    Committer(Parts parts, const BatchMark& recovered);
    ~Committer();
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;

    enum class Step : std::uint8_t {
        Idle,     ///< Nothing waited.
        Wrote,    ///< One batch is written (and durable, as its class says).
        Stalled,  ///< A write failed and was given up for now; it is kept for the next step.
        Failed,   ///< A sync failed; nothing more will be written.
    };
    /// Writes at most one batch. Thread: the committer's, or the test's.
    Step step();

    /// The mark of an orderly end, synced; after `EntryLog::close` and an Idle step. Thread: as
    /// `step`.
    bool write_orderly_end();

    /// Runs `step` until the log is closed and everything is written, then the orderly end.
    void start();
    void join();

    /// A sync failed somewhere in the room (large value, RocksDB's own files). Thread: any.
    void sync_failed(const std::string& why);

    /// A large value that `key` refers to, found at start. Thread: before the first step.
    void knows_large(Family family, std::string key, std::uint64_t id);

    /// For status pages and tests: syncs asked for, batches, keys put or removed. Thread: any.
    struct Counters {
        std::uint64_t batches = 0;
        std::uint64_t syncs = 0;
        std::uint64_t changes = 0;
    };
    Counters counters() const { return *counters_.lock(); }

private:
    struct Batch;

    void collect();
    Batch cut_batch();
    void build(Batch& batch);
    void track_large(Batch& batch);
    Step write(Batch& batch, Sync sync);
    void publish(Batch& batch, bool synced);
    void forget_pending(const Batch& batch);
    void call_waiters();
    void look_for_space();
    void write_note(SequenceNumber durable);
    void run();
    void wait_for_work();

    Parts parts_;
    BatchMark mark_;                      // of the batch written last
    std::deque<EntryLog::Queued> taken_;  // out of the log's queue, not yet written
    std::unique_ptr<Batch> stalled_;      // failed to be written; goes first
    std::map<std::pair<Family, std::string>, std::uint64_t> live_large_;
    std::unique_ptr<WritableFile> note_;
    Guarded<Counters> counters_;
    std::thread thread_;
};

}  // namespace perdure
