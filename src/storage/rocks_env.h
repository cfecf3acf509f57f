#pragma once

/// RocksDB's view of the world: its files through `Files`, its clock through `Clock` (K-261).
/// Threads stay its own.
///
/// A failed write is tried again below RocksDB, which would otherwise refuse all further work; a
/// failed sync is never tried again: it is noted, reported once, and from then on every write and
/// sync is refused without touching the disk.

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"

namespace rocksdb {
class Env;
class Logger;
}  // namespace rocksdb

namespace perdure {

class RocksEnv {
public:
    enum class Access : std::uint8_t { ReadWrite, ReadOnly };

    struct Parts {
        Files& files;
        const Clock& clock;
        const Log& logger;
        Access access = Access::ReadWrite;
        /// Waits and says whether to try again; false gives up. Thread: whichever wrote.
        std::function<bool(const Error&)> after_failed_write;
        /// Called once. Thread: whichever synced.
        std::function<void(const std::string&)> failed_sync;
        /// Log files grow by so much at a time: a sync of what is written into a file that already
        /// is that long costs as much as one of an overwrite, while every append that makes it
        /// longer costs half as much again. Their readers take zeros up to the end for the end.
        std::uint64_t log_extend_bytes = 0;
    };

    explicit RocksEnv(const Parts& parts);
    ~RocksEnv();
    RocksEnv(const RocksEnv&) = delete;
    RocksEnv& operator=(const RocksEnv&) = delete;

    /// Valid as long as this object.
    rocksdb::Env* env();
    /// Its messages at warn and above become lines of our log; no file is written.
    std::shared_ptr<rocksdb::Logger> logger();

    /// Why a sync failed, or empty.
    std::string sync_failure() const;

    /// Returns when no background job of RocksDB is queued or running: a deterministic test goes on
    /// only then.
    void wait_until_idle();

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

}  // namespace perdure
