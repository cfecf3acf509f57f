#include "kernel/slab.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kernel/worker_queue.h"

namespace perdure::kernel {
namespace {

using Texts = Slab<std::string>;

TEST(Slab, MadeObjectsHoldWhatTheyWereMadeWith) {
    Texts slab(2);
    EXPECT_EQ(slab.capacity(), 0u);
    std::vector<Texts::Handle> handles;
    for (int index = 0; index < 5; ++index) {
        handles.push_back(slab.make(30, static_cast<char>('a' + index)));
    }
    EXPECT_EQ(slab.live(), 5u);
    EXPECT_EQ(slab.capacity(), 6u);
    for (int index = 0; index < 5; ++index) {
        EXPECT_EQ(*handles[index], std::string(30, static_cast<char>('a' + index)));
    }
}

TEST(Slab, ReturnedMemoryIsUsedAgainAndObjectsAreDestroyed) {
    Texts slab(4);
    for (int round = 0; round < 1000; ++round) {
        auto first = slab.make(100, 'x');  // Leaks under the sanitizer unless destroyed.
        auto second = slab.make("y");
    }
    EXPECT_EQ(slab.live(), 0u);
    EXPECT_EQ(slab.capacity(), 4u);
}

TEST(Slab, LiveCountsWhatWasMadeAndNotGivenBack) {
    Texts slab;
    auto first = slab.make("first");
    auto second = slab.make("second");
    EXPECT_EQ(slab.live(), 2u);
    first.reset();
    EXPECT_EQ(slab.live(), 1u);
    Texts::give_back(second.release());
    EXPECT_EQ(slab.live(), 0u);
}

struct alignas(128) Wide {
    int value = 7;
};

TEST(Slab, AlignmentOfTheTypeIsKept) {
    Slab<Wide> slab(3);
    auto first = slab.make();
    auto second = slab.make();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.get()) % alignof(Wide), 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second.get()) % alignof(Wide), 0u);
    EXPECT_EQ(second->value, 7);
}

struct Letter final : WorkerItem {
    explicit Letter(int letter_number) : number(letter_number) {}
    static void operator delete(Letter* letter, std::destroying_delete_t) {
        Slab<Letter>::give_back(letter);
    }
    int number;
};

TEST(Slab, WorkerItemsGoBackToTheirSlabThroughAPointerToTheBase) {
    Slab<Letter> slab;
    {
        WorkerQueue queue;
        EXPECT_FALSE(queue.push(std::unique_ptr<WorkerItem>(slab.make(1).release())));
        EXPECT_FALSE(queue.push(std::unique_ptr<WorkerItem>(slab.make(2).release())));
        EXPECT_EQ(slab.live(), 2u);
        queue.pop();
        EXPECT_EQ(slab.live(), 1u);
    }
    EXPECT_EQ(slab.live(), 0u);
}

/// At most `kWindow` are under way, and each is freed on the other thread.
TEST(Slab, ObjectsMayBeFreedOnAnotherThread) {
    constexpr int kLetters = 50'000;
    constexpr int kWindow = 64;
    WorkerQueue there;
    std::atomic<int> received{0};
    Slab<Letter> slab(16);
    std::thread reader([&] {
        for (int expected = 0; expected < kLetters;) {
            if (auto item = there.pop()) {
                EXPECT_EQ(static_cast<Letter&>(*item).number, expected);
                item.reset();
                received.store(++expected, std::memory_order_release);
            } else {
                std::this_thread::yield();
            }
        }
    });
    for (int number = 0; number < kLetters; ++number) {
        while (number - received.load(std::memory_order_acquire) >= kWindow) {
            std::this_thread::yield();
        }
        EXPECT_FALSE(there.push(std::unique_ptr<WorkerItem>(slab.make(number).release())));
    }
    reader.join();
    EXPECT_EQ(slab.live(), 0u);
    EXPECT_LE(slab.capacity(), 2u * kWindow);  // Memory follows what is live, not what was made.
}

TEST(Slab, SeveralThreadsMayGiveBackAtOnce) {
    constexpr int kThreads = 4;
    constexpr int kObjects = 5'000;
    Slab<std::uint64_t> slab;
    for (int round = 0; round < 3; ++round) {
        std::vector<std::thread> threads;
        for (int index = 0; index < kThreads; ++index) {
            std::vector<Slab<std::uint64_t>::Handle> handles;
            for (int object = 0; object < kObjects; ++object) {
                handles.push_back(slab.make(object));
            }
            threads.emplace_back([mine = std::move(handles)]() mutable { mine.clear(); });
        }
        for (auto& thread : threads) {
            thread.join();
        }
    }
    EXPECT_EQ(slab.live(), 0u);
    EXPECT_LE(slab.capacity(), kThreads * kObjects + 64u);
}

TEST(SlabDeathTest, EndingASlabWithLiveObjectsEndsTheProgram) {
    const auto forget = [] {
        Slab<int> slab;
        slab.make(1).release();
    };
    EXPECT_DEATH(forget(), "live");
}

#if defined(__SANITIZE_ADDRESS__)
TEST(SlabDeathTest, UseAfterReturnIsReportedByTheSanitizer) {
    const auto use = [] {
        Slab<int> slab;
        int* object = slab.make(1).get();  // The handle ends with the statement.
        const volatile int value = *object;
        (void)value;
    };
    EXPECT_DEATH(use(), "use-after-poison");
}
#endif

}  // namespace
}  // namespace perdure::kernel
