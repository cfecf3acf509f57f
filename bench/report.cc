#include "report.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace perdure::bench {

Spread spread_of(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    const auto at = [&](double part) {
        return samples.empty() ? 0 : samples[std::min(samples.size() - 1, static_cast<std::size_t>(part * samples.size()))];
    };
    return {at(0.5), at(0.99), at(0.999)};
}

void report(const Figure& figure) {
    std::printf(R"({"bench":"%s","unit":"%s","p50":%.2f,"p99":%.2f,"p999":%.2f)", figure.name.c_str(), figure.unit.c_str(),
                figure.value.p50, figure.value.p99, figure.value.p999);
    if (figure.goal) {
        std::printf(R"(,"goal":%.2f)", *figure.goal);
    }
    if (figure.limit) {
        std::printf(R"(,"limit":%.2f)", *figure.limit);
    }
    if (!figure.peer.empty()) {
        if (figure.peer_p50) {
            std::printf(R"(,"peer":"%s","peer_p50":%.2f,"ratio":%.3f)", figure.peer.c_str(), *figure.peer_p50,
                        figure.value.p50 / *figure.peer_p50);
        } else {
            std::printf(R"(,"peer":"%s","peer_p50":null)", figure.peer.c_str());
        }
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
