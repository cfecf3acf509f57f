// Uses what a guest has of WASI through the C library, and prints what it got: clocks, random
// bytes, the file system (nothing), standard input (at its end), environment and arguments (empty).

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "perdure/perdure.h"

using perdure::print;

void init(const perdure::Address&) {
    timespec monotonic{};
    timespec wall{};
    print("monotonic clock: ", ::clock_gettime(CLOCK_MONOTONIC, &monotonic) == 0 ? "yes" : "no");
    print("wall clock: ", ::clock_gettime(CLOCK_REALTIME, &wall) == 0 ? "yes" : "no",
          " after 2020: ", wall.tv_sec > 1'577'836'800 ? "yes" : "no");

    unsigned char bytes[32] = {};
    ::arc4random_buf(bytes, sizeof bytes);
    int zeroes = 0;
    for (const auto byte : bytes)
        zeroes += byte == 0 ? 1 : 0;
    print("random bytes: ", zeroes < 16 ? "yes" : "no");

    errno = 0;
    print("directory: ", ::opendir("/") == nullptr ? "refused" : "open", " errno=", errno);
    errno = 0;
    print("file: ", ::open("/etc/passwd", O_RDONLY) < 0 ? "refused" : "open", " errno=", errno);

    char buffer[8];
    print("standard input: ",
          ::read(STDIN_FILENO, buffer, sizeof buffer) == 0 ? "end" : "not at end");
    print("environment: ", environ == nullptr || *environ == nullptr ? "empty" : "not empty");
}

PERDURE_PROCESS(init)
