// Waits for messages and drops them: the smallest process that stays alive.

#include "perdure/perdure.h"

void init(const perdure::Address&) {
    perdure::receive_loop([](perdure::IncomingRequest&) {});
}

PERDURE_PROCESS(init)
