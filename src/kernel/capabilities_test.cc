/// Who may message whom and what the refused are told (kernel specification §§3.2 and 4, K-242).

#include "kernel/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string lacks_messaging(const std::string& name) {
    return R"(, mark {"denied":{"issuer":"n.os@)" + id_of(name) + R"(","params":"\"messaging\""}})";
}

class Messaging : public Scenario {
protected:
    /// Runs all without connecting anybody.
    void go_unconnected(const std::vector<std::string>& names) {
        for (const std::string& name : names) {
            run(name);
        }
    }
    KernelWorld::Guest open_to_all() {
        KernelWorld::Guest guest;
        guest.is_public = true;
        return guest;
    }
    std::uint64_t denied() { return world.kernel().counters().denied.load(); }
};
INSTANTIATE_TEST_SUITE_P(Workers, Messaging, worker_counts(), worker_name);

TEST_P(Messaging, CK65_WithoutTheTargetsMessagingARequestIsDeniedAtOnce) {
    add("b", listens("b"));
    add("a", sends_then_listens("a", {ask("b", "q", 30, "c"), ask("nobody", "q", 30),
                                      tell("b", "x"), tell("nobody", "x")}));
    go_unconnected({"b", "a"});
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to b, context c" + lacks_messaging("b"),
                                     "Timeout of Request q to nobody" + lacks_messaging("nobody")));
    EXPECT_THAT(of("b"), IsEmpty());
    world.advance(60 * kSecond);
    EXPECT_THAT(of("a"), SizeIs(2));
}

TEST_P(Messaging, ADenialMarkIsIssuedByTheKernelAndNobodyCanKeepIt) {
    add("b", silent);
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = ask("b", "q", 30);
        const mock::Delivery error = co_await api.send_and_await(send);
        const std::vector<mock::Capability> marks = error.request.capabilities;
        EXPECT_EQ(marks.at(0).issuer,
                  (mock::Address{KernelWorld::kNode, "kernel", "distro", "sys"}));
        co_await api.save_capabilities(marks);
        const auto held = co_await api.our_capabilities();
        for (const mock::Capability& capability : held) {
            note("a", capability.issuer.process + " " + capability.params);
        }
    });
    go_unconnected({"b", "a"});
    EXPECT_THAT(of("a"), ElementsAre("a \"messaging\""));
    EXPECT_THAT(world.prints(0), IsEmpty());
}

TEST_P(Messaging, CK66_APublicProcessTakesMessagesFromEverybody) {
    add("b", listens("b"), open_to_all());
    add("a", sends_then_listens("a", {tell("b", "x"), ask("b", "q", 30)}));
    go_unconnected({"b", "a"});
    EXPECT_THAT(of("b"), ElementsAre("Request x from a", "Request q from a"));
    EXPECT_THAT(of("a"), IsEmpty());
}

TEST_P(Messaging, CK67_AnAnswerNeedsNoCapabilityButARequestBackDoes) {
    add("b", [this](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Response response = answer("r");
        co_await api.send_response(response);
        const mock::Send back = ask("a", "back", 30);
        co_await api.send_request(back);
        const mock::Delivery delivery = co_await api.receive();
        note("b", describe(delivery));
    });
    add("a", sends_then_listens("a", {ask("b", "q", 30)}));
    world.grant_messaging(id_of("a"), id_of("b"));
    go_unconnected({"b", "a"});
    EXPECT_THAT(of("a"), ElementsAre("Response r from b"));
    EXPECT_THAT(of("b"), ElementsAre("Timeout of Request back to a" + lacks_messaging("a")));
}

TEST_P(Messaging, CK69_WithoutNetworkAnotherNodeIsDeniedAtOnce) {
    add("a", sends_then_listens("a", {at_node(ask("b", "q", 30, "c"), "other.os"),
                                      at_node(tell("b", "x"), "other.os")}));
    go_unconnected({"a"});
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request q to b, context c, mark "
                                     R"({"denied":{"issuer":"n.os@kernel:distro:sys",)"
                                     R"("params":"\"network\""}})"));
    EXPECT_EQ(denied(), 1U);
}

TEST_P(Messaging, CK75_WhoDropsACapabilityIsRefusedFromTheNextMessageOn) {
    add("b", listens("b"));
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Capability messaging{KernelWorld::address(id_of("b")),
                                         std::string(kMessagingParams)};
        const std::vector<mock::Capability> dropped(1, messaging);
        for (int round = 0; round < 3; ++round) {
            const mock::Send send = ask("b", std::to_string(round), 30);
            co_await api.send_request(send);
            co_await api.drop_capabilities(dropped);
        }
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            note("a", describe(delivery));
        }
    });
    go();
    EXPECT_THAT(of("b"), ElementsAre("Request 0 from a"));
    EXPECT_THAT(of("a"), ElementsAre("Timeout of Request 1 to b" + lacks_messaging("b"),
                                     "Timeout of Request 2 to b" + lacks_messaging("b")));
    EXPECT_THAT(world.prints(1), IsEmpty());
}

TEST_P(Messaging, AGrantAllowsTheNextMessage) {
    add("b", listens("b"));
    add("a", [](mock::Api& api) -> mock::Script {
        const mock::Send early = tell("b", "early");
        co_await api.send_request(early);
        co_await until(api, kSecond);
        const mock::Send late = tell("b", "late");
        co_await api.send_request(late);
    });
    go_unconnected({"b", "a"});
    world.grant_messaging(id_of("a"), id_of("b"));
    world.advance(kSecond);
    EXPECT_THAT(of("b"), ElementsAre("Request late from a"));
}

TEST_P(Messaging, CK182_DeniedMessagesThatExpectNothingAreCountedAndLoggedOncePerPair) {
    add("b", listens("b"));
    add("c", listens("c"));
    KernelWorld::Guest guest;
    guest.capabilities = {network_of(KernelWorld::kNode)};
    add(
        "a",
        [this](mock::Api& api) -> mock::Script {
            for (int count = 0; count < 100; ++count) {
                for (const char* target : {"b", "c"}) {
                    const mock::Send send = tell(target, "x");
                    co_await api.send_request(send);
                }
            }
            const mock::Send far = at_node(tell("d", "far"), "other.os");
            co_await api.send_request(far);
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                note("a", describe(delivery));
            }
        },
        guest);
    go_unconnected({"b", "c", "a"});
    EXPECT_EQ(denied(), 200U);
    EXPECT_THAT(world.prints(0),
                ElementsAre(AllOf(HasSubstr("n.os@a:test:os may not message n.os@b:test:os"),
                                  HasSubstr(R"(n.os@b:test:os("messaging"))")),
                            AllOf(HasSubstr("n.os@a:test:os may not message n.os@c:test:os"),
                                  HasSubstr(R"(n.os@c:test:os("messaging"))"))));
    EXPECT_THAT(of("a"), ElementsAre("Offline of Request far to d"));
    EXPECT_THAT(of("b"), IsEmpty());
    EXPECT_THAT(of("c"), IsEmpty());
}

TEST_P(Messaging, DenialsOfDifferentTargetsAreLoggedEachAlsoWhenTheSameRightIsMissing) {
    add("a", sends_then_listens(
                 "a", {at_node(tell("b", "x"), "one.os"), at_node(tell("b", "x"), "two.os"),
                       at_node(tell("b", "x"), "one.os")}));
    go_unconnected({"a"});
    EXPECT_EQ(denied(), 3U);
    EXPECT_THAT(world.prints(0),
                ElementsAre(HasSubstr("one.os@b:test:os"), HasSubstr("two.os@b:test:os")));
}

Address address_of(std::string_view name) {
    return KernelWorld::full_address(id_of(name));
}

std::vector<std::string> params_of(const std::vector<CapabilityRecord>& records) {
    std::vector<std::string> params;
    for (const CapabilityRecord& record : records) {
        params.push_back(record.capability.params);
    }
    return params;
}

CapabilityRecord record(std::string_view issuer, std::string params) {
    return {{address_of(issuer), std::move(params)}, GrantCause::Command, {}, {}, {}};
}

TEST(HeldSet, WhatIsHeldAlreadyKeepsItsFirstSpelling) {
    std::vector<CapabilityRecord> added;
    const auto set = HeldSet::empty()->with({{record("b", R"({"a":1, "b":2})")}}, added);
    EXPECT_THAT(params_of(added), ElementsAre(R"({"a":1, "b":2})"));
    added.clear();
    const std::vector<CapabilityRecord> again = {record("b", R"({"b":2,"a":1})"), record("b", "3"),
                                                 record("b", " 3")};
    const auto more = set->with(again, added);
    EXPECT_THAT(params_of(added), ElementsAre("3"));
    EXPECT_TRUE(more->holds({address_of("b"), R"({ "b" : 2, "a" : 1 })"}));
    EXPECT_THAT(more->all(), SizeIs(2));
    EXPECT_EQ(more->all()[0]->record.capability.params, R"({"a":1, "b":2})");
}

TEST(HeldSet, DroppingIgnoresWhatIsNotHeld) {
    std::vector<CapabilityRecord> changed;
    const std::vector<CapabilityRecord> two = {record("b", "1"), record("b", "2")};
    const auto set = HeldSet::empty()->with(two, changed);
    changed.clear();
    const std::vector<Capability> drops = {{address_of("b"), " 1 "}, {address_of("c"), "2"}};
    const auto rest = set->without(drops, changed);
    EXPECT_THAT(params_of(changed), ElementsAre("1"));
    EXPECT_FALSE(rest->holds({address_of("b"), "1"}));
    EXPECT_TRUE(rest->holds({address_of("b"), "2"}));
    EXPECT_TRUE(set->holds({address_of("b"), "1"})) << "a set never changes";
}

TEST(HeldSet, MessagingIsFoundHoweverItIsSpelt) {
    std::vector<CapabilityRecord> changed;
    const std::vector<CapabilityRecord> some = {record("b", " \"messaging\" "),
                                                record("c", "messaging"), record("d", "\"other\"")};
    const auto set = HeldSet::empty()->with(some, changed);
    EXPECT_TRUE(set->may_message(address_of("b")));
    EXPECT_FALSE(set->may_message(address_of("c"))) << "text that is no JSON";
    EXPECT_FALSE(set->may_message(address_of("d")));
    const auto none = set->without({{{address_of("b"), std::string(kMessagingParams)}}}, changed);
    EXPECT_FALSE(none->may_message(address_of("b")));
}

TEST(HeldSet, AnEmptyOneHoldsNothing) {
    EXPECT_THAT(HeldSet::empty()->all(), IsEmpty());
    EXPECT_FALSE(HeldSet::empty()->holds(messaging_of(address_of("b"))));
    EXPECT_FALSE(HeldSet::empty()->may_message(address_of("b")));
}

}  // namespace
}  // namespace perdure::kernel
