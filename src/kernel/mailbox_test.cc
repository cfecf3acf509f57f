/// Both bounds at the limit and one past it, half of each, and the order of what waits.

#include "kernel/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "kernel/envelope.h"

namespace perdure::kernel {
namespace {

std::unique_ptr<Envelope> message(std::string_view body) {
    Request request;
    request.body = SharedBytes(body);
    auto envelope = std::make_unique<Envelope>();
    envelope->content = make_ref<const Content>(Message(std::move(request)));
    return envelope;
}

std::string body_of(const std::unique_ptr<Envelope>& envelope) {
    return envelope == nullptr ? "nothing" : std::string(envelope->content->body().text());
}

TEST(MailboxRoom, TakesAsManyMessagesAsItsLimitAndNotOneMore) {
    MailboxRoom room({.messages_max = 4, .bytes_max = 1000});
    for (int count = 0; count < 4; ++count) {
        EXPECT_NE(room.reserve(1), Room::Refused);
    }
    EXPECT_EQ(room.reserve(1), Room::Refused);
    EXPECT_EQ(room.messages(), 4U);
    EXPECT_EQ(room.bytes(), 4U);
    room.release(1, 1);
    EXPECT_NE(room.reserve(1), Room::Refused);
}

TEST(MailboxRoom, TakesAsManyBytesAsItsLimitAndNotOneMore) {
    MailboxRoom room({.messages_max = 100, .bytes_max = 10});
    EXPECT_NE(room.reserve(4), Room::Refused);
    EXPECT_EQ(room.reserve(7), Room::Refused);
    EXPECT_EQ(room.bytes(), 4U);
    EXPECT_NE(room.reserve(6), Room::Refused);
    EXPECT_EQ(room.reserve(1), Room::Refused);
    EXPECT_NE(room.reserve(0), Room::Refused);
}

TEST(MailboxRoom, TellsFromTheFirstMessagePastHalfOfEitherBound) {
    MailboxRoom by_count({.messages_max = 4, .bytes_max = 1000});
    EXPECT_EQ(by_count.reserve(1), Room::Ample);
    EXPECT_EQ(by_count.reserve(1), Room::Ample);
    EXPECT_FALSE(by_count.past_half());
    EXPECT_EQ(by_count.reserve(1), Room::PastHalf);
    EXPECT_TRUE(by_count.past_half());

    MailboxRoom by_bytes({.messages_max = 100, .bytes_max = 10});
    EXPECT_EQ(by_bytes.reserve(5), Room::Ample);
    EXPECT_EQ(by_bytes.reserve(1), Room::PastHalf);
    by_bytes.release(1, 5);
    EXPECT_FALSE(by_bytes.past_half());
}

TEST(MailboxRoom, TakesOneMessageAboveTheByteBoundWhenNothingWaits) {
    MailboxRoom room({.messages_max = 100, .bytes_max = 10});
    EXPECT_EQ(room.reserve(11), Room::PastHalf);
    EXPECT_TRUE(room.above_byte_bound());
    EXPECT_EQ(room.reserve(11), Room::Refused);
    room.release(1, 11);
    EXPECT_NE(room.reserve(0), Room::Refused);
    EXPECT_EQ(room.reserve(11), Room::Refused);
}

TEST(MailboxRoom, APlaceKeptForAnOutcomeDoesNotCountAsSomethingThatWaits) {
    MailboxRoom room({.messages_max = 100, .bytes_max = 10});
    room.reserve_outcome();
    EXPECT_EQ(room.messages(), 1U);
    ASSERT_NE(room.reserve(11), Room::Refused);
    room.release(1, 11);
    room.take_outcome(0);
    EXPECT_EQ(room.messages(), 1U);
    EXPECT_EQ(room.reserve(11), Room::Refused);
}

TEST(MailboxRoom, TakesOutcomesAboveBothBounds) {
    MailboxRoom room({.messages_max = 1, .bytes_max = 10});
    EXPECT_NE(room.reserve(10), Room::Refused);
    room.reserve_outcome();
    room.reserve_outcome();
    room.take_outcome(100);
    EXPECT_EQ(room.messages(), 3U);
    EXPECT_EQ(room.bytes(), 110U);
    room.forget_outcomes(1);
    room.release(1, 100);
    room.release(1, 10);
    EXPECT_EQ(room.messages(), 0U);
    EXPECT_EQ(room.bytes(), 0U);
}

TEST(MailboxRoom, AbsurdSizesAreRefusedAndLeaveNoTrace) {
    MailboxRoom room({.messages_max = 100, .bytes_max = 10});
    EXPECT_NE(room.reserve(1), Room::Refused);
    EXPECT_EQ(room.reserve(std::size_t{1} << 62), Room::Refused);
    EXPECT_EQ(room.bytes(), 1U);
}

TEST(Mailbox, GivesBackWhatCameFirst) {
    MailboxRoom room({});
    Mailbox mailbox(room);
    EXPECT_TRUE(mailbox.empty());
    EXPECT_EQ(mailbox.take(), nullptr);
    for (const char* body : {"1", "2", "3"}) {
        room.reserve(1);
        mailbox.push(message(body));
    }
    EXPECT_FALSE(mailbox.empty());
    EXPECT_EQ(body_of(mailbox.take()), "1");
    EXPECT_EQ(body_of(mailbox.take()), "2");
    room.reserve(1);
    mailbox.push(message("4"));
    EXPECT_EQ(body_of(mailbox.take()), "3");
    EXPECT_EQ(body_of(mailbox.take()), "4");
    EXPECT_TRUE(mailbox.empty());
}

TEST(Mailbox, CountsBodyMetadataAndBlobWithItsMime) {
    auto envelope = message("12345");
    EXPECT_EQ(envelope->counted_bytes(), 5U);
    envelope->blob = Blob{"mime", SharedBytes(std::string_view("123"))};
    EXPECT_EQ(envelope->counted_bytes(), 12U);
    Request request;
    request.metadata = "{}";
    envelope->content = make_ref<const Content>(Message(std::move(request)));
    EXPECT_EQ(envelope->counted_bytes(), 9U);
}

TEST(Mailbox, TakingAndClearingGiveTheRoomBack) {
    MailboxRoom room({});
    Mailbox mailbox(room);
    for (const char* body : {"a", "bb", "ccc"}) {
        room.reserve(std::string_view(body).size());
        mailbox.push(message(body));
    }
    EXPECT_EQ(room.messages(), 3U);
    EXPECT_EQ(room.bytes(), 6U);
    mailbox.take();
    EXPECT_EQ(room.messages(), 2U);
    EXPECT_EQ(room.bytes(), 5U);
    mailbox.clear();
    EXPECT_EQ(room.messages(), 0U);
    EXPECT_EQ(room.bytes(), 0U);
    EXPECT_TRUE(mailbox.empty());
}

TEST(Mailbox, ALongOneIsDestroyedWithoutDeepRecursion) {
    constexpr int kCount = 100'000;
    MailboxRoom room({});
    {
        Mailbox mailbox(room);
        for (int count = 0; count < kCount; ++count) {
            room.reserve(0);
            mailbox.push(message(""));
        }
        EXPECT_EQ(room.messages(), 100'000U);
    }
    EXPECT_EQ(room.messages(), 0U);
}

}  // namespace
}  // namespace perdure::kernel
