/// What a guest receives: handing over elements and the variables that follow from it (K-25 to
/// K-31, K-46 to K-49).

#include "base/check.h"
#include "kernel/instance.h"
#include "kernel/kernel.h"
#include "kernel/process.h"
#include "kernel/worker.h"

namespace perdure::kernel {

bool Instance::waits_in_receive() const {
    return process_.waiting.load(std::memory_order_relaxed) == Waiting::Receive;
}

CallStatus Instance::receive(Resume, DeliveryView& out) {
    std::unique_ptr<Envelope> envelope = process_.mailbox.take();
    if (envelope == nullptr) {
        process_.waiting.store(Waiting::Receive, std::memory_order_relaxed);
        return CallStatus::Pending;
    }
    process_.waiting.store(Waiting::No, std::memory_order_relaxed);
    hand_over(std::move(envelope), out);
    return CallStatus::Ready;
}

CallStatus Instance::send_and_await(Resume resume, const SendView* send, DeliveryView& out) {
    if (resume == Resume::First) {
        if (!send->request.expects_response) {
            return fault(process_.self->printed +
                         " awaited a Request that expects no Response; set expects-response to a "
                         "number of seconds");
        }
        AddressView target = send->target;
        if (target.node == kOurNode) {
            target.node = kernel_.own_node();
        }
        if (same_address(target, process_.self->address)) {
            return fault(process_.self->printed +
                         " awaited a Request to itself, which could never be answered");
        }
        SendView without_context = *send;
        without_context.context.reset();  // K-53
        send_one(without_context, SendPurpose::Await);
    }
    if (awaited_ == nullptr) {
        process_.waiting.store(Waiting::Await, std::memory_order_relaxed);
        return CallStatus::Pending;
    }
    process_.waiting.store(Waiting::No, std::memory_order_relaxed);
    awaiting_.reset();
    std::unique_ptr<Envelope> envelope = std::move(awaited_);
    process_.room.release(1, envelope->counted_bytes());
    hand_over(std::move(envelope), out);
    return CallStatus::Ready;
}

void Instance::arrive_response(std::unique_ptr<Envelope> envelope) {
    const auto found = outstanding_.find(envelope->id);
    if (found == outstanding_.end()) {
        kernel_.trace_drop("response_not_outstanding", *envelope);
        return;
    }
    worker_.deadlines().disarm(*found->second);
    envelope->outcome = std::move(found->second->outcome);
    outstanding_.erase(found);
    take_outcome(std::move(envelope));
}

void Outstanding::due() {
    owner->fail(id, SendErrorKind::Timeout, std::nullopt);
}

void Instance::fail(std::uint64_t id, SendErrorKind kind, const std::optional<Capability>& mark) {
    const auto found = outstanding_.find(id);
    CHECK(found != outstanding_.end(), "failed a Request that is not outstanding");
    Outstanding& entry = *found->second;
    worker_.deadlines().disarm(entry);
    auto envelope = std::make_unique<Envelope>();
    envelope->kind = Envelope::Kind::SendError;
    envelope->error_kind = kind;
    envelope->id = id;
    envelope->peer = entry.target;
    envelope->content = entry.content;
    if (mark) {
        Request marked = *entry.content->request();
        marked.capabilities.push_back(*mark);
        envelope->content = make_ref<const Content>(Message(std::move(marked)));
    }
    envelope->blob = std::move(entry.blob);
    envelope->seen = seen();
    envelope->outcome = std::move(entry.outcome);
    outstanding_.erase(found);
    take_outcome(std::move(envelope));
}

void Instance::refuse(std::uint64_t id, SequenceNumber seen) {
    if (outstanding_.contains(id)) {
        learn(seen);
        fail(id, SendErrorKind::Timeout, std::nullopt);
    }
}

void Instance::take_outcome(std::unique_ptr<Envelope> envelope) {
    process_.counters.outstanding.store(outstanding_.size(), std::memory_order_relaxed);
    process_.room.take_outcome(envelope->counted_bytes());
    envelope->target = {};
    if (awaiting_ && *awaiting_ == envelope->id) {
        awaited_ = std::move(envelope);
        worker_.wake(process_);
        return;
    }
    if (kernel_.faults().outcome_twice) {
        auto again = std::make_unique<Envelope>();
        again->kind = envelope->kind;
        again->error_kind = envelope->error_kind;
        again->id = envelope->id;
        again->peer = envelope->peer;
        again->content = envelope->content;
        again->seen = envelope->seen;
        again->outcome = envelope->outcome;
        process_.room.take_always(1, again->counted_bytes());
        process_.mailbox.push(std::move(again));
    }
    process_.mailbox.push(std::move(envelope));
    if (waits_in_receive()) {
        worker_.wake(process_);
    }
}

void Instance::become_current(const Envelope& envelope) {
    switch (envelope.kind) {
        case Envelope::Kind::Request: {
            current_blob_ = envelope.blob;
            inheritable_ = envelope.blob;
            const bool answerable = envelope.content->request()->expects_response.has_value() ||
                                    static_cast<bool>(envelope.reply_to);
            if (answerable) {
                prompt_ =
                    Prompt{envelope.id, envelope.reply_to ? envelope.reply_to : envelope.peer};
                lineage_ = prompt_;
            } else {
                lineage_.reset();
            }
            break;
        }
        case Envelope::Kind::Response:
            prompt_ = envelope.outcome->saved.prompt;
            lineage_ = envelope.outcome->saved.lineage;
            current_blob_ = envelope.blob;
            inheritable_ = envelope.blob ? envelope.blob : envelope.outcome->saved.inheritable;
            break;
        case Envelope::Kind::SendError:
            prompt_ = envelope.outcome->saved.prompt;
            lineage_ = envelope.outcome->saved.lineage;
            current_blob_.reset();
            inheritable_ = envelope.outcome->saved.inheritable;
            return;
    }
    if (envelope.blob) {
        last_blob_ = envelope.blob;
    }
}

void Instance::show_content(const Content& content, DeliveryView& out) {
    capability_views_.clear();
    for (const Capability& capability : content.capabilities()) {
        capability_views_.push_back(view_of(capability));
    }
    if (const Request* request = content.request()) {
        out.request.inherit = request->inherit;
        out.request.expects_response = request->expects_response;
        out.request.body = request->body.view();
        if (request->metadata) {
            out.request.metadata = *request->metadata;
        }
        out.request.capabilities = capability_views_;
        return;
    }
    const Response& response = *content.response();
    out.response.inherit = response.inherit;
    out.response.body = response.body.view();
    if (response.metadata) {
        out.response.metadata = *response.metadata;
    }
    out.response.capabilities = capability_views_;
}

void Instance::hand_over(std::unique_ptr<Envelope> envelope, DeliveryView& out) {
    learn(envelope->seen);
    become_current(*envelope);
    out = DeliveryView{};
    out.peer = view_of(envelope->peer->address);
    show_content(*envelope->content, out);
    if (envelope->outcome && envelope->outcome->context) {
        out.context = envelope->outcome->context->view();
    }
    switch (envelope->kind) {
        case Envelope::Kind::Request: out.kind = DeliveryView::Kind::Request; break;
        case Envelope::Kind::Response: out.kind = DeliveryView::Kind::Response; break;
        case Envelope::Kind::SendError:
            out.kind = envelope->error_kind == SendErrorKind::Offline ? DeliveryView::Kind::Offline
                                                                      : DeliveryView::Kind::Timeout;
            out.failed_response = envelope->content->response() != nullptr;
            if (envelope->blob) {
                out.blob = view_of(*envelope->blob);
            }
            break;
    }
    current_ = std::move(envelope);
}

CallStatus Instance::get_blob(Resume, BlobOf which, std::optional<BlobView>& out) {
    const std::optional<Blob>& blob = which == BlobOf::CurrentMessage ? current_blob_ : last_blob_;
    if (blob) {
        out = view_of(*blob);
    } else {
        out.reset();
    }
    return CallStatus::Ready;
}

}  // namespace perdure::kernel
