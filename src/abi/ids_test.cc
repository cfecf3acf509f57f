#include "abi/ids.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace perdure {
namespace {

AddressProblem fault(AddressFault kind, std::string part = {}) {
    return {kind, std::move(part)};
}

TEST(Ids, CK1_AnAddressParsesIntoItsFourPartsAndPrintsAsWritten) {
    const std::string text = "some-user.os@process-one:my-cool-software:publisher-node.os";
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << address.error().message();
    EXPECT_EQ(address->node, "some-user.os");
    EXPECT_EQ(address->process.process, "process-one");
    EXPECT_EQ(address->process.package, "my-cool-software");
    EXPECT_EQ(address->process.publisher, "publisher-node.os");
    EXPECT_EQ(to_string(*address), text);
}

TEST(Ids, CK2_AnAddressWithoutExactlyOneNodeAndAtIsRefused) {
    EXPECT_EQ(find_address_problem(""), fault(AddressFault::MissingNodeId));
    EXPECT_EQ(find_address_problem("a:b:c"), fault(AddressFault::MissingNodeId));
    EXPECT_EQ(find_address_problem("@a:b:c"), fault(AddressFault::MissingNodeId));
    EXPECT_EQ(find_address_problem("n@@a:b:c"), fault(AddressFault::TooManyAts));
    EXPECT_EQ(find_address_problem("@n@a:b:c"), fault(AddressFault::TooManyAts));
}

TEST(Ids, CK3_AnAddressWithTooFewTooManyOrEmptyFieldsIsRefused) {
    EXPECT_EQ(find_address_problem("n@a:b"), fault(AddressFault::MissingField));
    EXPECT_EQ(find_address_problem("n@a:b:c:d"), fault(AddressFault::TooManyColons));
    EXPECT_EQ(find_address_problem("n@:b:c"), fault(AddressFault::MissingField));
    EXPECT_EQ(find_address_problem("n@a::c"), fault(AddressFault::MissingField));
    EXPECT_EQ(find_address_problem("n@a:b:"), fault(AddressFault::MissingField));
    EXPECT_EQ(find_address_problem("n@"), fault(AddressFault::MissingField));
}

TEST(Ids, CK4_AProcessIdWithAnUnsafePartIsRefusedByNamingThatPart) {
    EXPECT_EQ(find_process_id_problem("Proc:p:n.os"),
              fault(AddressFault::ProcessNameNotSafe, "Proc"));
    EXPECT_EQ(find_process_id_problem("a_b:p:n.os"),
              fault(AddressFault::ProcessNameNotSafe, "a_b"));
    EXPECT_EQ(find_process_id_problem("a.b:p:n.os"),
              fault(AddressFault::ProcessNameNotSafe, "a.b"));
    EXPECT_EQ(find_process_id_problem("a:p.q:n.os"),
              fault(AddressFault::PackageNameNotSafe, "p.q"));
    EXPECT_EQ(find_process_id_problem("a:p:n_os"),
              fault(AddressFault::PublisherNodeNotSafe, "n_os"));
    EXPECT_EQ(find_process_id_problem("a:p:n.os\n"),
              fault(AddressFault::PublisherNodeNotSafe, "n.os\n"));
    EXPECT_EQ(find_process_id_problem("0:-:."), std::nullopt);
    EXPECT_EQ(to_string(parse_process_id("0:-:.").value()), "0:-:.");
}

TEST(Ids, CK5_APackageIdHasExactlyTwoParts) {
    const auto id = parse_package_id("my-cool-software:publisher-node.os");
    ASSERT_TRUE(id);
    EXPECT_EQ(*id, (PackageId{"my-cool-software", "publisher-node.os"}));
    EXPECT_EQ(to_string(*id), "my-cool-software:publisher-node.os");
    EXPECT_EQ(find_package_id_problem("a:b:c"), fault(AddressFault::TooManyColons));
    EXPECT_EQ(find_package_id_problem("a"), fault(AddressFault::MissingField));
}

TEST(Ids, ABadPackageNameIsReportedAsABadPackageName) {
    EXPECT_EQ(find_package_id_problem("a.b:n.os"), fault(AddressFault::PackageNameNotSafe, "a.b"));
}

TEST(Ids, CK159_EveryExampleFormPrintsAsItWasWritten) {
    EXPECT_EQ(to_string(parse_package_id("my-cool-software:publisher-node.os").value()),
              "my-cool-software:publisher-node.os");
    for (const std::string text : {"process-one:my-cool-software:publisher-node.os",
                                   "8513024814:my-cool-software:publisher-node.os"}) {
        EXPECT_EQ(to_string(parse_process_id(text).value()), text);
    }
    const std::string text = "some-user.os@process-one:my-cool-software:publisher-node.os";
    EXPECT_EQ(to_string(parse_address(text).value()), text);
}

TEST(Ids, UnsafePartsOfAnAddressAreReportedNodeFirst) {
    EXPECT_EQ(find_address_problem("N@A:B:C"), fault(AddressFault::NodeNotSafe, "N"));
    EXPECT_EQ(find_address_problem("n@A:B:C"), fault(AddressFault::ProcessNameNotSafe, "A"));
    EXPECT_EQ(find_address_problem("n@a:B:C"), fault(AddressFault::PackageNameNotSafe, "B"));
    EXPECT_EQ(find_address_problem("n@a:b:C"), fault(AddressFault::PublisherNodeNotSafe, "C"));
}

TEST(Ids, EveryByteOutsideTheAlphabetIsRefused) {
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        EXPECT_EQ(is_safe_name(std::string(1, c)), letter) << byte;
        EXPECT_EQ(is_safe_node(std::string(1, c)), letter || c == '.') << byte;
    }
}

TEST(Ids, APartOf255BytesIsAcceptedAndOneOf256Refused) {
    const std::string longest(kIdPartBytesMax, 'a');
    EXPECT_TRUE(parse_address(longest + "@" + longest + ":" + longest + ":" + longest));
    EXPECT_EQ(find_process_id_problem(longest + "a:b:c"),
              fault(AddressFault::ProcessNameNotSafe, longest + "a"));
}

TEST(Ids, AnErrorNamesTheFaultTheOffendingPartAndTheCure) {
    const auto id = parse_process_id("a:p:n.os\n");
    ASSERT_FALSE(id);
    EXPECT_EQ(id.error().code(), ErrorCode::InvalidInput);
    EXPECT_EQ(id.error().message(),
              "PublisherNodeNotSafe in \"a:p:n.os\\x0a\": publisher \"n.os\\x0a\"; use 1 to 255 of "
              "a-z, 0-9, - and .");
    EXPECT_LT(parse_address(std::string(1 << 20, 'x')).error().message().size(), 300u);
}

TEST(Ids, ARecordMayHoldAnythingAndIsSafeTells) {
    const ProcessId forged{"x:y", "b", "c"};
    EXPECT_FALSE(is_safe(forged));
    EXPECT_FALSE(is_safe(Address{"", {"a", "b", "c"}}));
    EXPECT_TRUE(is_safe(Address{"n.os", {"a", "b", "c"}}));
    EXPECT_FALSE(is_safe(PackageId{"", "c"}));
    // Field by field, never by printed form: both print `x:y:b:c…` but are different ids.
    EXPECT_NE(forged, (ProcessId{"x", "y:b", "c"}));
    EXPECT_EQ(to_string(forged), to_string(ProcessId{"x", "y:b", "c"}));
}

TEST(Ids, TheShapeParserLetsUnsafePartsThroughAndNothingElse) {
    EXPECT_EQ(parse_process_id_shape("A_b:P:N").value(), (ProcessId{"A_b", "P", "N"}));
    EXPECT_FALSE(parse_process_id_shape("a:b"));
    EXPECT_FALSE(parse_process_id_shape("a::c"));
    EXPECT_FALSE(parse_address_shape("a:b:c"));
    EXPECT_EQ(parse_address_shape("N@a:b:c").value().node, "N");
}

TEST(Ids, OldModuleNamesMeanThePresentModulesOfDistroSysOnly) {
    EXPECT_EQ(parse_process_id_shape("http_server:distro:sys").value(), well_known::http_server());
    EXPECT_EQ(parse_process_id_shape("http_client:distro:sys").value(), well_known::http_client());
    EXPECT_EQ(parse_process_id_shape("fd_manager:distro:sys").value(), well_known::fd_manager());
    EXPECT_EQ(parse_process_id_shape("http_server:other:sys").value().process, "http_server");
    EXPECT_FALSE(parse_process_id("http_server:distro:sys"));
}

TEST(Ids, OurMeansTheOwnNodeAndEveryOtherNodeStays) {
    EXPECT_EQ(resolve_our({"our", well_known::kernel()}, "n.os").node, "n.os");
    EXPECT_EQ(resolve_our({"ours", well_known::kernel()}, "n.os").node, "ours");
}

TEST(Ids, TheIdsOfDistroSysAreReserved) {
    EXPECT_TRUE(is_reserved(well_known::kernel()));
    EXPECT_TRUE(is_reserved({"anything", "distro", "sys"}));
    EXPECT_FALSE(is_reserved(well_known::terminal()));
    EXPECT_TRUE(is_reserved(well_known::terminal_alias()));
}

TEST(Ids, EqualIdsHashEqualAndPartsAreNotInterchangeable) {
    std::unordered_set<ProcessId> ids = {{"a", "b", "c"}, {"b", "a", "c"}, {"a", "b", "c"}};
    EXPECT_EQ(ids.size(), 2u);
    std::unordered_set<Address> addresses = {{"n", {"a", "b", "c"}}, {"a", {"n", "b", "c"}}};
    EXPECT_EQ(addresses.size(), 2u);
    std::unordered_set<PackageId> packages = {{"a", "b"}, {"b", "a"}};
    EXPECT_EQ(packages.size(), 2u);
}

}  // namespace
}  // namespace perdure
