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
    const std::uint64_t starts = starts_of(target).value_or(0);
    Result<std::uint64_t> sent = [&] {
        auto waiting = waiting_.lock();
        auto taken = kernel_.send(*this, address, std::move(request), std::move(blob), {});
        if (taken && waits) {
            waiting->emplace(*taken, Waiter{target, starts, done});
        }
        return taken;
    }();
    if (!sent) {
        const SequenceNumber now = kernel_.table().snapshot()->changed();
        if (sent.error().code() == ErrorCode::Overloaded) {
            SendAnswer full;
            full.outcome = SendAnswer::Outcome::Refused;
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
    kernel_.run_at(deadline, [this, id] { time_out(id); });
}

std::optional<std::uint64_t> ControlModule::starts_of(const ProcessId& target) const {
    const auto table = kernel_.table().snapshot();
    const kernel::TableEntry* entry = table->find(target, kernel_.own_node());
    return entry == nullptr ? std::nullopt : std::optional(entry->process->counters.starts.load());
}

void ControlModule::time_out(std::uint64_t id) {
    auto waiting = waiting_.lock()->extract(id);
    if (waiting.empty()) {
        return;
    }
    const Waiter& waiter = waiting.mapped();
    const std::string name = to_string(waiter.target);
    const auto starts = starts_of(waiter.target);
    const SequenceNumber now = kernel_.table().snapshot()->changed();
    SendAnswer answer;
    answer.outcome = SendAnswer::Outcome::Timeout;
    if (!starts) {
        answer.reason = name + " ended before it answered (perdure logs)";
    } else if (*starts != waiter.starts) {
        answer.reason = name + " was started anew before it answered (perdure logs " + name + ")";
    } else {
        answer.reason =
            name +
            " has not answered in time; it may be busy, wait for something else, or not answer "
            "such messages (perdure ps, perdure logs)";
    }
    waiter.done(Seen<SendAnswer>(std::move(answer), now));
}

void ControlModule::handle(kernel::RefusedRequest request) {
    auto waiting = waiting_.lock()->extract(request.id);
    if (waiting.empty()) {
        return;
    }
    SendAnswer answer;
    answer.outcome = SendAnswer::Outcome::Refused;
    answer.reason = to_string(waiting.mapped().target) +
                    " has no answer to this Request; what was wrong with it is in its prints "
                    "(perdure logs --verbosity 2)";
    waiting.mapped().done(Seen<SendAnswer>(std::move(answer), request.seen));
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
    waiting.mapped().done(Seen<SendAnswer>(std::move(answer), response.seen));
}

}  // namespace perdure::node
