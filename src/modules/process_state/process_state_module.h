#pragma once

/// `state:distro:sys` (K-203 to K-206, M-STA-1 to M-STA-6): the stored process states as messages,
/// for packages of the node itself. Guests use the host calls; both reach the same objects.

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>

#include "abi/state_codec.h"
#include "kernel/journal.h"
#include "kernel/module.h"

namespace perdure::modules {

class ProcessStateModule final : public kernel::RuntimeModule {
public:
    ProcessStateModule(kernel::ModuleServices& services, kernel::Journal& journal,
                       std::uint64_t state_bytes_max);

    const ProcessId& id() const override { return id_; }
    void handle(kernel::IncomingRequest request) override;
    using RuntimeModule::handle;

private:
    /// What is answered: a body, perhaps a blob, and the number both depend on.
    struct Answer {
        SharedBytes body;
        std::optional<Blob> blob;
        SequenceNumber number;
    };

    void next(const std::string& sender);
    void carry_out(const kernel::IncomingRequest& request);
    void finish(const std::string& sender, Answer answer);
    void get(const std::string& sender, const StateRequest& request, const ProcessId& process);
    void change(const std::string& sender, const StateRequest& request, const ProcessId& process,
                std::optional<SharedBytes> value);
    /// K-247: who can answer with an error does.
    void refuse_for_space(const std::string& sender, const StateRequest& request);
    void try_change(const std::string& sender, const StateRequest& request, Entry entry);

    kernel::ModuleServices& services_;
    kernel::Journal& journal_;
    const std::uint64_t state_bytes_max_;
    const ProcessId id_ = well_known::state();
    /// Requests of one sender are carried out in order (K-206).
    std::unordered_map<std::string, std::deque<kernel::IncomingRequest>> waiting_;
};

}  // namespace perdure::modules
