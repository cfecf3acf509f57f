#pragma once

/// What a start does with the store it finds (K-270): scan, judge, cut or refuse, open, number on.
///
/// Phases: (1) our scan of the log files and the note give the highest durable number known; (2)
/// where the log files alone do not reach it, RocksDB is asked through a read-only opening what its
/// table files hold; (3) damage at or below that number refuses the start and nothing is changed;
/// damage above it is cut off; (4) RocksDB opens; (5) large values are checked; (6) what was
/// recovered is written anew and synced, then a first batch raises the ceiling, synced.

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
    SequenceNumber durable;  ///< The highest durable number known.
    SequenceNumber
        end;  ///< Last number that table files and whole log batches reach without a gap.
    bool note_damaged = false;
    std::string suspicion;  ///< File and reason, when anything is not as it should be.
    /// The first damage that matters: this file is cut at this offset, all later ones are removed.
    struct Cut {
        std::size_t file_index = 0;
        std::uint64_t offset = 0;
    };
    std::optional<Cut> cut;
    std::vector<std::size_t>
        obsolete;  ///< Damaged files that hold nothing the table files do not hold.

    bool loses_durable_data() const { return end < durable; }
};

/// Walks along the batches from `tables_end`, the last number that the table files hold; without it
/// the log is taken to begin where it should, which RocksDB checks later.
Judgement judge(const LogScan& scan, const Result<Bytes>& note,
                std::optional<SequenceNumber> tables_end);

/// A large value that a key of the store refers to.
struct LiveLarge {
    Family family;
    std::string key;
    LargeReference reference;
};
Result<std::vector<LiveLarge>> list_large(const Store& store);

struct RecoveredStore {
    std::unique_ptr<RocksStore> store;
    BatchMark
        mark;  ///< Of the batch that raised the ceiling; everything up to `mark.last` is durable.
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
Result<RecoveredStore> recover_store(const RecoveryOptions& options, LargeEntries& large,
                                     Files& files, const Clock& clock, const Log& logger);

}  // namespace perdure
