#include "storage/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace perdure {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
        }
        table[i] = value;
    }
    return table;
}
constexpr auto kTable = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t extend_by_hardware(std::uint32_t crc,
                                                                   ByteView bytes) {
    std::uint64_t state = ~crc;
    const Byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        state = _mm_crc32_u64(state, word);
    }
    auto narrow = static_cast<std::uint32_t>(state);
    for (; left > 0; ++at, --left) {
        narrow = _mm_crc32_u8(narrow, *at);
    }
    return ~narrow;
}
bool has_hardware() {
    static const bool has = __builtin_cpu_supports("sse4.2") != 0;
    return has;
}
#endif

}  // namespace

std::uint32_t crc32c_extend_by_table_for_test(std::uint32_t crc, ByteView bytes) {
    std::uint32_t state = ~crc;
    for (const Byte byte : bytes) {
        state = (state >> 8) ^ kTable[(state ^ byte) & 0xff];
    }
    return ~state;
}

std::uint32_t crc32c_extend(std::uint32_t crc, ByteView bytes) {
#if defined(__x86_64__)
    if (has_hardware()) {
        return extend_by_hardware(crc, bytes);
    }
#endif
    return crc32c_extend_by_table_for_test(crc, bytes);
}

}  // namespace perdure
