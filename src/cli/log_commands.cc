/// `perdure logs`: lines from the node, one JSON value each, as text or as they come.

#include "abi/ids.h"
#include "cli/commands.h"
#include "transport/http.h"

namespace perdure::cli {
namespace {

Paint paint_of(const Json& line) {
    const std::string level = text_of(line, "level");
    if (level == "error" || level == "warn") {
        return level == "error" ? Paint::Red : Paint::Yellow;
    }
    // A level-0 print of the kernel tells of a crash (K-228).
    if (text_of(line, "source") == "kernel:distro:sys" && number_of(line, "verbosity") == 0) {
        return Paint::Red;
    }
    return text_of(line, "origin") == "node" || number_of(line, "verbosity") > 0 ? Paint::Dim
                                                                                 : Paint::None;
}

/// `12:34:56.789 text`; lines of the node show their level.
std::string line_text(const Json& line, Colouring colouring) {
    if (const std::uint64_t dropped = number_of(line, "dropped")) {
        return paint(std::to_string(dropped) + " lines were dropped: this terminal was too slow",
                     Paint::Yellow, colouring);
    }
    const std::string time = text_of(line, "time");
    const std::string clock = time.size() > 12 ? time.substr(11, time.size() - 12) : time;
    const std::string level = text_of(line, "origin") == "node" ? text_of(line, "level") + " " : "";
    return paint(clock, Paint::Dim, colouring) + " " +
           paint(level + printable(text_of(line, "text")), paint_of(line), colouring);
}

std::string logs_target(const Invocation& invocation) {
    std::string target =
        "/v1/logs?follow=" + std::string(invocation.follow == Switch::On ? "true" : "false") +
        "&lines=" + std::to_string(invocation.lines_max) +
        "&verbosity=" + std::to_string(invocation.verbosity.value_or(0));
    if (!invocation.name.empty()) {
        target += "&process=" + transport::percent_encode(invocation.name);
    }
    return target;
}

}  // namespace

Outcome logs(const Session& session) {
    if (!session.invocation.name.empty() && !check_process(session)) {
        return node::ExitStatus::Usage;
    }
    const Colouring colouring = session.colouring();
    RETURN_IF_ERROR(session.node.stream(logs_target(session.invocation), [&](const Json& line) {
        // Every line at once: who follows wants to see it now.
        session.out() << (session.json() ? line.to_text() : line_text(line, colouring))
                      << std::endl;
        return session.out() ? transport::OnLine::Continue : transport::OnLine::Stop;
    }));
    return node::ExitStatus::Success;
}

}  // namespace perdure::cli
