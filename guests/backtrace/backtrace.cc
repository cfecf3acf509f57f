// Traps three calls deep. Built with its function names, so that a backtrace can show them.

#include "perdure/perdure.h"

namespace {

[[gnu::noinline]] void innermost_function(volatile int* divisor) {
    if (*divisor == 0)
        __builtin_trap();
}

[[gnu::noinline]] void middle_function(volatile int* divisor) {
    innermost_function(divisor);
    *divisor = 1;
}

[[gnu::noinline]] void outermost_function(volatile int* divisor) {
    middle_function(divisor);
    *divisor = 2;
}

}  // namespace

void init(const perdure::Address&) {
    volatile int divisor = 0;
    outermost_function(&divisor);
    perdure::print("not reached: ", static_cast<int>(divisor));
}

PERDURE_PROCESS(init)
