#include "packages/metadata.h"

#include <gtest/gtest.h>

namespace perdure::packages {
namespace {

constexpr std::string_view kSmallest =
    R"({"properties":{"package_name":"app","publisher":"pub.os","current_version":"1.0.0"}})";

std::string with_property(std::string_view property) {
    return R"({"properties":{"package_name":"app","publisher":"pub.os","current_version":"1",)" +
           std::string(property) + "}}";
}

std::string message_of(std::string_view text) {
    const auto metadata = parse_metadata(text);
    return metadata ? "accepted" : metadata.error().message();
}

TEST(Metadata, ThreePropertiesAreEnough) {
    const auto metadata = parse_metadata(kSmallest);
    ASSERT_TRUE(metadata) << metadata.error().message();
    EXPECT_EQ(metadata->id, (PackageId{"app", "pub.os"}));
    EXPECT_EQ(metadata->version, "1.0.0");
    EXPECT_FALSE(metadata->wit_version);
    EXPECT_EQ(metadata->text, kSmallest);
}

TEST(Metadata, EveryFieldIsReadAndUnknownMembersAreKeptInTheText) {
    const std::string hash(64, 'a');
    const std::string text =
        R"({"name":"App","description":"d","image":"http://i","external_url":"","animation_url":null,"new":1,)"
        R"("properties":{"package_name":"app","publisher":"pub.os","current_version":"1","mirrors":["m.os"],)"
        R"("code_hashes":{"0":")" +
        hash +
        R"(","1":""},"license":"MIT","screenshots":["s"],"wit_version":1,)"
        R"("dependencies":["other:pub.os"],"api_includes":[],"more":{}}})";
    const auto metadata = parse_metadata(text);
    ASSERT_TRUE(metadata) << metadata.error().message();
    EXPECT_EQ(metadata->name, "App");
    EXPECT_EQ(metadata->description, "d");
    EXPECT_EQ(metadata->wit_version, 1u);
    ASSERT_EQ(metadata->dependencies.size(), 1u);
    EXPECT_EQ(to_string(metadata->dependencies[0]), "other:pub.os");
    EXPECT_EQ(metadata->text, text);
}

TEST(Metadata, AMissingKeyIsNamedTogetherWithWhatWasProbablyMeant) {
    EXPECT_EQ(message_of("{}"), "$: the key \"properties\" is missing; add it");
    EXPECT_EQ(message_of(R"({"property":{}})"),
              "$: the key \"properties\" is missing; was \"property\" meant to be it?");
    EXPECT_EQ(
        message_of(R"({"properties":{"package-name":"a"}})"),
        "$.properties: the key \"package_name\" is missing; was \"package-name\" meant to be it?");
    EXPECT_EQ(message_of(R"({"properties":{"package_name":"a"}})"),
              "$.properties: the key \"publisher\" is missing; add it");
}

TEST(Metadata, EveryMalformedFieldIsRefusedWithItsPath) {
    const std::pair<std::string, std::string> cases[] = {
        {"", "line 1, column 1"},
        {"[]", "$: expected an object, got an array"},
        {R"({"properties":[]})", "$.properties: expected an object"},
        {R"({"name":5,"properties":{"package_name":"a","publisher":"p","current_version":"1"}})",
         "$.name: expected a string"},
        {R"({"image":[],"properties":{"package_name":"a","publisher":"p","current_version":"1"}})",
         "$.image: "},
        {R"({"properties":{"package_name":"a.b","publisher":"p","current_version":"1"}})",
         "$.properties.package_name: "},
        {R"({"properties":{"package_name":"a","publisher":"P","current_version":"1"}})",
         "$.properties.publisher: "},
        {R"({"properties":{"package_name":"","publisher":"p","current_version":"1"}})",
         "$.properties.package_name: "},
        {R"({"properties":{"package_name":"a","publisher":"p","current_version":1}})",
         "$.properties.current_version: "},
        {with_property(R"("wit_version":-1)"), "$.properties.wit_version: "},
        {with_property(R"("wit_version":"1")"), "$.properties.wit_version: "},
        {with_property(R"("mirrors":"m")"), "$.properties.mirrors: expected an array"},
        {with_property(R"("mirrors":[1])"), "$.properties.mirrors[0]: "},
        {with_property(R"("screenshots":{})"), "$.properties.screenshots: "},
        {with_property(R"("api_includes":[null])"), "$.properties.api_includes[0]: "},
        {with_property(R"("license":1)"), "$.properties.license: "},
        {with_property(R"("dependencies":["a:b:c"])"),
         "$.properties.dependencies[0]: TooManyColons"},
        {with_property(R"("dependencies":[1])"), "$.properties.dependencies[0]: "},
        {with_property(R"("code_hashes":[])"), "$.properties.code_hashes: "},
        {with_property(R"("code_hashes":{"1":"abc"})"), "$.properties.code_hashes[\"1\"]: "},
    };
    for (const auto& [text, start] : cases) {
        const auto metadata = parse_metadata(text);
        ASSERT_FALSE(metadata) << text;
        EXPECT_EQ(metadata.error().code(), ErrorCode::InvalidInput) << text;
        EXPECT_TRUE(metadata.error().message().starts_with(start)) << metadata.error().message();
    }
}

TEST(Metadata, TextIsAcceptedAtTheSizeLimitAndRefusedOneByteLonger) {
    std::string text(kSmallest);
    text.resize(kMetadataBytesMax, ' ');
    EXPECT_TRUE(parse_metadata(text));
    const auto refused = parse_metadata(text + ' ');
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Overloaded);
    EXPECT_NE(refused.error().message().find("metadata_bytes_max"), std::string::npos);
}

}  // namespace
}  // namespace perdure::packages
