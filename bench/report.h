#pragma once

/// Figures as JSON lines: what was measured, its spread, the goal and the limit, and a peer of the same minute.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace perdure::bench {

/// Samples of one quantity; the order does not matter.
struct Spread {
    double p50 = 0;
    double p99 = 0;
    double p999 = 0;
};
Spread spread_of(std::vector<double> samples);

struct Figure {
    std::string name;
    std::string unit;  ///< `ns`, `us`, `KiB`, `per_s`
    Spread value;
    std::optional<double> goal = {};
    std::optional<double> limit = {};
    std::string peer = {};               ///< What ran beside it; empty: nothing comparable.
    std::optional<double> peer_p50 = {};
    std::string leaves_out = {};         ///< What the figure does not contain.
};

/// One line on standard output. `ratio` is ours over the peer's.
void report(const Figure& figure);

/// Runs Erlang with `expression`, which prints one number; nothing if there is no `erl`.
std::optional<double> ask_erlang(const std::string& expression);

}  // namespace perdure::bench
