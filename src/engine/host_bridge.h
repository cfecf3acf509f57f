#pragma once

/// Between the callbacks of kwe.h and the kernel's `HostCalls`: the same calls in other types.
///
/// No bytes are copied here: strings, bodies and blobs stay where they are, on both sides (E-6).
/// Only lists of capabilities and of sends are built anew, because their elements differ in layout.
///
/// Thread: as `HostCalls`.

#include <exception>
#include <string>
#include <vector>

#include "engine/kwe.h"
#include "kernel/host_calls.h"

namespace perdure::engine {

inline kwe_slice slice(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline kwe_slice slice(ByteView bytes) {
    return {bytes.data(), bytes.size()};
}
inline ByteView bytes(const kwe_slice& from) {
    return {from.ptr, from.len};
}
inline std::string_view text(const kwe_slice& from) {
    return {reinterpret_cast<const char*>(from.ptr), from.len};
}

/// From the guest: views of kwe.h structs. What it returns is valid as long as it and the structs
/// live.
class Lifting {
public:
    kernel::ProcessIdView id(const kwe_procid& from) {
        return {text(from.process), text(from.package), text(from.publisher)};
    }
    kernel::AddressView address(const kwe_address& from) { return {text(from.node), id(from.id)}; }
    std::span<const kernel::CapabilityView> capabilities(const kwe_cap* from, std::size_t count);
    std::optional<kernel::BlobView> blob(const kwe_blob& from);
    kernel::RequestView request(const kwe_request& from);
    kernel::ResponseView response(const kwe_response& from);
    kernel::SendView send(const kwe_send& from);
    std::span<const kernel::SendView> sends(const kwe_send* from, std::size_t count);

private:
    // Vectors of vectors: the elements stay where they are when the outer one grows.
    std::vector<std::vector<kernel::CapabilityView>> capabilities_;
    std::vector<std::vector<kernel::SendView>> sends_;
};

/// To the guest: kwe.h structs over the kernel's views. Kept until `clear`, at the guest's next
/// call.
class Lowering {
public:
    void clear();
    static kwe_address address(const kernel::AddressView& from);
    static kwe_blob blob(const std::optional<kernel::BlobView>& from);
    std::span<const kwe_cap> capabilities(std::span<const kernel::CapabilityView> from);
    kwe_request request(const kernel::RequestView& from);
    kwe_response response(const kernel::ResponseView& from);
    kwe_on_exit on_exit(const kernel::OnExitView& from);
    kwe_recv delivery(const kernel::DeliveryView& from);

private:
    std::vector<std::vector<kwe_cap>> capabilities_;
    std::vector<kwe_send> sends_;
};

/// The `ctx` of one process.
class HostBridge {
public:
    explicit HostBridge(kernel::HostCalls& calls) : calls_(calls) {}

    kwe_hstat print(std::uint8_t verbosity, kwe_slice line);
    kwe_hstat our(kwe_address* out);
    kwe_hstat get_on_exit(kwe_on_exit* out);
    kwe_hstat set_on_exit(const kwe_on_exit* on_exit);
    kwe_hstat has_blob(int* out);
    kwe_hstat send_requests(const kwe_send* sends, std::size_t count);
    kwe_hstat send_response(const kwe_response* response, const kwe_blob* blob);
    kwe_hstat receive(int again, kwe_recv* out);
    kwe_hstat send_and_await(int again, const kwe_send* request, kwe_recv* out);
    kwe_hstat get_blob(int again, int last, kwe_blob* out);
    kwe_hstat get_state(int again, kwe_slice* out, int* present);
    kwe_hstat set_state(int again, const kwe_slice* state);
    kwe_hstat clear_state(int again);
    kwe_hstat spawn(int again, const kwe_spawn* spawn, kwe_procid* out, int* error);
    kwe_hstat change_caps(int again, int drop, const kwe_cap* caps, std::size_t count);
    kwe_hstat our_caps(int again, const kwe_cap** out, std::size_t* count);
    kwe_hstat output(int stream, kwe_slice written);
    kwe_hstat random(std::uint8_t* out, std::size_t size, int insecure);
    kwe_hstat monotonic(std::uint64_t* ns);
    kwe_hstat wall(std::uint64_t* seconds, std::uint32_t* ns);
    kwe_hstat sleep_until(int again, std::uint64_t ns);

    int on_tick() noexcept;
    kwe_slice fault_text() noexcept;

    /// What was thrown, for `fault_text`. To be called inside a handler.
    void caught() noexcept;

private:
    kernel::HostCalls& calls_;
    Lowering lowering_;
    std::string thrown_;  ///< Empty unless a host call threw.
};

/// The callback of kwe.h for one method of the bridge: exceptions end here.
template <auto Method>
struct Callback;

template <typename... Arguments, kwe_hstat (HostBridge::*Method)(Arguments...)>
struct Callback<Method> {
    static kwe_hstat call(void* ctx, Arguments... arguments) noexcept {
        auto& bridge = *static_cast<HostBridge*>(ctx);
        try {
            return (bridge.*Method)(arguments...);
        } catch (...) {
            bridge.caught();
            return KWE_FAULT;
        }
    }
};

}  // namespace perdure::engine
