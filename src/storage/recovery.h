#pragma once

/// What a start does with the store it finds (K-270): scan, judge, cut or refuse, open, number on.
///
/// Phases: (1) our scan of the log files and the note give the highest durable number known; (2) damage at or below it
/// refuses the start and nothing is changed; damage above it is cut off; (3) where the log files alone cannot tell that
/// nothing is missing, RocksDB is asked for its end through a read-only opening; (4) RocksDB opens; (5) large values are
/// checked; (6) what was recovered is written anew and synced, then a first batch raises the ceiling, synced.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/result.h"
#include "storage/large_entries.h"
#include "storage/log_scan.h"
#include "storage/record.h"
#include "storage/rocks_store.h"

namespace perdure {

/// What the scan says, before anything is changed.
struct Judgement {
    SequenceNumber durable;    ///< The highest durable number known.
    SequenceNumber log_end;    ///< Last number of the whole batches before any damage or gap; 0 without any.
    bool note_damaged = false;
    bool needs_inspection = false;  ///< The log files alone do not reach `durable`, or have a gap: ask RocksDB (phase 3).
    std::string suspicion;          ///< File and reason, for the refusal if RocksDB does not reach `durable` either.
    bool gap_between_files = false;  ///< Harmless only if table files hold what lies before it.
    std::uint64_t gap_previous = 0;  ///< What they must hold then.
    /// Damage above `durable`: this file is cut at this offset, all later ones are removed.
    struct Cut {
        std::size_t file_index = 0;
        std::uint64_t offset = 0;
    };
    std::optional<Cut> cut;
};

/// Never fails: where durable data seem to be lost it asks for an inspection, since table files may hold them.
Judgement judge(const LogScan& scan, const Result<Bytes>& note);

/// A large value that a key of the store refers to.
struct LiveLarge {
    Family family;
    std::string key;
    LargeReference reference;
};
Result<std::vector<LiveLarge>> list_large(const Store& store);

struct RecoveredStore {
    std::unique_ptr<RocksStore> store;
    BatchMark mark;            ///< Of the batch that raised the ceiling; everything up to `mark.last` is durable.
    std::vector<LiveLarge> large;
    SequenceNumber recovered;  ///< The last number found.
    std::uint64_t log_id = 0;
    bool created = false;
    bool orderly = false;
    std::string cut;
};

struct RecoveryOptions {
    std::string db_path;
    RocksTuning tuning;
    std::function<bool(const Error&)> after_failed_write;
    std::function<void(const std::string&)> failed_sync;
    std::uint64_t fresh_log_id = 0;  ///< For a store that is made now.
};

/// Errors: Corrupt, Unsupported (newer store format), Io; see Storage::open.
Result<RecoveredStore> recover_store(RecoveryOptions options, LargeEntries& large, Files& files, const Clock& clock,
                                     const Log& logger);

}  // namespace perdure
