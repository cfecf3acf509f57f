/// What the engine costs by itself, behind the kernel's interface but without a kernel: calls of
/// the host, polls, starts, kills, memory given back, code from the cache. Guests meet a host that
/// answers at once and remembers nothing.

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench_node.h"
#include "engine/engine.h"
#include "kernel/host_calls.h"
#include "report.h"
#include "storage/content_hash.h"

namespace perdure::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
using kernel::CallStatus;
using kernel::PollOutcome;
using kernel::Resume;

double ns_since(SteadyClock::time_point start) {
    return std::chrono::duration<double, std::nano>(SteadyClock::now() - start).count();
}

/// Hands over one Request, then lets its guest wait.
class BareHost final : public kernel::HostCalls {
public:
    /// What `receive` hands over next; stays valid until then.
    void give(std::string_view body) {
        body_ = body;
        waiting_ = true;
    }

    std::string_view fault_text() override { return {}; }
    kernel::TickDecision on_tick() override { return kernel::TickDecision::Continue; }
    void print(std::uint8_t, std::string_view) override {}
    kernel::AddressView our() override { return kSelf; }
    kernel::OnExitView get_on_exit() override { return {}; }
    CallStatus set_on_exit(const kernel::OnExitView&) override { return CallStatus::Ready; }
    bool has_blob() override { return false; }
    CallStatus send_requests(std::span<const kernel::SendView>) override {
        return CallStatus::Ready;
    }
    CallStatus send_response(const kernel::ResponseView&,
                             const std::optional<kernel::BlobView>&) override {
        return CallStatus::Ready;
    }
    CallStatus receive(Resume, kernel::DeliveryView& out) override {
        if (!std::exchange(waiting_, false)) {
            return CallStatus::Pending;
        }
        out.kind = kernel::DeliveryView::Kind::Request;
        out.peer = kSelf;
        out.request.body = bytes_of(body_);
        return CallStatus::Ready;
    }
    CallStatus send_and_await(Resume, const kernel::SendView*, kernel::DeliveryView&) override {
        return CallStatus::Pending;
    }
    CallStatus get_blob(Resume, kernel::BlobOf, std::optional<kernel::BlobView>&) override {
        return CallStatus::Ready;
    }
    CallStatus get_state(Resume, std::optional<ByteView>&) override { return CallStatus::Ready; }
    CallStatus set_state(Resume, ByteView) override { return CallStatus::Ready; }
    CallStatus clear_state(Resume) override { return CallStatus::Ready; }
    CallStatus save_capabilities(Resume, std::span<const kernel::CapabilityView>) override {
        return CallStatus::Ready;
    }
    CallStatus drop_capabilities(Resume, std::span<const kernel::CapabilityView>) override {
        return CallStatus::Ready;
    }
    CallStatus our_capabilities(Resume, std::span<const kernel::CapabilityView>&) override {
        return CallStatus::Ready;
    }
    CallStatus spawn(Resume, const kernel::SpawnView*, kernel::SpawnError&) override {
        return CallStatus::Ready;
    }
    void write_output(kernel::OutputStream, ByteView) override {}
    void random(std::span<Byte> out, kernel::RandomUse) override {
        std::fill(out.begin(), out.end(), Byte{7});
    }
    std::uint64_t monotonic_ns() override { return 1; }
    void wall_clock(std::uint64_t& seconds, std::uint32_t& nanoseconds) override {
        seconds = 1;
        nanoseconds = 0;
    }
    CallStatus sleep_until(Resume, std::uint64_t) override { return CallStatus::Pending; }

private:
    static constexpr kernel::AddressView kSelf{"perdure.os", {"guest", "bench", "bench.os"}};
    std::string body_;
    bool waiting_ = false;
};

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    if (!file) {
        give_up(path + " cannot be read");
    }
    return std::move(bytes).str();
}

std::string fixture(std::string_view name) {
    return read_file(std::string(PERDURE_SOURCE_DIR) + "/guests/fixtures/" + std::string(name) +
                     ".wasm");
}

using Guest = std::unique_ptr<kernel::Guest>;

class BareEngine {
public:
    explicit BareEngine(std::uint32_t processes_max,
                        std::optional<engine::CodeCache> cache = std::nullopt)
        : BareEngine(
              engine::EngineSettings{.processes_max = processes_max, .cache = std::move(cache)}) {}
    explicit BareEngine(const engine::EngineSettings& settings) {
        auto opened =
            engine::WasmEngine::open(settings, [](std::uint64_t) {}, Log(quiet_, LogLevel::Error));
        if (!opened) {
            give_up(opened.error().message());
        }
        engine_ = std::move(*opened);
        engine_->prepare_thread();
    }

    engine::WasmEngine& engine() { return *engine_; }
    std::shared_ptr<const kernel::Code> load(const std::string& wasm) {
        auto code = engine_->load(bytes_of(wasm), content_hash(bytes_of(wasm)));
        if (!code) {
            give_up(code.error().message());
        }
        return std::move(*code);
    }
    Guest make(const std::shared_ptr<const kernel::Code>& code,
               const kernel::GuestLimits& limits = {}) {
        auto guest = engine_->instantiate(code, host, 1, "perdure.os@guest:bench:bench.os", limits);
        if (!guest) {
            give_up(guest.error().message());
        }
        return std::move(*guest);
    }
    /// To the first `receive`.
    Guest start(const std::shared_ptr<const kernel::Code>& code) {
        Guest guest = make(code);
        if (guest->poll() != PollOutcome::Blocked) {
            give_up("a guest did not get to receive");
        }
        return guest;
    }

    BareHost host;

private:
    Quiet quiet_;
    std::unique_ptr<engine::WasmEngine> engine_;
};

/// How fast this machine is just now.
double clock_read_ns() {
    std::vector<double> samples;
    for (int round = 0; round < 100; ++round) {
        constexpr int kCount = 1000;
        const auto start = SteadyClock::now();
        auto last = start;
        for (int i = 1; i < kCount; ++i) {
            last = std::max(last, SteadyClock::now());
        }
        samples.push_back(std::chrono::duration<double, std::nano>(last - start).count() / kCount);
    }
    return median_of(std::move(samples));
}

void report_beside_clock(Figure figure) {
    figure.unit = "ns";
    figure.peer = "clock_read";
    figure.peer_value = clock_read_ns();
    report(figure);
}

/// One call, from the guest's loop to the host and back.
void host_call(BareEngine& bare, kernel::Guest& guest, const std::string& call, Figure figure) {
    constexpr int kCount = 10'000;
    std::vector<double> samples;
    for (int round = 0; round < 400; ++round) {
        bare.host.give(call + " " + std::to_string(kCount));
        const auto start = SteadyClock::now();
        if (guest.poll() != PollOutcome::Blocked) {
            give_up("the guest did not come back to receive");
        }
        samples.push_back(ns_since(start) / kCount);
    }
    figure.value = spread_of(std::move(samples));
    figure.leaves_out = "what a kernel does; each sample is the mean of 10 000 calls";
    report_beside_clock(std::move(figure));
}

void host_calls() {
    BareEngine bare(8);
    const Guest guest = bare.start(bare.load(fixture("bench")));
    host_call(bare, *guest, "has-blob", {.name = "host_call_sync", .goal = 30, .limit = 45});
    host_call(bare, *guest, "get-blob", {.name = "host_call_ready", .goal = 60, .limit = 90});
    host_call(bare, *guest, "print", {.name = "host_call_print", .goal = 60});
    host_call(bare, *guest, "our", {.name = "host_call_our"});
}

/// Guests that wait, polled in turns without a reason.
void poll_blocked(int count, std::optional<double> goal) {
    BareEngine bare(static_cast<std::uint32_t>(count) + 1);
    const auto code = bare.load(fixture("idle"));
    std::vector<Guest> guests;
    for (int i = 0; i < count; ++i) {
        guests.push_back(bare.start(code));
    }
    std::vector<double> samples;
    const int laps = 10'000 / count;
    for (int round = 0; round < 400; ++round) {
        const auto start = SteadyClock::now();
        for (int lap = 0; lap < laps; ++lap) {
            for (const Guest& guest : guests) {
                guest->poll();
            }
        }
        samples.push_back(ns_since(start) / (laps * count));
    }
    report_beside_clock({.name = "poll_blocked_" + std::to_string(count),
                         .value = spread_of(std::move(samples)),
                         .goal = goal,
                         .leaves_out = "what a kernel does; each sample is the mean of 10 000"});
}

std::optional<double> erlang_spawn_us() {
    return ask_erlang(
        "L = fun L(0) -> ok; L(N) -> spawn(fun() -> receive stop -> ok end end), L(N-1) end, "
        "L(10000), {T, _} = timer:tc(fun() -> L(100000) end), "
        "io:format(\"~f~n\", [T / 100000])");
}

double thread_start_us() {
    std::vector<double> samples;
    for (int i = 0; i < 200; ++i) {
        const auto start = SteadyClock::now();
        std::thread([] {}).join();
        samples.push_back(ns_since(start) / 1e3);
    }
    return median_of(std::move(samples));
}

/// Slots that have just been given back.
void start_warm() {
    constexpr int kRounds = 100;
    constexpr int kPerRound = 200;
    BareEngine bare(64);
    const auto code = bare.load(fixture("idle"));
    std::vector<double> starts;
    std::vector<double> deletions;
    std::vector<double> rates;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = SteadyClock::now();
        for (int i = 0; i < kPerRound; ++i) {
            auto start = SteadyClock::now();
            Guest guest = bare.start(code);
            starts.push_back(ns_since(start) / 1e3);
            start = SteadyClock::now();
            guest.reset();
            deletions.push_back(ns_since(start) / 1e3);
        }
        rates.push_back(kPerRound / (ns_since(begin) / 1e9));
    }
    const std::optional<double> erlang = erlang_spawn_us();
    Figure figure{.name = "start_warm", .unit = "us", .goal = 6, .limit = 10};
    figure.value = spread_of(std::move(starts));
    figure.peer = "erlang_spawn";
    figure.peer_value = erlang;
    figure.leaves_out = "what a kernel does; from nothing to the first receive";
    report(figure);
    figure.name = "delete_suspended";
    figure.value = spread_of(std::move(deletions));
    figure.limit.reset();
    figure.leaves_out = "what a kernel does";
    report(figure);
    Figure rate{.name = "starts_per_second", .unit = "per_s", .goal = 80'000};
    rate.value = single(median_of(std::move(rates)));
    rate.peer = "erlang_spawn";
    if (erlang) {
        rate.peer_value = 1e6 / *erlang;
    }
    rate.leaves_out = "what a kernel does; each start with its deletion, on one thread";
    report(rate);
}

/// Slots that nobody has used.
void start_cold() {
    constexpr int kCount = 2000;
    BareEngine bare(kCount + 1);
    const auto code = bare.load(fixture("idle"));
    std::vector<Guest> guests;
    std::vector<double> samples;
    for (int i = 0; i < kCount; ++i) {
        const auto start = SteadyClock::now();
        guests.push_back(bare.start(code));
        samples.push_back(ns_since(start) / 1e3);
    }
    report({.name = "start_cold",
            .unit = "us",
            .value = spread_of(std::move(samples)),
            .goal = 45,
            .limit = 60,
            .peer = "thread_start_and_join",
            .peer_value = thread_start_us(),
            .leaves_out = "what a kernel does; page faults are in it"});
}

/// A guest that traps at once: its end, its deletion and the next one's start.
void restart() {
    BareEngine bare(64);
    const auto code = bare.load(fixture("text-unreachable"));
    std::vector<double> samples;
    Guest guest = bare.make(code);
    for (int i = 0; i < 20'000; ++i) {
        const auto start = SteadyClock::now();
        if (guest->poll() != PollOutcome::Done ||
            guest->exit().reason != kernel::ExitReason::Trapped) {
            give_up("the guest did not trap");
        }
        guest.reset();
        guest = bare.make(code);
        samples.push_back(ns_since(start) / 1e3);
    }
    report({.name = "restart",
            .unit = "us",
            .value = spread_of(std::move(samples)),
            .goal = 15,
            .limit = 30,
            .peer = "thread_start_and_join",
            .peer_value = thread_start_us(),
            .leaves_out = "what a kernel does; trap and backtrace are in it"});
}

/// From the call until a guest that computes has ended, with a tick each millisecond.
void kill_running() {
    BareEngine bare(8);
    const auto code = bare.load(fixture("text-loop"));
    std::jthread ticker([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            bare.engine().tick();
        }
    });
    std::vector<double> samples;
    for (int round = 0; round < 200; ++round) {
        const Guest guest = bare.make(code);
        std::atomic<bool> begins{false};
        SteadyClock::time_point ended;
        std::thread worker([&] {
            bare.engine().prepare_thread();
            begins.store(true);
            while (guest->poll() != PollOutcome::Done) {
            }
            ended = SteadyClock::now();
        });
        while (!begins.load()) {
            std::this_thread::yield();
        }
        std::this_thread::sleep_for(std::chrono::microseconds(100 * (round % 20)));
        const auto start = SteadyClock::now();
        guest->kill();
        worker.join();
        samples.push_back(std::chrono::duration<double, std::micro>(ended - start).count());
    }
    report({.name = "kill_running",
            .unit = "us",
            .value = spread_of(std::move(samples)),
            .limit = 100'000,
            .peer = "tick",
            .peer_value = 1000,
            .leaves_out = "what a kernel does",
            .judged = Judged::Max,
            .scenario = "E-8"});
}

/// The same pages, touched and given back without an engine.
double unmap_us_per_mib(std::size_t mib) {
    const std::size_t size = mib << 20;
    void* memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        give_up("no memory");
    }
    for (std::size_t at = 0; at < size; at += 4096) {
        static_cast<volatile char*>(memory)[at] = 1;
    }
    const auto start = SteadyClock::now();
    ::munmap(memory, size);
    return ns_since(start) / 1e3 / static_cast<double>(mib);
}

void release_memory() {
    constexpr std::uint64_t kMib = 256;
    BareEngine bare(8);
    const auto code = bare.load(fixture("memory-hog"));
    std::vector<double> samples;
    std::vector<double> raw;
    for (int round = 0; round < 20; ++round) {
        Guest guest = bare.make(code, {.memory_bytes = kMib << 20});
        while (guest->poll() != PollOutcome::Done) {
        }
        const double mib = static_cast<double>(guest->usage().memory_bytes >> 20);
        const auto start = SteadyClock::now();
        guest.reset();
        samples.push_back(ns_since(start) / 1e3 / mib);
        raw.push_back(unmap_us_per_mib(kMib));
    }
    report({.name = "release_memory",
            .unit = "us",
            .value = spread_of(std::move(samples)),
            .peer = "munmap",
            .peer_value = median_of(std::move(raw)),
            .leaves_out = "nothing; for each MiB of a guest that touched 256"});
}

class TemporaryFolder {
public:
    TemporaryFolder()
        : path_((std::filesystem::temp_directory_path() / "perdure-bench-XXXXXX").string()) {
        if (mkdtemp(path_.data()) == nullptr) {
            give_up("no folder below the temporary one");
        }
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

void cache_load() {
    const TemporaryFolder folder;
    const engine::CodeCache cache{folder.path() + "/code", {1, 2, 3}};
    const std::string wasm = fixture("counter-rust");
    const auto start = SteadyClock::now();
    {
        BareEngine(8, cache).load(wasm);
    }
    const double compile_ms = ns_since(start) / 1e6;
    std::vector<double> samples;
    std::vector<double> opening;
    std::vector<double> reads;
    for (int round = 0; round < 50; ++round) {
        auto begin = SteadyClock::now();
        BareEngine bare(8, cache);
        opening.push_back(ns_since(begin) / 1e6);
        begin = SteadyClock::now();
        const auto code = bare.load(wasm);
        samples.push_back(ns_since(begin) / 1e6);
        if (bare.engine().stats().disk_hits_total != 1) {
            give_up("the code did not come from the cache");
        }
        begin = SteadyClock::now();
        for (const auto& file : std::filesystem::recursive_directory_iterator(cache.directory)) {
            if (file.is_regular_file()) {
                read_file(file.path());
            }
        }
        reads.push_back(ns_since(begin) / 1e6);
    }
    report({.name = "cache_load",
            .unit = "ms",
            .value = spread_of(std::move(samples)),
            .goal = 0.2,
            .limit = 2,
            .peer = "read_file",
            .peer_value = median_of(std::move(reads)),
            .leaves_out = "the content hash; a component of 100 KB"});
    report({.name = "engine_open_and_compile",
            .unit = "ms",
            .value = single(compile_ms),
            .peer = "engine_open",
            .peer_value = median_of(std::move(opening)),
            .leaves_out = "nothing; the same component, on two threads"});
}

/// What it costs guests that compute to look whether their slice has ended. No tick comes.
void epoch_overhead() {
    BareEngine with({.processes_max = 8});
    BareEngine without({.processes_max = 8, .no_epochs = true});
    const std::string wasm = fixture("kernels");
    const Guest checked = with.start(with.load(wasm));
    const Guest unchecked = without.start(without.load(wasm));
    const auto run_ms = [](BareEngine& bare, kernel::Guest& guest, const std::string& kernel) {
        bare.host.give(kernel);
        const auto start = SteadyClock::now();
        if (guest.poll() != PollOutcome::Blocked) {
            give_up("a kernel did not come back to receive");
        }
        return ns_since(start) / 1e6;
    };
    for (const std::string kernel : {"fnv", "fibonacci", "sieve", "matrix"}) {
        std::vector<double> samples;
        std::vector<double> peers;
        for (int round = 0; round < 40; ++round) {
            samples.push_back(run_ms(with, *checked, kernel));
            peers.push_back(run_ms(without, *unchecked, kernel));
        }
        report({.name = "epoch_overhead_" + kernel,
                .unit = "ms",
                .value = spread_of(std::move(samples)),
                .peer = "no_epochs",
                .peer_value = median_of(std::move(peers)),
                .leaves_out = "ticks"});
    }
}

int main() {
    host_calls();
    poll_blocked(1, 200);
    poll_blocked(100, 200);
    poll_blocked(2000, std::nullopt);
    start_warm();
    start_cold();
    restart();
    kill_running();
    release_memory();
    cache_load();
    epoch_overhead();
    return 0;
}

}  // namespace
}  // namespace perdure::bench

int main() {
    return perdure::bench::main();
}
