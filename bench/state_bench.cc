/// What saving costs: until `set-state` returns, and until an answer that depends on it leaves the
/// node. Beside it, in turns, an overwrite with fdatasync and SQLite with synchronous=FULL on the
/// same disk.

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/files.h"
#include "base/system_clock.h"
#include "base/system_random.h"
#include "bench_node.h"
#include "report.h"
#include "storage/home.h"
#include "storage/storage.h"

namespace perdure::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double us_since(SteadyClock::time_point start) {
    return std::chrono::duration<double, std::micro>(SteadyClock::now() - start).count();
}

/// SQLite without a sync, ns a save.
double sqlite_off_ns(const std::string& path, int size);

void apparent(BenchNode& node, int size, double goal, double limit) {
    constexpr int kCount = 5000;
    std::vector<double> samples;
    for (int round = 0; round < 40; ++round) {
        samples.push_back(nanoseconds_of(node.ask(
                              "writer0:writers:bench.os",
                              "set-state " + std::to_string(kCount) + " " + std::to_string(size))) /
                          kCount);
    }
    Figure figure{.name = "set_state_apparent_" + std::to_string(size),
                  .unit = "ns",
                  .value = spread_of(samples)};
    figure.goal = goal;
    figure.limit = limit;
    figure.leaves_out = "the sync; each sample is the mean of 5000 calls";
    figure.peer = "sqlite_off";
    figure.peer_value = sqlite_off_ns(node.directory() + "/peer_off.sqlite", size);
    report(figure);
}

class RawFile {
public:
    explicit RawFile(const std::string& path)
        : descriptor_(open(path.c_str(), O_CREAT | O_RDWR, 0600)) {
        const std::string zeros(1 << 20, '\0');
        if (descriptor_ < 0 || write(descriptor_, zeros.data(), zeros.size()) < 0 ||
            fdatasync(descriptor_) != 0) {
            give_up("the raw file cannot be written");
        }
    }
    ~RawFile() { close(descriptor_); }
    void save(const std::string& bytes) {
        if (pwrite(descriptor_, bytes.data(), bytes.size(), 0) < 0 || fdatasync(descriptor_) != 0) {
            give_up("the raw file cannot be synced");
        }
    }

private:
    int descriptor_;
};

class Sqlite {
public:
    explicit Sqlite(const std::string& path, const std::string& synchronous = "FULL") {
        run(sqlite3_open(path.c_str(), &db_));
        execute("PRAGMA journal_mode=WAL");
        execute(("PRAGMA synchronous=" + synchronous).c_str());
        execute("CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, value BLOB)");
        run(sqlite3_prepare_v2(db_, "INSERT OR REPLACE INTO state VALUES (1, ?)", -1, &save_,
                               nullptr));
    }
    ~Sqlite() {
        sqlite3_finalize(save_);
        sqlite3_close(db_);
    }
    void save(const std::string& bytes) {
        sqlite3_bind_blob(save_, 1, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
        if (sqlite3_step(save_) != SQLITE_DONE) {
            give_up(sqlite3_errmsg(db_));
        }
        sqlite3_reset(save_);
    }

private:
    void run(int status) {
        if (status != SQLITE_OK) {
            give_up("SQLite does not open");
        }
    }
    void execute(const char* sql) { run(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
    sqlite3* db_ = nullptr;
    sqlite3_stmt* save_ = nullptr;
};

double sqlite_off_ns(const std::string& path, int size) {
    constexpr int kCount = 20'000;
    Sqlite sqlite(path, "OFF");
    const std::string bytes(static_cast<std::size_t>(size), 'x');
    const auto start = SteadyClock::now();
    for (int i = 0; i < kCount; ++i) {
        sqlite.save(bytes);
    }
    return us_since(start) * 1000 / kCount;
}

/// What one writer has with the peers, us.
struct Peers {
    double raw = 0;
    double sqlite = 0;
};

/// One writer: medians of rounds that take turns with the two peers.
Peers durable_single(BenchNode& node) {
    constexpr int kRounds = 15;
    constexpr int kPerRound = 100;
    const std::string bytes(100, 'x');
    RawFile raw(node.directory() + "/raw");
    Sqlite sqlite(node.directory() + "/peer.sqlite");
    std::vector<double> ours;
    std::vector<double> raws;
    std::vector<double> sqlites;
    for (int round = 0; round < kRounds; ++round) {
        for (int i = 0; i < kPerRound; ++i) {
            auto start = SteadyClock::now();
            node.ask("writer0:writers:bench.os", "set-state 1 100");
            ours.push_back(us_since(start));
        }
        for (int i = 0; i < kPerRound; ++i) {
            auto start = SteadyClock::now();
            raw.save(bytes);
            raws.push_back(us_since(start));
        }
        for (int i = 0; i < kPerRound; ++i) {
            auto start = SteadyClock::now();
            sqlite.save(bytes);
            sqlites.push_back(us_since(start));
        }
    }
    const Spread raw_spread = spread_of(raws);
    Figure figure{.name = "set_state_durable_1", .unit = "us", .value = spread_of(ours)};
    figure.goal = 1.5 * raw_spread.p50;
    figure.limit = 1.6 * raw_spread.p50;
    figure.peer = "overwrite_fdatasync";
    figure.peer_value = raw_spread.p50;
    figure.leaves_out = "nothing: Request into the guest, save, sync, Response through the gate";
    report(figure);
    figure.goal.reset();
    figure.limit.reset();
    figure.peer = "sqlite_full";
    figure.peer_value = spread_of(sqlites).p50;
    report(figure);
    return {raw_spread.p50, *figure.peer_value};
}

/// `peers`: of one writer, one sync after the other, as more writers have it there too.
void durable_many(BenchNode& node, int writers, const Peers& peers) {
    constexpr auto kTime = std::chrono::seconds(3);
    std::vector<std::vector<double>> samples(static_cast<std::size_t>(writers));
    std::vector<std::thread> threads;
    const auto begin = SteadyClock::now();
    for (int writer = 0; writer < writers; ++writer) {
        threads.emplace_back([&, writer] {
            const std::string process = "writer" + std::to_string(writer) + ":writers:bench.os";
            while (SteadyClock::now() - begin < kTime) {
                const auto start = SteadyClock::now();
                node.ask(process, "set-state 1 100");
                samples[static_cast<std::size_t>(writer)].push_back(us_since(start));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    const double seconds = us_since(begin) / 1e6;
    std::vector<double> all;
    for (const auto& of_writer : samples) {
        all.insert(all.end(), of_writer.begin(), of_writer.end());
    }
    const double rate = static_cast<double>(all.size()) / seconds;
    const std::string name = "set_state_durable_" + std::to_string(writers);
    report({.name = name + "_latency",
            .unit = "us",
            .value = spread_of(all),
            .peer = "sqlite_full_each_behind_the_others",
            .peer_value = peers.sqlite * writers});
    Figure figure{.name = name + "_rate", .unit = "per_s", .value = single(rate)};
    figure.leaves_out = "nothing: Requests into guests, saves, syncs, Responses through the gate";
    figure.peer = "overwrite_fdatasync";
    figure.peer_value = 1e6 / peers.raw;
    report(figure);
    figure.peer = "sqlite_full";
    figure.peer_value = 1e6 / peers.sqlite;
    report(figure);
}

/// Entries of 100 bytes in the log alone, 64 not yet durable at any time.
void durable_appends(const std::string& path, const Peers& peers) {
    constexpr std::uint64_t kOutstanding = 64;
    constexpr auto kTime = std::chrono::seconds(3);
    const SystemClock clock;
    SystemRandom random;
    Quiet lines;
    const Log log(lines, LogLevel::Error);
    const auto files = make_posix_files();
    auto home = Home::open(*files, path);
    if (!home) {
        give_up(home.error().message());
    }
    std::mutex mutex;
    std::condition_variable moved;
    std::uint64_t durable = 0;
    StorageOptions options;
    options.fatal = [](const std::string& why) { give_up(why); };
    options.durable_reached = [&](SequenceNumber number) {
        const std::lock_guard lock(mutex);
        durable = number.value;
        moved.notify_one();
    };
    auto storage = Storage::open(std::move(options), **home, *files, clock, random, log);
    if (!storage) {
        give_up(storage.error().message());
    }
    EntryLog& entries = (*storage)->log();
    const std::string bytes(100, 'x');
    std::uint64_t last = entries.last().value;
    const std::uint64_t first = last;
    durable = last;
    const auto begin = SteadyClock::now();
    while (SteadyClock::now() - begin < kTime) {
        {
            std::unique_lock lock(mutex);
            moved.wait(lock, [&] { return last < durable + kOutstanding; });
        }
        const std::string key = "key" + std::to_string(last % kOutstanding);
        const Appended taken =
            entries.append({EntryKind::Module,
                            {{Family::ProcessState, SharedBytes(std::string_view(key)),
                              SharedBytes(std::string_view(bytes))}}},
                           kKernelOwner);
        if (!taken) {
            give_up("an append was not taken");
        }
        last = taken.number.value;
    }
    const double seconds = us_since(begin) / 1e6;
    (*storage)->stop();
    Figure figure{.name = "durable_appends_64",
                  .unit = "per_s",
                  .value = single(static_cast<double>(last - first) / seconds),
                  .goal = 100'000};
    figure.leaves_out = "guests and answers; one thread appends, 64 entries are under way";
    figure.peer = "overwrite_fdatasync";
    figure.peer_value = 1e6 / peers.raw;
    report(figure);
}

int main() {
    BenchNode node;
    node.install("writers", "writer", "bench", 64);
    apparent(node, 100, 500, 1000);
    apparent(node, 1024, 1000, 3000);
    const Peers peers = durable_single(node);
    durable_many(node, 8, peers);
    durable_many(node, 64, peers);
    durable_appends(node.directory() + "/log_alone", peers);
    return 0;
}

}  // namespace
}  // namespace perdure::bench

int main() {
    return perdure::bench::main();
}
