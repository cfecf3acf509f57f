#include "node/control_api.h"

#include <span>
#include <utility>

#include "abi/ids.h"
#include "abi/quote.h"
#include "node/control_logs.h"
#include "node/control_requests.h"

namespace perdure::node {
namespace {

using transport::HttpRequest;
using transport::HttpResponder;
using transport::HttpResponse;
using transport::HttpTarget;

HttpResponse json_response(unsigned status, const Json& json) {
    return {.status = status,
            .headers = {{"Content-Type", "application/json"}},
            .body = json.to_text() + "\n"};
}

HttpResponse plain_error(unsigned status, ErrorCode code, std::string message) {
    HttpResponse response = error_response(Error(code, std::move(message)));
    response.status = status;
    return response;
}

template <typename T>
Json list_of(const std::vector<T>& rows) {
    Json array = Json::array();
    for (const T& row : rows) {
        array.push(to_json(row));
    }
    return array;
}

/// One request on its way through a route. Copied into callbacks.
struct Call {
    NodeApi* api;
    HttpResponder responder;
    HttpRequest request;
    HttpTarget target;

    const std::string& element(std::size_t index) const { return target.path[index]; }
    void fail(const Error& error) const { responder.respond(error_response(error)); }
    void answer(const Json& json) const { responder.respond(json_response(200, json)); }
};

/// Answers with the value's JSON, or the error.
template <typename T, typename F>
Done<T> answer_with(const Call& call, F&& to_answer) {
    return [responder = call.responder,
            to_answer = std::forward<F>(to_answer)](const Result<T>& result) {
        if (!result) {
            return responder.respond(error_response(result.error()));
        }
        responder.respond(to_answer(*result));
    };
}
template <typename T>
Done<T> answer_json(const Call& call) {
    return answer_with<T>(call, [](const T& value) { return json_response(200, to_json(value)); });
}

// ---- names that do not exist
// ------------------------------------------------------------------------------------

HttpResponse not_found_response(const Error& error, std::string_view name,
                                const std::vector<std::string>& known) {
    const std::vector<std::string_view> views(known.begin(), known.end());
    const std::string_view closest = closest_word(name, views);
    if (closest.empty()) {
        return error_response(error);
    }
    Json body = Json::object(
        {{"code", to_string(error.code())},
         {"message", error.message() + "; the closest existing one is " + std::string(closest)},
         {"closest", closest}});
    return json_response(http_status(error.code()), Json::object({{"error", std::move(body)}}));
}

/// Adds the closest name to a NotFound about `name`, which must be one of what `list` lists.
template <typename Row, typename ListNames>
void fail_naming_closest(const HttpResponder& responder, const Error& error,
                         const std::string& name, ListNames list, std::string Row::* field) {
    list([responder, error, name, field](Result<std::vector<Row>> rows) {
        std::vector<std::string> names;
        if (rows) {
            for (const Row& row : *rows) {
                names.push_back(row.*field);
            }
        }
        responder.respond(not_found_response(error, name, names));
    });
}

void fail_about_process(NodeApi& api, const HttpResponder& responder, const Error& error,
                        const std::string& process) {
    if (error.code() != ErrorCode::NotFound) {
        return responder.respond(error_response(error));
    }
    fail_naming_closest<ProcessRow>(
        responder, error, process, [&api](auto done) { api.processes(std::move(done)); },
        &ProcessRow::process);
}

void fail_about_package(NodeApi& api, const HttpResponder& responder, const Error& error,
                        const std::string& package) {
    if (error.code() != ErrorCode::NotFound) {
        return responder.respond(error_response(error));
    }
    fail_naming_closest<PackageRow>(
        responder, error, package, [&api](auto done) { api.packages(std::move(done)); },
        &PackageRow::package);
}

/// Answers a call about the process in path element 2.
template <typename T, typename F>
Done<T> about_process(const Call& call, F&& to_answer) {
    return [api = call.api, responder = call.responder, process = call.element(2),
            to_answer = std::forward<F>(to_answer)](const Result<T>& result) {
        if (!result) {
            return fail_about_process(*api, responder, result.error(), process);
        }
        if constexpr (std::is_void_v<T>) {
            responder.respond(to_answer());
        } else {
            responder.respond(to_answer(*result));
        }
    };
}
Done<void> done_about_process(const Call& call) {
    return about_process<void>(call, [process = call.element(2)] {
        return json_response(200, Json::object({{"process", process}}));
    });
}

bool check_process_id(const Call& call) {
    if (auto parsed = parse_process_id(call.element(2)); !parsed) {
        call.fail(parsed.error());
        return false;
    }
    return true;
}

// ---- routes
// -----------------------------------------------------------------------------------------------------

void get_healthz(const Call& call) {
    const bool live = call.api->health().live;
    call.responder.respond({.status = live ? 200u : 503u,
                            .headers = {{"Content-Type", "text/plain"}},
                            .body = live ? "ok\n" : "stopping\n"});
}

void get_readyz(const Call& call) {
    const Health health = call.api->health();
    std::string text;
    for (const std::string& reason : health.reasons) {
        text += reason + "\n";
    }
    if (health.ready) {
        text = "ok\n";
    } else if (text.empty()) {
        text = "starting\n";
    }
    call.responder.respond({.status = health.ready ? 200u : 503u,
                            .headers = {{"Content-Type", "text/plain"}},
                            .body = std::move(text)});
}

void get_health(const Call& call) {
    call.answer(to_json(call.api->health()));
}
void get_version(const Call& call) {
    call.answer(to_json(call.api->version()));
}
void get_config(const Call& call) {
    call.answer(Json::object({{"settings", list_of(call.api->config())}}));
}

void get_processes(const Call& call) {
    call.api->processes(answer_with<std::vector<ProcessRow>>(call, [](const auto& rows) {
        return json_response(200, Json::object({{"processes", list_of(rows)}}));
    }));
}

void get_packages(const Call& call) {
    call.api->packages(answer_with<std::vector<PackageRow>>(call, [](const auto& rows) {
        return json_response(200, Json::object({{"packages", list_of(rows)}}));
    }));
}

void post_package(const Call& call) {
    auto directory = parse_start_request(call.request.body);
    if (!directory) {
        return call.fail(directory.error());
    }
    call.api->start_package(std::move(*directory), answer_json<StartedPackage>(call));
}

void delete_package(const Call& call) {
    const std::string& package = call.element(2);
    if (auto parsed = parse_package_id(package); !parsed) {
        return call.fail(parsed.error());
    }
    call.api->remove_package(
        package, [api = call.api, responder = call.responder, package](const Result<void>& result) {
            if (!result) {
                return fail_about_package(*api, responder, result.error(), package);
            }
            responder.respond(json_response(200, Json::object({{"package", package}})));
        });
}

void post_send(const Call& call) {
    auto command = parse_send_request(call.request.body);
    if (!command) {
        return call.fail(command.error());
    }
    const std::string address = command->address;
    const std::string process =
        address.substr(address.find('@') + 1);  // npos + 1 is 0: the whole text
    call.api->send(std::move(*command), [api = call.api, responder = call.responder,
                                         process](Result<SendAnswer> result) {
        if (!result) {
            return fail_about_process(*api, responder, result.error(), process);
        }
        responder.respond(json_response(200, to_json(*result)));
    });
}

void post_kill(const Call& call) {
    if (check_process_id(call)) {
        call.api->kill(call.element(2), done_about_process(call));
    }
}

void post_restart(const Call& call) {
    if (check_process_id(call)) {
        call.api->restart(call.element(2), done_about_process(call));
    }
}

void get_state(const Call& call) {
    if (check_process_id(call)) {
        call.api->show_state(call.element(2), about_process<ProcessStateInfo>(
                                                  call, [](const ProcessStateInfo& info) {
                                                      return json_response(200, to_json(info));
                                                  }));
    }
}

void delete_state(const Call& call) {
    if (check_process_id(call)) {
        call.api->clear_state(call.element(2), done_about_process(call));
    }
}

void get_state_bytes(const Call& call) {
    if (!check_process_id(call)) {
        return;
    }
    call.api->export_state(
        call.element(2),
        about_process<std::optional<SharedBytes>>(call, [process =
                                                             call.element(2)](const auto& bytes) {
            if (!bytes) {
                return error_response(Error(ErrorCode::NotFound, process + " has no saved state"));
            }
            return HttpResponse{.status = 200,
                                .headers = {{"Content-Type", "application/octet-stream"}},
                                .body = std::string(bytes->text())};
        }));
}

void put_state_bytes(const Call& call) {
    if (check_process_id(call)) {
        call.api->import_state(call.element(2), SharedBytes(call.request.body),
                               done_about_process(call));
    }
}

void get_logs(const Call& call) {
    auto query = parse_log_query(call.target);
    if (!query) {
        return call.fail(query.error());
    }
    if (auto opened = stream_logs(*call.api, *query, call.responder); !opened) {
        fail_about_process(*call.api, call.responder, opened.error(), query->process);
    }
}

void post_shutdown(const Call& call) {
    call.api->shutdown([responder = call.responder](const Result<void>& result) {
        if (!result) {
            return responder.respond(error_response(result.error()));
        }
        responder.respond(json_response(200, Json::object({{"stopping", true}})));
    });
}

struct Route {
    std::string_view method;
    std::string_view path;  ///< `*` stands for one element.
    ControlScope least;     ///< HealthOnly: offered everywhere.
    void (*run)(const Call& call);
};

constexpr Route kRoutes[] = {
    {"GET", "healthz", ControlScope::HealthOnly, get_healthz},
    {"GET", "readyz", ControlScope::HealthOnly, get_readyz},
    {"GET", "v1/health", ControlScope::Everything, get_health},
    {"GET", "v1/version", ControlScope::Everything, get_version},
    {"GET", "v1/config", ControlScope::Everything, get_config},
    {"GET", "v1/processes", ControlScope::Everything, get_processes},
    {"POST", "v1/processes/*/kill", ControlScope::Everything, post_kill},
    {"POST", "v1/processes/*/restart", ControlScope::Everything, post_restart},
    {"GET", "v1/processes/*/state", ControlScope::Everything, get_state},
    {"DELETE", "v1/processes/*/state", ControlScope::Everything, delete_state},
    {"GET", "v1/processes/*/state/bytes", ControlScope::Everything, get_state_bytes},
    {"PUT", "v1/processes/*/state/bytes", ControlScope::Everything, put_state_bytes},
    {"GET", "v1/packages", ControlScope::Everything, get_packages},
    {"POST", "v1/packages", ControlScope::Everything, post_package},
    {"DELETE", "v1/packages/*", ControlScope::Everything, delete_package},
    {"POST", "v1/send", ControlScope::Everything, post_send},
    {"GET", "v1/logs", ControlScope::Everything, get_logs},
    {"POST", "v1/shutdown", ControlScope::Everything, post_shutdown},
};

bool matches(std::string_view pattern, std::span<const std::string> path) {
    for (const std::string& element : path) {
        const std::size_t slash = pattern.find('/');
        const std::string_view expected = pattern.substr(0, slash);
        if (expected.empty() || (expected != "*" && expected != element)) {
            return false;
        }
        pattern.remove_prefix(slash == std::string_view::npos ? pattern.size() : slash + 1);
    }
    return pattern.empty();
}

void dispatch(NodeApi& api, ControlScope scope, HttpRequest request, HttpResponder responder) {
    auto target = transport::parse_target(request.target);
    if (!target) {
        return responder.respond(error_response(target.error()));
    }
    // HEAD is GET whose body stays away; the server sees to that.
    const std::string method = request.method == "HEAD" ? "GET" : request.method;
    std::string allowed;
    for (const Route& route : kRoutes) {
        const bool offered =
            scope == ControlScope::Everything || route.least == ControlScope::HealthOnly;
        if (!offered || !matches(route.path, target->path)) {
            continue;
        }
        if (route.method == method) {
            return route.run({&api, std::move(responder), std::move(request), std::move(*target)});
        }
        allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
    }
    if (allowed.empty()) {
        return responder.respond(plain_error(404, ErrorCode::NotFound, "no such route"));
    }
    HttpResponse refused = plain_error(405, ErrorCode::Unsupported, "this route takes " + allowed);
    refused.headers.push_back({"Allow", allowed});
    responder.respond(std::move(refused));
}

}  // namespace

transport::HttpHandler make_control_handler(NodeApi& api, ControlScope scope) {
    return [&api, scope](HttpRequest request, HttpResponder responder) {
        dispatch(api, scope, std::move(request), std::move(responder));
    };
}

unsigned http_status(ErrorCode code) {
    switch (code) {
        case ErrorCode::NotFound: return 404;
        case ErrorCode::AlreadyExists: return 409;
        case ErrorCode::InvalidInput: return 400;
        case ErrorCode::NotPermitted: return 403;
        case ErrorCode::TimedOut: return 504;
        case ErrorCode::Unreachable: return 502;
        case ErrorCode::Overloaded: return 503;
        case ErrorCode::Corrupt: return 500;
        case ErrorCode::Unsupported: return 501;
        case ErrorCode::Cancelled: return 503;
        case ErrorCode::Io: return 500;
    }
    return 500;
}

HttpResponse error_response(const Error& error) {
    return json_response(http_status(error.code()), error_json(error));
}

}  // namespace perdure::node
