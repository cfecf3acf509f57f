/// The real engine behind the kernel's interface: kinds of ends, faults and panics that stop at the
/// border, nothing left.

#include "engine/engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "engine/fake_host_calls.h"
#include "engine/kwe.h"
#include "engine/test_guests.h"

namespace perdure::engine {
namespace {

using kernel::ExitReason;
using kernel::PollOutcome;

kernel::ContentHash hash_of(ByteView wasm) {
    kernel::ContentHash
        hash{};  // Any name will do here, as long as it differs from guest to guest.
    for (std::size_t i = 0; i < wasm.size(); ++i) {
        hash[i % hash.size()] = static_cast<Byte>(hash[i % hash.size()] * 31 + wasm[i]);
    }
    return hash;
}

class EngineTest : public testing::Test {
protected:
    EngineTest() {
        EngineSettings settings;
        settings.processes_max = 8;
        settings.memory_bytes_max = 16 << 20;
        auto opened = WasmEngine::open(
            settings, [this](std::uint64_t token) { woken_ = token; }, Log(log_, LogLevel::Info));
        EXPECT_TRUE(opened.has_value());
        engine_ = std::move(opened).value();
        engine_->prepare_thread();
    }
    ~EngineTest() override {
        EXPECT_EQ(engine_->stats().guests, 0U);
        EXPECT_EQ(engine_->stats().instances, 0U);
    }

    std::unique_ptr<kernel::Guest> start(ByteView wasm,
                                         std::string_view our = "fake.os@guest:tests:sys") {
        auto code = engine_->load(wasm, hash_of(wasm));
        EXPECT_TRUE(code.has_value()) << code.error().message();
        auto guest = engine_->instantiate(code.value(), calls_, 42, our, {});
        EXPECT_TRUE(guest.has_value());
        return std::move(guest).value();
    }

    /// Polls under a ticking clock until the guest has ended.
    kernel::GuestExit run(kernel::Guest& guest) {
        std::atomic<bool> done{false};
        std::thread ticker([&] {
            while (!done.load()) {
                engine_->tick();
                std::this_thread::yield();
            }
        });
        while (guest.poll() != PollOutcome::Done) {
        }
        done.store(true);
        ticker.join();
        return guest.exit();
    }

    KeptLog log_;
    std::atomic<std::uint64_t> woken_{0};
    std::unique_ptr<WasmEngine> engine_;
    FakeHostCalls calls_;
};

TEST_F(EngineTest, SaysHowManyProcessesItTakes) {
    EXPECT_EQ(engine_->stats().processes_max, 8U);
    EXPECT_TRUE(log_.contains("mode=fast max_processes=8"));
}

TEST_F(EngineTest, HostCallsReachTheKernelAndWaitingOnesSuspend) {
    calls_.pending["clear_state"] = 2;
    auto guest = start(test_guests::kCaller);
    EXPECT_EQ(engine_->stats().instances, 0U) << "no slot before the first poll";
    EXPECT_EQ(guest->poll(), PollOutcome::Blocked);
    EXPECT_EQ(engine_->stats().instances, 1U);
    EXPECT_GE(guest->usage().memory_bytes, 65536U);
    EXPECT_EQ(guest->poll(), PollOutcome::Blocked);
    EXPECT_EQ(guest->poll(), PollOutcome::Done);
    EXPECT_EQ(guest->exit().reason, ExitReason::Returned);
    EXPECT_EQ(calls_.seen, (std::vector<std::string>{"print", "clear_state", "clear_state+",
                                                     "clear_state+", "set_state"}));
    EXPECT_EQ(calls_.prints, std::vector<std::string>{"fake.os@guest:tests:sys"});
    EXPECT_EQ(calls_.state, "done");
}

TEST_F(EngineTest, CodeIsLoadedOnceAndFoundByItsHash) {
    const auto hash = hash_of(test_guests::kCaller);
    EXPECT_EQ(engine_->find(hash), nullptr);
    auto code = engine_->load(test_guests::kCaller, hash);
    ASSERT_TRUE(code.has_value());
    EXPECT_EQ(code.value()->hash(), hash);
    EXPECT_EQ(code.value()->interfaces(),
              std::vector<std::string>{"hyperware:process/standard@1.0.0"});
    auto again = engine_->find(hash);
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->hash(), hash);
    EXPECT_EQ(engine_->stats().compiles_total, 1U);
}

TEST_F(EngineTest, WhatDoesNotFitIsRefusedWithEveryReason) {
    const auto misfit = engine_->load(test_guests::kMisfit, hash_of(test_guests::kMisfit));
    ASSERT_FALSE(misfit.has_value());
    EXPECT_EQ(misfit.error().code(), ErrorCode::InvalidInput);
    EXPECT_NE(misfit.error().message().find("`fly`"), std::string::npos)
        << misfit.error().message();
    EXPECT_NE(misfit.error().message().find("`steal`"), std::string::npos);
    const auto junk = engine_->load(bytes_of("junk"), hash_of(bytes_of("junk")));
    ASSERT_FALSE(junk.has_value());
    EXPECT_EQ(junk.error().code(), ErrorCode::InvalidInput);
}

TEST_F(EngineTest, EndsAreToldApart) {
    auto trapped = start(test_guests::kTrapper);
    auto exit = run(*trapped);
    EXPECT_EQ(exit.reason, ExitReason::Trapped);
    EXPECT_NE(exit.cause.find("unreachable"), std::string::npos) << exit.cause;
    ASSERT_EQ(exit.frames.size(), 2U);
    EXPECT_EQ(exit.frames[0].function, "inner");
    EXPECT_EQ(exit.frames[1].function, "outer");

    auto hungry = start(test_guests::kGrower);
    EXPECT_EQ(run(*hungry).reason, ExitReason::MemoryLimit);
    EXPECT_GT(hungry->usage().memory_bytes, std::uint64_t{14} << 20);

    auto content = start(test_guests::kExiter, "good");
    EXPECT_EQ(run(*content).reason, ExitReason::Returned)
        << "exit with success counts as a return (K-143)";
    auto failed = start(test_guests::kExiter, "else");
    exit = run(*failed);
    EXPECT_EQ(exit.reason, ExitReason::Exited);
    EXPECT_EQ(exit.code, 1);
}

TEST_F(EngineTest, E17_AThrowingHostCallFaultsItsGuestAndTheNodeGoesOn) {
    for (const std::string name : {"print", "clear_state", "set_state"}) {
        calls_.throwing = name;
        auto guest = start(test_guests::kCaller);
        const auto exit = run(*guest);
        EXPECT_EQ(exit.reason, ExitReason::Faulted) << name;
        EXPECT_NE(exit.cause.find("from " + name), std::string::npos) << exit.cause;
    }
    calls_.throwing = "on_tick";
    auto spinner = start(test_guests::kSpinner);
    EXPECT_EQ(run(*spinner).reason, ExitReason::Faulted);
    calls_.throwing.clear();
    auto guest = start(test_guests::kCaller);
    EXPECT_EQ(run(*guest).reason, ExitReason::Returned);
}

TEST_F(EngineTest, AFaultOfAHostCallCarriesItsText) {
    calls_.faulting = "set_state";
    auto guest = start(test_guests::kCaller);
    const auto exit = run(*guest);
    EXPECT_EQ(exit.reason, ExitReason::Faulted);
    EXPECT_EQ(exit.cause, "the fake faulted");
}

TEST_F(EngineTest, APanicInTheLibraryEndsOneGuest) {
    for (const int place : {KWE_PANIC_IN_POLL, KWE_PANIC_IN_CALLBACK}) {
        auto guest = start(test_guests::kCaller);
        panic_for_test(*guest, place);
        EXPECT_EQ(run(*guest).reason, ExitReason::Panicked) << place;
    }
    auto spinner = start(test_guests::kSpinner);
    panic_for_test(*spinner, KWE_PANIC_IN_TICK);
    EXPECT_EQ(run(*spinner).reason, ExitReason::Panicked);
    EXPECT_TRUE(log_.contains("engine_panicked"));
    auto guest = start(test_guests::kCaller);
    EXPECT_EQ(run(*guest).reason, ExitReason::Returned);
}

TEST_F(EngineTest, AWaitingGuestIsKilledAtItsNextPollForWhichTheKernelIsWoken) {
    calls_.pending["clear_state"] = 1000;
    auto guest = start(test_guests::kCaller);
    EXPECT_EQ(guest->poll(), PollOutcome::Blocked);
    guest->kill();
    EXPECT_EQ(woken_.load(), 42U);
    EXPECT_EQ(guest->poll(), PollOutcome::Done);
    EXPECT_EQ(guest->exit().reason, ExitReason::Killed);
    EXPECT_EQ(calls_.seen.back(), "clear_state") << "a killed guest asks nothing more";
}

TEST_F(EngineTest, ARunningGuestIsKilledAtATick) {
    calls_.decision = kernel::TickDecision::Continue;
    auto guest = start(test_guests::kSpinner);
    std::thread killer([&] {
        while (calls_.ticks.load() == 0) {
            std::this_thread::yield();
        }
        guest->kill();
    });
    EXPECT_EQ(run(*guest).reason, ExitReason::Killed);
    killer.join();
}

TEST_F(EngineTest, AGuestThatIsStillSuspendedCanBeDestroyed) {
    calls_.pending["clear_state"] = 1000;
    auto guest = start(test_guests::kCaller);
    EXPECT_EQ(guest->poll(), PollOutcome::Blocked);
    const auto asked = calls_.seen.size();
    guest.reset();
    EXPECT_EQ(calls_.seen.size(), asked) << "destruction calls nothing back";
}

TEST_F(EngineTest, MoreGuestsThanThePoolHasWaitForASlot) {
    calls_.pending["clear_state"] = 1000;
    std::vector<std::unique_ptr<kernel::Guest>> guests;
    for (int i = 0; i < 8; ++i) {
        guests.push_back(start(test_guests::kCaller));
        EXPECT_EQ(guests.back()->poll(), PollOutcome::Blocked);
    }
    auto late = start(test_guests::kCaller);
    EXPECT_EQ(late->poll(), PollOutcome::Done);
    EXPECT_EQ(late->exit().reason, ExitReason::StartFailed);
    EXPECT_EQ(late->exit().code, KWE_E_LIMIT);
    guests.pop_back();
    late = start(test_guests::kCaller);
    EXPECT_EQ(late->poll(), PollOutcome::Blocked);
}

/// Names of the threads of this program.
std::multiset<std::string> thread_names() {
    std::multiset<std::string> names;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string name;
        // One that ends meanwhile has no name any more.
        if (std::ifstream file(task.path() / "comm"); std::getline(file, name)) {
            names.insert(name);
        }
    }
    return names;
}

/// Whether the threads come to be these: they name themselves, and end, a moment after they are
/// told.
bool threads_become(const std::multiset<std::string>& expected) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (thread_names() != expected) {
        if (std::chrono::steady_clock::now() > patience) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

TEST(Engine, E19_StartsNoThreadsButThoseThatCompile) {
    const std::multiset<std::string> alone = {"engine_test"};
    ASSERT_TRUE(threads_become(alone)) << testing::PrintToString(thread_names());
    KeptLog log;
    FakeHostCalls calls;
    EngineSettings settings;
    settings.processes_max = 4;
    settings.compile_threads = 3;
    {
        auto engine =
            WasmEngine::open(settings, [](std::uint64_t) {}, Log(log, LogLevel::Info)).value();
        const std::multiset<std::string> expected = {"engine_test", "kwe-compile-0",
                                                     "kwe-compile-1", "kwe-compile-2"};
        EXPECT_TRUE(threads_become(expected)) << testing::PrintToString(thread_names());
        // Compiled, run and waiting: whatever an engine does has been done once.
        engine->prepare_thread();
        const ByteView wasm = test_guests::kCaller;
        auto code = engine->load(wasm, hash_of(wasm)).value();
        calls.pending["clear_state"] = 1000;
        const auto guest = engine->instantiate(code, calls, 42, "fake.os@guest:tests:sys", {});
        ASSERT_EQ(guest.value()->poll(), PollOutcome::Blocked);
        engine->tick();
        EXPECT_EQ(thread_names(), expected);
    }
    EXPECT_TRUE(threads_become(alone)) << testing::PrintToString(thread_names());
}

TEST(Engine, ACacheDirectoryThatCannotBeMadeIsAnErrorThatNamesIt) {
    KeptLog log;
    EngineSettings settings;
    settings.processes_max = 2;
    settings.cache = CodeCache{"/proc/nowhere", {}};
    const auto opened = WasmEngine::open(settings, [](std::uint64_t) {}, Log(log, LogLevel::Info));
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code(), ErrorCode::Io);
    EXPECT_NE(opened.error().message().find("/proc/nowhere"), std::string::npos);
}

TEST(Engine, StartsAndStopsRepeatedly) {
    KeptLog log;
    EngineSettings settings;
    settings.processes_max = 4;
    for (int i = 0; i < 5; ++i) {
        const auto opened =
            WasmEngine::open(settings, [](std::uint64_t) {}, Log(log, LogLevel::Info));
        ASSERT_TRUE(opened.has_value());
        opened.value()->tick();
    }
}

}  // namespace
}  // namespace perdure::engine
