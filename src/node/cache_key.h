#pragma once

#include <array>
#include <string>

#include "base/bytes.h"
#include "base/files.h"
#include "base/random.h"
#include "base/result.h"

namespace perdure::node {

/// Authenticates compiled code in the cache: a forged artifact would be native code that runs
/// (wasm-engine §12.4).
using CacheKey = std::array<Byte, 32>;

/// The key of this home, `<home>/cache/key` (mode 0600), made at the first start. A lost key only
/// empties the cache. Errors: Io, NotPermitted.
Result<CacheKey> load_cache_key(Files& files, const std::string& home, Random& random);

}  // namespace perdure::node
