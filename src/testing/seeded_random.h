#pragma once

/// Random bytes that a seed decides, the same on every machine. Not for secrets.

#include <cstring>

#include "base/check.h"
#include "base/random.h"

namespace perdure {

/// SplitMix64: one addition and a mixing function. Thread: one.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

    void fill(std::span<Byte> out) override {
        while (!out.empty()) {
            const std::uint64_t value = next();
            const std::size_t count = std::min(out.size(), sizeof value);
            std::memcpy(out.data(), &value, count);
            out = out.subspan(count);
        }
    }

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return mixed ^ (mixed >> 31);
    }
    /// 0 to `count - 1`.
    std::uint64_t below(std::uint64_t count) {
        CHECK(count > 0);
        return next() % count;
    }
    bool one_in(std::uint64_t count) { return below(count) == 0; }

private:
    std::uint64_t state_;
};

}  // namespace perdure
