#include "soak.h"

#include <fmt/format.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "../functional/package_dir.h"
#include "base/check.h"
#include "base/system_clock.h"
#include "base/system_random.h"
#include "engine/engine.h"
#include "kernel/kernel.h"
#include "node/node.h"
#include "testing/seeded_random.h"

namespace perdure::soak {
namespace {

constexpr std::uint64_t kPackages = 6;
constexpr std::uint64_t kProcessesEach = 8;
constexpr std::uint64_t kRequestsAtOnce = 128;
constexpr std::uint64_t kBodyBytesMax = 1 << 20;
/// How long what still has a deadline may take to come to its end.
constexpr std::chrono::seconds kRestMax{60};

class NoLines final : public LogSink {
public:
    void write(LogLevel, std::string_view) override {}
};

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t all = 0, resident = 0;
    file >> all >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Calls and waits for the answer.
template <typename T>
Result<T> wait_for(const std::function<void(node::Done<T>)>& call) {
    std::promise<Result<T>> promise;
    auto answer = promise.get_future();
    call([&promise](Result<T> result) { promise.set_value(std::move(result)); });
    return answer.get();
}

/// Requests that have not been answered yet.
class Unanswered {
public:
    /// Waits until there is room for one more.
    void begin() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return count_ < kRequestsAtOnce; });
        ++count_;
    }
    void end() {
        const std::lock_guard lock(mutex_);
        --count_;
        changed_.notify_all();
    }
    /// How many there are when none is left or the time is up.
    std::uint64_t wait_for_none(std::chrono::seconds time) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, time, [&] { return count_ == 0; });
        return count_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t count_ = 0;
};

class Soak {
public:
    explicit Soak(const Work& work) : work_(work), random_(work.seed), files_(make_posix_files()) {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "perdure-soak-XXXXXX").string();
        directory_ = mkdtemp(pattern.data());
        start_node();
        for (std::uint64_t package = 0; package < kPackages; ++package) {
            make_package(package);
        }
    }
    ~Soak() {
        node_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    Done run() {
        const auto third = work_.time / 3;
        const MonotonicTime begin = clock_.monotonic_now();
        for (std::uint64_t package = 0; package < kPackages; ++package) {
            install(package);
        }
        work_until(begin + third);
        done_.resident_after_first_third = resident_bytes();
        if (work_.leak) {
            leaked_.assign(resident_bytes_max(), 'x');
        }
        work_until(begin + work_.time);
        done_.resident_after_last_third = resident_bytes();
        remove_all();
        look();
        return std::move(done_);
    }

private:
    std::uint64_t resident_bytes_max() const {
        return kGrowthFactorMax * done_.resident_after_first_third + kWriteBufferBytes;
    }

    void start_node() {
        node::SettingSources sources;
        sources.home = directory_ + "/home";
        sources.home_origin = "flag --home";
        sources.hardware_threads = std::max(2U, std::thread::hardware_concurrency());
        sources.flags.push_back({"http.port", "0", "--http-port"});
        auto settings = node::load_settings(sources);
        CHECK(settings.has_value(), settings.error().message());
        const auto ended = [](int, const std::string& why) { CHECK(false, "node ended", why); };
        const auto random = [] { return std::make_unique<SystemRandom>(); };
        auto started = node::Node::start(std::move(*settings),
                                         {clock_, *files_, no_lines_, {}, ended, random});
        CHECK(started.has_value(), started.error().message());
        node_ = std::move(*started);
    }

    static std::string name(std::uint64_t package) { return "soak" + std::to_string(package); }
    std::string any_process() {
        return fmt::format("p{}:{}:test.os", random_.below(kProcessesEach),
                           name(random_.below(kPackages)));
    }
    void make_package(std::uint64_t package) {
        std::vector<functional::PackagedProcess> processes;
        for (std::uint64_t index = 0; index < kProcessesEach; ++index) {
            processes.push_back({.name = fmt::format("p{}", index),
                                 .fixture = "script",
                                 .on_exit = index % 2 == 0 ? "\"Restart\"" : "\"None\"",
                                 .is_public = true});
        }
        functional::make_package(directory_, name(package), processes);
    }

    /// Requests of the guest `script` (guests/script/README.md).
    std::string program() {
        const std::string other = "our@" + any_process();
        const std::uint64_t size = std::uint64_t{1} << random_.below(21);
        switch (random_.below(18)) {
            case 0: return "trap";
            case 1: return "panic random%20work";
            case 2: return "exit 3";
            case 3: return "return";
            case 4: return "recurse 0";
            case 5: return fmt::format("allocate {}", 8 * size);
            case 6: return fmt::format("set-state #{}", size);
            case 7: return "clear-state";
            case 8: return "count-state";
            case 9: return fmt::format("sleep {}", random_.below(500));
            case 10: return fmt::format("spin {}", random_.below(20));
            case 11:
                return fmt::format("send our@timer:distro:sys expect=5 body={{\"SetTimer\":{}}}",
                                   random_.below(1'000));
            // Messages that wait in a mailbox, their own or another's, while their owner does not
            // look.
            case 12: return "repeat 200\nsend self body=report%20none\nend\nsleep 200";
            case 13:
                return fmt::format("repeat 50\nsend {} blob=#{} body=report%20none\nend", other,
                                   size / 16);
            case 14: return fmt::format("send {} expect=1 body=sleep%20300\nreceive", other);
            case 15: return fmt::format("await {} expect=1 blob=#{} body=our", other, size);
            case 16: return "repeat 20\nprint 3 %i\nend";
            default: return ";" + std::string(std::min(size, kBodyBytesMax - 1), 'x');
        }
    }

    void work_until(MonotonicTime end) {
        while (clock_.monotonic_now() < end) {
            step();
        }
    }
    void step() {
        ++done_.steps;
        const std::uint64_t draw = random_.below(100);
        if (draw < 4) {
            install(random_.below(kPackages));
        } else if (draw < 7) {
            remove(random_.below(kPackages));
        } else if (draw < 12) {
            ++done_.kills;
            may_be_absent(wait_for<void>(
                [&](node::Done<void> answer) { node_->kill(any_process(), std::move(answer)); }));
        } else if (draw < 17) {
            ++done_.restarts;
            may_be_absent(wait_for<void>([&](node::Done<void> answer) {
                node_->restart(any_process(), std::move(answer));
            }));
        } else {
            ask();
        }
    }
    void install(std::uint64_t package) {
        ++done_.installs;
        const auto installed = wait_for<node::StartedPackage>([&](auto answer) {
            node_->start_package(directory_ + "/" + name(package), std::move(answer));
        });
        CHECK(installed.has_value(), installed.error().message());
    }
    void remove(std::uint64_t package) {
        ++done_.removals;
        may_be_absent(wait_for<void>([&](node::Done<void> answer) {
            node_->remove_package(name(package) + ":test.os", std::move(answer));
        }));
    }
    static void may_be_absent(const Result<void>& result) {
        CHECK(result.has_value() || result.error().code() == ErrorCode::NotFound,
              result.error().message());
    }
    void ask() {
        ++done_.requests;
        node::SendCommand command;
        command.address = any_process();
        command.body = SharedBytes(std::string_view(program()));
        command.timeout_seconds = 2;
        unanswered_.begin();
        const bool is_dropped = work_.drop_an_answer && done_.requests == 1;
        node_->send(std::move(command), [this, is_dropped](const Result<node::SendAnswer>&) {
            if (!is_dropped) {
                unanswered_.end();
            }
        });
    }

    void remove_all() {
        for (std::uint64_t package = 0; package < kPackages; ++package) {
            remove(package);
        }
        if (work_.keep_a_package) {
            install(0);
        }
    }

    // --- What is left --------------------------------------------------------------------------

    template <typename... Args>
    void complain(fmt::format_string<Args...> what, Args&&... args) {
        done_.left_over.push_back(fmt::format(what, std::forward<Args>(args)...));
    }
    void look() {
        const auto rest = work_.drop_an_answer ? std::chrono::seconds(5) : kRestMax;
        if (const std::uint64_t count = unanswered_.wait_for_none(rest); count != 0) {
            complain("{} Requests without an answer", count);
        }
        const MonotonicTime end = clock_.monotonic_now() + rest;
        std::size_t deadlines = count_deadlines();
        while (deadlines != 0 && clock_.monotonic_now() < end) {
            deadlines = count_deadlines();
        }
        if (deadlines != 0) {
            complain("{} deadlines of sleeps, timers or Requests", deadlines);
        }
        Causality all;
        for (const kernel::ProcessStatus& status : node_->kernel().processes().tell(all)) {
            if (!status.is_module) {
                complain("process {}", to_string(status.id));
            }
            if (status.mailbox_messages != 0 || status.mailbox_bytes != 0) {
                complain("{} bytes in {} messages in the mailbox of {}", status.mailbox_bytes,
                         status.mailbox_messages, to_string(status.id));
            }
            if (status.outstanding != 0) {
                complain("{} Requests of {} are outstanding", status.outstanding,
                         to_string(status.id));
            }
        }
        // The node's own engine: it knows no other.
        const engine::EngineStats stats =
            static_cast<const engine::WasmEngine&>(node_->kernel().engine()).stats();
        if (stats.guests != 0 || stats.instances != 0) {
            complain("{} guests with {} slots of the engine's pool", stats.guests, stats.instances);
        }
        if (done_.resident_after_last_third > resident_bytes_max()) {
            complain("resident memory grew from {} to {} bytes", done_.resident_after_first_third,
                     done_.resident_after_last_third);
        }
    }
    std::size_t count_deadlines() {
        std::size_t count = 0;
        for (std::uint32_t index = 0; index < node_->kernel().worker_count(); ++index) {
            std::promise<std::size_t> here;
            auto counted = here.get_future();
            node_->kernel().worker(index).post(
                [&](kernel::Worker& worker) { here.set_value(worker.deadlines().count()); });
            count += counted.get();
        }
        return count;
    }

    const Work work_;
    SeededRandom random_;
    SystemClock clock_;
    NoLines no_lines_;
    std::string directory_;
    std::unique_ptr<Files> files_;
    std::string leaked_;
    Unanswered unanswered_;
    Done done_;
    std::unique_ptr<node::Node> node_;
};

}  // namespace

Done run(const Work& work) {
    return Soak(work).run();
}

}  // namespace perdure::soak
