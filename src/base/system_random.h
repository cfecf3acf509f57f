#pragma once

#include <array>

#include "base/random.h"

namespace perdure {

/// A ChaCha20 generator seeded by the operating system and seeded again after every `kReseedBytes`
/// (K-261).
///
/// A draw is a call in user space, because guests draw a seed for their hash tables at every start.
/// Thread: one generator per thread.
class SystemRandom final : public Random {
public:
    static constexpr std::size_t kReseedBytes = 1 << 20;

    SystemRandom();
    ~SystemRandom() override;
    SystemRandom(const SystemRandom&) = delete;
    SystemRandom& operator=(const SystemRandom&) = delete;

    void fill(std::span<Byte> out) override;

private:
    void seed();
    void refill();

    std::array<Byte, 32> key_;
    std::array<Byte, 1024> block_;
    std::size_t used_ =
        sizeof block_;  ///< Bytes of `block_` already given out; they are wiped at once.
    std::size_t since_seed_ = 0;
    std::uint64_t nonce_ = 0;
};

}  // namespace perdure
