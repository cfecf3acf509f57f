#pragma once

/// CRC-32C (Castagnoli), the checksum of stored values and of RocksDB's log records; by hardware
/// where there is some.

#include <cstdint>

#include "base/bytes.h"

namespace perdure {

/// The checksum of `before + bytes`, where `crc` is that of `before`; 0 is the checksum of nothing.
std::uint32_t crc32c_extend(std::uint32_t crc, ByteView bytes);

inline std::uint32_t crc32c(ByteView bytes) {
    return crc32c_extend(0, bytes);
}

/// The same by table, so that a test can compare both ways on any machine.
std::uint32_t crc32c_extend_by_table_for_test(std::uint32_t crc, ByteView bytes);

}  // namespace perdure
