#pragma once

/// Unknown members of a package's files are ignored (P-MAN-1, P-PKG-7), but a slip of the pen
/// should not be a riddle.

#include <span>
#include <string>
#include <string_view>

#include "abi/json_cursor.h"
#include "base/result.h"

namespace perdure::packages {

/// The member `key` of `object`. When it is missing, the error names the unknown member that was
/// probably meant.
Result<JsonCursor> required_member(const JsonCursor& object, std::string_view key,
                                   std::span<const std::string_view> known);

/// One sentence about an unknown member that looks like a known one; empty if there is none.
std::string find_likely_slip(const JsonCursor& object, std::span<const std::string_view> known);

}  // namespace perdure::packages
