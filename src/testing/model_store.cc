#include "testing/model_store.h"

#include "storage/crc32c.h"
#include "storage/record.h"

namespace perdure {
namespace {

constexpr std::size_t kBatchHeaderBytes = 8;
constexpr std::size_t kChangeHeaderBytes = 11;

void append(Bytes& bytes, ByteView more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes encode_batch(std::span<const StoreChange> changes) {
    Bytes bytes(kBatchHeaderBytes);
    for (const StoreChange& change : changes) {
        Byte header[kChangeHeaderBytes] = {static_cast<Byte>(change.family),
                                           static_cast<Byte>(change.format),
                                           static_cast<Byte>(change.value ? 1 : 0)};
        put_u32(header + 3, static_cast<std::uint32_t>(change.key.size()));
        put_u32(header + 7, static_cast<std::uint32_t>(change.value ? change.value->size() : 0));
        append(bytes, header);
        append(bytes, change.key);
        if (change.value) {
            append(bytes, *change.value);
        }
    }
    put_u32(bytes.data(), static_cast<std::uint32_t>(bytes.size() - kBatchHeaderBytes));
    put_u32(bytes.data() + 4, crc32c(ByteView(bytes).subspan(kBatchHeaderBytes)));
    return bytes;
}

std::vector<StoreChange> decode_batch(ByteView bytes) {
    std::vector<StoreChange> changes;
    while (bytes.size() >= kChangeHeaderBytes) {
        const std::size_t key_size = get_u32(bytes.data() + 3);
        const std::size_t value_size = get_u32(bytes.data() + 7);
        StoreChange change{static_cast<Family>(bytes[0]),
                           bytes.subspan(kChangeHeaderBytes, key_size),
                           {},
                           static_cast<ValueFormat>(bytes[1])};
        if (bytes[2] == 1) {
            change.value = bytes.subspan(kChangeHeaderBytes + key_size, value_size);
        }
        changes.push_back(change);
        bytes = bytes.subspan(kChangeHeaderBytes + key_size + value_size);
    }
    return changes;
}

Result<void> checked(const SyncOutcome& outcome) {
    if (!outcome) {
        return Error(ErrorCode::Io, outcome.failure());
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<ModelStore>> ModelStore::open(Files& files, std::string directory) {
    std::unique_ptr<ModelStore> store(new ModelStore(files, std::move(directory)));
    if (auto made = files.make_directory(store->directory_);
        !made && made.error().code() != ErrorCode::AlreadyExists) {
        return std::move(made).error();
    }
    RETURN_IF_ERROR(checked(files.sync_directory(parent_of(store->directory_))));
    RETURN_IF_ERROR(store->replay());
    RETURN_IF_ERROR(store->write_anew());
    return store;
}

Result<void> ModelStore::replay() {
    const auto bytes = read_file(files_, directory_ + "/log", UINT64_MAX);
    if (!bytes) {
        if (bytes.error().code() == ErrorCode::NotFound) {
            return {};
        }
        return bytes.error();
    }
    ByteView rest = *bytes;
    while (rest.size() >= kBatchHeaderBytes) {
        const std::size_t size = get_u32(rest.data());
        if (size == 0 || size > rest.size() - kBatchHeaderBytes ||
            crc32c(rest.subspan(kBatchHeaderBytes, size)) != get_u32(rest.data() + 4)) {
            break;
        }
        (void)memory_.write(decode_batch(rest.subspan(kBatchHeaderBytes, size)), Sync::No);
        rest = rest.subspan(kBatchHeaderBytes + size);
    }
    return {};
}

Result<void> ModelStore::write_anew() {
    ASSIGN_OR_RETURN(file_, files_.open_write(directory_ + "/log.new", OpenMode::Truncate));
    std::vector<StoreChange> changes;
    std::vector<std::pair<Bytes, StoreValue>> kept;
    for (std::uint8_t family = 0; family < kFamilyCount; ++family) {
        const auto cursor = memory_.scan(static_cast<Family>(family), {}, {});
        kept.clear();
        while (cursor->next().value()) {
            kept.emplace_back(Bytes(cursor->key().begin(), cursor->key().end()), cursor->value());
        }
        changes.clear();
        for (const auto& [key, value] : kept) {
            changes.push_back({static_cast<Family>(family), key, value.bytes.view(), value.format});
        }
        if (!changes.empty()) {
            RETURN_IF_ERROR(file_->append(encode_batch(changes)));
        }
    }
    RETURN_IF_ERROR(checked(file_->sync()));
    RETURN_IF_ERROR(files_.rename(directory_ + "/log.new", directory_ + "/log"));
    RETURN_IF_ERROR(checked(files_.sync_directory(directory_)));
    end_ = file_->size();
    return {};
}

WriteOutcome ModelStore::write(std::span<const StoreChange> changes, Sync sync) {
    const Bytes bytes = encode_batch(changes);
    if (auto written = file_->write_at(end_, bytes); !written) {
        return {WriteOutcome::Kind::FailedWrite, written.error().message()};
    }
    if (sync == Sync::Yes) {
        if (const SyncOutcome synced = file_->sync(); !synced) {
            return {WriteOutcome::Kind::FailedSync, synced.failure()};
        }
    }
    end_ += bytes.size();
    return memory_.write(changes, sync);
}

}  // namespace perdure
