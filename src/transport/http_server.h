#pragma once

/// An HTTP/1.1 server on a Unix socket, a TCP port or both, with one thread of its own.
///
/// It reads whole requests within limits, hands them to one handler and writes what the responder
/// is given, whenever that comes and from whatever thread. It knows no routes and no policy.
///
///   connection:  idle --first byte--> reading --whole request--> answering --last byte--> idle |
///   closed
///                                        |                          |
///                                        +-- limit, malformed: 4xx  +-- stream: chunks until
///                                        finish or client gone
///
/// Invariants:
///   1. Every request is answered exactly once; a responder dropped without an answer answers 500.
///   2. What waits for one client is bounded and never delays another client.
///   3. After `stop` returned, no handler runs or will run and every connection is closed;
///   responders and streams that
///      are still held are harmless.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "transport/http.h"

namespace perdure::transport {

class HttpExchange;

/// The rest of an answer that goes out piece by piece (chunked). Copies share one stream, hence no
/// single owner. Thread: any.
class HttpStream {
public:
    enum class Write : std::uint8_t {
        Taken,
        Full,  ///< `http_stream_queue_bytes_max` are waiting; nothing was taken. Drop it or try
               ///< later.
        Gone,  ///< The client has left or the server is stopping: nothing will ever be taken again.
    };

    explicit HttpStream(std::shared_ptr<HttpExchange> exchange) : exchange_(std::move(exchange)) {}

    /// Queues `piece`; never blocks. A piece is taken whole or not at all; one larger than the
    /// bound never is.
    Write write(std::string_view piece);
    /// Ends the answer after what is queued. Later writes answer Gone.
    void finish();
    /// Calls `gone` once when the client leaves, the server stops or the stream has finished; at
    /// once if that is past. On the server's thread or the caller's. At most one function per
    /// stream.
    void on_gone(std::function<void()> gone);

private:
    std::shared_ptr<HttpExchange> exchange_;
};

/// Answers one request, once; the first answer counts. Copies share the request, hence no single
/// owner. Thread: any.
class HttpResponder {
public:
    explicit HttpResponder(std::shared_ptr<HttpExchange> exchange)
        : exchange_(std::move(exchange)) {}

    void respond(HttpResponse response) const;
    /// Sends status and headers of `head` (its body is ignored) and goes on with the stream.
    HttpStream begin_stream(HttpResponse head) const;

private:
    std::shared_ptr<HttpExchange> exchange_;
};

/// Runs on the server's thread, one at a time: it must not block and must not throw.
using HttpHandler = std::function<void(HttpRequest, HttpResponder)>;

struct HttpServerOptions {
    std::optional<std::string>
        unix_path;  ///< Made with mode 0600; a stale socket file there is replaced.
    std::optional<std::uint16_t> tcp_port;  ///< 0: any free port.
    std::string tcp_address = "127.0.0.1";
    HttpLimits limits;
    std::string thread_name = "http";  ///< At most 15 bytes.
};

class HttpServer {
public:
    /// Opens the listeners; nothing is accepted before `start`. `clock` outlives the server.
    /// Errors: AlreadyExists (port in use, or a living server on the socket), InvalidInput (path
    /// too long, bad address), Io.
    static Result<std::unique_ptr<HttpServer>> open(HttpServerOptions options, const Clock& clock,
                                                    HttpHandler handler);
    /// Stops if need be.
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    void start();
    /// Takes no new requests, lets answers under way leave for at most `http_stop_timeout`, ends
    /// streams, closes the rest and removes the socket file. Idempotent. Thread: any but the
    /// server's own.
    void stop();

    /// The port listened on; 0 without TCP.
    std::uint16_t tcp_port() const;
    /// Connections open now. Thread: any.
    std::size_t connections() const;

private:
    class Core;
    explicit HttpServer(std::shared_ptr<Core> core);
    /// Shared with connections, whose last handlers may run while `stop` waits for them.
    std::shared_ptr<Core> core_;
};

}  // namespace perdure::transport
