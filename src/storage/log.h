#pragma once

/// The node's one log (K-243): every durable change is an entry, gets the next number and is
/// visible at once; the committer writes entries in number order and publishes how far everything
/// is on disk.
///
/// Phases of an entry: *appended* (numbered, queued, visible through the overlay), *written* (in
/// the store), *durable* (on disk as its durability class says; out of the overlay). After any
/// crash the store holds a prefix of the log.
///
/// Invariants:
///  1. Taking a number and joining the queue are one step: no entry is written before one with a
///  smaller number.
///  2. durable <= written <= last appended; none of them goes back.
///  3. A number is given out only below a ceiling that is durable, so none is given twice, whatever
///  crashes (K-270).
///  4. A key is in the overlay from its append until its newest entry is durable, deletions
///  included: a read that finds
///     nothing there may trust the store and depends on nothing that is not on disk.
///  5. What is accepted is never dropped, except by the end of the node.
///
/// This class is the queue, the overlay and the bounds. `Committer` moves it on; `Gate` holds
/// outputs back.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/entry.h"
#include "base/guarded.h"
#include "base/result.h"
#include "base/sequence.h"
#include "storage/large_entries.h"
#include "storage/store.h"

namespace perdure {

/// Who fills the queue: one small number per process instance or module, given out by the caller. 0
/// is the kernel, whose entries (exit, kill, revocation) are always taken.
using OwnerId = std::uint32_t;
inline constexpr OwnerId kKernelOwner = 0;

/// Bounds of the log (K-268, K-247, K-269); bytes. An entry counts with its keys, values and
/// kEntryOverheadBytes.
struct LogLimits {
    std::uint64_t journal_bytes_max = 64ull << 20;
    std::uint64_t journal_process_bytes_max = 16ull << 20;
    std::uint64_t entry_inline_bytes_max = 4ull << 20;
    std::uint64_t batch_bytes_max = 16ull << 20;
    std::uint64_t reserve_bytes = 256ull << 20;
};
inline constexpr std::uint64_t kEntryOverheadBytes = 128;

/// What an entry is worth once the call returns (K-256); for the whole node in this stage.
enum class Durability : std::uint8_t {
    Power,    ///< On disk: survives a power cut.
    Process,  ///< With the operating system: survives the end of the node only.
    Memory,   ///< Never written: for development.
};
std::string_view to_string(Durability durability);

/// Faults that tests plant to show that the crash suite finds them. Production leaves them all out.
struct LogFaultsForTest {
    bool gate_opens_early = false;
    bool sync_skipped = false;
    bool order_broken = false;
};

/// Told of every entry in number order, under the log's lock: how suites know what a store may
/// hold. Large values are the encoded references that the uses name.
using AppendedForTest =
    std::function<void(SequenceNumber, const Entry&, const std::vector<LargeUse>&)>;

struct Appended {
    enum class Outcome : std::uint8_t {
        Taken,
        NoRoom,    ///< The queue is full for this owner or for all: `when_room`, then the same call
                   ///< again.
        NoSpace,   ///< The disk is nearly full (K-247): answer with an error, or `when_room` and
                   ///< again.
        TooLarge,  ///< Above entry_inline_bytes_max: `stage` it first. Never the kernel's own.
        Stopped,   ///< The log has been closed or has failed; nothing is taken any more.
    };
    Outcome outcome = Outcome::Stopped;
    SequenceNumber number;  ///< Only when taken.

    explicit operator bool() const { return outcome == Outcome::Taken; }
};

struct KeyValue {
    SharedBytes key;
    SharedBytes value;
};

/// Keys in order; `more` when the limit cut the list, to be continued after its last key.
struct Listing {
    std::vector<KeyValue> items;
    bool more = false;
};

/// What a status page shows. The numbers are not outputs of any process and need no gate (K-254).
struct LogStatus {
    SequenceNumber last;
    SequenceNumber written;
    SequenceNumber durable;
    std::uint64_t pending_bytes = 0;
    std::uint64_t pending_count = 0;
    bool no_space = false;
    bool failed = false;
    bool closed = false;
};

class Committer;

class EntryLog {
public:
    struct Start {
        SequenceNumber last;    ///< Recovered; everything up to it is durable.
        std::uint64_t ceiling;  ///< Durable: numbers up to it may be given out.
        Durability durability = Durability::Power;
        LogLimits limits;
        LogFaultsForTest faults;
        AppendedForTest appended = {};
    };

    /// Both borrowed ones outlive the log.
    EntryLog(const Start& start, const Store& store, LargeEntries& large);
    ~EntryLog();
    EntryLog(const EntryLog&) = delete;
    EntryLog& operator=(const EntryLog&) = delete;

    /// Gives `entry` the next number and queues it, in one step; from the return on every read sees
    /// it. An entry that is not taken is left untouched. An entry without changes is taken as well:
    /// it is a place in the log. Thread: any. Never blocks and never touches the disk; about 0.3 us
    /// for one small change.
    Appended append(Entry&& entry, OwnerId owner);

    /// The same for an entry whose large values `stage` has put beside the log.
    Appended append(StagedEntry&& entry, OwnerId owner);

    /// True when `append` would answer TooLarge.
    bool needs_staging(const Entry& entry) const {
        return entry.size() > limits_.entry_inline_bytes_max;
    }

    /// Writes and syncs the largest values of `entry` beside the log until the rest fits (K-268).
    /// Thread: the blocking pool. Errors: Overloaded (no space), InvalidInput (its keys alone are
    /// too large), Io. A failed sync is reported to the fatal handler as well and answered with Io.
    Result<StagedEntry> stage(Entry&& entry) const;

    /// What the newest pending change says of `key`: a value, or its deletion. Empty when nothing
    /// is pending, or when the pending value lies beside the log: then `read` on the blocking pool
    /// knows. Never blocks. Thread: any.
    std::optional<Seen<std::optional<SharedBytes>>> read_pending(Family family, ByteView key) const;

    /// The newest value of `key`, pending or stored. May read from disk. Thread: any but the
    /// workers'. Errors: Corrupt (never "not there" for a damaged value, K-255), Io.
    Result<Seen<std::optional<SharedBytes>>> read(Family family, ByteView key) const;

    /// Up to `count_max` keys with `prefix`, those above `after`, at one moment of the log. The
    /// number is that of the newest pending change in the range, deletions included. May read from
    /// disk. Thread: any but the workers'.
    Result<Seen<Listing>> list(Family family, ByteView prefix, ByteView after,
                               std::size_t count_max) const;

    /// Calls `ready` once, on the committer's thread, when an entry of `size` bytes of `owner` may
    /// find room (there is no reservation; first asked, first called), or when the log stops.
    /// Thread: any. Returns a ticket for `forget`.
    std::uint64_t when_room(OwnerId owner, std::uint64_t size, std::function<void()> ready);
    /// Takes a `when_room` back (its guest was killed). A call that is already under way still
    /// arrives. Thread: any.
    void forget(std::uint64_t ticket);

    /// Thread: any.
    SequenceNumber last() const { return {last_.load(std::memory_order_acquire)}; }
    SequenceNumber written() const { return {written_.load(std::memory_order_acquire)}; }
    SequenceNumber durable() const { return {durable_.load(std::memory_order_acquire)}; }
    LogStatus status() const;
    const LogLimits& limits() const { return limits_; }
    Durability durability() const { return durability_; }

    /// Nothing is taken any more; what was taken is still written. Waiters are called. Thread: any.
    void close();

private:
    friend class Committer;
    struct Inside;
    struct Queued;

    Appended take(Entry&& entry, std::vector<LargeUse>&& large, OwnerId owner);

    const LogLimits limits_;
    const Durability durability_;
    const LogFaultsForTest faults_;
    const AppendedForTest appended_;
    const Store& store_;
    LargeEntries& large_;
    std::atomic<std::uint64_t> last_;
    std::atomic<std::uint64_t> written_;
    std::atomic<std::uint64_t> durable_;
    std::unique_ptr<Guarded<Inside>> inside_;
};

}  // namespace perdure
