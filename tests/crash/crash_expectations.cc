#include "crash_expectations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

// RocksDB 7.8 forgets its new memtables when switching the log fails, which it does after every
// failed sync; the program ends then, and only tests go on.
extern "C" const char* __lsan_default_suppressions() {
    return "leak:rocksdb::DBImpl::SwitchMemtable\n";
}

namespace perdure::crash {
namespace {

std::uint64_t chosen(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

}  // namespace

void expect_no_losses(const RunSuite& run, std::size_t per_kind_min) {
    CrashOptions options;
    options.images = chosen("PERDURE_CRASH_POINTS", 500);
    options.seed = chosen("PERDURE_CRASH_SEED", 1);
    options.per_kind_min = options.images >= 10'000 ? 300 : per_kind_min;
    const CrashReport report = run(options);
    std::cout << report.table();
    for (std::size_t i = 0; i < std::min<std::size_t>(report.losses.size(), 10); ++i) {
        std::cout << "LOSS " << report.losses[i] << "\n";
    }
    EXPECT_EQ(report.losses.size(), 0u);
    EXPECT_GE(report.images, options.images);
    EXPECT_GE(report.least(), options.per_kind_min)
        << "a kind of entry or fault was not met often enough";
    for (const auto& [name, count] : report.workload) {
        EXPECT_GT(count, 0u) << name;
    }
}

void expect_same_run_for_same_seed(const RunSuite& run) {
    CrashOptions options;
    options.images = 60;
    options.seed = 7;
    const CrashReport one = run(options);
    const CrashReport other = run(options);
    EXPECT_EQ(one.trace_hash, other.trace_hash);
    EXPECT_EQ(one.points, other.points);
    EXPECT_EQ(one.by_kind, other.by_kind);
    options.seed = 8;
    EXPECT_NE(run(options).trace_hash, one.trace_hash);
}

void expect_found(const RunSuite& run, LogFaultsForTest faults,
                  kernel::KernelFaultsForTest kernel_faults) {
    CrashOptions options;
    options.faults = faults;
    options.kernel_faults = kernel_faults;
    options.stop_at_first_loss = true;
    const CrashReport report = run(options);
    ASSERT_FALSE(report.losses.empty()) << "not found in " << report.images << " images";
    std::cout << "found after " << report.images << " images: " << report.losses.front() << "\n";
}

}  // namespace perdure::crash
