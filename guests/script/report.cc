#include "report.h"

namespace script {
namespace {

std::string field(std::string_view name, std::string_view value) {
    std::string text(" ");
    text.append(name).append("=").append(value);
    return text;
}

std::string optional_field(std::string_view name, const std::optional<perdure::Bytes>& value) {
    return value ? field(name, shown(value->text())) : std::string{};
}

std::string optional_field(std::string_view name, const std::optional<std::string>& value) {
    return value ? field(name, shown(std::string_view(*value))) : std::string{};
}

std::string content(bool inherit, const perdure::Bytes& body,
                    const std::optional<std::string>& metadata,
                    const std::vector<perdure::Capability>& capabilities) {
    auto text = field("inherit", inherit ? "1" : "0") + field("body", shown(body.text())) +
                optional_field("metadata", metadata);
    for (const auto& capability : capabilities)
        text += field("cap", shown(capability));
    return text;
}

}  // namespace

std::string shown(const perdure::Capability& capability) {
    return shown(capability.issuer) + "|" + shown(std::string_view(capability.params));
}

std::string shown(const perdure::Request& request) {
    std::string text;
    if (request.expects_response_s) {
        text = field("expects", std::to_string(*request.expects_response_s));
    }
    return text + content(request.inherit, request.body, request.metadata, request.capabilities);
}

std::string shown(const perdure::Response& response) {
    return content(response.inherit, response.body, response.metadata, response.capabilities);
}

std::string shown(const std::optional<perdure::Blob>& blob) {
    if (!blob)
        return {};
    return optional_field("mime", blob->mime) + field("blob", shown(blob->bytes.text()));
}

std::string shown(const perdure::SendError& error) {
    auto text =
        field("kind", error.kind == perdure::SendErrorKind::Offline ? "offline" : "timeout");
    if (error.target)
        text += field("target", shown(*error.target));
    if (const auto* request = std::get_if<perdure::Request>(&error.message)) {
        text += " of=request" + shown(*request);
    } else {
        text += " of=response" + shown(std::get<perdure::Response>(error.message));
    }
    return text + shown(error.blob);
}

std::string shown(const perdure::Incoming& element) {
    if (const auto* message = std::get_if<perdure::IncomingRequest>(&element)) {
        return "request" + field("source", shown(message->source)) + shown(message->request);
    }
    if (const auto* message = std::get_if<perdure::IncomingResponse>(&element)) {
        return "response" + field("source", shown(message->source)) + shown(message->response) +
               optional_field("context", message->context);
    }
    const auto& failed = std::get<perdure::FailedMessage>(element);
    return "error" + shown(failed.error) + optional_field("context", failed.context);
}

std::string shown(const perdure::OnExit& on_exit) {
    switch (on_exit.kind) {
        case perdure::OnExit::Kind::None: return "none";
        case perdure::OnExit::Kind::Restart: return "restart";
        case perdure::OnExit::Kind::Requests: break;
    }
    std::string text = "requests count=" + std::to_string(on_exit.requests.size());
    for (const auto& message : on_exit.requests) {
        text +=
            field("target", shown(message.target)) + shown(message.request) + shown(message.blob);
    }
    return text;
}

void Reporter::tell(std::size_t line, std::string_view text) {
    std::string report = std::to_string(line);
    report.append(" ").append(text);
    switch (way_) {
        case Way::None: return;
        case Way::Print: perdure::print(report); return;
        case Way::Requests:
            perdure::RequestTo(target_).body(std::string_view(report)).send();
            return;
        case Way::Response:
            if (!collected_.empty())
                collected_.push_back('\n');
            collected_ += report;
            return;
    }
}

void Reporter::finish() {
    if (way_ != Way::Response)
        return;
    perdure::Answer().body(std::string_view(collected_)).send();
    collected_.clear();
    // Whatever comes before the next program has nobody to answer.
    way_ = Way::None;
}

}  // namespace script
