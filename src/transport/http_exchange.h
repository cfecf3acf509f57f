#pragma once

/// One request and its answer: what the connection (one thread) and the answering code (any thread)
/// share.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/guarded.h"
#include "transport/http.h"
#include "transport/http_server.h"

namespace perdure::transport {

/// What an answer needs of its connection. Each method only queues work for the connection's
/// thread. Called under the link's lock; the link is detached before the connection is gone.
class ExchangeConnection {
public:
    virtual ~ExchangeConnection() = default;
    virtual void post_response(HttpResponse response) = 0;
    virtual void post_stream_head(HttpResponse head) = 0;
    /// There is something to `take`.
    virtual void post_pump() = 0;
};

/// Bytes of a stream, framed as chunks, ready for the socket.
struct StreamBatch {
    std::string bytes;
    bool last = false;  ///< The stream ends with these bytes.
};

/// Between a connection and the copies of one responder. Neither side owns the other, hence shared
/// by both.
///
/// Invariants:
///   1. After `detach` the connection is never touched again.
///   2. `queued_bytes` counts pieces from `write` until the client has taken them, and stays within
///   its bound.
///   3. The gone function runs at most once, and never under the lock.
class ExchangeLink {
public:
    ExchangeLink(ExchangeConnection& connection, std::size_t queue_bytes_max);

    // Any thread.
    void respond(HttpResponse response);
    /// False if an answer was given before.
    bool begin_stream(HttpResponse head);
    HttpStream::Write write(std::string_view piece);
    void finish();
    void on_gone(std::function<void()> gone);
    /// The last copy of the responder is gone: without an answer, 500 is the answer; an open stream
    /// is finished.
    void abandon();

    // The connection's thread.
    /// Everything queued; `bytes` is empty and `last` false if there is nothing.
    StreamBatch take();
    /// The client has taken the last batch.
    void batch_written();
    /// The answer is over or the client gone.
    void detach();

private:
    enum class Phase : std::uint8_t { Open, Answered, Streaming, Finished };
    struct State {
        ExchangeConnection* connection = nullptr;  // null after detach
        std::size_t queue_bytes_max = 0;
        Phase phase = Phase::Open;
        std::string queue;             // chunks as they go out
        std::size_t queued_bytes = 0;  // pieces in `queue`, without framing
        std::size_t taken_bytes = 0;   // pieces on their way to the client
        bool last_taken = false;
        bool pump_posted = false;
        std::function<void()> gone;
    };
    static void pump(State& state);

    Guarded<State> state_;
};

/// What responders and streams hold; its end is the end of their copies.
class HttpExchange {
public:
    explicit HttpExchange(std::shared_ptr<ExchangeLink> link) : link_(std::move(link)) {}
    ~HttpExchange() { link_->abandon(); }
    HttpExchange(const HttpExchange&) = delete;
    HttpExchange& operator=(const HttpExchange&) = delete;

    ExchangeLink& link() { return *link_; }

private:
    std::shared_ptr<ExchangeLink> link_;
};

}  // namespace perdure::transport
