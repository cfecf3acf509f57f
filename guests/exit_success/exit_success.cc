// Ends with status 0, which counts as a return.

#include "perdure/perdure.h"

void init(const perdure::Address&) {
    perdure::print("leaving with success");
    perdure::exit(perdure::ExitStatus::Success);
}

PERDURE_PROCESS(init)
