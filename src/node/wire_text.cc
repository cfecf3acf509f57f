#include "node/wire_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace perdure::node {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int, 256> make_values() {
    std::array<int, 256> values{};
    values.fill(-1);
    for (std::size_t index = 0; index < kAlphabet.size(); ++index) {
        values[static_cast<unsigned char>(kAlphabet[index])] = static_cast<int>(index);
    }
    return values;
}
constexpr std::array<int, 256> kValues = make_values();

Error not_base64() {
    return Error(ErrorCode::InvalidInput, "not base64");
}

/// Bytes of the well-formed sequence at the start of `text` (RFC 3629); 0 if there is none.
std::size_t sequence_size(std::string_view text) {
    const auto byte = [&](std::size_t index) {
        return index < text.size() ? static_cast<unsigned char>(text[index]) : 0u;
    };
    const auto follows = [&](std::size_t index) { return (byte(index) & 0xC0) == 0x80; };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return text.empty() ? 0 : 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return follows(1) ? 2 : 0;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        const bool overlong = first == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = first == 0xED && byte(1) > 0x9F;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool overlong = first == 0xF0 && byte(1) < 0x90;
        const bool too_high = first == 0xF4 && byte(1) > 0x8F;
        return follows(1) && follows(2) && follows(3) && !overlong && !too_high ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string base64_encode(ByteView bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t index = 0; index < bytes.size(); index += 3) {
        const std::size_t have = std::min<std::size_t>(bytes.size() - index, 3);
        std::uint32_t group = static_cast<std::uint32_t>(bytes[index]) << 16;
        group |= have > 1 ? static_cast<std::uint32_t>(bytes[index + 1]) << 8 : 0;
        group |= have > 2 ? bytes[index + 2] : 0u;
        for (std::size_t digit = 0; digit < 4; ++digit) {
            text += digit <= have ? kAlphabet[group >> (18 - 6 * digit) & 63] : '=';
        }
    }
    return text;
}

Result<Bytes> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) {
        return not_base64();
    }
    Bytes bytes;
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t index = 0; index < text.size(); index += 4) {
        std::size_t padding = 0;
        if (index + 4 == text.size()) {
            padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
        }
        std::uint32_t group = 0;
        for (std::size_t digit = 0; digit < 4; ++digit) {
            const int value =
                digit < 4 - padding ? kValues[static_cast<unsigned char>(text[index + digit])] : 0;
            if (value < 0) {
                return not_base64();
            }
            group = group << 6 | static_cast<std::uint32_t>(value);
        }
        if ((group & ((1u << 8 * padding) - 1)) != 0) {
            return not_base64();
        }
        for (std::size_t byte = 0; byte < 3 - padding; ++byte) {
            bytes.push_back(static_cast<Byte>(group >> (16 - 8 * byte)));
        }
    }
    return bytes;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t size = sequence_size(text);
        if (size == 0) {
            return false;
        }
        text.remove_prefix(size);
    }
    return true;
}

std::string to_utf8(std::string_view text) {
    std::string valid;
    valid.reserve(text.size());
    while (!text.empty()) {
        const std::size_t size = sequence_size(text);
        valid += size == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, size);
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return valid;
}

std::string format_time(WallTime time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<milliseconds>(time - day));
    std::array<char, 80> text;
    const int size = std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<int>(clock.subseconds().count()));
    return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace perdure::node
