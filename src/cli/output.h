#pragma once

/// What people read: aligned tables, sizes and times in words, colours where a terminal shows them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::cli {

enum class Align : std::uint8_t { Left, Right };
enum class Paint : std::uint8_t { None, Bold, Dim, Red, Yellow };

struct Column {
    std::string title;
    Align align = Align::Left;
};

/// Rows of text under titles, each column as wide as its widest cell, two blanks between; no blanks
/// at line ends. Widths count code points.
class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    /// Precondition: one cell per column.
    void add(std::vector<std::string> cells);
    std::string to_text() const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// `0 B`, `1023 B`, `1.0 KiB`, `64.0 MiB`
std::string size_text(std::uint64_t bytes);
/// `0 µs`, `999 µs`, `1.0 ms`, `59.9 s`, `12 min`
std::string duration_text(std::uint64_t nanoseconds);

/// `text` with the terminal's escapes around it if `on`.
enum class Colouring : std::uint8_t { Off, On };
std::string paint(std::string_view text, Paint paint, Colouring colouring);

/// Foreign text made harmless for a terminal: colour sequences (`ESC [ … m`) are removed, other
/// control characters but tab and line end stand as `\xNN` (M-TRM-4).
std::string printable(std::string_view text);

/// Colours are on for a terminal unless NO_COLOR is set to anything but nothing.
enum class Device : std::uint8_t { File, Terminal };
Colouring choose_colouring(Device device, std::string_view no_color);

}  // namespace perdure::cli
