// Never receives: saves the next number, prints it, sleeps 100 ms, for ever.

#include "perdure/perdure.h"

void init(const perdure::Address&) {
    auto number = perdure::load<std::uint64_t>();
    for (std::uint64_t next = number ? *number + 1 : 0;; ++next) {
        perdure::save(next);
        perdure::print("saved: ", next);
        perdure::sleep(std::chrono::milliseconds(100));
    }
}

PERDURE_PROCESS(init)
