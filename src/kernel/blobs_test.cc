/// What the blob functions give and which blob travels on (kernel specification §2.5).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::ElementsAre;

std::string line_of(bool has, const std::optional<mock::Blob>& current,
                    const std::optional<mock::Blob>& last) {
    return std::string(has ? "has" : "no") + ", " + describe(current) + ", " + describe(last);
}

class Blobs : public Scenario {
protected:
    /// Notes what the three blob functions give before anything came and after each element, twice
    /// each time: reading does not consume.
    Script shows_blobs(std::string name) {
        return [this, name = std::move(name)](mock::Api& api) -> mock::Script {
            for (;;) {
                const bool has = co_await api.has_blob();
                const auto current = co_await api.get_blob();
                const auto last = co_await api.last_blob();
                note(name, line_of(has, current, last));
                const bool has_again = co_await api.has_blob();
                const auto current_again = co_await api.get_blob();
                const auto last_again = co_await api.last_blob();
                EXPECT_EQ(has_again, has);
                EXPECT_EQ(current_again, current);
                EXPECT_EQ(last_again, last);
                co_await api.receive();
            }
        };
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Blobs, worker_counts(), worker_name);

TEST_P(Blobs, CK29_ABlobIsReadAsOftenAsOneLikes) {
    add("b", shows_blobs("b"));
    add("a", sends_then_listens("a", {with_blob(tell("b", "x"), "bytes", "text/plain")}));
    go();
    EXPECT_THAT(of("b"),
                ElementsAre("no, none, none", "has, bytes (text/plain), bytes (text/plain)"));
}

TEST_P(Blobs, NoMimeAndAnEmptyMimeDifferAndAnEmptyBlobIsABlob) {
    add("b", shows_blobs("b"));
    add("a", sends_then_listens(
                 "a", {with_blob(tell("b", "x"), "bytes"), with_blob(tell("b", "x"), "bytes", ""),
                       with_blob(tell("b", "x"), "")}));
    go();
    EXPECT_THAT(of("b"), ElementsAre("no, none, none", "has, bytes, bytes",
                                     "has, bytes (), bytes ()", "has, , "));
}

TEST_P(Blobs, CK30_AfterAMessageWithoutBlobOnlyTheLastBlobIsThere) {
    add("b", shows_blobs("b"));
    add("a", sends_then_listens("a", {with_blob(tell("b", "x"), "b"), tell("b", "y")}));
    go();
    EXPECT_THAT(of("b"), ElementsAre("no, none, none", "has, b, b", "no, none, b"));
}

TEST_P(Blobs, CK31_BeforeTheFirstMessageThereIsNone) {
    add("b", shows_blobs("b"));
    go();
    EXPECT_THAT(of("b"), ElementsAre("no, none, none"));
}

TEST_P(Blobs, CK32_AnInheritingRequestCarriesTheBlobOn) {
    add("c", shows_blobs("c"));
    add("b", forwards("b", {inheriting(tell("c", "on"))}));
    add("a", sends_then_listens("a", {with_blob(tell("b", "x"), "of a", "text/plain")}));
    go();
    EXPECT_THAT(of("c"),
                ElementsAre("no, none, none", "has, of a (text/plain), of a (text/plain)"));
}

TEST_P(Blobs, CK33_AGivenBlobWinsOverTheInheritedOneAlsoWhenEmpty) {
    add("c", shows_blobs("c"));
    add("b", forwards("b", {with_blob(inheriting(tell("c", "on")), "of b"),
                            with_blob(inheriting(tell("c", "on")), "")}));
    add("a", sends_then_listens("a", {with_blob(tell("b", "x"), "of a", "text/plain")}));
    go();
    EXPECT_THAT(of("c"), ElementsAre("no, none, none", "has, of b, of b", "has, , "));
}

TEST_P(Blobs, CK34_AnInheritedBlobIsNeitherCopiedNorShownToTheGuestOnItsWay) {
    constexpr std::size_t kSize = 500'000'000;
    add("b", [](mock::Api& api) -> mock::Script {
        mock::Send on = inheriting(tell("b", "on"));
        on.target = {KernelWorld::kNode, "vfs", "distro", "sys"};
        for (;;) {
            co_await api.receive();
            co_await api.send_request(on);
        }
    });
    world.grant_messaging(id_of("b"), "vfs:distro:sys");
    go();
    const std::uint64_t memory = world.status(id_of("b"))->memory_bytes;
    Blob blob;
    blob.bytes = SharedBytes::make(kSize, [](auto) {});
    const auto sent =
        world.kernel().send(probe, KernelWorld::full_address(id_of("b")), Request{}, blob, {});
    ASSERT_TRUE(sent.has_value());
    world.settle();
    ASSERT_EQ(probe.requests.size(), 1U);
    ASSERT_TRUE(probe.requests[0].blob.has_value());
    EXPECT_EQ(probe.requests[0].blob->bytes.size(), kSize);
    EXPECT_EQ(probe.requests[0].blob->bytes.view().data(), blob.bytes.view().data());
    EXPECT_EQ(world.status(id_of("b"))->memory_bytes, memory);
}

TEST_P(Blobs, CK35_WhatAnEarlierMessageCarriedIsNotInherited) {
    add("c", shows_blobs("c"));
    add("b", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await api.receive();
        const mock::Send send = inheriting(tell("c", "on"));
        co_await api.send_request(send);
    });
    add("z", sends_then_listens("z", {with_blob(tell("b", "x"), "z")}));
    add("a", sends_then_listens("a", {tell("b", "y")}));
    go();
    EXPECT_THAT(of("c"), ElementsAre("no, none, none", "no, none, none"));
}

/// Answers every Request with `bytes` as a blob.
mock::ScriptFunction gives(std::string bytes) {
    return [bytes = std::move(bytes)](mock::Api& api) -> mock::Script {
        for (;;) {
            co_await api.receive();
            const mock::Response response = answer("file");
            const std::optional<mock::Blob> file = blob(bytes);
            co_await api.send_response(response, file);
        }
    };
}

TEST_P(Blobs, CK36_AnAnswerMayInheritTheBlobOfAnAwaitedResponse) {
    add("files", gives("f"));
    add("send", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Send read = ask("files", "read", 5);
        co_await api.send_and_await(read);
        const mock::Response response = inheriting_answer("here");
        co_await api.send_response(response);
        co_await api.receive();
    });
    add("recv", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = ask("send", "give", 5);
        const mock::Delivery delivery = co_await api.send_and_await(send);
        const auto got = co_await api.get_blob();
        note("recv", describe(delivery) + ": " + describe(got));
    });
    go();
    EXPECT_THAT(of("recv"), ElementsAre("Response here from send: f"));
}

TEST_P(Blobs, CK37_AnAnswerWithoutBlobLeavesTheOneOfTheRequestBeingHandled) {
    add("c", answers("c", "no blob"));
    add("d", shows_blobs("d"));
    add("b", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Send question = ask("c", "q", 5);
        co_await api.send_and_await(question);
        const mock::Send send = inheriting(tell("d", "on"));
        co_await api.send_request(send);
        co_await api.receive();
    });
    add("a", sends_then_listens("a", {with_blob(tell("b", "x"), "a")}));
    go();
    EXPECT_THAT(of("d"), ElementsAre("no, none, none", "has, a, a"));
}

TEST_P(Blobs, CK38_AnInheritingAnswerCarriesTheBlobItIsGiven) {
    add("b", [](mock::Api& api) -> mock::Script {
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            const mock::Response response = inheriting_answer(delivery.request.body);
            const std::optional<mock::Blob> own = blob("g");
            co_await api.send_response(response, own);
        }
    });
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send send = with_blob(ask("b", "x", 5), "a");
        co_await api.send_and_await(send);
        const auto got = co_await api.get_blob();
        note("a", describe(got));
    });
    go();
    EXPECT_THAT(of("a"), ElementsAre("g"));
}

TEST_P(Blobs, WhichBlobAnAnswerCarries) {
    // K-44: without inheriting only a given one, with it the one of the Request.
    add("b", [](mock::Api& api) -> mock::Script {
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            mock::Response response = answer("");
            response.inherit = delivery.request.body.starts_with("inherit");
            std::optional<mock::Blob> given;
            if (delivery.request.body.ends_with("give")) {
                given = blob("of b");
            }
            co_await api.send_response(response, given);
        }
    });
    add("a", [this](mock::Api& api) -> mock::Script {
        for (const char* how : {"plain", "plain give", "inherit", "inherit give"}) {
            const mock::Send send = with_blob(ask("b", how, 5), "of a");
            co_await api.send_and_await(send);
            const auto got = co_await api.get_blob();
            note("a", describe(got));
        }
    });
    go();
    EXPECT_THAT(of("a"), ElementsAre("none", "of b", "of a", "of b"));
}

TEST_P(Blobs, CK39_StateAndSpawnLeaveTheBlobsAlone) {
    add("b", [this](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await api.receive();
        const std::string state = "state";
        co_await api.set_state(state);
        const auto stored = co_await api.get_state();
        EXPECT_EQ(stored, "state");
        co_await api.clear_state();
        const mock::Spawn child;
        co_await api.spawn(child);
        const bool has = co_await api.has_blob();
        const auto current = co_await api.get_blob();
        const auto last = co_await api.last_blob();
        note("b", line_of(has, current, last));
    });
    add("a",
        sends_then_listens("a", {with_blob(tell("b", "x"), "1"), with_blob(tell("b", "y"), "2")}));
    go();
    EXPECT_THAT(of("b"), ElementsAre("has, 2, 2"));
}

TEST_P(Blobs, CK40_AMessageThatWaitsChangesNothingUntilItIsReceived) {
    add("c", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        co_await until(api, kSecond);
        const mock::Response response = answer("r");
        co_await api.send_response(response);
    });
    add("b", [this](mock::Api& api) -> mock::Script {
        const mock::Send question = ask("c", "q", 5);
        co_await api.send_and_await(question);
        for (int count = 0; count < 2; ++count) {
            const bool has = co_await api.has_blob();
            const auto current = co_await api.get_blob();
            const auto last = co_await api.last_blob();
            note("b", line_of(has, current, last));
            co_await api.receive();
        }
    });
    add("a", sends_then_listens("a", {with_blob(tell("b", "x"), "queued")}));
    go();
    world.advance(kSecond);
    EXPECT_THAT(of("b"), ElementsAre("no, none, none", "has, queued, queued"));
}

TEST_P(Blobs, CK41_GetBlobOfTheOldInterfacesGivesTheCurrentMessagesBlobOnly) {
    for (const std::uint32_t standard : {KWE_STANDARD_KINODE_0_7, KWE_STANDARD_KINODE_0_8}) {
        const std::string name = "b" + std::to_string(standard);
        KernelWorld::Guest guest;
        guest.standard = standard;
        add(
            name,
            [this, name](mock::Api& api) -> mock::Script {
                for (;;) {
                    co_await api.receive();
                    const auto got = co_await api.get_blob();
                    note(name, describe(got));
                }
            },
            guest);
        add("a" + name,
            sends_then_listens("a" + name, {with_blob(tell(name, "x"), "b"), tell(name, "y")}));
        go();
        EXPECT_THAT(of(name), ElementsAre("b", "none"));
    }
}

}  // namespace
}  // namespace perdure::kernel
