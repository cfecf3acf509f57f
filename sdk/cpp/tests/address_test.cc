#include "perdure/address.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

TEST(Address, PrintsAsItWasParsed) {
    const std::string text = "some-user.os@process-one:my-cool-software:publisher-node.os";
    const auto address = Address::parse(text);
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(address->node, "some-user.os");
    EXPECT_EQ(address->process.process_name, "process-one");
    EXPECT_EQ(address->process.package_name, "my-cool-software");
    EXPECT_EQ(address->process.publisher_node, "publisher-node.os");
    EXPECT_EQ(address->to_string(), text);
}

TEST(Address, RefusesAnythingButOneAtAndTwoColons) {
    for (const auto* text : {"", "a:b:c", "@a:b:c", "n@@a:b:c", "n@a@b:c:d", "n@a:b", "n@a:b:c:d",
                             "n@:b:c", "n@a::c", "n@a:b:"}) {
        EXPECT_FALSE(Address::parse(text).has_value()) << text;
    }
}

TEST(ProcessId, RefusesCharactersOutsideTheAllowedOnes) {
    for (const auto* text : {"Proc:p:n.os", "a_b:p:n.os", "a.b:p:n.os", "a:p.q:n.os", "a:p:n_os",
                             "a:p:n.os\n", "a:p:n os"}) {
        EXPECT_FALSE(ProcessId::parse(text).has_value()) << text;
    }
    EXPECT_TRUE(ProcessId::parse("0:-:.").has_value());
    EXPECT_TRUE(ProcessId::parse("8513024814:my-cool-software:publisher-node.os").has_value());
}

TEST(PackageId, HasExactlyTwoParts) {
    const auto package = PackageId::parse("my-cool-software:publisher-node.os");
    ASSERT_TRUE(package.has_value());
    EXPECT_EQ(package->to_string(), "my-cool-software:publisher-node.os");
    EXPECT_FALSE(PackageId::parse("a:b:c").has_value());
    EXPECT_FALSE(PackageId::parse("a").has_value());
}

TEST(ProcessId, KnowsItsPackage) {
    EXPECT_EQ(ProcessId::parse("a:b:c")->package(), (PackageId{"b", "c"}));
}

}  // namespace
}  // namespace perdure
