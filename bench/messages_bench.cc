/// What a message between two guests costs: request and reply, one way, on one worker, across
/// workers, to a thousand guests in rotation, with a blob of a MiB. Beside it Erlang on the same
/// machine in the same minute.

#include <chrono>
#include <string>

#include "bench_node.h"
#include "report.h"

namespace perdure::bench {
namespace {

constexpr int kRounds = 200;

/// ns for one request and its reply; `samples` each the mean of 1000.
std::vector<double> round_trips(BenchNode& node, int size, const std::string& ping,
                                const std::string& pong) {
    constexpr int kCount = 1000;
    const std::string line = "await " + std::to_string(kCount) + " " + std::to_string(size) +
                             " perdure.os@" + pong + ":pair:bench.os";
    std::vector<double> samples;
    for (int round = 0; round < kRounds; ++round) {
        samples.push_back(nanoseconds_of(node.ask(ping + ":pair:bench.os", line)) / kCount);
    }
    return samples;
}

/// Erlang's round trip of `size` bytes, ns.
std::optional<double> erlang_round_trip(int size) {
    return ask_erlang(
        "B = binary:copy(<<$x>>, " + std::to_string(size) +
        "), E = spawn(fun F() -> receive {P, M} -> P ! M, F() end end), "
        "L = fun L(0) -> ok; L(N) -> E ! {self(), B}, receive _ -> ok end, L(N-1) end, L(100000), "
        "{T, _} = timer:tc(fun() -> L(1000000) end), io:format(\"~f~n\", [T * 1000 / 1000000])");
}

void request_reply(BenchNode& node, int size, double goal, double limit) {
    const std::vector<double> samples = round_trips(node, size, "peer0", "peer1");
    Figure figure{
        .name = "request_reply_" + std::to_string(size), .unit = "ns", .value = spread_of(samples)};
    figure.goal = goal;
    figure.limit = limit;
    figure.leaves_out =
        "nothing: checks, capabilities and log numbers included; each sample is the mean of 1000";
    const std::optional<double> erlang = erlang_round_trip(size);
    figure.peer = "erlang";
    figure.peer_value = erlang;
    report(figure);
    if (size != 64) {
        return;
    }
    std::vector<double> hops = samples;
    for (double& hop : hops) {
        hop /= 2;
    }
    figure.name = "hop_same_worker";
    figure.value = spread_of(std::move(hops));
    figure.goal = 1000;
    figure.limit = 1500;
    figure.peer_value = erlang ? std::optional(*erlang / 2) : std::nullopt;
    figure.leaves_out = "nothing; half of a request and its reply";
    report(figure);
}

/// Both ends wait for each other on their own workers: every hop wakes one.
void hop_cross_worker() {
    BenchNode node(BenchNode::Flags{{"workers", "2"}});
    // The node's own modules stand on the first worker. Once both have as many, processes are
    // placed in turns.
    node.install("filling", "filling", "idle", 16);
    node.install("pair", "peer", "bench", 3);
    std::vector<double> hops = round_trips(node, 64, "peer0", "peer1");
    for (double& hop : hops) {
        hop /= 2;
    }
    Figure figure{.name = "hop_cross_worker",
                  .unit = "ns",
                  .value = spread_of(std::move(hops)),
                  .goal = 10'000};
    figure.peer = "hop_same_worker";
    figure.peer_value = median_of(round_trips(node, 64, "peer0", "peer2")) / 2;
    figure.leaves_out = "nothing; the wake of a worker that sleeps is in it";
    report(figure);
}

/// One message to each of a thousand guests in turn.
void hop_cold_1000() {
    constexpr int kGuests = 1000;
    constexpr int kLaps = 20;
    BenchNode node(BenchNode::Flags{{"workers", "1"}});
    node.install("pair", "peer", "bench", 2);
    node.install("cold", "cold", "bench", kGuests);
    const auto rotation = [&](int guests, const std::string& first) {
        return nanoseconds_of(node.ask("peer0:pair:bench.os", "rotate " + std::to_string(kLaps) +
                                                                  " 64 " + std::to_string(guests) +
                                                                  " perdure.os@" + first)) /
               (kLaps * guests);
    };
    rotation(kGuests, "cold:cold:bench.os");
    std::vector<double> samples;
    std::vector<double> hot;
    for (int round = 0; round < 40; ++round) {
        samples.push_back(rotation(kGuests, "cold:cold:bench.os"));
        hot.push_back(rotation(2, "cold:cold:bench.os"));
    }
    Figure figure{.name = "hop_cold_1000",
                  .unit = "ns",
                  .value = spread_of(std::move(samples)),
                  .goal = 4000,
                  .limit = 7000};
    figure.peer = "two_in_rotation";
    figure.peer_value = median_of(std::move(hot));
    figure.leaves_out =
        "nothing; each sample is the mean of 20 laps, the last message of a lap is awaited";
    report(figure);
}

/// Allocates, fills and copies `size` bytes twice, as a blob is on its way from guest to guest.
double two_copies_us(std::size_t size) {
    std::vector<double> samples;
    const std::string from(size, 'x');
    for (int round = 0; round < 100; ++round) {
        const auto start = std::chrono::steady_clock::now();
        const std::string once(from.data(), from.size());
        const std::string twice(once.data(), once.size());
        samples.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
                .count());
        if (twice.back() != 'x') {
            give_up("a copy went wrong");
        }
    }
    return median_of(std::move(samples));
}

void blob_1m(BenchNode& node) {
    constexpr int kCount = 10;
    std::vector<double> samples;
    for (int round = 0; round < kRounds; ++round) {
        samples.push_back(nanoseconds_of(node.ask("peer0:pair:bench.os",
                                                  "blob " + std::to_string(kCount) +
                                                      " 1048576 perdure.os@peer1:pair:bench.os")) /
                          kCount / 1000);
    }
    Figure figure{
        .name = "blob_1M", .unit = "us", .value = spread_of(std::move(samples)), .goal = 500};
    figure.peer = "two_copies";
    figure.peer_value = two_copies_us(1 << 20);
    figure.leaves_out = "nothing; sent, fetched by its receiver, and a short answer";
    report(figure);
}

void one_way(BenchNode& node) {
    constexpr int kCount = 5'000;
    const std::string line =
        "send " + std::to_string(kCount) + " 64 perdure.os@peer1:pair:bench.os";
    std::vector<double> samples;
    for (int round = 0; round < kRounds; ++round) {
        samples.push_back(nanoseconds_of(node.ask("peer0:pair:bench.os", line)) / kCount);
    }
    Figure figure{.name = "one_way_64", .unit = "ns", .value = spread_of(samples)};
    figure.goal = 1000;
    figure.limit = 1500;
    figure.leaves_out = "nothing; the last Request is awaited, so every message has been read";
    figure.peer = "erlang";
    figure.peer_value = ask_erlang(
        "B = binary:copy(<<$x>>, 64), "
        "E = spawn(fun F() -> receive {P, _} -> P ! done, F(); _ -> F() end end), "
        "L = fun L(0) -> E ! {self(), B}, receive done -> ok end; L(N) -> E ! B, L(N-1) end, "
        "L(100000), {T, _} = timer:tc(fun() -> [L(5000) || _ <- lists:seq(1, 200)] end), "
        "io:format(\"~f~n\", [T / 1000])");
    report(figure);
}

int main() {
    BenchNode node(BenchNode::Flags{{"workers", "1"}});
    node.install("pair", "peer", "bench", 2);
    request_reply(node, 64, 2000, 3000);
    request_reply(node, 1024, 2100, 3200);
    one_way(node);
    blob_1m(node);
    hop_cross_worker();
    hop_cold_1000();
    return 0;
}

}  // namespace
}  // namespace perdure::bench

int main() {
    return perdure::bench::main();
}
