#include "base/bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace perdure {
namespace {

TEST(SharedBytes, CopiesShareOneBuffer) {
    const SharedBytes first(std::string_view("hello"));
    const SharedBytes second = first;
    EXPECT_EQ(first.view().data(), second.view().data());
    EXPECT_EQ(second.text(), "hello");
}

TEST(SharedBytes, EmptyNeedsNoMemoryAndEqualsEmpty) {
    const SharedBytes empty;
    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(empty, SharedBytes(std::string_view("")));
    EXPECT_EQ(empty.view().data(), nullptr);
}

TEST(SharedBytes, ComparesByContent) {
    EXPECT_EQ(SharedBytes(std::string_view("a")), SharedBytes(std::string_view("a")));
    EXPECT_FALSE(SharedBytes(std::string_view("a")) == SharedBytes(std::string_view("b")));
}

TEST(SharedBytes, MakeLetsTheCallerWriteOnce) {
    const SharedBytes made = SharedBytes::make(3, [](std::span<Byte> out) {
        out[0] = 'x';
        out[1] = 'y';
        out[2] = 0;
    });
    EXPECT_EQ(made.text(), std::string_view("xy\0", 3));
}

TEST(SharedBytes, MayBeGivenBackOnOtherThreads) {
    SharedBytes bytes(std::string(10'000, 'q'));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([copy = bytes] {
            for (int round = 0; round < 1000; ++round) {
                const SharedBytes again = copy;
                ASSERT_EQ(again.size(), 10'000u);
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(bytes.view()[9'999], 'q');
}

}  // namespace
}  // namespace perdure
