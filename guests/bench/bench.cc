// Both ends of the benches that cross two guests, written on the generated glue alone, so that what
// is measured is the node and not a library.
//
//   Request body                        answer
//   await COUNT SIZE ADDRESS            `ns=N`: COUNT awaited Requests of SIZE bytes to ADDRESS
//   send COUNT SIZE ADDRESS             `ns=N`: COUNT Requests of SIZE bytes without an answer, and
//                                       one awaited Request behind them
//   set-state COUNT SIZE                `ns=N`: COUNT times saved
//   anything else                       its own body, if an answer is wanted
//
// ADDRESS is `node@process:package:publisher`; awaited Requests wait at most 60 s.

#include <time.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "guest.h"

namespace {

constexpr std::uint64_t kTimeoutSeconds = 60;

std::uint64_t now_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

/// Takes the text up to `separator` off the front of `rest`.
std::string_view take(std::string_view& rest, char separator) {
    const auto end = rest.find(separator);
    const auto part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return part;
}

std::uint64_t number(std::string_view digits) {
    std::uint64_t value = 0;
    for (const char digit : digits)
        value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    return value;
}

guest_string_t text(std::string_view text) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())), text.size()};
}

struct Command {
    std::string_view name;
    std::uint64_t count;
    std::string filler;
    standard_address_t target;

    explicit Command(std::string_view line) {
        name = take(line, ' ');
        count = number(take(line, ' '));
        filler.assign(number(take(line, ' ')), 'x');
        target.node = text(take(line, '@'));
        target.process.process_name = text(take(line, ':'));
        target.process.package_name = text(take(line, ':'));
        target.process.publisher_node = text(line);
    }
    standard_request_t request(bool expects_response) {
        standard_request_t request{};
        request.expects_response = {expects_response, kTimeoutSeconds};
        request.body = {reinterpret_cast<std::uint8_t*>(filler.data()), filler.size()};
        return request;
    }
};

/// Whether the answer came.
bool await_one(Command& command) {
    auto request = command.request(true);
    standard_tuple2_address_message_t answer;
    standard_send_error_t error;
    if (standard_send_and_await_response(&command.target, &request, nullptr, &answer, &error)) {
        standard_tuple2_address_message_free(&answer);
        return true;
    }
    standard_send_error_free(&error);
    return false;
}

std::string run(Command& command) {
    const auto start = now_ns();
    if (command.name == "await") {
        for (std::uint64_t i = 0; i < command.count; ++i) {
            if (!await_one(command))
                return "failed";
        }
    } else if (command.name == "send") {
        auto request = command.request(false);
        for (std::uint64_t i = 0; i < command.count; ++i) {
            standard_send_request(&command.target, &request, nullptr, nullptr);
        }
        if (!await_one(command))
            return "failed";
    } else {
        guest_list_u8_t bytes{reinterpret_cast<std::uint8_t*>(command.filler.data()),
                              command.filler.size()};
        for (std::uint64_t i = 0; i < command.count; ++i)
            standard_set_state(&bytes);
    }
    return "ns=" + std::to_string(now_ns() - start);
}

bool is_command(std::string_view body) {
    return body.rfind("await ", 0) == 0 || body.rfind("send ", 0) == 0 ||
           body.rfind("set-state ", 0) == 0;
}

void handle(const standard_request_t& request) {
    if (!request.expects_response.is_some)
        return;
    const std::string_view body(reinterpret_cast<const char*>(request.body.ptr), request.body.len);
    standard_response_t response{};
    std::string answer;
    response.body = request.body;
    if (is_command(body)) {
        Command command(body);
        answer = run(command);
        response.body = {reinterpret_cast<std::uint8_t*>(answer.data()), answer.size()};
    }
    standard_send_response(&response, nullptr);
}

}  // namespace

extern "C" void exports_guest_init(guest_string_t*) {
    for (;;) {
        standard_tuple2_address_message_t message;
        standard_tuple2_send_error_option_context_t error;
        if (!standard_receive(&message, &error)) {
            standard_tuple2_send_error_option_context_free(&error);
            continue;
        }
        if (message.f1.tag == STANDARD_MESSAGE_REQUEST)
            handle(message.f1.val.request);
        standard_tuple2_address_message_free(&message);
    }
}
