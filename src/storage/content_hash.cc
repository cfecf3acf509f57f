#include "storage/content_hash.h"

#include <sodium/crypto_hash_sha256.h>

#include <new>

namespace perdure {
namespace {

crypto_hash_sha256_state* inner(std::array<Byte, 128>& room) {
    static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(room));
    static_assert(alignof(crypto_hash_sha256_state) <= 64);
    return std::launder(reinterpret_cast<crypto_hash_sha256_state*>(room.data()));
}

}  // namespace

ContentHash content_hash(ByteView bytes) {
    ContentHash hash{};
    crypto_hash_sha256(hash.data(), bytes.data(), bytes.size());
    return hash;
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

ContentHasher::ContentHasher() {
    new (room_.data()) crypto_hash_sha256_state;
    crypto_hash_sha256_init(inner(room_));
}

ContentHasher::~ContentHasher() = default;

void ContentHasher::add(ByteView bytes) {
    crypto_hash_sha256_update(inner(room_), bytes.data(), bytes.size());
}

ContentHash ContentHasher::finish() {
    ContentHash hash{};
    crypto_hash_sha256_final(inner(room_), hash.data());
    return hash;
}

}  // namespace perdure
