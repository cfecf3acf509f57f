#pragma once

/// Bytes inside JSON: text where they are text, base64 where they are not.

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace perdure::node {

/// Standard alphabet, with padding (RFC 4648 §4).
std::string base64_encode(ByteView bytes);
/// Errors: InvalidInput (another letter, wrong padding, or bits set that encode nothing).
Result<Bytes> base64_decode(std::string_view text);

bool is_utf8(std::string_view text);
/// `text` with every byte that is no UTF-8 replaced by U+FFFD.
std::string to_utf8(std::string_view text);

/// `2001-09-09T01:46:40.123Z`
std::string format_time(WallTime time);

}  // namespace perdure::node
