#pragma once

/// Foreign text inside our messages and logs: short, on one line, and visibly somebody else's.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace perdure {

/// Longest text that `quote` shows in full, in bytes.
inline constexpr std::size_t kQuoteBytesMax = 80;

/// `text` in double quotes, with quotes and backslashes escaped, bytes outside printable ASCII as
/// `\xNN`, and cut after kQuoteBytesMax bytes with `…`.
std::string quote(std::string_view text);

/// The one of `known` with the fewest single-letter changes to `word`; empty if none is near enough
/// to be meant.
std::string_view closest_word(std::string_view word, std::span<const std::string_view> known);

}  // namespace perdure
