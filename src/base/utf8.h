#pragma once

/// Text that came from outside and should be UTF-8.

#include <cstddef>
#include <string>
#include <string_view>

namespace perdure {

/// Bytes of the well-formed UTF-8 sequence at the front of `text`, which is not empty; 0 if there
/// is none. Overlong forms and surrogates are not well-formed (RFC 3629).
inline std::size_t utf8_sequence_size(std::string_view text) {
    const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
        return i < text.size() && at(i) >= low && at(i) <= high;
    };
    const unsigned char lead = at(0);
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return continues(1) ? 2 : 0;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;   // no overlong forms
        const unsigned high = lead == 0xed ? 0x9f : 0xbf;  // no surrogates
        return continues(1, low, high) && continues(2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
        const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
        return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

/// `text` with every byte that is no UTF-8 replaced by U+FFFD.
std::string with_valid_utf8(std::string_view text);

}  // namespace perdure
