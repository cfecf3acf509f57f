/// spdlog lives here; it throws, so every call into it is wrapped.

#include "node/log_sinks.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace perdure::node {
namespace {

constexpr std::size_t kFileBytesLeast =
    4096;  // a file holds at least one line of any length we write

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
        case LogLevel::Trace: return spdlog::level::trace;
        case LogLevel::Debug: return spdlog::level::debug;
        case LogLevel::Info: return spdlog::level::info;
        case LogLevel::Warn: return spdlog::level::warn;
        case LogLevel::Error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

class SpdlogSink final : public LogSink {
public:
    explicit SpdlogSink(std::unique_ptr<spdlog::sinks::sink> sink) : sink_(std::move(sink)) {
        sink_->set_formatter(std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v", spdlog::pattern_time_type::utc));
    }
    void write(LogLevel level, std::string_view line) override {
        try {
            const spdlog::string_view_t text(line.data(), line.size());
            sink_->log(spdlog::details::log_msg(spdlog::string_view_t(), level_of(level), text));
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
            // A full disk loses log lines, nothing else.
        }
    }
    void flush() override {
        try {
            sink_->flush();
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
            // As above.
        }
    }

private:
    std::unique_ptr<spdlog::sinks::sink> sink_;
};

}  // namespace

std::unique_ptr<LogSink> make_stderr_sink(Colours colours) {
    return std::make_unique<SpdlogSink>(std::make_unique<spdlog::sinks::ansicolor_stderr_sink_mt>(
        colours == Colours::On ? spdlog::color_mode::always : spdlog::color_mode::never));
}

Result<std::unique_ptr<LogSink>> make_file_sink(const LogFileOptions& options) {
    const std::uint64_t files = std::max<std::uint64_t>(options.log_files, 1);
    const auto file_bytes = std::max<std::size_t>(options.log_bytes_max / files, kFileBytesLeast);
    try {
        // spdlog counts the files besides the current one.
        auto sink = std::make_unique<spdlog::sinks::rotating_file_sink_mt>(options.path, file_bytes,
                                                                           files - 1);
        return std::unique_ptr<LogSink>(std::make_unique<SpdlogSink>(std::move(sink)));
    } catch (const std::exception& failure) {
        return Error(ErrorCode::Io, options.path + ": " + failure.what());
    }
}

}  // namespace perdure::node
