#include "abi/json.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

std::string reprinted(std::string_view text) {
    const auto json = parse_json(text);
    return json ? json->to_text() : "error: " + json.error().message();
}

TEST(Json, KeepsTheOrderOfKeysAndDropsWhiteSpace) {
    EXPECT_EQ(reprinted(" { \"z\" : 1 ,\n \"a\" : [ true , null ] } "),
              "{\"z\":1,\"a\":[true,null]}");
}

TEST(Json, IntegersStayIntegersAndFractionsStayFractions) {
    EXPECT_EQ(reprinted("[0,-1,9223372036854775807,-9223372036854775808,18446744073709551615]"),
              "[0,-1,9223372036854775807,-9223372036854775808,18446744073709551615]");
    EXPECT_EQ(reprinted("[1.0,0.1,1e3,-2.5e-3,1e100]"), "[1.0,0.1,1000.0,-0.0025,1e+100]");
    EXPECT_NE(parse_json("1").value(), parse_json("1.0").value());
    EXPECT_EQ(parse_json("10e-1").value(), parse_json("1.0").value());
    EXPECT_EQ(parse_json("18446744073709551615").value().as_u64(), 18446744073709551615u);
    EXPECT_EQ(parse_json("18446744073709551615").value().as_i64(), std::nullopt);
    EXPECT_EQ(parse_json("-1").value().as_u64(), std::nullopt);
}

TEST(Json, NumbersAreReadExactly) {
    EXPECT_EQ(reprinted("123456789.12345678"), "123456789.12345678");
    EXPECT_EQ(reprinted("5e-324"), "5e-324");
    EXPECT_EQ(reprinted("1.7976931348623157e308"), "1.7976931348623157e+308");
    EXPECT_EQ(reprinted("1e-400"), "0.0");
    EXPECT_EQ(reprinted("1e400"), "error: line 1, column 6: this number is too large for a double");
}

TEST(Json, OfDuplicateKeysTheLastValueCounts) {
    EXPECT_EQ(reprinted(R"({"a":1,"b":2,"a":3,"a":4})"), R"({"a":4,"b":2})");
}

TEST(Json, ALargeObjectWithDuplicatesCostsNoSquare) {
    std::string text = "{";
    for (int i = 0; i < 200000; ++i) {
        text += "\"k" + std::to_string(i % 100000) + "\":" + std::to_string(i) + ",";
    }
    text.back() = '}';
    const auto json = parse_json(text);
    ASSERT_TRUE(json);
    ASSERT_EQ(json->as_object()->size(), 100000u);
    EXPECT_EQ(json->find("k7")->as_u64(), 100007u);
}

TEST(Json, EqualityIgnoresTheOrderOfKeysOnly) {
    EXPECT_EQ(parse_json(R"({"a":1,"b":[1,2]})").value(),
              parse_json(R"({"b":[1,2],"a":1})").value());
    EXPECT_NE(parse_json("[1,2]").value(), parse_json("[2,1]").value());
    EXPECT_NE(parse_json("null").value(), parse_json("false").value());
    EXPECT_EQ(parse_json("-0.0").value(), parse_json("0.0").value());
}

TEST(Json, StringsOfAnyContentSurvive) {
    EXPECT_EQ(reprinted(R"("\u0041\u00e9\ud83d\ude00\n\u0000\"\\\/")"),
              "\"Aé😀\\n\\u0000\\\"\\\\/\"");
    EXPECT_EQ(Json(std::string_view("a\xff"
                                    "b\xed\xa0\x80"))
                  .to_text(),
              "\"a\xef\xbf\xbd"
              "b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    const std::string long_text(100000, 'x');
    EXPECT_EQ(*parse_json('"' + long_text + '"').value().as_string(), long_text);
}

TEST(Json, MalformedTextIsRefusedWithLineAndColumn) {
    EXPECT_EQ(reprinted("{\"a\":1,\n \"b\":x}").substr(0, 23), "error: line 2, column 6");
    for (const std::string_view text : {"",
                                        " ",
                                        "{",
                                        "[1,]",
                                        "{\"a\"}",
                                        "{a:1}",
                                        "'a'",
                                        "nul",
                                        "01",
                                        "1.",
                                        ".5",
                                        "+1",
                                        "NaN",
                                        "Infinity",
                                        "\"\x01\"",
                                        "\"\\x\"",
                                        "\"\\ud800\"",
                                        "\"\xff\"",
                                        "\"\xc0\x80\"",
                                        "[1] 2",
                                        "{}{}",
                                        "// c\n1",
                                        "\xef\xbb\xbf{}"}) {
        const auto json = parse_json(text);
        ASSERT_FALSE(json) << text;
        EXPECT_EQ(json.error().code(), ErrorCode::InvalidInput);
    }
    EXPECT_EQ(reprinted("[1,2"), "error: line 1, column 5: the text ends inside a value");
    EXPECT_EQ(reprinted("1 2"),
              "error: line 1, column 3: something follows the value; write exactly one JSON value");
}

TEST(Json, NestingIsAcceptedAtTheLimitAndRefusedOneDeeper) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(parse_json(nested(kJsonDepthMax)));
    const auto refused = parse_json(nested(kJsonDepthMax + 1));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("json_depth_max"), std::string::npos);
    EXPECT_TRUE(parse_json("1", {.depth_max = 0}));
    EXPECT_FALSE(parse_json("[]", {.depth_max = 0}));
    EXPECT_FALSE(parse_json(std::string(10 << 20, '[')));
}

TEST(Json, TextIsAcceptedAtTheSizeLimitAndRefusedOneByteLonger) {
    EXPECT_TRUE(parse_json("\"12\"", {.bytes_max = 4}));
    const auto refused = parse_json("\"123\"", {.bytes_max = 4});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Overloaded);
}

TEST(Json, IsBuiltAndChangedInPlace) {
    Json json = Json::object({{"id", 5}, {"name", "x"}});
    json.set("id", 6).set("more", Json::array().push(1.5).push(nullptr).push(true));
    EXPECT_EQ(json.to_text(), R"({"id":6,"name":"x","more":[1.5,null,true]})");
    EXPECT_EQ(Json::byte_array(bytes_of("AB")).to_text(), "[65,66]");
    EXPECT_EQ(json.find("absent"), nullptr);
    EXPECT_EQ(Json(1.0 / 0.0).to_text(), "null");
    EXPECT_EQ(json.to_pretty_text(),
              "{\n  \"id\": 6,\n  \"name\": \"x\",\n  \"more\": [\n    1.5,\n    null,\n    true\n "
              " ]\n}");
    EXPECT_EQ(Json::object().to_pretty_text(), "{}");
}

TEST(Json, KindsAreTold) {
    EXPECT_EQ(parse_json("null").value().kind_name(), "null");
    EXPECT_EQ(parse_json("18446744073709551615").value().kind_name(), "an integer");
    EXPECT_EQ(parse_json("1.5").value().kind_name(), "a number");
    EXPECT_EQ(parse_json("{}").value().kind_name(), "an object");
    EXPECT_EQ(parse_json("1").value().as_double(), 1.0);
    EXPECT_EQ(parse_json("true").value().as_bool(), true);
    EXPECT_EQ(parse_json("1").value().as_bool(), std::nullopt);
}

}  // namespace
}  // namespace perdure
