/// `timer:distro:sys` (K-207 to K-211, M-TMR): answers on time, in order, to whoever asked.

#include "modules/timer/timer_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/life_helpers_for_test.h"

namespace perdure::modules {
namespace {

using namespace kernel;  // NOLINT: the scenarios speak the kernel's language
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kTimer = "timer:distro:sys";

class Timers : public LifeScenario {
protected:
    explicit Timers(std::size_t timers_max = TimerModule::kTimersMax)
        : LifeScenario(with_timer(timers_max)) {}

    static KernelWorld::Options with_timer(std::size_t timers_max) {
        KernelWorld::Options options;
        options.make_modules = [timers_max](KernelWorld& world) {
            std::vector<std::unique_ptr<RuntimeModule>> modules;
            modules.push_back(
                std::make_unique<TimerModule>(world.kernel(), world.clock(), timers_max));
            return modules;
        };
        return options;
    }
    /// As the guest library asks (K-211).
    static mock::Send timer(std::uint64_t delay_ms, std::optional<std::string> context = {}) {
        mock::Send send = ask_module(kTimer, R"({"SetTimer":)" + std::to_string(delay_ms) + "}");
        send.request.expects_response = delay_ms / 1'000 + 1;
        send.context = std::move(context);
        return send;
    }
    /// Sends one by one, then notes what comes with the time at which it came.
    Script sets(std::string name, std::vector<mock::Send> sends) {
        return [this, name = std::move(name),
                sends = std::move(sends)](mock::Api& api) -> mock::Script {
            for (const mock::Send& send : sends) {
                co_await api.send_request(send);
            }
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                note(name,
                     describe(delivery) + " at " + std::to_string(now() / kMillisecond) + " ms");
            }
        };
    }
    std::vector<std::string> timer_prints(std::uint8_t level) {
        return world.prints_of(kTimer, level);
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, Timers, worker_counts(), worker_name);

TEST_P(Timers, CK137_ZeroIsAnsweredAtOnceAndFiftyMillisecondsExactlyThen) {
    begin("a", sets("a", {timer(0, "zero"), timer(50, "fifty")}));
    EXPECT_THAT(of("a"), ElementsAre("Response  from timer, context zero at 0 ms"));
    world.advance(50 * kMillisecond - kInstant);
    EXPECT_THAT(of("a"), SizeIs(1));
    world.advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("Response  from timer, context zero at 0 ms",
                                     "Response  from timer, context fifty at 50 ms"));
}

TEST_P(Timers, CK137_TenThousandTimersAtOneInstantAllFireInTheOrderTheyWereSet) {
    constexpr int kTimers = 10'000;
    std::vector<mock::Send> sends;
    for (int count = 0; count < kTimers; ++count) {
        sends.push_back(timer(50, std::to_string(count)));
    }
    begin("a", sets("a", std::move(sends)));
    world.advance(50 * kMillisecond);
    const std::vector<std::string> came = of("a");
    ASSERT_THAT(came, SizeIs(kTimers));
    for (int count = 0; count < kTimers; ++count) {
        ASSERT_EQ(came[static_cast<std::size_t>(count)],
                  "Response  from timer, context " + std::to_string(count) + " at 50 ms");
    }
}

TEST_P(Timers, TheAnswerHasNoBodyNoMetadataAndNoBlob) {
    begin("a", [this](mock::Api& api) -> mock::Script {
        const mock::Send set = with_metadata(timer(5), "mine");
        const mock::Delivery outcome = co_await api.send_and_await(set);
        const std::optional<mock::Blob> blob = co_await api.get_blob();
        note("a", outcome.response.body.empty() ? "no body" : "a body");
        note("a", outcome.response.metadata.value_or("no metadata"));
        note("a", blob ? "a blob" : "no blob");
    });
    world.advance(5 * kMillisecond);
    EXPECT_THAT(of("a"), ElementsAre("no body", "no metadata", "no blob"));
}

TEST_P(Timers, AnyDelayIsAcceptedAndTheLongestNeverFires) {
    mock::Send longest = timer(5);
    longest.request.body = R"({"SetTimer":18446744073709551615})";
    longest.request.expects_response = UINT64_MAX;
    begin("a", sets("a", {longest, timer(1)}));
    world.advance(std::chrono::hours(24 * 365));
    EXPECT_THAT(of("a"), ElementsAre("Response  from timer at 1 ms"));
}

TEST_P(Timers, ATimerRunsFromItsSendingAndShorterOnesOvertakeLongerOnes) {
    begin("a", sets("a", {timer(30, "long"), timer(10, "short"), timer(20, "middle")}));
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response  from timer, context short at 10 ms",
                                     "Response  from timer, context middle at 20 ms",
                                     "Response  from timer, context long at 30 ms"));
}

TEST_P(Timers, ARequestThatExpectsNothingIsHarmless) {
    begin("a", sets("a", {not_expecting(timer(10)), timer(20)}));
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response  from timer at 20 ms"));
}

TEST_P(Timers, AnInheritedTimerAnswersWhoeverAskedFirst) {
    begin("b", [](mock::Api& api) -> mock::Script {
        co_await api.receive();
        const mock::Send set = inheriting(not_expecting(timer(10)));
        co_await api.send_request(set);
        co_await api.receive();
    });
    begin("a", sets("a", {ask("b", "answer me later", 5, "mine")}));
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response  from timer, context mine at 10 ms"));
}

TEST_P(Timers, DebugPrintsHowManyWaitAndForWhom) {
    begin("a", sets("a", {timer(10), timer(20), not_expecting(ask_module(kTimer, "\"Debug\""))}));
    EXPECT_THAT(timer_prints(0),
                ElementsAre(AllOf(HasSubstr("2 timers wait"), HasSubstr("in 10 ms: n.os@a:test:os"),
                                  HasSubstr("in 20 ms: n.os@a:test:os"))));
    EXPECT_THAT(of("a"), IsEmpty());
}

TEST_P(Timers, OtherBodiesArePrintedAtLevelOneAndNotAnswered) {
    begin("a",
          sets("a", {ask_module(kTimer, "nonsense"), ask_module(kTimer, R"({"SetTimer":-1})")}));
    EXPECT_THAT(timer_prints(0), IsEmpty());
    EXPECT_THAT(timer_prints(1), SizeIs(2));
    world.advance(29 * kSecond);
    EXPECT_THAT(of("a"), IsEmpty());
}

TEST_P(Timers, EverybodyMayAskBecauseTheModuleIsPublic) {
    add("a", sets("a", {timer(1)}));
    run("a");
    world.advance(kMillisecond);
    EXPECT_THAT(of("a"), ElementsAre("Response  from timer at 1 ms"));
}

TEST_P(Timers, ATimerWhoseProcessIsGoneFiresIntoNothing) {
    begin("a", sets("a", {timer(10)}));
    EXPECT_TRUE(world.kill("a:test:os"));
    begin("a", sets("a", {timer(20)}));  // Its successor gets its own answer only.
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("Response  from timer at 20 ms"));
}

TEST_P(Timers, TimersDoNotOutliveTheNode) {
    begin(
        "a",
        [this](mock::Api& api) -> mock::Script {
            note("a", "started");
            if (of("a").size() == 1) {
                const mock::Send set = timer(10);
                co_await api.send_request(set);
            }
            const mock::Delivery delivery = co_await api.receive();
            note("a", describe(delivery));
        },
        guest(OnExit::restart()));
    world.crash_and_boot();
    world.advance(kSecond);
    EXPECT_THAT(of("a"), ElementsAre("started", "started"));
}

TEST_P(Timers, TheAnswerCarriesWhatTheAskerHadSeenAndNothingOfOthers) {
    world.journal().hold_syncs();
    const auto waits = [](std::string line, std::uint64_t delay_ms, bool saves) {
        return [line = std::move(line), delay_ms, saves](mock::Api& api) -> mock::Script {
            if (saves) {
                co_await save(api, "s");
            }
            const mock::Send set = timer(delay_ms);
            co_await api.send_and_await(set);
            co_await api.print(0, line);
        };
    };
    begin("a", waits("saved and waited", 10, true));
    begin("b", waits("only waited", 20, false));
    world.advance(kSecond);
    EXPECT_FALSE(is_durable(world.number_of("saved and waited")));
    EXPECT_TRUE(is_durable(world.number_of("only waited")));
}

class FewTimers : public Timers {
protected:
    FewTimers() : Timers(3) {}
};
INSTANTIATE_TEST_SUITE_P(Workers, FewTimers, worker_counts(), worker_name);

TEST_P(FewTimers, OneAboveTheBoundOfAProcessIsAnErrorAtOnceAndOthersHaveTheirOwnBound) {
    begin("a", sets("a", {timer(10), timer(20), timer(30), timer(40), timer(0)}));
    EXPECT_THAT(of("a"), ElementsAre("Response {\"Err\":\"TooManyTimers\"} from timer at 0 ms",
                                     "Response  from timer at 0 ms"));
    begin("b", sets("b", {timer(10)}));
    notes.clear();
    world.advance(30 * kMillisecond);
    EXPECT_THAT(of("a"), SizeIs(3));
    EXPECT_THAT(of("b"), SizeIs(1));
    EXPECT_TRUE(world.kill("a:test:os"));
    begin("a", sets("a", {timer(10), timer(10), timer(10)}));  // All places are free again.
    notes.clear();
    world.advance(10 * kMillisecond);
    EXPECT_THAT(of("a"),
                ElementsAre("Response  from timer at 40 ms", "Response  from timer at 40 ms",
                            "Response  from timer at 40 ms"));
}

}  // namespace
}  // namespace perdure::modules
