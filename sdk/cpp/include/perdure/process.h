#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "perdure/message.h"

namespace perdure {

/// Names the function a process starts with:
///
///     void init(const perdure::Address& our) { ... }
///     PERDURE_PROCESS(init)
///
/// Returning from it ends the process normally.
#define PERDURE_PROCESS(function)                                      \
    void perdure::detail::run_process(const ::perdure::Address& our) { \
        function(our);                                                 \
    }

namespace detail {

/// Defined by PERDURE_PROCESS.
void run_process(const Address& our);

inline void append(std::string& line, std::string_view text) {
    line.append(text);
}
inline void append(std::string& line, const std::string& text) {
    line.append(text);
}
inline void append(std::string& line, const char* text) {
    line.append(text);
}
inline void append(std::string& line, char character) {
    line.push_back(character);
}
template <class T>
    requires std::is_arithmetic_v<T>
void append(std::string& line, T number) {
    line.append(std::to_string(number));
}
inline void append(std::string& line, const Bytes& bytes) {
    line.append(bytes.text());
}
inline void append(std::string& line, const Address& address) {
    line.append(address.to_string());
}

template <class... Parts>
std::string concatenate(const Parts&... parts) {
    std::string line;
    (append(line, parts), ...);
    return line;
}

}  // namespace detail

/// This process's own address. Valid once the process runs.
const Address& our();

/// How much an operator must want to see for a print to appear.
enum class Verbosity : std::uint8_t {
    Always = 0,
    Debug = 1,
    Runtime = 2,
    Everything = 3,
};

/// Prints `line`, marked by the node with the package of this process. Never waits for a terminal.
void print_line(Verbosity verbosity, std::string_view line);

/// Prints its arguments (text, numbers, addresses, bytes as text) in one line, always shown.
template <class... Parts>
void print(const Parts&... parts) {
    print_line(Verbosity::Always, detail::concatenate(parts...));
}

/// The same for a higher level.
template <class... Parts>
void print_at(Verbosity verbosity, const Parts&... parts) {
    print_line(verbosity, detail::concatenate(parts...));
}

/// One of the messages that OnExit::requests sends.
struct ExitRequest {
    Address target;
    Request request;
    std::optional<Blob> blob;
};

/// What the node does when this process ends, whether it returns or traps.
struct OnExit {
    enum class Kind {
        None,      ///< Nothing; the process is gone.
        Restart,   ///< The process starts again at once (not after a kill).
        Requests,  ///< The process is gone and `requests` are sent in its name, unanswered.
    };
    Kind kind = Kind::None;
    std::vector<ExitRequest> requests;

    static OnExit none() { return {}; }
    static OnExit restart() { return {Kind::Restart, {}}; }
    static OnExit send(std::vector<ExitRequest> requests) {
        return {Kind::Requests, std::move(requests)};
    }
};

OnExit get_on_exit();
void set_on_exit(const OnExit& on_exit);

enum class ExitStatus {
    Success,  ///< The same as returning from the start function.
    Failure,  ///< The same as a crash.
};

/// Ends the process here. Destructors of live objects do not run.
[[noreturn]] void exit(ExitStatus status);

/// Writes `message` to the error stream, where crash reports take it from, and traps.
[[noreturn]] void panic(std::string_view message);

/// Sleeps; other processes run meanwhile and messages queue.
void sleep(std::chrono::nanoseconds duration);

}  // namespace perdure
