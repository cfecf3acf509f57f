// Prints 16 random bytes in hexadecimal at each start.

#include <cstdlib>
#include <string>

#include "perdure/perdure.h"

void init(const perdure::Address&) {
    unsigned char bytes[16];
    ::arc4random_buf(bytes, sizeof bytes);
    std::string text = "random ";
    for (const auto byte : bytes) {
        text.push_back("0123456789abcdef"[byte >> 4]);
        text.push_back("0123456789abcdef"[byte & 15]);
    }
    perdure::print(text);
}

PERDURE_PROCESS(init)
