// Writes to its error stream for ever: numbered lines with bytes that are not UTF-8.

#include <unistd.h>

#include <string>

#include "perdure/perdure.h"

void init(const perdure::Address&) {
    for (std::uint64_t line = 0;; ++line) {
        const auto text = "line " + std::to_string(line) + " \xff\xfe of a flood of errors\n";
        (void)::write(STDERR_FILENO, text.data(), text.size());
    }
}

PERDURE_PROCESS(init)
