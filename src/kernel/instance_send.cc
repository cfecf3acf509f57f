/// What a guest sends: the table of K-32, the checks of K-64 in their order, and the errors that
/// come back at once.

#include <algorithm>

#include "base/check.h"
#include "kernel/instance.h"
#include "kernel/kernel.h"
#include "kernel/process.h"
#include "kernel/worker.h"

namespace perdure::kernel {

namespace {

std::optional<SharedBytes> context_of(const SendView& send) {
    return send.context ? std::optional(SharedBytes(*send.context)) : std::nullopt;
}

}  // namespace

CallStatus Instance::send_requests(std::span<const SendView> sends) {
    for (const SendView& send : sends) {
        end_slice_ = send_one(send, SendPurpose::Queue).past_half || end_slice_;
    }
    return end_slice_ ? CallStatus::Pending : CallStatus::Ready;
}

std::uint64_t Instance::new_id() {
    std::uint64_t id = worker_.random().next_u64();
    while (outstanding_.contains(id)) {
        id = worker_.random().next_u64();
    }
    return id;
}

Instance::Sent Instance::send_one(const SendView& send, SendPurpose purpose) {
    AddressView target = send.target;
    if (target.node == kOurNode) {
        target.node = kernel_.own_node();  // K-12
    }
    const Route& route = worker_.route(process_, targets_, target);
    learn(route.number);
    const RequestView& request = send.request;
    const bool expects = request.expects_response.has_value();

    bool silent = false;
    const std::optional<Capability> mark = refusal(route, send, silent);
    const bool refused = silent || mark || route.verdict != Verdict::Allowed;
    if (refused && !expects && route.verdict != Verdict::Unreachable) {
        return {};
    }

    Request stored;
    stored.inherit = request.inherit;
    stored.expects_response = request.expects_response;
    stored.body = SharedBytes(request.body);
    if (request.metadata) {
        stored.metadata = std::string(*request.metadata);
    }
    // Nothing that a guest attaches travels in this version: it arrives as if it were not held
    // (K-107).
    auto content = make_ref<const Content>(Message(std::move(stored)));
    std::optional<Blob> blob;
    if (send.blob) {
        blob = copy_of(*send.blob);
    } else if (request.inherit) {
        blob = inheritable_;
    }

    Sent sent;
    Ref<const Party> reply_to;
    if (expects) {
        sent.id = new_id();
        reply_to = process_.self;
        if (purpose == SendPurpose::Await) {
            awaiting_ = sent.id;  // Before anything can end it.
        }
    } else if (request.inherit && lineage_) {
        sent.id = lineage_->id;
        reply_to = lineage_->reply_to;
    } else {
        sent.id = new_id();
    }

    if (expects) {
        auto outstanding = std::make_unique<Outstanding>();
        outstanding->owner = this;
        outstanding->id = sent.id;
        outstanding->target = route.party;
        outstanding->content = content;
        outstanding->blob = blob;
        outstanding->outcome = {context_of(send), saved_variables()};
        const MonotonicTime deadline = deadline_after(
            kernel_.clock().monotonic_now(), *request.expects_response, std::chrono::seconds(1));
        worker_.deadlines().arm(*outstanding, deadline);
        outstanding_.emplace(sent.id, std::move(outstanding));
        process_.room.reserve_outcome();
        process_.counters.outstanding.store(outstanding_.size(), std::memory_order_relaxed);
    }
    if (route.verdict == Verdict::Unreachable) {
        if (expects) {
            fail(sent.id, SendErrorKind::Offline, std::nullopt);
        } else {
            return_message(route.party, std::move(content), std::move(blob), context_of(send),
                           SendErrorKind::Offline);
        }
        return sent;
    }
    if (refused) {
        fail(sent.id, SendErrorKind::Timeout, mark);
        return sent;
    }

    auto envelope = std::make_unique<Envelope>();
    envelope->kind = Envelope::Kind::Request;
    envelope->id = sent.id;
    envelope->peer = process_.self;
    envelope->reply_to = std::move(reply_to);
    envelope->content = std::move(content);
    envelope->blob = std::move(blob);
    envelope->seen = seen();
    envelope->target = route.process;
    const Room room = route.process->room.reserve(envelope->counted_bytes());
    if (room == Room::Refused) {
        const MailboxRoom& full = route.process->room;
        sent.past_half =
            full.past_half();  // Also whoever floods a full mailbox lets its reader run.
        if (!expects) {
            kernel_.note_refused(*route.process);
        } else {
            fail(sent.id, SendErrorKind::Timeout,
                 make_refusal_mark(kernel_.own_node(), FullMailbox{route.party->address,
                                                                   full.messages(), full.bytes()}));
        }
        return sent;
    }
    sent.past_half = room == Room::PastHalf;
    worker_.deliver(std::move(envelope));
    if (expects && *request.expects_response == 0) {
        fail(sent.id, SendErrorKind::Timeout,
             std::nullopt);  // K-58: even if the target answers at once.
    }
    return sent;
}

std::optional<Capability> Instance::refusal(const Route& route, const SendView& send,
                                            bool& silent) {
    const bool expects = send.request.expects_response.has_value();
    if (auto missing = missing_capability(route, kernel_.own_node())) {
        if (!expects) {
            kernel_.note_denial(*process_.self, *route.party, *missing, seen());
        }
        return make_denial_mark(kernel_.own_node(), *missing);
    }
    if (route.verdict == Verdict::Absent) {
        silent = true;
        if (!expects) {
            kernel_.print(2,
                          process_.self->printed + ": message to " + route.party->printed +
                              " dropped: no such process",
                          seen());
        }
        return std::nullopt;
    }
    const std::uint64_t blob_bytes = send.blob ? send.blob->bytes.size() : 0;
    if (send.request.body.size() > kernel_.limits().message_body_bytes_max ||
        blob_bytes > kernel_.limits().message_blob_bytes_max) {
        silent = true;
        if (!expects) {
            kernel_.print(0,
                          process_.self->printed + ": message to " + route.party->printed +
                              " dropped: body of " + std::to_string(send.request.body.size()) +
                              " bytes with a blob of " + std::to_string(blob_bytes) +
                              " is above message_body_bytes_max or "
                              "message_blob_bytes_max",
                          seen());
        }
        return std::nullopt;
    }
    if (expects && (outstanding_.size() >= kernel_.limits().outstanding_max ||
                    process_.room.above_byte_bound())) {
        return make_refusal_mark(kernel_.own_node(), TooMuchOutstanding{outstanding_.size()});
    }
    return std::nullopt;
}

void Instance::return_message(const Ref<const Party>& target, Ref<const Content> content,
                              std::optional<Blob> blob, std::optional<SharedBytes> context,
                              SendErrorKind kind) {
    auto envelope = std::make_unique<Envelope>();
    envelope->kind = Envelope::Kind::SendError;
    envelope->error_kind = kind;
    envelope->peer = target;
    envelope->content = std::move(content);
    envelope->blob = std::move(blob);
    envelope->seen = seen();
    envelope->outcome = OutcomeOf{std::move(context), saved_variables()};
    // Nothing was reserved for this one (K-67): a process that does not read its errors loses the
    // newest.
    if (process_.room.reserve(envelope->counted_bytes()) == Room::Refused) {
        kernel_.note_refused(process_);
        return;
    }
    process_.mailbox.push(std::move(envelope));
}

CallStatus Instance::send_response(const ResponseView& response,
                                   const std::optional<BlobView>& blob) {
    if (!prompt_) {
        kernel_.print(0,
                      process_.self->printed + ": Response dropped: there is no Request to answer",
                      seen());
        return CallStatus::Ready;
    }
    const std::uint64_t blob_bytes = blob ? blob->bytes.size() : 0;
    if (response.body.size() > kernel_.limits().message_body_bytes_max ||
        blob_bytes > kernel_.limits().message_blob_bytes_max) {
        kernel_.print(0,
                      process_.self->printed + ": Response dropped: body of " +
                          std::to_string(response.body.size()) + " bytes with a blob of " +
                          std::to_string(blob_bytes) +
                          " is above message_body_bytes_max or message_blob_bytes_max",
                      seen());
        return CallStatus::Ready;
    }
    Response stored;
    stored.inherit = response.inherit;
    stored.body = SharedBytes(response.body);
    if (response.metadata) {
        stored.metadata = std::string(*response.metadata);
    }
    auto envelope = std::make_unique<Envelope>();
    envelope->kind = Envelope::Kind::Response;
    envelope->id = prompt_->id;
    envelope->peer = process_.self;
    envelope->content = make_ref<const Content>(Message(std::move(stored)));
    if (blob) {
        envelope->blob = copy_of(*blob);
    } else if (response.inherit) {
        envelope->blob = inheritable_;
    }
    envelope->seen = seen();
    const Room room = worker_.deliver_response(std::move(envelope), *prompt_->reply_to);
    end_slice_ = end_slice_ || room == Room::PastHalf;
    return end_slice_ ? CallStatus::Pending : CallStatus::Ready;
}

}  // namespace perdure::kernel
