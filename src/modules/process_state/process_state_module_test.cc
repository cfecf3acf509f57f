/// `state:distro:sys` (K-203 to K-206): the saved states by message, for packages of the node
/// itself.

#include "modules/process_state/process_state_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/life_helpers_for_test.h"

namespace perdure::modules {
namespace {

using namespace kernel;  // NOLINT: the scenarios speak the kernel's language
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kState = "state:distro:sys";
constexpr std::string_view kTool = "tool:terminal:sys";
constexpr std::uint64_t kStateBytesMax = 6 << 20;

class StateModule : public LifeScenario {
protected:
    StateModule() : LifeScenario(with_state()) {}

    static KernelWorld::Options with_state() {
        KernelWorld::Options options;
        options.make_modules = [](KernelWorld& world) {
            std::vector<std::unique_ptr<RuntimeModule>> modules;
            modules.push_back(std::make_unique<ProcessStateModule>(world.kernel(), world.journal(),
                                                                   kStateBytesMax));
            return modules;
        };
        return options;
    }
    static mock::Send request(std::string_view body, std::optional<mock::Blob> blob = {}) {
        return with_metadata(ask_module(kState, body, std::move(blob)), "repeat me");
    }
    std::string ask_tool(std::string_view body, std::optional<mock::Blob> blob = {}) {
        return answer_to(kTool, request(body, std::move(blob)));
    }
    /// Saves `state` as the state of `name`, by the host call.
    void saved(std::string_view name, std::string state) {
        world.start(id_of(name), [state = std::move(state)](mock::Api& api) -> mock::Script {
            co_await api.set_state(state);
        });
        world.settle();
    }
    /// Sends all at once in the name of `id`, which may message the module, and notes bodies and
    /// blobs that come.
    void send_all(std::string_view id, std::vector<mock::Send> sends) {
        world.start(
            id,
            [this, sends = std::move(sends)](mock::Api& api) -> mock::Script {
                co_await api.send_requests(sends);
                for (;;) {
                    const mock::Delivery delivery = co_await api.receive();
                    const std::optional<mock::Blob> found = co_await api.get_blob();
                    note("tool", delivery.response.body + " " + describe(found));
                }
            },
            guest(OnExit::none(), {messaging_of(KernelWorld::full_address(kState))}));
        world.settle();
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, StateModule, worker_counts(), worker_name);

TEST_P(StateModule, WhatAProcessSavedIsGotSetAndDeleted) {
    saved("a", "by the guest");
    begin("reader", [this](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const std::optional<std::string> state = co_await api.get_state();
        note("reader", state.value_or("none"));
    });
    send_all(kTool, {request(R"({"GetState":"a:test:os"})"),
                     request(R"({"SetState":"reader:test:os"})", blob("by the tool", "text/plain")),
                     request(R"({"DeleteState":"a:test:os"})"),
                     request(R"({"DeleteState":"a:test:os"})")});
    EXPECT_THAT(of("tool"),
                ElementsAre("\"GetState\" by the guest (application/octet-stream)",
                            "\"SetState\" none", "\"DeleteState\" none", "\"DeleteState\" none"));
    EXPECT_EQ(stored_state("a"), std::nullopt);
    send_to("reader", "x");
    EXPECT_THAT(of("reader"), ElementsAre("by the tool"));
}

TEST_P(StateModule, CK123_AnOrdinaryProcessIsNotAnsweredAndTheTerminalPackageIs) {
    saved("a", "secret");
    EXPECT_EQ(answer_to("ordinary:test:os", request(R"({"GetState":"a:test:os"})")), "nothing");
    EXPECT_EQ(answer_to("terminal:terminal:evil.os", request(R"({"DeleteState":"a:test:os"})")),
              "nothing");
    EXPECT_THAT(world.prints_of(kState, 0), IsEmpty());
    EXPECT_THAT(world.prints_of(kState, 1), SizeIs(2));
    EXPECT_THAT(world.prints_of(kState, 1).front(), HasSubstr("n.os@ordinary:test:os ignored"));
    EXPECT_EQ(stored_state("a"), "secret");
    EXPECT_EQ(answer_to("clear:terminal:sys", request(R"({"GetState":"a:test:os"})")),
              "\"GetState\"");
}

TEST_P(StateModule, CK124_AnUnknownIdIsNotFoundAndTheMetadataIsRepeated) {
    const auto outcome = ask_as(kTool, request(R"({"GetState":"absent:test:os"})"));
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->response.body, R"({"Err":{"NotFound":{"process_id":"absent:test:os"}}})");
    EXPECT_EQ(outcome->response.metadata, "repeat me");
    // One that cannot exist is as little there.
    EXPECT_EQ(ask_tool(R"({"GetState":"Un_safe:test:os"})"),
              R"({"Err":{"NotFound":{"process_id":"Un_safe:test:os"}}})");
}

TEST_P(StateModule, MistakesAreAnsweredWithTheirErrors) {
    EXPECT_EQ(ask_tool(R"({"SetState":"a:test:os"})"),
              R"({"Err":{"BadBytes":{"action":"SetState"}}})");
    EXPECT_TRUE(ask_tool("nonsense").starts_with(R"({"Err":{"BadJson":{"error":")"));
    EXPECT_TRUE(ask_tool(R"({"SetState":"Un_safe:test:os"})", blob("x"))
                    .starts_with(R"({"Err":{"BadJson")"));
    EXPECT_EQ(
        ask_tool(R"("Backup")"),
        R"({"Err":{"RocksDBError":{"action":"Backup","error":"this version makes no backups"}}})");
    EXPECT_EQ(world.journal().count(Family::ProcessState), 0U);
}

TEST_P(StateModule, AnEmptyObjectIsNotTheSameAsNone) {
    EXPECT_EQ(ask_tool(R"({"SetState":"a:test:os"})", blob("")), "\"SetState\"");
    EXPECT_EQ(stored_state("a"), "");
    const auto outcome = ask_as(kTool, request(R"({"GetState":"a:test:os"})"));
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->response.body, "\"GetState\"");
}

TEST_P(StateModule, AStoreThatFailsIsAnsweredAsAStoreFailureAndNeverAsNotFound) {
    saved("a", "x");
    world.journal().fail_store("the disk is gone");
    EXPECT_EQ(ask_tool(R"({"GetState":"a:test:os"})"),
              R"({"Err":{"RocksDBError":{"action":"GetState","error":"the disk is gone"}}})");
    EXPECT_EQ(ask_tool(R"({"SetState":"a:test:os"})", blob(std::string(5 << 20, 'x'))),
              R"({"Err":{"RocksDBError":{"action":"SetState","error":"the disk is gone"}}})");
    EXPECT_EQ(stored_state("a"), "x");
}

TEST_P(StateModule, AnObjectAtTheLimitIsTakenAndOneByteMoreIsNot) {
    EXPECT_EQ(ask_tool(R"({"SetState":"a:test:os"})", blob(std::string(kStateBytesMax, 'x'))),
              "\"SetState\"");
    EXPECT_THAT(ask_tool(R"({"SetState":"a:test:os"})", blob(std::string(kStateBytesMax + 1, 'y'))),
                HasSubstr("state of 6291457 bytes exceeds state_bytes_max 6291456"));
    EXPECT_EQ(stored_state("a")->front(), 'x');
}

TEST_P(StateModule, RequestsOfOneSenderKeepTheirOrder) {
    std::vector<mock::Send> sends;
    std::vector<std::string> expected;
    for (int count = 0; count < 20; ++count) {
        // Large ones are written on the pool and take longer than the small ones that follow.
        const std::size_t size = count % 2 == 0 ? 5 << 20 : 1;
        sends.push_back(request(R"({"SetState":"a:test:os"})",
                                blob(std::to_string(count) + std::string(size, '.'))));
        sends.push_back(request(R"({"GetState":"a:test:os"})"));
        expected.push_back(std::to_string(count));
    }
    world.start(
        kTool,
        [this, sends](mock::Api& api) -> mock::Script {
            co_await api.send_requests(sends);
            for (;;) {
                co_await api.receive();
                const std::optional<mock::Blob> found = co_await api.get_blob();
                if (found) {
                    note("tool", found->bytes.substr(0, found->bytes.find('.')));
                }
            }
        },
        guest(OnExit::none(), {messaging_of(KernelWorld::full_address(kState))}));
    world.settle();
    EXPECT_EQ(of("tool"), expected);
}

TEST_P(StateModule, WithoutRoomARequestStaysAtTheHeadOfItsSendersQueueAndOthersAreServed) {
    saved("a", "old");
    world.journal().take_room_away();
    send_all(kTool, {request(R"({"SetState":"a:test:os"})", blob("new")),
                     request(R"({"GetState":"a:test:os"})")});
    EXPECT_THAT(of("tool"), IsEmpty());
    EXPECT_EQ(answer_to("other:terminal:sys", request(R"({"GetState":"a:test:os"})")),
              "\"GetState\"");
    EXPECT_EQ(stored_state("a"), "old");
    world.journal().make_room();
    world.settle();
    EXPECT_THAT(of("tool"),
                ElementsAre("\"SetState\" none", "\"GetState\" new (application/octet-stream)"));
}

TEST_P(StateModule, CK147_WithoutSpaceChangesAreAnsweredWithAnErrorAndReadsAreServed) {
    saved("a", "old");
    world.journal().take_space_away();
    constexpr std::string_view kWhy = "the disk has less than reserve_bytes free";
    EXPECT_THAT(ask_tool(R"({"SetState":"a:test:os"})", blob("new")), HasSubstr(kWhy));
    EXPECT_THAT(ask_tool(R"({"SetState":"a:test:os"})", blob(std::string(5 << 20, 'x'))),
                HasSubstr(kWhy));
    EXPECT_THAT(ask_tool(R"({"DeleteState":"a:test:os"})"), HasSubstr(kWhy));
    EXPECT_EQ(ask_tool(R"({"GetState":"a:test:os"})"), "\"GetState\"");
    EXPECT_EQ(stored_state("a"), "old");
    world.journal().make_room();
    EXPECT_EQ(ask_tool(R"({"SetState":"a:test:os"})", blob("new")), "\"SetState\"");
    EXPECT_EQ(stored_state("a"), "new");
}

TEST_P(StateModule, SuccessIsSilentWhenNobodyExpectsAnAnswer) {
    send_all(kTool, {not_expecting(request(R"({"SetState":"a:test:os"})", blob("x")))});
    EXPECT_EQ(stored_state("a"), "x");
    world.advance(60 * kSecond);
    EXPECT_THAT(of("tool"), IsEmpty());
}

TEST_P(StateModule, AnAnswerWaitsForTheEntryItTellsOfAndForNoOther) {
    saved("durable", "old");
    world.journal().hold_syncs();
    saved("pending", "new");
    const SequenceNumber saved_at = world.journal().last();
    saved("unrelated", "newer");
    const auto number_of = [&](std::string_view name, std::string_view body,
                               std::optional<mock::Blob> with = {}) {
        const std::string id = std::string(name) + ":terminal:sys";
        world.start(
            id,
            [send = request(body, std::move(with))](mock::Api& api) -> mock::Script {
                co_await api.send_and_await(send);
                co_await api.receive();
            },
            guest(OnExit::none(), {messaging_of(KernelWorld::full_address(kState))}));
        world.settle();
        return SequenceNumber{world.status(id)->seen};
    };
    EXPECT_TRUE(is_durable(number_of("t1", R"({"GetState":"durable:test:os"})")));
    EXPECT_EQ(number_of("t2", R"({"GetState":"pending:test:os"})"), saved_at);
    EXPECT_TRUE(is_durable(number_of("t3", R"({"GetState":"absent:test:os"})")));
    const SequenceNumber deleted_at = number_of("t4", R"({"DeleteState":"pending:test:os"})");
    EXPECT_EQ(deleted_at, world.journal().last());
    EXPECT_EQ(number_of("t5", R"({"GetState":"pending:test:os"})"), deleted_at);
    const SequenceNumber set_at = number_of("t6", R"({"SetState":"durable:test:os"})", blob("x"));
    EXPECT_GT(set_at, deleted_at);
    EXPECT_EQ(set_at, world.journal().last());
}

}  // namespace
}  // namespace perdure::modules
