/// Plain blocking sockets; of Beast only the parser.

#include "transport/http_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "transport/unix_path.h"

namespace perdure::transport {

namespace http = boost::beast::http;
using boost::system::error_code;
using Timeout = std::optional<std::chrono::milliseconds>;

namespace {

Error cannot_connect(const std::string& path, int number) {
    const bool refused = number == EACCES || number == EPERM;
    return Error(refused ? ErrorCode::NotPermitted : ErrorCode::NotFound,
                 path + ": " + std::strerror(number));
}

Error went_away() {
    return Error(ErrorCode::Unreachable, "the other side went away before its answer was complete");
}

/// One connection. A resource.
class ClientSocket {
public:
    static Result<ClientSocket> connect(const std::string& path) {
        ASSIGN_OR_RETURN(const UnixPath short_path, UnixPath::open(path));
        ClientSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, short_path.short_path().data(),
                    short_path.short_path().size());
        if (socket.handle_ < 0 ||
            ::connect(socket.handle_, reinterpret_cast<const sockaddr*>(&address),
                      sizeof address) != 0) {
            return cannot_connect(path, errno);
        }
        return socket;
    }
    ~ClientSocket() {
        if (handle_ >= 0) {
            ::close(handle_);
        }
    }
    ClientSocket(ClientSocket&& other) noexcept : handle_(std::exchange(other.handle_, -1)) {}
    ClientSocket& operator=(ClientSocket&&) = delete;

    /// Sends what the other side takes; one that stops reading has perhaps answered already.
    Result<void> send(std::string_view bytes, const Timeout& timeout) {
        while (!bytes.empty()) {
            RETURN_IF_ERROR(wait(POLLOUT, timeout));
            const ssize_t sent =
                ::send(handle_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
                return {};
            }
            if (sent < 0 && errno != EAGAIN && errno != EINTR) {
                return Error(ErrorCode::Io, std::string("send: ") + std::strerror(errno));
            }
            bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
        }
        return {};
    }

    /// Some bytes; 0 at the end.
    Result<std::size_t> receive(std::span<char> into, const Timeout& timeout) {
        while (true) {
            RETURN_IF_ERROR(wait(POLLIN, timeout));
            const ssize_t count = ::recv(handle_, into.data(), into.size(), 0);
            if (count >= 0) {
                return static_cast<std::size_t>(count);
            }
            if (errno == ECONNRESET) {
                return std::size_t{0};
            }
            if (errno != EINTR && errno != EAGAIN) {
                return Error(ErrorCode::Io, std::string("receive: ") + std::strerror(errno));
            }
        }
    }

private:
    explicit ClientSocket(int handle) : handle_(handle) {}

    Result<void> wait(short events, const Timeout& timeout) {
        pollfd poll_for{.fd = handle_, .events = events, .revents = 0};
        const int milliseconds = timeout ? static_cast<int>(timeout->count()) : -1;
        while (true) {
            const int ready = ::poll(&poll_for, 1, milliseconds);
            if (ready > 0) {
                return {};
            }
            if (ready == 0) {
                return Error(ErrorCode::TimedOut,
                             "no answer in " + std::to_string(milliseconds) + " ms");
            }
            if (errno != EINTR) {
                return Error(ErrorCode::Io, std::string("poll: ") + std::strerror(errno));
            }
        }
    }

    int handle_;
};

std::string request_text(const HttpRequest& request) {
    std::string text = request.method + " " + request.target +
                       " HTTP/1.1\r\nHost: perdure\r\nConnection: close\r\n";
    for (const HttpHeader& header : request.headers) {
        text += header.name + ": " + header.value + "\r\n";
    }
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
        text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return text + "\r\n" + request.body;
}

/// Cuts a stream of bytes into lines.
class LineCutter {
public:
    LineCutter(const std::function<OnLine(std::string_view)>& line, std::size_t line_bytes_max)
        : line_(line), line_bytes_max_(line_bytes_max) {}

    Result<void> add(std::string_view bytes) {
        while (!bytes.empty() && !stopped_) {
            const std::size_t end = bytes.find('\n');
            const std::string_view part = bytes.substr(0, end);
            if (rest_.size() + part.size() > line_bytes_max_) {
                return Error(ErrorCode::Overloaded, "a line of the answer exceeds line_bytes_max");
            }
            rest_ += part;
            if (end == std::string_view::npos) {
                return {};
            }
            bytes.remove_prefix(end + 1);
            hand_over();
        }
        return {};
    }
    void end() {
        if (!rest_.empty() && !stopped_) {
            hand_over();
        }
    }
    bool stopped() const { return stopped_; }

private:
    void hand_over() { stopped_ = line_(std::exchange(rest_, {})) == OnLine::Stop; }

    const std::function<OnLine(std::string_view)>& line_;
    std::size_t line_bytes_max_;
    std::string rest_;
    bool stopped_ = false;
};

/// Feeds an answer from the socket to Beast's parser until it is complete.
class AnswerReader {
public:
    AnswerReader(ClientSocket& socket, const HttpClientOptions& options, const HttpRequest& request)
        : socket_(socket), timeout_(options.timeout) {
        parser_.skip(request.method == "HEAD");
        parser_.body_limit(options.body_bytes_max);
        parser_.eager(true);
    }

    /// `cutter`: where the body of an answer with status 200 goes instead of the returned one.
    Result<HttpResponse> read(LineCutter* cutter) {
        while (!parser_.is_done() && !(cutter && cutter->stopped())) {
            RETURN_IF_ERROR(receive());
            RETURN_IF_ERROR(parse());
            if (cutter && parser_.is_header_done() && parser_.get().result_int() == 200) {
                timeout_.reset();
                RETURN_IF_ERROR(cutter->add(std::exchange(parser_.get().body(), {})));
            }
        }
        if (cutter) {
            cutter->end();
        }
        return to_response();
    }

private:
    Result<void> receive() {
        const auto space = buffer_.prepare(64u << 10);
        ASSIGN_OR_RETURN(
            const std::size_t count,
            socket_.receive({static_cast<char*>(space.data()), space.size()}, timeout_));
        buffer_.commit(count);
        at_end_ = count == 0;
        return {};
    }

    Result<void> parse() {
        error_code failure;
        while (buffer_.size() != 0 && !parser_.is_done()) {
            const std::size_t used = parser_.put(buffer_.data(), failure);
            buffer_.consume(used);
            if (failure == http::error::need_more) {
                break;
            }
            if (failure) {
                return parse_error(failure);
            }
        }
        if (at_end_ && !parser_.is_done()) {
            failure = {};
            if (parser_.is_header_done()) {
                parser_.put_eof(failure);
            }
            if (failure || !parser_.is_done()) {
                return went_away();
            }
        }
        return {};
    }

    static Error parse_error(error_code failure) {
        if (failure == http::error::body_limit) {
            return Error(ErrorCode::Overloaded, "the answer exceeds body_bytes_max");
        }
        return Error(ErrorCode::InvalidInput, "the answer is not HTTP: " + failure.message());
    }

    HttpResponse to_response() {
        HttpResponse response;
        response.status = parser_.get().result_int();
        for (const auto& field : parser_.get()) {
            response.headers.push_back(
                {std::string(field.name_string()), std::string(field.value())});
        }
        response.body = std::move(parser_.get().body());
        return response;
    }

    ClientSocket& socket_;
    Timeout timeout_;
    boost::beast::flat_buffer buffer_;
    http::response_parser<http::string_body> parser_;
    bool at_end_ = false;
};

}  // namespace

Result<HttpResponse> HttpClient::exchange(const HttpRequest& request) const {
    ASSIGN_OR_RETURN(ClientSocket socket, ClientSocket::connect(options_.unix_path));
    RETURN_IF_ERROR(socket.send(request_text(request), options_.timeout));
    return AnswerReader(socket, options_, request).read(nullptr);
}

Result<HttpResponse> HttpClient::stream(const HttpRequest& request,
                                        const std::function<OnLine(std::string_view)>& line) const {
    ASSIGN_OR_RETURN(ClientSocket socket, ClientSocket::connect(options_.unix_path));
    RETURN_IF_ERROR(socket.send(request_text(request), options_.timeout));
    LineCutter cutter(line, options_.line_bytes_max);
    HttpClientOptions unlimited = options_;
    unlimited.body_bytes_max =
        std::numeric_limits<std::size_t>::max();  // lines are handed on, not kept
    return AnswerReader(socket, unlimited, request).read(&cutter);
}

}  // namespace perdure::transport
