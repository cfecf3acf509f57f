#include "transport/http_exchange.h"

#include <gtest/gtest.h>

namespace perdure::transport {
namespace {

struct RecordingConnection final : ExchangeConnection {
    void post_response(HttpResponse response) override { responses.push_back(std::move(response)); }
    void post_stream_head(HttpResponse head) override { heads.push_back(std::move(head)); }
    void post_pump() override { ++pumps; }

    std::vector<HttpResponse> responses;
    std::vector<HttpResponse> heads;
    int pumps = 0;
};

struct HttpExchangeTest : testing::Test {
    HttpResponder responder() { return HttpResponder(std::make_shared<HttpExchange>(link)); }

    RecordingConnection connection;
    std::shared_ptr<ExchangeLink> link = std::make_shared<ExchangeLink>(connection, 10);
};

TEST_F(HttpExchangeTest, TheFirstAnswerCounts) {
    const HttpResponder answer = responder();
    answer.respond({.status = 200, .headers = {}, .body = "first"});
    answer.respond({.status = 404, .headers = {}, .body = "second"});
    ASSERT_EQ(connection.responses.size(), 1u);
    EXPECT_EQ(connection.responses[0].body, "first");
}

TEST_F(HttpExchangeTest, AResponderDroppedWithoutAnAnswerAnswers500) {
    {
        const HttpResponder dropped = responder();
    }
    ASSERT_EQ(connection.responses.size(), 1u);
    EXPECT_EQ(connection.responses[0].status, 500u);
}

TEST_F(HttpExchangeTest, NothingReachesAConnectionThatIsGone) {
    const HttpResponder answer = responder();
    link->detach();
    answer.respond({});
    HttpStream stream = responder().begin_stream({});
    EXPECT_EQ(stream.write("x"), HttpStream::Write::Gone);
    EXPECT_TRUE(connection.responses.empty());
    EXPECT_TRUE(connection.heads.empty());
}

TEST_F(HttpExchangeTest, PiecesAreFramedAsChunks) {
    HttpStream stream = responder().begin_stream({});
    EXPECT_EQ(stream.write("abc"), HttpStream::Write::Taken);
    EXPECT_EQ(stream.write(""), HttpStream::Write::Taken);
    stream.finish();
    const StreamBatch batch = link->take();
    EXPECT_EQ(batch.bytes, "3\r\nabc\r\n0\r\n\r\n");
    EXPECT_TRUE(batch.last);
    EXPECT_EQ(connection.pumps, 1);
}

TEST_F(HttpExchangeTest, AStreamIsBoundedUntilTheClientHasTakenItsPieces) {
    HttpStream stream = responder().begin_stream({});
    EXPECT_EQ(stream.write("0123456789"), HttpStream::Write::Taken);  // at the limit
    EXPECT_EQ(stream.write("x"), HttpStream::Write::Full);            // limit + 1
    (void)link->take();
    EXPECT_EQ(stream.write("x"), HttpStream::Write::Full);
    link->batch_written();
    EXPECT_EQ(stream.write("x"), HttpStream::Write::Taken);
}

TEST_F(HttpExchangeTest, APieceAboveTheBoundIsNeverTaken) {
    HttpStream stream = responder().begin_stream({});
    EXPECT_EQ(stream.write("0123456789x"), HttpStream::Write::Full);
}

TEST_F(HttpExchangeTest, GoneIsToldOnceAndAtOnceIfItIsPast) {
    int told = 0;
    HttpStream stream = responder().begin_stream({});
    stream.on_gone([&told] { ++told; });
    EXPECT_EQ(told, 0);
    link->detach();
    link->detach();
    EXPECT_EQ(told, 1);
    stream.on_gone([&told] { ++told; });
    EXPECT_EQ(told, 2);
}

TEST_F(HttpExchangeTest, ADroppedStreamIsFinished) {
    {
        HttpStream stream = responder().begin_stream({});
    }
    EXPECT_TRUE(link->take().last);
    EXPECT_TRUE(connection.responses.empty());
}

TEST_F(HttpExchangeTest, AGoneFunctionMayHoldTheLastCopyOfItsStream) {
    auto stream = std::make_shared<HttpStream>(responder().begin_stream({}));
    stream->on_gone([stream] {});
    stream.reset();
    link->detach();
    EXPECT_EQ(link.use_count(), 1);
}

}  // namespace
}  // namespace perdure::transport
