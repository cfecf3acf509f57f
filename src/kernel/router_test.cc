/// Where a message may go, how a decision is kept, and the table both read.

#include "kernel/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "abi/capability.h"
#include "kernel/process_table.h"

namespace perdure::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* kNode = "n.os";

Address local(std::string_view id) {
    return {kNode, parse_process_id(id).value()};
}

Ref<Process> process(std::string_view id, bool is_public = false) {
    ProcessFacts facts;
    facts.self = make_ref<const Party>(local(id));
    facts.is_public = is_public;
    return make_ref<Process>(std::move(facts), MailboxLimits{});
}

std::shared_ptr<const HeldSet> holding(const std::vector<Capability>& capabilities) {
    std::vector<CapabilityRecord> records;
    for (const Capability& capability : capabilities) {
        records.push_back({capability, GrantCause::Command, {}, {}, {}});
    }
    std::vector<CapabilityRecord> changed;
    return HeldSet::empty()->with(records, changed);
}

class Table : public ::testing::Test {
protected:
    void put(const Ref<Process>& process, const std::vector<Capability>& held,
             std::uint64_t number) {
        auto writer = table.write();
        writer.put(
            {process, holding(held), std::make_shared<const OnExit>(), SequenceNumber{number}});
        writer.publish(SequenceNumber{number});
    }
    void erase(std::string_view id, std::uint64_t number) {
        auto writer = table.write();
        writer.erase(parse_process_id(id).value());
        writer.publish(SequenceNumber{number});
    }
    ProcessTable table{kNode};
};

class Routing : public Table {
protected:
    Route route_to(const Address& target) {
        return decide_route(*table.snapshot(), *sender, view_of(target), kNode);
    }
    Ref<Process> sender = process("a:test:os");
};

TEST_F(Routing, AHolderOfMessagingMayReachTheTarget) {
    const Ref<Process> target = process("b:test:os");
    put(sender, {messaging_of(local("b:test:os"))}, 1);
    put(target, {}, 2);
    const Route route = route_to(local("b:test:os"));
    EXPECT_EQ(route.verdict, Verdict::Allowed);
    EXPECT_EQ(route.process, target);
    EXPECT_EQ(route.party, target->self);
    EXPECT_EQ(missing_capability(route, kNode), std::nullopt);
}

TEST_F(Routing, NobodyElseMayUnlessTheTargetIsPublic) {
    put(sender, {}, 1);
    put(process("b:test:os"), {}, 2);
    put(process("open:test:os", true), {}, 3);
    const Route denied = route_to(local("b:test:os"));
    EXPECT_EQ(denied.verdict, Verdict::Denied);
    EXPECT_FALSE(denied.process);
    EXPECT_EQ(missing_capability(denied, kNode), messaging_of(local("b:test:os")));
    EXPECT_EQ(route_to(local("open:test:os")).verdict, Verdict::Allowed);
}

TEST_F(Routing, WhetherAProcessExistsIsToldOnlyToThoseWhoMayMessageIt) {
    put(sender, {messaging_of(local("gone:test:os"))}, 1);
    EXPECT_EQ(route_to(local("gone:test:os")).verdict, Verdict::Absent);
    const Route denied = route_to(local("never:test:os"));
    EXPECT_EQ(denied.verdict, Verdict::Denied);
    EXPECT_EQ(missing_capability(denied, kNode), messaging_of(local("never:test:os")));
    EXPECT_EQ(missing_capability(route_to(local("gone:test:os")), kNode), std::nullopt);
}

TEST_F(Routing, ASenderThatIsNotInTheTableReachesNobody) {
    put(process("open:test:os", true), {}, 1);
    EXPECT_EQ(route_to(local("open:test:os")).verdict, Verdict::Denied);
}

TEST_F(Routing, KernelStateAndVfsMayMessageEverybody) {
    put(process("b:test:os"), {}, 1);
    for (const char* id : {"kernel:distro:sys", "state:distro:sys", "vfs:distro:sys"}) {
        sender = process(id);
        put(sender, {}, 2);
        EXPECT_EQ(route_to(local("b:test:os")).verdict, Verdict::Allowed) << id;
        EXPECT_EQ(route_to(local("gone:test:os")).verdict, Verdict::Absent) << id;
    }
    for (const char* id : {"timer:distro:sys", "vfs:distro:os", "vfs:other:sys"}) {
        sender = process(id);
        put(sender, {}, 2);
        EXPECT_EQ(route_to(local("b:test:os")).verdict, Verdict::Denied) << id;
    }
}

TEST_F(Routing, AnotherNodeNeedsNetworkAndIsUnreachableAllTheSame) {
    const Address remote{"other.os", parse_process_id("b:test:os").value()};
    put(sender, {messaging_of(remote)}, 1);
    put(process("b:test:os", true), {}, 2);
    const Route denied = route_to(remote);
    EXPECT_EQ(denied.verdict, Verdict::NoNetwork);
    EXPECT_EQ(denied.party->address, remote);
    EXPECT_EQ(missing_capability(denied, kNode), network_of(kNode));
    put(sender, {network_of(kNode)}, 3);
    EXPECT_EQ(route_to(remote).verdict, Verdict::Unreachable);
    EXPECT_EQ(missing_capability(route_to(remote), kNode), std::nullopt);
}

TEST_F(Routing, ADecisionKnowsTheNewestEntryItRestsOn) {
    put(process("b:test:os"), {}, 5);
    put(sender, {messaging_of(local("b:test:os"))}, 7);
    EXPECT_EQ(route_to(local("b:test:os")).number, SequenceNumber{7});
    put(process("c:test:os", true), {}, 9);
    EXPECT_EQ(route_to(local("c:test:os")).number, SequenceNumber{9});
    EXPECT_EQ(route_to(local("b:test:os")).number, SequenceNumber{7});
    erase("b:test:os", 11);
    EXPECT_EQ(route_to(local("b:test:os")).number, SequenceNumber{11}) << "that it is not there";
    EXPECT_EQ(route_to({"other.os", {}}).number, SequenceNumber{7});
}

TEST_F(Routing, ACachedDecisionHoldsForItsGenerationOnly) {
    put(sender, {}, 1);
    TargetCache cache;
    const Address target = local("b:test:os");
    const std::size_t hash = hash_address(view_of(target));
    EXPECT_EQ(cache.find(hash, view_of(target), 1), nullptr);
    const Route& kept = cache.remember(1, route_to(target));
    EXPECT_EQ(kept.verdict, Verdict::Denied);
    EXPECT_EQ(cache.find(hash, view_of(target), 1), &kept);
    EXPECT_EQ(cache.find(hash, view_of(target), 2), nullptr);
    const Address other = local("c:test:os");
    EXPECT_EQ(cache.find(hash, view_of(other), 1), nullptr) << "the hash alone decides nothing";
}

TEST_F(Routing, ACacheForgetsTargetsButMixesNoneUp) {
    put(sender, {}, 1);
    TargetCache cache;
    std::vector<Address> targets;
    for (int number = 0; number < 100; ++number) {
        targets.push_back(local("p" + std::to_string(number) + ":test:os"));
        cache.remember(1, route_to(targets.back()));
    }
    std::size_t found = 0;
    for (const Address& target : targets) {
        if (const Route* route = cache.find(hash_address(view_of(target)), view_of(target), 1)) {
            ++found;
            EXPECT_EQ(route->party->address, target);
        }
    }
    EXPECT_GE(found, 1U);
    EXPECT_LE(found, 16U);
}

using ProcessTableTest = Table;

TEST_F(ProcessTableTest, AChangeIsVisibleFromPublishOnAndNotInOlderSnapshots) {
    const auto before = table.snapshot();
    const std::uint64_t generation = table.generation();
    {
        auto writer = table.write();
        writer.put({process("b:test:os"), HeldSet::empty(), std::make_shared<const OnExit>(),
                    SequenceNumber{1}});
        EXPECT_NE(writer.find(parse_process_id("b:test:os").value()), nullptr);
        EXPECT_EQ(table.generation(), generation);
        writer.publish(SequenceNumber{1});
    }
    EXPECT_GT(table.generation(), generation);
    const ProcessId id = parse_process_id("b:test:os").value();
    EXPECT_EQ(before->find(id, kNode), nullptr);
    EXPECT_NE(table.snapshot()->find(id, kNode), nullptr);
    EXPECT_EQ(table.snapshot()->find(id, "other.os"), nullptr);
    EXPECT_EQ(table.snapshot()->count(), 1U);
}

TEST_F(ProcessTableTest, WithoutPublishNothingHasChanged) {
    const std::uint64_t generation = table.generation();
    {
        auto writer = table.write();
        writer.put({process("b:test:os"), HeldSet::empty(), std::make_shared<const OnExit>(), {}});
    }
    EXPECT_EQ(table.generation(), generation);
    EXPECT_EQ(table.snapshot()->count(), 0U);
}

TEST_F(ProcessTableTest, ReplacingKeepsTheCountAndErasingLowersIt) {
    const Ref<Process> b = process("b:test:os");
    put(b, {}, 1);
    put(process("c:test:os"), {}, 2);
    put(b, {network_of(kNode)}, 3);
    EXPECT_EQ(table.snapshot()->count(), 2U);
    std::vector<std::string> names;
    table.snapshot()->for_each(
        [&](const TableEntry& entry) { names.push_back(entry.process->self->printed); });
    EXPECT_THAT(names, UnorderedElementsAre("n.os@b:test:os", "n.os@c:test:os"));
    erase("b:test:os", 4);
    EXPECT_EQ(table.snapshot()->count(), 1U);
    EXPECT_EQ(table.snapshot()->find(b->self->address.process, kNode), nullptr);
}

TEST_F(ProcessTableTest, ItsNumberIsThatOfTheLastArrivalOrRemoval) {
    const Ref<Process> b = process("b:test:os");
    put(b, {}, 1);
    EXPECT_EQ(table.snapshot()->changed(), SequenceNumber{1});
    put(b, {network_of(kNode)}, 2);  // What it holds is no matter of who is there.
    EXPECT_EQ(table.snapshot()->changed(), SequenceNumber{1});
    put(process("b:test:os"), {}, 3);
    EXPECT_EQ(table.snapshot()->changed(), SequenceNumber{3});
    erase("b:test:os", 4);
    EXPECT_EQ(table.snapshot()->changed(), SequenceNumber{4});
}

TEST_F(ProcessTableTest, FindsWhoMayHoldSomethingOfAnIssuer) {
    put(process("a:test:os"), {messaging_of(local("x:test:os"))}, 1);
    put(process("b:test:os"), {messaging_of(local("x:test:os")), network_of(kNode)}, 2);
    put(process("c:test:os"), {network_of(kNode)}, 3);
    const auto holders = [&](const char* issuer) {
        std::vector<std::string> names;
        for (const ProcessId& id : table.write().holders_of(local(issuer))) {
            names.push_back(id.process);
        }
        return names;
    };
    EXPECT_THAT(holders("x:test:os"), UnorderedElementsAre("a", "b"));
    EXPECT_THAT(holders("y:test:os"), IsEmpty());
    erase("a:test:os", 4);
    EXPECT_THAT(holders("x:test:os"), ElementsAre("b"));
    EXPECT_THAT(holders("kernel:distro:sys"), UnorderedElementsAre("b", "c"));
}

}  // namespace
}  // namespace perdure::kernel
