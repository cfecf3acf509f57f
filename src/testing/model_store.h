#pragma once

/// A small store on `Files`: one log file of checksummed batches over a map. What it promises is
/// what `Store` promises and nothing more, so the log above it can be tested without RocksDB.
///
///   file  := batch*
///   batch := size:u32le crc32c:u32le change[size]       // crc over the changes
///   change:= family:u8 format:u8 has_value:u8 key_size:u32le value_size:u32le key value

#include <memory>
#include <string>

#include "base/files.h"
#include "storage/memory_store.h"
#include "storage/store.h"

namespace perdure {

class ModelStore final : public Store {
public:
    /// Replays `directory`/log up to the first batch that is not whole, and writes what it found
    /// anew.
    static Result<std::unique_ptr<ModelStore>> open(Files& files, std::string directory);

    WriteOutcome write(std::span<const StoreChange> changes, Sync sync) override;
    Result<std::optional<StoreValue>> read(Family family, ByteView key) const override {
        return memory_.read(family, key);
    }
    std::unique_ptr<StoreCursor> scan(Family family, ByteView prefix,
                                      ByteView after) const override {
        return memory_.scan(family, prefix, after);
    }
    WriteOutcome rewrite_recovered() override { return {}; }

private:
    ModelStore(Files& files, std::string directory)
        : files_(files), directory_(std::move(directory)) {}
    Result<void> replay();
    Result<void> write_anew();

    Files& files_;
    const std::string directory_;
    MemoryStore memory_;
    std::unique_ptr<WritableFile> file_;
    std::uint64_t end_ = 0;  // of the last whole batch: a batch that failed is overwritten
};

}  // namespace perdure
