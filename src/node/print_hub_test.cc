#include "node/print_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace perdure::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ProcessId kGuest{"guest", "test", "os"};

/// What a line costs of the bounds.
std::uint64_t cost(std::string_view text) {
    return sizeof(LogLine) + to_string(kGuest).size() + text.size();
}

struct PrintHubTest : testing::Test {
    void open(PrintLimits limits) {
        hub = std::make_unique<PrintHub>(clock, limits, nullptr);
        hub->attach(gate);
    }
    void print(std::string text, std::uint64_t seen = 0) {
        hub->print({0, kGuest, std::move(text)}, SequenceNumber{seen});
    }
    std::vector<std::string> kept() {
        std::vector<std::string> texts;
        const auto subscription = hub->subscribe(
            {}, {[&](const LogLine& line) { texts.push_back(line.text); }, [](Result<void>) {}});
        return texts;
    }

    ManualClock clock;
    Gate gate;
    std::unique_ptr<PrintHub> hub;
};

TEST_F(PrintHubTest, APrintThatIsTooLongIsCutWithAMark) {
    open({.print_bytes_max = 10});
    print("0123456789");
    print("0123456789a");
    EXPECT_THAT(kept(), ElementsAre("0123456789", "0123456789 … 1 bytes cut (print_bytes_max)"));
}

TEST_F(PrintHubTest, WhatDoesNotFitInFrontOfTheGateIsDroppedAndCounted) {
    open({.queue_bytes_max = 2 * cost("line 1")});
    print("line 1", 1);
    print("line 2", 1);
    print("line 3", 1);
    print("line 4", 1);
    EXPECT_THAT(kept(), IsEmpty());
    gate.open(SequenceNumber{1});
    EXPECT_THAT(kept(), ElementsAre("line 1", "line 2"));
    print("line 5", 1);
    EXPECT_THAT(kept(), ElementsAre("line 1", "line 2",
                                    "2 prints were dropped (print_queue_bytes_max)", "line 5"));
}

TEST_F(PrintHubTest, ALineThatIsAByteTooLongForTheQueueIsDropped) {
    open({.queue_bytes_max = 2 * cost("line 1")});
    print("line 1", 1);
    print("line 2+", 1);
    print("line 3", 1);
    gate.open(SequenceNumber{1});
    EXPECT_THAT(kept(),
                ElementsAre("line 1", "1 prints were dropped (print_queue_bytes_max)", "line 3"));
}

TEST_F(PrintHubTest, TheOldestOfTheKeptLinesGoFirstAndTheNewestStaysHoweverLong) {
    open({.kept_bytes_max = 2 * cost("line 1")});
    print("line 1");
    print("line 2");
    EXPECT_THAT(kept(), ElementsAre("line 1", "line 2"));
    print("line 3");
    EXPECT_THAT(kept(), ElementsAre("line 2", "line 3"));
    print("line 4+");
    EXPECT_THAT(kept(), ElementsAre("line 4+")) << "with line 3 it is a byte too much";
    const std::string longer(3 * cost("line 1"), 'x');
    print(longer);
    EXPECT_THAT(kept(), ElementsAre(longer));
}

TEST_F(PrintHubTest, SoManySourcesAreRememberedAndOneMoreIsNot) {
    open({.kept_bytes_max = 1});
    const auto source = [](std::size_t index) {
        return ProcessId{"guest" + std::to_string(index), "test", "os"};
    };
    for (std::size_t index = 0; index <= kPrintSourcesMax; ++index) {
        hub->print({0, source(index), ""}, {});
    }
    EXPECT_TRUE(hub->has_printed(to_string(source(kPrintSourcesMax - 1))));
    EXPECT_FALSE(hub->has_printed(to_string(source(kPrintSourcesMax))));
}

}  // namespace
}  // namespace perdure::node
