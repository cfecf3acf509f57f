/// The engine's figures (E-16) with a ceiling of ten times their limits, on whatever machine this
/// runs. The figures themselves are those of the benches `engine`, `messages` and `life`.

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>

#include "scripted_components.h"

namespace perdure::conformance {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

/// Sends a Request and waits for its Response; goes by the id of `vfs`, which may message every
/// process (K-95).
class Asker final : public kernel::RuntimeModule {
public:
    const ProcessId& id() const override { return id_; }
    void handle(kernel::IncomingRequest) override {}
    void handle(kernel::IncomingResponse response) override {
        const std::lock_guard lock(mutex_);
        answer_ = std::string(response.response.body.text());
        answered_.notify_all();
    }
    std::string ask(KernelWorld& world, std::string_view name, const std::string& body) {
        answer_.clear();
        Request request;
        request.body = SharedBytes(body);
        request.expects_response = 60;
        const auto sent = world.kernel().send(*this, KernelWorld::full_address(id_of(name)),
                                              std::move(request), std::nullopt, {});
        std::unique_lock lock(mutex_);
        if (!sent || !answered_.wait_for(lock, std::chrono::minutes(1),
                                         [this] { return !answer_.empty(); })) {
            ADD_FAILURE() << name << " does not answer " << body;
        }
        return answer_;
    }

private:
    const ProcessId id_ = parse_process_id("vfs:distro:sys").value();
    std::mutex mutex_;
    std::condition_variable answered_;
    std::string answer_;
};

class Figures : public ::testing::Test {
protected:
    void add(const std::string& name, std::string_view component) {
        KernelWorld::Guest guest;
        guest.is_public = true;
        guest.on_exit = OnExit::restart();
        world.start_component(id_of(name), fixture(component), guest);
    }
    static double median(std::vector<double> samples) {
        std::sort(samples.begin(), samples.end());
        return samples[samples.size() / 2];
    }
    static std::uint64_t resident_bytes() {
        std::uint64_t size = 0;
        std::uint64_t resident = 0;
        std::ifstream("/proc/self/statm") >> size >> resident;
        return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    }

    Asker asker;
    KernelWorld world{options(asker)};

private:
    static KernelWorld::Options options(Asker& asker) {
        KernelWorld::Options options;
        options.threads = kernel::Kernel::Threads::Real;
        options.modules = {&asker};
        options.processes_max = 1'000;
        return options;
    }
    RealTicks ticks_{world};
};

constexpr double kCeiling = 10;

TEST_F(Figures, E16_ARequestAndItsReplyStayUnderTenTimesTheLimit) {
    add("ping", "bench");
    add("pong", "bench");
    constexpr int kCount = 1'000;
    std::vector<double> samples;
    for (int round = 0; round < 11; ++round) {
        const std::string answer = asker.ask(
            world, "ping",
            "await " + std::to_string(kCount) + " 64 " + KernelWorld::kNode + "@" + id_of("pong"));
        ASSERT_THAT(answer, StartsWith("ns="));
        samples.push_back(std::stod(answer.substr(3)) / kCount);
    }
    EXPECT_LE(median(samples), kCeiling * 3'000) << "ns";
}

TEST_F(Figures, E16_AStartARestartAndAnIdleProcessStayUnderTenTimesTheLimits) {
    constexpr int kProcesses = 300;
    add("first", "idle");  // compiles
    const std::uint64_t before = resident_bytes();
    std::vector<double> starts;
    for (int i = 0; i < kProcesses; ++i) {
        const auto begin = SteadyClock::now();
        add("idle" + std::to_string(i), "idle");
        starts.push_back(Microseconds(SteadyClock::now() - begin).count());
    }
    EXPECT_LE(median(starts), kCeiling * 60) << "us for a start";

    std::vector<double> restarts;
    for (int i = 0; i < kProcesses; ++i) {
        std::mutex mutex;
        std::condition_variable done;
        bool called = false;
        std::optional<SequenceNumber> number;
        const auto begin = SteadyClock::now();
        world.kernel().restart(parse_process_id(id_of("idle" + std::to_string(i))).value(),
                               [&](std::optional<SequenceNumber> result) {
                                   const std::lock_guard lock(mutex);
                                   number = result;
                                   called = true;
                                   done.notify_all();
                               });
        std::unique_lock lock(mutex);
        ASSERT_TRUE(done.wait_for(lock, std::chrono::minutes(1), [&] { return called; }));
        ASSERT_TRUE(number.has_value());
        restarts.push_back(Microseconds(SteadyClock::now() - begin).count());
    }
    EXPECT_LE(median(restarts), kCeiling * 30) << "us for a restart";
    const std::uint64_t after = resident_bytes();
    EXPECT_LE((after - std::min(before, after)) / kProcesses, kCeiling * 80 * 1024)
        << "bytes of an idle process";
}

}  // namespace
}  // namespace perdure::conformance
