// Typed bodies: answers a Sum with a Total. A body that is not a Sum is answered with an empty one.

#include "perdure/perdure.h"

using namespace perdure;

struct Sum {
    std::vector<std::int32_t> terms;
    std::optional<std::string> label;
    void fields(auto& visit) { visit(terms, label); }
};

struct Total {
    std::int64_t total = 0;
    std::string label;
    void fields(auto& visit) { visit(total, label); }
};

void init(const Address&) {
    receive_loop([](IncomingRequest& message) {
        const auto sum = decode<Sum>(message.request.body);
        if (!sum) {
            Answer().send();
            return;
        }
        Total total{0, sum->label.value_or("unnamed")};
        for (const auto term : sum->terms)
            total.total += term;
        Answer().body_of(total).send();
    });
}

PERDURE_PROCESS(init)
