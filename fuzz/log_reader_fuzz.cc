/// Any bytes as log files of the store: read without fault and within memory, and every batch that
/// comes back has its checksums right, its numbers in order and its place in the file.
///
///   input := how:u8 bytes:u8[]     // `how` is a set of the flags below
///
/// The corpus's files are logs that RocksDB wrote for a small store (log_scan_test.cc has such a
/// one), behind that byte.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "storage/crc32c.h"
#include "storage/log_scan.h"
#include "storage/recovery.h"

namespace perdure {
namespace {

enum How : Byte {
    kMendChecksums = 1,  ///< Changed bytes get right checksums, so that what lies behind is read.
    kTwoFiles = 2,       ///< The second half is a file of its own.
    kTables = 4,         ///< Table files hold what the batches of the first half say.
};

constexpr std::size_t kBlockBytes = 32768;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kBatchHeaderBytes = 12;

// RocksDB's, written anew here so that the reader is not checked against itself.
std::uint32_t frame_checksum(ByteView type_and_data) {
    const std::uint32_t crc = crc32c_extend_by_table_for_test(0, type_and_data);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

struct Fragment {
    std::size_t offset = 0;
    std::size_t size = 0;  ///< With its header.
    Byte type = 0;
};

/// Where a fragment lies at or behind `offset`, by its length alone.
std::optional<Fragment> fragment_at(ByteView file, std::size_t offset) {
    if (kBlockBytes - offset % kBlockBytes < kHeaderBytes) {
        offset = (offset / kBlockBytes + 1) * kBlockBytes;
    }
    const std::size_t block_end = std::min(file.size(), (offset / kBlockBytes + 1) * kBlockBytes);
    if (offset + kHeaderBytes > block_end) {
        return {};
    }
    const std::size_t size =
        kHeaderBytes + (file[offset + 4] | static_cast<std::size_t>(file[offset + 5]) << 8);
    if (offset + size > block_end) {
        return {};
    }
    return Fragment{offset, size, file[offset + 6]};
}

void mend_values(Bytes& file, const Fragment& fragment) {
    const ByteView batch =
        ByteView(file).subspan(fragment.offset + kHeaderBytes, fragment.size - kHeaderBytes);
    const auto operations = parse_batch(batch);
    if (!operations) {
        return;
    }
    for (const ScannedOperation& operation : *operations) {
        if (!operation.value || operation.value->size() < kRecordHeaderBytes ||
            operation.family_id == 0 || operation.family_id > kFamilyCount) {
            continue;
        }
        const auto header =
            record_header(static_cast<Family>(operation.family_id - 1), operation.key,
                          static_cast<ValueFormat>(operation.value->front()),
                          operation.value->subspan(kRecordHeaderBytes));
        std::copy(header.begin(), header.end(),
                  file.begin() + (operation.value->data() - file.data()));
    }
}

void mend_checksums(Bytes& file) {
    std::size_t offset = 0;
    while (const auto fragment = fragment_at(file, offset)) {
        mend_values(file, *fragment);
        const ByteView covered = ByteView(file).subspan(fragment->offset + 6, fragment->size - 6);
        put_u32(file.data() + fragment->offset, frame_checksum(covered));
        offset = fragment->offset + fragment->size;
    }
}

/// The bytes of a batch, each of its fragments checked.
Bytes batch_bytes(ByteView file, const ScannedBatch& batch) {
    Bytes bytes;
    std::size_t offset = batch.begin;
    while (offset < batch.end) {
        const auto fragment = fragment_at(file, offset);
        CHECK(fragment.has_value(), offset);
        const ByteView covered = file.subspan(fragment->offset + 6, fragment->size - 6);
        CHECK(get_u32(file.data() + fragment->offset) == frame_checksum(covered), offset);
        const bool first = offset == batch.begin;
        offset = fragment->offset + fragment->size;
        const bool last = offset == batch.end;
        CHECK(fragment->type == (first ? (last ? 1 : 2) : (last ? 4 : 3)), int{fragment->type});
        bytes.insert(bytes.end(), covered.begin() + 1, covered.end());
    }
    CHECK(offset == batch.end);
    return bytes;
}

void check_batch(ByteView file, const ScannedBatch& batch) {
    CHECK(batch.begin < batch.end && batch.end <= file.size());
    CHECK(batch.mark.durable <= batch.mark.previous && batch.mark.previous <= batch.mark.last);
    CHECK(batch.mark.last.value <= batch.mark.ceiling);
    const Bytes bytes = batch_bytes(file, batch);
    const auto operations = parse_batch(bytes);
    CHECK(operations.has_value());
    CHECK(operations->size() == get_u32(bytes.data() + 8));
    std::optional<BatchMark> mark;
    for (const ScannedOperation& operation : *operations) {
        CHECK(operation.family_id >= 1 && operation.family_id <= kFamilyCount);
        const auto family = static_cast<Family>(operation.family_id - 1);
        if (!operation.value) {
            continue;
        }
        const auto record = parse_record(family, operation.key, *operation.value);
        CHECK(record.has_value());
        if (family == Family::Meta && text_of(operation.key) == kMarkKey) {
            mark = decode_mark(record->bytes).value();
        }
    }
    CHECK(mark == batch.mark);
}

/// Whether only zeros follow, which a file that was made longer ahead has behind its last batch.
bool is_zero_from(ByteView file, std::uint64_t offset) {
    return offset >= file.size() || std::all_of(file.begin() + static_cast<std::ptrdiff_t>(offset),
                                                file.end(), [](Byte byte) { return byte == 0; });
}

/// Batches and damage lie in the file in the order in which they are told, and no byte is untold.
void check_places(ByteView file, std::size_t file_index, const LogScan& scan) {
    std::size_t batch_count = 0;
    std::size_t damage_count = 0;
    std::uint64_t end = 0;
    for (std::size_t i = 0; i < scan.batches.size(); ++i) {
        const ScannedBatch& batch = scan.batches[i];
        if (batch.file_index != file_index) {
            continue;
        }
        CHECK(batch.begin >= end);
        const bool damage_before =
            std::any_of(scan.damages.begin(), scan.damages.end(), [&](const ScannedDamage& damage) {
                return damage.file_index == file_index && damage.batches_before == i;
            });
        CHECK(damage_before || batch.begin - end < kHeaderBytes);
        end = batch.end;
        check_batch(file, batch);
        ++batch_count;
    }
    std::uint64_t offset = 0;
    for (const ScannedDamage& damage : scan.damages) {
        CHECK(!damage.what.empty() && damage.batches_before <= scan.batches.size());
        if (damage.file_index != file_index) {
            continue;
        }
        CHECK(offset <= damage.offset && damage.offset < file.size());
        offset = damage.offset;
        const std::size_t before = damage.batches_before;
        CHECK(before == 0 || scan.batches[before - 1].file_index < file_index ||
              scan.batches[before - 1].end <= damage.offset);
        CHECK(before == scan.batches.size() || scan.batches[before].file_index > file_index ||
              scan.batches[before].begin > damage.offset);
        ++damage_count;
    }
    const std::uint64_t block_end = (end / kBlockBytes + 1) * kBlockBytes;
    CHECK(damage_count != 0 || file.size() - end < kHeaderBytes ||
          is_zero_from(file, block_end - end < kHeaderBytes ? block_end : end));
    CHECK(batch_count * (kHeaderBytes + kBatchHeaderBytes) <= file.size());
    CHECK(damage_count <= file.size());
}

/// What a start would do with it.
void check_judgement(const LogScan& scan, const std::vector<ByteView>& files,
                     std::optional<SequenceNumber> tables_end) {
    const Judgement judgement = judge(scan, Error(ErrorCode::NotFound, ""), tables_end);
    for (const ScannedBatch& batch : scan.batches) {
        CHECK(batch.mark.durable <= judgement.durable);
    }
    CHECK(!tables_end || *tables_end <= judgement.end);
    CHECK(!judgement.note_damaged);
    for (std::size_t i = 0; i < judgement.obsolete.size(); ++i) {
        const std::size_t file_index = judgement.obsolete[i];
        CHECK(tables_end.has_value() && file_index < files.size());
        CHECK(i == 0 || judgement.obsolete[i - 1] < file_index, "a file is removed once");
        CHECK(!judgement.cut || file_index < judgement.cut->file_index, "or cut, not both");
    }
    if (judgement.cut) {
        CHECK(!judgement.suspicion.empty());
        CHECK(judgement.cut->file_index < files.size());
        CHECK(judgement.cut->offset < files[judgement.cut->file_index].size());
    }
}

void read_log(Byte how, ByteView bytes) {
    std::vector<Bytes> contents;
    const std::size_t first_size = (how & kTwoFiles) != 0 ? bytes.size() / 2 : bytes.size();
    contents.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(first_size));
    if ((how & kTwoFiles) != 0) {
        contents.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(first_size), bytes.end());
    }
    LogScan scan;
    std::vector<ByteView> files;
    for (Bytes& content : contents) {
        if ((how & kMendChecksums) != 0) {
            mend_checksums(content);
        }
        scan.files.push_back(std::to_string(files.size()) + ".log");
        scan_log_file(content, files.size(), scan);
        files.emplace_back(content);
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        check_places(files[i], i, scan);
    }
    std::optional<SequenceNumber> tables_end;
    if ((how & kTables) != 0) {
        tables_end = scan.batches.empty() ? SequenceNumber{}
                                          : scan.batches[scan.batches.size() / 2].mark.last;
    }
    check_judgement(scan, files, tables_end);
    // A manifest has the frame only: nothing that is damage there is none here, but for zeros at
    // the end.
    const auto damage = first_record_damage(files.front());
    CHECK(!damage || damage->offset < files.front().size());
    CHECK(!damage || is_zero_from(files.front(), damage->offset) ||
          (!scan.damages.empty() && scan.damages.front().offset <= damage->offset));
}

}  // namespace
}  // namespace perdure

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size != 0) {
        perdure::read_log(data[0], {data + 1, size - 1});
        (void)perdure::parse_batch({data + 1, size - 1});
    }
    return 0;
}
