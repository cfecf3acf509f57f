#include "storage/rocks_store.h"

#include <rocksdb/db.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>

#include "storage/memory_store.h"
#include "storage/record.h"

namespace perdure {
namespace {

rocksdb::Slice slice_of(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
ByteView view_of(const rocksdb::Slice& slice) {
    return {reinterpret_cast<const Byte*>(slice.data()), slice.size()};
}

Error error_of(const rocksdb::Status& status) {
    const std::string text = status.ToString();
    if (status.IsCorruption()) {
        return {ErrorCode::Corrupt, text};
    }
    if (status.IsNotFound() || status.IsPathNotFound()) {
        return {ErrorCode::NotFound, text};
    }
    if (status.IsNoSpace()) {
        return {ErrorCode::Overloaded, text};
    }
    return {ErrorCode::Io, text};
}

Result<StoreValue> value_of(Family family, ByteView key, const rocksdb::Slice& stored) {
    ASSIGN_OR_RETURN(const ParsedRecord record, parse_record(family, key, view_of(stored)));
    return StoreValue{record.format, SharedBytes(record.bytes)};
}

/// Which table file of the store at `path` is damaged, and how: of some damage RocksDB says only
/// which MANIFEST names the file.
std::optional<std::string> find_damaged_table(Files& files, const std::string& path,
                                              const rocksdb::Options& options) {
    const auto names = files.list(path);
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
        if (!name.ends_with(".sst")) {
            continue;
        }
        rocksdb::SstFileReader table(options);
        rocksdb::Status status = table.Open(path + "/" + name);
        if (status.ok()) {
            status = table.VerifyChecksum();
        }
        if (!status.ok()) {
            return path + "/" + name + ": " + status.ToString();
        }
    }
    return {};
}

class RocksCursor final : public StoreCursor {
public:
    RocksCursor(std::unique_ptr<rocksdb::Iterator> iterator, Family family, ByteView prefix,
                ByteView after)
        : iterator_(std::move(iterator)),
          family_(family),
          prefix_(text_of(prefix)),
          after_(text_of(after)) {}

    Result<bool> next() override {
        if (!started_) {
            started_ = true;
            const bool resumed = !after_.empty() && after_ >= prefix_;
            iterator_->Seek(resumed ? after_ : prefix_);
            if (resumed && iterator_->Valid() && iterator_->key() == after_) {
                iterator_->Next();
            }
        } else {
            iterator_->Next();
        }
        if (!iterator_->Valid()) {
            if (!iterator_->status().ok()) {
                return error_of(iterator_->status());
            }
            return false;
        }
        if (!iterator_->key().starts_with(prefix_)) {
            return false;
        }
        ASSIGN_OR_RETURN(value_, value_of(family_, key(), iterator_->value()));
        return true;
    }
    ByteView key() const override { return view_of(iterator_->key()); }
    const StoreValue& value() const override { return value_; }

private:
    const std::unique_ptr<rocksdb::Iterator> iterator_;
    const Family family_;
    const std::string prefix_;
    const std::string after_;
    bool started_ = false;
    StoreValue value_;
};

}  // namespace

struct RocksStore::Inside {
    std::unique_ptr<RocksEnv> env;
    std::unique_ptr<rocksdb::DB> db;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;  // "default" first, then by Family
    rocksdb::WriteBatch batch;                          // keeps its memory between writes

    ~Inside() {
        if (db) {
            env->wait_until_idle();
            for (auto* handle : handles) {
                (void)db->DestroyColumnFamilyHandle(handle);
            }
            (void)db->Close();
        }
    }
    bool has(Family family) const { return static_cast<std::size_t>(family) + 1 < handles.size(); }
    rocksdb::ColumnFamilyHandle* handle(Family family) const {
        return handles[static_cast<std::size_t>(family) + 1];
    }
};

RocksStore::RocksStore(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
RocksStore::~RocksStore() = default;

Result<std::unique_ptr<RocksStore>> RocksStore::open(Options options, Files& files,
                                                     const Clock& clock, const Log& logger) {
    auto inside = std::make_unique<Inside>();
    inside->env = std::make_unique<RocksEnv>(
        RocksEnv::Parts{files, clock, logger, options.access, std::move(options.after_failed_write),
                        std::move(options.failed_sync), options.tuning.wal_extend_bytes});
    rocksdb::DBOptions db_options = pinned_db_options(*inside->env, options.tuning);
    db_options.create_if_missing = options.create;
    // A later version may bring new families; they are made in the order of their numbers.
    db_options.create_missing_column_families = options.access == RocksEnv::Access::ReadWrite;

    const rocksdb::ColumnFamilyOptions family_options = pinned_family_options(options.tuning);
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    families.emplace_back(rocksdb::kDefaultColumnFamilyName, family_options);
    // For reading only, those of a store that an older version made, or whose making was cut short.
    std::vector<std::string> present;
    if (options.access == RocksEnv::Access::ReadOnly) {
        const rocksdb::Status listed =
            rocksdb::DB::ListColumnFamilies(db_options, options.path, &present);
        if (!listed.ok()) {
            return error_of(listed);
        }
    }
    for (std::uint8_t family = 0; family < kFamilyCount; ++family) {
        std::string name(to_string(static_cast<Family>(family)));
        if (options.access == RocksEnv::Access::ReadWrite ||
            std::find(present.begin(), present.end(), name) != present.end()) {
            families.emplace_back(std::move(name), family_options);
        }
    }
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status =
        options.access == RocksEnv::Access::ReadOnly
            ? rocksdb::DB::OpenForReadOnly(db_options, options.path, families, &inside->handles,
                                           &db)
            : rocksdb::DB::Open(db_options, options.path, families, &inside->handles, &db);
    inside->db.reset(db);
    if (!status.ok()) {
        inside->env->wait_until_idle();
        const auto table = status.IsCorruption() ? find_damaged_table(files, options.path,
                                                                      {db_options, family_options})
                                                 : std::nullopt;
        return table ? Error(ErrorCode::Corrupt, *table) : error_of(status);
    }
    for (std::size_t i = 1; i < inside->handles.size(); ++i) {
        const auto family = static_cast<Family>(i - 1);
        if (inside->handles[i]->GetName() != to_string(family) ||
            inside->handles[i]->GetID() != rocks_family_id(family)) {
            return Error(ErrorCode::Corrupt,
                         options.path + ": column families are not numbered in order");
        }
    }
    return std::unique_ptr<RocksStore>(new RocksStore(std::move(inside)));
}

WriteOutcome RocksStore::write(std::span<const StoreChange> changes, Sync sync) {
    rocksdb::WriteBatch& batch = inside_->batch;
    batch.Clear();
    for (const StoreChange& change : changes) {
        const rocksdb::Slice key = slice_of(change.key);
        rocksdb::Status put;
        if (change.value) {
            const auto header =
                record_header(change.family, change.key, change.format, *change.value);
            const std::array<rocksdb::Slice, 2> value{slice_of(header), slice_of(*change.value)};
            put = batch.Put(inside_->handle(change.family), rocksdb::SliceParts(&key, 1),
                            rocksdb::SliceParts(value.data(), 2));
        } else {
            put = batch.Delete(inside_->handle(change.family), key);
        }
        if (!put.ok()) {
            return {WriteOutcome::Kind::FailedWrite, put.ToString()};
        }
    }
    rocksdb::WriteOptions options;
    options.sync = sync == Sync::Yes;
    const rocksdb::Status status = inside_->db->Write(options, &batch);
    if (status.ok()) {
        return {};
    }
    const std::string failure = inside_->env->sync_failure();
    if (!failure.empty()) {
        return {WriteOutcome::Kind::FailedSync, failure};
    }
    return {WriteOutcome::Kind::FailedWrite, status.ToString()};
}

Result<std::optional<StoreValue>> RocksStore::read(Family family, ByteView key) const {
    if (!inside_->has(family)) {
        return std::optional<StoreValue>();
    }
    rocksdb::PinnableSlice stored;
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    const rocksdb::Status status =
        inside_->db->Get(options, inside_->handle(family), slice_of(key), &stored);
    if (status.IsNotFound()) {
        return std::optional<StoreValue>();
    }
    if (!status.ok()) {
        return error_of(status);
    }
    ASSIGN_OR_RETURN(StoreValue value, value_of(family, key, stored));
    return std::optional<StoreValue>(std::move(value));
}

std::unique_ptr<StoreCursor> RocksStore::scan(Family family, ByteView prefix,
                                              ByteView after) const {
    if (!inside_->has(family)) {
        return std::make_unique<CollectedCursor>(std::vector<std::pair<std::string, StoreValue>>());
    }
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    options.total_order_seek = true;
    std::unique_ptr<rocksdb::Iterator> iterator(
        inside_->db->NewIterator(options, inside_->handle(family)));
    return std::make_unique<RocksCursor>(std::move(iterator), family, prefix, after);
}

WriteOutcome RocksStore::flush() {
    const std::vector<rocksdb::ColumnFamilyHandle*> handles = inside_->handles;
    const rocksdb::Status status = inside_->db->Flush(rocksdb::FlushOptions(), handles);
    inside_->env->wait_until_idle();
    const std::string failure = inside_->env->sync_failure();
    if (!failure.empty()) {
        return {WriteOutcome::Kind::FailedSync, failure};
    }
    if (!status.ok()) {
        return {WriteOutcome::Kind::FailedWrite, status.ToString()};
    }
    return {};
}

Result<void> RocksStore::verify_checksums() const {
    const rocksdb::Status status = inside_->db->VerifyChecksum();
    if (!status.ok()) {
        return error_of(status);
    }
    return {};
}

}  // namespace perdure
