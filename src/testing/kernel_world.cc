#include "testing/kernel_world.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/system_clock.h"
#include "storage/content_hash.h"
#include "testing/seeded_random.h"

namespace perdure::testing {

void ManualExecutor::submit(std::function<void()> work) {
    if (immediate_) {
        work();
        return;
    }
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
}

bool ManualExecutor::run_all() {
    bool ran = false;
    for (;;) {
        std::function<void()> work;
        {
            const std::lock_guard lock(mutex_);
            if (queue_.empty()) {
                return ran;
            }
            work = std::move(queue_.front());
            queue_.pop_front();
        }
        work();
        ran = true;
    }
}

void RecordedTerminal::print(kernel::Print print, SequenceNumber seen) {
    if (at_print) {
        at_print(print);
    }
    {
        const std::lock_guard lock(mutex_);
        lines_.push_back({std::move(print), seen});
    }
    changed_.notify_all();
}

std::vector<RecordedTerminal::Line> RecordedTerminal::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

bool RecordedTerminal::wait_for(std::string_view part) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] {
        return std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
            return line.print.text.find(part) != std::string::npos;
        });
    });
}

/// Code of processes that boot reads again: the same mock components.
class KernelWorld::Code final : public kernel::CodeSource {
public:
    Result<Found> read(std::string_view handle) override {
        const auto found = files.find(std::string(handle));
        if (found == files.end() || lost.contains(std::string(handle))) {
            return Error(ErrorCode::NotFound, "no file " + std::string(handle));
        }
        const ByteView bytes = bytes_of(found->second);
        return Found{Bytes(bytes.begin(), bytes.end()), content_hash(bytes)};
    }
    std::map<std::string, std::string> files;
    std::set<std::string> lost;
};

class KernelWorld::Lines final : public LogSink {
public:
    void write(LogLevel, std::string_view line) override { lines.lock()->emplace_back(line); }
    Guarded<std::vector<std::string>> lines;
};

/// The manual clock, for the kernel: tells that it was looked at. Thread: that of the world.
class KernelWorld::WatchedClock final : public Clock {
public:
    explicit WatchedClock(const ManualClock& clock) : clock_(clock) {}
    MonotonicTime monotonic_now() const override {
        looks_.fetch_add(1, std::memory_order_relaxed);
        if (at_look) {
            at_look();
        }
        return clock_.monotonic_now();
    }
    WallTime wall_now() const override { return clock_.wall_now(); }
    /// Thread: any.
    std::uint64_t looks() const { return looks_.load(std::memory_order_relaxed); }

    std::function<void()> at_look;

private:
    const ManualClock& clock_;
    mutable std::atomic<std::uint64_t> looks_{0};
};

KernelWorld::KernelWorld(Options options)
    : options_(std::move(options)),
      executor_(options_.threads == kernel::Kernel::Threads::Real),
      journal_(executor_),
      log_(std::make_unique<Lines>()),
      code_(std::make_unique<Code>()),
      watched_clock_(std::make_unique<WatchedClock>(clock_)),
      next_seed_(options_.seed) {
    build();
}

KernelWorld::~KernelWorld() {
    tear_down();
}

void KernelWorld::build() {
    const Log log(*log_, LogLevel::Debug);
    engine::EngineSettings settings;
    settings.processes_max = options_.processes_max;
    settings.cache = options_.cache;
    auto opened = engine::WasmEngine::open(settings, [](std::uint64_t) {}, log);
    CHECK(opened.has_value(), opened.error().message());
    engine_ = std::move(*opened);
    if (options_.threads == kernel::Kernel::Threads::Real) {
        system_clock_ = std::make_unique<SystemClock>();
    }
    const Clock& clock =
        system_clock_ ? static_cast<const Clock&>(*system_clock_) : *watched_clock_;
    kernel_ = std::make_unique<kernel::Kernel>(
        kernel::KernelOptions{kNode, options_.workers, options_.limits},
        kernel::KernelParts{clock, journal_, *engine_, terminal_, executor_, *code_, log,
                            [this] { return std::make_unique<SeededRandom>(next_seed_++); }});
    kernel_module_ = std::make_unique<kernel::KernelModule>(
        *kernel_, [](ByteView bytes) { return content_hash(bytes); },
        [this] { shut_down_asked_ = true; });
    kernel_->add_module(*kernel_module_);
    for (kernel::RuntimeModule* module : options_.modules) {
        kernel_->add_module(*module);
    }
    if (options_.make_modules) {
        made_modules_ = options_.make_modules(*this);
        for (const auto& module : made_modules_) {
            kernel_->add_module(*module);
        }
    }
    if (options_.threads == kernel::Kernel::Threads::Real) {
        CHECK(kernel_->boot().has_value());
    } else {
        // Boot waits for the pool; here the pool is another thread for that long.
        std::atomic<bool> booted{false};
        std::thread pool([&] {
            while (!booted.load()) {
                executor_.run_all();
                std::this_thread::yield();
            }
        });
        const Result<void> result = kernel_->boot();
        booted.store(true);
        pool.join();
        CHECK(result.has_value(), result.error().message());
    }
    kernel_->start(options_.threads);
}

void KernelWorld::tear_down() {
    kernel_->stop();
    kernel_.reset();
    kernel_module_.reset();
    made_modules_.clear();
    executor_.run_all();  // Guests that are deleted on the pool go before their engine.
    engine_.reset();
}

void KernelWorld::reboot() {
    settle();
    tear_down();
    journal_.sync();
    build();
    settle();
}

void KernelWorld::crash_and_boot() {
    tear_down();
    journal_.crash();
    build();
    settle();
}

void KernelWorld::lose_code(std::string_view id) {
    Causality asker;
    const auto entry = kernel_->debug_process(parse_process_id(id).value()).tell(asker);
    CHECK(entry.has_value(), "there is no process", id);
    code_->lost.insert(entry->wasm_bytes_handle);
}

void KernelWorld::restore_code() {
    code_->lost.clear();
}

Result<void> KernelWorld::initialise_component(std::string_view id, const std::string& wasm,
                                               Guest guest) {
    const std::string handle = "/test:os/pkg/component" + std::to_string(next_script_++) + ".wasm";
    RETURN_IF_ERROR(engine_->load(bytes_of(wasm), content_hash(bytes_of(wasm))));
    enter(id, handle, wasm, std::move(guest));
    return {};
}

void KernelWorld::start_component(std::string_view id, const std::string& wasm, Guest guest) {
    const Result<void> made = initialise_component(id, wasm, std::move(guest));
    CHECK(made.has_value(), made.error().message());
    run(id);
}

void KernelWorld::enter(std::string_view id, const std::string& handle, const std::string& wasm,
                        Guest guest) {
    code_->files[handle] = wasm;
    auto code = engine_->load(bytes_of(wasm), content_hash(bytes_of(wasm)));
    CHECK(code.has_value(), code.error().message());
    kernel::NewProcess process;
    process.id = parse_process_id(id).value();
    process.code_handle = handle;
    process.on_exit = std::move(guest.on_exit);
    process.is_public = guest.is_public;
    process.wit_version = guest.wit_version;
    process.code = std::move(*code);
    for (Capability& capability : guest.capabilities) {
        process.capabilities.push_back({std::move(capability), GrantCause::Manifest, {}, {}, {}});
    }
    const auto made = kernel_->initialise(std::move(process));
    CHECK(made.has_value(), made.error().message());
}

void KernelWorld::run(std::string_view id) {
    const auto ran = kernel_->run(parse_process_id(id).value(), {});
    CHECK(ran.has_value(), ran.error().message());
}

void KernelWorld::grant_messaging(std::string_view holder, std::string_view target) {
    const auto granted =
        kernel_->grant(parse_process_id(holder).value(),
                       {{messaging_of(full_address(target)), GrantCause::Command, {}, {}, {}}});
    CHECK(granted.has_value(), "there is no process", holder);
}

void KernelWorld::connect(std::string_view left, std::string_view right) {
    grant_messaging(left, right);
    grant_messaging(right, left);
}

bool KernelWorld::kill(std::string_view id) {
    std::optional<SequenceNumber> number;
    std::mutex mutex;
    std::condition_variable done;
    bool called = false;
    kernel_->kill(parse_process_id(id).value(), kernel::Worker::Revoke::Issued,
                  [&](std::optional<SequenceNumber> result) {
                      const std::lock_guard lock(mutex);
                      number = result;
                      called = true;
                      done.notify_all();
                  });
    if (options_.threads == kernel::Kernel::Threads::Stepped) {
        settle();
    }
    std::unique_lock lock(mutex);
    CHECK(done.wait_for(lock, std::chrono::minutes(1), [&] { return called; }),
          "kill was not answered");
    return number.has_value();
}

void KernelWorld::settle() {
    CHECK(options_.threads == kernel::Kernel::Threads::Stepped, "settle() is for stepped worlds");
    constexpr int kRoundsMax = 50'000'000;
    for (int round = 0; round < kRoundsMax; ++round) {
        if (!step_once()) {
            return;
        }
    }
    CHECK(false, "the kernel does not come to rest");
}

void KernelWorld::step(int rounds) {
    CHECK(options_.threads == kernel::Kernel::Threads::Stepped, "step() is for stepped worlds");
    for (int round = 0; round < rounds && step_once(); ++round) {
    }
}

bool KernelWorld::step_once() {
    bool worked = executor_.run_all();
    for (std::uint32_t index = 0; index < kernel_->worker_count(); ++index) {
        worked = kernel_->worker(index).step() == kernel::Worker::Did::Work || worked;
    }
    return worked;
}

void KernelWorld::advance(Nanoseconds by) {
    const MonotonicTime end = clock_.monotonic_now() + by;
    settle();
    for (;;) {
        std::optional<MonotonicTime> next;
        for (std::uint32_t index = 0; index < kernel_->worker_count(); ++index) {
            const auto deadline = kernel_->worker(index).next_deadline();
            if (deadline && (!next || *deadline < *next)) {
                next = deadline;
            }
        }
        if (!next || *next > end) {
            break;
        }
        clock_.advance(std::max(Nanoseconds(0), *next - clock_.monotonic_now()));
        settle();
    }
    clock_.advance(end - clock_.monotonic_now());
    settle();
}

void KernelWorld::compute(Nanoseconds by) {
    CHECK(options_.threads == kernel::Kernel::Threads::Stepped, "compute() is for stepped worlds");
    const MonotonicTime end = clock_.monotonic_now() + by;
    watched_clock_->at_look = [this, end] {
        constexpr Nanoseconds kTick = std::chrono::milliseconds(1);
        clock_.advance(std::min(end - clock_.monotonic_now(), kTick));
        for (std::uint32_t index = 0; index < kernel_->worker_count(); ++index) {
            // All workers share one thread here: whoever computes gives way at every tick.
            kernel_->worker(index).post([](kernel::Worker&) {});
        }
        kernel_->tick();
    };
    // A guest that makes no calls looks at the clock when it is asked at a tick.
    std::atomic<bool> over{false};
    std::thread ticker([&] {
        while (!over.load()) {
            const std::uint64_t looks = watched_clock_->looks();
            kernel_->tick();
            // Not for ever: a tick that comes between two slices is seen by nobody.
            constexpr int kYieldsMax = 1000;
            for (int yields = 0;
                 yields < kYieldsMax && !over.load() && watched_clock_->looks() == looks;
                 ++yields) {
                std::this_thread::yield();
            }
        }
    });
    while (clock_.monotonic_now() < end) {
        step_once();
    }
    over.store(true);
    ticker.join();
    watched_clock_->at_look = nullptr;
}

void KernelWorld::let_looks_take(Nanoseconds each) {
    CHECK(options_.threads == kernel::Kernel::Threads::Stepped,
          "let_looks_take() is for stepped worlds");
    watched_clock_->at_look = each == Nanoseconds(0) ? std::function<void()>() : [this, each] {
        constexpr Nanoseconds kTick = std::chrono::milliseconds(1);
        const auto ticks = [&] { return clock_.monotonic_now().time_since_epoch() / kTick; };
        const auto before = ticks();
        clock_.advance(each);
        for (auto tick = before; tick < ticks(); ++tick) {
            kernel_->tick();
        }
    };
}

std::vector<std::string> KernelWorld::prints(std::uint8_t level) const {
    std::vector<std::string> texts;
    for (const RecordedTerminal::Line& line : terminal_.lines()) {
        if (line.print.level <= level) {
            texts.push_back(line.print.text);
        }
    }
    return texts;
}

std::vector<std::string> KernelWorld::prints_of(std::string_view id, std::uint8_t level) const {
    const ProcessId source = parse_process_id(id).value();
    const std::string prefix = source.package + ":" + source.publisher + ": ";
    std::vector<std::string> texts;
    for (const RecordedTerminal::Line& line : terminal_.lines()) {
        if (line.print.source == source && line.print.level <= level) {
            texts.push_back(line.print.text.starts_with(prefix)
                                ? line.print.text.substr(prefix.size())
                                : line.print.text);
        }
    }
    return texts;
}

SequenceNumber KernelWorld::number_of(std::string_view part) const {
    for (const RecordedTerminal::Line& line : terminal_.lines()) {
        if (line.print.text.find(part) != std::string::npos) {
            return line.seen;
        }
    }
    CHECK(false, "nothing was printed that contains", part);
    return {};
}

std::vector<std::string> KernelWorld::log_lines() const {
    return *log_->lines.lock();
}

std::optional<kernel::ProcessStatus> KernelWorld::status(std::string_view id) {
    const ProcessId wanted = parse_process_id(id).value();
    Causality asker;
    for (kernel::ProcessStatus& status : kernel_->processes().tell(asker)) {
        if (status.id == wanted) {
            return status;
        }
    }
    return std::nullopt;
}

Address KernelWorld::full_address(std::string_view id) {
    return {kNode, parse_process_id(id).value()};
}

}  // namespace perdure::testing
