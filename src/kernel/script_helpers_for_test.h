#pragma once

/// What the scenario tests of the kernel share: messages made in one call, one line about each
/// element that came, a few scripts that many scenarios need, and the fixture.
///
/// Processes have short names here: `b` is `b:test:os`. A `Scenario` runs with 1 and with 4
/// workers, stepped on the test's thread, so that every deadline is exact:
///
/// ```cpp
/// TEST_P(Messages, CK9_…) {
///     add("b", echo);
///     add("a", sends_then_listens("a", {ask("b", "r", 5, "c1")}));
///     go();
///     EXPECT_THAT(of("a"), ElementsAre("Response r from b, context c1"));
/// }
/// ```
///
/// Messages are made in plain functions: g++ 12 miscompiles braced lists inside coroutines.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/mock.h"
#include "testing/kernel_world.h"

namespace perdure::kernel {

namespace mock = engine::mock;
using testing::KernelWorld;

inline constexpr Nanoseconds kInstant{1};
inline constexpr Nanoseconds kMillisecond = std::chrono::milliseconds(1);
inline constexpr Nanoseconds kSecond = std::chrono::seconds(1);

inline std::string id_of(std::string_view name) {
    return std::string(name) + ":test:os";
}

/// A Request that expects no Response.
inline mock::Send tell(std::string_view target, std::string_view body) {
    mock::Send send;
    send.target = KernelWorld::address(id_of(target));
    send.request.body = body;
    return send;
}

/// A Request that expects a Response within `seconds`.
inline mock::Send ask(std::string_view target, std::string_view body, std::uint64_t seconds,
                      std::optional<std::string> context = {}) {
    mock::Send send = tell(target, body);
    send.request.expects_response = seconds;
    send.context = std::move(context);
    return send;
}

inline mock::Send inheriting(mock::Send send) {
    send.request.inherit = true;
    return send;
}

inline mock::Send with_blob(mock::Send send, std::string_view bytes,
                            std::optional<std::string> mime = {}) {
    send.blob = mock::Blob{std::string(bytes), std::move(mime)};
    return send;
}

inline mock::Blob blob(std::string_view bytes, std::optional<std::string> mime = {}) {
    return {std::string(bytes), std::move(mime)};
}

inline mock::Response answer(std::string_view body) {
    mock::Response response;
    response.body = body;
    return response;
}

inline mock::Response inheriting_answer(std::string_view body) {
    mock::Response response = answer(body);
    response.inherit = true;
    return response;
}

/// To a process of another node. There is no network module, so nobody can be reached.
inline mock::Send at_node(mock::Send send, std::string_view node) {
    send.target.node = node;
    return send;
}

inline std::string describe(const std::optional<mock::Blob>& blob) {
    if (!blob) {
        return "none";
    }
    return blob->mime ? blob->bytes + " (" + *blob->mime + ")" : blob->bytes;
}

/// "Request hi from a", "Response hi from b, context c", "Timeout of Request hi to b, mark {…}".
inline std::string describe(const mock::Delivery& delivery) {
    std::string line;
    if (delivery.is_error) {
        line = delivery.error_kind == KWE_SEND_OFFLINE ? "Offline of " : "Timeout of ";
    }
    line += delivery.is_response ? "Response " + delivery.response.body
                                 : "Request " + delivery.request.body;
    line += (delivery.is_error ? " to " : " from ") + delivery.peer.process;
    if (delivery.context) {
        line += ", context " + *delivery.context;
    }
    if (delivery.blob) {
        line += ", blob " + describe(delivery.blob);
    }
    const auto& capabilities =
        delivery.is_response ? delivery.response.capabilities : delivery.request.capabilities;
    if (!capabilities.empty()) {
        line += ", mark " + capabilities.back().params;
    }
    return line;
}

/// Answers every Request with its body and blob.
inline mock::Script echo(mock::Api& api) {
    for (;;) {
        const mock::Delivery delivery = co_await api.receive();
        if (!delivery.is_error && !delivery.is_response) {
            const mock::Response response = inheriting_answer(delivery.request.body);
            co_await api.send_response(response);
        }
    }
}

/// Takes what comes and says nothing.
inline mock::Script silent(mock::Api& api) {
    for (;;) {
        co_await api.receive();
    }
}

/// Never reads what it is sent, and never ends.
inline mock::Script deaf(mock::Api& api) {
    co_await api.sleep_until(UINT64_MAX);
}

/// A runtime module that keeps what it gets. It goes by the id of `vfs`, which may message every
/// process (K-95).
class Probe final : public RuntimeModule {
public:
    const ProcessId& id() const override { return id_; }
    void handle(IncomingRequest request) override { requests.push_back(std::move(request)); }
    void handle(IncomingResponse response) override { responses.push_back(std::move(response)); }
    void handle(RefusedRequest request) override { refused.push_back(request.id); }

    std::vector<std::uint64_t> refused;
    std::vector<IncomingRequest> requests;
    std::vector<IncomingResponse> responses;

private:
    const ProcessId id_ = parse_process_id("vfs:distro:sys").value();
};

/// The parameter is the number of workers.
class Scenario : public ::testing::TestWithParam<std::uint32_t> {
protected:
    explicit Scenario(KernelLimits limits = {}) : Scenario(with_limits(limits)) {}
    explicit Scenario(KernelWorld::Options options) : world(complete(std::move(options), probe)) {}

    using Script = mock::ScriptFunction;

    /// Initialises a process. It runs, and may speak, from `go` on.
    void add(std::string_view name, Script script, KernelWorld::Guest guest = {}) {
        world.initialise(id_of(name), std::move(script), std::move(guest));
        waiting_.emplace_back(name);
        names_.emplace(name);
    }
    /// Everybody who has not ended may message everybody.
    void connect() {
        std::erase_if(names_, [&](const std::string& name) { return !world.status(id_of(name)); });
        for (const std::string& left : names_) {
            for (const std::string& right : names_) {
                world.grant_messaging(id_of(left), id_of(right));
            }
        }
    }
    /// Runs one process until nothing is left to do at this moment.
    void run(std::string_view name) {
        std::erase(waiting_, name);
        world.run(id_of(name));
        world.settle();
    }
    /// Connects all, then runs what was added and does not run yet, one after the other.
    void go() {
        connect();
        for (const std::string& name : std::exchange(waiting_, {})) {
            world.run(id_of(name));
            world.settle();
        }
    }
    /// As `go`, but all start at the same moment.
    void go_together() {
        connect();
        for (const std::string& name : std::exchange(waiting_, {})) {
            world.run(id_of(name));
        }
        world.settle();
    }

    void note(std::string_view name, std::string line) {
        notes.emplace_back(std::string(name), std::move(line));
    }
    /// What `name` has noted, in order.
    std::vector<std::string> of(std::string_view name) const {
        std::vector<std::string> lines;
        for (const auto& [who, line] : notes) {
            if (who == name) {
                lines.push_back(line);
            }
        }
        return lines;
    }

    /// Notes everything that comes.
    Script listens(std::string name) { return sends_then_listens(std::move(name), {}); }
    /// Sends one by one, then notes everything that comes.
    Script sends_then_listens(std::string name, std::vector<mock::Send> sends) {
        return [this, name = std::move(name),
                sends = std::move(sends)](mock::Api& api) -> mock::Script {
            for (const mock::Send& send : sends) {
                co_await api.send_request(send);
            }
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                note(name, describe(delivery));
            }
        };
    }
    /// Passes each Request on to all of `sends`, with body and blob of its own; notes the rest.
    Script forwards(std::string name, std::vector<mock::Send> sends) {
        return [this, name = std::move(name),
                sends = std::move(sends)](mock::Api& api) -> mock::Script {
            for (;;) {
                const mock::Delivery delivery = co_await api.receive();
                if (delivery.is_error || delivery.is_response) {
                    note(name, describe(delivery));
                    continue;
                }
                for (const mock::Send& send : sends) {
                    co_await api.send_request(send);
                }
            }
        };
    }
    /// Answers each Request with `body`; notes the rest.
    Script answers(std::string name, std::string body) {
        return
            [this, name = std::move(name), body = std::move(body)](mock::Api& api) -> mock::Script {
                for (;;) {
                    const mock::Delivery delivery = co_await api.receive();
                    if (delivery.is_error || delivery.is_response) {
                        note(name, describe(delivery));
                        continue;
                    }
                    const mock::Response response = answer(body);
                    co_await api.send_response(response);
                }
            };
    }

    /// Lets `name` sleep until `at` after the world's beginning; for scripts.
    static mock::Call<mock::Nothing> until(mock::Api& api, Nanoseconds at) {
        return api.sleep_until(static_cast<std::uint64_t>(at.count()));
    }
    Nanoseconds now() { return world.clock().monotonic_now().time_since_epoch(); }

    std::vector<std::pair<std::string, std::string>> notes;  ///< Who and what, in order.
    Probe probe;
    KernelWorld world;

private:
    static KernelWorld::Options with_limits(const KernelLimits& limits) {
        KernelWorld::Options options;
        options.limits = limits;
        return options;
    }
    static KernelWorld::Options complete(KernelWorld::Options options, Probe& probe) {
        options.workers = GetParam();
        options.modules = {&probe};
        return options;
    }

    std::vector<std::string> waiting_;
    std::set<std::string> names_;
};

inline auto worker_counts() {
    return ::testing::Values(std::uint32_t{1}, std::uint32_t{4});
}
inline std::string worker_name(const ::testing::TestParamInfo<std::uint32_t>& info) {
    return info.param == 1 ? "OneWorker" : std::to_string(info.param) + "Workers";
}

}  // namespace perdure::kernel
