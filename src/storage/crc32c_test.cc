#include "storage/crc32c.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

TEST(Crc32c, GivesThePublishedCheckValues) {
    EXPECT_EQ(crc32c({}), 0u);
    EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
    EXPECT_EQ(crc32c(Bytes(32, 0)), 0x8a9136aau);     // RFC 3720, B.4
    EXPECT_EQ(crc32c(Bytes(32, 0xff)), 0x62a8ab43u);  // RFC 3720, B.4
}

TEST(Crc32c, HardwareAndTableAgreeAtEveryLengthAndAlignment) {
    Bytes bytes(300);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<Byte>(i * 131 + 7);
    }
    for (std::size_t start = 0; start < 9; ++start) {
        for (std::size_t length = 0; start + length <= bytes.size(); length += 13) {
            const ByteView part = ByteView(bytes).subspan(start, length);
            EXPECT_EQ(crc32c(part), crc32c_extend_by_table_for_test(0, part));
        }
    }
}

TEST(Crc32c, ExtendsOverParts) {
    EXPECT_EQ(crc32c_extend(crc32c(bytes_of("1234")), bytes_of("56789")),
              crc32c(bytes_of("123456789")));
}

}  // namespace
}  // namespace perdure
