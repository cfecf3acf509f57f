#pragma once

/// Figures as JSON lines: what was measured, its spread, the goal and the limit, and a peer of the
/// same minute.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace perdure::bench {

/// Samples of one quantity; the order does not matter.
struct Spread {
    double p50 = 0;
    double p99 = 0;
    double p999 = 0;
    double max = 0;
};
Spread spread_of(std::vector<double> samples);
/// As `spread_of` for differences of a clock that shows whole steps of `step`: within a step the
/// samples are taken as spread evenly around its value.
Spread spread_of_steps(std::vector<double> samples, double step);
/// One value that stands for itself.
Spread single(double value);
double median_of(std::vector<double> values);
/// Each quantile the median of what the rounds had there.
Spread median_of(const std::vector<Spread>& rounds);

/// What goal, limit and peer of a figure are compared with.
enum class Judged : std::uint8_t { P50, P99, P999, Max };
double at(const Spread& spread, Judged judged);

struct Figure {
    std::string name;
    std::string unit = {};  ///< `ns`, `us`, `ms`, `KiB`, `x` (times the peer); `per_s`: more is
                            ///< better, the limit is the least.
    Spread value = {};
    std::optional<double> goal = {};
    std::optional<double> limit = {};
    std::string peer = {};  ///< What ran beside it; empty: nothing comparable.
    std::optional<double> peer_value = {};
    std::string leaves_out = {};  ///< What the figure does not contain.
    Judged judged = Judged::P50;
    std::string scenario = {};  ///< Id of the scenario that names the figure, if one does.
    /// The least and the most that rounds of the peer had.
    std::optional<std::pair<double, double>> peer_range = {};
};

/// One line on standard output. `ratio` is ours over the peer's, both at the quantile that is
/// judged.
void report(const Figure& figure);

/// Runs Erlang with `expression`, which prints one number; nothing if there is no `erl`.
std::optional<double> ask_erlang(const std::string& expression);

}  // namespace perdure::bench
