#include "storage/rocks_options.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

namespace perdure {

rocksdb::DBOptions pinned_db_options(RocksEnv& env, const RocksTuning& tuning) {
    rocksdb::DBOptions options;
    options.env = env.env();
    options.info_log = env.logger();

    // What recovery rests on: a store that reopens is a prefix of what was written, over all
    // families, or says so.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.atomic_flush = true;
    options.track_and_verify_wals_in_manifest = true;
    options.avoid_flush_during_recovery = true;
    options.paranoid_checks = true;
    options.flush_verify_memtable_count = true;
    options.best_efforts_recovery = false;

    // One write order, the simple one: log, sync, memory, visible.
    options.two_write_queues = false;
    options.unordered_write = false;
    options.enable_pipelined_write = false;
    options.allow_concurrent_memtable_write = false;
    options.manual_wal_flush = false;
    options.wal_compression = rocksdb::kNoCompression;  // our own reader takes plain records
    // Recycled files hold old records, which point-in-time recovery of this release cannot tell
    // from new ones.
    options.recycle_log_file_num = 0;
    options.allow_fallocate = false;  // log files are made longer by RocksEnv

    options.avoid_flush_during_shutdown = true;  // the log has it all
    options.max_total_wal_size = tuning.wal_bytes_max;
    options.db_write_buffer_size = tuning.write_buffer_bytes;
    options.max_background_jobs = 2;
    options.max_open_files = 512;
    options.skip_stats_update_on_db_open = true;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    options.db_host_id = "";
    options.max_manifest_file_size = 16 << 20;
    return options;
}

rocksdb::ColumnFamilyOptions pinned_family_options(const RocksTuning& tuning) {
    rocksdb::ColumnFamilyOptions options;
    options.write_buffer_size = tuning.write_buffer_bytes;
    options.compression = rocksdb::kNoCompression;
    options.disable_auto_compactions = !tuning.automatic_compaction;
    options.force_consistency_checks = true;
    rocksdb::BlockBasedTableOptions table;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.checksum = rocksdb::kCRC32c;
    table.format_version = 5;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
}

}  // namespace perdure
