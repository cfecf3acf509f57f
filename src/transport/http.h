#pragma once

/// HTTP/1.1 messages as values, and the limits both sides keep.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace perdure::transport {

struct HttpHeader {
    std::string name;
    std::string value;
};

/// The value of the first header `name`, compared without case.
std::optional<std::string_view> find_header(const std::vector<HttpHeader>& headers,
                                            std::string_view name);

struct HttpRequest {
    std::string method = "GET";
    std::string target = "/";  ///< Path and query as they stand in the request line.
    std::vector<HttpHeader> headers{};
    std::string body{};  ///< Any bytes.
};

struct HttpResponse {
    unsigned status = 200;
    std::vector<HttpHeader>
        headers{};  ///< Without Content-Length, Transfer-Encoding and Connection: those are ours.
    std::string body{};
};

/// The parts of a target, decoded: `/v1/a%20b?x=1&y=` is path {"v1","a b"}, query
/// {{"x","1"},{"y",""}}.
struct HttpTarget {
    std::vector<std::string> path;
    std::vector<HttpHeader> query;
};
/// Errors: InvalidInput (does not begin with `/`, bad percent sequence).
Result<HttpTarget> parse_target(std::string_view target);

/// `text` with everything but letters, digits and `-._~:@` as percent sequences: one path element
/// or query value.
std::string percent_encode(std::string_view text);

struct HttpLimits {
    std::size_t http_header_bytes_max =
        16u << 10;  ///< Request line and headers; more is answered with 431.
    std::size_t http_body_bytes_max = 64u << 20;  ///< More is answered with 413.
    std::size_t http_connections_max = 256;       ///< More wait in the operating system's queue.
    std::size_t http_stream_queue_bytes_max =
        8u << 20;  ///< Chunks not yet taken by a streaming client.
    std::chrono::milliseconds http_request_timeout{
        30'000};  ///< For one whole request to arrive; then 408.
    std::chrono::milliseconds http_idle_timeout{60'000};  ///< For a connection without a request.
    std::chrono::milliseconds http_write_timeout{
        30'000};  ///< For a client that takes nothing of its answer.
    std::chrono::milliseconds http_stop_timeout{
        2'000};  ///< How long `stop` waits for answers under way.
    std::chrono::milliseconds http_sweep_interval{
        250};  ///< How often the deadlines above are looked at.
};

}  // namespace perdure::transport
