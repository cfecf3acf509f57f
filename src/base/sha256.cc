#include "base/sha256.h"

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

Sha256::Sha256() {
    new (room_.data()) crypto_hash_sha256_state;
    crypto_hash_sha256_init(inner(room_));
}

Sha256::~Sha256() = default;

void Sha256::add(ByteView bytes) {
    crypto_hash_sha256_update(inner(room_), bytes.data(), bytes.size());
}

std::array<Byte, 32> Sha256::finish() {
    std::array<Byte, 32> hash{};
    crypto_hash_sha256_final(inner(room_), hash.data());
    return hash;
}

}  // namespace perdure
