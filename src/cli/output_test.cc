#include "cli/output.h"

#include <gtest/gtest.h>

namespace perdure::cli {
namespace {

TEST(OutputTable, ColumnsAreAlignedAndLinesEndWithoutBlanks) {
    Table table({{"NAME"}, {"SIZE", Align::Right}, {"NOTE"}});
    table.add({"a", "1", ""});
    table.add({"longer", "12345", "x"});
    EXPECT_EQ(table.to_text(),
              "NAME     SIZE  NOTE\n"
              "a           1\n"
              "longer  12345  x\n");
}

TEST(OutputTable, WidthsCountLettersNotBytes) {
    Table table({{"T"}, {"U"}});
    table.add({"1 \xC2\xB5s", "x"});
    table.add({"10 ms", "y"});
    EXPECT_EQ(table.to_text(), "T      U\n1 \xC2\xB5s   x\n10 ms  y\n");
}

TEST(OutputSizes, AreShownInTheLargestUnitThatFits) {
    EXPECT_EQ(size_text(0), "0 B");
    EXPECT_EQ(size_text(1023), "1023 B");
    EXPECT_EQ(size_text(1024), "1.0 KiB");
    EXPECT_EQ(size_text(64u << 20), "64.0 MiB");
    EXPECT_EQ(size_text(UINT64_MAX), "16.0 EiB");
}

TEST(OutputDurations, AreShownInTheLargestUnitThatFits) {
    EXPECT_EQ(duration_text(999), "0 \xC2\xB5s");
    EXPECT_EQ(duration_text(999'999), "999 \xC2\xB5s");
    EXPECT_EQ(duration_text(1'000'000), "1.0 ms");
    EXPECT_EQ(duration_text(59'900'000'000), "59.9 s");
    EXPECT_EQ(duration_text(60'000'000'000), "1 min");
}

TEST(OutputColours, AreForTerminalsWithoutNoColor) {
    EXPECT_EQ(choose_colouring(Device::Terminal, ""), Colouring::On);
    EXPECT_EQ(choose_colouring(Device::Terminal, "1"), Colouring::Off);
    EXPECT_EQ(choose_colouring(Device::File, ""), Colouring::Off);
    EXPECT_EQ(paint("x", Paint::Red, Colouring::On), "\x1b[31mx\x1b[0m");
    EXPECT_EQ(paint("x", Paint::Red, Colouring::Off), "x");
}

TEST(OutputPrintable, ForeignTextCannotControlTheTerminal) {
    EXPECT_EQ(printable("plain\ttext\n\xC3\xA9"), "plain\ttext\n\xC3\xA9");
    EXPECT_EQ(printable("\x1b[38;5;196mred\x1b[0m"), "red");
    EXPECT_EQ(printable("\x1b[2J\x1b]0;title\x07"), "\\x1b[2J\\x1b]0;title\\x07");
    EXPECT_EQ(printable("a\rb\x7f\x1b"), "a\\x0db\\x7f\\x1b");
    EXPECT_EQ(printable("\xC2\x9B"), "\\x9b");
    EXPECT_EQ(printable("\x1b["), "\\x1b[");
}

}  // namespace
}  // namespace perdure::cli
