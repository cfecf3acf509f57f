#include "abi/capability.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace perdure {
namespace {

const Address kIssuer{"n.os", {"b", "app", "pub.os"}};

Capability with_params(std::string params) {
    return {kIssuer, std::move(params)};
}

TEST(Capability, CK74_ParamsThatAreNoJsonEqualOnlyTheIdenticalText) {
    EXPECT_NE(with_params("foo"), with_params("bar"));
    EXPECT_EQ(with_params("foo"), with_params("foo"));
    EXPECT_NE(with_params("foo"), with_params("null"));
    EXPECT_NE(with_params("foo"), with_params(" foo"));
    EXPECT_NE(with_params(""), with_params("null"));
}

TEST(Capability, EqualityComparesParamsAsJsonValues) {
    EXPECT_EQ(with_params(R"({"kind":"read","drive":"d"})"),
              with_params(" {\"drive\" : \"d\",\n\"kind\":\"read\"} "));
    EXPECT_NE(with_params("1"), with_params("1.0"));
    EXPECT_EQ(with_params("1.0"), with_params("10e-1"));
    EXPECT_EQ(with_params(R"({"a":1,"a":2})"), with_params(R"({"a":2})"));
    EXPECT_NE(with_params(R"({"a":1,"a":2})"), with_params(R"({"a":1})"));
    EXPECT_NE(with_params("[1,2]"), with_params("[2,1]"));
    EXPECT_EQ(with_params(R"("\u006dessaging")"), with_params(R"("messaging")"));
}

TEST(Capability, EqualityComparesIssuersPartByPart) {
    Capability other = with_params("1");
    other.issuer.node = "m.os";
    EXPECT_NE(with_params("1"), other);
    // Two unsafe issuers that print the same are different ones.
    const Capability left{{"n", {"x:y", "z", "p"}}, "1"};
    const Capability right{{"n", {"x", "y:z", "p"}}, "1"};
    EXPECT_NE(left, right);
    EXPECT_NE(CapabilityKey(left), CapabilityKey(right));
}

TEST(Capability, KeysAreEqualExactlyWhenCapabilitiesAre) {
    const std::string texts[] = {"foo",
                                 "bar",
                                 "null",
                                 "1",
                                 "1.0",
                                 " 1",
                                 "\"messaging\"",
                                 " \"messaging\" ",
                                 "{}",
                                 "jfoo",
                                 "{\"a\":[1,{\"b\":2,\"c\":3}]}",
                                 "{\"a\":[1,{\"c\":3,\"b\":2}]}"};
    for (const std::string& left : texts) {
        for (const std::string& right : texts) {
            EXPECT_EQ(with_params(left) == with_params(right),
                      CapabilityKey(with_params(left)) == CapabilityKey(with_params(right)))
                << left << " and " << right;
        }
    }
    std::unordered_set<CapabilityKey> keys;
    for (const std::string& text : texts) {
        keys.insert(CapabilityKey(with_params(text)));
    }
    EXPECT_EQ(keys.size(), std::size(texts) - 3);
    EXPECT_EQ(CapabilityKey(with_params("\"messaging\"")).text(),
              "n.os@b:app:pub.os j\"messaging\"");
}

TEST(Capability, ParamsNestedTooDeepCountAsNoJson) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_EQ(with_params(nested(64)), with_params(' ' + nested(64)));
    EXPECT_NE(with_params(nested(65)), with_params(' ' + nested(65)));
    EXPECT_EQ(with_params(nested(65)), with_params(nested(65)));
}

TEST(Capability, PrintsAsIssuerAndParams) {
    EXPECT_EQ(to_string(with_params("\"messaging\"")), "n.os@b:app:pub.os(\"messaging\")");
}

TEST(Capability, TheKernelsOwnRightsHaveTheirNames) {
    EXPECT_EQ(to_string(root_of("n.os")), "n.os@kernel:distro:sys(\"messaging\")");
    EXPECT_EQ(to_string(network_of("n.os")), "n.os@kernel:distro:sys(\"network\")");
    EXPECT_EQ(to_string(messaging_of(kIssuer)), "n.os@b:app:pub.os(\"messaging\")");
}

TEST(Marks, ADenialMarkNamesTheMissingRightInTheDocumentedForm) {
    const Capability mark = make_denial_mark("n.os", messaging_of(kIssuer));
    EXPECT_EQ(to_string(mark.issuer), "n.os@kernel:distro:sys");
    EXPECT_EQ(mark.params, R"({"denied":{"issuer":"n.os@b:app:pub.os","params":"\"messaging\""}})");
    EXPECT_TRUE(is_mark(mark, "n.os"));
    EXPECT_EQ(denied_by(mark, "n.os"), messaging_of(kIssuer));
    EXPECT_EQ(refused_by(mark, "n.os"), std::nullopt);
}

TEST(Marks, ARefusalMarkNamesWhatIsFull) {
    const Refusal refusals[] = {FullMailbox{kIssuer, 100000, 77}, FullPeer{"m.os", 3, 4},
                                TooMuchOutstanding{100000}};
    const std::string params[] = {
        R"({"full":{"mailbox":"n.os@b:app:pub.os","messages":100000,"bytes":77}})",
        R"({"full":{"peer":"m.os","messages":3,"bytes":4}})", R"({"full":{"outstanding":100000}})"};
    for (std::size_t i = 0; i < std::size(refusals); ++i) {
        const Capability mark = make_refusal_mark("n.os", refusals[i]);
        EXPECT_EQ(mark.params, params[i]);
        EXPECT_TRUE(is_mark(mark, "n.os"));
        EXPECT_EQ(refused_by(mark, "n.os"), refusals[i]);
        EXPECT_EQ(denied_by(mark, "n.os"), std::nullopt);
    }
}

TEST(Marks, OnlyTheOwnKernelsObjectsWithTheTwoKeysAreMarks) {
    const Capability mark = make_denial_mark("n.os", messaging_of(kIssuer));
    EXPECT_FALSE(is_mark(mark, "other.os"));
    EXPECT_FALSE(is_mark(with_params(mark.params), "n.os"));
    EXPECT_FALSE(is_mark(root_of("n.os"), "n.os"));
    EXPECT_FALSE(is_mark(network_of("n.os"), "n.os"));
    Capability other = mark;
    other.params = R"(["denied"])";
    EXPECT_FALSE(is_mark(other, "n.os"));
    other.params = "denied";
    EXPECT_FALSE(is_mark(other, "n.os"));
}

TEST(Marks, AMarkWithNonsenseInsideIsAMarkThatSaysNothing) {
    for (const std::string params :
         {R"({"denied":1})", R"({"full":null})", R"({"full":{"mailbox":"x"}})",
          R"({"full":{"outstanding":-1}})", R"({"denied":{"issuer":"a"}})"}) {
        Capability mark = root_of("n.os");
        mark.params = params;
        EXPECT_TRUE(is_mark(mark, "n.os")) << params;
        EXPECT_EQ(denied_by(mark, "n.os"), std::nullopt);
        EXPECT_EQ(refused_by(mark, "n.os"), std::nullopt);
    }
}

}  // namespace
}  // namespace perdure
