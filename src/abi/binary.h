#pragma once

/// The few shapes that our stored records are made of, and a reader that trusts none of them.
///
///   u8 · u32 · u64    little-endian
///   flag              u8, 0 or 1
///   string            length:u32  byte[length]
///   option(x)         flag  x, the latter only if the flag is 1
///   list(x)           count:u32  x[count]

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace perdure {

/// Appends values to a buffer. Precondition: no string or list is longer than a u32 counts.
class BinaryWriter {
public:
    void u8(std::uint8_t value) { bytes_.push_back(value); }
    void u32(std::uint32_t value) { little_endian(value); }
    void u64(std::uint64_t value) { little_endian(value); }
    void flag(bool value) { u8(value ? 1 : 0); }
    void count(std::size_t size) {
        CHECK(size <= std::numeric_limits<std::uint32_t>::max(), size);
        u32(static_cast<std::uint32_t>(size));
    }
    void string(std::string_view text) { string(bytes_of(text)); }
    void string(ByteView bytes) {
        count(bytes.size());
        raw(bytes);
    }
    void raw(ByteView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

    SharedBytes take() const { return SharedBytes(ByteView(bytes_)); }

private:
    template <typename Number>
    void little_endian(Number value) {
        for (std::size_t i = 0; i < sizeof(Number); ++i) {
            u8(static_cast<std::uint8_t>(value >> (8 * i)));
        }
    }

    Bytes bytes_;
};

/// Takes values from the front of borrowed bytes. The first failure (Corrupt, with its offset)
/// sticks: from then on every method gives an empty value, lists end, and `finish` returns that
/// error; so a record's shape reads as one list of fields. No memory is taken for a length that
/// does not fit into what is left.
class BinaryReader {
public:
    explicit BinaryReader(ByteView bytes) : all_(bytes), rest_(bytes) {}

    std::uint8_t u8() { return little_endian<std::uint8_t>(); }
    std::uint32_t u32() { return little_endian<std::uint32_t>(); }
    std::uint64_t u64() { return little_endian<std::uint64_t>(); }
    bool flag();
    /// Exactly `size` bytes, or none after a failure.
    ByteView raw(std::size_t size);
    void raw(std::span<Byte> out);
    ByteView bytes() { return raw(u32()); }
    std::string string() { return std::string(text_of(bytes())); }

    template <typename Read>
    auto option(Read read) -> std::optional<decltype(read())> {
        if (!flag()) {
            return std::nullopt;
        }
        return read();
    }

    /// Items that take at least `item_bytes_min` (not 0) bytes each.
    template <typename Read>
    auto list(std::size_t item_bytes_min, Read read) -> std::vector<decltype(read())> {
        std::vector<decltype(read())> items;
        const std::size_t count = list_count(item_bytes_min);
        items.reserve(count);
        while (!failed() && items.size() < count) {
            items.push_back(read());
        }
        return items;
    }

    /// The first byte of a record. Another number than `wanted` fails with Unsupported.
    void format(Byte wanted);
    void fail(std::string_view what);
    bool failed() const { return error_.has_value(); }

    /// `value` if everything was read well and nothing is left over, else the error.
    template <typename T>
    Result<T> finish(T value) {
        if (!rest_.empty()) {
            fail("bytes are left over");
        }
        if (error_) {
            return *error_;
        }
        return value;
    }

private:
    std::size_t list_count(std::size_t item_bytes_min);

    template <typename Number>
    Number little_endian() {
        const ByteView taken = raw(sizeof(Number));
        Number value = 0;
        for (std::size_t i = 0; i < taken.size(); ++i) {
            value = static_cast<Number>(value | static_cast<Number>(taken[i]) << (8 * i));
        }
        return value;
    }

    ByteView all_;
    ByteView rest_;
    std::optional<Error> error_;
};

}  // namespace perdure
