#pragma once

/// The running node of a home, asked over its control socket (docs/protocols/control.md).

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "abi/json.h"
#include "base/result.h"
#include "transport/http_client.h"

namespace perdure::cli {

/// How long an answer may take: reads are quick, everything else waits for disks, compilers and
/// processes.
enum class Patience : std::uint8_t { Short, Endless };

/// Errors of all methods: NotFound with `no node runs in HOME; …` when nobody listens, else what
/// the node answered, or what became of the connection. Thread: one call at a time.
class ControlClient {
public:
    /// `home` is absolute.
    explicit ControlClient(std::string home);

    /// The answer's JSON.
    Result<Json> call(std::string method, std::string target, std::string body,
                      Patience patience) const;
    Result<Json> get(std::string target) const {
        return call("GET", std::move(target), {}, Patience::Short);
    }
    Result<Json> post(std::string target, std::string body = {}) const {
        return call("POST", std::move(target), std::move(body), Patience::Endless);
    }
    /// The answer's bytes.
    Result<std::string> get_bytes(std::string target) const;
    /// Hands over one JSON value per line until the stream ends or `line` answers Stop.
    Result<void> stream(std::string target,
                        const std::function<transport::OnLine(const Json&)>& line) const;

    /// Whether somebody listens on the socket.
    bool node_runs() const;
    const std::string& home() const { return home_; }

private:
    Result<transport::HttpResponse> exchange(const transport::HttpRequest& request,
                                             Patience patience) const;
    Error explain(const Error& error) const;

    std::string home_;
    std::string socket_;
};

}  // namespace perdure::cli
