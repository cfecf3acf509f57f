#include "node/output_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>
#include <memory>

namespace perdure::node {
namespace {

class OutputWriterTest : public testing::Test {
protected:
    OutputWriterTest() {
        EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
        writer_ = std::make_unique<OutputWriter>(ends_[1], 4u << 20);
    }
    ~OutputWriterTest() override {
        writer_.reset();
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    void wait_until_written() {
        std::promise<void> written;
        writer_->when_written([&] { written.set_value(); });
        written.get_future().wait();
    }

    int ends_[2] = {-1, -1};
    std::unique_ptr<OutputWriter> writer_;
};

TEST_F(OutputWriterTest, WhoeverWaitsIsCalledOnceItsLinesCanBeRead) {
    wait_until_written();
    std::string expected;
    for (int line = 0; line < 100; ++line) {
        writer_->write_line(std::to_string(line));
        expected += std::to_string(line) + "\n";
    }
    wait_until_written();
    std::string text(4096, '\0');
    const ssize_t count = ::read(ends_[0], text.data(), text.size());
    ASSERT_GT(count, 0);
    EXPECT_EQ(text.substr(0, static_cast<std::size_t>(count)), expected);
}

TEST_F(OutputWriterTest, ABlockedReaderKeepsNobodyWaiting) {
    for (int line = 0; line < 100; ++line) {
        writer_->write_line(std::string(10'000, 'x'));
    }
    wait_until_written();
}

}  // namespace
}  // namespace perdure::node
