#pragma once

/// SHA-256 of bytes that arrive in parts. `storage/content_hash.h` has the names and the one-call
/// form.

#include <array>

#include "base/bytes.h"

namespace perdure {

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void add(ByteView bytes);
    /// Once, at the end.
    std::array<Byte, 32> finish();

private:
    alignas(
        64) std::array<Byte, 128> room_;  // libsodium's own object; its header stays out of ours
};

}  // namespace perdure
