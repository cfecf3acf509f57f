#include "abi/message_codec.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

Result<OnExit> read(std::string_view text, BodyForm form = BodyForm::BytesOnly) {
    ASSIGN_OR_RETURN(const Json json, parse_json(text));
    return on_exit_from_json(JsonCursor(json), form);
}

std::string message_of(std::string_view text) {
    const auto result = read(text);
    return result ? "accepted" : result.error().message();
}

constexpr std::string_view kFull =
    R"({"Requests":[["our@b:other:pub.os",{"inherit":true,"expects_response":5,"body":[98,121,101],)"
    R"("metadata":"m","capabilities":[{"issuer":"our@a:app:pub.os","params":"1"}]},)"
    R"({"mime":"text/plain","bytes":[0,255]}],)"
    R"(["n.os@c:other:pub.os",{"inherit":false,"expects_response":null,"body":[],"metadata":null,)"
    R"("capabilities":[]},null]]})";

TEST(OnExitJson, TheThreeBehavioursReadAndPrintTheSame) {
    for (const std::string_view text :
         {std::string_view("\"None\""), std::string_view("\"Restart\""), kFull}) {
        const auto on_exit = read(text);
        ASSERT_TRUE(on_exit) << on_exit.error().message();
        EXPECT_EQ(on_exit_to_json(*on_exit).to_text(), text);
    }
}

TEST(OnExitJson, EveryFieldOfARequestArrives) {
    const OnExit on_exit = read(kFull).value();
    ASSERT_EQ(on_exit.kind, OnExit::Kind::Requests);
    ASSERT_EQ(on_exit.requests.size(), 2u);
    const ExitRequest& first = on_exit.requests[0];
    EXPECT_EQ(to_string(first.target), "our@b:other:pub.os");
    EXPECT_TRUE(first.request.inherit);
    EXPECT_EQ(first.request.expects_response, 5u);
    EXPECT_EQ(first.request.body.text(), "bye");
    EXPECT_EQ(first.request.metadata, "m");
    ASSERT_EQ(first.request.capabilities.size(), 1u);
    EXPECT_EQ(first.request.capabilities[0].params, "1");
    ASSERT_TRUE(first.blob);
    EXPECT_EQ(first.blob->mime, "text/plain");
    EXPECT_EQ(first.blob->bytes.size(), 2u);
    EXPECT_FALSE(on_exit.requests[1].blob);
    EXPECT_FALSE(on_exit.requests[1].request.metadata);
}

TEST(OnExitJson, CK136_CapabilitiesAreReadAsObjectsAndAsPairsAndWrittenAsObjects) {
    const auto with = [](std::string_view capability) {
        return R"({"Requests":[["n.os@b:c:d",{"inherit":false,"expects_response":null,"body":[],"metadata":null,)"
               R"("capabilities":[)" +
               std::string(capability) + "]},null]]}";
    };
    const std::string object = R"({"issuer":"n.os@a:app:pub.os","params":"\"messaging\""})";
    const OnExit plain = read(with(object)).value();
    const OnExit pair = read(with("[" + object + ",[1,2,255]]")).value();
    EXPECT_EQ(plain, pair);
    EXPECT_EQ(on_exit_to_json(pair).to_text(), with(object));
    for (const std::string& bad :
         {"[" + object + "]", "[" + object + ",\"text\"]", "[" + object + ",[256]]",
          "[[" + object + ",[]],[]]", std::string("\"a:b:c\""), std::string("{}")}) {
        EXPECT_FALSE(read(with(bad))) << bad;
    }
}

TEST(OnExitJson, AbsentOptionalsAreNoneAndUnknownKeysAreIgnored) {
    const auto on_exit = read(R"({"Requests":[["n@a:b:c",{"body":[1],"new":true},null]]})");
    ASSERT_TRUE(on_exit) << on_exit.error().message();
    EXPECT_FALSE(on_exit->requests[0].request.expects_response);
    EXPECT_TRUE(on_exit->requests[0].request.capabilities.empty());
}

TEST(OnExitJson, ABodyMayBeTextOnlyWhereTheCallerAllowsIt) {
    constexpr std::string_view text = R"({"Requests":[["n@a:b:c",{"body":"bye"},null]]})";
    EXPECT_FALSE(read(text));
    EXPECT_EQ(read(text, BodyForm::BytesOrText).value().requests[0].request.body.text(), "bye");
}

TEST(OnExitJson, MalformedFormsAreRefusedWithThePathAndTheCause) {
    EXPECT_EQ(message_of("\"restart\""),
              "$: expected \"None\", \"Restart\" or {\"Requests\": […]}, got \"restart\"");
    EXPECT_EQ(message_of("5"),
              "$: expected \"None\", \"Restart\" or {\"Requests\": […]}, got an integer 5");
    EXPECT_EQ(message_of(R"({"Requests":[["n@a:b:c",{"body":[]}]]})"),
              "$.Requests[0]: expected [address, request, blob or null], got 2 items");
    EXPECT_EQ(message_of(R"({"Requests":[["a:b:c",{"body":[]},null]]})"),
              "$.Requests[0][0]: MissingNodeId in \"a:b:c\": no node before an @; write "
              "node@process:package:publisher");
    EXPECT_EQ(message_of(R"({"Requests":[["n@a:b:c",{"body":[300]},null]]})"),
              "$.Requests[0][1].body[0]: expected an integer from 0 to 255, got an integer 300");
    EXPECT_EQ(message_of(R"({"Requests":[["n@a:b:c",{"body":[],"expects_response":-1},null]]})"),
              "$.Requests[0][1].expects_response: expected an integer from 0 to "
              "18446744073709551615, got an integer -1");
    for (const std::string_view text :
         {R"({"Requests":null})", R"({"None":1})", R"({"Restart":null})", "\"Requests\"", "{}",
          "null", R"({"Requests":[1]})", R"({"Requests":[["n@a:b:c",{"body":[]},{}]]})",
          R"({"Requests":[["n@a:b:c",{},null]]})",
          R"({"Requests":[["n@a:b:c",{"body":[]},{"mime":1,"bytes":[]}]]})"}) {
        EXPECT_NE(message_of(text), "accepted") << text;
    }
}

TEST(CapabilityJson, AnIssuerNeedsTheShapeOfAnAddressOnly) {
    const Json json = parse_json(R"({"issuer":"our@http_server:distro:sys","params":"x"})").value();
    EXPECT_EQ(capability_from_json(JsonCursor(json)).value().issuer.process,
              well_known::http_server());
    const Json unsafe = parse_json(R"({"issuer":"N_@A:b:c","params":"x"})").value();
    EXPECT_FALSE(is_safe(capability_from_json(JsonCursor(unsafe)).value().issuer));
    const Json object_params = parse_json(R"({"issuer":"n@a:b:c","params":{"a":1}})").value();
    EXPECT_FALSE(capability_from_json(JsonCursor(object_params)));
}

}  // namespace
}  // namespace perdure
