#include "crash_suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <unordered_set>

namespace perdure::crash {
namespace {

constexpr std::size_t kActionsPerStretch = 400;
constexpr std::size_t kStretchesMax = 400;
constexpr std::size_t kWorkers = 2;
constexpr std::size_t kImagesAtOnce = 64;

/// One disk to recover, and what must be true of it.
struct Case {
    DiskImage image;
    Crash crash = Crash::Lost;
    std::size_t operation = 0;
    const Moment* moment = nullptr;
    const Stretch* stretch = nullptr;
    std::optional<std::string> loss;

    std::string where() const {
        const std::string next = operation < stretch->operations.size()
                                     ? std::string(to_string(stretch->operations[operation].kind)) +
                                           " " + stretch->operations[operation].path
                                     : "the end";
        return fmt::format("before operation {} ({}), {}: ", operation, next, to_string(crash));
    }
};

const HistoryItem& newest_up_to(const Stretch& stretch, std::uint64_t number) {
    const auto above = std::upper_bound(
        stretch.history.begin(), stretch.history.end(), number,
        [](std::uint64_t value, const HistoryItem& item) { return value < item.number; });
    return *std::prev(above);
}

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
        if (at->second != value) {
            return printable(key) + " is " + at->second.substr(0, 12) + ", not " +
                   value.substr(0, 12);
        }
    }
    for (const auto& [key, value] : found) {
        if (!wanted.contains(key)) {
            return printable(key) + " should not be there";
        }
    }
    return {};
}

std::optional<std::string> check(const Case& one, Backend backend) {
    SimulatedFiles files(one.image);
    auto node = make_node(backend, files, {{}, [](const Error&) { return false; }});
    if (const auto started = node->start(); !started) {
        return "the start was refused: " + started.error().message();
    }
    const std::uint64_t recovered = node->recovered().value;
    if (one.moment->shown > recovered) {
        return fmt::format("an output that had left depends on entry {}, the store ends with {}",
                           one.moment->shown, recovered);
    }
    const auto contents = node->contents();
    if (!contents) {
        return "a listing failed: " + contents.error().message();
    }
    const HistoryItem& newest =
        newest_up_to(*one.stretch, std::min(recovered, one.moment->highest_given));
    if (const std::string wrong = difference(*contents, *newest.contents); !wrong.empty()) {
        return fmt::format("the store is no prefix up to entry {}: {}", recovered, wrong);
    }
    const Appended next = node->log().append({EntryKind::Boot, {}}, kKernelOwner);
    if (!next || next.number.value <= one.moment->highest_given) {
        return fmt::format("number {} is given a second time", next.number.value);
    }
    node->crash();
    return {};
}

/// Recovers all cases, two at a time; the outcome does not depend on who does which.
void check_all(std::vector<Case>& cases, Backend backend) {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < kWorkers; ++i) {
        workers.emplace_back([&] {
            for (std::size_t at = next++; at < cases.size(); at = next++) {
                cases[at].loss = check(cases[at], backend);
            }
        });
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
}

class Suite {
public:
    explicit Suite(const SuiteOptions& options)
        : options_(options), random_(options.seed ^ 0x5eed) {}

    SuiteReport run() {
        const auto begin = std::chrono::steady_clock::now();
        Workload workload(options_.backend, options_.seed, options_.faults);
        for (std::size_t i = 0; i < kStretchesMax && !done(); ++i) {
            const Stretch stretch = workload.run(kActionsPerStretch);
            crash_everywhere(stretch);
            report_.losses.insert(
                report_.losses.end(),
                workload.losses().begin() + static_cast<std::ptrdiff_t>(losses_seen_),
                workload.losses().end());
            losses_seen_ = workload.losses().size();
        }
        report_.trace_hash = workload.trace_hash();
        report_.entries = workload.counts().entries;
        report_.outputs = workload.counts().outputs;
        report_.restarts = workload.counts().restarts;
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

    void crash_everywhere(const Stretch& stretch) {
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
                recover(cases);
            }
            if (i < stretch.operations.size()) {
                disk.apply(stretch.operations[i]);
            }
        }
        recover(cases);
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

    void recover(std::vector<Case>& cases) {
        check_all(cases, options_.backend);
        for (const Case& one : cases) {
            if (one.loss) {
                report_.losses.push_back(one.where() + *one.loss);
            }
        }
        cases.clear();
    }

    const SuiteOptions options_;
    SeededRandom random_;
    SuiteReport report_;
    std::unordered_set<std::uint64_t> seen_;
    std::size_t losses_seen_ = 0;
};

}  // namespace

std::size_t SuiteReport::least() const {
    return std::min({*std::min_element(by_kind.begin(), by_kind.end()), lost, torn, reordered, full,
                     sync_failed, recovering});
}

std::string SuiteReport::table() const {
    std::string text = fmt::format("{:<28}{:>8}\n{:<28}{:>8}\n", "points", points,
                                   "distinct images recovered", images);
    const auto line = [&](std::string_view name, std::size_t count) {
        text += fmt::format("{:<28}{:>8}\n", name, count);
    };
    for (std::size_t kind = 0; kind < kEntryKindCount; ++kind) {
        line(fmt::format("  entry {}", to_string(static_cast<EntryKind>(kind))), by_kind[kind]);
    }
    line("  unsynced lost", lost);
    line("  unsynced torn", torn);
    line("  unsynced re-ordered", reordered);
    line("  disk full", full);
    line("  failed sync", sync_failed);
    line("  cut during recovery", recovering);
    line("workload entries", entries);
    line("workload outputs", outputs);
    line("workload starts", restarts);
    line("losses", losses.size());
    text += fmt::format("{:<28}{:>8.1f}\n", "seconds", seconds);
    return text;
}

SuiteReport run_suite(const SuiteOptions& options) {
    return Suite(options).run();
}

}  // namespace perdure::crash
