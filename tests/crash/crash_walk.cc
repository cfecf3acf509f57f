#include "crash_walk.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

namespace perdure::crash {
namespace {

constexpr std::size_t kWorkers = 2;
constexpr std::size_t kImagesAtOnce = 64;

/// What this thread recovers, for the case that it ends the program.
thread_local std::string under_way;

void name_what_was_under_way(int) {
    static_cast<void>(write(STDERR_FILENO, under_way.data(), under_way.size()));
}

std::string point_of(std::size_t operation, const std::vector<DiskOperation>& operations,
                     Crash crash) {
    const std::string before = operation < operations.size()
                                   ? fmt::format("{} {}", to_string(operations[operation].kind),
                                                 operations[operation].path)
                                   : "the end";
    return fmt::format("before operation {} ({}), {}: ", operation, before, to_string(crash));
}

/// Keys hold zero bytes and values any; reports do not.
std::string printable(std::string text) {
    std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '|');
    return text;
}

}  // namespace

std::optional<std::string> difference(const Contents& found, const Contents& wanted,
                                      const SameValue& same) {
    for (const auto& [key, value] : wanted) {
        const auto at = found.find(key);
        if (at == found.end()) {
            return printable(key) + " is missing";
        }
        if (!same(at->second, value)) {
            return fmt::format("{} is {}, not {}", printable(key),
                               printable(at->second.substr(0, 12)), printable(value.substr(0, 12)));
        }
    }
    for (const auto& [key, value] : found) {
        if (!wanted.contains(key)) {
            return printable(key) + " should not be there";
        }
    }
    return {};
}

std::size_t CrashReport::least() const {
    std::size_t least = std::min({lost, torn, reordered, full, sync_failed, recovering});
    for (std::size_t kind = 0; kind < kEntryKindCount; ++kind) {
        if (static_cast<EntryKind>(kind) != kind_never_made) {
            least = std::min(least, by_kind[kind]);
        }
    }
    return least;
}

std::string CrashReport::table() const {
    std::string text;
    const auto line = [&](std::string_view name, std::uint64_t count) {
        text += fmt::format("{:<28}{:>8}\n", name, count);
    };
    line("points", points);
    line(fmt::format("distinct images {}", recovery), images);
    for (std::size_t kind = 0; kind < kEntryKindCount; ++kind) {
        line(fmt::format("  entry {}", to_string(static_cast<EntryKind>(kind))), by_kind[kind]);
    }
    line("  unsynced lost", lost);
    line("  unsynced torn", torn);
    line("  unsynced re-ordered", reordered);
    line("  disk full", full);
    line("  failed sync", sync_failed);
    line("  cut during recovery", recovering);
    for (const auto& [name, count] : workload) {
        line(fmt::format("workload {}", name), count);
    }
    line("losses", losses.size());
    text += fmt::format("{:<28}{:>8.1f}\n", "seconds", seconds);
    return text;
}

bool CrashWalk::done() const {
    if (options_.stop_at_first_loss && !report.losses.empty()) {
        return true;
    }
    return report.images >= options_.images && report.least() >= options_.per_kind_min;
}

CrashReport CrashWalk::finish() {
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    return std::move(report);
}

void CrashWalk::add(const std::vector<std::string>& losses) {
    report.losses.insert(report.losses.end(), losses.begin(), losses.end());
}

void CrashWalk::add(const WorkloadCounts& counts) {
    report.workload.resize(counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
        report.workload[i].first = counts[i].first;
        report.workload[i].second += counts[i].second;
    }
}

void CrashWalk::crash_everywhere(const DiskImage& start,
                                 const std::vector<DiskOperation>& operations,
                                 const MomentAt& moment_at, const CheckAt& check) {
    SimulatedDisk disk(start);
    std::vector<Case> cases;
    for (std::size_t i = 0; i <= operations.size() && !done(); ++i) {
        for (const Crash crash : {Crash::Lost, Crash::Torn, Crash::Reordered}) {
            ++report.points;
            Case one{disk.image_after(crash, random_.next()), crash, i, {}};
            if (seen_.insert(one.image.hash()).second) {
                count(crash, moment_at(i));
                cases.push_back(std::move(one));
            }
        }
        if (cases.size() >= kImagesAtOnce) {
            recover(cases, operations, check);
        }
        if (i < operations.size()) {
            disk.apply(operations[i]);
        }
    }
    recover(cases, operations, check);
}

void CrashWalk::count(Crash crash, const DiskMoment& moment) {
    ++report.images;
    report.lost += crash == Crash::Lost ? 1 : 0;
    report.torn += crash == Crash::Torn ? 1 : 0;
    report.reordered += crash == Crash::Reordered ? 1 : 0;
    report.full += moment.full ? 1 : 0;
    report.sync_failed += moment.sync_failed ? 1 : 0;
    report.recovering += moment.recovering ? 1 : 0;
    for (std::size_t kind = 0; kind < kEntryKindCount; ++kind) {
        report.by_kind[kind] += moment.kinds_pending >> kind & 1;
    }
}

/// Two at a time; the outcome does not depend on who does which. Threads, for the images lie in
/// memory; a recovery that ends the program names its point first.
void CrashWalk::recover(std::vector<Case>& cases, const std::vector<DiskOperation>& operations,
                        const CheckAt& check) {
    std::signal(SIGABRT, name_what_was_under_way);
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < kWorkers; ++i) {
        workers.emplace_back([&] {
            for (std::size_t at = next++; at < cases.size(); at = next++) {
                under_way =
                    point_of(cases[at].operation, operations, cases[at].crash) + "ended here\n";
                SimulatedFiles files(cases[at].image);
                cases[at].loss = check(files, cases[at].operation);
            }
        });
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
    for (const Case& one : cases) {
        if (one.loss) {
            report.losses.push_back(point_of(one.operation, operations, one.crash) + *one.loss);
        }
    }
    cases.clear();
}

}  // namespace perdure::crash
