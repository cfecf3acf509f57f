/// What a guest keeps: process state (K-172 to K-185), held capabilities (K-101 to K-106), exit
/// behaviour (K-158). Each change is one entry of the log; a guest waits only when the journal has
/// no room for it (K-268, K-247).

#include "base/check.h"
#include "kernel/instance.h"
#include "kernel/kernel.h"
#include "kernel/process.h"
#include "kernel/worker.h"

namespace perdure::kernel {

std::function<void()> Instance::waker(Waiting waiting) {
    process_.waiting.store(waiting, std::memory_order_relaxed);
    return worker_.waker(Ref<Process>(&process_), number_);
}

CallStatus Instance::get_state(Resume resume, std::optional<ByteView>& out) {
    if (resume == Resume::First) {
        const SharedBytes key = process_.state_key;
        if (auto pending = kernel_.journal().read_pending(Family::ProcessState, key)) {
            const SequenceNumber number = pending->number();
            auto value = std::move(*pending).tell(causality_);
            learn(number);
            store_.present = value.has_value();
            store_.value = value ? std::move(*value) : SharedBytes();
            store_.step = StoreCall::Step::Done;
        } else {
            store_ = {};
            store_.step = StoreCall::Step::Waiting;
            kernel_.journal().read(Family::ProcessState, key,
                                   worker_.reader(Ref<Process>(&process_), number_));
        }
    }
    if (store_.step == StoreCall::Step::Waiting) {
        process_.waiting.store(Waiting::Read, std::memory_order_relaxed);
        return CallStatus::Pending;
    }
    process_.waiting.store(Waiting::No, std::memory_order_relaxed);
    store_.step = StoreCall::Step::Idle;
    if (store_.failure) {
        return fault("get-state failed: " + store_.failure->message());  // K-177: never "none".
    }
    if (store_.present) {
        process_.counters.state_bytes.store(store_.value.size(), std::memory_order_relaxed);
        out = store_.value.view();
    } else {
        out.reset();
    }
    return CallStatus::Ready;
}

void Instance::finish_read(Result<Seen<Journal::StoredValue>> result) {
    store_.step = StoreCall::Step::Done;
    if (!result) {
        store_.failure = result.error();
    } else {
        learn(result->number());
        auto value = std::move(*result).tell(causality_);
        store_.present = value.has_value();
        store_.value = value ? std::move(*value) : SharedBytes();
    }
    worker_.wake(process_);
}

void Instance::finish_append(Result<SequenceNumber> result) {
    store_.step = StoreCall::Step::Done;
    if (!result) {
        store_.failure = result.error();
    } else {
        learn(*result);
    }
    worker_.wake(process_);
}

CallStatus Instance::set_state(Resume resume, ByteView bytes) {
    if (resume == Resume::First && bytes.size() > kernel_.limits().state_bytes_max) {
        return fault("state of " + std::to_string(bytes.size()) +
                     " bytes exceeds state_bytes_max " +
                     std::to_string(kernel_.limits().state_bytes_max));  // M-STA-6
    }
    return append_state(resume, EntryKind::SetState, bytes);
}

CallStatus Instance::clear_state(Resume resume) {
    return append_state(resume, EntryKind::ClearState, std::nullopt);
}

CallStatus Instance::append_state(Resume resume, EntryKind kind, std::optional<ByteView> bytes) {
    if (resume == Resume::First) {
        store_ = {};
        store_.step = StoreCall::Step::Waiting;
        std::optional<SharedBytes> value;
        if (bytes) {
            value = SharedBytes(*bytes);
        }
        process_.counters.state_bytes.store(bytes ? bytes->size() : 0, std::memory_order_relaxed);
        Entry entry{kind, {}};
        entry.changes.push_back({Family::ProcessState, process_.state_key, std::move(value)});
        if (entry.size() > kernel_.journal().inline_bytes_max()) {
            kernel_.journal().append_large(process_.facts.appender, std::move(entry),
                                           worker_.appender(Ref<Process>(&process_), number_));
        } else {
            store_.entry = std::move(entry);
        }
    }
    if (store_.step == StoreCall::Step::Waiting && store_.entry) {
        return try_append();
    }
    if (store_.step == StoreCall::Step::Waiting) {
        process_.waiting.store(Waiting::Room, std::memory_order_relaxed);
        return CallStatus::Pending;
    }
    process_.waiting.store(Waiting::No, std::memory_order_relaxed);
    store_.step = StoreCall::Step::Idle;
    if (store_.failure) {
        return fault("state could not be stored: " + store_.failure->message());
    }
    return CallStatus::Ready;
}

CallStatus Instance::try_append() {
    if (auto number = kernel_.journal().append(process_.facts.appender, *store_.entry)) {
        learn(*number);
        store_ = {};
        process_.waiting.store(Waiting::No, std::memory_order_relaxed);
        return CallStatus::Ready;
    }
    kernel_.journal().when_room(process_.facts.appender, store_.entry->size(),
                                waker(Waiting::Room));
    return CallStatus::Pending;
}

CallStatus Instance::save_capabilities(Resume resume, std::span<const CapabilityView> list) {
    if (resume == Resume::First) {
        capability_change_.clear();
        const auto held = worker_.held(process_);
        for (const CapabilityView& view : list) {
            Capability capability = copy_of(view);
            if (capability.issuer.node == kOurNode) {
                capability.issuer.node = kernel_.own_node();
            }
            if (!is_safe(capability.issuer) || is_mark(capability, kernel_.own_node())) {
                continue;  // K-8, K-242: left out without a print.
            }
            if (capability.issuer == process_.self->address || held->holds(capability)) {
                capability_change_.push_back(std::move(capability));
            } else {
                kernel_.print(0,
                              process_.self->printed + " may not save " + to_string(capability) +
                                  ": it neither issues it nor holds it",
                              seen());  // K-102
            }
        }
    }
    return change_capabilities(CapabilityChange::Save);
}

CallStatus Instance::drop_capabilities(Resume resume, std::span<const CapabilityView> list) {
    if (resume == Resume::First) {
        capability_change_.clear();
        for (const CapabilityView& view : list) {
            Capability capability = copy_of(view);
            if (capability.issuer.node == kOurNode) {
                capability.issuer.node = kernel_.own_node();
            }
            capability_change_.push_back(std::move(capability));
        }
    }
    return change_capabilities(CapabilityChange::Drop);
}

CallStatus Instance::change_capabilities(CapabilityChange change) {
    const Kernel::OwnChange done =
        kernel_.change_own_capabilities(process_, change, capability_change_);
    if (done.bytes_without_room != 0) {
        kernel_.journal().when_room(process_.facts.appender, done.bytes_without_room,
                                    waker(Waiting::Room));
        return CallStatus::Pending;
    }
    process_.waiting.store(Waiting::No, std::memory_order_relaxed);
    learn(done.number);
    return CallStatus::Ready;
}

CallStatus Instance::our_capabilities(Resume, std::span<const CapabilityView>& out) {
    SequenceNumber number;
    pinned_held_ = worker_.held(process_, &number);
    learn(number);
    capability_views_.clear();
    for (const auto& held : pinned_held_->all()) {
        capability_views_.push_back(view_of(held->record.capability));
    }
    out = capability_views_;
    return CallStatus::Ready;
}

OnExitView Instance::get_on_exit() {
    SequenceNumber number;
    pinned_on_exit_ = worker_.on_exit(process_, &number);
    learn(number);
    OnExitView view;
    view.kind = static_cast<OnExitKind>(pinned_on_exit_->kind);
    send_views_.clear();
    nested_capability_views_.clear();
    nested_capability_views_.reserve(pinned_on_exit_->requests.size());
    for (const ExitRequest& request : pinned_on_exit_->requests) {
        SendView send;
        send.target = view_of(request.target);
        send.request.inherit = request.request.inherit;
        send.request.expects_response = request.request.expects_response;
        send.request.body = request.request.body.view();
        if (request.request.metadata) {
            send.request.metadata = *request.request.metadata;
        }
        std::vector<CapabilityView>& capabilities = nested_capability_views_.emplace_back();
        for (const Capability& capability : request.request.capabilities) {
            capabilities.push_back(view_of(capability));
        }
        send.request.capabilities = capabilities;
        if (request.blob) {
            send.blob = view_of(*request.blob);
        }
        send_views_.push_back(send);
    }
    view.requests = send_views_;
    return view;
}

CallStatus Instance::set_on_exit(const OnExitView& view) {
    OnExit on_exit;
    on_exit.kind = static_cast<OnExit::Kind>(view.kind);
    for (const SendView& send : view.requests) {
        ExitRequest request;
        request.target = resolve_our(copy_of(send.target), kernel_.own_node());
        request.request.inherit = send.request.inherit;
        request.request.body =
            SharedBytes(send.request.body);  // expects-response is stored as none (K-159).
        if (send.request.metadata) {
            request.request.metadata = std::string(*send.request.metadata);
        }
        for (const CapabilityView& capability : send.request.capabilities) {
            request.request.capabilities.push_back(copy_of(capability));
        }
        if (send.blob) {
            request.blob = copy_of(*send.blob);
        }
        on_exit.requests.push_back(std::move(request));
    }
    const Kernel::OwnChange change = kernel_.change_on_exit(process_, std::move(on_exit));
    learn(change.number);
    if (change.bytes_without_room == 0) {
        return CallStatus::Ready;
    }
    // The entry was taken all the same; its guest goes on when there is room (K-268).
    owes_room_ = true;
    end_slice_ = true;
    kernel_.journal().when_room(process_.facts.appender, change.bytes_without_room,
                                waker(Waiting::Room));
    return CallStatus::Pending;
}

}  // namespace perdure::kernel
