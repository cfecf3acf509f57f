// Takes and touches memory, 16 MiB at a time, until there is no more; then aborts as an allocator
// does.

#include <cstdio>
#include <cstdlib>

#include "perdure/perdure.h"

void init(const perdure::Address&) {
    constexpr std::size_t kStepBytes = 16 << 20;
    constexpr std::size_t kPageBytes = 4096;
    for (std::size_t taken = 0;; taken += kStepBytes) {
        auto* memory = static_cast<volatile char*>(std::malloc(kStepBytes));
        if (memory == nullptr) {
            perdure::panic("out of memory after " + std::to_string(taken >> 20) + " MiB");
        }
        for (std::size_t i = 0; i < kStepBytes; i += kPageBytes)
            memory[i] = 1;
    }
}

PERDURE_PROCESS(init)
