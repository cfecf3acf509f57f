#pragma once

/// The storage room on a simulated disk, stepped by hand: for tests of recovery, crashes and
/// faults.

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "storage/committer.h"
#include "storage/home.h"
#include "storage/storage.h"
#include "testing/manual_clock.h"
#include "testing/seeded_random.h"
#include "testing/simulated_files.h"

namespace perdure {

/// Keeps lines. Thread: one, or while nobody else looks.
class KeptLines final : public LogSink {
public:
    void write(LogLevel, std::string_view line) override { lines.lock()->emplace_back(line); }
    Guarded<std::vector<std::string>> lines;
};

class SimulatedStorage {
public:
    explicit SimulatedStorage(Files& files, std::string home = "/home")
        : files_(files), home_path_(std::move(home)) {}
    ~SimulatedStorage() { crash(); }

    StorageOptions options;  ///< Change before `start`.

    Result<void> start() {
        ASSIGN_OR_RETURN(home_, Home::open(files_, home_path_));
        StorageOptions chosen = options;
        chosen.step_by_hand = true;
        chosen.tuning.automatic_compaction = false;
        chosen.tuning.write_buffer_bytes = 8 << 20;
        chosen.tuning.wal_extend_bytes = 2 << 10;  // so that a short workload does so often
        if (!chosen.fatal) {
            chosen.fatal = [this](const std::string& why) { fatal.push_back(why); };
        }
        if (!chosen.after_failed_write) {
            chosen.after_failed_write = [](const Error&) { return false; };
        }
        auto opened = Storage::open(std::move(chosen), *home_, files_, clock, random, logger);
        if (!opened) {
            home_.reset();
            return std::move(opened).error();
        }
        storage_ = std::move(*opened);
        return {};
    }
    void stop() {
        storage_->stop();
        storage_.reset();
        home_.reset();
    }
    void crash() {
        if (storage_) {
            storage_->crash_for_test();
            storage_.reset();
        }
        home_.reset();
    }

    Storage& operator*() { return *storage_; }
    Storage* operator->() { return storage_.get(); }

    /// One change of process state, appended.
    SequenceNumber set(std::string_view key, std::string_view value) {
        return storage_->log()
            .append({EntryKind::SetState,
                     {{Family::ProcessState, SharedBytes(key), SharedBytes(value)}}},
                    1)
            .number;
    }
    void drain() {
        while (storage_->committer().step() == Committer::Step::Wrote) {
        }
    }
    std::string get(std::string_view key) {
        Causality nobody;
        auto value = storage_->log().read(Family::ProcessState, bytes_of(key));
        if (!value) {
            return "(" + value.error().message() + ")";
        }
        const auto bytes = std::move(*value).tell(nobody);
        return bytes ? std::string(bytes->text()) : "(none)";
    }

    ManualClock clock;
    SeededRandom random{1};
    KeptLines sink;
    Log logger{sink, LogLevel::Info};
    std::vector<std::string> fatal;

private:
    Files& files_;
    const std::string home_path_;
    std::unique_ptr<Home> home_;
    std::unique_ptr<Storage> storage_;
};

}  // namespace perdure
