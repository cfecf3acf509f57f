// Both ends of the benches that cross two guests, written on the generated glue alone, so that what
// is measured is the node and not a library.
//
//   Request body                        answer: `ns=N`, how long it took, then what is said here
//   await COUNT SIZE ADDRESS            COUNT awaited Requests of SIZE bytes to ADDRESS
//   blob COUNT SIZE ADDRESS             the same with empty bodies and a blob of SIZE bytes each,
//                                       which ADDRESS fetches
//   send COUNT SIZE ADDRESS             COUNT Requests of SIZE bytes without an answer, and one
//                                       awaited Request behind them
//   rotate LAPS SIZE MANY ADDRESS       in each lap one Request to each of the MANY processes whose
//                                       names begin as ADDRESS and end in a number from 0 on; only
//                                       the last one's is awaited
//   groups COUNT SIZE GROUP ADDRESS     closed loop: COUNT times GROUP awaited Requests; behind it
//                                       ` N` for each time, nanoseconds
//   paced COUNT SIZE PERIOD ADDRESS     open loop: an awaited Request every PERIOD nanoseconds;
//                                       behind it ` N` for each, counted from when it was meant to
//                                       begin
//   set-state COUNT SIZE                COUNT times saved
//   has-blob COUNT, get-blob COUNT,     COUNT host calls; `print` writes one byte at level 3
//   our COUNT, print COUNT
//   anything else                       its own body, if an answer is wanted; not timed
//
// ADDRESS is `node@process:package:publisher`; awaited Requests wait at most 60 s. What a command
// times is the same whether its own Request wants an answer or not.

#include <time.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "guest.h"

namespace {

constexpr std::uint64_t kTimeoutSeconds = 60;
/// The body of a Request whose blob is to be fetched.
constexpr std::string_view kBlob = "blob";

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
    std::uint64_t parameter = 0;
    std::string_view process;
    standard_address_t target;

    explicit Command(std::string_view line) {
        name = take(line, ' ');
        count = number(take(line, ' '));
        filler.assign(number(take(line, ' ')), 'x');
        if (name == "rotate" || name == "groups" || name == "paced")
            parameter = number(take(line, ' '));
        target.node = text(take(line, '@'));
        process = take(line, ':');
        target.process.process_name = text(process);
        target.process.package_name = text(take(line, ':'));
        target.process.publisher_node = text(line);
    }
    guest_list_u8_t bytes() {
        return {reinterpret_cast<std::uint8_t*>(filler.data()), filler.size()};
    }
    standard_request_t request(bool expects_response) {
        standard_request_t request{};
        request.expects_response = {expects_response, kTimeoutSeconds};
        request.body = bytes();
        return request;
    }
};

/// Whether the answer came.
bool await_one(Command& command, standard_request_t request, standard_lazy_load_blob_t* blob) {
    standard_tuple2_address_message_t answer;
    standard_send_error_t error;
    if (standard_send_and_await_response(&command.target, &request, blob, &answer, &error)) {
        standard_tuple2_address_message_free(&answer);
        return true;
    }
    standard_send_error_free(&error);
    return false;
}

bool await_one(Command& command) {
    return await_one(command, command.request(true), nullptr);
}

bool await_all(Command& command) {
    for (std::uint64_t i = 0; i < command.count; ++i) {
        if (!await_one(command))
            return false;
    }
    return true;
}

bool await_blobs(Command& command) {
    standard_lazy_load_blob_t blob{};
    blob.bytes = command.bytes();
    standard_request_t request = command.request(true);
    request.body = {reinterpret_cast<std::uint8_t*>(const_cast<char*>(kBlob.data())), kBlob.size()};
    for (std::uint64_t i = 0; i < command.count; ++i) {
        if (!await_one(command, request, &blob))
            return false;
    }
    return true;
}

bool send_all(Command& command) {
    auto request = command.request(false);
    for (std::uint64_t i = 0; i < command.count; ++i) {
        standard_send_request(&command.target, &request, nullptr, nullptr);
    }
    return await_one(command);
}

bool rotate(Command& command) {
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < command.parameter; ++i)
        names.push_back(std::string(command.process) + std::to_string(i));
    auto request = command.request(false);
    for (std::uint64_t lap = 0; lap < command.count; ++lap) {
        for (const std::string& name : names) {
            command.target.process.process_name = text(name);
            if (&name != &names.back()) {
                standard_send_request(&command.target, &request, nullptr, nullptr);
            } else if (!await_one(command)) {
                return false;
            }
        }
    }
    return true;
}

bool await_groups(Command& command, std::string& samples) {
    for (std::uint64_t i = 0; i < command.count; ++i) {
        const auto start = now_ns();
        for (std::uint64_t each = 0; each < command.parameter; ++each) {
            if (!await_one(command))
                return false;
        }
        samples += " " + std::to_string(now_ns() - start);
    }
    return true;
}

bool await_paced(Command& command, std::string& samples) {
    const auto begin = now_ns() + command.parameter;
    for (std::uint64_t i = 0; i < command.count; ++i) {
        const auto meant = begin + i * command.parameter;
        const auto now = now_ns();
        if (now < meant) {
            const timespec pause{static_cast<time_t>((meant - now) / 1'000'000'000),
                                 static_cast<long>((meant - now) % 1'000'000'000)};
            ::nanosleep(&pause, nullptr);
        }
        if (!await_one(command))
            return false;
        samples += " " + std::to_string(now_ns() - meant);
    }
    return true;
}

void save(Command& command) {
    guest_list_u8_t bytes = command.bytes();
    for (std::uint64_t i = 0; i < command.count; ++i)
        standard_set_state(&bytes);
}

template <typename Call>
void repeat(std::uint64_t count, Call call) {
    for (std::uint64_t i = 0; i < count; ++i)
        call();
}

/// The Request that is answered has no blob.
void call(const Command& command) {
    if (command.name == "has-blob") {
        repeat(command.count, [] { (void)standard_has_blob(); });
    } else if (command.name == "get-blob") {
        repeat(command.count, [] {
            standard_lazy_load_blob_t none;
            (void)standard_get_blob(&none);
        });
    } else if (command.name == "our") {
        repeat(command.count, [] {
            standard_address_t our;
            standard_our(&our);
            standard_address_free(&our);
        });
    } else {
        guest_string_t letter = text("x");
        repeat(command.count, [&] { standard_print_to_terminal(3, &letter); });
    }
}

std::string run(Command& command) {
    std::string samples;
    bool answered = true;
    const auto start = now_ns();
    if (command.name == "await") {
        answered = await_all(command);
    } else if (command.name == "blob") {
        answered = await_blobs(command);
    } else if (command.name == "send") {
        answered = send_all(command);
    } else if (command.name == "rotate") {
        answered = rotate(command);
    } else if (command.name == "groups") {
        answered = await_groups(command, samples);
    } else if (command.name == "paced") {
        answered = await_paced(command, samples);
    } else if (command.name == "set-state") {
        save(command);
    } else {
        call(command);
    }
    return answered ? "ns=" + std::to_string(now_ns() - start) + samples : "failed";
}

bool is_command(std::string_view body) {
    constexpr std::string_view kNames[] = {"await ",    "blob ",  "send ",      "rotate ",
                                           "groups ",   "paced ", "set-state ", "has-blob ",
                                           "get-blob ", "our ",   "print "};
    for (const std::string_view name : kNames) {
        if (body.rfind(name, 0) == 0)
            return true;
    }
    return false;
}

void respond(const std::uint8_t* bytes, std::size_t size) {
    standard_response_t response{};
    response.body = {const_cast<std::uint8_t*>(bytes), size};
    standard_send_response(&response, nullptr);
}

void handle(const standard_request_t& request) {
    const std::string_view body(reinterpret_cast<const char*>(request.body.ptr), request.body.len);
    if (is_command(body)) {
        Command command(body);
        const std::string answer = run(command);
        if (request.expects_response.is_some)
            respond(reinterpret_cast<const std::uint8_t*>(answer.data()), answer.size());
        return;
    }
    if (!request.expects_response.is_some)
        return;
    if (body == kBlob) {
        standard_lazy_load_blob_t blob;
        if (standard_get_blob(&blob))
            standard_lazy_load_blob_free(&blob);
    }
    respond(request.body.ptr, request.body.len);
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
