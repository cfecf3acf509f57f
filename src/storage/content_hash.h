#pragma once

/// SHA-256 of contents: what packages, compiled code and backups are named by.

#include <array>
#include <string>

#include "base/bytes.h"
#include "base/sha256.h"

namespace perdure {

using ContentHash = std::array<Byte, 32>;

ContentHash content_hash(ByteView bytes);

/// 64 lower-case hexadecimal digits.
std::string to_hex(const ContentHash& hash);

/// The same for contents that arrive in parts: `add` any number of times, then `finish` once.
using ContentHasher = Sha256;

}  // namespace perdure
