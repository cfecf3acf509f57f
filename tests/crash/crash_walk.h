#pragma once

/// The walk of the crash suites (K-266): a recorded workload is crashed at every operation of the
/// disk, and each distinct disk that this may leave is recovered and checked.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "disk_workload.h"
#include "kernel/faults.h"

namespace perdure::crash {

struct CrashOptions {
    std::uint64_t seed = 1;
    std::size_t images = 500;  ///< Distinct images to recover.
    std::size_t per_kind_min =
        0;  ///< Goes on until each entry kind and fault has this many (bounded).
    LogFaultsForTest faults;
    kernel::KernelFaultsForTest kernel_faults;
    bool stop_at_first_loss = false;
};

struct CrashReport {
    std::size_t points = 0;  ///< Pairs of an operation and a way to crash.
    std::size_t images = 0;  ///< Distinct disks among them, each recovered.
    std::array<std::size_t, kEntryKindCount>
        by_kind{};  ///< Images with such an entry appended but not durable.
    std::size_t lost = 0;
    std::size_t torn = 0;
    std::size_t reordered = 0;
    std::size_t full = 0;
    std::size_t sync_failed = 0;
    std::size_t recovering = 0;
    WorkloadCounts workload;
    double seconds = 0;
    std::uint64_t trace_hash = 0;
    std::vector<std::string> losses;

    // What differs between workloads.
    std::string_view recovery = "recovered";   ///< What is done to each image.
    std::optional<EntryKind> kind_never_made;  ///< Does not count in `least`.

    /// Images of the entry kind or fault that has the fewest.
    std::size_t least() const;
    std::string table() const;
};

using SameValue = std::function<bool(const std::string& found, const std::string& wanted)>;

/// Why `found` is not what `wanted` is; nothing: it is.
std::optional<std::string> difference(const Contents& found, const Contents& wanted,
                                      const SameValue& same = std::equal_to<>());

class CrashWalk {
public:
    explicit CrashWalk(const CrashOptions& options)
        : options_(options), random_(options.seed ^ 0x5eed) {}

    /// Crashes a stretch everywhere. `check(SimulatedFiles&, const Moment&)` recovers a disk that
    /// was left at that moment and says what was lost, if anything; two threads call it at once.
    template <typename Moment, typename Check>
    void crash_everywhere(const StretchOf<Moment>& stretch, const Check& check) {
        crash_everywhere(
            stretch.start, stretch.operations,
            [&](std::size_t operation) -> const DiskMoment& { return stretch.moments[operation]; },
            [&](SimulatedFiles& files, std::size_t operation) {
                return check(files, stretch.moments[operation]);
            });
    }
    /// What a workload found itself, and what it did.
    void add(const std::vector<std::string>& losses);
    void add(const WorkloadCounts& counts);
    bool done() const;
    CrashReport finish();

    CrashReport report;

private:
    using MomentAt = std::function<const DiskMoment&(std::size_t operation)>;
    using CheckAt =
        std::function<std::optional<std::string>(SimulatedFiles&, std::size_t operation)>;
    struct Case {
        DiskImage image;
        Crash crash = Crash::Lost;
        std::size_t operation = 0;
        std::optional<std::string> loss;
    };

    void crash_everywhere(const DiskImage& start, const std::vector<DiskOperation>& operations,
                          const MomentAt& moment_at, const CheckAt& check);
    void count(Crash crash, const DiskMoment& moment);
    void recover(std::vector<Case>& cases, const std::vector<DiskOperation>& operations,
                 const CheckAt& check);

    const CrashOptions options_;
    const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    SeededRandom random_;
    std::unordered_set<std::uint64_t> seen_;
};

}  // namespace perdure::crash
