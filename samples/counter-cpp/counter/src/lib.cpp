// Counts its own starts. Each start prints the number of starts before it, saves the next number
// and returns; `on_exit` in the manifest makes the node start it again.

#include "perdure/perdure.h"

using namespace std::chrono_literals;

void init(const perdure::Address&) {
    perdure::print("init");

    const auto counter = perdure::load<std::uint64_t>();
    if (counter) {
        perdure::print("counter: ", *counter);
        perdure::save(*counter + 1);
    } else if (counter.error() == perdure::LoadError::Absent) {
        perdure::print("no state found");
        perdure::save(std::uint64_t{0});
    } else {
        perdure::panic("the saved state is not a counter");
    }

    perdure::sleep(100ms);
}

PERDURE_PROCESS(init)
