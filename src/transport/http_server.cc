/// Asio and Beast live here: one io_context, one thread, one `Connection` per socket.
///
/// Everything below runs on the server's thread except `HttpServer`'s own methods and the three
/// `post_…` methods. Deadlines are points on the injected clock, looked at by a sweep, so that a
/// test moves time by hand.

#include "transport/http_server.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <set>
#include <thread>
#include <utility>

#include "transport/http_exchange.h"
#include "transport/listen_socket.h"

namespace perdure::transport {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;

namespace {

class Connection;

/// What a connection needs of its server.
class ConnectionOwner {
public:
    virtual ~ConnectionOwner() = default;
    virtual asio::io_context& io() = 0;
    virtual const HttpLimits& limits() const = 0;
    virtual MonotonicTime now() const = 0;
    virtual bool stopping() const = 0;
    virtual void handle(HttpRequest request, HttpResponder responder) = 0;
    virtual void closed(const std::shared_ptr<Connection>& connection) = 0;
};

/// Phases: Idle → Reading → Answering → Writing → Idle, or Streaming, or Lingering → Closed.
class Connection final : public ExchangeConnection,
                         public std::enable_shared_from_this<Connection> {
public:
    enum class Phase : std::uint8_t {
        Idle,
        Reading,
        Answering,
        Writing,
        Streaming,
        Lingering,
        Closed
    };

    Connection(ConnectionOwner& owner, Socket socket) : owner_(owner), socket_(std::move(socket)) {}

    Phase phase() const { return phase_; }
    MonotonicTime deadline() const { return deadline_; }

    void wait_for_request();
    void check_deadline(MonotonicTime now);
    /// The server stops: streams end, idle connections close, answers under way may leave.
    void begin_stop();
    void close();

    void post_response(HttpResponse response) override {
        asio::post(owner_.io(),
                   [self = shared_from_this(), response = std::move(response)]() mutable {
                       self->write_response(std::move(response));
                   });
    }
    void post_stream_head(HttpResponse head) override {
        asio::post(owner_.io(), [self = shared_from_this(), head = std::move(head)] {
            self->write_stream_head(head);
        });
    }
    void post_pump() override {
        asio::post(owner_.io(), [self = shared_from_this()] { self->pump(); });
    }

private:
    void read_head();
    void on_head(error_code failure);
    void read_body();
    void on_request(error_code failure);
    void refuse(error_code failure);
    void write_response(HttpResponse response);
    void write_stream_head(const HttpResponse& head);
    void watch_for_gone();
    void pump();
    void send(std::string bytes, std::string body, void (Connection::*next)());
    void send_some();
    void response_sent();
    void batch_sent();
    void linger();
    void release_link();
    void expire_in(std::chrono::milliseconds time) { deadline_ = owner_.now() + time; }

    ConnectionOwner& owner_;
    Socket socket_;
    boost::beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    std::shared_ptr<ExchangeLink> link_;  // of the request under way
    Phase phase_ = Phase::Idle;
    MonotonicTime deadline_ = MonotonicTime::max();
    bool keep_alive_ = false;
    bool head_only_ = false;
    bool timed_out_ = false;
    // What is being sent: head or chunks, then the body; `sent_` counts over both.
    std::string out_;
    std::string out_body_;
    std::size_t sent_ = 0;
    bool sending_ = false;
    bool last_batch_ = false;
    void (Connection::*after_send_)() = nullptr;
    std::array<char, 4096> scratch_;
};

void Connection::wait_for_request() {
    if (owner_.stopping()) {
        return close();
    }
    phase_ = Phase::Idle;
    expire_in(owner_.limits().http_idle_timeout);
    if (buffer_.size() != 0) {
        return read_head();
    }
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code failure) {
        if (failure || self->phase_ != Phase::Idle) {
            return self->close();
        }
        self->read_head();
    });
}

void Connection::read_head() {
    phase_ = Phase::Reading;
    expire_in(owner_.limits().http_request_timeout);
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(owner_.limits().http_header_bytes_max));
    parser_->body_limit(owner_.limits().http_body_bytes_max);
    http::async_read_header(
        socket_, buffer_, *parser_,
        [self = shared_from_this()](error_code failure, std::size_t header_bytes) {
            // Beast's own limit leaves the request line out.
            if (!failure && header_bytes > self->owner_.limits().http_header_bytes_max) {
                failure = http::error::header_limit;
            }
            self->on_head(failure);
        });
}

void Connection::on_head(error_code failure) {
    if (failure || phase_ == Phase::Closed) {
        return refuse(failure);
    }
    if (!boost::beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
        return read_body();
    }
    send("HTTP/1.1 100 Continue\r\n\r\n", {}, &Connection::read_body);
}

void Connection::read_body() {
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](error_code failure, std::size_t) {
                         self->on_request(failure);
                     });
}

void Connection::on_request(error_code failure) {
    if (failure || phase_ == Phase::Closed) {
        return refuse(failure);
    }
    auto message = parser_->release();
    parser_.reset();
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == http::verb::head;
    HttpRequest request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    for (const auto& field : message) {
        request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    request.body = std::move(message.body());
    phase_ = Phase::Answering;
    deadline_ = MonotonicTime::max();
    link_ = std::make_shared<ExchangeLink>(*this, owner_.limits().http_stream_queue_bytes_max);
    owner_.handle(std::move(request), HttpResponder(std::make_shared<HttpExchange>(link_)));
}

/// Answers what could not be read, if somebody is there to hear it.
void Connection::refuse(error_code failure) {
    unsigned status = 400;
    std::string text = "malformed request: " + failure.message() + "\n";
    if (phase_ == Phase::Closed || failure == http::error::end_of_stream ||
        failure == http::error::partial_message) {
        return close();
    }
    if (timed_out_) {
        status = 408;
        text = "the request did not arrive in time\n";
    } else if (failure == http::error::header_limit || failure == http::error::buffer_overflow) {
        status = 431;
        text = "request line and headers exceed http_header_bytes_max\n";
    } else if (failure == http::error::body_limit) {
        status = 413;
        text = "the body exceeds http_body_bytes_max\n";
    } else if (failure.category() != make_error_code(http::error::bad_method).category()) {
        return close();  // the socket failed
    }
    keep_alive_ = false;
    head_only_ = false;  // what is left from the request before says nothing of this one
    write_response(
        {.status = status, .headers = {{"Content-Type", "text/plain"}}, .body = std::move(text)});
}

template <typename Message>
std::string head_text(const Message& message) {
    // The serializer of Beast writes to sockets; a head is small enough to be text first.
    std::string text = "HTTP/1.1 " + std::to_string(message.result_int()) + " " +
                       std::string(message.reason()) + "\r\n";
    for (const auto& field : message) {
        text.append(field.name_string()).append(": ").append(field.value()).append("\r\n");
    }
    return text + "\r\n";
}

http::response<http::empty_body> make_head(const HttpResponse& response, bool keep_alive) {
    http::response<http::empty_body> head;
    head.version(11);
    head.result(response.status);
    for (const HttpHeader& header : response.headers) {
        head.insert(header.name, header.value);
    }
    head.set(http::field::connection, keep_alive ? "keep-alive" : "close");
    return head;
}

void Connection::write_response(HttpResponse response) {
    if (phase_ == Phase::Closed) {
        return;
    }
    phase_ = Phase::Writing;
    keep_alive_ = keep_alive_ && !owner_.stopping();
    auto head = make_head(response, keep_alive_);
    head.content_length(response.body.size());
    send(head_text(head), head_only_ ? std::string() : std::move(response.body),
         &Connection::response_sent);
}

void Connection::write_stream_head(const HttpResponse& head_in) {
    if (phase_ == Phase::Closed) {
        return;
    }
    if (owner_.stopping()) {
        return close();  // streams have no end that could be waited for
    }
    phase_ = Phase::Streaming;
    keep_alive_ = false;  // chunks need no length, and a finished stream has nothing more to say
    auto head = make_head(head_in, false);
    head.chunked(true);
    send(head_text(head), {}, &Connection::batch_sent);
    watch_for_gone();
}

/// A streaming client says nothing more; whatever becomes readable means that it has left.
void Connection::watch_for_gone() {
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code) {
        if (self->phase_ == Phase::Streaming) {
            self->close();
        }
    });
}

void Connection::pump() {
    if (phase_ != Phase::Streaming || sending_ || !link_) {
        return;
    }
    StreamBatch batch = link_->take();
    last_batch_ = batch.last;
    if (!batch.bytes.empty()) {
        send(std::move(batch.bytes), {}, &Connection::batch_sent);
    }
}

void Connection::batch_sent() {
    link_->batch_written();
    deadline_ = MonotonicTime::max();
    if (last_batch_) {
        return linger();
    }
    pump();
}

void Connection::response_sent() {
    release_link();
    if (keep_alive_) {
        return wait_for_request();
    }
    linger();
}

void Connection::send(std::string bytes, std::string body, void (Connection::*next)()) {
    out_ = std::move(bytes);
    out_body_ = std::move(body);
    sent_ = 0;
    sending_ = true;
    after_send_ = next;
    send_some();
}

void Connection::send_some() {
    expire_in(owner_.limits().http_write_timeout);
    const std::size_t head_sent = std::min(sent_, out_.size());
    const std::array<asio::const_buffer, 2> rest = {asio::buffer(out_) + head_sent,
                                                    asio::buffer(out_body_) + (sent_ - head_sent)};
    socket_.async_write_some(rest,
                             [self = shared_from_this()](error_code failure, std::size_t count) {
                                 self->sent_ += count;
                                 if (failure || self->phase_ == Phase::Closed) {
                                     return self->close();
                                 }
                                 if (self->sent_ < self->out_.size() + self->out_body_.size()) {
                                     return self->send_some();
                                 }
                                 self->sending_ = false;
                                 (*self.*self->after_send_)();
                             });
}

/// Closing with unread bytes in the socket would take the answer from the client: read until it
/// closes, or its time for one request is over.
void Connection::linger() {
    if (phase_ != Phase::Lingering) {
        release_link();
        phase_ = Phase::Lingering;
        expire_in(owner_.limits().http_request_timeout);
        error_code ignored;
        socket_.shutdown(Socket::shutdown_send, ignored);
        if (owner_.stopping()) {
            return close();
        }
    }
    socket_.async_read_some(asio::buffer(scratch_),
                            [self = shared_from_this()](error_code failure, std::size_t) {
                                if (failure || self->phase_ == Phase::Closed) {
                                    return self->close();
                                }
                                self->linger();
                            });
}

void Connection::check_deadline(MonotonicTime now) {
    if (now < deadline_) {
        return;
    }
    if (phase_ == Phase::Reading && !timed_out_) {
        timed_out_ = true;  // the read ends with an error and `refuse` answers
        deadline_ = MonotonicTime::max();
        error_code ignored;
        socket_.cancel(ignored);
        return;
    }
    close();
}

void Connection::begin_stop() {
    if (phase_ != Phase::Answering && phase_ != Phase::Writing) {
        close();
    }
}

void Connection::release_link() {
    if (const auto link = std::exchange(link_, nullptr)) {
        link->detach();
    }
}

void Connection::close() {
    if (phase_ == Phase::Closed) {
        return;
    }
    phase_ = Phase::Closed;
    release_link();
    error_code ignored;
    socket_.close(ignored);
    owner_.closed(shared_from_this());
}

/// A listening socket of either kind, with the one accepted socket that found the house full.
class Listener {
public:
    Listener(asio::io_context& io, int handle) : descriptor_(io, handle) {}

    /// Calls `ready` when somebody knocks.
    void wait(std::function<void()> ready) {
        waiting = true;
        descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                               [this, ready = std::move(ready)](error_code failure) {
                                   waiting = false;
                                   if (!failure) {
                                       ready();
                                   }
                               });
    }
    /// Nothing if nobody is there any more or no descriptor is free.
    std::optional<Socket> accept() {
        sockaddr_storage from;
        socklen_t size = sizeof from;
        const int handle = ::accept4(descriptor_.native_handle(),
                                     reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC);
        if (handle < 0) {
            return std::nullopt;
        }
        Socket socket(descriptor_.get_executor());
        error_code failure;
        socket.assign(asio::generic::stream_protocol(from.ss_family, 0), handle, failure);
        if (failure) {
            ::close(handle);
            return std::nullopt;
        }
        return socket;
    }
    void close() {
        error_code ignored;
        descriptor_.close(ignored);
        parked.reset();
    }

    std::optional<Socket> parked;
    bool waiting = false;

private:
    asio::posix::stream_descriptor descriptor_;
};

}  // namespace

class HttpServer::Core final : public ConnectionOwner {
public:
    Core(HttpServerOptions options, const Clock& clock, HttpHandler handler)
        : options_(std::move(options)),
          clock_(clock),
          handler_(std::move(handler)),
          sweep_timer_(io_),
          stop_timer_(io_) {}

    Result<void> listen() {
        if (options_.unix_path) {
            ASSIGN_OR_RETURN(ListenSocket socket, ListenSocket::open_unix(*options_.unix_path));
            listeners_.push_back(std::make_unique<Listener>(io_, socket.release()));
        }
        if (options_.tcp_port) {
            ASSIGN_OR_RETURN(ListenSocket socket,
                             ListenSocket::open_tcp(options_.tcp_address, *options_.tcp_port));
            tcp_port_ = socket.port();
            listeners_.push_back(std::make_unique<Listener>(io_, socket.release()));
        }
        return {};
    }

    void start() {
        thread_ = std::thread([this]() noexcept {
            ::pthread_setname_np(::pthread_self(), options_.thread_name.c_str());
            for (const auto& listener : listeners_) {
                accept(*listener);
            }
            sweep();
            io_.run();
        });
    }

    void stop() {
        if (std::exchange(stopped_, true)) {
            return;
        }
        if (thread_.joinable()) {
            asio::post(io_, [this] { begin_stop(); });
            thread_.join();
        }
        for (const auto& listener : listeners_) {
            listener->close();
        }
        if (options_.unix_path && !listeners_.empty()) {
            ::unlink(options_.unix_path->c_str());
        }
    }

    std::uint16_t tcp_port() const { return tcp_port_; }
    std::size_t connection_count() const {
        return connection_count_.load(std::memory_order_relaxed);
    }

    asio::io_context& io() override { return io_; }
    const HttpLimits& limits() const override { return options_.limits; }
    MonotonicTime now() const override { return clock_.monotonic_now(); }
    bool stopping() const override { return stopping_; }
    void handle(HttpRequest request, HttpResponder responder) override {
        handler_(std::move(request), std::move(responder));
    }

    void closed(const std::shared_ptr<Connection>& connection) override {
        connections_.erase(connection);
        connection_count_.store(connections_.size(), std::memory_order_relaxed);
        if (stopping_) {
            if (connections_.empty()) {
                stop_timer_.cancel();
            }
            return;
        }
        for (const auto& listener : listeners_) {
            if (listener->parked && connections_.size() < options_.limits.http_connections_max) {
                Socket socket = std::move(*std::exchange(listener->parked, std::nullopt));
                begin(std::move(socket));
                accept(*listener);
            }
        }
    }

private:
    void accept(Listener& listener) {
        listener.wait([this, &listener] {
            std::optional<Socket> socket = listener.accept();
            if (!socket) {
                return;  // out of descriptors, say: the next sweep tries again
            }
            if (connections_.size() < options_.limits.http_connections_max) {
                begin(std::move(*socket));
                return accept(listener);
            }
            listener.parked = std::move(socket);
            close_longest_idle();
        });
    }

    void begin(Socket socket) {
        const auto connection = std::make_shared<Connection>(*this, std::move(socket));
        connections_.insert(connection);
        connection_count_.store(connections_.size(), std::memory_order_relaxed);
        connection->wait_for_request();
    }

    /// Somebody waits outside: a connection that only might be used again gives its place up.
    void close_longest_idle() {
        std::shared_ptr<Connection> longest;
        for (const auto& connection : connections_) {
            if (connection->phase() == Connection::Phase::Idle &&
                (!longest || connection->deadline() < longest->deadline())) {
                longest = connection;
            }
        }
        if (longest) {
            longest->close();
        }
    }

    void sweep() {
        const MonotonicTime now = clock_.monotonic_now();
        for (const auto& connection : all_connections()) {
            connection->check_deadline(now);
        }
        for (const auto& listener : listeners_) {
            if (listener->parked) {
                close_longest_idle();
            } else if (!listener->waiting) {
                accept(*listener);
            }
        }
        sweep_timer_.expires_after(options_.limits.http_sweep_interval);
        sweep_timer_.async_wait([this](error_code failure) {
            if (!failure && !stopping_) {
                sweep();
            }
        });
    }

    /// Without connections, listeners and timers the io_context has no work left and `run` returns.
    /// The time limit is real time: an end has to come even where a test's clock stands still.
    void begin_stop() {
        stopping_ = true;
        sweep_timer_.cancel();
        for (const auto& listener : listeners_) {
            listener->close();
        }
        for (const auto& connection : all_connections()) {
            connection->begin_stop();
        }
        if (connections_.empty()) {
            return;
        }
        stop_timer_.expires_after(options_.limits.http_stop_timeout);
        stop_timer_.async_wait([this](error_code) {
            for (const auto& connection : all_connections()) {
                connection->close();
            }
        });
    }

    std::vector<std::shared_ptr<Connection>> all_connections() const {
        return {connections_.begin(), connections_.end()};
    }

    HttpServerOptions options_;
    const Clock& clock_;
    HttpHandler handler_;
    asio::io_context io_{1};
    asio::steady_timer sweep_timer_;
    asio::steady_timer stop_timer_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::set<std::shared_ptr<Connection>> connections_;
    std::atomic<std::size_t> connection_count_{0};
    std::uint16_t tcp_port_ = 0;
    bool stopping_ = false;
    bool stopped_ = false;
    std::thread thread_;
};

Result<std::unique_ptr<HttpServer>> HttpServer::open(HttpServerOptions options, const Clock& clock,
                                                     HttpHandler handler) {
    auto core = std::make_shared<Core>(std::move(options), clock, std::move(handler));
    RETURN_IF_ERROR(core->listen());
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

HttpServer::HttpServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
HttpServer::~HttpServer() {
    stop();
}
void HttpServer::start() {
    core_->start();
}
void HttpServer::stop() {
    core_->stop();
}
std::uint16_t HttpServer::tcp_port() const {
    return core_->tcp_port();
}
std::size_t HttpServer::connections() const {
    return core_->connection_count();
}

}  // namespace perdure::transport
