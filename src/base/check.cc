#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace perdure::internal {

void check_failed(const char* file, int line, const char* condition, const std::string& values) {
    std::fprintf(stderr, "perdure: internal fault at %s:%d: %s does not hold;%s\n", file, line,
                 condition, values.c_str());
    std::abort();
}

}  // namespace perdure::internal
