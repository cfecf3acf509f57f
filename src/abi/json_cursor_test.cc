#include "abi/json_cursor.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

TEST(JsonCursor, ErrorsNameThePathWhatWasExpectedAndWhatIsThere) {
    const Json document = parse_json(R"({"list":[{"odd key":"text"}]})").value();
    const JsonCursor whole(document);
    const JsonCursor item = whole.member("list").value().item(0);
    EXPECT_EQ(item.member("odd key").value().u64().error().message(),
              "$.list[0][\"odd key\"]: expected an integer from 0 to 18446744073709551615, got a "
              "string \"text\"");
    EXPECT_EQ(item.member("absent").error().message(),
              "$.list[0]: the key \"absent\" is missing; add it");
    EXPECT_EQ(whole.boolean().error().message(), "$: expected true or false, got an object");
    EXPECT_EQ(whole.member("list").value().member("x").error().code(), ErrorCode::InvalidInput);
}

TEST(JsonCursor, AnAbsentOptionalAndNullAreTheSame) {
    const Json document = parse_json(R"({"null":null,"text":"x","n":7})").value();
    const JsonCursor at(document);
    EXPECT_FALSE(at.optional_member("null").value().has_value());
    EXPECT_FALSE(at.optional_member("absent").value().has_value());
    EXPECT_EQ(optional_string(at, "text").value(), "x");
    EXPECT_EQ(optional_u64(at, "n").value(), 7u);
    EXPECT_FALSE(optional_string(at, "n"));
    EXPECT_EQ(bool_or(at, "absent", true).value(), true);
    EXPECT_FALSE(JsonCursor(*document.find("n")).optional_member("x"));
}

TEST(JsonCursor, BytesAreIntegersFrom0To255) {
    const Json good = parse_json("[0,255,7]").value();
    EXPECT_EQ(JsonCursor(good).bytes().value(), SharedBytes(std::string_view("\x00\xff\x07", 3)));
    for (const std::string_view text : {"[256]", "[-1]", "[1.0]", "[\"1\"]", "{}", "\"text\""}) {
        const Json bad = parse_json(text).value();
        EXPECT_FALSE(JsonCursor(bad).bytes()) << text;
    }
}

TEST(JsonCursor, AU32EndsAtItsLargestValue) {
    const Json at_limit = parse_json("4294967295").value();
    const Json above = parse_json("4294967296").value();
    EXPECT_EQ(JsonCursor(at_limit).u32().value(), 4294967295u);
    EXPECT_FALSE(JsonCursor(above).u32());
}

TEST(JsonCursor, AnEnumerationIsANameOrAnObjectWithOneKey) {
    const Json plain = parse_json("\"Backup\"").value();
    EXPECT_EQ(read_tagged(JsonCursor(plain)).value().name, "Backup");
    EXPECT_FALSE(content_of(read_tagged(JsonCursor(plain)).value(), JsonCursor(plain)));
    const Json full = parse_json(R"({"SetTimer":5})").value();
    const TaggedJson tagged = read_tagged(JsonCursor(full)).value();
    EXPECT_EQ(tagged.name, "SetTimer");
    EXPECT_EQ(content_of(tagged, JsonCursor(full)).value().path(), "$.SetTimer");
    for (const std::string_view text : {"{}", R"({"a":1,"b":2})", "1", "null", "[]"}) {
        const Json bad = parse_json(text).value();
        EXPECT_FALSE(read_tagged(JsonCursor(bad))) << text;
    }
}

}  // namespace
}  // namespace perdure
