#pragma once

/// The durable store on RocksDB: one column family per `Family`, one WriteBatch and at most one
/// sync per batch (K-255).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "storage/rocks_options.h"
#include "storage/store.h"

namespace perdure {

class RocksStore final : public Store {
public:
    struct Options {
        std::string path;
        RocksEnv::Access access = RocksEnv::Access::ReadWrite;
        bool create = false;  ///< Makes a new store; otherwise a missing one is an error.
        RocksTuning tuning;
        std::function<bool(const Error&)> after_failed_write;
        std::function<void(const std::string&)> failed_sync;
    };

    /// Errors: Corrupt (RocksDB found damage; its text names the file), NotFound, Io.
    static Result<std::unique_ptr<RocksStore>> open(Options options, Files& files,
                                                    const Clock& clock, const Log& logger);
    ~RocksStore() override;

    WriteOutcome write(std::span<const StoreChange> changes, Sync sync) override;
    Result<std::optional<StoreValue>> read(Family family, ByteView key) const override;
    std::unique_ptr<StoreCursor> scan(Family family, ByteView prefix,
                                      ByteView after) const override;
    WriteOutcome rewrite_recovered() override { return flush(); }

    /// Everything written so far goes into table files, synced; the log files that held it are
    /// removed.
    WriteOutcome flush();

    /// Reads every block of every table file. Errors: Corrupt, naming the file.
    Result<void> verify_checksums() const;

private:
    struct Inside;
    explicit RocksStore(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

/// The column family's number in RocksDB's records: 0 is RocksDB's own "default", which stays
/// empty.
inline std::uint32_t rocks_family_id(Family family) {
    return static_cast<std::uint32_t>(family) + 1;
}

}  // namespace perdure
