#pragma once

/// `kernel:distro:sys`: the kernel's commands as messages (K-189 to K-201).
///
/// A sender's commands are carried out one after the other (K-200); those of different senders may
/// overlap. Whoever may message the kernel may use all of them: routing has checked that already
/// (K-92).

#include <deque>
#include <functional>
#include <string>
#include <unordered_map>

#include "abi/kernel_codec.h"
#include "kernel/kernel.h"
#include "kernel/module.h"

namespace perdure::kernel {

class KernelModule final : public RuntimeModule {
public:
    /// `hash` names code by its content; `shut_down` asks the node to end in order (K-170).
    KernelModule(Kernel& kernel, std::function<ContentHash(ByteView)> hash,
                 std::function<void()> shut_down);

    const ProcessId& id() const override { return id_; }
    void handle(IncomingRequest request) override;
    using RuntimeModule::handle;

private:
    using Finished = std::function<void()>;

    void next(const std::string& sender);
    void carry_out(const IncomingRequest& request, const Finished& finished);
    void initialise(const IncomingRequest& request, kernel_command::InitializeProcess command,
                    const Finished& finished);
    void answer(const IncomingRequest& request, const KernelReply& reply, SequenceNumber number);
    /// What a decision about `id`, there or not, depends on (K-265 (4)).
    SequenceNumber learned(const ProcessId& id) const;

    Kernel& kernel_;
    const std::function<ContentHash(ByteView)> hash_;
    const std::function<void()> shut_down_;
    const ProcessId id_ = well_known::kernel();
    std::unordered_map<std::string, std::deque<IncomingRequest>> waiting_;
};

}  // namespace perdure::kernel
