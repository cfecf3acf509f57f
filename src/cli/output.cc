#include "cli/output.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/check.h"

namespace perdure::cli {
namespace {

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::string with_unit(double value, const char* unit) {
    std::array<char, 48> text;
    const int size = std::snprintf(text.data(), text.size(), "%.1f %s", value, unit);
    return std::string(text.data(), static_cast<std::size_t>(size));
}

void append_cell(std::string& line, std::string_view text, Align align, std::size_t width) {
    const std::string padding(width - width_of(text), ' ');
    line += align == Align::Right ? padding + std::string(text) : std::string(text) + padding;
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
    CHECK(cells.size() == columns_.size());
    rows_.push_back(std::move(cells));
}

std::string Table::to_text() const {
    std::vector<std::size_t> widths;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
        std::size_t width = width_of(columns_[column].title);
        for (const auto& row : rows_) {
            width = std::max(width, width_of(row[column]));
        }
        widths.push_back(width);
    }
    std::string text;
    const auto add_line = [&](const auto& cell_of) {
        std::string line;
        for (std::size_t column = 0; column < columns_.size(); ++column) {
            line += column == 0 ? "" : "  ";
            append_cell(line, cell_of(column), columns_[column].align, widths[column]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    };
    add_line([&](std::size_t column) -> const std::string& { return columns_[column].title; });
    for (const auto& row : rows_) {
        add_line([&](std::size_t column) -> const std::string& { return row[column]; });
    }
    return text;
}

std::string size_text(std::uint64_t bytes) {
    if (bytes < 1024) {
        return std::to_string(bytes) + " B";
    }
    constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return with_unit(value, kUnits[unit]);
}

std::string duration_text(std::uint64_t nanoseconds) {
    const std::uint64_t microseconds = nanoseconds / 1000;
    if (microseconds < 1000) {
        return std::to_string(microseconds) + " µs";
    }
    if (microseconds < 1'000'000) {
        return with_unit(static_cast<double>(microseconds) / 1e3, "ms");
    }
    if (microseconds < 60'000'000) {
        return with_unit(static_cast<double>(microseconds) / 1e6, "s");
    }
    return std::to_string(microseconds / 60'000'000) + " min";
}

std::string paint(std::string_view text, Paint paint, Colouring colouring) {
    if (colouring == Colouring::Off || paint == Paint::None) {
        return std::string(text);
    }
    constexpr std::array<const char*, 5> kCodes = {"0", "1", "2", "31", "33"};
    return std::string("\x1b[") + kCodes[static_cast<std::size_t>(paint)] + "m" +
           std::string(text) + "\x1b[0m";
}

std::string printable(std::string_view text) {
    std::string clean;
    for (std::size_t index = 0; index < text.size(); ++index) {
        const auto byte = static_cast<unsigned char>(text[index]);
        if (byte == 0x1b && index + 1 < text.size() && text[index + 1] == '[') {
            const std::size_t end = text.find_first_not_of("0123456789;:", index + 2);
            if (end != std::string_view::npos && text[end] == 'm') {
                index = end;
                continue;
            }
        }
        // C1 controls are two bytes in UTF-8: 0xC2 and 0x80 to 0x9F.
        const bool c1 = byte == 0xC2 && index + 1 < text.size() &&
                        static_cast<unsigned char>(text[index + 1]) < 0xA0;
        if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7f || c1) {
            std::array<char, 8> escape;
            std::snprintf(
                escape.data(), escape.size(), "\\x%02x",
                static_cast<unsigned>(c1 ? static_cast<unsigned char>(text[++index]) : byte));
            clean += escape.data();
        } else {
            clean += text[index];
        }
    }
    return clean;
}

Colouring choose_colouring(Device device, std::string_view no_color) {
    return device == Device::Terminal && no_color.empty() ? Colouring::On : Colouring::Off;
}

}  // namespace perdure::cli
