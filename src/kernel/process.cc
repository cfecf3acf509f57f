#include "kernel/process.h"

#include "abi/record_codec.h"
#include "base/check.h"
#include "kernel/instance.h"

namespace perdure::kernel {

std::string_view to_string(LifePhase phase) {
    switch (phase) {
        case LifePhase::Initialised: return "initialised";
        case LifePhase::Running: return "running";
        case LifePhase::Ended: return "ended";
    }
    CHECK(false, "unknown phase", static_cast<int>(phase));
    return "";
}

std::string_view to_string(Waiting waiting) {
    switch (waiting) {
        case Waiting::No: return "no";
        case Waiting::Receive: return "receive";
        case Waiting::Await: return "await";
        case Waiting::Read: return "read";
        case Waiting::Room: return "room";
        case Waiting::Sleep: return "sleep";
    }
    CHECK(false, "unknown wait", static_cast<int>(waiting));
    return "";
}

std::string_view to_string(ExitReason reason) {
    switch (reason) {
        case ExitReason::Returned: return "returned";
        case ExitReason::Exited: return "exited";
        case ExitReason::Trapped: return "trapped";
        case ExitReason::Faulted: return "faulted";
        case ExitReason::Killed: return "killed";
        case ExitReason::MemoryLimit: return "memory_limit";
        case ExitReason::StartFailed: return "start_failed";
        case ExitReason::Panicked: return "panicked";
    }
    CHECK(false, "unknown exit reason", static_cast<int>(reason));
    return "";
}

Process::Process(ProcessFacts facts_in, MailboxLimits limits)
    : facts(std::move(facts_in)),
      self(facts.self),
      state_key(process_key(self->address.process)),
      room(limits),
      mailbox(room) {}

Process::~Process() = default;

}  // namespace perdure::kernel
