#include "storage/content_hash.h"

namespace perdure {

ContentHash content_hash(ByteView bytes) {
    ContentHasher hasher;
    hasher.add(bytes);
    return hasher.finish();
}

std::string to_hex(const ContentHash& hash) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * hash.size());
    for (const Byte byte : hash) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

}  // namespace perdure
