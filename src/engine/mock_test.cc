/// Scripted guests through the same `WasmEngine`: every host call with every field, and the rules
/// of a real guest's life. Built only into the test program that links the mock engine, which
/// defines PERDURE_ENGINE_MOCK.

#ifdef PERDURE_ENGINE_MOCK

#include "engine/mock.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/engine.h"
#include "engine/fake_host_calls.h"

namespace perdure::engine {
namespace {

using kernel::ExitReason;
using kernel::PollOutcome;
using mock::Script;

class MockTest : public testing::Test {
protected:
    MockTest() {
        EngineSettings settings;
        settings.processes_max = 2;
        settings.memory_bytes_max = 1 << 20;
        engine_ = WasmEngine::open(
                      settings, [this](std::uint64_t token) { woken_ = token; },
                      Log(log_, LogLevel::Info))
                      .value();
    }
    ~MockTest() override {
        EXPECT_EQ(engine_->stats().guests, 0U);
        EXPECT_EQ(engine_->stats().instances, 0U);
        EXPECT_EQ(engine_->stats().components, 0U);
    }

    std::unique_ptr<kernel::Guest> start(std::string_view component) {
        kernel::ContentHash hash{};
        std::copy_n(component.begin(), std::min(component.size(), hash.size()), hash.begin());
        auto code = engine_->load(bytes_of(component), hash);
        EXPECT_TRUE(code.has_value()) << code.error().message();
        return engine_->instantiate(code.value(), calls_, 42, "us", {}).value();
    }

    /// Runs a script to its end.
    kernel::GuestExit run(mock::ScriptFunction script) {
        const mock::ScriptScope scope("script", std::move(script));
        const auto guest = start("mock:script");
        for (int polls = 0; guest->poll() != PollOutcome::Done; ++polls) {
            EXPECT_LT(polls, 1000);
        }
        return guest->exit();
    }

    KeptLog log_;
    std::uint64_t woken_ = 0;
    FakeHostCalls calls_;
    std::unique_ptr<WasmEngine> engine_;
};

const mock::Address kPeer{"far.os", "peer", "tests", "sys"};

TEST_F(MockTest, SendsCarryEveryField) {
    int seen = 0;
    calls_.on_send = [&](const kernel::SendView& send) {
        ++seen;
        EXPECT_EQ(send.target.node, "far.os");
        EXPECT_EQ(send.target.id.process, "peer");
        EXPECT_EQ(send.target.id.package, "tests");
        EXPECT_EQ(send.target.id.publisher, "sys");
        EXPECT_TRUE(send.request.inherit);
        EXPECT_EQ(send.request.expects_response, 5U);
        EXPECT_EQ(text_of(send.request.body), "body");
        EXPECT_EQ(send.request.metadata, "");
        ASSERT_EQ(send.request.capabilities.size(), 2U);
        EXPECT_EQ(send.request.capabilities[1].issuer.id.process, "peer");
        EXPECT_EQ(send.request.capabilities[1].params, "{}");
        ASSERT_TRUE(send.context.has_value());
        EXPECT_EQ(text_of(*send.context), "ctx");
        ASSERT_TRUE(send.blob.has_value());
        EXPECT_EQ(text_of(send.blob->bytes), "blob");
        EXPECT_EQ(send.blob->mime, "text/plain");
    };
    const mock::Send send{kPeer,
                          {"body", true, 5, "", {{kPeer, "[]"}, {kPeer, "{}"}}},
                          "ctx",
                          mock::Blob{"blob", "text/plain"}};
    const std::vector<mock::Send> three{send, send, send};
    const auto exit = run([&](mock::Api& api) -> Script {
        co_await api.send_requests(three);
        co_await api.send_request(send);
    });
    EXPECT_EQ(exit.reason, ExitReason::Returned) << exit.cause;
    EXPECT_EQ(seen, 4);
}

TEST_F(MockTest, WhatIsAbsentStaysAbsent) {
    calls_.on_send = [](const kernel::SendView& send) {
        EXPECT_FALSE(send.request.inherit || send.request.expects_response ||
                     send.request.metadata);
        EXPECT_TRUE(send.request.capabilities.empty() && !send.context && !send.blob);
    };
    run([](mock::Api& api) -> Script {
        mock::Send send;
        co_await api.send_request(send);
    });
    EXPECT_EQ(calls_.seen, std::vector<std::string>{"send_requests"});
}

TEST_F(MockTest, DeliveriesCarryEveryField) {
    const kernel::CapabilityView capability{{"n", {"p", "q", "r"}}, "params"};
    calls_.delivery.peer = {"far.os", {"peer", "tests", "sys"}};
    calls_.delivery.request = {true, 7, bytes_of("body"), "meta", {&capability, 1}};
    const std::vector<mock::Capability> expected{{{"n", "p", "q", "r"}, "params"}};
    run([&](mock::Api& api) -> Script {
        const auto got = co_await api.receive();
        EXPECT_FALSE(got.is_error || got.is_response || got.context || got.blob);
        EXPECT_EQ(got.peer, kPeer);
        EXPECT_TRUE(got.request.inherit);
        EXPECT_EQ(got.request.expects_response, 7U);
        EXPECT_EQ(got.request.body, "body");
        EXPECT_EQ(got.request.metadata, "meta");
        EXPECT_EQ(got.request.capabilities, expected);
    });

    calls_.delivery.kind = kernel::DeliveryView::Kind::Response;
    calls_.delivery.response = {false, bytes_of("answer"), std::nullopt, {&capability, 1}};
    calls_.delivery.context = bytes_of("");
    run([](mock::Api& api) -> Script {
        const auto got = co_await api.receive();
        EXPECT_TRUE(got.is_response && !got.is_error);
        EXPECT_EQ(got.response.body, "answer");
        EXPECT_EQ(got.response.capabilities.size(), 1U);
        EXPECT_EQ(got.context, "") << "an empty context is not an absent one";
    });

    calls_.delivery.kind = kernel::DeliveryView::Kind::Timeout;
    calls_.delivery.failed_response = true;
    calls_.delivery.context = bytes_of("ctx");
    calls_.delivery.blob = kernel::BlobView{bytes_of("blob"), std::nullopt};
    const mock::Blob no_mime{"blob", std::nullopt};
    run([&](mock::Api& api) -> Script {
        mock::Send send;
        const auto got = co_await api.send_and_await(send);
        EXPECT_TRUE(got.is_error && got.is_response);
        EXPECT_EQ(got.error_kind, KWE_SEND_TIMEOUT);
        EXPECT_EQ(got.response.body, "answer");
        EXPECT_EQ(got.context, "ctx");
        EXPECT_EQ(got.blob, no_mime);
    });
}

TEST_F(MockTest, TheOtherCallsReachTheKernelToo) {
    const kernel::CapabilityView capability{{"n", {"p", "q", "r"}}, "params"};
    const kernel::SendView exit_request{
        {"far.os", {"peer", "tests", "sys"}}, {}, std::nullopt, std::nullopt};
    calls_.held = {&capability, 1};
    calls_.on_exit = {kernel::OnExitKind::Requests, {&exit_request, 1}};
    calls_.blob = kernel::BlobView{bytes_of("blob"), ""};
    calls_.spawn_error = kernel::SpawnError::NameTaken;
    int looked_at = 0;
    calls_.on_response = [&](const kernel::ResponseView& response,
                             const std::optional<kernel::BlobView>& blob) {
        looked_at += text_of(response.body) == "answer" && blob && !blob->mime;
    };
    calls_.on_capabilities = [&](auto list) {
        looked_at += list.size() == 1 && list[0].params == "x";
    };
    calls_.on_set_on_exit = [&](const kernel::OnExitView& on_exit) {
        looked_at += on_exit.kind == kernel::OnExitKind::Requests && on_exit.requests.size() == 1;
    };
    calls_.on_spawn = [&](const kernel::SpawnView& spawn) {
        looked_at += spawn.name == "child" && spawn.wasm_path == "/x.wasm" && spawn.is_public;
    };
    const std::vector<mock::Capability> list{{kPeer, "x"}};
    const mock::Address self{"fake.os", "guest", "tests", "sys"};
    const mock::Blob empty_mime{"blob", ""};
    const mock::Blob blob{"b"};
    const mock::Response response{"answer"};
    const auto exit = run([&](mock::Api& api) -> Script {
        EXPECT_EQ(api.our(), "us");
        const std::string line = "hello";
        co_await api.print(1, line);
        const mock::Address ours = co_await api.our_address();
        EXPECT_EQ(ours, self);
        mock::OnExit on_exit = co_await api.get_on_exit();
        EXPECT_EQ(on_exit.requests.at(0).target, kPeer);
        co_await api.set_on_exit(on_exit);
        EXPECT_TRUE(co_await api.has_blob());
        const std::optional<mock::Blob> current = co_await api.get_blob();
        EXPECT_EQ(current, empty_mime);
        const std::optional<mock::Blob> last = co_await api.last_blob();
        EXPECT_EQ(last, empty_mime);
        co_await api.send_response(response, blob);
        EXPECT_EQ(co_await api.get_state(), std::nullopt);
        const std::string state = "state";
        co_await api.set_state(state);
        EXPECT_EQ(co_await api.get_state(), "state");
        co_await api.clear_state();
        co_await api.save_capabilities(list);
        co_await api.drop_capabilities(list);
        EXPECT_EQ((co_await api.our_capabilities()).at(0).params, "params");
        mock::Spawn spawn;
        spawn.name = "child";
        spawn.wasm_path = "/x.wasm";
        spawn.is_public = true;
        EXPECT_EQ((co_await api.spawn(spawn)).error, KWE_SPAWN_NAME_TAKEN);
        const std::string bytes = "oops";
        co_await api.write_stderr(bytes);
        co_await api.write_stdout(bytes);
        EXPECT_EQ(co_await api.random(3), "\7\7\7");
        EXPECT_EQ(co_await api.monotonic(), 1U);
        EXPECT_EQ((co_await api.wall()).second, 5U);
        co_await api.sleep_until(1);
    });
    EXPECT_EQ(exit.reason, ExitReason::Returned) << exit.cause;
    EXPECT_EQ(looked_at, 4);
    EXPECT_EQ(calls_.prints, std::vector<std::string>{"hello"});
    EXPECT_EQ(calls_.error_output, "oops");
}

TEST_F(MockTest, WaitingCallsSuspendAndAreAskedAgain) {
    calls_.pending = {{"receive", 2}};
    const mock::ScriptScope scope("waiter",
                                  [](mock::Api& api) -> Script { co_await api.receive(); });
    const auto guest = start("mock:waiter");
    EXPECT_EQ(guest->poll(), PollOutcome::Blocked);
    EXPECT_EQ(guest->poll(), PollOutcome::Blocked);
    EXPECT_EQ(guest->poll(), PollOutcome::Done);
    EXPECT_EQ(calls_.seen, (std::vector<std::string>{"receive", "receive+", "receive+"}));
}

TEST_F(MockTest, ASendThatIsAskedToGiveWayYieldsOnce) {
    calls_.pending = {{"send_requests", 1}};
    const mock::ScriptScope scope("sender", [](mock::Api& api) -> Script {
        mock::Send send;
        co_await api.send_request(send);
    });
    const auto guest = start("mock:sender");
    EXPECT_EQ(guest->poll(), PollOutcome::Yielded);
    EXPECT_EQ(guest->poll(), PollOutcome::Done);
    EXPECT_EQ(calls_.seen.size(), 1U);
}

TEST_F(MockTest, ASpinningScriptAsksAtEveryTickAndCanBeKilled) {
    const mock::ScriptScope scope("spinner", [](mock::Api& api) -> Script {
        co_await api.spin(2);
        co_await api.spin_forever();
    });
    const auto guest = start("mock:spinner");
    for (int i = 1; i <= 5; ++i) {
        EXPECT_EQ(guest->poll(), PollOutcome::Yielded);
        EXPECT_EQ(calls_.ticks.load(), i);
    }
    guest->kill();
    EXPECT_EQ(woken_, 42U);
    EXPECT_EQ(guest->poll(), PollOutcome::Done);
    EXPECT_EQ(guest->exit().reason, ExitReason::Killed);
}

TEST_F(MockTest, EndsAreToldApart) {
    EXPECT_EQ(run([](mock::Api& api) -> Script { co_await api.exit(0); }).reason,
              ExitReason::Returned);
    EXPECT_EQ(run([](mock::Api& api) -> Script { co_await api.exit(3); }).code, 3);
    const std::string cause = "unreachable";
    auto exit = run([&](mock::Api& api) -> Script {
        co_await api.trap(cause);
        ADD_FAILURE() << "a trapped script goes on";
    });
    EXPECT_EQ(exit.reason, ExitReason::Trapped);
    EXPECT_EQ(exit.cause, cause);
    exit = run([](mock::Api& api) -> Script {
        co_await api.has_blob();
        throw std::runtime_error("thrown");
    });
    EXPECT_EQ(exit.reason, ExitReason::Trapped);
    EXPECT_EQ(exit.cause, "thrown");
    exit = run([&](mock::Api& api) -> Script {
        EXPECT_TRUE(api.grow_memory(512 << 10));
        EXPECT_FALSE(api.grow_memory(512 << 10));
        co_await api.trap(cause);
    });
    EXPECT_EQ(exit.reason, ExitReason::MemoryLimit);
    calls_.throwing = "print";
    exit = run([&](mock::Api& api) -> Script {
        co_await api.print(0, cause);
        ADD_FAILURE() << "a faulted script goes on";
    });
    EXPECT_EQ(exit.reason, ExitReason::Faulted);
    EXPECT_EQ(exit.cause, "a host call threw: from print");
}

TEST_F(MockTest, ScriptsGetTheirArgumentAndFullPoolsRefuse) {
    calls_.pending = {{"receive", 1000}};
    const mock::ScriptScope scope("named", [](mock::Api& api) -> Script {
        co_await api.print(0, api.argument());
        co_await api.receive();
    });
    const auto first = start("mock:named?one");
    const auto second = start("mock:named?two");
    EXPECT_EQ(first->poll(), PollOutcome::Blocked);
    EXPECT_EQ(second->poll(), PollOutcome::Blocked);
    EXPECT_EQ(calls_.prints, (std::vector<std::string>{"one", "two"}));
    const auto third = start("mock:named?one");
    EXPECT_EQ(third->poll(), PollOutcome::Done);
    EXPECT_EQ(third->exit().reason, ExitReason::StartFailed);
    EXPECT_EQ(engine_->stats().compiles_total, 2U);
    EXPECT_FALSE(engine_->load(bytes_of("mock:unknown"), {}).has_value());
}

}  // namespace
}  // namespace perdure::engine

#endif
