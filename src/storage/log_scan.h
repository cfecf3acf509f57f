#pragma once

/// Our own reader of RocksDB's log files: judges damage before RocksDB opens them (K-270). Changes
/// nothing.
///
///   file    := block[32768]*, the last one shorter
///   block   := fragment* trailer                         // a trailer is less than 7 bytes and
///   belongs to nothing fragment:= crc32c:u32le(masked) length:u16le type:u8 data:u8[length]     //
///   crc over type and data type    := 1 whole, 2 first, 3 middle, 4 last batch   := sequence:u64le
///   count:u32le operation[count] operation := 0x00 key | 0x01 key value | 0x04 family:varint32 key
///   | 0x05 family:varint32 key value key, value := size:varint32 bytes
///
/// Every batch of ours puts its mark (record.h) under meta/"log". A batch is *whole* when its
/// fragments, its operations, the checksum of each value and its mark are right.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "base/result.h"
#include "storage/record.h"

namespace perdure {

/// A whole batch, in file order.
struct ScannedBatch {
    std::size_t file_index = 0;
    std::uint64_t begin = 0;  ///< Offset of its first fragment.
    std::uint64_t end = 0;
    BatchMark mark;
};

struct ScannedDamage {
    std::size_t file_index = 0;
    std::uint64_t offset = 0;        ///< Everything before it in this file is whole.
    std::size_t batches_before = 0;  ///< Whole batches in front of it, over all files.
    std::string what;
};

/// One to six bytes between the last record of a file and its end: no header fits there, so nothing
/// is lost with them. RocksDB takes them for a torn header and then refuses a store whose tables
/// are newer than that file; so they go before it opens.
struct ScannedRemnant {
    std::size_t file_index = 0;
    std::uint64_t offset = 0;
};

struct LogScan {
    std::vector<std::string> files;  ///< Paths, in order of their numbers.
    std::vector<ScannedBatch> batches;
    std::vector<ScannedDamage> damages;
    std::vector<ScannedRemnant> remnants;
};

/// Reads all `*.log` files in `db_path`. Errors: Io and the like; damage is no error here.
Result<LogScan> scan_log(Files& files, const std::string& db_path);

/// The same for the bytes of one file; `file_index` is written into what is found. Never fails,
/// whatever the bytes.
void scan_log_file(ByteView bytes, std::size_t file_index, LogScan& scan);

/// RocksDB's MANIFEST has the same frame. Where its first record that is not whole begins, if there
/// is one.
struct RecordDamage {
    std::uint64_t offset = 0;
    std::string what;
};
std::optional<RecordDamage> first_record_damage(ByteView bytes);

/// One put or removal of a batch.
struct ScannedOperation {
    std::uint32_t family_id = 0;
    ByteView key;
    std::optional<ByteView> value;
};

/// The operations of one batch as RocksDB lays them out. Errors: Corrupt.
Result<std::vector<ScannedOperation>> parse_batch(ByteView bytes);

}  // namespace perdure
