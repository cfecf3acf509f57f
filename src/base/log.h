#pragma once

/// The node's own log: one event, one line, past tense, `key=value` (style of the house in
/// CONTRIBUTING.md).
///
/// Never bodies, secrets, signatures or cookies. Whatever outsiders can trigger is rate-limited by
/// its caller. What guests print is not logged here: it has its own stream.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace perdure {

enum class LogLevel : std::uint8_t { Trace, Debug, Info, Warn, Error };
std::string_view to_string(LogLevel level);

/// Takes finished lines (without level, time and line end). Thread: any; lines of one thread keep
/// their order.
class LogSink {
public:
    virtual ~LogSink() = default;
    virtual void write(LogLevel level, std::string_view line) = 0;
    /// Lets out what the sink may have gathered.
    virtual void flush() {}
};

/// One `key=value` of a line. Values with blanks, quotes, `=` or control characters are quoted and
/// escaped.
struct LogField {
    std::string_view key;
    std::string value;

    LogField(std::string_view key_in, std::string_view text) : key(key_in), value(text) {}
    LogField(std::string_view key_in, const char* text) : key(key_in), value(text) {}
    LogField(std::string_view key_in, const std::string& text) : key(key_in), value(text) {}
    LogField(std::string_view key_in, bool flag) : key(key_in), value(flag ? "true" : "false") {}
    template <typename N>
        requires std::is_arithmetic_v<N>
    LogField(std::string_view key_in, N number) : key(key_in), value(std::to_string(number)) {}
};

/// A borrowed handle on a sink with a level below which nothing is built.
class Log {
public:
    Log(LogSink& sink, LogLevel least) : sink_(&sink), least_(least) {}

    template <typename... Fields>
    void error(std::string_view event, Fields&&... fields) const {
        write(LogLevel::Error, event, {std::forward<Fields>(fields)...});
    }
    template <typename... Fields>
    void warn(std::string_view event, Fields&&... fields) const {
        write(LogLevel::Warn, event, {std::forward<Fields>(fields)...});
    }
    template <typename... Fields>
    void info(std::string_view event, Fields&&... fields) const {
        write(LogLevel::Info, event, {std::forward<Fields>(fields)...});
    }
    template <typename... Fields>
    void debug(std::string_view event, Fields&&... fields) const {
        write(LogLevel::Debug, event, {std::forward<Fields>(fields)...});
    }
    bool wants(LogLevel level) const { return level >= least_; }

private:
    void write(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) const;

    LogSink* sink_;
    LogLevel least_;
};

/// The line of an event: `process_exited process=chess:chess:sys reason=trap`.
std::string format_event(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace perdure
