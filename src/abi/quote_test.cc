#include "abi/quote.h"

#include <gtest/gtest.h>

#include <array>

namespace perdure {
namespace {

TEST(Quote, ForeignTextStaysOnOneLineAndPrintable) {
    EXPECT_EQ(quote("a\"b\\c"), "\"a\\\"b\\\\c\"");
    EXPECT_EQ(quote("line\n\x1b[31m\xff"), "\"line\\x0a\\x1b[31m\\xff\"");
}

TEST(Quote, TextIsShownInFullAtTheLimitAndCutOneByteLater) {
    const std::string longest(kQuoteBytesMax, 'x');
    EXPECT_EQ(quote(longest), '"' + longest + '"');
    EXPECT_EQ(quote(longest + 'y'), '"' + longest + "…\"");
}

TEST(Quote, TheClosestKnownWordIsFoundUnlessNothingIsNear) {
    static constexpr std::array<std::string_view, 3> kKnown = {"on_exit", "public", "process_name"};
    EXPECT_EQ(closest_word("onexit", kKnown), "on_exit");
    EXPECT_EQ(closest_word("pubic", kKnown), "public");
    EXPECT_EQ(closest_word("zzzzzz", kKnown), "");
    EXPECT_EQ(closest_word(std::string(1 << 20, 'o'), kKnown), "");
}

}  // namespace
}  // namespace perdure
