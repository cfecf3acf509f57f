// Counts its starts as the counter sample does, but traps instead of returning, at once.

#include "perdure/perdure.h"

void init(const perdure::Address&) {
    const auto counter = perdure::load<std::uint64_t>();
    const std::uint64_t starts = counter ? *counter + 1 : 0;
    perdure::save(starts);
    perdure::print("starts: ", starts);
    perdure::panic("crash number " + std::to_string(starts));
}

PERDURE_PROCESS(init)
