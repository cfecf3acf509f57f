/// What the kernel remembers in order not to say the same again is bounded (K-83, K-242).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/script_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LogBounds : public Scenario {
protected:
    LogBounds() : Scenario(two_of_each()) {}
    static KernelLimits two_of_each() {
        KernelLimits limits;
        limits.mailbox.messages_max = 1;
        limits.denials_logged_max = 2;
        limits.refusal_targets_max = 2;
        return limits;
    }
    /// Sends one message to each of `targets` in turn; a mailbox takes one.
    void send_from(const std::string& name, const std::vector<std::string>& targets) {
        std::vector<mock::Send> sends;
        for (const std::string& target : targets) {
            sends.push_back(tell(target, "x"));
        }
        add(name, sends_then_listens(name, sends));
    }
    /// The processes of the lines about refused messages.
    std::vector<std::string> full() const {
        std::vector<std::string> names;
        for (const std::string& line : world.log_lines()) {
            const std::string key = "mailbox_refused_messages process=";
            if (const auto at = line.find(key); at != std::string::npos) {
                names.push_back(line.substr(at + key.size(), 1));
            }
        }
        return names;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, LogBounds, worker_counts(), worker_name);

TEST_P(LogBounds, PairsUpToTheLimitAreLoggedAndLaterOnesOnlyCounted) {
    send_from("a", {"one", "two", "two", "three", "one"});
    run("a");
    EXPECT_EQ(world.kernel().counters().denied.load(), 5U);
    EXPECT_THAT(world.prints(0),
                ElementsAre(HasSubstr("n.os@one:test:os"), HasSubstr("n.os@two:test:os")));
}

TEST_P(LogBounds, AFullMailboxIsLoggedOnceAMinuteWhileItsTargetIsRemembered) {
    for (const char* name : {"b", "c"}) {
        add(name, deaf);
    }
    send_from("a", {"b", "b", "c", "c", "b", "c", "b", "c"});
    go();
    EXPECT_THAT(full(), ElementsAre("b", "c")) << "two are remembered";
    EXPECT_EQ(world.kernel().counters().refused.load(), 6U);
}

TEST_P(LogBounds, ATargetAboveTheLimitMakesTheOthersForgotten) {
    for (const char* name : {"b", "c", "d"}) {
        add(name, deaf);
    }
    send_from("a", {"b", "b", "c", "c", "d", "d", "d", "b"});
    go();
    EXPECT_THAT(full(), ElementsAre("b", "c", "d", "b"));
}

}  // namespace
}  // namespace perdure::kernel
