#include "node/wire_text.h"

#include <gtest/gtest.h>

namespace perdure::node {
namespace {

TEST(Base64, EncodesTheExamplesOfItsStandard) {
    const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                            {"f", "Zg=="},
                                                            {"fo", "Zm8="},
                                                            {"foo", "Zm9v"},
                                                            {"foob", "Zm9vYg=="},
                                                            {"fooba", "Zm9vYmE="},
                                                            {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, encoded] : examples) {
        EXPECT_EQ(base64_encode(bytes_of(plain)), encoded);
        const auto decoded = base64_decode(encoded);
        ASSERT_TRUE(decoded) << encoded;
        EXPECT_EQ(text_of(*decoded), plain);
    }
}

TEST(Base64, AllBytesComeBack) {
    Bytes all;
    for (int byte = 0; byte < 256; ++byte) {
        all.push_back(static_cast<Byte>(byte));
        EXPECT_EQ(base64_decode(base64_encode(all)).value(), all);
    }
}

TEST(Base64, RefusesWhatWasNotEncoded) {
    for (const char* bad :
         {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z*==", "====", "Zg==Zg==", "Zm 9v", "Zm-v"}) {
        EXPECT_EQ(base64_decode(bad).error().code(), ErrorCode::InvalidInput) << bad;
    }
}

TEST(Utf8, WellFormedTextIsUnchanged) {
    for (const char* text : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                             "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
        EXPECT_TRUE(is_utf8(text));
        EXPECT_EQ(to_utf8(text), text);
    }
}

TEST(Utf8, EachBadByteIsReplaced) {
    const std::string mark = "\xEF\xBF\xBD";
    EXPECT_EQ(to_utf8("a\xFF"
                      "b"),
              "a" + mark + "b");
    EXPECT_EQ(to_utf8("\xC3"), mark);
    EXPECT_EQ(to_utf8("\xC0\x80"), mark + mark);                        // overlong
    EXPECT_EQ(to_utf8("\xED\xA0\x80"), mark + mark + mark);             // surrogate
    EXPECT_EQ(to_utf8("\xF4\x90\x80\x80"), mark + mark + mark + mark);  // above U+10FFFF
    EXPECT_FALSE(is_utf8("\xE2\x82"));
}

TEST(WireTime, IsUtcWithMilliseconds) {
    EXPECT_EQ(format_time(WallTime()), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(
        format_time(WallTime(std::chrono::seconds(1'000'000'000) + std::chrono::milliseconds(7))),
        "2001-09-09T01:46:40.007Z");
}

}  // namespace
}  // namespace perdure::node
