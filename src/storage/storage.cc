#include "storage/storage.h"

#include <condition_variable>

#include "base/check.h"
#include "storage/committer.h"
#include "storage/home.h"
#include "storage/memory_store.h"
#include "storage/recovery.h"

namespace perdure {
namespace {

constexpr std::chrono::seconds kRetryFailedWriteEvery{1};

/// Waits between attempts of a failed write; ended early when the node stops (K-247).
class Retry {
public:
    explicit Retry(const Log& logger) : logger_(logger) {}

    bool wait(const Error& error) {
        auto inside = inside_.lock();
        if (!inside->told) {
            inside->told = true;
            logger_.error("write_failed", LogField("reason", error.message()),
                          LogField("tried_again", "every second"));
        }
        stopped_.wait_for(inside.lock(), kRetryFailedWriteEvery, [&] { return inside->stopping; });
        return !inside->stopping;
    }
    void stop() {
        inside_.lock()->stopping = true;
        stopped_.notify_all();
    }
    void succeeded() { inside_.lock()->told = false; }

private:
    struct Inside {
        bool told = false;
        bool stopping = false;
    };
    const Log& logger_;
    Guarded<Inside> inside_;
    std::condition_variable stopped_;
};

}  // namespace

struct Storage::Parts {
    explicit Parts(StorageOptions options_in, const Log& logger_in)
        : options(std::move(options_in)), logger(logger_in), retry(logger) {}

    StorageOptions options;
    const Log logger;
    Retry retry;
    Gate gate;
    std::unique_ptr<Store> store;
    std::unique_ptr<LargeEntries> large;
    std::unique_ptr<EntryLog> log;
    std::unique_ptr<Committer> committer;
    Recovered recovered;
    std::uint64_t log_id = 0;
    bool stopped = false;

    /// A sync failed during recovery, before there is a committer, or later.
    void sync_failed(const std::string& why) {
        if (committer) {
            committer->sync_failed(why);
            return;
        }
        gate.shut();
        options.fatal(why);
    }
};

Storage::Storage(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Storage::~Storage() {
    stop();
}

Result<std::unique_ptr<Storage>> Storage::open(StorageOptions options, Home& home, Files& files,
                                               const Clock& clock, Random& random,
                                               const Log& logger) {
    CHECK(options.fatal, "a failed sync needs a handler");
    auto parts = std::make_unique<Parts>(std::move(options), logger);
    Parts* const raw = parts.get();
    const bool memory = raw->options.durability == Durability::Memory;
    const std::string db_path = home.db_path();

    const auto after_failed_write = [raw](const Error& error) {
        return raw->options.after_failed_write ? raw->options.after_failed_write(error)
                                               : raw->retry.wait(error);
    };
    const auto failed_sync = [raw](const std::string& why) { raw->sync_failed(why); };

    parts->large = std::make_unique<LargeEntries>(files, db_path + "/large", failed_sync);
    BatchMark mark;
    std::vector<LiveLarge> large;
    if (memory) {
        parts->store = std::make_unique<MemoryStore>();
        mark.ceiling = UINT64_MAX / 2;
        parts->log_id = random.next_u64();
        parts->gate.open({UINT64_MAX - 1});                       // nothing is ever waited for
        raw->options.limits.entry_inline_bytes_max = UINT64_MAX;  // and nothing is ever written
    } else {
        if (auto made = files.make_directory(db_path); made) {
            if (const SyncOutcome synced = files.sync_directory(home.path()); !synced) {
                return Error(ErrorCode::Io, synced.failure());
            }
        } else if (made.error().code() != ErrorCode::AlreadyExists) {
            return made.error();
        }
        RecoveryOptions recovery;
        recovery.db_path = db_path;
        recovery.tuning = raw->options.tuning;
        recovery.after_failed_write = after_failed_write;
        recovery.failed_sync = failed_sync;
        recovery.fresh_log_id = random.next_u64();
        ASSIGN_OR_RETURN(RecoveredStore recovered,
                         recover_store(recovery, *parts->large, files, clock, parts->logger));
        mark = recovered.mark;
        large = std::move(recovered.large);
        parts->store = std::move(recovered.store);
        parts->log_id = recovered.log_id;
        parts->recovered = {recovered.recovered, recovered.orderly, recovered.cut};
        parts->gate.open(mark.last);
    }
    parts->log = std::make_unique<EntryLog>(
        EntryLog::Start{mark.last, mark.ceiling, raw->options.durability, raw->options.limits,
                        raw->options.faults, raw->options.appended},
        *parts->store, *parts->large);
    parts->committer = std::make_unique<Committer>(
        Committer::Parts{*parts->log, *parts->store, parts->gate, *parts->large, files,
                         parts->logger, memory ? std::string() : db_path, raw->options.fatal,
                         [raw](SequenceNumber durable) {
                             raw->retry.succeeded();
                             if (raw->options.durable_reached) {
                                 raw->options.durable_reached(durable);
                             }
                         },
                         after_failed_write},
        mark);
    for (LiveLarge& item : large) {
        parts->committer->knows_large(item.family, std::move(item.key), item.reference.id);
    }
    if (!raw->options.step_by_hand) {
        parts->committer->start();
    }
    return std::unique_ptr<Storage>(new Storage(std::move(parts)));
}

EntryLog& Storage::log() {
    return *parts_->log;
}
Gate& Storage::gate() {
    return parts_->gate;
}
Committer& Storage::committer() {
    return *parts_->committer;
}
Store& Storage::store_for_test() {
    return *parts_->store;
}
std::uint64_t Storage::log_id() const {
    return parts_->log_id;
}
const Storage::Recovered& Storage::recovered() const {
    return parts_->recovered;
}

void Storage::stop() {
    if (std::exchange(parts_->stopped, true)) {
        return;
    }
    parts_->log->close();
    parts_->retry.stop();
    if (parts_->options.step_by_hand) {
        while (parts_->committer->step() == Committer::Step::Wrote) {
        }
        if (!parts_->log->status().failed) {
            parts_->committer->write_orderly_end();
        }
    } else {
        parts_->committer->join();
    }
    parts_->gate.shut();
}

void Storage::crash_for_test() {
    parts_->stopped = true;
    parts_->gate.shut();
    parts_->log->close();
    parts_->retry.stop();
    parts_->committer->join();
}

}  // namespace perdure
