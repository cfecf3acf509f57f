#pragma once

/// A blocking HTTP/1.1 client over a Unix socket, one connection a request: what the command line
/// needs.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "transport/http.h"

namespace perdure::transport {

struct HttpClientOptions {
    std::string unix_path;
    /// For connecting, and for each wait for the next bytes of an answer. Nothing: wait for ever.
    std::optional<std::chrono::milliseconds> timeout = std::chrono::milliseconds(30'000);
    std::size_t body_bytes_max = 1u << 30;  // answers of `process-state export` may be large
    std::size_t line_bytes_max = 1u << 20;  // one line of a streamed answer
};

enum class OnLine : std::uint8_t { Continue, Stop };

/// Thread: one request at a time. Nothing is shared between requests.
class HttpClient {
public:
    explicit HttpClient(HttpClientOptions options) : options_(std::move(options)) {}

    /// Sends `request` (Host, Content-Length and Connection are added) and returns the whole
    /// answer, whatever its status. Errors: NotFound (nobody listens on the socket), NotPermitted
    /// (it is somebody else's), Unreachable (the other side went away before its answer was
    /// complete), TimedOut, InvalidInput (the answer is not HTTP, the path too long), Overloaded,
    /// Io.
    Result<HttpResponse> exchange(const HttpRequest& request) const;

    /// The same, but the body of an answer with status 200 goes to `line`, line by line without
    /// line ends, as it arrives, until it ends or `line` answers Stop; the returned body is empty
    /// then. Any other status is returned as by `exchange`. With this method `timeout` covers only
    /// the time until the head has arrived.
    Result<HttpResponse> stream(const HttpRequest& request,
                                const std::function<OnLine(std::string_view)>& line) const;

private:
    HttpClientOptions options_;
};

}  // namespace perdure::transport
