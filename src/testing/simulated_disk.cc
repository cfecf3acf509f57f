#include "testing/simulated_disk.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace perdure {
namespace {

void put_at(Bytes& content, std::uint64_t offset, ByteView data) {
    if (content.size() < offset + data.size()) {
        content.resize(offset + data.size(), 0);
    }
    std::copy(data.begin(), data.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void carry_out(const DiskOperation& operation, Bytes& content) {
    if (operation.kind == DiskOperation::Kind::Write) {
        put_at(content, operation.offset, operation.data.view());
    } else {
        content.resize(operation.offset, 0);
    }
}

/// Calls `visit(offset, piece)` for the parts of a write that lie in one sector each.
template <typename Visit>
void for_each_sector(const DiskOperation& write, Visit&& visit) {
    ByteView rest = write.data.view();
    std::uint64_t offset = write.offset;
    while (!rest.empty()) {
        const std::size_t count =
            std::min<std::size_t>(kSectorBytes - offset % kSectorBytes, rest.size());
        visit(offset, rest.first(count));
        rest = rest.subspan(count);
        offset += count;
    }
}

}  // namespace

std::string_view to_string(Crash crash) {
    switch (crash) {
        case Crash::Kept: return "kept";
        case Crash::Lost: return "lost";
        case Crash::Torn: return "torn";
        case Crash::Reordered: return "re-ordered";
    }
    CHECK(false, "unknown crash");
    return "";
}

std::string_view to_string(DiskOperation::Kind kind) {
    switch (kind) {
        case DiskOperation::Kind::Create: return "create";
        case DiskOperation::Kind::Write: return "write";
        case DiskOperation::Kind::Truncate: return "truncate";
        case DiskOperation::Kind::SyncFile: return "sync_file";
        case DiskOperation::Kind::FailedSync: return "failed_sync";
        case DiskOperation::Kind::Rename: return "rename";
        case DiskOperation::Kind::Link: return "link";
        case DiskOperation::Kind::Remove: return "remove";
        case DiskOperation::Kind::MakeDirectory: return "make_directory";
        case DiskOperation::Kind::RemoveDirectory: return "remove_directory";
        case DiskOperation::Kind::SyncDirectory: return "sync_directory";
    }
    CHECK(false, "unknown operation");
    return "";
}

std::uint64_t hash_of(ByteView bytes) {
    // Multiply and fold, eight bytes a step: for telling images apart, not against an adversary.
    std::uint64_t hash = 0x9e3779b97f4a7c15 ^ bytes.size();
    const auto mix = [&hash](std::uint64_t word) {
        const unsigned __int128 product =
            static_cast<unsigned __int128>(hash ^ word) * 0xd6e8feb86659fd93u;
        hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64) ^
               (word << 1);
    };
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, 8);
        mix(word);
    }
    std::uint64_t word = 0;
    if (at < bytes.size()) {
        std::memcpy(&word, bytes.data() + at, bytes.size() - at);
    }
    mix(word);
    mix(0x2545f4914f6cdd1d);
    return hash;
}

std::uint64_t DiskImage::hash() const {
    std::string all;
    for (const auto& [path, content] : files) {
        all += path;
        all += '\0';
        all.append(reinterpret_cast<const char*>(&content.hash), sizeof content.hash);
    }
    for (const std::string& path : directories) {
        all += path;
        all += '/';
    }
    return hash_of(bytes_of(all));
}

void DiskImage::put(const std::string& path, Bytes bytes) {
    const std::uint64_t hash = hash_of(bytes);
    files[path] = {std::make_shared<const Bytes>(std::move(bytes)), hash};
}

bool operator==(const DiskImage& left, const DiskImage& right) {
    const auto same = [](const auto& one, const auto& other) {
        return one.first == other.first && *one.second.bytes == *other.second.bytes;
    };
    return left.directories == right.directories && left.files.size() == right.files.size() &&
           std::equal(left.files.begin(), left.files.end(), right.files.begin(), same);
}

SimulatedDisk::SimulatedDisk(const DiskImage& image)
    : directories_(image.directories), directories_synced_(image.directories) {
    for (const auto& [path, content] : image.files) {
        File& file = files_[next_file_];
        file.shown = *content.bytes;
        file.synced = *content.bytes;
        file.snapshot = content;
        names_[path] = next_file_;
        ++next_file_;
    }
    names_synced_ = names_;
}

const Bytes& SimulatedDisk::content(std::uint64_t file) const {
    return files_.at(file).shown;
}

void SimulatedDisk::apply_name(const DiskOperation& operation,
                               std::map<std::string, std::uint64_t>& names,
                               std::set<std::string>& directories) {
    switch (operation.kind) {
        case DiskOperation::Kind::Create:
        case DiskOperation::Kind::Link: names[operation.path] = operation.file; break;
        case DiskOperation::Kind::Rename:
            names.erase(operation.path);
            names[operation.to] = operation.file;
            break;
        case DiskOperation::Kind::Remove: names.erase(operation.path); break;
        case DiskOperation::Kind::MakeDirectory: directories.insert(operation.path); break;
        case DiskOperation::Kind::RemoveDirectory: directories.erase(operation.path); break;
        default: CHECK(false, "no operation on names", to_string(operation.kind));
    }
}

void SimulatedDisk::apply(const DiskOperation& operation) {
    ++order_;
    switch (operation.kind) {
        case DiskOperation::Kind::Write:
        case DiskOperation::Kind::Truncate: {
            File& file = files_.at(operation.file);
            carry_out(operation, file.shown);
            file.unsynced.push_back({order_, operation, false});
            return;
        }
        case DiskOperation::Kind::SyncFile: sync_file(files_.at(operation.file)); return;
        case DiskOperation::Kind::FailedSync:
            for (Unsynced& unsynced : files_.at(operation.file).unsynced) {
                unsynced.dropped = true;
            }
            return;
        case DiskOperation::Kind::SyncDirectory: sync_directory(operation.path); return;
        case DiskOperation::Kind::Create:
            files_[operation.file];
            next_file_ = std::max(next_file_, operation.file + 1);
            [[fallthrough]];
        default:
            apply_name(operation, names_, directories_);
            names_unsynced_.push_back({order_, operation});
    }
}

void SimulatedDisk::sync_file(File& file) {
    if (file.unsynced.empty()) {
        return;
    }
    std::vector<Unsynced> kept;
    for (Unsynced& unsynced : file.unsynced) {
        if (unsynced.dropped) {
            kept.push_back(std::move(unsynced));
        } else {
            carry_out(unsynced.operation, file.synced);
        }
    }
    file.unsynced = std::move(kept);
    file.snapshot = {};
}

void SimulatedDisk::sync_directory(const std::string& path) {
    std::vector<UnsyncedName> kept;
    for (UnsyncedName& unsynced : names_unsynced_) {
        const DiskOperation& operation = unsynced.operation;
        if (parent_of(operation.path) == path ||
            (!operation.to.empty() && parent_of(operation.to) == path)) {
            apply_name(operation, names_synced_, directories_synced_);
        } else {
            kept.push_back(std::move(unsynced));
        }
    }
    names_unsynced_ = std::move(kept);
}

std::size_t SimulatedDisk::unsynced_count() const {
    std::size_t count = names_unsynced_.size();
    for (const auto& [id, file] : files_) {
        count += file.unsynced.size();
    }
    return count;
}

Bytes SimulatedDisk::survivor(const File& file, Crash crash, std::uint64_t cut,
                              SeededRandom& random) const {
    Bytes content = file.synced;
    // One sector in 2, in 8, or all but one in 8: few images are interesting at a fixed rate.
    const std::uint64_t rate = random.below(3);
    for (const Unsynced& unsynced : file.unsynced) {
        const DiskOperation& operation = unsynced.operation;
        if (crash == Crash::Torn && unsynced.order > cut) {
            break;
        }
        if (crash == Crash::Torn && unsynced.order == cut &&
            operation.kind == DiskOperation::Kind::Write) {
            // Cut at any byte, so usually within a sector, whose rest stays as it was.
            put_at(content, operation.offset,
                   operation.data.view().first(random.below(operation.data.size() + 1)));
            break;
        }
        if (crash != Crash::Reordered) {
            carry_out(operation, content);
            continue;
        }
        const auto survives = [&] {
            return rate == 0 ? random.one_in(2) : (rate == 1) == random.one_in(8);
        };
        if (operation.kind == DiskOperation::Kind::Truncate) {
            if (survives()) {
                carry_out(operation, content);
            }
            continue;
        }
        for_each_sector(operation, [&](std::uint64_t offset, ByteView piece) {
            if (survives()) {
                put_at(content, offset, piece);
            }
        });
        // The size may reach the disk before the bytes: then they read as zeros.
        if (random.one_in(4) && content.size() < operation.offset + operation.data.size()) {
            content.resize(operation.offset + operation.data.size(), 0);
        }
    }
    return content;
}

DiskImage SimulatedDisk::image_after(Crash crash, std::uint64_t seed) const {
    SeededRandom random(seed);
    std::map<std::string, std::uint64_t> names = crash == Crash::Kept ? names_ : names_synced_;
    DiskImage image;
    image.directories = crash == Crash::Kept ? directories_ : directories_synced_;

    std::vector<std::uint64_t> orders;
    for (const UnsyncedName& unsynced : names_unsynced_) {
        orders.push_back(unsynced.order);
    }
    for (const auto& [id, file] : files_) {
        for (const Unsynced& unsynced : file.unsynced) {
            orders.push_back(unsynced.order);
        }
    }
    std::sort(orders.begin(), orders.end());
    const std::uint64_t cut = orders.empty() ? 0 : orders[random.below(orders.size())];

    if (crash == Crash::Torn || crash == Crash::Reordered) {
        for (const UnsyncedName& unsynced : names_unsynced_) {
            if (crash == Crash::Torn ? unsynced.order <= cut : random.one_in(2)) {
                apply_name(unsynced.operation, names, image.directories);
            }
        }
    }
    for (const auto& [path, id] : names) {
        const File& file = files_.at(id);
        if (crash == Crash::Kept && !file.unsynced.empty()) {
            image.put(path, file.shown);
        } else if (crash == Crash::Lost || crash == Crash::Kept || file.unsynced.empty()) {
            if (!file.snapshot.bytes) {
                file.snapshot = {std::make_shared<const Bytes>(file.synced), hash_of(file.synced)};
            }
            image.files[path] = file.snapshot;
        } else {
            image.put(path, survivor(file, crash, cut, random));
        }
    }
    // A file whose directory did not survive is not reachable.
    std::erase_if(image.files, [&](const auto& item) {
        return !image.directories.contains(parent_of(item.first));
    });
    return image;
}

}  // namespace perdure
