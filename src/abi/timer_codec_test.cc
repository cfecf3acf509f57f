#include "abi/timer_codec.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

TEST(TimerCodec, BothRequestsReadAndPrintTheSameForAnyU64) {
    for (const std::string_view body : {R"({"SetTimer":0})", R"({"SetTimer":50})",
                                        R"({"SetTimer":18446744073709551615})", R"("Debug")"}) {
        const auto request = decode_timer_request(bytes_of(body));
        ASSERT_TRUE(request) << body;
        EXPECT_EQ(encode_timer_request(*request).text(), body);
    }
}

TEST(TimerCodec, OtherBodiesAreRefused) {
    for (const std::string_view body :
         {"", "\"SetTimer\"", R"({"SetTimer":-1})", R"({"SetTimer":1.5})",
          R"({"SetTimer":18446744073709551616})", R"({"Debug":1})", "5"}) {
        EXPECT_FALSE(decode_timer_request(bytes_of(body))) << body;
    }
}

}  // namespace
}  // namespace perdure
