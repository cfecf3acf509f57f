/// What processes cost: a crash until the process runs again, an idle one's memory, a boot of a
/// hundred.

#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "bench_node.h"
#include "report.h"

namespace perdure::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Resident memory and page tables of this program, KiB.
double memory_kib() {
    std::ifstream status("/proc/self/status");
    double total = 0;
    for (std::string line; std::getline(status, line);) {
        double value = 0;
        if (std::sscanf(line.c_str(), "VmRSS: %lf", &value) == 1 ||
            std::sscanf(line.c_str(), "VmPTE: %lf", &value) == 1) {
            total += value;
        }
    }
    return total;
}

/// What the program's parts have taken from malloc, KiB.
double malloc_kib() {
    const struct mallinfo2 used = ::mallinfo2();
    return static_cast<double>(used.uordblks + used.hblkhd) / 1024;
}

std::uint64_t restarts(BenchNode& node) {
    std::uint64_t total = 0;
    for (const node::ProcessRow& row : node.processes()) {
        total += row.restarts;
    }
    return total;
}

void crash_restart() {
    BenchNode node(BenchNode::Flags{{"workers", "1"}, {"log.enabled", "false"}});
    node.install("crashing", "crash", "text-unreachable", 1);
    std::vector<double> samples;
    for (int round = 0; round < 100; ++round) {
        const std::uint64_t before = restarts(node);
        const auto start = SteadyClock::now();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        const std::uint64_t after = restarts(node);
        const double us =
            std::chrono::duration<double, std::micro>(SteadyClock::now() - start).count();
        samples.push_back(us / static_cast<double>(std::max<std::uint64_t>(1, after - before)));
    }
    Figure figure{.name = "crash_restart",
                  .unit = "us",
                  .value = spread_of(samples),
                  .goal = 50,
                  .limit = 200};
    figure.leaves_out =
        "the log file; trap, report on the terminal, deletion and next start are in it; each "
        "sample "
        "is the mean of 20 ms of restarts";
    figure.peer = "erlang_spawn_exit";
    figure.peer_value = ask_erlang(
        "L = fun L(0) -> ok; L(N) -> {P, R} = spawn_monitor(fun() -> ok end), receive {_, R, _, P, "
        "_} -> ok end, L(N-1) end, "
        "L(10000), {T, _} = timer:tc(fun() -> L(100000) end), io:format(\"~f~n\", [T / 100000])");
    report(figure);
}

void idle_memory(int count) {
    BenchNode node(BenchNode::Flags{{"workers", "2"}});
    node.install("warm", "idle", "idle", 1);
    const double before = memory_kib();
    const double malloc_before = malloc_kib();
    constexpr int kPerPackage = 1000;
    for (int package = 0; package * kPerPackage < count; ++package) {
        node.install("idle" + std::to_string(package), "idle", "idle", kPerPackage);
    }
    for (bool all = false; !all;) {
        all = true;
        for (const node::ProcessRow& row : node.processes()) {
            all = all && row.phase == "waiting-receive";
        }
    }
    const double each = (memory_kib() - before) / count;
    Figure figure{.name = "idle_rss_" + std::to_string(count / 1000) + "k",
                  .unit = "KiB",
                  .value = single(each),
                  .goal = 60,
                  .limit = 80};
    figure.leaves_out =
        "nothing: resident memory and page tables of the whole node, the kernel's own objects "
        "included";
    figure.peer = "erlang_process";
    figure.peer_value = ask_erlang(
        "Before = erlang:memory(total), "
        "P = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, " +
        std::to_string(count) + ")], timer:sleep(200), io:format(\"~f~n\", " +
        "[(erlang:memory(total) - Before) / length(P) / 1024])");
    report(figure);
    Figure heap{.name = figure.name + "_malloc",
                .unit = "KiB",
                .value = single((malloc_kib() - malloc_before) / count)};
    heap.goal = 12;
    heap.peer = figure.name;
    heap.peer_value = each;
    heap.leaves_out = "what malloc itself needs; part of the other";
    report(heap);
}

void boot(int count) {
    BenchNode node;
    node.install("booted", "idle", "idle", count);
    std::vector<double> samples;
    for (int round = 0; round < 5; ++round) {
        node.stop();
        const auto start = SteadyClock::now();
        node.start();
        for (std::size_t waiting = 0; waiting < static_cast<std::size_t>(count);) {
            waiting = 0;
            for (const node::ProcessRow& row : node.processes()) {
                waiting += row.phase == "waiting-receive" ? 1 : 0;
            }
        }
        samples.push_back(
            std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count());
    }
    // A process of the operating system each, one after the other.
    const auto start = SteadyClock::now();
    if (std::system(
            ("i=0; while [ $i -lt " + std::to_string(count) + " ]; do /bin/true; i=$((i+1)); done")
                .c_str()) != 0) {
        give_up("/bin/true does not run");
    }
    const double peer =
        std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
    report(
        {.name = "boot_" + std::to_string(count),
         .unit = "ms",
         .value = spread_of(samples),
         .peer = "as_many_times_bin_true",
         .peer_value = peer,
         .leaves_out =
             "nothing: recovery, engine, code from the cache, all processes waiting for messages"});
}

int main() {
    crash_restart();
    idle_memory(1000);
    idle_memory(10'000);
    boot(100);
    return 0;
}

}  // namespace
}  // namespace perdure::bench

int main() {
    return perdure::bench::main();
}
