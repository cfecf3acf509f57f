/// What a message between two guests costs: request and reply, one way, on one worker. Beside it Erlang on the same
/// machine in the same minute.

#include <string>

#include "bench_node.h"
#include "report.h"

namespace perdure::bench {
namespace {

constexpr int kRounds = 40;

void request_reply(BenchNode& node, int size, double goal, double limit) {
    constexpr int kCount = 5000;
    const std::string line = "await " + std::to_string(kCount) + " " + std::to_string(size) + " perdure.os@peer1:pair:bench.os";
    std::vector<double> samples;
    for (int round = 0; round < kRounds; ++round) {
        samples.push_back(nanoseconds_of(node.ask("peer0:pair:bench.os", line)) / kCount);
    }
    Figure figure{.name = "request_reply_" + std::to_string(size), .unit = "ns", .value = spread_of(samples)};
    figure.goal = goal;
    figure.limit = limit;
    figure.leaves_out = "nothing: checks, capabilities and log numbers included; each sample is the mean of 5000";
    if (size == 64) {
        figure.peer = "erlang";
        figure.peer_value = ask_erlang(
            "B = binary:copy(<<$x>>, 64), E = spawn(fun F() -> receive {P, M} -> P ! M, F() end end), "
            "L = fun L(0) -> ok; L(N) -> E ! {self(), B}, receive _ -> ok end, L(N-1) end, L(100000), "
            "{T, _} = timer:tc(fun() -> L(1000000) end), io:format(\"~f~n\", [T * 1000 / 1000000])");
    }
    report(figure);
}

void one_way(BenchNode& node) {
    constexpr int kCount = 20'000;
    const std::string line = "send " + std::to_string(kCount) + " 64 perdure.os@peer1:pair:bench.os";
    std::vector<double> samples;
    for (int round = 0; round < kRounds; ++round) {
        samples.push_back(nanoseconds_of(node.ask("peer0:pair:bench.os", line)) / kCount);
    }
    Figure figure{.name = "one_way_64", .unit = "ns", .value = spread_of(samples)};
    figure.goal = 1000;
    figure.limit = 1500;
    figure.leaves_out = "nothing; the last Request is awaited, so every message has been read";
    report(figure);
}

int main() {
    BenchNode node(BenchNode::Flags{{"workers", "1"}});
    node.install("pair", "peer", "bench", 2);
    request_reply(node, 64, 2000, 3000);
    request_reply(node, 1024, 2100, 3200);
    one_way(node);
    return 0;
}

}  // namespace
}  // namespace perdure::bench

int main() {
    return perdure::bench::main();
}
