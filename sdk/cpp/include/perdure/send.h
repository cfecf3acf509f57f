#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "perdure/codec.h"
#include "perdure/message.h"
#include "perdure/result.h"

namespace perdure {

/// Sends and returns at once. If the Request expects a response, its one outcome (Response or send
/// error) comes out of `receive` with the context given here; without that, the context is dropped.
void send(const Outgoing& outgoing);

/// The same as one `send` per element, in order.
void send_all(std::span<const Outgoing> outgoing);

/// Sends and waits for the outcome of this Request. Whatever else arrives stays queued in order.
///
/// Traps if the Request expects no response or goes to this very process. `context` is not sent.
Result<IncomingResponse, SendError> send_and_await(const Outgoing& outgoing);

/// Answers the most recent Request that wanted an answer; dropped by the node if there is none.
void respond(const Response& response, const std::optional<Blob>& blob = std::nullopt);

/// Builds a Request part by part and sends it:
///
///     auto answer = RequestTo(target).body("ping").await(5s);
///     RequestTo(log).body_of(Line{7, "started"}).send();
///
/// A builder can be sent more than once.
class RequestTo {
public:
    explicit RequestTo(Address target) { outgoing_.target = std::move(target); }

    RequestTo& body(Bytes body) {
        outgoing_.request.body = std::move(body);
        return *this;
    }
    /// The body is `value` in the form of codec.h.
    template <class T>
    RequestTo& body_of(const T& value) {
        return body(encode(value));
    }
    RequestTo& metadata(std::string metadata) {
        outgoing_.request.metadata = std::move(metadata);
        return *this;
    }
    RequestTo& blob(Bytes bytes) { return blob(Blob{std::nullopt, std::move(bytes)}); }
    RequestTo& blob(Blob blob) {
        outgoing_.blob = std::move(blob);
        return *this;
    }
    /// Kept by the node and handed back with the outcome of `send_expecting`.
    RequestTo& context(Bytes context) {
        outgoing_.context = std::move(context);
        return *this;
    }
    /// Continue the Request being handled (Request::inherit).
    RequestTo& inherit() {
        outgoing_.request.inherit = true;
        return *this;
    }
    /// Gives the target a right that this process holds; others are left out by the node.
    RequestTo& attach(Capability capability) {
        outgoing_.request.capabilities.push_back(std::move(capability));
        return *this;
    }

    /// Sends; no answer is wanted.
    void send() {
        outgoing_.request.expects_response_s.reset();
        perdure::send(outgoing_);
    }
    /// Sends; the outcome comes out of `receive`, at the latest after `timeout`.
    void send_expecting(std::chrono::seconds timeout) {
        expect(timeout);
        perdure::send(outgoing_);
    }
    /// Sends and waits for the outcome.
    Result<IncomingResponse, SendError> await(std::chrono::seconds timeout) {
        expect(timeout);
        return send_and_await(outgoing_);
    }

private:
    void expect(std::chrono::seconds timeout) {
        outgoing_.request.expects_response_s =
            timeout.count() > 0 ? static_cast<std::uint64_t>(timeout.count()) : 0;
    }

    Outgoing outgoing_;
};

/// Builds a Response part by part and sends it: `Answer().body("pong").send();`
class Answer {
public:
    Answer& body(Bytes body) {
        response_.body = std::move(body);
        return *this;
    }
    template <class T>
    Answer& body_of(const T& value) {
        return body(encode(value));
    }
    Answer& metadata(std::string metadata) {
        response_.metadata = std::move(metadata);
        return *this;
    }
    Answer& blob(Bytes bytes) { return blob(Blob{std::nullopt, std::move(bytes)}); }
    Answer& blob(Blob blob) {
        blob_ = std::move(blob);
        return *this;
    }
    /// Carry the blob being handled (Response::inherit).
    Answer& inherit() {
        response_.inherit = true;
        return *this;
    }
    Answer& attach(Capability capability) {
        response_.capabilities.push_back(std::move(capability));
        return *this;
    }
    void send() { respond(response_, blob_); }

private:
    Response response_;
    std::optional<Blob> blob_;
};

}  // namespace perdure
