#include "base/utf8.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

TEST(Utf8, ValidTextStaysAsItIs) {
    EXPECT_EQ(with_valid_utf8(""), "");
    EXPECT_EQ(with_valid_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
              "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(Utf8, EachByteThatIsNoUtf8BecomesTheReplacementCharacter) {
    EXPECT_EQ(with_valid_utf8("a\xFF"
                              "b"),
              "a\xEF\xBF\xBD"
              "b");
    EXPECT_EQ(with_valid_utf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // overlong
    EXPECT_EQ(with_valid_utf8("\xED\xA0\x80"),
              "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");                     // a surrogate
    EXPECT_EQ(with_valid_utf8("x\xE2\x82"), "x\xEF\xBF\xBD\xEF\xBF\xBD");  // cut off
}

}  // namespace
}  // namespace perdure
