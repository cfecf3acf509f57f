#pragma once

/// What the scenarios of lives, boots, kernel commands and state share: exit behaviours, one
/// question to the kernel in one call, calls of scripts that take literals.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi/capability.h"
#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {

inline constexpr std::string_view kKernelId = "kernel:distro:sys";

// Literals become strings in plain functions, not inside coroutines.

inline mock::Call<mock::Nothing> say(mock::Api& api, std::string_view text) {
    return api.print(0, std::string(text));
}
inline mock::Call<mock::Nothing> save(mock::Api& api, std::string_view state) {
    return api.set_state(std::string(state));
}
inline mock::Call<mock::Nothing> trap(mock::Api& api, std::string_view cause) {
    return api.trap(std::string(cause));
}
inline mock::Call<mock::Nothing> write_error(mock::Api& api, std::string_view text) {
    return api.write_stderr(std::string(text));
}

inline ExitRequest exit_request(std::string_view target, std::string_view body) {
    ExitRequest request;
    request.target = KernelWorld::full_address(id_of(target));
    request.request.body = SharedBytes(body);
    return request;
}
inline OnExit fires(std::vector<ExitRequest> requests) {
    return OnExit::fire(std::move(requests));
}
inline OnExit fires(std::string_view target, std::string_view body) {
    return fires({exit_request(target, body)});
}

/// The same as scripts set them.
inline mock::OnExit guest_restart() {
    mock::OnExit on_exit;
    on_exit.kind = KWE_ON_EXIT_RESTART;
    return on_exit;
}
inline mock::OnExit guest_fires(std::vector<mock::Send> requests) {
    mock::OnExit on_exit;
    on_exit.kind = KWE_ON_EXIT_REQUESTS;
    on_exit.requests = std::move(requests);
    return on_exit;
}

inline KernelWorld::Guest guest(OnExit on_exit, std::vector<Capability> capabilities = {}) {
    KernelWorld::Guest made;
    made.on_exit = std::move(on_exit);
    made.capabilities = std::move(capabilities);
    return made;
}

/// A capability of the process `issuer`.
inline Capability capability(std::string_view issuer, std::string_view params) {
    return {KernelWorld::full_address(id_of(issuer)), std::string(params)};
}
inline mock::Capability guest_capability(std::string_view issuer, std::string_view params) {
    return {KernelWorld::address(id_of(issuer)), std::string(params)};
}
inline Capability messaging(std::string_view name) {
    return messaging_of(KernelWorld::full_address(id_of(name)));
}

/// A Request to a runtime module that expects an answer within 30 s.
inline mock::Send ask_module(std::string_view module, std::string_view body,
                             std::optional<mock::Blob> blob = {}) {
    mock::Send send;
    send.target = KernelWorld::address(module);
    send.request.body = body;
    send.request.expects_response = 30;
    send.blob = std::move(blob);
    return send;
}
inline mock::Send ask_kernel(std::string_view command, std::optional<mock::Blob> blob = {}) {
    return ask_module(kKernelId, command, std::move(blob));
}
inline mock::Send not_expecting(mock::Send send) {
    send.request.expects_response.reset();
    return send;
}
inline mock::Send with_metadata(mock::Send send, std::string_view metadata) {
    send.request.metadata = metadata;
    return send;
}

class LifeScenario : public Scenario {
protected:
    using Scenario::Scenario;

    /// Adds a process, connects everybody and runs it.
    void begin(std::string_view name, Script script, KernelWorld::Guest guest = {}) {
        add(name, std::move(script), std::move(guest));
        go();
    }

    /// Sends `send` in the name of a process made for it, `id`, and gives what came at once;
    /// nothing if it would have had to wait.
    std::optional<mock::Delivery> ask_as(std::string_view id, mock::Send send,
                                         std::vector<Capability> capabilities = {}) {
        std::optional<mock::Delivery> outcome;
        const Address target{std::string(KernelWorld::kNode),
                             {send.target.process, send.target.package, send.target.publisher}};
        capabilities.push_back(messaging_of(target));
        world.start(
            id,
            [&outcome, send = std::move(send)](mock::Api& api) -> mock::Script {
                outcome = co_await api.send_and_await(send);
            },
            guest(OnExit::none(), std::move(capabilities)));
        world.settle();
        if (!outcome) {
            world.kill(id);
        }
        return outcome;
    }
    /// The body of what answers it; "Timeout", or "nothing" when there is none at once.
    std::string answer_to(std::string_view id, mock::Send send) {
        const std::optional<mock::Delivery> outcome = ask_as(id, std::move(send));
        if (!outcome) {
            return "nothing";
        }
        return outcome->is_error ? describe(*outcome).substr(0, 7) : outcome->response.body;
    }
    /// One command in the name of a process that holds root.
    std::string command(std::string_view body, std::optional<mock::Blob> blob = {}) {
        return answer_to("root:test:os", ask_kernel(body, std::move(blob)));
    }
    /// Sends a Request that expects nothing.
    void send_to(std::string_view name, std::string_view body) {
        world.start(
            "sender:test:os",
            [send = tell(name, body)](mock::Api& api) -> mock::Script {
                co_await api.send_request(send);
            },
            guest(OnExit::none(), {messaging(name)}));
        world.settle();
    }

    bool exists(std::string_view name) { return world.status(id_of(name)).has_value(); }
    std::uint64_t starts(std::string_view name) { return world.status(id_of(name))->starts; }
    std::uint64_t crashes(std::string_view name) { return world.status(id_of(name))->crashes; }
    bool holds(std::string_view name, const Capability& wanted) {
        Causality asker;
        return world.kernel()
            .debug_has_cap(parse_process_id(id_of(name)).value(), wanted)
            .tell(asker)
            .value_or(false);
    }
    std::optional<std::string> stored_state(std::string_view name) {
        return world.journal().stored(Family::ProcessState, id_of(name));
    }
    std::vector<std::string> kernel_prints(std::uint8_t level) {
        return world.prints_of(kKernelId, level);
    }
    /// What guests said, in order.
    std::vector<std::string> said(std::string_view name) { return world.prints_of(id_of(name)); }
    bool is_durable(SequenceNumber number) { return number <= world.journal().durable(); }
};

}  // namespace perdure::kernel
