#include "abi/binary.h"

#include <algorithm>

namespace perdure {

bool BinaryReader::flag() {
    const std::uint8_t value = u8();
    if (value > 1) {
        fail("a flag that is neither 0 nor 1");
    }
    return value == 1 && !failed();
}

ByteView BinaryReader::raw(std::size_t size) {
    if (size > rest_.size()) {
        fail("the record ends too early");
    }
    if (failed()) {
        return {};
    }
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
}

void BinaryReader::raw(std::span<Byte> out) {
    const ByteView taken = raw(out.size());
    std::copy(taken.begin(), taken.end(), out.begin());
}

std::size_t BinaryReader::list_count(std::size_t item_bytes_min) {
    const std::uint32_t count = u32();
    if (count > rest_.size() / item_bytes_min) {
        fail("a list longer than the record");
    }
    return failed() ? 0 : count;
}

void BinaryReader::format(Byte wanted) {
    const Byte found = u8();
    if (!failed() && found != wanted) {
        error_ = Error(ErrorCode::Unsupported,
                       "format " + std::to_string(found) + ", but this version reads format " +
                           std::to_string(wanted) +
                           "; use the version that wrote it, or restore a backup");
    }
}

void BinaryReader::fail(std::string_view what) {
    if (!failed()) {
        error_ = Error(ErrorCode::Corrupt, std::string(what) + " at byte " +
                                               std::to_string(all_.size() - rest_.size()));
    }
}

}  // namespace perdure
