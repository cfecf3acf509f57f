/// Any bytes from a client of the control socket: every request that is one gets exactly one
/// answer, with a status of docs/protocols/control.md and, where that says so, a body of JSON.
///
/// The same input goes two ways: its first line and body as a request straight to the handler, with
/// every scope and with a node that fails; and all its bytes through a server's socket.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "abi/json.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/guarded.h"
#include "node/control_api.h"
#include "node/fake_node_api.h"
#include "testing/manual_clock.h"
#include "transport/http_exchange.h"
#include "transport/http_server.h"

namespace perdure::node {
namespace {

using transport::HttpRequest;
using transport::HttpResponse;

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
/// More would have to be read while it is written: the socket holds about so much.
constexpr std::size_t kInputBytesMax = 32 << 10;

void fill(FakeNodeApi& api) {
    api.lines.resize(3);
    api.lines[0].source = FakeNodeApi::kCounter;
    api.lines[0].text = "caf\xE9 \x1B[31m";
    api.lines[1].origin = LogOrigin::Node;
    api.send_answer.body = SharedBytes(std::string_view("\xFF\0\x80", 3));
    api.send_answer.blob = SharedBytes(std::string_view("blob"));
    api.send_answer.blob_mime = "text/\xC3";
}

// ---- what an answer may be

bool is_plain(std::string_view path) {
    return path == "/healthz" || path == "/readyz";
}

std::optional<std::string_view> content_type(const HttpResponse& response) {
    return transport::find_header(response.headers, "content-type");
}

void check_json(std::string_view text) {
    CHECK(text.ends_with('\n'), text);
    CHECK(parse_json(text).has_value(), text);
}

void check_lines(std::string_view text) {
    while (!text.empty()) {
        const std::size_t size = text.find('\n');
        CHECK(size != std::string_view::npos, text);
        check_json(text.substr(0, size + 1));
        text.remove_prefix(size + 1);
    }
}

void check_error(const HttpResponse& response) {
    const auto json = parse_json(response.body);
    CHECK(json.has_value(), response.body);
    const Json* error = json->find("error");
    CHECK(error != nullptr && error->find("code") != nullptr, response.body);
    CHECK(error->find("message")->as_string() != nullptr, response.body);
    CHECK((response.status == 405) ==
          transport::find_header(response.headers, "allow").has_value());
}

void check_status(unsigned status) {
    constexpr std::array kStatuses = {200u, 400u, 403u, 404u, 405u, 409u,
                                      500u, 501u, 502u, 503u, 504u};
    CHECK(std::ranges::find(kStatuses, status) != kStatuses.end(), status);
}

void check_answer(std::string_view target, const HttpResponse& response) {
    check_status(response.status);
    CHECK(content_type(response).has_value());
    if (*content_type(response) == "text/plain") {
        // Of a route that speaks plainly, perhaps with some of its letters percent-encoded.
        const auto parsed = transport::parse_target(target);
        CHECK(parsed && parsed->path.size() == 1 && is_plain("/" + parsed->path[0]), target);
    } else if (response.status != 200) {
        check_error(response);
    } else if (*content_type(response) == "application/json") {
        check_json(response.body);
    } else {
        CHECK(*content_type(response) == "application/octet-stream");
    }
}

// ---- straight to the handler

/// The connection's side of one exchange: counts answers and keeps the last.
class KeptAnswer final : public transport::ExchangeConnection {
public:
    void post_response(HttpResponse response) override {
        ++answers;
        answer = std::move(response);
    }
    void post_stream_head(HttpResponse head) override {
        ++answers;
        streams = true;
        answer = std::move(head);
    }
    void post_pump() override {}

    int answers = 0;
    bool streams = false;
    HttpResponse answer;
};

/// Bytes of chunks put together (RFC 9112 §7.1). What is cut counts as far as it goes.
std::string join_chunks(std::string_view chunks) {
    std::string joined;
    while (true) {
        std::size_t size = 0;
        const auto [end, failure] =
            std::from_chars(chunks.data(), chunks.data() + chunks.size(), size, 16);
        const auto digits = static_cast<std::size_t>(end - chunks.data());
        if (failure != std::errc() || chunks.size() < digits + size + 2 * kLineEnd.size()) {
            return joined;
        }
        CHECK(chunks.substr(digits, 2) == kLineEnd);
        joined += chunks.substr(digits + 2, size);
        CHECK(chunks.substr(digits + 2 + size, 2) == kLineEnd);
        chunks.remove_prefix(digits + size + 2 * kLineEnd.size());
    }
}

HttpResponse ask(FakeNodeApi& api, ControlScope scope, const HttpRequest& request) {
    KeptAnswer connection;
    const auto link = std::make_shared<transport::ExchangeLink>(
        connection, transport::HttpLimits().http_stream_queue_bytes_max);
    make_control_handler(api, scope)(
        request, transport::HttpResponder(std::make_shared<transport::HttpExchange>(link)));
    CHECK(connection.answers == 1, connection.answers);
    if (connection.streams) {
        CHECK(connection.answer.status == 200);
        CHECK(content_type(connection.answer) == "application/x-ndjson");
        api.print({});
        check_lines(join_chunks(link->take().bytes));
    } else {
        check_answer(request.target, connection.answer);
    }
    link->detach();
    CHECK(api.subscriptions() == 0);
    return connection.answer;
}

HttpRequest first_request(std::string_view text) {
    const std::string_view line = text.substr(0, text.find(kLineEnd));
    const std::size_t method_size = line.find(' ');
    HttpRequest request;
    request.method = line.substr(0, method_size);
    if (method_size != std::string_view::npos) {
        const std::string_view rest = line.substr(method_size + 1);
        request.target = rest.substr(0, rest.find(' '));
    }
    const std::size_t head_size = text.find(kHeadEnd);
    if (head_size != std::string_view::npos) {
        request.body = text.substr(head_size + kHeadEnd.size());
    }
    return request;
}

void ask_directly(std::string_view text) {
    const HttpRequest request = first_request(text);
    FakeNodeApi api;
    fill(api);
    ask(api, ControlScope::Everything, request);

    const std::size_t asked = api.calls().size();
    const HttpResponse refused = ask(api, ControlScope::HealthOnly, request);
    CHECK(api.calls().size() == asked, "a health port asks the node for nothing else");
    CHECK(content_type(refused) == "text/plain" || refused.status != 200);

    constexpr std::size_t kCodes = static_cast<std::size_t>(ErrorCode::Io) + 1;
    FakeNodeApi failing;
    failing.failure = Error(static_cast<ErrorCode>(text.size() % kCodes), "said \xFF no\n");
    ask(failing, ControlScope::Everything, request);
}

// ---- through a socket

/// A folder for the socket that goes with the program.
class SocketFolder {
public:
    SocketFolder() {
        std::string name =
            (std::filesystem::temp_directory_path() / "control_fuzz_XXXXXX").string();
        CHECK(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~SocketFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string socket_path() const { return path_ + "/s"; }

private:
    std::string path_;
};

/// Sends all of `bytes`, says that there is no more, and gives what comes back until the end.
std::string exchange(const std::string& path, std::string_view bytes) {
    const int handle = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(handle >= 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    CHECK(::connect(handle, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    while (!bytes.empty()) {
        const ssize_t sent = ::send(handle, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            break;  // refused before the end
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    ::shutdown(handle, SHUT_WR);
    std::string received;
    std::array<char, 16384> piece;
    for (ssize_t count = 0; (count = ::recv(handle, piece.data(), piece.size(), 0)) > 0;) {
        received.append(piece.data(), static_cast<std::size_t>(count));
    }
    ::close(handle);
    return received;
}

/// Takes one line of a head from `text`.
std::string_view take_line(std::string_view& text) {
    const std::size_t size = text.find(kLineEnd);
    CHECK(size != std::string_view::npos, text);
    const std::string_view line = text.substr(0, size);
    text.remove_prefix(size + kLineEnd.size());
    return line;
}

HttpResponse take_head(std::string_view& text) {
    constexpr std::string_view kVersion = "HTTP/1.1 ";
    const std::string_view line = take_line(text);
    HttpResponse head;
    CHECK(line.starts_with(kVersion) && line.size() > kVersion.size() + 3, line);
    const char* digits = line.data() + kVersion.size();
    CHECK(std::from_chars(digits, digits + 3, head.status).ptr == digits + 3, line);
    while (true) {
        const std::string_view field = take_line(text);
        if (field.empty()) {
            return head;
        }
        const std::size_t colon = field.find(": ");
        CHECK(colon != std::string_view::npos, field);
        head.headers.push_back(
            {std::string(field.substr(0, colon)), std::string(field.substr(colon + 2))});
    }
}

std::size_t content_length(const HttpResponse& head) {
    const auto text = transport::find_header(head.headers, "content-length");
    CHECK(text.has_value());
    std::size_t length = 0;
    CHECK(std::from_chars(text->data(), text->data() + text->size(), length).ec == std::errc());
    return length;
}

/// What the server could not read: plain text and the end of the connection.
void check_refusal(std::string_view text) {
    const HttpResponse head = take_head(text);
    constexpr std::array kStatuses = {400u, 413u, 431u};
    CHECK(std::ranges::find(kStatuses, head.status) != kStatuses.end(), head.status);
    CHECK(content_type(head) == "text/plain");
    CHECK(transport::find_header(head.headers, "connection") == "close");
    CHECK(text.size() == content_length(head) && text.ends_with('\n'), text);
}

/// One answer for each of `requests`, and after them a refusal at most.
void check_received(std::string_view text, const std::vector<HttpRequest>& requests) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto skip_continue = [&] {
        while (text.starts_with(kContinue)) {
            text.remove_prefix(kContinue.size());
        }
    };
    for (const HttpRequest& request : requests) {
        skip_continue();
        if (text.empty() && request.target.starts_with("/v1/logs")) {
            return;  // A streaming client that says more has left: its answer ends where it stands.
        }
        HttpResponse response = take_head(text);
        if (transport::find_header(response.headers, "transfer-encoding")) {
            CHECK(response.status == 200 && &request == &requests.back());
            return check_lines(join_chunks(text));
        }
        const std::size_t length = content_length(response);
        if (request.method == "HEAD") {
            check_status(response.status);
            continue;
        }
        CHECK(length <= text.size());
        response.body = text.substr(0, length);
        text.remove_prefix(length);
        check_answer(request.target, response);
    }
    skip_continue();
    if (!text.empty()) {
        check_refusal(text);
    }
}

void ask_through_socket(std::string_view text) {
    static const SocketFolder folder;
    ManualClock clock;
    FakeNodeApi api;
    fill(api);
    Guarded<std::vector<HttpRequest>> requests;
    transport::HttpServerOptions options;
    options.unix_path = folder.socket_path();
    auto server = transport::HttpServer::open(
        std::move(options), clock,
        [&requests, handler = make_control_handler(api, ControlScope::Everything)](
            HttpRequest request, transport::HttpResponder responder) {
            requests.lock()->push_back(request);
            handler(std::move(request), std::move(responder));
        });
    CHECK(server.has_value(), server.has_value() ? "" : server.error().message());
    (*server)->start();
    const std::string received = exchange(folder.socket_path(), text);
    (*server)->stop();
    CHECK((*server)->connections() == 0);
    CHECK(api.subscriptions() == 0);
    check_received(received, *requests.lock());
}

}  // namespace
}  // namespace perdure::node

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace perdure::node;
    const std::string_view text =
        perdure::text_of({data, std::min<std::size_t>(size, kInputBytesMax)});
    ask_directly(text);
    ask_through_socket(text);
    return 0;
}
