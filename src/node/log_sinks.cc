/// spdlog lives here; it throws, so every call into it is wrapped.

#include "node/log_sinks.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <utility>

namespace perdure::node {
namespace {

/// What a line of a file has beside its text: time, level and line end, and the mark of a cut one.
constexpr std::size_t kLineOverheadBytes = 128;

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
    SpdlogSink(std::unique_ptr<spdlog::sinks::sink> sink, std::size_t text_bytes_max)
        : sink_(std::move(sink)), text_bytes_max_(text_bytes_max) {
        sink_->set_formatter(std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v", spdlog::pattern_time_type::utc));
    }
    void write(LogLevel level, std::string_view line) override {
        try {
            std::string cut;
            if (line.size() > text_bytes_max_) {
                cut = std::string(line.substr(0, text_bytes_max_)) + " … " +
                      std::to_string(line.size() - text_bytes_max_) + " bytes cut (log.bytes_max)";
                line = cut;
            }
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
    const std::size_t text_bytes_max_;
};

/// Removes files of an earlier run that are more, or larger, than they may be now.
void remove_left_over(const std::filesystem::path& path, std::uint64_t files,
                      std::size_t file_bytes) {
    namespace fs = std::filesystem;
    const std::string stem = path.stem().string() + ".";
    const std::string extension = path.extension().string();
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(path.parent_path(), ignored)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(stem) || !name.ends_with(extension)) {
            continue;
        }
        std::uint64_t number = 0;  // The newest file, `node.log`, has none.
        if (name != path.filename()) {
            const char* const begin = name.data() + stem.size();
            const char* const end = name.data() + name.size() - extension.size();
            const auto [stopped, failure] = std::from_chars(begin, std::max(begin, end), number);
            if (failure != std::errc() || stopped != end) {
                continue;  // Not ours.
            }
        }
        if (number >= files || entry.file_size(ignored) > file_bytes) {
            fs::remove(entry.path(), ignored);
        }
    }
}

}  // namespace

std::unique_ptr<LogSink> make_stderr_sink(Colours colours) {
    return std::make_unique<SpdlogSink>(
        std::make_unique<spdlog::sinks::ansicolor_stderr_sink_mt>(
            colours == Colours::On ? spdlog::color_mode::always : spdlog::color_mode::never),
        SIZE_MAX);
}

Result<std::unique_ptr<LogSink>> make_file_sink(const LogFileOptions& options) {
    const std::uint64_t fitting = std::max<std::uint64_t>(options.bytes_max / kLogFileBytesMin, 1);
    const std::uint64_t files = std::clamp<std::uint64_t>(options.files, 1, fitting);
    const auto file_bytes = std::max<std::size_t>(options.bytes_max / files, kLogFileBytesMin);
    try {
        remove_left_over(options.path, files, file_bytes);
        // spdlog counts the files besides the current one.
        auto sink = std::make_unique<spdlog::sinks::rotating_file_sink_mt>(options.path, file_bytes,
                                                                           files - 1);
        return std::unique_ptr<LogSink>(
            std::make_unique<SpdlogSink>(std::move(sink), file_bytes - kLineOverheadBytes));
    } catch (const std::exception& failure) {
        return Error(ErrorCode::Io, options.path + ": " + failure.what());
    }
}

}  // namespace perdure::node
