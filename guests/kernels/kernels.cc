// Four kernels of computing, each run when its name comes as a Request; the answer is a checksum.
// They show what the engine's epoch checks cost: `fnv`, `fibonacci`, `sieve`, `matrix`.

#include <cstdint>
#include <vector>

#include "perdure/perdure.h"

namespace {

std::uint64_t fnv() {
    std::vector<std::uint8_t> bytes(64 * 1024);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>(i * 7);
    std::uint64_t hash = 0xcbf29ce484222325;
    for (int round = 0; round < 300; ++round) {
        for (const auto byte : bytes)
            hash = (hash ^ byte) * 0x100000001b3;
    }
    return hash;
}

[[gnu::noinline]] std::uint32_t fibonacci(std::uint32_t n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

std::uint64_t sieve() {
    constexpr std::size_t kLimit = 2'000'000;
    std::uint64_t primes = 0;
    for (int round = 0; round < 3; ++round) {
        std::vector<std::uint8_t> composite(kLimit);
        for (std::size_t i = 2; i < kLimit; ++i) {
            if (composite[i] != 0)
                continue;
            ++primes;
            for (std::size_t j = i * i; j < kLimit && i < 1500; j += i)
                composite[j] = 1;
        }
    }
    return primes;
}

std::uint64_t matrix() {
    constexpr std::size_t kSide = 160;
    std::vector<double> a(kSide * kSide);
    std::vector<double> b(kSide * kSide);
    std::vector<double> c(kSide * kSide);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<double>(i % 17);
        b[i] = static_cast<double>(i % 23);
    }
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < kSide; ++i) {
            for (std::size_t j = 0; j < kSide; ++j) {
                double sum = 0;
                for (std::size_t k = 0; k < kSide; ++k)
                    sum += a[i * kSide + k] * b[k * kSide + j];
                c[i * kSide + j] = sum;
            }
        }
        a.swap(c);
    }
    double total = 0;
    for (const auto value : a)
        total += value;
    return __builtin_bit_cast(std::uint64_t, total);
}

std::string run(std::string_view kernel) {
    if (kernel == "fnv")
        return std::to_string(fnv());
    if (kernel == "fibonacci")
        return std::to_string(fibonacci(32));
    if (kernel == "sieve")
        return std::to_string(sieve());
    if (kernel == "matrix")
        return std::to_string(matrix());
    return "unknown kernel";
}

}  // namespace

void init(const perdure::Address&) {
    perdure::receive_loop([](perdure::IncomingRequest& message) {
        const auto checksum = run(message.request.body.text());
        perdure::Answer().body(std::string_view(checksum)).send();
    });
}

PERDURE_PROCESS(init)
