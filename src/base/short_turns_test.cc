#include "base/short_turns.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>

namespace perdure {
namespace {

int nice_of_this_thread() {
    return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
}

TEST(ShortTurns, ChangeNeitherPolicyNorNiceness) {
    std::thread([] {
        const int nice = nice_of_this_thread();
        ask_for_short_turns();
        EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
        EXPECT_EQ(nice_of_this_thread(), nice);
    }).join();
}

TEST(ShortTurns, AThreadThatRunsInTheBackgroundOnPurposeStaysThere) {
    std::thread([] {
        const sched_param none{};
        ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
        ask_for_short_turns();
        EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
    }).join();
}

}  // namespace
}  // namespace perdure
