#include "storage/record.h"

#include <algorithm>
#include <cstring>

#include "storage/crc32c.h"

namespace perdure {
namespace {

constexpr std::string_view kNoteMagic = "PDNT";

std::uint32_t record_checksum(Family family, ByteView key, Byte format, ByteView bytes) {
    std::array<Byte, 5> head{};
    head[0] = static_cast<Byte>(family);
    put_u32(head.data() + 1, static_cast<std::uint32_t>(key.size()));
    std::uint32_t crc = crc32c(head);
    crc = crc32c_extend(crc, key);
    crc = crc32c_extend(crc, {&format, 1});
    return crc32c_extend(crc, bytes);
}

}  // namespace

void put_u32(Byte* at, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) {
        at[i] = static_cast<Byte>(value >> (8 * i));
    }
}
void put_u64(Byte* at, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) {
        at[i] = static_cast<Byte>(value >> (8 * i));
    }
}
std::uint32_t get_u32(const Byte* at) {
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i) {
        value = value << 8 | at[i];
    }
    return value;
}
std::uint64_t get_u64(const Byte* at) {
    return get_u32(at) | static_cast<std::uint64_t>(get_u32(at + 4)) << 32;
}

std::array<Byte, kRecordHeaderBytes> record_header(Family family, ByteView key, ValueFormat format,
                                                   ByteView bytes) {
    std::array<Byte, kRecordHeaderBytes> header{};
    header[0] = static_cast<Byte>(format);
    put_u32(header.data() + 1, record_checksum(family, key, header[0], bytes));
    return header;
}

Result<ParsedRecord> parse_record(Family family, ByteView key, ByteView stored) {
    const auto where = [&] {
        return std::string(to_string(family)) + "/" + std::string(text_of(key));
    };
    if (stored.size() < kRecordHeaderBytes) {
        return Error(ErrorCode::Corrupt, where() + ": value is too short");
    }
    const ByteView bytes = stored.subspan(kRecordHeaderBytes);
    if (get_u32(stored.data() + 1) != record_checksum(family, key, stored[0], bytes)) {
        return Error(ErrorCode::Corrupt, where() + ": checksum does not match");
    }
    const auto format = static_cast<ValueFormat>(stored[0]);
    if (format != ValueFormat::Inline && format != ValueFormat::LargeReference) {
        return Error(ErrorCode::Unsupported,
                     where() + ": value of unknown format " + std::to_string(stored[0]));
    }
    return ParsedRecord{format, bytes};
}

std::array<Byte, kMarkBytes> encode(const BatchMark& mark) {
    std::array<Byte, kMarkBytes> bytes{};
    put_u64(bytes.data(), mark.previous.value);
    put_u64(bytes.data() + 8, mark.last.value);
    put_u64(bytes.data() + 16, mark.durable.value);
    put_u64(bytes.data() + 24, mark.ceiling);
    bytes[32] = mark.orderly ? 1 : 0;
    return bytes;
}

Result<BatchMark> decode_mark(ByteView bytes) {
    if (bytes.size() != kMarkBytes || bytes[32] > 1) {
        return Error(ErrorCode::Corrupt, "mark of a batch is malformed");
    }
    BatchMark mark;
    mark.previous = {get_u64(bytes.data())};
    mark.last = {get_u64(bytes.data() + 8)};
    mark.durable = {get_u64(bytes.data() + 16)};
    mark.ceiling = get_u64(bytes.data() + 24);
    mark.orderly = bytes[32] == 1;
    if (mark.last < mark.previous || mark.previous < mark.durable ||
        mark.ceiling < mark.last.value) {
        return Error(ErrorCode::Corrupt, "mark of a batch contradicts itself");
    }
    return mark;
}

std::array<Byte, kNoteBytes> encode_note(SequenceNumber durable) {
    std::array<Byte, kNoteBytes> bytes{};
    put_u64(bytes.data(), durable.value);
    std::copy(kNoteMagic.begin(), kNoteMagic.end(), bytes.begin() + 12);
    std::uint32_t crc = crc32c(ByteView(bytes).first(8));
    crc = crc32c_extend(crc, ByteView(bytes).subspan(12));
    put_u32(bytes.data() + 8, crc);
    return bytes;
}

Result<SequenceNumber> decode_note(ByteView bytes) {
    if (bytes.size() == kNoteBytes) {
        const SequenceNumber number{get_u64(bytes.data())};
        if (equal(encode_note(number), bytes)) {
            return number;
        }
    }
    return Error(ErrorCode::Corrupt, "the durable note is damaged");
}

}  // namespace perdure
