/// The timer module and real components (kernel specification, 10).

#include "modules/timer/timer_module.h"
#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentTimers : public OnWorkers {
protected:
    ComponentTimers() : OnWorkers(with_timer()) {}
    static KernelWorld::Options with_timer() {
        KernelWorld::Options options;
        options.make_modules = [](KernelWorld& world) {
            std::vector<std::unique_ptr<kernel::RuntimeModule>> made;
            made.push_back(std::make_unique<modules::TimerModule>(world.kernel(), world.clock()));
            return made;
        };
        return options;
    }
    static std::string set(int delay_ms, const std::string& context) {
        return "send n.os@timer:distro:sys expect=1 body={\"SetTimer\":" +
               std::to_string(delay_ms) + "} context=" + context + "\n";
    }
    static std::string fired(const std::string& context) {
        return "response source=timer:distro:sys inherit=0 body= context=" + context;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentTimers, worker_counts(), worker_name);

TEST_P(ComponentTimers, CK137_ZeroIsAnsweredAtOnceAndFiftyMillisecondsExactlyThen) {
    add("a");
    tell("a", set(50, "fifty") + set(0, "zero") + "receive\nget-blob\nreceive\nget-blob");
    EXPECT_THAT(of("a"), ElementsAre("3 " + fired("zero"), "4 get-blob none"));
    EXPECT_EQ(now(), Nanoseconds(0));
    advance(50 * kMillisecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    EXPECT_THAT(of("a"), ElementsAre("5 " + fired("fifty"), "6 get-blob none", "6 done"));
}

TEST_P(ComponentTimers, CK137_TenThousandTimersAtOneInstantAllFireInTheOrderTheyWereSet) {
    constexpr std::size_t kTimers = 10'000;
    add("a");
    tell("a", "repeat 10000\n" + set(50, "%i") + "end\nreceive 10000");
    advance(50 * kMillisecond - kInstant);
    EXPECT_THAT(of("a"), IsEmpty());
    advance(kInstant);
    const std::vector<std::string> came = of("a");
    ASSERT_EQ(came.size(), kTimers + 1);
    for (std::size_t index = 0; index < kTimers; ++index) {
        ASSERT_EQ(came[index], "4 " + fired(std::to_string(index + 1)));
    }
    EXPECT_EQ(came.back(), "4 done");
}

}  // namespace
}  // namespace perdure::conformance
