#include "kernel/kernel_module.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace perdure::kernel {
namespace {

template <typename... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

std::vector<CapabilityRecord> records(const std::vector<Capability>& capabilities,
                                      GrantCause cause) {
    std::vector<CapabilityRecord> list;
    for (const Capability& capability : capabilities) {
        list.push_back({capability, cause, {}, {}, {}});
    }
    return list;
}

}  // namespace

KernelModule::KernelModule(Kernel& kernel, std::function<ContentHash(ByteView)> hash,
                           std::function<void()> shut_down)
    : kernel_(kernel), hash_(std::move(hash)), shut_down_(std::move(shut_down)) {}

void KernelModule::handle(IncomingRequest request) {
    const std::string sender = request.source->printed;
    std::deque<IncomingRequest>& queue = waiting_[sender];
    queue.push_back(std::move(request));
    if (queue.size() == 1) {
        next(sender);
    }
}

void KernelModule::next(const std::string& sender) {
    const auto found = waiting_.find(sender);
    carry_out(found->second.front(), [this, sender] {
        kernel_.run_on_worker([this, sender] {
            const auto queue = waiting_.find(sender);
            queue->second.pop_front();
            if (queue->second.empty()) {
                waiting_.erase(queue);
            } else {
                next(sender);
            }
        });
    });
}

SequenceNumber KernelModule::learned(const ProcessId& id) const {
    const auto snapshot = kernel_.table().snapshot();
    const TableEntry* entry = snapshot->find(id, kernel_.own_node());
    return entry != nullptr ? entry->changed : snapshot->changed();
}

void KernelModule::answer(const IncomingRequest& request, const KernelReply& reply,
                          SequenceNumber number) {
    Response response;
    response.body = encode_kernel_reply(reply);
    kernel_.respond(*this, request.reply, std::move(response), std::nullopt,
                    std::max(request.seen, number));
}

void KernelModule::carry_out(const IncomingRequest& request, const Finished& finished) {
    auto command = decode_kernel_command(request.request.body.view());
    if (!command) {
        kernel_.print(0,
                      "not a kernel command from " + request.source->printed + ": " +
                          command.error().message(),
                      request.seen);
        kernel_.refuse(request.reply, request.seen);
        finished();
        return;
    }
    std::visit(
        Overloaded{
            [&](kernel_command::InitializeProcess& initialize) {
                initialise(request, std::move(initialize), finished);
            },
            [&](const kernel_command::RunProcess& run) {
                if (const auto started = kernel_.run(run.id, request.seen); started) {
                    answer(request, kernel_reply::StartedProcess{}, learned(run.id));
                } else {
                    kernel_.print(0, "RunProcess: " + started.error().message(),
                                  std::max(request.seen, learned(run.id)));
                    answer(request, kernel_reply::RunProcessError{}, learned(run.id));
                }
                finished();
            },
            [&](const kernel_command::KillProcess& kill) {
                const bool keep_issued = request.request.metadata == "no-revoke";
                kernel_.kill(
                    kill.id, keep_issued ? Worker::Revoke::Nothing : Worker::Revoke::Issued,
                    [this, request, id = kill.id, finished](std::optional<SequenceNumber> number) {
                        if (!number) {
                            const SequenceNumber seen = std::max(request.seen, learned(id));
                            kernel_.print(2, "KillProcess: there is no process " + to_string(id),
                                          seen);
                            kernel_.refuse(request.reply, seen);
                        } else if (request.request.expects_response) {
                            answer(request, kernel_reply::KilledProcess{id}, *number);
                        }
                        finished();
                    });
            },
            [&](const kernel_command::GrantCapabilities& grant) {
                kernel_.grant(grant.target, records(grant.capabilities, GrantCause::Command));
                finished();
            },
            [&](const kernel_command::DropCapabilities& drop) {
                kernel_.drop(drop.target, drop.capabilities);
                finished();
            },
            [&](kernel_command::SetOnExit& set) {
                kernel_.set_on_exit(set.target, std::move(set.on_exit));
                finished();
            },
            [&](const kernel_command::Booted&) {
                kernel_.print(
                    0,
                    "Booted from " + request.source->printed + " ignored: only the kernel says it",
                    request.seen);
                finished();
            },
            [&](const kernel_command::Shutdown&) {
                shut_down_();
                finished();
            },
            [&](const kernel_command::DebugProcessMap&) {
                auto map = kernel_.debug_map();
                const SequenceNumber number = map.number();
                Causality asker;
                answer(request, kernel_reply::DebugProcessMap{std::move(map).tell(asker)}, number);
                finished();
            },
            [&](const kernel_command::DebugProcess& debug) {
                auto entry = kernel_.debug_process(debug.id);
                const SequenceNumber number = entry.number();
                Causality asker;
                answer(request, kernel_reply::DebugProcess{std::move(entry).tell(asker)}, number);
                finished();
            },
            [&](const kernel_command::DebugHasCap& debug) {
                auto held = kernel_.debug_has_cap(debug.on, debug.cap);
                const SequenceNumber number = held.number();
                Causality asker;
                answer(request, kernel_reply::DebugHasCap{std::move(held).tell(asker)}, number);
                finished();
            },
        },
        *command);
}

void KernelModule::initialise(const IncomingRequest& request,
                              kernel_command::InitializeProcess command, const Finished& finished) {
    const auto refuse = [this, request, finished](const std::string& reason,
                                                  SequenceNumber number) {
        kernel_.print(0, "InitializeProcess: " + reason, std::max(request.seen, number));
        answer(request, kernel_reply::InitializeProcessError{}, number);
        finished();
    };
    if (command.refusal) {
        refuse(command.refusal->message(), {});
        return;
    }
    if (!request.blob) {
        refuse("the code of " + to_string(command.id) + " is missing; it travels as the blob", {});
        return;
    }
    if (const std::uint64_t size = request.blob->bytes.size(),
        most = kernel_.limits().component_bytes_max;
        size > most) {
        refuse("a component of " + std::to_string(size) + " bytes; at most " +
                   std::to_string(most) + " are taken (component_bytes_max)",
               {});
        return;
    }
    if (kernel_.journal().no_space()) {
        refuse("the disk has less than reserve_bytes free; make room and try again", {});  // K-247
        return;
    }
    NewProcess process;
    process.id = command.id;
    process.code_handle = std::move(command.wasm_bytes_handle);
    process.wit_version = command.wit_version;
    process.on_exit = std::move(command.on_exit);
    process.is_public = command.is_public;
    process.capabilities = records(command.initial_capabilities, GrantCause::Initialiser);
    process.initialiser = request.source->address.process;
    process.seen = request.seen;
    const ContentHash hash = hash_(request.blob->bytes.view());
    kernel_.load_code(
        request.blob->bytes, hash,
        [this, request, process = std::move(process), finished, refuse](auto code) mutable {
            if (!code) {
                refuse(code.error().message(), {});
                return;
            }
            process.code = std::move(*code);
            const ProcessId id = process.id;
            const auto number = kernel_.initialise(std::move(process));
            if (!number) {
                const bool is_taken = number.error().code() == ErrorCode::AlreadyExists;
                refuse(number.error().message(), is_taken ? learned(id) : SequenceNumber{});
                return;
            }
            answer(request, kernel_reply::InitializedProcess{}, *number);
            finished();
        });
}

}  // namespace perdure::kernel
