#include "kernel/ready_queues.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <random>
#include <vector>

namespace perdure::kernel {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Phase = ReadyNode::Phase;

MonotonicTime at_us(std::int64_t count) {
    return MonotonicTime(microseconds(count));
}

/// Queues of a worker that are emptied at the end, and processes by number.
class ReadyQueuesTest : public testing::Test {
protected:
    ~ReadyQueuesTest() override {
        for (ReadyNode& node : nodes) {
            queues.remove(node, at_us(0));
        }
    }

    /// Makes processes batch, in this order, while nothing else is ready.
    void make_batch(std::initializer_list<int> indexes) {
        for (const int index : indexes) {
            queues.wake(nodes[index]);
        }
        for (const int index : indexes) {
            ASSERT_EQ(queues.take(at_us(0)), &nodes[index]);
            queues.yielded(nodes[index], at_us(0));
        }
    }

    /// Runs the next process, which must be `index`, until it waits.
    void run_until_blocked(int index, std::int64_t from_us, std::int64_t to_us) {
        ASSERT_EQ(queues.take(at_us(from_us)), &nodes[index]);
        queues.blocked(nodes[index], at_us(to_us));
    }

    ReadyQueues queues;
    std::array<ReadyNode, 10> nodes;
};

TEST_F(ReadyQueuesTest, NothingReadyMeansNothingToTake) {
    EXPECT_TRUE(queues.empty());
    EXPECT_EQ(queues.take(at_us(0)), nullptr);
    EXPECT_EQ(queues.running(), nullptr);
}

TEST_F(ReadyQueuesTest, WokenProcessesRunInOrderOfWaking) {
    for (const int index : {3, 1, 2, 1}) {  // The second wake of 1 changes nothing.
        queues.wake(nodes[index]);
    }
    EXPECT_EQ(queues.interactive_count(), 3u);
    for (const int index : {3, 1, 2}) {
        run_until_blocked(index, 0, 1);
    }
    EXPECT_TRUE(queues.empty());
}

TEST_F(ReadyQueuesTest, ProcessJustSentToRunsNextIfNothingElseInteractiveIsReady) {
    make_batch({5, 6});
    queues.wake(nodes[0]);
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.wake(nodes[1]);  // 0 sends to 1 and then waits.
    queues.blocked(nodes[0], at_us(10));
    run_until_blocked(1, 10, 20);
    EXPECT_EQ(queues.take(at_us(20)), &nodes[5]);
}

TEST_F(ReadyQueuesTest, ProcessJustSentToDoesNotOvertakeThoseWokenEarlier) {
    queues.wake(nodes[0]);
    queues.wake(nodes[2]);
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.wake(nodes[1]);
    queues.blocked(nodes[0], at_us(10));
    run_until_blocked(2, 10, 20);
    run_until_blocked(1, 20, 30);
}

TEST_F(ReadyQueuesTest, AloneAProcessComputesOnWithoutEnd) {
    queues.wake(nodes[0]);
    ASSERT_EQ(queues.take(at_us(500)), &nodes[0]);
    for (std::int64_t tick = 1; tick <= 100; ++tick) {
        EXPECT_EQ(queues.on_tick(at_us(tick * 1000)), TickDecision::Continue);
    }
}

TEST_F(ReadyQueuesTest, SliceEndsAtTheFirstTickAtWhichAMillisecondIsUsedUp) {
    queues.wake(nodes[0]);
    queues.wake(nodes[1]);
    ASSERT_EQ(queues.take(at_us(1)), &nodes[0]);
    EXPECT_EQ(queues.on_tick(at_us(1000)), TickDecision::Continue);
    EXPECT_EQ(queues.on_tick(at_us(2000)), TickDecision::Yield);
    queues.yielded(nodes[0], at_us(2000));
    EXPECT_EQ(nodes[0].phase(), Phase::Batch);
    ASSERT_EQ(queues.take(at_us(2000)), &nodes[1]);
    EXPECT_EQ(queues.on_tick(at_us(3000)), TickDecision::Yield);
    queues.yielded(nodes[1], at_us(3000));
}

TEST_F(ReadyQueuesTest, BatchProcessYieldsAtTheNextTickToAnInteractiveOne) {
    make_batch({0});
    ASSERT_EQ(queues.take(at_us(900)), &nodes[0]);
    queues.wake(nodes[1]);
    EXPECT_EQ(queues.on_tick(at_us(1000)), TickDecision::Yield);
    queues.yielded(nodes[0], at_us(1000));
    EXPECT_EQ(queues.take(at_us(1000)), &nodes[1]);
}

TEST_F(ReadyQueuesTest, ProcessThatComputedOnAloneYieldsAtTheNextTickToo) {
    queues.wake(nodes[0]);
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    EXPECT_EQ(queues.on_tick(at_us(1000)), TickDecision::Continue);
    queues.wake(nodes[1]);
    EXPECT_EQ(queues.on_tick(at_us(2000)), TickDecision::Yield);
}

TEST_F(ReadyQueuesTest, BatchProcessesTakeTurns) {
    make_batch({0, 1, 2});
    std::int64_t now = 0;
    for (int round = 0; round < 9; ++round) {
        ASSERT_EQ(queues.take(at_us(now)), &nodes[round % 3]);
        now += 1000;
        EXPECT_EQ(queues.on_tick(at_us(now)), TickDecision::Yield);
        queues.yielded(nodes[round % 3], at_us(now));
    }
}

TEST_F(ReadyQueuesTest, ABatchProcessThatGaveWayGoesBehindTheOthers) {
    make_batch({0, 1});
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.wake(nodes[2]);
    ASSERT_EQ(queues.on_tick(at_us(10)), TickDecision::Yield);
    queues.yielded(nodes[0], at_us(10));
    run_until_blocked(2, 10, 20);
    EXPECT_EQ(queues.take(at_us(20)), &nodes[1]);
}

TEST_F(ReadyQueuesTest, BatchProcessIsInteractiveAgainOnlyAfterItWaitedAndWasWoken) {
    make_batch({0, 1});
    queues.wake(nodes[1]);  // It has not waited.
    EXPECT_EQ(nodes[1].phase(), Phase::Batch);
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.blocked(nodes[0], at_us(10));
    EXPECT_EQ(nodes[0].phase(), Phase::Waiting);
    queues.wake(nodes[0]);
    EXPECT_EQ(nodes[0].phase(), Phase::Interactive);
    EXPECT_EQ(queues.take(at_us(20)), &nodes[0]);
}

TEST_F(ReadyQueuesTest, SliceEndedEarlyByBackPressureCountsAsUsedUp) {
    queues.wake(nodes[0]);
    queues.wake(nodes[1]);
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.yielded(nodes[0], at_us(5));
    EXPECT_EQ(nodes[0].phase(), Phase::Batch);
    EXPECT_EQ(queues.take(at_us(5)), &nodes[1]);
}

TEST_F(ReadyQueuesTest, WakeDuringARunThatEndsWaitingIsNotLost) {
    queues.wake(nodes[0]);
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.wake(nodes[0]);
    EXPECT_TRUE(queues.empty());
    queues.blocked(nodes[0], at_us(10));
    EXPECT_EQ(nodes[0].phase(), Phase::Interactive);
    run_until_blocked(0, 10, 20);  // Once: the wake is used.
    EXPECT_EQ(nodes[0].phase(), Phase::Waiting);
}

TEST_F(ReadyQueuesTest, WakeDuringARunThatYieldsMakesNobodyInteractive) {
    queues.wake(nodes[0]);
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.wake(nodes[0]);
    queues.yielded(nodes[0], at_us(2000));
    EXPECT_EQ(nodes[0].phase(), Phase::Batch);
    run_until_blocked(0, 2000, 2100);
    EXPECT_EQ(nodes[0].phase(), Phase::Waiting);
}

TEST_F(ReadyQueuesTest, BatchProcessRunsAfterFourMillisecondsOfInteractiveWork) {
    make_batch({9});
    for (int index = 0; index < 8; ++index) {
        queues.wake(nodes[index]);
    }
    for (int index = 0; index < 4; ++index) {
        run_until_blocked(index, index * 1000, index * 1000 + 999);
    }
    run_until_blocked(4, 4000, 4004);  // 3.996 ms were not enough, 4 ms are.
    EXPECT_EQ(queues.take(at_us(4004)), &nodes[9]);
    EXPECT_EQ(queues.on_tick(at_us(5000)), TickDecision::Yield);
    queues.yielded(nodes[9], at_us(5004));
    run_until_blocked(5, 5004, 5010);
}

TEST_F(ReadyQueuesTest, InteractiveWorkWhileNoBatchProcessWaitsDoesNotCount) {
    for (int index = 0; index < 6; ++index) {
        queues.wake(nodes[index]);
    }
    for (int index = 0; index < 4; ++index) {
        run_until_blocked(index, index * 2000, index * 2000 + 1900);
    }
    ASSERT_EQ(queues.take(at_us(8000)), &nodes[4]);
    queues.yielded(nodes[4], at_us(10'000));
    EXPECT_EQ(queues.take(at_us(10'000)), &nodes[5]);
}

/// Two batch processes and four interactive ones, of which two have done the share by 4 ms.
class BatchTurnTest : public ReadyQueuesTest {
protected:
    void SetUp() override {
        make_batch({8, 9});
        for (int index = 0; index < 4; ++index) {
            queues.wake(nodes[index]);
        }
        for (int index = 0; index < 2; ++index) {
            run_until_blocked(index, index * 2000, index * 2000 + 2000);
        }
    }

    void run_in_turn(int index, std::int64_t from_us, std::int64_t to_us) {
        ASSERT_EQ(queues.take(at_us(from_us)), &nodes[index]);
        queues.yielded(nodes[index], at_us(to_us));
    }
};

TEST_F(BatchTurnTest, ShortRunsFollowOneAnotherUntilASliceIsUsedUp) {
    run_in_turn(8, 4000, 4400);
    run_in_turn(9, 4400, 4800);
    run_in_turn(8, 4800, 5000);
    EXPECT_EQ(queues.take(at_us(5000)), &nodes[2]);
}

TEST_F(BatchTurnTest, EndsAtATickThatNoGuestSaw) {
    run_in_turn(8, 4000, 4100);
    queues.ticked();
    EXPECT_EQ(queues.take(at_us(4100)), &nodes[2]);
}

TEST_F(ReadyQueuesTest, ATurnBeginsAtTheLastTickBeforeTheShareIsDone) {
    make_batch({8});
    for (int index = 0; index < 5; ++index) {
        queues.wake(nodes[index]);
    }
    run_until_blocked(0, 0, 1500);
    run_until_blocked(1, 1500, 2999);
    queues.ticked();
    run_until_blocked(2, 2999, 3000);  // Too early for a turn.
    queues.ticked();
    EXPECT_EQ(queues.take(at_us(3000)), &nodes[8]);
}

TEST_F(BatchTurnTest, EndsAtTheFirstTick) {
    ASSERT_EQ(queues.take(at_us(4000)), &nodes[8]);
    EXPECT_EQ(queues.on_tick(at_us(4100)), TickDecision::Yield);
    queues.yielded(nodes[8], at_us(4100));
    EXPECT_EQ(queues.take(at_us(4100)), &nodes[2]);
}

TEST_F(BatchTurnTest, EndsAlthoughItsRunsTakeNoTimeByTheClock) {
    for (int run = 0; run < 500; ++run) {
        run_in_turn(8, 4000, 4000);
        run_in_turn(9, 4000, 4000);
    }
    EXPECT_EQ(queues.take(at_us(4000)), &nodes[2]);
}

TEST_F(BatchTurnTest, IsOverWhenNoBatchProcessIsLeft) {
    run_until_blocked(8, 4000, 4100);
    run_until_blocked(9, 4100, 4200);
    ASSERT_EQ(queues.take(at_us(4200)), &nodes[2]);
    queues.yielded(nodes[2], at_us(4200));
    EXPECT_EQ(queues.take(at_us(4200)), &nodes[3]);
}

TEST_F(ReadyQueuesTest, RemovedProcessesAreNeverTaken) {
    make_batch({0, 1});
    queues.wake(nodes[2]);
    queues.wake(nodes[3]);
    queues.remove(nodes[0], at_us(0));
    queues.remove(nodes[2], at_us(0));
    queues.remove(nodes[4], at_us(0));
    ASSERT_EQ(queues.take(at_us(0)), &nodes[3]);
    queues.wake(nodes[3]);
    queues.remove(nodes[3], at_us(10));
    EXPECT_EQ(nodes[3].phase(), Phase::Waiting);
    run_until_blocked(1, 10, 20);
    EXPECT_TRUE(queues.empty());
}

TEST_F(ReadyQueuesTest, RunThatEndsWithItsProcessCountsAsInteractiveWork) {
    make_batch({9});
    for (int index = 0; index < 4; ++index) {
        queues.wake(nodes[index]);
    }
    for (int index = 0; index < 3; ++index) {
        ASSERT_EQ(queues.take(at_us(index * 1500)), &nodes[index]);
        queues.remove(nodes[index], at_us((index + 1) * 1500));
    }
    EXPECT_EQ(queues.take(at_us(4500)), &nodes[9]);
}

TEST_F(ReadyQueuesTest, AnInterruptedProcessGoesOnFirstWithTheRestOfItsSlice) {
    make_batch({9});
    for (const int index : {0, 1}) {
        queues.wake(nodes[index]);
    }
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.interrupted(nodes[0], at_us(600));
    EXPECT_EQ(nodes[0].phase(), Phase::Interactive);
    ASSERT_EQ(queues.take(at_us(600)), &nodes[0]);
    EXPECT_EQ(queues.on_tick(at_us(999)), TickDecision::Continue);
    EXPECT_EQ(queues.on_tick(at_us(1000)), TickDecision::Yield);
    queues.interrupted(nodes[0], at_us(1000));
    EXPECT_EQ(nodes[0].phase(), Phase::Batch) << "its slice is used up";
    run_until_blocked(1, 1000, 1001);
    run_until_blocked(9, 1001, 1002);
    ASSERT_EQ(queues.take(at_us(1002)), &nodes[0]);
    queues.interrupted(nodes[0], at_us(1003));
    EXPECT_EQ(nodes[0].phase(), Phase::Batch) << "it was batch before";
}

TEST_F(ReadyQueuesTest, AfterItHasWaitedAnInterruptedProcessHasAWholeSlice) {
    make_batch({9});
    queues.wake(nodes[0]);
    ASSERT_EQ(queues.take(at_us(0)), &nodes[0]);
    queues.interrupted(nodes[0], at_us(900));
    run_until_blocked(0, 900, 950);
    queues.wake(nodes[0]);
    ASSERT_EQ(queues.take(at_us(1000)), &nodes[0]);
    EXPECT_EQ(queues.on_tick(at_us(1999)), TickDecision::Continue);
    EXPECT_EQ(queues.on_tick(at_us(2000)), TickDecision::Yield);
    queues.yielded(nodes[0], at_us(2000));
}

TEST(ReadyQueuesDeathTest, EndingARunThatIsNotUnderWayEndsTheProgram) {
    ReadyQueues queues;
    ReadyNode node;
    EXPECT_DEATH(queues.blocked(node, at_us(0)), "running_");
}

TEST(ReadyQueuesDeathTest, DestroyingAReadyProcessEndsTheProgram) {
    const auto destroy = [] {
        ReadyQueues queues;
        ReadyNode node;
        queues.wake(node);
    };
    EXPECT_DEATH(destroy(), "Waiting");
}

/// A worker on virtual time, ticks every millisecond. A process runs until it has done its work,
/// then waits for its next wake; one with work without end computes for ever. Checks what K-260
/// promises while it goes.
class SimulatedWorker {
public:
    static constexpr std::int64_t kForEver = std::int64_t{1} << 40;
    static constexpr std::int64_t kTick = 1000;

    struct Process {
        ReadyNode node;
        std::int64_t work_us = 0;      // Left until it waits.
        std::int64_t ready_since = 0;  // Last became ready.
        std::int64_t done_us = 0;      // Work done in all.
        std::int64_t runs = 0;
        std::int64_t wait_us_max = 0;  // Longest time between ready and running.
        bool was_batch = false;
    };

    ~SimulatedWorker() {
        for (auto& process : processes_) {
            queues_.remove(process->node, at_us(now_));
        }
    }

    Process& add() { return *processes_.emplace_back(std::make_unique<Process>()); }

    void wake_at(std::int64_t time, Process& process, std::int64_t work_us) {
        wakes_.push_back({time, &process, work_us});
        std::push_heap(wakes_.begin(), wakes_.end());
    }

    /// Called when a process waits again.
    std::function<void(Process&)> on_blocked = [](Process&) {};

    std::int64_t now() const { return now_; }

    void run_until(std::int64_t end) {
        while (now_ < end) {
            wake_due();
            if (now_ / kTick != ticks_) {
                ticks_ = now_ / kTick;
                queues_.ticked();
            }
            if (ReadyNode* node = queues_.take(at_us(now_))) {
                run(find(*node), end);
            } else {
                now_ = wakes_.empty() ? end : std::min(end, wakes_.front().time);
            }
        }
    }

private:
    struct Wake {
        std::int64_t time;
        Process* process;
        std::int64_t work_us;
        bool operator<(const Wake& other) const { return time > other.time; }
    };

    Process& find(ReadyNode& node) {
        for (auto& process : processes_) {
            if (&process->node == &node) {
                return *process;
            }
        }
        std::abort();
    }

    void wake_due() {
        while (!wakes_.empty() && wakes_.front().time <= now_) {
            const Wake wake = wakes_.front();
            std::pop_heap(wakes_.begin(), wakes_.end());
            wakes_.pop_back();
            if (wake.process->node.phase() == Phase::Waiting) {
                wake.process->work_us = wake.work_us;
                wake.process->ready_since = now_;
                wake.process->was_batch = false;
                order_.push_back(wake.process);
            }
            queues_.wake(wake.process->node);
        }
    }

    void begin(Process& process) {
        process.wait_us_max = std::max(process.wait_us_max, now_ - process.ready_since);
        ++process.runs;
        if (!process.was_batch) {
            ASSERT_EQ(order_.front(), &process);  // In order of waking.
            order_.pop_front();
        }
    }

    void run(Process& process, std::int64_t end) {
        begin(process);
        const std::int64_t started = now_;
        while (true) {
            std::int64_t next = std::min(now_ + process.work_us, (now_ / kTick + 1) * kTick);
            if (!wakes_.empty()) {
                next = std::min(next, wakes_.front().time);
            }
            process.work_us -= next - now_;
            process.done_us += next - now_;
            now_ = next;
            wake_due();
            if (process.work_us == 0) {
                queues_.blocked(process.node, at_us(now_));
                on_blocked(process);
                return;
            }
            const bool others = !queues_.empty();
            if (now_ % kTick == 0 && queues_.on_tick(at_us(now_)) == TickDecision::Yield) {
                ASSERT_TRUE(others);
                break;
            }
            if (now_ % kTick == 0 && others) {
                ASSERT_LT(now_ - started, kTick);  // So a slice ends within two ticks.
            }
            if (now_ >= end) {
                break;
            }
        }
        process.was_batch = true;
        process.ready_since = now_;
        queues_.yielded(process.node, at_us(now_));
    }

    std::int64_t now_ = 0;
    std::int64_t ticks_ = 0;
    ReadyQueues queues_;
    std::vector<std::unique_ptr<Process>> processes_;
    std::vector<Wake> wakes_;
    std::deque<Process*> order_;
};

constexpr std::int64_t kSecond = 1'000'000;
constexpr int kInteractive = 40;

/// C-K-156, deterministic form: a ping-pong pair beside computing processes.
TEST(ReadyQueues, WokenProcessRunsAtTheComputingOnesNextTickAtTheLatest) {
    for (const int computing : {1, 2, 5}) {
        SimulatedWorker worker;
        for (int index = 0; index < computing; ++index) {
            worker.wake_at(0, worker.add(), SimulatedWorker::kForEver);
        }
        auto& ping = worker.add();
        auto& pong = worker.add();
        // The other end is elsewhere for a time that falls on every place between two ticks.
        std::int64_t away = 1;
        worker.on_blocked = [&](SimulatedWorker::Process& process) {
            away = away * 7 % 9973;
            worker.wake_at(worker.now() + (&process == &ping ? 0 : away),
                           &process == &ping ? pong : ping, 30);
        };
        worker.wake_at(10'000, ping, 30);
        worker.run_until(5 * kSecond);
        EXPECT_GT(ping.runs, 500);
        EXPECT_LE(ping.wait_us_max, 1000);
        EXPECT_LE(pong.wait_us_max, 1000);
    }
}

/// C-K-156: with interactive ones ready all the time. Those whose work is longer than a slice go to
/// and from batch and so count among the b.
TEST(ReadyQueues, EachOfSeveralComputingProcessesRunsWithinSixMillisecondsTimesTheirNumber) {
    for (const int computing : {1, 2, 3, 8}) {
        for (const std::int64_t burst : {37, 330, 500, 990, 999, 1000, 1001, 1700, 1999}) {
            SCOPED_TRACE(testing::Message() << computing << " computing, bursts of " << burst);
            SimulatedWorker worker;
            std::vector<SimulatedWorker::Process*> batch;
            for (int index = 0; index < computing; ++index) {
                batch.push_back(&worker.add());
                worker.wake_at(0, *batch.back(), SimulatedWorker::kForEver);
            }
            worker.run_until(100'000);
            worker.on_blocked = [&](SimulatedWorker::Process& process) {
                worker.wake_at(worker.now(), process, burst);
            };
            const std::int64_t batch_count = computing + (burst > 1000 ? kInteractive : 0);
            for (int index = 0; index < kInteractive; ++index) {
                worker.wake_at(100'000 + index, worker.add(), burst);
            }
            worker.run_until(2 * kSecond);
            for (const auto* process : batch) {
                EXPECT_LE(process->wait_us_max, batch_count * 6000);
            }
        }
    }
}

/// Though a batch run that gives way at a tick is mostly shorter than a slice.
TEST(ReadyQueues, ComputingProcessesGetAboutAFifthBesideInteractiveOnesThatAreAlwaysReady) {
    for (const std::int64_t burst : {1, 7, 30, 110, 250, 1000}) {
        SimulatedWorker worker;
        auto& batch = worker.add();
        worker.wake_at(0, batch, SimulatedWorker::kForEver);
        worker.run_until(10'000);
        worker.on_blocked = [&](SimulatedWorker::Process& process) {
            worker.wake_at(worker.now(), process, burst);
        };
        worker.wake_at(10'000, worker.add(), burst);
        worker.wake_at(10'000, worker.add(), burst);
        worker.run_until(10'000 + kSecond);
        EXPECT_GE(batch.done_us - 10'000, kSecond * 15 / 100) << burst;
        EXPECT_LE(batch.done_us - 10'000, kSecond * 35 / 100) << burst;
    }
}

TEST(ReadyQueues, RandomWakesStarveNobody) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        const auto draw = [&](std::int64_t below) {
            return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(below));
        };
        SimulatedWorker worker;
        std::vector<SimulatedWorker::Process*> computing;
        const std::int64_t computing_count = 1 + draw(6);
        for (std::int64_t index = 0; index < computing_count; ++index) {
            computing.push_back(&worker.add());
            worker.wake_at(draw(50'000), *computing.back(), SimulatedWorker::kForEver);
        }
        // Work is mostly short, sometimes longer than a slice; so processes go to and from batch.
        const auto some_work = [&] { return draw(10) == 0 ? 1 + draw(5000) : 1 + draw(400); };
        std::vector<SimulatedWorker::Process*> others;
        for (std::int64_t index = 0; index < 1 + draw(12); ++index) {
            others.push_back(&worker.add());
            worker.wake_at(draw(50'000), *others.back(), some_work());
        }
        const std::int64_t pause = 1 + draw(20'000);
        worker.on_blocked = [&](SimulatedWorker::Process& process) {
            worker.wake_at(worker.now() + draw(pause), process, some_work());
        };
        worker.run_until(3 * kSecond);
        const auto processes = static_cast<std::int64_t>(computing.size() + others.size());
        for (const auto* process : computing) {
            EXPECT_LE(process->wait_us_max, processes * 6000);
        }
        for (const auto* process : others) {
            EXPECT_GT(process->runs, 5);
            EXPECT_LE(process->wait_us_max, processes * 6000);
        }
    }
}

}  // namespace
}  // namespace perdure::kernel
