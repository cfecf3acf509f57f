#pragma once

/// One entry of the process table: what never changes, what any thread may read, and what belongs
/// to its worker.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/ref.h"
#include "kernel/guest.h"
#include "kernel/journal.h"
#include "kernel/mailbox.h"
#include "kernel/party.h"
#include "kernel/ready_queues.h"

namespace perdure::kernel {

class Instance;
class RuntimeModule;

/// Where the life of a process stands (K-123).
enum class LifePhase : std::uint8_t {
    Initialised,  ///< In the table, its mailbox is open, not executing.
    Running,
    Ended,  ///< Out of the table; only what is under way still names it.
};
std::string_view to_string(LifePhase phase);

/// Why a process sleeps, as `ps` shows it.
enum class Waiting : std::uint8_t { No, Receive, Await, Read, Room, Sleep };
std::string_view to_string(Waiting waiting);

inline constexpr std::uint64_t kStateBytesUnknown = ~std::uint64_t{0};

/// Figures that anybody may read while the process runs; each is exact, together they are of about
/// one moment.
struct ProcessCounters {
    std::atomic<std::uint64_t> starts{0};  ///< Instances made, the first included.
    std::atomic<std::uint64_t> crashes{0};
    std::atomic<std::uint64_t> cpu_ns{0};
    std::atomic<std::uint64_t> memory_bytes{0};  ///< Linear memory of the running instance.
    /// Of the saved process state; kStateBytesUnknown until somebody read or wrote it in this run.
    std::atomic<std::uint64_t> state_bytes{kStateBytesUnknown};
    std::atomic<std::uint64_t> seen{0};
    std::atomic<std::uint64_t> outstanding{0};
    std::atomic<std::uint64_t> refused{0};  ///< Messages its full mailbox did not take (K-83).
};

/// What is decided when a process enters the table.
struct ProcessFacts {
    Ref<const Party> self;
    std::uint32_t worker = 0;  ///< Index of the worker it lives on.
    bool is_public = false;
    std::string code_handle;  ///< Empty for runtime modules.
    std::optional<std::uint32_t> wit_version;
    std::shared_ptr<const Code> code;  ///< Null for runtime modules.
    RuntimeModule* module = nullptr;   ///< Outlives the kernel's workers; null for guests.
    AppenderId appender = kKernelAppender;
    std::optional<PackageId> package;
};

class Process final : public RefCounted, public ReadyNode {
public:
    Process(ProcessFacts facts_in, MailboxLimits limits);
    ~Process() override;

    const ProcessFacts facts;
    const Ref<const Party> self;
    const SharedBytes state_key;  ///< Key of its process state.

    // Any thread.
    MailboxRoom room;
    ProcessCounters counters;
    std::atomic<LifePhase> phase{LifePhase::Initialised};
    std::atomic<Waiting> waiting{Waiting::No};

    // The owner's worker only.
    Mailbox mailbox;
    std::unique_ptr<Instance> instance;
    std::uint64_t instance_number = 0;  ///< Of the instance there is, or of the last one.
    bool waits_for_place =
        false;  ///< The engine was full when it was last to start; has been said (E-15).
};

}  // namespace perdure::kernel
