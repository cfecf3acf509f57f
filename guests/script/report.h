#pragma once

// What a running program tells, and whom. README.md has the form of the lines.

#include <string>

#include "text.h"

namespace script {

std::string shown(const perdure::Request& request);
std::string shown(const perdure::Response& response);
std::string shown(const std::optional<perdure::Blob>& blob);
std::string shown(const perdure::SendError& error);
std::string shown(const perdure::Incoming& element);
std::string shown(const perdure::OnExit& on_exit);
std::string shown(const perdure::Capability& capability);

/// Where lines go: each at once as a Request or a print, or all together as the Response.
class Reporter {
public:
    enum class Way { None, Print, Requests, Response };

    void use(Way way) { way_ = way; }
    void use(perdure::Address target) {
        way_ = Way::Requests;
        target_ = std::move(target);
    }
    void tell(std::size_t line, std::string_view text);
    /// Sends what `Way::Response` has collected.
    void finish();

private:
    Way way_ = Way::None;
    perdure::Address target_;
    std::string collected_;
};

}  // namespace script
