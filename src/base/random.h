#pragma once

/// Randomness as an interface (K-261).

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace perdure {

class Random {
public:
    virtual ~Random() = default;

    /// Fills `out` with bytes of a cryptographic generator (in simulation: of the run's seed).
    /// Thread: one generator belongs to one thread unless its implementation says otherwise.
    virtual void fill(std::span<Byte> out) = 0;

    std::uint64_t next_u64() {
        std::uint64_t value = 0;
        fill({reinterpret_cast<Byte*>(&value), sizeof value});
        return value;
    }
};

}  // namespace perdure
