#pragma once

/// The recorded workload of the crash suite: twenty processes append, read, tell each other and let
/// outputs out, while the disk runs full, syncs fail and the node restarts. A seed decides
/// everything.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "disk_workload.h"

namespace perdure::crash {

struct Moment : DiskMoment {
    std::uint64_t shown = 0;  ///< Highest number an output that left depends on.
};
using Stretch = StretchOf<Moment>;

class Workload final : public DiskWorkload<Moment> {
public:
    Workload(Backend backend, std::uint64_t seed, LogFaultsForTest faults);

    Stretch run(std::size_t actions) {
        write_retries_ = 0;
        return DiskWorkload::run(actions);
    }
    WorkloadCounts counts() const {
        return {{"entries", entries_}, {"outputs", outputs_}, {"starts", starts_}};
    }
    /// Outputs that left although their cause was gone after a restart of the workload itself; each
    /// is told once.
    std::vector<std::string> take_losses() { return std::exchange(losses_, {}); }

private:
    Result<void> start_node() override;
    void end_node(End end) override;
    bool after_start() override;
    void act() override;
    void flush() override { node_->flush(); }
    void append(std::size_t process);
    void output(std::size_t process);
    Entry make_entry(std::size_t process, EntryKind kind);
    Contents contents_after(const Entry& entry) const;

    const Backend backend_;
    const LogFaultsForTest faults_;
    std::unique_ptr<NodeUnderTest> node_;
    std::array<Causality, 20> processes_;
    std::uint64_t next_value_ = 0;
    std::uint64_t outputs_ = 0;
};

}  // namespace perdure::crash
