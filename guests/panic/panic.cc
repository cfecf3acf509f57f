// Traps at its start with a text on the error stream.

#include "perdure/perdure.h"

void init(const perdure::Address&) {
    perdure::panic("panic at start");
}

PERDURE_PROCESS(init)
