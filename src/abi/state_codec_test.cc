#include "abi/state_codec.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

TEST(StateCodec, EveryRequestReadsAndPrintsInTheDocumentedForm) {
    for (const std::string_view body :
         {R"({"GetState":"a:app:pub.os"})", R"({"SetState":"a:app:pub.os"})",
          R"({"DeleteState":"a:app:pub.os"})", R"("Backup")"}) {
        const auto request = decode_state_request(bytes_of(body));
        ASSERT_TRUE(request) << request.error().message();
        EXPECT_EQ(encode_state_request(*request).text(), body);
    }
}

TEST(StateCodec, ARequestThatIsNoneIsRefused) {
    for (const std::string_view body :
         {"", "\"GetState\"", R"({"GetState":5})", R"({"GetState":"a:b"})", R"({"Backup":1})",
          R"({"Other":"a:b:c"})", "{}"}) {
        const auto request = decode_state_request(bytes_of(body));
        ASSERT_FALSE(request) << body;
        EXPECT_EQ(request.error().code(), ErrorCode::InvalidInput);
    }
}

TEST(StateCodec, SuccessIsTheNameOfTheRequest) {
    const ProcessId id{"a", "app", "pub.os"};
    EXPECT_EQ(encode_state_success(state_request::GetState{id}).text(), "\"GetState\"");
    EXPECT_EQ(encode_state_success(state_request::SetState{id}).text(), "\"SetState\"");
    EXPECT_EQ(encode_state_success(state_request::DeleteState{id}).text(), "\"DeleteState\"");
    EXPECT_EQ(encode_state_success(state_request::Backup{}).text(), "\"Backup\"");
}

TEST(StateCodec, EveryErrorHasItsDocumentedForm) {
    const auto text = [](const StateError& error) {
        return std::string(encode_state_error(error).text());
    };
    EXPECT_EQ(text(state_error::NotFound{{"a", "app", "pub.os"}}),
              R"({"Err":{"NotFound":{"process_id":"a:app:pub.os"}}})");
    EXPECT_EQ(text(state_error::BadBytes{"SetState"}),
              R"({"Err":{"BadBytes":{"action":"SetState"}}})");
    EXPECT_EQ(text(state_error::BadJson{"e"}), R"({"Err":{"BadJson":{"error":"e"}}})");
    EXPECT_EQ(text(state_error::BadRequest{"e"}), R"({"Err":{"BadRequest":{"error":"e"}}})");
    EXPECT_EQ(text(state_error::StoreFailure{"SetState", "e"}),
              R"({"Err":{"RocksDBError":{"action":"SetState","error":"e"}}})");
    EXPECT_EQ(text(state_error::IoError{"e"}), R"({"Err":{"IOError":{"error":"e"}}})");
    EXPECT_EQ(text(state_error::StartupError{"open"}),
              R"({"Err":{"StartupError":{"action":"open"}}})");
}

}  // namespace
}  // namespace perdure
