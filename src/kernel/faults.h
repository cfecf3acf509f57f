#pragma once

namespace perdure::kernel {

/// Deliberate faults, for suites that show that they find a loss.
struct KernelFaultsForTest {
    bool revocation_skipped = false;  ///< What an ended process issued stays held (K-118).
    bool outcome_twice = false;       ///< Whoever does not await gets each outcome again (K-55).
};

}  // namespace perdure::kernel
