#include "report.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace perdure::bench {

namespace {

const char* name_of(Judged judged) {
    switch (judged) {
        case Judged::P50: return "p50";
        case Judged::P99: return "p99";
        case Judged::P999: return "p999";
        case Judged::Max: return "max";
    }
    return "";
}

void print_peer(const Figure& figure) {
    std::printf(R"(,"peer":"%s")", figure.peer.c_str());
    if (!figure.peer_value) {
        std::printf(R"(,"peer_%s":null)", name_of(figure.judged));
        return;
    }
    std::printf(R"(,"peer_%s":%.2f,"ratio":%.3f)", name_of(figure.judged), *figure.peer_value,
                at(figure.value, figure.judged) / *figure.peer_value);
    if (figure.peer_range) {
        std::printf(R"(,"peer_range":[%.2f,%.2f])", figure.peer_range->first,
                    figure.peer_range->second);
    }
}

}  // namespace

Spread spread_of(std::vector<double> samples) {
    if (samples.empty()) {
        return {};
    }
    std::sort(samples.begin(), samples.end());
    const auto part = [&](double part) {
        return samples[std::min(
            samples.size() - 1,
            static_cast<std::size_t>(part * static_cast<double>(samples.size())))];
    };
    return {part(0.5), part(0.99), part(0.999), samples.back()};
}

Spread spread_of_steps(std::vector<double> samples, double step) {
    if (samples.empty()) {
        return {};
    }
    std::sort(samples.begin(), samples.end());
    const auto part = [&](double part) {
        const auto place =
            std::min(samples.size() - 1,
                     static_cast<std::size_t>(part * static_cast<double>(samples.size())));
        const auto [first, last] = std::equal_range(samples.begin(), samples.end(), samples[place]);
        const auto within = samples.begin() + static_cast<std::ptrdiff_t>(place) - first;
        const double share =
            (static_cast<double>(within) + 0.5) / static_cast<double>(last - first);
        return samples[place] + (share - 0.5) * step;
    };
    return {part(0.5), part(0.99), part(0.999), samples.back()};
}

Spread single(double value) {
    return {value, value, value, value};
}

double median_of(std::vector<double> values) {
    return spread_of(std::move(values)).p50;
}

Spread median_of(const std::vector<Spread>& rounds) {
    const auto median = [&](Judged quantile) {
        std::vector<double> values;
        for (const Spread& round : rounds) {
            values.push_back(at(round, quantile));
        }
        return median_of(std::move(values));
    };
    return {median(Judged::P50), median(Judged::P99), median(Judged::P999), median(Judged::Max)};
}

double at(const Spread& spread, Judged judged) {
    switch (judged) {
        case Judged::P50: return spread.p50;
        case Judged::P99: return spread.p99;
        case Judged::P999: return spread.p999;
        case Judged::Max: return spread.max;
    }
    return 0;
}

void report(const Figure& figure) {
    std::printf(R"({"bench":"%s","unit":"%s","p50":%.2f,"p99":%.2f,"p999":%.2f,"max":%.2f)",
                figure.name.c_str(), figure.unit.c_str(), figure.value.p50, figure.value.p99,
                figure.value.p999, figure.value.max);
    if (!figure.scenario.empty()) {
        std::printf(R"(,"scenario":"%s")", figure.scenario.c_str());
    }
    if (figure.judged != Judged::P50) {
        std::printf(R"(,"judged":"%s")", name_of(figure.judged));
    }
    if (figure.goal) {
        std::printf(R"(,"goal":%.2f)", *figure.goal);
    }
    if (figure.limit) {
        const double judged = at(figure.value, figure.judged);
        const bool within =
            figure.unit == "per_s" ? judged >= *figure.limit : judged <= *figure.limit;
        std::printf(R"(,"limit":%.2f,"within_limit":%s)", *figure.limit, within ? "true" : "false");
    }
    if (!figure.peer.empty()) {
        print_peer(figure);
    }
    if (!figure.leaves_out.empty()) {
        std::printf(R"(,"leaves_out":"%s")", figure.leaves_out.c_str());
    }
    std::printf("}\n");
    std::fflush(stdout);
}

std::optional<double> ask_erlang(const std::string& expression) {
    const std::string command = "erl -noshell -eval '" + expression + "' -s init stop 2>/dev/null";
    FILE* output = popen(command.c_str(), "r");
    if (output == nullptr) {
        return std::nullopt;
    }
    char line[128] = {};
    const bool read = std::fgets(line, sizeof line, output) != nullptr;
    const int status = pclose(output);
    if (!read || status != 0) {
        return std::nullopt;
    }
    return std::atof(line);
}

}  // namespace perdure::bench
