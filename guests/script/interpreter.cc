#include "interpreter.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#if PERDURE_WIT_VERSION >= 100
#include "guest.h"
#include "lift.h"
#endif

namespace script {
namespace {

constexpr std::size_t kPageBytes = 64 * 1024;
constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

std::int64_t now_ns(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * kNanosecondsPerSecond + time.tv_nsec;
}

void write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(descriptor, bytes.data(), bytes.size());
        if (written <= 0)
            return;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::string failure(std::string_view call) {
    return std::string(call) + " errno=" + std::to_string(errno);
}

/// Uses some stack per level; `levels` 0 means without end.
[[gnu::noinline]] std::uint64_t recurse(std::uint64_t levels) {
    volatile std::uint64_t frame[8] = {levels};
    if (levels == 1)
        return frame[0];
    return recurse(levels == 0 ? 0 : levels - 1) + frame[0];
}

/// `steps` steps of arithmetic that the compiler cannot shorten.
std::uint64_t compute(std::uint64_t steps) {
    std::uint64_t x = 88172645463325252;
    for (std::uint64_t i = 0; i < steps; ++i) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x;
}

}  // namespace

// Programs.

Interpreter::End Interpreter::run(const perdure::IncomingRequest& message) {
    registers_.program = message.source;
    registers_.source = message.source;
    if (message.request.expects_response_s) {
        reporter_.use(Reporter::Way::Response);
    } else {
        reporter_.use(message.source);
    }
    const auto end = run_lines(message.request.body.text());
    reporter_.finish();
    return end;
}

Interpreter::End Interpreter::run_saved(std::string_view program) {
    reporter_.use(Reporter::Way::Print);
    return run_lines(program);
}

void Interpreter::tell_idle(const perdure::Incoming& element) {
    reporter_.tell(0, "idle " + shown(element));
}

Interpreter::End Interpreter::run_lines(std::string_view program) {
    lines_.clear();
    repeats_.clear();
    queued_.clear();
    registers_.counter = 0;
    while (!program.empty()) {
        const auto end = std::min(program.find('\n'), program.size());
        lines_.push_back(program.substr(0, end));
        program.remove_prefix(std::min(end + 1, program.size()));
    }
    for (line_ = 0; line_ < lines_.size(); ++line_) {
        const Words words(lines_[line_]);
        if (words.empty() || words[0].front() == ';')
            continue;
        switch (execute(words)) {
            case Next::Line: break;
            case Next::Stop: return End::Done;
            case Next::Return: return End::Return;
        }
    }
    reporter_.tell(lines_.size(), "done");
    return End::Done;
}

Interpreter::Next Interpreter::execute(const Words& words) {
    if (const auto next = execute_flow(words))
        return *next;
    if (execute_message(words) || execute_store(words) || execute_life(words) ||
        execute_world(words)) {
        return Next::Line;
    }
    tell("unknown " + shown(words[0]));
    return Next::Stop;
}

std::optional<Interpreter::Next> Interpreter::execute_flow(const Words& words) {
    const auto name = words[0];
    if (name == "repeat") {
        repeats_.push_back({line_, number_of(words[1]).value_or(0), 1});
        registers_.counter = 1;
    } else if (name == "end") {
        if (repeats_.empty()) {
            tell("unknown end");
            return Next::Stop;
        }
        auto& repeat = repeats_.back();
        if (repeat.passes == 0 || repeat.pass < repeat.passes) {
            registers_.counter = ++repeat.pass;
            line_ = repeat.first_line;
        } else {
            repeats_.pop_back();
            registers_.counter = repeats_.empty() ? 0 : repeats_.back().pass;
        }
    } else if (name == "stop") {
        reporter_.tell(line_ + 1, "done");
        return Next::Stop;
    } else if (name == "return") {
        return Next::Return;
    } else {
        return std::nullopt;
    }
    return Next::Line;
}

// Arguments.

perdure::Bytes Interpreter::value(std::string_view word) const {
    return value_of(word, registers_).value_or(perdure::Bytes{});
}

std::optional<perdure::Bytes> Interpreter::option(const Words& words, std::string_view key) const {
    const auto word = words.option(key);
    if (!word)
        return std::nullopt;
    return value_of(*word, registers_);
}

std::optional<perdure::Blob> Interpreter::blob(const Words& words) const {
    const auto bytes = option(words, "blob");
    const auto mime = option(words, "mime");
    if (!bytes && !mime)
        return std::nullopt;
    perdure::Blob blob;
    if (bytes)
        blob.bytes = *bytes;
    if (mime)
        blob.mime = std::string(mime->text());
    return blob;
}

std::vector<perdure::Capability> Interpreter::capabilities(const Words& words) const {
    std::vector<perdure::Capability> capabilities;
    for (const auto word : words.options("cap")) {
        const auto bar = std::min(word.find('|'), word.size());
        const auto params = word.substr(std::min(bar + 1, word.size()));
        capabilities.push_back({address_of(word.substr(0, bar), registers_), text(params)});
    }
    return capabilities;
}

perdure::Outgoing Interpreter::outgoing(const Words& words) const {
    perdure::Outgoing message;
    message.target = address_of(words[1], registers_);
    message.request.inherit = words.has("inherit");
    if (const auto word = words.option("expect")) {
        message.request.expects_response_s = number_of(*word);
    }
    message.request.body = option(words, "body").value_or(perdure::Bytes{});
    if (const auto metadata = option(words, "metadata")) {
        message.request.metadata = std::string(metadata->text());
    }
    message.request.capabilities = capabilities(words);
    message.context = option(words, "context");
    message.blob = blob(words);
    return message;
}

perdure::Response Interpreter::response(const Words& words) const {
    perdure::Response response;
    response.inherit = words.has("inherit");
    response.body = option(words, "body").value_or(perdure::Bytes{});
    if (const auto metadata = option(words, "metadata")) {
        response.metadata = std::string(metadata->text());
    }
    response.capabilities = capabilities(words);
    return response;
}

// Messages.

bool Interpreter::execute_message(const Words& words) {
    const auto name = words[0];
    if (name == "send") {
        perdure::send(outgoing(words));
    } else if (name == "queue") {
        queued_.push_back(outgoing(words));
    } else if (name == "send-queued") {
        perdure::send_all(queued_);
        queued_.clear();
    } else if (name == "await") {
        auto outcome = perdure::send_and_await(outgoing(words));
        if (outcome) {
            tell_element(std::move(outcome).value());
        } else {
            tell_element(perdure::FailedMessage{std::move(outcome).error(), std::nullopt});
        }
    } else if (name == "respond") {
        perdure::respond(response(words), blob(words));
    } else if (name == "resend") {
        if (!last_error_) {
            tell("resend nothing");
        } else if (const auto* request = std::get_if<perdure::Request>(&last_error_->message)) {
            const auto target = last_error_->target.value_or(registers_.source);
            perdure::send({target, *request, std::nullopt, last_error_->blob});
        } else {
            perdure::respond(std::get<perdure::Response>(last_error_->message), last_error_->blob);
        }
    } else if (name == "receive") {
        const auto count = number_of(words[1]).value_or(1);
        for (std::uint64_t i = 0; i < count; ++i)
            tell_element(perdure::receive());
    } else if (name == "receive-numbers") {
        receive_numbers(number_of(words[1]).value_or(1));
    } else if (name == "echo") {
        echo(number_of(words[1]).value_or(0));
    } else {
        return false;
    }
    return true;
}

void Interpreter::tell_element(const perdure::Incoming& element) {
    if (const auto* request = std::get_if<perdure::IncomingRequest>(&element)) {
        registers_.source = request->source;
        registers_.body = request->request.body;
        registers_.context.reset();
        received_capabilities_ = request->request.capabilities;
    } else if (const auto* response = std::get_if<perdure::IncomingResponse>(&element)) {
        registers_.source = response->source;
        registers_.body = response->response.body;
        registers_.context = response->context;
        received_capabilities_ = response->response.capabilities;
    } else {
        const auto& failed = std::get<perdure::FailedMessage>(element);
        registers_.context = failed.context;
        received_capabilities_.clear();
        last_error_ = failed.error;
    }
    tell(shown(element));
}

/// Takes `count` elements that should be Requests with ascending numbers, and tells of them in one
/// line.
void Interpreter::receive_numbers(std::uint64_t count) {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t gaps = 0;
    std::uint64_t others = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto element = perdure::receive();
        const auto* message = std::get_if<perdure::IncomingRequest>(&element);
        const auto number = message ? number_of(message->request.body.text()) : std::nullopt;
        if (!number) {
            ++others;
            continue;
        }
        if (i == 0) {
            first = *number;
        } else if (*number != last + 1) {
            ++gaps;
        }
        last = *number;
    }
    tell("numbers first=" + std::to_string(first) + " last=" + std::to_string(last) +
         " gaps=" + std::to_string(gaps) + " others=" + std::to_string(others));
}

/// Answers `count` Requests (0: for ever) with their own body, metadata and blob.
void Interpreter::echo(std::uint64_t count) {
    for (std::uint64_t answered = 0; count == 0 || answered < count;) {
        const auto element = perdure::receive();
        const auto* message = std::get_if<perdure::IncomingRequest>(&element);
        if (message == nullptr)
            continue;
        perdure::Response response;
        response.inherit = true;
        response.body = message->request.body;
        response.metadata = message->request.metadata;
        perdure::respond(response);
        ++answered;
    }
}

// Blobs, state, capabilities.

bool Interpreter::execute_store(const Words& words) {
    const auto name = words[0];
    const auto tell_blob = [&](const std::optional<perdure::Blob>& blob) {
        registers_.blob.reset();
        if (blob)
            registers_.blob = blob->bytes;
        tell(std::string(name) + (blob ? shown(blob) : " none"));
    };
    if (name == "get-blob") {
        tell_blob(perdure::get_blob());
#if PERDURE_WIT_VERSION >= 100
    } else if (name == "has-blob") {
        tell(perdure::has_blob() ? "has-blob 1" : "has-blob 0");
    } else if (name == "last-blob") {
        tell_blob(perdure::last_blob());
#endif
    } else if (name == "get-state") {
        registers_.state = perdure::get_state();
        tell(registers_.state ? "get-state value=" + shown(registers_.state->text())
                              : "get-state none");
    } else if (name == "set-state") {
        perdure::set_state(value(words[1]));
    } else if (name == "clear-state") {
        perdure::clear_state();
    } else if (name == "count-state") {
        const auto counter = perdure::load<std::uint64_t>();
        const auto next = counter ? *counter + 1 : 0;
        perdure::save(next);
        tell("count-state " + std::to_string(next));
    } else if (name == "caps") {
        std::string line = "caps";
        for (const auto& held : perdure::our_capabilities())
            line += " cap=" + shown(held);
        tell(line);
    } else if (name == "save-caps") {
        perdure::save_capabilities(capabilities(words));
    } else if (name == "save-received-caps") {
        perdure::save_capabilities(received_capabilities_);
    } else if (name == "drop-caps") {
        perdure::drop_capabilities(capabilities(words));
    } else {
        return false;
    }
    return true;
}

// The process itself.

bool Interpreter::execute_life(const Words& words) {
    const auto name = words[0];
    if (name == "report") {
        const auto way = words[1];
        if (way == "none") {
            reporter_.use(Reporter::Way::None);
        } else if (way == "print") {
            reporter_.use(Reporter::Way::Print);
        } else if (way == "response") {
            reporter_.use(Reporter::Way::Response);
        } else {
            reporter_.use(address_of(way, registers_));
        }
    } else if (name == "note") {
        tell("note " + shown(value(words[1]).text()));
    } else if (name == "print") {
        perdure::print_line(static_cast<perdure::Verbosity>(number_of(words[1]).value_or(0)),
                            text(words[2]));
    } else if (name == "init-argument") {
        tell("init-argument " + shown(std::string_view(init_argument_)));
#if PERDURE_WIT_VERSION >= 100
    } else if (name == "our") {
        standard_address_t our;
        standard_our(&our);
        tell("our " + shown(perdure::detail::lift(our)));
#endif
    } else if (name == "get-on-exit") {
        tell("get-on-exit " + shown(perdure::get_on_exit()));
    } else if (name == "set-on-exit") {
        if (words[1] == "restart") {
            perdure::set_on_exit(perdure::OnExit::restart());
        } else if (words[1] == "queued") {
            std::vector<perdure::ExitRequest> requests;
            for (auto& message : queued_) {
                requests.push_back({message.target, message.request, message.blob});
            }
            perdure::set_on_exit(perdure::OnExit::send(std::move(requests)));
            queued_.clear();
        } else {
            perdure::set_on_exit(perdure::OnExit::none());
        }
    } else if (name == "exit") {
        ::_Exit(static_cast<int>(number_of(words[1]).value_or(0)));
    } else if (name == "panic") {
        perdure::panic(text(words[1]));
    } else if (name == "trap") {
        __builtin_trap();
    } else if (name == "abort") {
        std::abort();
    } else {
        return false;
    }
    return true;
}

// Time, memory, streams and what else a guest can do to the machine.

bool Interpreter::execute_world(const Words& words) {
    const auto name = words[0];
    const auto number = number_of(words[1]).value_or(0);
    if (name == "sleep") {
        perdure::sleep(std::chrono::milliseconds(number));
    } else if (name == "spin") {
        const auto end = now_ns(CLOCK_MONOTONIC) + static_cast<std::int64_t>(number) * 1'000'000;
        while (now_ns(CLOCK_MONOTONIC) < end)
            compute(10'000);
    } else if (name == "compute") {
        tell("compute " + std::to_string(compute(number)));
    } else if (name == "loop") {
        for (volatile std::uint64_t turns = 0;; turns = turns + 1) {
        }
    } else if (name == "recurse") {
        tell("recurse " + std::to_string(recurse(number)));
    } else if (name == "allocate") {
        allocate(number);
    } else if (name == "memory") {
        tell("memory " + std::to_string(__builtin_wasm_memory_size(0) * kPageBytes));
    } else if (name == "clock") {
        tell("clock monotonic_ns=" + std::to_string(now_ns(CLOCK_MONOTONIC)) +
             " wall_ns=" + std::to_string(now_ns(CLOCK_REALTIME)));
    } else if (name == "random") {
        auto bytes = perdure::Bytes::zeroes(static_cast<std::size_t>(number));
        ::arc4random_buf(bytes.data(), bytes.size());
        tell("random " + shown(bytes.text()));
    } else if (name == "stderr" || name == "stdout") {
        const auto bytes = value(words[1]);
        const auto times = number_of(words[2]).value_or(1);
        for (std::uint64_t i = 0; i < times; ++i) {
            write_all(name == "stderr" ? STDERR_FILENO : STDOUT_FILENO, bytes.text());
        }
    } else if (name == "stdin") {
        char buffer[64];
        const auto read = ::read(STDIN_FILENO, buffer, sizeof buffer);
        tell(read < 0 ? failure("stdin") : "stdin bytes=" + std::to_string(read));
    } else if (name == "open") {
        const auto path = text(words[1]);
        const int descriptor = ::open(path.c_str(), O_RDONLY);
        tell(descriptor < 0 ? failure("open") : "open descriptor=" + std::to_string(descriptor));
    } else if (name == "environment") {
        std::uint64_t count = 0;
        for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
            ++count;
        }
        tell("environment count=" + std::to_string(count));
    } else {
        return false;
    }
    return true;
}

/// Takes and touches `bytes` more and keeps them; tells whether that went well.
void Interpreter::allocate(std::uint64_t bytes) {
    auto* memory = bytes <= SIZE_MAX ? static_cast<volatile char*>(std::malloc(bytes)) : nullptr;
    if (memory == nullptr) {
        tell("allocate refused kept=" + std::to_string(allocated_bytes_));
        return;
    }
    for (std::uint64_t i = 0; i < bytes; i += 4096)
        memory[i] = 1;
    allocated_bytes_ += bytes;
    tell("allocate kept=" + std::to_string(allocated_bytes_));
}

}  // namespace script
