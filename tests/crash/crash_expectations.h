#pragma once

/// What every crash suite must show, and the proof that it can fail.

#include <functional>

#include "crash_walk.h"

namespace perdure::crash {

using RunSuite = std::function<CrashReport(const CrashOptions&)>;

/// PERDURE_CRASH_POINTS images (500 by default) with the seed PERDURE_CRASH_SEED (1 by default)
/// lose nothing; prints the table. Each kind of entry and fault has `per_kind_min` images; from 10
/// 000 images on, 300.
void expect_no_losses(const RunSuite& run, std::size_t per_kind_min);
void expect_same_run_for_same_seed(const RunSuite& run);
/// Planted faults must be reported within the normal run of a suite.
void expect_found(const RunSuite& run, LogFaultsForTest faults,
                  kernel::KernelFaultsForTest kernel_faults = {});

}  // namespace perdure::crash
