/// `receive` and `send-and-await-response` (kernel specification §3.3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Awaiting : public Scenario {
protected:
    /// Awaits the outcome of `send`, then receives; notes all of it.
    Script awaits_then_listens(std::string name, mock::Send send) {
        return
            [this, name = std::move(name), send = std::move(send)](mock::Api& api) -> mock::Script {
                const mock::Delivery outcome = co_await api.send_and_await(send);
                note(name, "await: " + describe(outcome));
                for (;;) {
                    const mock::Delivery delivery = co_await api.receive();
                    note(name, describe(delivery));
                }
            };
    }
    /// Answers the first Request at `at`.
    static Script answers_at(Nanoseconds at) {
        return [at](mock::Api& api) -> mock::Script {
            co_await api.receive();
            co_await until(api, at);
            const mock::Response response = answer("r");
            co_await api.send_response(response);
            co_await api.receive();
        };
    }
    /// Rounds of all workers until nothing is left to do at this moment.
    std::size_t steps_until_quiet() {
        std::size_t steps = 0;
        for (bool worked = true; worked;) {
            worked = world.executor().run_all();
            for (std::uint32_t index = 0; index < world.kernel().worker_count(); ++index) {
                if (world.kernel().worker(index).step() == Worker::Did::Work) {
                    worked = true;
                    ++steps;
                }
            }
        }
        return steps;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Awaiting, worker_counts(), worker_name);

TEST_P(Awaiting, CK55_WhatArrivesDuringAnAwaitIsReceivedAfterItInOrder) {
    add("b", answers_at(kSecond));
    add("a", awaits_then_listens("a", ask("b", "q", 5)));
    add("c", sends_then_listens("c", {tell("a", "1"), tell("a", "2"), tell("a", "3")}));
    go();
    EXPECT_THAT(of("a"), IsEmpty());
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("await: Response r from b", "Request 1 from c",
                                     "Request 2 from c", "Request 3 from c"));
}

TEST_P(Awaiting, CK56_ALongQueueDoesNotMakeAnAwaitLonger) {
    // The figure belongs to a bench; here the work is counted: rounds of the workers per await.
    std::size_t asked = 0;
    std::size_t received = 0;
    bool in_order = true;
    add("b", echo);
    add("a", [&](mock::Api& api) -> mock::Script {
        for (const Nanoseconds at : {kSecond, 2 * kSecond}) {
            co_await until(api, at);
            const mock::Send send = ask("b", "q", 5);
            const mock::Delivery outcome = co_await api.send_and_await(send);
            asked += outcome.is_error ? 0 : 1;
        }
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            in_order = in_order && delivery.request.body == std::to_string(received);
            ++received;
        }
    });
    add("c", [](mock::Api& api) -> mock::Script {
        for (int count = 0; count < 90'000; ++count) {
            if (count == 10) {
                co_await until(api, kSecond + kMillisecond);
            }
            const mock::Send send = tell("a", std::to_string(count));
            co_await api.send_request(send);
        }
        co_await api.receive();
    });
    go();
    EXPECT_EQ(world.status(id_of("a"))->mailbox_messages, 10U);
    world.clock().advance(kSecond);
    const std::size_t steps_with_ten = steps_until_quiet();
    EXPECT_EQ(asked, 1U);
    world.clock().advance(kMillisecond);
    steps_until_quiet();
    EXPECT_EQ(world.status(id_of("a"))->mailbox_messages, 90'000U);
    world.clock().advance(kSecond);
    std::size_t steps_with_all = 0;
    while (asked == 1U && steps_with_all <= steps_with_ten) {
        for (std::uint32_t index = 0; index < world.kernel().worker_count(); ++index) {
            world.kernel().worker(index).step();
        }
        ++steps_with_all;
    }
    EXPECT_LE(steps_with_all, steps_with_ten);
    world.settle();
    EXPECT_EQ(asked, 2U);
    EXPECT_EQ(received, 90'000U);
    EXPECT_TRUE(in_order);
}

TEST_P(Awaiting, CK57_AnAwaitEndsWithTimeoutAtTheDeadlineAndWithoutContext) {
    mock::Send send = ask("b", "q", 1, "ignored");
    add("b", silent);
    add("a", awaits_then_listens("a", send));
    go();
    world.advance(kSecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    world.advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("await: Timeout of Request q to b"));
}

TEST_P(Awaiting, AnAwaitedResponseHasNoContext) {
    add("b", echo);
    add("a", awaits_then_listens("a", ask("b", "q", 1, "ignored")));
    go();
    EXPECT_THAT(of("a"), ElementsAre("await: Response q from b"));
}

TEST_P(Awaiting, AnAwaitThatIsRefusedAtOnceEndsAtOnce) {
    add("a", awaits_then_listens("a", ask("nobody", "q", 60)));
    go();
    EXPECT_THAT(of("a"), ElementsAre(HasSubstr("await: Timeout of Request q to nobody, mark ")));
    add("z", awaits_then_listens("z", ask("a", "q", 0)));
    go();
    EXPECT_THAT(of("z"), ElementsAre("await: Timeout of Request q to a"));
}

/// What its guest does at exit: tell `watcher`.
KernelWorld::Guest watched() {
    ExitRequest last;
    last.target = KernelWorld::full_address(id_of("watcher"));
    last.request.body = SharedBytes(std::string_view("ended"));
    KernelWorld::Guest guest;
    guest.on_exit = OnExit::fire({last});
    return guest;
}

TEST_P(Awaiting, CK58_AnAwaitWithoutExpectationTraps) {
    add("b", echo);
    add("watcher", listens("watcher"));
    add("a", awaits_then_listens("a", tell("b", "q")), watched());
    go();
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_THAT(world.prints(0),
                Contains(AllOf(HasSubstr("process n.os@a:test:os ended with error"),
                               HasSubstr("n.os@a:test:os awaited a Request that expects no "
                                         "Response; set expects-response"))));
    EXPECT_THAT(of("watcher"), ElementsAre("Request ended from a"));
    EXPECT_EQ(world.status(id_of("a")), std::nullopt);
}

TEST_P(Awaiting, CK59_AnAwaitOfOneselfTrapsHoweverItIsSpelt) {
    add("watcher", listens("watcher"));
    add("a", awaits_then_listens("a", ask("a", "q", 5)), watched());
    add("z", awaits_then_listens("z", at_node(ask("z", "q", 5), "our")), watched());
    go();
    EXPECT_THAT(of("a"), IsEmpty());
    EXPECT_THAT(of("z"), IsEmpty());
    EXPECT_THAT(world.prints(0), Contains(HasSubstr("n.os@a:test:os awaited a Request to itself")));
    EXPECT_THAT(world.prints(0), Contains(HasSubstr("n.os@z:test:os awaited a Request to itself")));
    EXPECT_THAT(of("watcher"), ElementsAre("Request ended from a", "Request ended from z"));
}

TEST_P(Awaiting, CK60_ARequestOfTheSameNumberDoesNotEndAnAwait) {
    // B's Request inherits the id of A's, and A is told of it only when it receives.
    add("b", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Send back = inheriting(tell("a", "back"));
        co_await api.send_request(back);
        co_await until(api, kSecond);
        const mock::Response response = answer("r");
        co_await api.send_response(response);
        co_await api.receive();
    });
    add("a", awaits_then_listens("a", ask("b", "q", 5)));
    go();
    EXPECT_THAT(of("a"), IsEmpty());
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("await: Response r from b", "Request back from b"));
}

TEST_P(Awaiting, OtherOutcomesAreReceivedAfterTheAwait) {
    // K-73: also those of Requests that were sent before.
    add("b", answers_at(kSecond));
    add("c", echo);
    add("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send first = ask("c", "first", 5, "c1");
        co_await api.send_request(first);
        const mock::Send second = ask("b", "second", 5);
        const mock::Delivery outcome = co_await api.send_and_await(second);
        note("a", "await: " + describe(outcome));
        const mock::Delivery delivery = co_await api.receive();
        note("a", describe(delivery));
    });
    go();
    world.advance(kSecond);
    EXPECT_THAT(of("a"),
                ElementsAre("await: Response r from b", "Response first from c, context c1"));
}

TEST_P(Awaiting, TwoThatAwaitEachOtherWaitUntilTheTimeouts) {
    // K-77: nobody looks for deadlocks.
    add("a", awaits_then_listens("a", ask("b", "q", 2)));
    add("b", awaits_then_listens("b", ask("a", "q", 3)));
    go();
    world.advance(3 * kSecond);
    EXPECT_THAT(of("a"), ElementsAre("await: Timeout of Request q to b", "Request q from b"));
    EXPECT_THAT(of("b"), ElementsAre("await: Timeout of Request q to a", "Request q from a"));
}

}  // namespace
}  // namespace perdure::kernel
