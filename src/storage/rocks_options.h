#pragma once

/// The options of RocksDB that recovery rests on (K-270), in one place and tested. For this room
/// only.

#include <cstdint>

#include "storage/rocks_env.h"

namespace rocksdb {
struct ColumnFamilyOptions;
struct DBOptions;
}  // namespace rocksdb

namespace perdure {

/// What may differ between production and tests without touching a promise.
struct RocksTuning {
    std::uint64_t write_buffer_bytes = 64ull << 20;
    std::uint64_t wal_bytes_max = 128ull
                                  << 20;  ///< The scan at a start reads at most about this much.
    bool automatic_compaction = true;
    std::uint64_t wal_extend_bytes =
        256ull << 10;  ///< How much a log file grows at a time; 0: by what is written.
};

rocksdb::DBOptions pinned_db_options(RocksEnv& env, const RocksTuning& tuning);
rocksdb::ColumnFamilyOptions pinned_family_options(const RocksTuning& tuning);

}  // namespace perdure
