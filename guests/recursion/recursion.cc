// Recurses without end: the stack in its memory runs out and the next access is out of bounds.

#include "perdure/perdure.h"

namespace {

[[gnu::noinline]] int deeper(int level) {
    volatile char frame[64] = {};
    frame[0] = static_cast<char>(level);
    if (level < 0)
        return 0;  // Never: the stack is used up long before the number is.
    return deeper(level + 1) + frame[0];
}

}  // namespace

void init(const perdure::Address&) {
    perdure::print(deeper(0));
}

PERDURE_PROCESS(init)
