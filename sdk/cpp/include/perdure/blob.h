#pragma once

#include <optional>

#include "perdure/message.h"
#include "perdure/wit_version.h"

namespace perdure {

/// The blob of the message most recently handed over; none after a send error. Copies the bytes
/// into this guest's memory each time; asking does not use the blob up.
std::optional<Blob> get_blob();

#if PERDURE_WIT_VERSION >= 100
/// Whether the message most recently handed over has a blob. Copies nothing.
bool has_blob();

/// The most recent blob that came with any message.
std::optional<Blob> last_blob();
#endif

}  // namespace perdure
