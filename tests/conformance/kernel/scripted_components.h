#pragma once

/// Real components in a `KernelWorld`: processes that run the fixture `script`, told what to do by
/// programs, and what they report (guests/script/README.md).
///
/// Processes have short names: `b` is `b:test:os`, in programs `{b}` stands for its address.
/// Reports are shortened the same way. Programs come from a runtime module that every process may
/// answer; it goes by the id of `vfs`, which may message every process (K-95). Sending a program
/// leaves its process as good as fresh.
///
/// ```cpp
/// start({"a", "b"});
/// tell("b", "receive\n respond body=r");
/// tell("a", "send {b} expect=5\n receive");
/// EXPECT_THAT(of("a"), ElementsAre("2 response source=b inherit=0 body=r", "2 done"));
/// ```

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "testing/kernel_world.h"

namespace perdure::conformance {

using ::testing::_;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::KernelWorld;
using ::testing::Not;
using ::testing::StartsWith;

/// The kernel as programs name it.
inline constexpr const char* kKernelTarget = "n.os@kernel:distro:sys";

inline constexpr Nanoseconds kInstant{1};
inline constexpr Nanoseconds kMillisecond = std::chrono::milliseconds(1);
inline constexpr Nanoseconds kSecond = std::chrono::seconds(1);

/// The bytes of `guests/fixtures/<name>.wasm`.
const std::string& fixture(std::string_view name);

std::string id_of(std::string_view name);

/// Sends programs and takes reports.
class Driver final : public kernel::RuntimeModule {
public:
    const ProcessId& id() const override { return id_; }
    bool is_public() const override { return true; }
    void handle(kernel::IncomingRequest request) override;
    void handle(kernel::IncomingResponse response) override;

    /// Everything that came: the short name of its source, and its body.
    std::vector<std::pair<std::string, std::string>> reports;
    std::vector<kernel::IncomingResponse> responses;
    /// Whether Requests that want an answer get one at once, with their own body and blob.
    std::function<void(const kernel::IncomingRequest&)> answer;

private:
    const ProcessId id_ = parse_process_id("vfs:distro:sys").value();
};

class ScriptedComponents : public ::testing::Test {
protected:
    using Guest = KernelWorld::Guest;

    explicit ScriptedComponents(KernelWorld::Options options = {});

    /// Starts a process and runs it until it waits. Nobody may message it yet.
    void add(std::string_view name, std::string_view component = "script", Guest guest = {});
    /// Starts a process for each name, all on the fixture `script`, and connects everybody.
    void start(const std::vector<std::string>& names);
    /// Everybody who is there may message everybody.
    void connect();
    /// Starts a process that runs `program` before it receives anything, and prints its reports.
    void boot(std::string_view name, std::string_view program);
    /// The same without running it, as `guest`.
    void prepare_boot(std::string_view name, std::string_view program, Guest guest = {});
    /// Sends `program` to `name`; then as `settle`.
    void tell(std::string_view name, std::string_view program);
    /// The same without letting anything run.
    void post(std::string_view name, std::string_view program);
    /// `tell` with a Request of any shape.
    void send(std::string_view name, Request request, std::optional<Blob> blob = {});
    /// Sends a command to the kernel and gives its answer; nothing when none came at once.
    std::optional<std::string> command(const std::string& body, std::optional<Blob> blob = {});

    void settle() { world.settle(); }
    void advance(Nanoseconds by) { world.advance(by); }
    Nanoseconds now() { return world.clock().monotonic_now().time_since_epoch(); }

    /// The reports of `name` since they were last asked for.
    std::vector<std::string> of(std::string_view name);
    /// What it printed, all of it, without the prefix.
    std::vector<std::string> said(std::string_view name);
    std::vector<std::string> kernel_said(std::uint8_t level = 255) {
        return world.prints_of("kernel:distro:sys", level);
    }
    bool exists(std::string_view name) { return world.status(id_of(name)).has_value(); }
    std::uint64_t starts(std::string_view name) { return world.status(id_of(name))->starts; }
    std::uint64_t crashes(std::string_view name) { return world.status(id_of(name))->crashes; }
    std::optional<std::string> stored_state(std::string_view name) {
        return world.journal().stored(Family::ProcessState, id_of(name));
    }
    bool holds(std::string_view name, const Capability& capability);

    Driver driver;
    KernelWorld world;

private:
    static KernelWorld::Options complete(KernelWorld::Options options, Driver& driver);

    std::set<std::string> names_;
};

/// The parameter is the number of workers.
class OnWorkers : public ScriptedComponents, public ::testing::WithParamInterface<std::uint32_t> {
protected:
    explicit OnWorkers(KernelWorld::Options options = {})
        : ScriptedComponents(with_workers(std::move(options))) {}

private:
    static KernelWorld::Options with_workers(KernelWorld::Options options) {
        options.workers = GetParam();
        return options;
    }
};
inline auto worker_counts() {
    return ::testing::Values(std::uint32_t{1}, std::uint32_t{4});
}
inline std::string worker_name(const ::testing::TestParamInfo<std::uint32_t>& info) {
    return info.param == 1 ? "OneWorker" : std::to_string(info.param) + "Workers";
}

/// The ticks that a node with real threads has, one a millisecond. Its end stops the kernel.
class RealTicks {
public:
    explicit RealTicks(KernelWorld& world) : world_(world) {}
    ~RealTicks() {
        world_.kernel().stop();  // While there are ticks: guests that compute see nothing else.
        over_.store(true);
        ticker_.join();
    }

private:
    KernelWorld& world_;
    std::atomic<bool> over_{false};
    std::thread ticker_{[this] {
        while (!over_.load()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            world_.tick();
        }
    }};
};

/// What a report shows of `size` bytes of which the i-th is i mod 256, when they are too many for
/// it.
std::string shown_pattern(std::size_t size);
/// Blanks, newlines, percent signs and a leading # or @ as the words of a program have them.
std::string escaped(std::string_view text);

/// A capability whose issuer is `name`.
Capability capability(std::string_view name, std::string_view params);
Capability messaging(std::string_view name);

// Commands to the kernel, as JSON without blanks, so that programs can hold them.
std::string initialise_command(std::string_view name, std::string_view on_exit = R"("None")");
std::string run_command(std::string_view name);
std::string kill_command(std::string_view name);
/// The code in an InitializeProcess.
Blob code_of(std::string_view component);

}  // namespace perdure::conformance
