#include "base/sequence.h"

#include <gtest/gtest.h>

#include <string>

namespace perdure {
namespace {

TEST(Causality, NeverForgetsAHigherNumber) {
    Causality process(SequenceNumber{5});
    process.learn(SequenceNumber{3});
    EXPECT_EQ(process.seen(), SequenceNumber{5});
    process.learn(SequenceNumber{9});
    EXPECT_EQ(process.seen(), SequenceNumber{9});
}

TEST(Seen, TellingAValueRaisesWhatTheLearnerHasSeen) {
    Causality process;
    std::string value = Seen<std::string>("stored", SequenceNumber{7}).tell(process);
    EXPECT_EQ(value, "stored");
    EXPECT_EQ(process.seen(), SequenceNumber{7});
}

TEST(Seen, WhatIsDerivedDependsOnTheSameEntry) {
    auto size = Seen<std::string>("stored", SequenceNumber{7}).map([](std::string text) {
        return text.size();
    });
    EXPECT_EQ(size.number(), SequenceNumber{7});
    Causality process;
    EXPECT_EQ(std::move(size).tell(process), 6u);
}

}  // namespace
}  // namespace perdure
