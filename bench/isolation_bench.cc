/// What a bad neighbour does to processes that have nothing to do with it (K-260): an unrelated
/// pair beside an endless loop, an endless recursion, somebody who never reads and is flooded, one
/// who allocates to its limit, a crash in a loop, a flood of the error stream, large states. Also
/// how soon `ps` answers then. Beside each figure the same one without a neighbour, of the same
/// minute.

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "bench_node.h"
#include "cli/control_client.h"
#include "report.h"

namespace perdure::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kRounds = 5;
constexpr int kAwaited = 80'000;
constexpr double kClockStepNs = 1000;
constexpr int kPaced = 1000;
constexpr std::uint64_t kPeriodNs = 1'000'000;
constexpr int kListings = 20;
constexpr std::uint64_t kMailboxMessages = 10'000;

constexpr const char* kPing = "pair0:pair:bench.os";
constexpr const char* kPong = "perdure.os@pair2:pair:bench.os";

struct Neighbour {
    std::string name;
    std::string fixture;
    /// What makes it a nuisance, once it is there; most need nothing.
    std::function<void(BenchNode&)> begin = [](BenchNode&) {};
    /// Installed behind it, on the other worker.
    std::string companion = "idle";
};

constexpr const char* kNeighbour = "bad0:bad:bench.os";
constexpr const char* kCompanion = "companion0:companion:bench.os";

std::vector<Neighbour> neighbours() {
    const auto flood = [](BenchNode& node) {
        node.tell(kCompanion, "sleep 1000000000");
        node.tell(kNeighbour, "send 1000000000000 64 perdure.os@" + std::string(kCompanion));
        // Until then its messages are a load that the pair's worker has to take in.
        while (node.process(kCompanion).mailbox_messages < kMailboxMessages) {
            std::this_thread::yield();
        }
    };
    const auto save = [](BenchNode& node) {
        node.tell(kNeighbour, "set-state 1000000000 10000000");
    };
    return {{.name = "loop", .fixture = "text-loop"},
            {.name = "recursion", .fixture = "recursion"},
            {.name = "flood", .fixture = "bench", .begin = flood, .companion = "script"},
            {.name = "memory", .fixture = "memory-hog"},
            {.name = "crash", .fixture = "text-unreachable"},
            {.name = "stderr", .fixture = "stderr-flood"},
            {.name = "state", .fixture = "bench", .begin = save}};
}

/// One look at the pair and at `ps`.
struct Look {
    Spread closed;  ///< ns a Request.
    double per_s = 0;
    Spread open;     ///< ns.
    Spread listing;  ///< ns.
};

Look look(BenchNode& node) {
    Look seen;
    const std::string closed =
        node.ask(kPing, "groups " + std::to_string(kAwaited) + " 64 1 " + kPong);
    seen.closed = spread_of_steps(samples_of(closed), kClockStepNs);
    seen.per_s = 1e9 * kAwaited / nanoseconds_of(closed);
    seen.open = spread_of(samples_of(node.ask(kPing, "paced " + std::to_string(kPaced) + " 64 " +
                                                         std::to_string(kPeriodNs) + " " + kPong)));
    const cli::ControlClient client(node.home());
    std::vector<double> listings;
    for (int listing = 0; listing < kListings; ++listing) {
        const auto start = SteadyClock::now();
        if (const Result<Json> rows = client.get("/v1/processes"); !rows) {
            give_up(rows.error().message());
        }
        listings.push_back(
            std::chrono::duration<double, std::nano>(SteadyClock::now() - start).count());
    }
    seen.listing = spread_of(std::move(listings));
    return seen;
}

/// Processes are placed one here, one there (K-259): the pair on one worker, `where` decides on
/// which the neighbour is.
enum class Where : std::uint8_t { Same, Other };

Look look_beside(BenchNode& node, const Neighbour& neighbour, Where where) {
    if (where == Where::Other) {
        node.install("shift", "shift", "idle", 1);
    }
    node.install("bad", "bad", neighbour.fixture, 1);
    node.install("companion", "companion", neighbour.companion, 1);
    neighbour.begin(node);
    constexpr std::uint64_t kBusyNs = 20'000'000;
    while (node.process(kNeighbour).cpu_ns < kBusyNs) {
        std::this_thread::yield();
    }
    const Look seen = look(node);
    node.remove("bad");
    node.remove("companion");
    if (where == Where::Other) {
        node.remove("shift");
    }
    return seen;
}

std::vector<Spread> all(const std::vector<Look>& looks, Spread Look::* which) {
    std::vector<Spread> spreads;
    for (const Look& look : looks) {
        spreads.push_back(look.*which);
    }
    return spreads;
}

std::vector<double> all(const std::vector<Spread>& spreads, Judged judged) {
    std::vector<double> values;
    for (const Spread& spread : spreads) {
        values.push_back(at(spread, judged));
    }
    return values;
}

/// Fills in what the pair had alone.
void beside_alone(Figure& figure, const std::vector<double>& alone) {
    figure.peer = "alone";
    figure.peer_value = median_of(alone);
    const auto [least, most] = std::minmax_element(alone.begin(), alone.end());
    figure.peer_range = {*least, *most};
}

void report_spread(Figure figure, const std::vector<Look>& looks, const std::vector<Look>& alone,
                   Spread Look::* which) {
    figure.unit = "ns";
    figure.value = median_of(all(looks, which));
    beside_alone(figure, all(all(alone, which), figure.judged));
    report(figure);
}

void report_throughput(const std::string& name, double least_part, const std::vector<Look>& looks,
                       const std::vector<Look>& alone) {
    const auto rates = [](const std::vector<Look>& of) {
        std::vector<double> values;
        for (const Look& look : of) {
            values.push_back(look.per_s);
        }
        return values;
    };
    Figure figure{.name = name + "_throughput", .unit = "per_s"};
    figure.value = single(median_of(rates(looks)));
    beside_alone(figure, rates(alone));
    figure.limit = least_part * *figure.peer_value;
    report(figure);
}

void report_all(const std::string& name, double throughput_least, const std::vector<Look>& looks,
                const std::vector<Look>& alone) {
    Figure closed{.name = name + "_closed", .judged = Judged::P99};
    closed.limit = 1.1 * median_of(all(all(alone, &Look::closed), Judged::P99));
    closed.leaves_out = "nothing; single Requests by a clock of 1 us, medians of 5 rounds in turns";
    report_spread(closed, looks, alone, &Look::closed);
    report_throughput(name, throughput_least, looks, alone);
    Figure open{.name = name + "_open", .limit = 3e6, .judged = Judged::P99};
    open.leaves_out = "nothing; 1000 Requests a second, counted from when each was meant to begin";
    report_spread(open, looks, alone, &Look::open);
    open.name += "_max";
    open.limit = 20e6;
    open.judged = Judged::Max;
    report_spread(open, looks, alone, &Look::open);
    Figure listing{.name = name + "_ps", .limit = 100e6, .judged = Judged::Max};
    listing.leaves_out = "the start of the program; one Request after the other";
    report_spread(listing, looks, alone, &Look::listing);
}

void beside(const Neighbour& neighbour) {
    BenchNode node(BenchNode::Flags{{"workers", "2"},
                                    {"process_memory_bytes_max", "268435456"},
                                    {"mailbox_messages_max", std::to_string(kMailboxMessages)}});
    // The node's own modules stand on the first worker: beside them it takes no process until both
    // have as many. From then on they are placed in turns.
    constexpr int kFilling = 16;
    node.install("filling", "filling", "idle", kFilling);
    node.install("pair", "pair", "bench", 4);
    std::vector<Look> alone;
    std::vector<Look> same;
    std::vector<Look> other;
    look(node);
    for (int round = 0; round < kRounds; ++round) {
        alone.push_back(look(node));
        same.push_back(look_beside(node, neighbour, Where::Same));
        other.push_back(look_beside(node, neighbour, Where::Other));
    }
    report_all("isolation_" + neighbour.name + "_same", 0.70, same, alone);
    report_all("isolation_" + neighbour.name + "_other", 0.85, other, alone);
}

/// `names`: only these neighbours; none: all.
int main(const std::vector<std::string>& names) {
    for (const Neighbour& neighbour : neighbours()) {
        if (names.empty() || std::find(names.begin(), names.end(), neighbour.name) != names.end()) {
            beside(neighbour);
        }
    }
    return 0;
}

}  // namespace
}  // namespace perdure::bench

int main(int argc, char** argv) {
    return perdure::bench::main({argv + 1, argv + argc});
}
