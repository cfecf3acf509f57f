#pragma once

/// `terminal:terminal:sys`: in whose name the command line sends its Requests.

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/guarded.h"
#include "kernel/kernel.h"
#include "kernel/module.h"
#include "node/node_api.h"

namespace perdure::node {

/// Whoever holds the control socket is root, so the terminal is given the `messaging` of what it
/// sends to (M-DSK-6). Thread: `send` any, which saves a hop over the modules' worker; the rest
/// that worker.
class ControlModule final : public kernel::RuntimeModule {
public:
    explicit ControlModule(kernel::Kernel& kernel) : kernel_(kernel) {}

    const ProcessId& id() const override { return id_; }
    void handle(kernel::IncomingRequest request) override;
    void handle(kernel::IncomingResponse response) override;
    void handle(kernel::RefusedRequest request) override;

    /// `done` gets the answer with the number it depends on; the caller lets it through the gate.
    using SendDone = std::function<void(Result<Seen<SendAnswer>>)>;
    void send(const ProcessId& target, SendCommand command, SendDone done);

private:
    struct Waiter {
        ProcessId target;
        std::uint64_t starts = 0;  ///< Instances the target had when the Request was sent.
        SendDone done;
    };
    void time_out(std::uint64_t id);
    /// How many instances of `target` were made; nothing if it is not in the table.
    std::optional<std::uint64_t> starts_of(const ProcessId& target) const;

    kernel::Kernel& kernel_;
    const ProcessId id_ = well_known::terminal();
    /// Who waits for an answer. Locked while a Request is sent, so that no answer comes before its
    /// waiter.
    Guarded<std::unordered_map<std::uint64_t, Waiter>> waiting_;
};

}  // namespace perdure::node
