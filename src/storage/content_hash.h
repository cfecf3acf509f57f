#pragma once

/// SHA-256 of contents: what packages, compiled code and backups are named by.

#include <array>
#include <string>

#include "base/bytes.h"

namespace perdure {

using ContentHash = std::array<Byte, 32>;

ContentHash content_hash(ByteView bytes);

/// 64 lower-case hexadecimal digits.
std::string to_hex(const ContentHash& hash);

/// The same for contents that arrive in parts.
class ContentHasher {
public:
    ContentHasher();
    ~ContentHasher();
    ContentHasher(const ContentHasher&) = delete;
    ContentHasher& operator=(const ContentHasher&) = delete;

    void add(ByteView bytes);
    /// Once, at the end.
    ContentHash finish();

private:
    // libsodium's own object; its header stays out of ours.
    alignas(64) std::array<Byte, 128> room_;
};

}  // namespace perdure
