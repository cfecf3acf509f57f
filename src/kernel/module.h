#pragma once

/// A runtime module: a native process with an ordinary address, served by its worker like any other
/// (M-GEN).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "abi/ids.h"
#include "abi/message.h"
#include "base/clock.h"
#include "base/ref.h"
#include "base/result.h"
#include "base/sequence.h"
#include "kernel/party.h"

namespace perdure::kernel {

/// Where a Response to a Request goes. Empty for a Request that nobody waits for; answering it does
/// nothing.
struct ReplyHandle {
    std::uint64_t id = 0;
    Ref<const Party> to;

    explicit operator bool() const { return static_cast<bool>(to); }
};

/// One Request as its module gets it.
struct IncomingRequest {
    Ref<const Party> source;
    Ref<const Party> reply_address;  ///< As carried; null when the message has none.
    Request request;
    std::optional<Blob> blob;
    SequenceNumber
        seen;           ///< What the answer depends on before anything was read for it (K-265 (6)).
    ReplyHandle reply;  ///< Where the answer goes; empty when none is expected and none is carried.
};

/// One Response to a Request the module sent.
struct IncomingResponse {
    std::uint64_t id = 0;
    Ref<const Party> source;
    Response response;
    std::optional<Blob> blob;
    SequenceNumber seen;
};

/// A Request the module sent that has no answer (`ModuleServices::refuse`).
struct RefusedRequest {
    std::uint64_t id = 0;
    SequenceNumber seen;
};

class RuntimeModule {
public:
    virtual ~RuntimeModule() = default;

    virtual const ProcessId& id() const = 0;
    virtual bool is_public() const { return false; }  ///< K-99: only `timer`.

    /// One message, in order of arrival. Must not block: long work goes to the blocking pool, and
    /// the answer follows. Thread: the module's worker.
    virtual void handle(IncomingRequest request) = 0;
    // NOLINTNEXTLINE(performance-unnecessary-value-param): others keep it
    virtual void handle(IncomingResponse response) { (void)response; }
    virtual void handle(RefusedRequest request) { (void)request; }
};

/// What a module may do. Thread: any.
class ModuleServices {
public:
    virtual ~ModuleServices() = default;

    /// Sends a Response in the name of `module`. `seen` is the request's number raised by what was
    /// read (K-265 (6)).
    virtual void respond(const RuntimeModule& module, const ReplyHandle& reply, Response response,
                         std::optional<Blob> blob, SequenceNumber seen) = 0;

    /// Sends a Request in the name of `module`; its Response comes to `handle(IncomingResponse)`
    /// with the returned id. The kernel keeps no deadline for it (K-60) and room is asked for as
    /// from another worker (K-264). Errors: NotFound, NotPermitted, Unreachable, Overloaded (the
    /// mailbox is full).
    virtual Result<std::uint64_t> send(const RuntimeModule& module, const Address& target,
                                       Request request, std::optional<Blob> blob,
                                       SequenceNumber seen) = 0;

    /// Ends the Request behind `reply` with Timeout at once, if it is still outstanding: for
    /// requests that have no answer (K-190, K-196). A module gets `handle(RefusedRequest)`.
    virtual void refuse(const ReplyHandle& reply, SequenceNumber seen) = 0;

    /// Calls `work` on the modules' worker: soon, or not before `at`. Equal times are served in the
    /// order of the calls.
    virtual void run_on_worker(std::function<void()> work) = 0;
    virtual void run_at(MonotonicTime at, std::function<void()> work) = 0;

    virtual void print(const RuntimeModule& module, std::uint8_t level, std::string text,
                       SequenceNumber seen) = 0;

    /// The own node's id.
    virtual const std::string& own_node() const = 0;
};

}  // namespace perdure::kernel
