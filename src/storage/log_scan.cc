#include "storage/log_scan.h"

#include <algorithm>
#include <charconv>

#include "storage/crc32c.h"
#include "storage/rocks_store.h"

namespace perdure {
namespace {

constexpr std::size_t kBlockBytes = 32768;
constexpr std::size_t kFragmentHeaderBytes = 7;
constexpr std::size_t kBatchHeaderBytes = 12;

enum FragmentType : Byte { Whole = 1, First = 2, Middle = 3, Last = 4 };

// RocksDB masks checksums that it stores beside the data they cover.
std::uint32_t masked(std::uint32_t crc) {
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

struct Fragment {
    Byte type;
    ByteView data;
};

/// The fragment at `offset`, if there is a right one; it never crosses its block.
std::optional<Fragment> fragment_at(ByteView file, std::size_t offset) {
    const std::size_t block_end = std::min(file.size(), (offset / kBlockBytes + 1) * kBlockBytes);
    if (offset + kFragmentHeaderBytes > block_end) {
        return {};
    }
    const Byte* header = file.data() + offset;
    const std::size_t length = header[4] | static_cast<std::size_t>(header[5]) << 8;
    const Byte type = header[6];
    if (type < Whole || type > Last || offset + kFragmentHeaderBytes + length > block_end) {
        return {};
    }
    if (masked(crc32c(file.subspan(offset + 6, 1 + length))) != get_u32(header)) {
        return {};
    }
    return Fragment{type, file.subspan(offset + kFragmentHeaderBytes, length)};
}

bool is_trailer(ByteView file, std::size_t offset) {
    return kBlockBytes - offset % kBlockBytes < kFragmentHeaderBytes && offset < file.size();
}

/// The next offset behind damage at which a fragment that begins a batch is right, or the end of
/// the file.
std::size_t next_beginning(ByteView file, std::size_t offset) {
    for (++offset; offset < file.size(); ++offset) {
        if (is_trailer(file, offset)) {
            offset = (offset / kBlockBytes + 1) * kBlockBytes - 1;
            continue;
        }
        const auto fragment = fragment_at(file, offset);
        if (fragment && (fragment->type == Whole || fragment->type == First)) {
            return offset;
        }
    }
    return file.size();
}

class Reader {
public:
    explicit Reader(ByteView bytes) : rest_(bytes) {}

    std::optional<std::uint32_t> varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 35 && !rest_.empty(); shift += 7) {
            const Byte byte = rest_.front();
            rest_ = rest_.subspan(1);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) {
                return value <= UINT32_MAX ? std::optional(static_cast<std::uint32_t>(value))
                                           : std::nullopt;
            }
        }
        return {};
    }
    std::optional<Byte> byte() {
        if (rest_.empty()) {
            return {};
        }
        const Byte value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    std::optional<ByteView> bytes() {
        const auto size = varint();
        if (!size || *size > rest_.size()) {
            return {};
        }
        const ByteView taken = rest_.first(*size);
        rest_ = rest_.subspan(*size);
        return taken;
    }
    bool empty() const { return rest_.empty(); }

private:
    ByteView rest_;
};

std::optional<ScannedOperation> next_operation(Reader& reader) {
    const auto tag = reader.byte();
    ScannedOperation operation;
    if (!tag || (*tag != 0x00 && *tag != 0x01 && *tag != 0x04 && *tag != 0x05)) {
        return {};
    }
    if (*tag >= 0x04) {
        const auto family = reader.varint();
        if (!family) {
            return {};
        }
        operation.family_id = *family;
    }
    const auto key = reader.bytes();
    if (!key) {
        return {};
    }
    operation.key = *key;
    if ((*tag & 1) != 0) {
        operation.value = reader.bytes();
        if (!operation.value) {
            return {};
        }
    }
    return operation;
}

/// The mark of a batch whose values are all right.
Result<BatchMark> check_batch(ByteView bytes) {
    ASSIGN_OR_RETURN(const auto operations, parse_batch(bytes));
    std::optional<BatchMark> mark;
    for (const ScannedOperation& operation : operations) {
        if (operation.family_id == 0 || operation.family_id > kFamilyCount) {
            return Error(ErrorCode::Corrupt, "a batch names an unknown family");
        }
        if (!operation.value) {
            continue;
        }
        const auto family = static_cast<Family>(operation.family_id - 1);
        ASSIGN_OR_RETURN(const ParsedRecord record,
                         parse_record(family, operation.key, *operation.value));
        if (family == Family::Meta && text_of(operation.key) == kMarkKey) {
            ASSIGN_OR_RETURN(mark, decode_mark(record.bytes));
        }
    }
    if (!mark) {
        return Error(ErrorCode::Corrupt, "a batch has no mark");
    }
    return *mark;
}

/// Where the zeros begin that reach to the end of the file.
std::size_t zero_tail(ByteView file) {
    const auto last = std::find_if(file.rbegin(), file.rend(), [](Byte byte) { return byte != 0; });
    return static_cast<std::size_t>(file.rend() - last);
}

/// Where the bytes begin that stand between the last record, which ends at `end`, and the end of
/// the file, if RocksDB takes them for a torn header: they do not fill a header, nor does their
/// block end with them.
std::optional<std::size_t> remnant_begin(ByteView file, std::size_t end) {
    const std::size_t last_block = file.size() / kBlockBytes * kBlockBytes;
    const std::size_t begin = std::max(end, last_block);
    return begin < file.size() && file.size() - begin < kFragmentHeaderBytes ? std::optional(begin)
                                                                             : std::nullopt;
}

/// Calls `record(begin, end, bytes)` for each record of the file and `damage(offset, what)` for
/// what is none. From `tail` on there are only zeros: no record begins there.
template <typename Record, typename Damage>
void for_each_record(ByteView file, std::size_t tail, Record&& record, Damage&& damage) {
    std::size_t offset = 0;
    std::size_t begin = 0;  // of the record that is being put together
    Bytes parts;
    bool open = false;
    while (offset < tail) {
        if (is_trailer(file, offset)) {
            offset = (offset / kBlockBytes + 1) * kBlockBytes;
            continue;
        }
        const auto fragment = fragment_at(file, offset);
        const bool begins = fragment && (fragment->type == Whole || fragment->type == First);
        if (!fragment || begins == open) {
            damage(open ? begin : offset, fragment
                                              ? "fragments out of order"
                                              : "a fragment is cut or its checksum does not match");
            open = false;
            if (!begins) {
                offset = next_beginning(file, offset);
            }
            continue;
        }
        const std::size_t end = offset + kFragmentHeaderBytes + fragment->data.size();
        if (begins) {
            begin = offset;
            open = true;
            parts.clear();
        }
        if (fragment->type == Whole) {
            record(begin, end, fragment->data);
        } else {
            parts.insert(parts.end(), fragment->data.begin(), fragment->data.end());
        }
        if (fragment->type == Last) {
            record(begin, end, ByteView(parts));
        }
        open = fragment->type == First || fragment->type == Middle;
        offset = end;
    }
    if (open) {
        damage(begin, "the last record is cut");
    }
}

}  // namespace

Result<std::vector<ScannedOperation>> parse_batch(ByteView bytes) {
    if (bytes.size() < kBatchHeaderBytes) {
        return Error(ErrorCode::Corrupt, "a batch is too short");
    }
    const std::uint32_t count = get_u32(bytes.data() + 8);
    Reader reader(bytes.subspan(kBatchHeaderBytes));
    std::vector<ScannedOperation> operations;
    while (!reader.empty()) {
        const auto operation = next_operation(reader);
        if (!operation) {
            return Error(ErrorCode::Corrupt, "a batch holds an unknown or cut operation");
        }
        operations.push_back(*operation);
    }
    if (operations.size() != count) {
        return Error(ErrorCode::Corrupt, "a batch holds another number of operations than it says");
    }
    return operations;
}

void scan_log_file(ByteView file, std::size_t file_index, LogScan& scan) {
    const auto damage = [&](std::size_t offset, std::string what) {
        scan.damages.push_back({file_index, offset, scan.batches.size(), std::move(what)});
    };
    std::size_t last_end = 0;
    const auto record = [&](std::size_t begin, std::size_t end, ByteView bytes) {
        last_end = end;
        const auto mark = check_batch(bytes);
        if (mark) {
            scan.batches.push_back({file_index, begin, end, *mark});
        } else {
            damage(begin, mark.error().message());
        }
    };
    for_each_record(file, zero_tail(file), record,
                    damage);  // the file was longer than what was written
    if (const auto begin = remnant_begin(file, last_end)) {
        scan.remnants.push_back({file_index, *begin});
    }
}

std::optional<RecordDamage> first_record_damage(ByteView file) {
    std::optional<RecordDamage> first;
    for_each_record(
        file, file.size(), [](std::size_t, std::size_t, ByteView) {},
        [&](std::size_t offset, std::string what) {
            if (!first) {
                first = RecordDamage{offset, std::move(what)};
            }
        });
    return first;
}

Result<LogScan> scan_log(Files& files, const std::string& db_path) {
    LogScan scan;
    ASSIGN_OR_RETURN(const auto names, files.list(db_path));
    std::vector<std::pair<std::uint64_t, std::string>> numbered;
    for (const std::string& name : names) {
        std::uint64_t number = 0;
        const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (failure == std::errc() && std::string_view(end, name.data() + name.size()) == ".log") {
            numbered.emplace_back(number, db_path + "/" + name);
        }
    }
    std::sort(numbered.begin(), numbered.end());
    for (const auto& [number, path] : numbered) {
        ASSIGN_OR_RETURN(const Bytes bytes, read_file(files, path, UINT64_MAX));
        scan.files.push_back(path);
        scan_log_file(bytes, scan.files.size() - 1, scan);
    }
    return scan;
}

}  // namespace perdure
