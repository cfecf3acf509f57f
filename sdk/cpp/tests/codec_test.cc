#include "perdure/codec.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

enum class Colour : std::uint16_t { Red = 1, Blue = 0x1234 };

struct Inner {
    std::int8_t small = 0;
    std::optional<std::string> name;
    void fields(auto& visit) { visit(small, name); }
    bool operator==(const Inner&) const = default;
};

struct Outer {
    bool flag = false;
    Colour colour = Colour::Red;
    double number = 0;
    std::vector<Inner> list;
    Bytes bytes;
    void fields(auto& visit) { visit(flag, colour, number, list, bytes); }
    bool operator==(const Outer&) const = default;
};

Outer sample() {
    return {true, Colour::Blue, -2.5, {{-1, "one"}, {2, std::nullopt}}, Bytes("\x00\xff")};
}

TEST(Codec, ACounterIsEightLittleEndianBytes) {
    const auto bytes = encode(std::uint64_t{0x0102030405060708});
    ASSERT_EQ(bytes.size(), 8u);
    for (int i = 0; i < 8; ++i)
        EXPECT_EQ(bytes.data()[i], 8 - i);
}

TEST(Codec, AStructComesBackAsItWas) {
    const auto back = decode<Outer>(encode(sample()));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, sample());
}

TEST(Codec, FieldsLieBehindEachOtherWithoutPadding) {
    const auto bytes = encode(Inner{-1, "ab"});
    EXPECT_EQ(bytes, Bytes(std::string_view("\xff\x01\x02\x00\x00\x00"
                                            "ab",
                                            8)));
}

TEST(Codec, EveryPrefixOfAValueIsRefused) {
    const auto whole = encode(sample());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(decode<Outer>(Bytes(whole.text().substr(0, size))).has_value()) << size;
    }
}

TEST(Codec, AByteTooManyIsRefused) {
    auto longer = std::string(encode(sample()).text());
    longer.push_back('\0');
    EXPECT_FALSE(decode<Outer>(Bytes(longer)).has_value());
}

TEST(Codec, ABoolOrPresenceByteAboveOneIsRefused) {
    EXPECT_FALSE(decode<bool>(Bytes("\x02")).has_value());
    EXPECT_FALSE(decode<std::optional<std::uint8_t>>(Bytes("\x02\x05")).has_value());
}

TEST(Codec, AnElementCountIsNotBelievedBeyondTheBytes) {
    EXPECT_FALSE(decode<std::vector<std::uint64_t>>(Bytes("\xff\xff\xff\xff")).has_value());
    EXPECT_FALSE(decode<std::string>(Bytes("\xff\xff\xff\xff")).has_value());
}

TEST(Codec, NumbersKeepTheirExtremes) {
    EXPECT_EQ(decode<std::int64_t>(encode(std::numeric_limits<std::int64_t>::min())),
              std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(decode<std::uint64_t>(encode(std::numeric_limits<std::uint64_t>::max())),
              std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(decode<float>(encode(1.5f)), 1.5f);
}

}  // namespace
}  // namespace perdure
