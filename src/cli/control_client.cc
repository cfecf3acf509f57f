#include "cli/control_client.h"

#include <array>
#include <utility>

namespace perdure::cli {
namespace {

constexpr std::array kCodes = {ErrorCode::NotFound,
                               ErrorCode::AlreadyExists,
                               ErrorCode::InvalidInput,
                               ErrorCode::NotPermitted,
                               ErrorCode::TimedOut,
                               ErrorCode::Unreachable,
                               ErrorCode::Overloaded,
                               ErrorCode::Corrupt,
                               ErrorCode::Unsupported,
                               ErrorCode::Cancelled,
                               ErrorCode::Io};

/// The error an answer carries; whatever is not understood is shown as it came.
Error parse_error(const Json* error, const std::string& otherwise) {
    const Json* code = error ? error->find("code") : nullptr;
    const Json* message = error ? error->find("message") : nullptr;
    if (!code || !message || !code->as_string() || !message->as_string()) {
        return Error(ErrorCode::Io, otherwise);
    }
    for (const ErrorCode known : kCodes) {
        if (to_string(known) == *code->as_string()) {
            return Error(known, *message->as_string());
        }
    }
    return Error(ErrorCode::Io, *message->as_string());
}

Result<transport::HttpResponse> check_status(transport::HttpResponse response) {
    if (response.status == 200) {
        return response;
    }
    const std::string otherwise =
        "the node answered with status " + std::to_string(response.status);
    const auto document = parse_json(response.body);
    return parse_error(document ? document->find("error") : nullptr, otherwise);
}

}  // namespace

ControlClient::ControlClient(std::string home)
    : home_(std::move(home)), socket_(home_ + "/control.sock") {}

Error ControlClient::explain(const Error& error) const {
    if (error.code() == ErrorCode::Unreachable) {
        return Error(ErrorCode::Unreachable,
                     "the node in " + home_ + " went away before it answered");
    }
    if (error.code() == ErrorCode::NotFound) {
        return Error(
            ErrorCode::NotFound,
            "no node runs in " + home_ + "; start one with `perdure run --home " + home_ + "`");
    }
    return error;
}

Result<transport::HttpResponse> ControlClient::exchange(const transport::HttpRequest& request,
                                                        Patience patience) const {
    transport::HttpClientOptions options{.unix_path = socket_};
    if (patience == Patience::Endless) {
        options.timeout.reset();
    }
    auto answer = transport::HttpClient(options).exchange(request);
    if (!answer) {
        return explain(answer.error());
    }
    return check_status(std::move(*answer));
}

Result<Json> ControlClient::call(std::string method, std::string target, std::string body,
                                 Patience patience) const {
    ASSIGN_OR_RETURN(const auto answer, exchange({.method = std::move(method),
                                                  .target = std::move(target),
                                                  .headers = {},
                                                  .body = std::move(body)},
                                                 patience));
    // Our own node's answers may hold a blob: as long as the socket takes is as long as we take.
    return parse_json(answer.body, {.depth_max = kJsonDepthMax, .bytes_max = answer.body.size()})
        .with_context("the node's answer");
}

Result<std::string> ControlClient::get_bytes(std::string target) const {
    ASSIGN_OR_RETURN(auto answer,
                     exchange({.method = "GET", .target = std::move(target)}, Patience::Endless));
    return std::move(answer.body);
}

Result<void> ControlClient::stream(
    std::string target, const std::function<transport::OnLine(const Json&)>& line) const {
    Result<void> outcome;
    auto answer =
        transport::HttpClient({.unix_path = socket_})
            .stream({.method = "GET", .target = std::move(target)}, [&](std::string_view text) {
                auto value = parse_json(text);
                if (!value) {
                    outcome = std::move(value).error().with_context("the node's answer");
                    return transport::OnLine::Stop;
                }
                if (const Json* error = value->find("error")) {
                    outcome = parse_error(error, "the stream ended with an error");
                    return transport::OnLine::Stop;
                }
                return line(*value);
            });
    if (!answer) {
        return explain(answer.error());
    }
    if (auto checked = check_status(std::move(*answer)); !checked) {
        return checked.error();
    }
    return outcome;
}

bool ControlClient::node_runs() const {
    return call("GET", "/v1/health", {}, Patience::Short).has_value();
}

}  // namespace perdure::cli
