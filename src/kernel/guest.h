#pragma once

/// What the kernel needs of an engine: code that can be loaded once and a guest that can be polled.
///
/// The kernel knows neither Wasm nor fibers. A guest runs inside `poll()` on its worker and calls
/// the kernel back through `HostCalls` (kernel/host_calls.h); a call that has to wait suspends only
/// the guest, and `poll` returns.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace perdure::kernel {

class HostCalls;

/// SHA-256 of a component's bytes: the name of its code (K-233).
using ContentHash = std::array<Byte, 32>;

/// Why `poll` came back.
enum class PollOutcome : std::uint8_t {
    Blocked,  ///< The guest waits; poll again after a wake. Polling it too early is harmless.
    Yielded,  ///< The slice is over; the guest is ready to go on.
    Done,     ///< The guest has ended; `exit()` says how.
};

/// How an instance ended (K-143, E-10).
enum class ExitReason : std::uint8_t {
    Returned,  ///< `init` returned, or the guest called exit with success.
    Exited,    ///< The guest called exit with an error.
    Trapped,   ///< The guest broke its own rules.
    Faulted,   ///< A host call ended the guest by design (K-75, K-76, K-177) or by a fault of ours.
    Killed,    ///< `kill()` was called.
    MemoryLimit,  ///< The guest ended because its memory limit had refused it memory.
    StartFailed,  ///< No instance could be made (no free slot, for example).
    Panicked,     ///< The engine itself failed; the instance is lost, the node goes on.
};
std::string_view to_string(ExitReason reason);

struct GuestFrame {
    std::string module;    ///< Empty where the component does not name it.
    std::string function;  ///< Demangled, or empty in a stripped guest.
    std::uint32_t function_index = 0;
    std::uint64_t offset = 0;  ///< Bytes from the start of the function.
};

struct GuestExit {
    ExitReason reason = ExitReason::Returned;
    std::int32_t code = 0;           ///< The guest's exit code, or the engine's number of the trap.
    std::string cause;               ///< One line; empty after a return.
    std::vector<GuestFrame> frames;  ///< Innermost first, at most 32.
};

struct GuestLimits {
    std::uint64_t memory_bytes =
        0;  ///< Linear memory; more is refused to the guest's allocator (K-232).
    std::uint64_t clock_resolution_ns = 0;  ///< What its clocks say of themselves; 0: 1 ms (K-224).
};

struct GuestUsage {
    std::uint64_t memory_bytes = 0;  ///< Linear memory in use now.
};

/// One instance of a component. Destroying it stops the guest wherever it is suspended; no guest
/// code runs then.
class Guest {
public:
    virtual ~Guest() = default;

    /// Runs the guest until it waits, its slice ends or it is over.
    /// Thread: one at a time, the process's worker; never from inside a host call.
    virtual PollOutcome poll() = 0;

    /// Valid after `poll` returned Done, until destruction.
    virtual GuestExit exit() const = 0;

    /// Makes a running or suspended guest end with `Killed` at its next tick, host call or poll.
    /// Thread: any.
    virtual void kill() = 0;

    /// Thread: any.
    virtual GuestUsage usage() const = 0;
};

/// A component that was compiled and checked: it imports only what is served and exports `init`.
/// Shared by all processes that run it, hence without a single owner; immutable.
class Code {
public:
    virtual ~Code() = default;
    virtual const ContentHash& hash() const = 0;
    /// The `standard` interfaces it imports, for example `kinode:process/standard@0.8.0`; may be
    /// empty (K-214).
    virtual const std::vector<std::string>& interfaces() const = 0;
};

class Engine {
public:
    virtual ~Engine() = default;

    /// Compiles and checks `wasm`, or takes it from memory or the cache on disk (K-128, K-233).
    ///
    /// Errors: InvalidInput (not a component, or imports something that is not served; all of it is
    /// named), Overloaded (above a limit of the engine), Io. Thread: any, may take seconds: the
    /// blocking pool only.
    virtual Result<std::shared_ptr<const Code>> load(ByteView wasm, const ContentHash& hash) = 0;

    /// The code if it is in memory, else null. Thread: any; never blocks.
    virtual std::shared_ptr<const Code> find(const ContentHash& hash) = 0;

    /// A new instance that has not run yet. `our` is the argument of `init` (K-131). `calls` must
    /// outlive the guest. `wake_token` is handed to the waker given at construction when a
    /// suspended guest can go on.
    virtual Result<std::unique_ptr<Guest>> instantiate(std::shared_ptr<const Code> code,
                                                       HostCalls& calls, std::uint64_t wake_token,
                                                       std::string_view our,
                                                       const GuestLimits& limits) = 0;

    /// Advances the engine's epoch: running guests ask `HostCalls::on_tick` soon after. Thread:
    /// any.
    virtual void tick() = 0;

    /// Prepares the calling thread for polling guests; once per worker, before its first poll.
    virtual void prepare_thread() = 0;
};

}  // namespace perdure::kernel
