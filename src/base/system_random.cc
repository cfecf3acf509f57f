#include "base/system_random.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace perdure {

SystemRandom::SystemRandom() {
    CHECK(sodium_init() >= 0, "libsodium does not start");
    seed();
}

SystemRandom::~SystemRandom() {
    sodium_memzero(key_.data(), key_.size());
    sodium_memzero(block_.data(), block_.size());
}

void SystemRandom::seed() {
    randombytes_buf(key_.data(), key_.size());
    nonce_ = 0;
    since_seed_ = 0;
}

void SystemRandom::refill() {
    if (since_seed_ >= kReseedBytes) {
        seed();
    }
    static_assert(crypto_stream_chacha20_KEYBYTES == 32 &&
                  crypto_stream_chacha20_NONCEBYTES == sizeof nonce_);
    Byte nonce[sizeof nonce_];
    std::memcpy(nonce, &nonce_, sizeof nonce);
    ++nonce_;
    crypto_stream_chacha20(block_.data(), block_.size(), nonce, key_.data());
    since_seed_ += block_.size();
    used_ = 0;
}

void SystemRandom::fill(std::span<Byte> out) {
    while (!out.empty()) {
        if (used_ == block_.size()) {
            refill();
        }
        const std::size_t count = std::min(out.size(), block_.size() - used_);
        std::memcpy(out.data(), block_.data() + used_, count);
        sodium_memzero(block_.data() + used_, count);
        used_ += count;
        out = out.subspan(count);
    }
}

}  // namespace perdure
