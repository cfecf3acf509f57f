/// What a boot makes of processes that were there before (kernel specification, 10).

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

class ComponentBoot : public OnWorkers {
protected:
    static Guest restarts(std::vector<Capability> capabilities = {}) {
        Guest guest;
        guest.on_exit = OnExit::restart();
        guest.capabilities = std::move(capabilities);
        return guest;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentBoot, worker_counts(), worker_name);

TEST_P(ComponentBoot, CK115_AProcessWithoutCodeIsKeptAndRunsWhenItIsBack) {
    const Capability held = capability("b", R"({"kind":"read"})");
    add("a", "script", restarts({held}));
    add("b", "script", restarts());
    connect();
    world.lose_code(id_of("a"));
    world.reboot();
    EXPECT_FALSE(exists("a"));
    EXPECT_TRUE(exists("b"));
    EXPECT_THAT(kernel_said(0), ElementsAre(HasSubstr("process a:test:os was not started")));
    EXPECT_TRUE(world.journal().stored(Family::Processes, id_of("a")).has_value());
    world.crash_and_boot();
    EXPECT_FALSE(exists("a"));
    EXPECT_TRUE(world.journal().stored(Family::Processes, id_of("a")).has_value());

    world.restore_code();
    world.reboot();
    ASSERT_TRUE(exists("a"));
    EXPECT_EQ(world.status(id_of("a"))->phase, kernel::LifePhase::Running);
    EXPECT_TRUE(holds("a", held));
    tell("b", "receive");
    tell("a", "caps\nsend {b} body=hello");
    EXPECT_THAT(of("a"), ElementsAre(AllOf(HasSubstr(R"(cap=b|{"kind":"read"})"),
                                           HasSubstr(R"(cap=b|"messaging")")),
                                     "2 done"));
    EXPECT_THAT(of("b"), ElementsAre("1 request source=a inherit=0 body=hello", "1 done"));
}

TEST_P(ComponentBoot, CK116_ProcessesThatMessageEachOtherFirstThingAtBootAreBothHeard) {
    const auto greets = [](const std::string& other) {
        return "send {" + other +
               "} expect=5 body=hello context=mine\nreceive\nrespond body=heard\nreceive";
    };
    prepare_boot("boot-a", greets("boot-b"), restarts());
    prepare_boot("boot-b", greets("boot-a"), restarts());
    connect();
    world.run(id_of("boot-a"));
    world.run(id_of("boot-b"));
    settle();
    for (std::size_t boots = 0; boots < 3; ++boots) {
        for (const auto& [name, other] :
             {std::pair("boot-a", "boot-b"), std::pair("boot-b", "boot-a")}) {
            std::vector<std::string> expected;
            for (std::size_t life = 0; life <= boots; ++life) {
                expected.push_back("2 request source=" + std::string(other) +
                                   " expects=5 inherit=0 body=hello");
                expected.push_back("4 response source=" + std::string(other) +
                                   " inherit=0 body=heard context=mine");
                expected.push_back("4 done");
            }
            EXPECT_EQ(said(name), expected) << boots << " boots";
            EXPECT_EQ(crashes(name), 0U);
        }
        if (boots == 0) {
            world.reboot();
        } else {
            world.crash_and_boot();
        }
    }
    EXPECT_THAT(kernel_said(0), IsEmpty()) << "no error";
}

}  // namespace
}  // namespace perdure::conformance
