#pragma once

/// Where prints go: guests' and the kernel's own (K-228 to K-231). `node/` lets them through the
/// gate.

#include <cstdint>
#include <string>

#include "abi/ids.h"
#include "base/sequence.h"

namespace perdure::kernel {

struct Print {
    std::uint8_t level =
        0;  ///< 0 always shown, 1 debug, 2 runtime, 3 every event; any u8 is valid.
    ProcessId source;
    std::string text;  ///< May hold anything, line breaks too.
};

class Terminal {
public:
    virtual ~Terminal() = default;

    /// Shows `print` once everything its maker had `seen` is on disk; prints keep their order.
    /// Never blocks: what does not fit is dropped, and a later line says how many. Thread: any.
    virtual void print(Print print, SequenceNumber seen) = 0;
};

}  // namespace perdure::kernel
