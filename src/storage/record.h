#pragma once

/// How values lie in the store, and the few keys the storage room keeps for itself in `meta`.
/// docs/formats/store.md is the same in prose.
///
///   value      := format:u8  crc32c:u32le  bytes:u8[]     // crc over family:u8 key_size:u32le key
///   format bytes mark       := previous:u64le last:u64le durable:u64le ceiling:u64le flags:u8 //
///   under meta/"log", in every batch note       := number:u64le  crc32c:u32le  magic:"PDNT"     //
///   the 16 bytes of <home>/db/durable

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/entry.h"
#include "base/result.h"
#include "base/sequence.h"
#include "storage/store.h"

namespace perdure {

inline constexpr std::size_t kRecordHeaderBytes = 5;

/// The bytes that go before a value.
std::array<Byte, kRecordHeaderBytes> record_header(Family family, ByteView key, ValueFormat format,
                                                   ByteView bytes);

/// Format and place of the value's own bytes within `stored`. Errors: Corrupt, Unsupported (unknown
/// format byte).
struct ParsedRecord {
    ValueFormat format;
    ByteView bytes;
};
Result<ParsedRecord> parse_record(Family family, ByteView key, ByteView stored);

// Keys in `meta`; "module" 0x00 … belongs to modules.
inline constexpr std::string_view kFormatKey = "format";  // u32le: kStoreFormat
inline constexpr std::string_view kLogIdKey = "log_id";   // u64le
inline constexpr std::string_view kMarkKey = "log";
inline constexpr std::string_view kLargePrefix{"large\0",
                                               6};  // + id:u64be, value = reference, family:u8, key

inline constexpr std::uint32_t kStoreFormat = 1;

/// What every batch says of the log (K-270).
struct BatchMark {
    SequenceNumber previous;  ///< Last number of the batch before: a missing batch shows.
    SequenceNumber
        last;  ///< Last number of this batch; the same as `previous` when it holds no entry.
    SequenceNumber durable;  ///< Synced when this batch was written.
    std::uint64_t ceiling = 0;
    bool orderly = false;  ///< Written by an orderly end; nothing follows it.

    friend bool operator==(const BatchMark&, const BatchMark&) = default;
};
inline constexpr std::size_t kMarkBytes = 33;
std::array<Byte, kMarkBytes> encode(const BatchMark& mark);
Result<BatchMark> decode_mark(ByteView bytes);

inline constexpr std::size_t kNoteBytes = 16;
std::array<Byte, kNoteBytes> encode_note(SequenceNumber durable);
Result<SequenceNumber> decode_note(ByteView bytes);

// Little-endian numbers in byte strings.
void put_u32(Byte* at, std::uint32_t value);
void put_u64(Byte* at, std::uint64_t value);
std::uint32_t get_u32(const Byte* at);
std::uint64_t get_u64(const Byte* at);

}  // namespace perdure
