#include "node_suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <unordered_set>

#include "stepped_node.h"

namespace perdure::crash {
namespace {

constexpr std::size_t kActionsPerStretch = 1'500;
constexpr std::size_t kStretchesPerHome =
    6;  // then a new home: nothing is ever compacted here, so old ones open slowly
constexpr std::size_t kHomesMax = 60;
constexpr std::size_t kWorkers = 2;
constexpr std::size_t kImagesAtOnce = 64;

/// One disk to boot a node on, and what must be true of it.
struct Case {
    DiskImage image;
    Crash crash = Crash::Lost;
    std::size_t operation = 0;
    const NodeMoment* moment = nullptr;
    const NodeStretch* stretch = nullptr;
    std::optional<std::string> loss;

    std::string where() const {
        const std::string next = operation < stretch->operations.size()
                                     ? std::string(to_string(stretch->operations[operation].kind)) +
                                           " " + stretch->operations[operation].path
                                     : "the end";
        return fmt::format("before operation {} ({}), {}: ", operation, next, to_string(crash));
    }
};

/// Keys hold zero bytes; reports do not.
std::string printable(std::string key) {
    std::replace(key.begin(), key.end(), '\0', '|');
    return key;
}

std::string difference(const Contents& found, const Contents& wanted) {
    for (const auto& [key, value] : wanted) {
        const auto at = found.find(key);
        if (at == found.end()) {
            return printable(key) + " is missing";
        }
        if (!same_value(at->second, value)) {
            return printable(key) + " has another value";
        }
    }
    for (const auto& [key, value] : found) {
        if (!wanted.contains(key)) {
            return printable(key) + " should not be there";
        }
    }
    return {};
}

Result<void> check_recovery(const Case& one, const std::vector<RegisterChange>& changes,
                            Storage& storage, const Contents& contents) {
    const auto loss = [](std::string why) -> Result<void> {
        return Error(ErrorCode::Corrupt, std::move(why));
    };
    const std::uint64_t recovered = storage.recovered().last.value;
    const auto& history = one.stretch->history;
    const auto above = std::upper_bound(
        history.begin(), history.end(), std::min(recovered, one.moment->highest_given),
        [](std::uint64_t value, const HistoryItem& item) { return value < item.number; });
    if (const std::string wrong = difference(contents, *std::prev(above)->contents);
        !wrong.empty()) {
        return loss(fmt::format("the store is no prefix up to entry {}: {}", recovered, wrong));
    }
    bool present = false;
    if (const auto wrong = savers_present(contents, present)) {
        return loss(*wrong);
    }
    if (!present && one.moment->savers_shown) {
        return loss("the installed savers are gone");
    }
    if (const auto wrong =
            explain(observe(contents), changes, *one.moment->shown, one.moment->changes)) {
        return loss(*wrong);
    }
    if (storage.log().last().value < one.moment->highest_given) {
        return loss(fmt::format("numbers go on at {}, {} was given out", storage.log().last().value,
                                one.moment->highest_given));
    }
    return {};
}

std::optional<std::string> check(const Case& one, const std::vector<RegisterChange>& changes) {
    SimulatedFiles files(one.image);
    const auto looked = boot_and_look(files, [&](Storage& storage, const Contents& contents) {
        return check_recovery(one, changes, storage, contents);
    });
    return looked ? std::nullopt : std::optional(looked.error().message());
}

class Suite {
public:
    explicit Suite(const NodeSuiteOptions& options)
        : options_(options), random_(options.seed ^ 0x5eed) {}

    NodeSuiteReport run() {
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t home = 0; home < kHomesMax && !done(); ++home) {
            NodeWorkload workload(options_.seed + (home << 32), options_.faults);
            for (std::size_t i = 0; i < kStretchesPerHome && !done(); ++i) {
                const NodeStretch stretch = workload.run(kActionsPerStretch);
                crash_everywhere(stretch, workload.changes());
            }
            const std::vector<std::string> own = workload.losses();
            report_.losses.insert(report_.losses.end(), own.begin(), own.end());
            report_.trace_hash ^= workload.trace_hash();
            report_.workload += workload.counts();
        }
        report_.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        return std::move(report_);
    }

private:
    bool done() const {
        if (options_.stop_at_first_loss && !report_.losses.empty()) {
            return true;
        }
        return report_.images >= options_.images && report_.least() >= options_.per_kind_min;
    }

    void crash_everywhere(const NodeStretch& stretch, const std::vector<RegisterChange>& changes) {
        SimulatedDisk disk(stretch.start);
        std::vector<Case> cases;
        for (std::size_t i = 0; i <= stretch.operations.size() && !done(); ++i) {
            for (const Crash crash : {Crash::Lost, Crash::Torn, Crash::Reordered}) {
                ++report_.points;
                Case one{disk.image_after(crash, random_.next()),
                         crash,
                         i,
                         &stretch.moments[i],
                         &stretch,
                         {}};
                if (seen_.insert(one.image.hash()).second) {
                    count(one);
                    cases.push_back(std::move(one));
                }
            }
            if (cases.size() >= kImagesAtOnce) {
                recover(cases, changes);
            }
            if (i < stretch.operations.size()) {
                disk.apply(stretch.operations[i]);
            }
        }
        recover(cases, changes);
    }

    void count(const Case& one) {
        ++report_.images;
        report_.lost += one.crash == Crash::Lost ? 1 : 0;
        report_.torn += one.crash == Crash::Torn ? 1 : 0;
        report_.reordered += one.crash == Crash::Reordered ? 1 : 0;
        report_.full += one.moment->full ? 1 : 0;
        report_.sync_failed += one.moment->sync_failed ? 1 : 0;
        report_.recovering += one.moment->recovering ? 1 : 0;
        for (std::size_t kind = 0; kind < kEntryKindCount; ++kind) {
            report_.by_kind[kind] += one.moment->kinds_pending >> kind & 1;
        }
    }

    /// Recovers all cases, two at a time; the outcome does not depend on who does which.
    void recover(std::vector<Case>& cases, const std::vector<RegisterChange>& changes) {
        std::atomic<std::size_t> next{0};
        std::vector<std::thread> workers;
        for (std::size_t i = 0; i < kWorkers; ++i) {
            workers.emplace_back([&] {
                for (std::size_t at = next++; at < cases.size(); at = next++) {
                    cases[at].loss = check(cases[at], changes);
                }
            });
        }
        for (std::thread& worker : workers) {
            worker.join();
        }
        for (const Case& one : cases) {
            if (one.loss) {
                report_.losses.push_back(one.where() + *one.loss);
            }
        }
        cases.clear();
    }

    const NodeSuiteOptions options_;
    SeededRandom random_;
    NodeSuiteReport report_;
    std::unordered_set<std::uint64_t> seen_;
};

}  // namespace

std::size_t NodeSuiteReport::least() const {
    std::size_t least_kind = images;
    for (std::size_t kind = 0; kind < kEntryKindCount; ++kind) {
        // What boot cleans up is left by older versions only; the suite of the storage room has
        // such entries.
        if (static_cast<EntryKind>(kind) != EntryKind::Boot) {
            least_kind = std::min(least_kind, by_kind[kind]);
        }
    }
    return std::min({least_kind, lost, torn, reordered, full, sync_failed, recovering});
}

std::string NodeSuiteReport::table() const {
    std::string text;
    const auto line = [&](std::string_view name, std::size_t count) {
        text += fmt::format("{:<28}{:>8}\n", name, count);
    };
    line("points", points);
    line("distinct images booted", images);
    for (std::size_t kind = 0; kind < kEntryKindCount; ++kind) {
        line(fmt::format("  entry {}", to_string(static_cast<EntryKind>(kind))), by_kind[kind]);
    }
    line("  unsynced lost", lost);
    line("  unsynced torn", torn);
    line("  unsynced re-ordered", reordered);
    line("  disk full", full);
    line("  failed sync", sync_failed);
    line("  cut during recovery", recovering);
    line("workload entries", workload.entries);
    line("workload changes asked for", workload.changes);
    line("workload messages", workload.messages);
    line("workload prints that left", workload.prints);
    line("workload command answers", workload.answers);
    line("workload starts", workload.starts);
    line("losses", losses.size());
    text += fmt::format("{:<28}{:>8.1f}\n", "seconds", seconds);
    return text;
}

NodeSuiteReport run_node_suite(const NodeSuiteOptions& options) {
    return Suite(options).run();
}

}  // namespace perdure::crash
