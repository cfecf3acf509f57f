/// Figures that scenarios of the specification name: how punctual timers and time-outs are, what an
/// await costs behind a long queue.

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "bench_node.h"
#include "report.h"

namespace perdure::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double ms_since(SteadyClock::time_point start) {
    return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

/// How long a thread sleeps that means to sleep `time`.
double slept_ms(std::chrono::milliseconds time, int rounds) {
    std::vector<double> samples;
    for (int round = 0; round < rounds; ++round) {
        const auto start = SteadyClock::now();
        std::this_thread::sleep_for(time);
        samples.push_back(ms_since(start));
    }
    return median_of(std::move(samples));
}

void timer(BenchNode& node) {
    constexpr int kRounds = 40;
    std::vector<double> samples;
    for (int round = 0; round < kRounds; ++round) {
        const auto start = SteadyClock::now();
        node.ask("timer:distro:sys", R"({"SetTimer":50})");
        samples.push_back(ms_since(start));
    }
    report({.name = "timer_50_ms",
            .unit = "ms",
            .value = spread_of(std::move(samples)),
            .limit = 60,
            .peer = "sleep_of_a_thread",
            .peer_value = slept_ms(std::chrono::milliseconds(50), kRounds),
            .leaves_out = "nothing; asked for over the command line's Request",
            .judged = Judged::Max,
            .scenario = "C-K-137"});
}

void time_out(BenchNode& node) {
    constexpr int kRounds = 10;
    std::vector<double> samples;
    for (int round = 0; round < kRounds; ++round) {
        const auto start = SteadyClock::now();
        const std::string told = node.ask("asking0:asking:bench.os",
                                          "await perdure.os@silent0:silent:bench.os expect=1");
        samples.push_back(ms_since(start));
        if (told.find("error kind=timeout") == std::string::npos) {
            give_up("instead of a time-out: " + told);
        }
    }
    report({.name = "time_out_1_s",
            .unit = "ms",
            .value = spread_of(std::move(samples)),
            .limit = 1100,
            .peer = "sleep_of_a_thread",
            .peer_value = slept_ms(std::chrono::seconds(1), 3),
            .leaves_out = "nothing; the Request with the program and its report are in it",
            .judged = Judged::Max,
            .scenario = "C-K-42"});
}

void await_behind_queue(BenchNode& node) {
    constexpr std::uint64_t kQueued = 90'000;
    constexpr int kAwaited = 1'000'000;
    constexpr int kJudged = 100'000;
    const std::string ping = "pair0:pair:bench.os";
    const std::string pong = "perdure.os@pair1:pair:bench.os";
    const auto begin = SteadyClock::now();
    std::string answer;
    std::thread asker(
        [&] { answer = node.ask(ping, "groups " + std::to_string(kAwaited) + " 64 1 " + pong); });
    // Two waiting ones are what the command itself may have at any time.
    while (node.process(ping).cpu_ns < 50'000'000) {
        std::this_thread::yield();
    }
    for (std::uint64_t queued = 0; queued < kQueued; ++queued) {
        node.tell(ping, "x");
    }
    const bool all_waited = node.process(ping).mailbox_messages >= kQueued;
    const double queued_ms = ms_since(begin);
    asker.join();
    const std::vector<double> samples = samples_of(answer);
    double until_judged_ns = 0;
    for (std::size_t at = 0; at + kJudged < samples.size(); ++at) {
        until_judged_ns += samples[at];
    }
    if (!all_waited || queued_ms > until_judged_ns / 1e6) {
        give_up("the messages were not all queued while the guest awaited");
    }
    const auto part = [&](std::size_t from, std::size_t count) {
        const auto first = samples.begin() + static_cast<std::ptrdiff_t>(from);
        return spread_of_steps({first, first + static_cast<std::ptrdiff_t>(count)}, 1000);
    };
    Figure figure{.name = "await_behind_90000",
                  .unit = "ns",
                  .value = part(samples.size() - kJudged, kJudged)};
    figure.peer = "await_behind_none";
    figure.peer_value = part(0, 10'000).p50;
    figure.limit = 1.5 * *figure.peer_value;
    figure.leaves_out = "nothing; single Requests by a clock of 1 us";
    figure.scenario = "C-K-56";
    report(figure);
}

int main() {
    BenchNode node(BenchNode::Flags{{"workers", "1"}});
    node.install("pair", "pair", "bench", 2);
    node.install("asking", "asking", "script", 1);
    node.install("silent", "silent", "idle", 1);
    timer(node);
    time_out(node);
    await_behind_queue(node);
    return 0;
}

}  // namespace
}  // namespace perdure::bench

int main() {
    return perdure::bench::main();
}
