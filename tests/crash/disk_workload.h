#pragma once

/// What the workloads of the crash suites share: a disk whose every operation is recorded until its
/// power is cut, that runs full and fails syncs, while the node on it ends and starts again.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node_under_test.h"
#include "testing/seeded_random.h"
#include "testing/simulated_files.h"

namespace perdure::crash {

/// The contents after an entry; shared, since most keys stay.
struct HistoryItem {
    std::uint64_t number = 0;
    std::shared_ptr<const Contents> contents;
};

/// What was known just before one operation of the disk was carried out.
struct DiskMoment {
    std::uint64_t highest_given = 0;  ///< Number given out last.
    std::uint32_t kinds_pending = 0;  ///< Bit per EntryKind that is appended but not durable.
    bool full = false;
    bool sync_failed = false;
    bool recovering = false;
};

/// One disk from a start image until its power is cut. `Moment` is a `DiskMoment` and what the
/// workload knew besides.
template <typename Moment>
struct StretchOf {
    DiskImage start;
    std::vector<DiskOperation> operations;
    std::vector<Moment> moments;  ///< One per operation, and one behind the last.
    std::vector<HistoryItem>
        history;  ///< Entries that exist, of this stretch and before, in number order.

    /// Those of the newest entry up to `number`.
    const Contents& contents_up_to(std::uint64_t number) const {
        const auto above = std::upper_bound(
            history.begin(), history.end(), number,
            [](std::uint64_t value, const HistoryItem& item) { return value < item.number; });
        return *std::prev(above)->contents;
    }
};

/// What a workload did, in the order of a table.
using WorkloadCounts = std::vector<std::pair<std::string_view, std::uint64_t>>;

/// A seed decides everything.
template <typename Moment>
class DiskWorkload {
public:
    virtual ~DiskWorkload() = default;

    /// Runs until the next power cut.
    StretchOf<Moment> run(std::size_t actions);
    /// Over everything that happened, in order.
    std::uint64_t trace_hash() const { return trace_; }

protected:
    /// Something happens after one in so many actions.
    struct OneIn {
        std::uint64_t restart;
        std::uint64_t flush;
        std::uint64_t full;
        std::uint64_t failed_sync;
    };
    enum class End : std::uint8_t { Orderly, Crash };

    DiskWorkload(std::uint64_t seed, OneIn one_in) : random_(seed), one_in_(one_in) {
        image_.directories.insert("/");
        history_.push_back({0, std::make_shared<const Contents>()});
    }

    /// A new node on `files_`.
    virtual Result<void> start_node() = 0;
    virtual void end_node(End end) = 0;
    /// False: the workload cannot go on.
    virtual bool after_start() = 0;
    virtual void act() = 0;
    /// Moves the log's contents elsewhere on the disk.
    virtual void flush() = 0;
    virtual Moment moment() const;

    /// Operations since the last call happened while things stood as they do now.
    void mark_moments() { moments_.resize(files_->operation_count(), moment()); }
    void trace(std::string_view what, std::uint64_t value) {
        trace_ = hash_of(bytes_of(std::string(what) + " " + std::to_string(value) + " " +
                                  std::to_string(trace_)));
    }
    /// An entry was given `number` and makes the contents these.
    void remember(std::uint64_t number, EntryKind kind, Contents contents);
    void commit(Committer& committer, const EntryLog& log);
    /// What a committer asks after a failed write.
    bool retry_write();
    /// A start found the entries up to `recovered`; numbers go on behind those of `log`.
    void forget_above(std::uint64_t recovered, const EntryLog& log);

    SeededRandom random_;
    DiskImage image_;
    std::unique_ptr<SimulatedFiles> files_;
    std::vector<HistoryItem> history_;
    Moment now_;  ///< All but what is pending.
    int write_retries_ = 0;
    std::vector<std::string> losses_;  ///< Found by the workload after its own restarts.
    std::uint64_t entries_ = 0;
    std::uint64_t starts_ = 0;

private:
    bool start();
    void trace_operations(const std::vector<DiskOperation>& operations);

    static constexpr std::uint64_t kRoomy = 1ull << 40;
    static constexpr int kFullRetries = 8;

    const OneIn one_in_;
    std::vector<Moment> moments_;
    std::vector<std::pair<std::uint64_t, EntryKind>> pending_;  // given out, not durable
    std::uint64_t sync_failures_ = 0;  // of this stretch's disk that were dealt with
    std::uint64_t trace_ = 0;
};

template <typename Moment>
Moment DiskWorkload<Moment>::moment() const {
    Moment moment = now_;
    for (const auto& [number, kind] : pending_) {
        moment.kinds_pending |= 1u << static_cast<unsigned>(kind);
    }
    return moment;
}

template <typename Moment>
void DiskWorkload<Moment>::remember(std::uint64_t number, EntryKind kind, Contents contents) {
    history_.push_back({number, std::make_shared<const Contents>(std::move(contents))});
    pending_.emplace_back(number, kind);
    now_.highest_given = std::max(now_.highest_given, number);
    ++entries_;
    trace(to_string(kind), number);
}

template <typename Moment>
void DiskWorkload<Moment>::commit(Committer& committer, const EntryLog& log) {
    mark_moments();
    const auto step = committer.step();
    mark_moments();
    now_.sync_failed |= step == Committer::Step::Failed;
    const std::uint64_t durable = log.durable().value;
    std::erase_if(pending_, [&](const auto& item) { return item.first <= durable; });
    trace("durable", durable);
}

template <typename Moment>
bool DiskWorkload<Moment>::retry_write() {
    mark_moments();
    // Room comes back in small steps, so a batch is cut at many places before it fits.
    if (++write_retries_ % kFullRetries == 0) {
        files_->set_capacity(kRoomy);
        now_.full = false;
    } else {
        files_->set_capacity(files_->used_bytes() + 1 + random_.below(60));
    }
    return true;
}

template <typename Moment>
void DiskWorkload<Moment>::forget_above(std::uint64_t recovered, const EntryLog& log) {
    trace("recovered", recovered);
    while (history_.back().number > recovered) {
        history_.pop_back();
    }
    now_.highest_given = std::max(now_.highest_given, log.last().value);
    pending_.clear();
}

template <typename Moment>
bool DiskWorkload<Moment>::start() {
    mark_moments();
    now_.recovering = true;
    now_.full = false;
    files_->set_capacity(kRoomy);
    auto started = start_node();
    if (!started && files_->sync_failures() > sync_failures_) {
        // A sync of the start itself failed: the node stopped and is started once more.
        mark_moments();
        now_.sync_failed = true;
        files_->fail_sync(0);
        end_node(End::Crash);
        started = start_node();
    }
    sync_failures_ = files_->sync_failures();
    mark_moments();
    now_.recovering = false;
    now_.sync_failed = false;
    if (!started) {
        losses_.push_back("a start of the workload was refused: " + started.error().message());
        return false;
    }
    ++starts_;
    return after_start();
}

template <typename Moment>
void DiskWorkload<Moment>::trace_operations(const std::vector<DiskOperation>& operations) {
    for (const DiskOperation& operation : operations) {
        // RocksDB puts random session numbers into its own files: of those, only the shape belongs
        // to the trace.
        const bool own = operation.path.ends_with(".log") ||
                         operation.path.find("/large/") != std::string::npos ||
                         operation.path.ends_with("/durable");
        trace(operation.path, static_cast<std::uint64_t>(operation.kind));
        trace("at", operation.offset);
        trace("bytes", own ? hash_of(operation.data.view()) : operation.data.size());
    }
}

template <typename Moment>
StretchOf<Moment> DiskWorkload<Moment>::run(std::size_t actions) {
    files_ = std::make_unique<SimulatedFiles>(image_);
    files_->record();
    moments_.clear();
    now_.full = false;
    now_.sync_failed = false;
    sync_failures_ = 0;
    bool running = start();
    for (std::size_t i = 0; running && i < actions; ++i) {
        act();
        mark_moments();
        now_.sync_failed |= files_->sync_failures() > sync_failures_;
        if (now_.sync_failed || random_.one_in(one_in_.restart)) {
            // The node ends, in order or not, and starts again on the same machine.
            end_node(!now_.sync_failed && random_.one_in(2) ? End::Orderly : End::Crash);
            running = start();
            continue;
        }
        if (random_.one_in(one_in_.flush)) {
            flush();
        } else if (random_.one_in(one_in_.full)) {
            now_.full = true;
            files_->set_capacity(files_->used_bytes() + random_.below(40));
        } else if (random_.one_in(one_in_.failed_sync)) {
            files_->fail_sync(1);
        }
        mark_moments();
    }
    files_->fail_sync(0);
    mark_moments();
    moments_.push_back(moment());
    StretchOf<Moment> stretch{std::move(image_), files_->recorded(), moments_, history_};
    trace_operations(stretch.operations);
    // The power goes. The next stretch begins with one of the disks that this may leave.
    static constexpr Crash kCrashes[] = {Crash::Lost, Crash::Torn, Crash::Reordered, Crash::Kept};
    image_ = files_->image_after(kCrashes[random_.below(4)], random_.next());
    end_node(End::Crash);
    return stretch;
}

}  // namespace perdure::crash
