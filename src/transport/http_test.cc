#include "transport/http.h"

#include <gtest/gtest.h>

#include "transport/unix_path.h"

namespace perdure::transport {
namespace {

TEST(HttpTargetTest, PathAndQueryAreDecoded) {
    const auto target = parse_target("/v1/a%20b/c:d@e?x=1&y=&z=%26");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->path, (std::vector<std::string>{"v1", "a b", "c:d@e"}));
    ASSERT_EQ(target->query.size(), 3u);
    EXPECT_EQ(target->query[0].value, "1");
    EXPECT_EQ(target->query[1].value, "");
    EXPECT_EQ(target->query[2].value, "&");
}

TEST(HttpTargetTest, RootHasOneEmptyElement) {
    EXPECT_EQ(parse_target("/")->path, std::vector<std::string>{""});
}

TEST(HttpTargetTest, RefusesWhatIsNoPath) {
    for (const char* bad : {"", "v1", "*", "http://x/", "/%", "/%4", "/%zz", "/a?x=%1"}) {
        EXPECT_EQ(parse_target(bad).error().code(), ErrorCode::InvalidInput) << bad;
    }
}

TEST(HttpTargetTest, WhatWasEncodedDecodesToItself) {
    const std::string text = "a b/c?d=%&\xC3\xA9";
    EXPECT_EQ(parse_target("/" + percent_encode(text))->path[0], text);
}

TEST(HttpHeaders, NamesAreComparedWithoutCase) {
    const std::vector<HttpHeader> headers = {{"Content-Type", "a"}, {"content-type", "b"}};
    EXPECT_EQ(find_header(headers, "CONTENT-TYPE"), "a");
    EXPECT_EQ(find_header(headers, "Content"), std::nullopt);
}

TEST(UnixPathTest, AShortPathIsItself) {
    EXPECT_EQ(UnixPath::open("/nowhere/control.sock")->short_path(), "/nowhere/control.sock");
}

TEST(UnixPathTest, ALongPathInAMissingDirectoryIsNotFound) {
    EXPECT_EQ(UnixPath::open("/" + std::string(120, 'x') + "/control.sock").error().code(),
              ErrorCode::NotFound);
}

TEST(UnixPathTest, ANameThatCannotFitIsRefused) {
    EXPECT_EQ(UnixPath::open("/" + std::string(120, 'x')).error().code(), ErrorCode::InvalidInput);
}

}  // namespace
}  // namespace perdure::transport
