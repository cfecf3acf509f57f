#include "node_under_test.h"

#include "storage/rocks_store.h"
#include "testing/model_store.h"
#include "testing/simulated_storage.h"

namespace perdure::crash {
namespace {

class RocksNode final : public NodeUnderTest {
public:
    RocksNode(Files& files, NodeOptions options) : storage_(files) {
        storage_.options.limits = small_limits();
        storage_.options.faults = options.faults;
        storage_.options.after_failed_write = std::move(options.after_failed_write);
    }
    Result<void> start() override { return storage_.start(); }
    EntryLog& log() override { return storage_->log(); }
    Gate& gate() override { return storage_->gate(); }
    Committer& committer() override { return storage_->committer(); }
    SequenceNumber recovered() const override {
        return const_cast<SimulatedStorage&>(storage_)->recovered().last;
    }
    void flush() override { (void)static_cast<RocksStore&>(storage_->store_for_test()).flush(); }
    void stop() override { storage_.stop(); }
    void crash() override { storage_.crash(); }

private:
    SimulatedStorage storage_;
};

/// The room's log, committer and gate over the model store, with the little of recovery that it
/// needs.
class ModelNode final : public NodeUnderTest {
public:
    ModelNode(Files& files, NodeOptions options) : files_(files), options_(std::move(options)) {}

    Result<void> start() override {
        ASSIGN_OR_RETURN(store_, ModelStore::open(files_, "/model"));
        gate_ = std::make_unique<Gate>();
        large_ = std::make_unique<LargeEntries>(files_, "/model/large", [](const std::string&) {});
        RETURN_IF_ERROR(large_->open());
        BatchMark mark;
        ASSIGN_OR_RETURN(const auto stored, store_->read(Family::Meta, bytes_of(kMarkKey)));
        if (stored) {
            ASSIGN_OR_RETURN(mark, decode_mark(stored->bytes.view()));
        }
        recovered_ = mark.last;
        mark.previous = mark.last;
        mark.durable = mark.last;
        mark.last = {mark.orderly ? mark.last.value : std::max(mark.ceiling, mark.last.value)};
        mark.ceiling = std::max(mark.ceiling, mark.last.value) + kCeilingStep;
        mark.orderly = false;
        const auto bytes = encode(mark);
        const StoreChange first{Family::Meta, bytes_of(kMarkKey), ByteView(bytes),
                                ValueFormat::Inline};
        if (const auto outcome = store_->write({&first, 1}, Sync::Yes);
            outcome.kind != WriteOutcome::Kind::Done) {
            return Error(ErrorCode::Io, outcome.message);
        }
        mark.durable = mark.last;
        gate_->open(mark.last);
        log_ =
            std::make_unique<EntryLog>(EntryLog::Start{mark.last, mark.ceiling, Durability::Power,
                                                       small_limits(), options_.faults},
                                       *store_, *large_);
        committer_ = std::make_unique<Committer>(
            Committer::Parts{
                *log_,
                *store_,
                *gate_,
                *large_,
                files_,
                logger_,
                "/model",
                [](const std::string&) {},
                {},
                [this](const Error& error) { return options_.after_failed_write(error); }},
            mark);
        return {};
    }
    EntryLog& log() override { return *log_; }
    Gate& gate() override { return *gate_; }
    Committer& committer() override { return *committer_; }
    SequenceNumber recovered() const override { return recovered_; }
    void flush() override {}
    void stop() override {
        log_->close();
        while (committer_->step() == Committer::Step::Wrote) {
        }
        committer_->write_orderly_end();
        crash();
    }
    void crash() override {
        if (gate_) {
            gate_->shut();
        }
        committer_.reset();
        log_.reset();
        large_.reset();
        store_.reset();
    }

private:
    Files& files_;
    const NodeOptions options_;
    KeptLines sink_;
    const Log logger_{sink_, LogLevel::Error};
    std::unique_ptr<ModelStore> store_;
    std::unique_ptr<LargeEntries> large_;
    std::unique_ptr<EntryLog> log_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<Committer> committer_;
    SequenceNumber recovered_;
};

}  // namespace

std::string content_key(Family family, std::string_view key) {
    return std::to_string(static_cast<int>(family)) + "/" + std::string(key);
}

Result<Contents> NodeUnderTest::contents() {
    Contents contents;
    for (std::uint8_t family = 0; family < kFamilyCount; ++family) {
        const std::string_view prefix = static_cast<Family>(family) == Family::Meta ? "module" : "";
        ASSIGN_OR_RETURN(auto listing,
                         log().list(static_cast<Family>(family), bytes_of(prefix), {}, 1'000'000));
        Causality reader;
        for (const KeyValue& item : std::move(listing).tell(reader).items) {
            contents.emplace(content_key(static_cast<Family>(family), item.key.text()),
                             item.value.text());
        }
    }
    return contents;
}

LogLimits small_limits() {
    LogLimits limits;
    limits.journal_bytes_max = 64 << 10;
    limits.journal_process_bytes_max = 32 << 10;
    limits.entry_inline_bytes_max = 2 << 10;
    limits.batch_bytes_max = 3 << 10;
    limits.reserve_bytes = 4 << 10;
    return limits;
}

std::unique_ptr<NodeUnderTest> make_node(Backend backend, Files& files, NodeOptions options) {
    if (backend == Backend::Rocks) {
        return std::make_unique<RocksNode>(files, std::move(options));
    }
    return std::make_unique<ModelNode>(files, std::move(options));
}

}  // namespace perdure::crash
