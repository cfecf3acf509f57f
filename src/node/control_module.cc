#include "node/control_module.h"

#include <chrono>
#include <memory>
#include <utility>

namespace perdure::node {

void ControlModule::handle(kernel::IncomingRequest request) {
    kernel_.print(2,
                  "Request of " + request.source->printed +
                      " to the terminal: nobody reads it in this version",
                  request.seen);
    kernel_.refuse(request.reply, request.seen);
}

void ControlModule::send(const ProcessId& target, SendCommand command, SendDone done) {
    const Address address{kernel_.own_node(), target};
    kernel_.grant(id_, {{messaging_of(address), GrantCause::Module, {}, {}, {}}});
    Request request;
    request.body = command.body;
    request.expects_response = command.timeout_seconds;
    std::optional<Blob> blob;
    if (command.blob) {
        blob = Blob{command.blob_mime, *command.blob};
    }
    const bool waits = command.timeout_seconds.has_value();
    Result<std::uint64_t> sent = [&] {
        auto waiting = waiting_.lock();
        auto taken = kernel_.send(*this, address, std::move(request), std::move(blob), {});
        if (taken && waits) {
            waiting->emplace(*taken, done);
        }
        return taken;
    }();
    if (!sent) {
        const SequenceNumber now = kernel_.table().snapshot()->changed();
        if (sent.error().code() == ErrorCode::Overloaded) {
            SendAnswer full;
            full.outcome = SendAnswer::Outcome::Timeout;
            full.reason = sent.error().message();
            done(Seen<SendAnswer>(std::move(full), now));
        } else {
            done(std::move(sent).error());
        }
        return;
    }
    if (!waits) {
        done(Seen<SendAnswer>(SendAnswer{}, {}));
        return;
    }
    const std::uint64_t id = *sent;
    const MonotonicTime deadline = deadline_after(
        kernel_.clock().monotonic_now(), *command.timeout_seconds, std::chrono::seconds(1));
    kernel_.run_at(deadline, [this, id, target] { time_out(id, target); });
}

void ControlModule::time_out(std::uint64_t id, const ProcessId& target) {
    auto waiting = waiting_.lock()->extract(id);
    if (waiting.empty()) {
        return;
    }
    SendAnswer answer;
    answer.outcome = SendAnswer::Outcome::Timeout;
    answer.reason =
        to_string(target) +
        " has not answered in time; it may be busy, wait for something else, or not answer "
        "such messages (perdure ps, perdure logs)";
    waiting.mapped()(Seen<SendAnswer>(std::move(answer), {}));
}

void ControlModule::handle(kernel::IncomingResponse response) {
    auto waiting = waiting_.lock()->extract(response.id);
    if (waiting.empty()) {
        return;
    }
    SendAnswer answer;
    answer.outcome = SendAnswer::Outcome::Response;
    answer.body = response.response.body;
    if (response.blob) {
        answer.blob = response.blob->bytes;
        answer.blob_mime = response.blob->mime;
    }
    waiting.mapped()(Seen<SendAnswer>(std::move(answer), response.seen));
}

}  // namespace perdure::node
