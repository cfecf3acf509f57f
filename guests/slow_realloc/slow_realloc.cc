// An echo whose `cabi_realloc`, which the engine calls while it writes a message into this guest,
// takes several milliseconds each time; after the Request `hang` it never comes back.
//
// So slices end, and kills arrive, in the middle of writing a message. Whatever is written must be
// right in spite of that: the echo shows it.

#include <cstdlib>

#include "perdure/perdure.h"

namespace {

constexpr int kTurnsPerCall = 2'000'000;
bool hangs = false;

void burn(int turns) {
    for (volatile int turn = 0; turn < turns; turn = turn + 1) {
    }
}

}  // namespace

extern "C" __attribute__((__export_name__("cabi_realloc"))) void* cabi_realloc(void* memory,
                                                                               std::size_t,
                                                                               std::size_t align,
                                                                               std::size_t size) {
    while (hangs)
        burn(kTurnsPerCall);
    burn(kTurnsPerCall);
    if (size == 0)
        return reinterpret_cast<void*>(align);
    void* grown = std::realloc(memory, size);
    if (grown == nullptr)
        std::abort();
    return grown;
}

void init(const perdure::Address&) {
    perdure::receive_loop([](perdure::IncomingRequest& message) {
        hangs = message.request.body.text() == "hang";
        perdure::Answer().inherit().body(std::move(message.request.body)).send();
    });
}

PERDURE_PROCESS(init)
