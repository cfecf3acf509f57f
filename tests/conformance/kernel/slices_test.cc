/// How long guests run before others do, counted in ticks of the virtual clock (engine
/// specification).

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

struct Slice {
    std::string process;
    Nanoseconds start;
    Nanoseconds end;
    bool operator==(const Slice&) const = default;
};

void PrintTo(const Slice& slice, std::ostream* out) {
    *out << slice.process << " from " << slice.start.count() << " ns to " << slice.end.count()
         << " ns";
}

/// Real guests on one worker, whose looks at the clock are what lets time pass.
class ComponentSlices : public ScriptedComponents {
protected:
    static constexpr Nanoseconds kLook = std::chrono::microseconds(10);
    /// Looks that lie between a tick and the end of the slice it ends: that of the guest which saw
    /// it come, the worker's at the tick and the worker's after the slice.
    static constexpr Nanoseconds kSlack = 3 * kLook;

    static Nanoseconds tick_after(Nanoseconds time) {
        return (time / kMillisecond + 1) * kMillisecond;
    }
    /// What runs until `by` has passed, one slice for each step of the worker.
    std::vector<Slice> run(Nanoseconds by, const std::vector<std::string>& names) {
        std::vector<Slice> slices;
        world.let_looks_take(kLook);
        for (const Nanoseconds end = now() + by; now() < end;) {
            std::map<std::string, std::uint64_t> used;
            for (const std::string& name : names) {
                used[name] = world.status(id_of(name))->cpu_ns;
            }
            const Nanoseconds start = now() + kLook;  // As the worker sees it.
            world.step(1);
            for (const std::string& name : names) {
                if (world.status(id_of(name))->cpu_ns != used[name]) {
                    slices.push_back({name, start, now()});
                }
            }
        }
        world.let_looks_take(Nanoseconds(0));
        return slices;
    }
    static std::vector<Slice> of_one(const std::vector<Slice>& all, std::string_view name) {
        std::vector<Slice> slices;
        std::copy_if(all.begin(), all.end(), std::back_inserter(slices),
                     [&](const Slice& slice) { return slice.process == name; });
        return slices;
    }
};

TEST_F(ComponentSlices, E9_ASliceEndsAtTheFirstTickAtWhichAMillisecondIsUsedUp) {
    start({"a", "b"});
    post("a", "spin 1000000");
    post("b", "spin 1000000");
    run(4 * kMillisecond, {"a", "b"});
    std::string last;
    Nanoseconds shortest = kSecond;
    Nanoseconds longest{0};
    for (int turn = 0; turn < 40; ++turn) {
        // Slices that begin at every part of a tick.
        world.clock().advance(std::chrono::microseconds(130 * (turn % 8)));
        const std::vector<Slice> slices = run(kLook, {"a", "b"});
        ASSERT_EQ(slices.size(), 1U);
        const Slice& slice = slices[0];
        EXPECT_NE(slice.process, last) << "they take turns";
        last = slice.process;
        const Nanoseconds due = tick_after(slice.start + kMillisecond - Nanoseconds(1));
        EXPECT_GE(slice.end, due) << ::testing::PrintToString(slice);
        EXPECT_LE(slice.end, due + kSlack) << ::testing::PrintToString(slice);
        shortest = std::min(shortest, slice.end - slice.start);
        longest = std::max(longest, slice.end - slice.start);
    }
    EXPECT_GE(shortest, kMillisecond);
    EXPECT_LE(longest, 2 * kMillisecond + kSlack);
    EXPECT_LT(shortest, kMillisecond + 200 * kMillisecond / 1000) << "not all slices alike";
    EXPECT_GT(longest, 2 * kMillisecond - 200 * kMillisecond / 1000);
}

TEST_F(ComponentSlices, E9_AloneAGuestKeepsTheWorkerAndAWakingOneGetsItAtTheNextTick) {
    start({"a", "b"});
    tell("b", "sleep 7\nnote awake");
    post("a", "spin 20");
    const Nanoseconds wake = now() + 7 * kMillisecond;
    const std::vector<Slice> slices = run(12 * kMillisecond, {"a", "b"});
    EXPECT_THAT(of("b"), ElementsAre("2 note awake", "2 done"));
    const std::vector<Slice> woken = of_one(slices, "b");
    ASSERT_FALSE(woken.empty());
    EXPECT_GE(woken[0].start, wake);
    EXPECT_LE(woken[0].start, tick_after(wake) + 2 * kSlack);
    const std::vector<Slice> computing = of_one(slices, "a");
    ASSERT_GE(computing.size(), 1U);
    EXPECT_GT(computing[0].end - computing[0].start, 6 * kMillisecond) << "nobody else was ready";
}

TEST_F(ComponentSlices, E9_ABatchProcessGivesWayToInteractiveOnesBeforeItsSliceIsUsedUp) {
    start({"a", "left", "right"});
    post("a", "spin 1000000");
    // Two that are woken again and again, and never come to the end of a slice.
    post("left", "repeat 0\nsend {right} body=ball\nreceive\nend");
    post("right", "repeat 0\nreceive\nsend {left} body=ball\nend");
    run(5 * kMillisecond, {"a", "left", "right"});
    const std::vector<Slice> slices = run(100 * kMillisecond, {"a", "left", "right"});
    EXPECT_GT(of_one(slices, "left").size(), 100U);
    EXPECT_GT(of_one(slices, "right").size(), 100U);
    std::size_t turns = 0;
    Nanoseconds others{0};  // Worked since the last turn of `a`.
    for (const Slice& slice : slices) {
        if (slice.process != "a") {
            others += slice.end - slice.start;
            EXPECT_LE(others, 4 * kMillisecond + kSlack) << "they get no more before the next turn";
            continue;
        }
        EXPECT_LE(slice.end, tick_after(slice.start) + kSlack) << ::testing::PrintToString(slice);
        others = Nanoseconds(0);
        ++turns;
    }
    EXPECT_GE(turns, 10U);
}

TEST(ComponentSlicesAgain, E9_TheSameTicksGiveTheSameSlices) {
    class Run : public ComponentSlices {
    public:
        std::vector<Slice> slices() {
            start({"a", "b", "c"});
            post("a", "spin 1000000");
            post("b", "repeat 0\nsend {c} body=ball\nreceive\nend");
            post("c", "repeat 0\nreceive\nsend {b} body=ball\nend");
            return run(50 * kMillisecond, {"a", "b", "c"});
        }
        void TestBody() override {}
    };
    const std::vector<Slice> first = Run().slices();
    EXPECT_GT(first.size(), 100U);
    EXPECT_EQ(first, Run().slices());
}

}  // namespace
}  // namespace perdure::conformance
