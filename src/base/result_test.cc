#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace perdure {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) {
        return Error(ErrorCode::InvalidInput, "odd number");
    }
    return number / 2;
}

Result<int> quarter(int number) {
    ASSIGN_OR_RETURN(const int first, half(number));
    ASSIGN_OR_RETURN(const int second, half(first).with_context("second halving"));
    return second;
}

Result<void> must_be_even(int number) {
    RETURN_IF_ERROR(half(number));
    return {};
}

TEST(Result, CarriesAValueOrAnError) {
    EXPECT_EQ(half(4).value(), 2);
    EXPECT_EQ(half(3).error().code(), ErrorCode::InvalidInput);
    EXPECT_EQ(half(3).error().message(), "odd number");
}

TEST(Result, MacrosReturnTheFirstErrorWithItsContext) {
    EXPECT_EQ(quarter(8).value(), 2);
    EXPECT_EQ(quarter(3).error().message(), "odd number");
    EXPECT_EQ(quarter(6).error().message(), "second halving: odd number");
    EXPECT_TRUE(must_be_even(2).has_value());
    EXPECT_FALSE(must_be_even(1).has_value());
}

TEST(Result, TheOutermostContextReadsFirst) {
    auto result = half(1).with_context("inner").with_context("outer");
    EXPECT_EQ(result.error().message(), "outer: inner: odd number");
}

TEST(Result, MovesValuesThatCannotBeCopied) {
    Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
    std::unique_ptr<int> taken = std::move(result).value();
    EXPECT_EQ(*taken, 7);
}

TEST(Result, AndThenStopsAtTheFirstError) {
    EXPECT_EQ(half(8).and_then(half).value(), 2);
    EXPECT_FALSE(half(6).and_then(half).has_value());
}

TEST(Result, ReadingTheValueOfAFailureEndsTheProgramWithItsMessage) {
    EXPECT_DEATH((void)half(3).value(), "odd number");
}

TEST(ErrorCode, EveryCodeHasAName) {
    EXPECT_EQ(to_string(ErrorCode::NotFound), "not_found");
    EXPECT_EQ(to_string(ErrorCode::Io), "io");
}

}  // namespace
}  // namespace perdure
