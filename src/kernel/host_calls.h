#pragma once

/// The calls a guest makes of the kernel: interface `standard` of every version (K-218), and what
/// is left of WASI.
///
/// Views given to a call point into guest memory and end with the call. Views handed out stay valid
/// and unchanged until the next call of the same guest begins, `on_tick` and `write_output` not
/// counted: lowering a result runs guest code and may be suspended half-way (E-6).
///
/// A call that answers Pending suspends the guest; after a wake the engine makes the same call
/// again with `Resume::Again` and empty arguments. A guest has one call under way at most.
///
/// Thread: the worker that polls the guest, inside `Guest::poll`, on the guest's own stack: little
/// stack, no blocking, no exceptions.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace perdure::kernel {

enum class CallStatus : std::uint8_t {
    Ready,    ///< The results are there. For a send: done.
    Pending,  ///< The guest is to be suspended. For a send (K-83) and set_on_exit (K-268): done,
              ///< but end the slice soon.
    Fault,    ///< The guest ends, reason Faulted, cause `fault_text()`.
};
enum class Resume : std::uint8_t { First, Again };
enum class TickDecision : std::uint8_t { Continue, Yield, Kill };
enum class BlobOf : std::uint8_t { CurrentMessage, LastMessageWithBlob };
enum class OutputStream : std::uint8_t { Stdout = 1, Stderr = 2 };
enum class RandomUse : std::uint8_t { Secure, Insecure };

struct ProcessIdView {
    std::string_view process, package, publisher;
};
struct AddressView {
    std::string_view node;
    ProcessIdView id;
};
struct CapabilityView {
    AddressView issuer;
    std::string_view params;
};
struct BlobView {
    ByteView bytes;
    std::optional<std::string_view> mime;
};
struct RequestView {
    bool inherit = false;
    std::optional<std::uint64_t> expects_response;  ///< Seconds.
    ByteView body;
    std::optional<std::string_view> metadata;
    std::span<const CapabilityView> capabilities;
};
struct ResponseView {
    bool inherit = false;
    ByteView body;
    std::optional<std::string_view> metadata;
    std::span<const CapabilityView> capabilities;
};
struct SendView {
    AddressView target;
    RequestView request;
    std::optional<ByteView> context;
    std::optional<BlobView> blob;
};
enum class OnExitKind : std::uint8_t { None, Restart, Requests };
struct OnExitView {
    OnExitKind kind = OnExitKind::None;
    std::span<const SendView> requests;  ///< Without context.
};

/// What `receive` and `send-and-await-response` hand over: a message with its source, or a send
/// error (K-62).
struct DeliveryView {
    enum class Kind : std::uint8_t { Request, Response, Offline, Timeout };
    Kind kind = Kind::Request;
    AddressView peer;  ///< The source; for a send error the target that was not reached.
    /// The message; for a send error the one that failed, of which `failed_response` tells the
    /// kind.
    RequestView request;
    ResponseView response;
    bool failed_response = false;
    std::optional<ByteView>
        context;  ///< Of a Response or a send error; never of an awaited one (K-53).
    std::optional<BlobView> blob;  ///< Only for send errors, which carry it by value (K-47).

    bool is_error() const { return kind == Kind::Offline || kind == Kind::Timeout; }
};

struct SpawnView {
    std::optional<std::string_view> name;
    std::string_view wasm_path;
    bool is_public = false;
};
enum class SpawnError : std::uint8_t { NameTaken, NoFileAtPath };

class HostCalls {
public:
    virtual ~HostCalls() = default;

    /// One line: why the last call answered Fault.
    virtual std::string_view fault_text() = 0;

    /// Asked at the first epoch check after a tick; `Kill` only when the process is to end.
    virtual TickDecision on_tick() = 0;

    virtual void print(std::uint8_t level, std::string_view text) = 0;  // K-230
    virtual AddressView our() = 0;
    virtual OnExitView get_on_exit() = 0;                                   // K-160
    virtual CallStatus set_on_exit(const OnExitView& on_exit) = 0;          // K-158
    virtual bool has_blob() = 0;                                            // K-48
    virtual CallStatus send_requests(std::span<const SendView> sends) = 0;  // K-32, K-40
    virtual CallStatus send_response(const ResponseView& response,
                                     const std::optional<BlobView>& blob) = 0;  // K-42

    virtual CallStatus receive(Resume resume, DeliveryView& out) = 0;  // K-71
    virtual CallStatus send_and_await(Resume resume, const SendView* send,
                                      DeliveryView& out) = 0;  // K-72
    virtual CallStatus get_blob(Resume resume, BlobOf which,
                                std::optional<BlobView>& out) = 0;                  // K-48
    virtual CallStatus get_state(Resume resume, std::optional<ByteView>& out) = 0;  // K-174
    virtual CallStatus set_state(Resume resume, ByteView bytes) = 0;                // K-173
    virtual CallStatus clear_state(Resume resume) = 0;                              // K-175
    virtual CallStatus save_capabilities(Resume resume,
                                         std::span<const CapabilityView> list) = 0;  // K-102
    virtual CallStatus drop_capabilities(Resume resume,
                                         std::span<const CapabilityView> list) = 0;  // K-104
    virtual CallStatus our_capabilities(Resume resume,
                                        std::span<const CapabilityView>& out) = 0;  // K-101
    virtual CallStatus spawn(Resume resume, const SpawnView* spawn, SpawnError& error) = 0;

    virtual void write_output(OutputStream stream, ByteView bytes) = 0;  // K-227
    virtual void random(std::span<Byte> out, RandomUse use) = 0;
    virtual std::uint64_t monotonic_ns() = 0;
    virtual void wall_clock(std::uint64_t& seconds, std::uint32_t& nanoseconds) = 0;
    /// Pending until the monotonic clock has reached `deadline_ns`; a kill or delete ends the wait.
    virtual CallStatus sleep_until(Resume resume, std::uint64_t deadline_ns) = 0;
};

}  // namespace perdure::kernel
