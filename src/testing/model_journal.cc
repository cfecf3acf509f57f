#include "testing/model_journal.h"

#include <memory>
#include <utility>

namespace perdure::testing {

SequenceNumber ModelJournal::take(Inside& inside, kernel::AppenderId appender, const Entry& entry) {
    inside.last = SequenceNumber{inside.last.value + 1};
    inside.kinds.push_back(entry.kind);
    for (const Change& change : entry.changes) {
        inside.now[{change.family, std::string(change.key.text())}] = {change.value, inside.last};
    }
    if (inside.held) {
        inside.pending_of[appender] += entry.size();
        inside.pending += entry.size();
    } else {
        inside.on_disk = inside.now;
        inside.durable = inside.last;
    }
    return inside.last;
}

bool ModelJournal::has_room(const Inside& inside, kernel::AppenderId appender, std::size_t bytes) {
    if (appender == kernel::kKernelAppender) {
        return true;
    }
    const auto own = inside.pending_of.find(appender);
    const std::size_t own_bytes = own == inside.pending_of.end() ? 0 : own->second;
    return !inside.no_room && !inside.no_space && own_bytes + bytes <= inside.process_bytes_max &&
           inside.pending + bytes <= inside.bytes_max;
}

void ModelJournal::set_bounds(std::size_t process_bytes_max, std::size_t bytes_max) {
    auto inside = inside_.lock();
    inside->process_bytes_max = process_bytes_max;
    inside->bytes_max = bytes_max;
}

void ModelJournal::sync() {
    {
        auto inside = inside_.lock();
        inside->held = false;
        inside->on_disk = inside->now;
        inside->durable = inside->last;
        inside->pending_of.clear();
        inside->pending = 0;
    }
    wake_waiting();
}

void ModelJournal::crash() {
    auto inside = inside_.lock();
    inside->now = inside->on_disk;
    inside->last = inside->durable;
    inside->waiting.clear();
    inside->pending_of.clear();
    inside->pending = 0;
    inside->held = false;
    inside->no_room = false;
    inside->no_space = false;
    inside->failed = false;
    inside->failure.clear();
}

void ModelJournal::make_room() {
    {
        auto inside = inside_.lock();
        inside->no_room = false;
        inside->no_space = false;
    }
    wake_waiting();
}

void ModelJournal::wake_waiting() {
    std::vector<std::function<void()>> waiting;
    {
        auto inside = inside_.lock();
        waiting.swap(inside->waiting);
    }
    for (const auto& again : waiting) {
        again();
    }
}

std::optional<std::string> ModelJournal::stored(Family family, std::string_view key) const {
    auto inside = inside_.lock();
    const auto found = inside->now.find({family, std::string(key)});
    if (found == inside->now.end() || !found->second.value) {
        return std::nullopt;
    }
    return std::string(found->second.value->text());
}

std::size_t ModelJournal::count(Family family) const {
    auto inside = inside_.lock();
    std::size_t count = 0;
    for (const auto& [key, stored] : inside->now) {
        count += key.first == family && stored.value ? 1 : 0;
    }
    return count;
}

std::optional<SequenceNumber> ModelJournal::append(kernel::AppenderId appender, Entry& entry) {
    auto inside = inside_.lock();
    if (inside->failed || !has_room(*inside, appender, entry.size())) {
        return std::nullopt;
    }
    const SequenceNumber number = take(*inside, appender, entry);
    entry.changes.clear();
    return number;
}

void ModelJournal::when_room(kernel::AppenderId appender, std::size_t bytes,
                             std::function<void()> again) {
    {
        auto inside = inside_.lock();
        if (!has_room(*inside, appender, bytes)) {
            inside->waiting.push_back(std::move(again));
            return;
        }
    }
    again();
}

void ModelJournal::append_large(kernel::AppenderId appender, Entry entry, AppendDone done) {
    auto kept = std::make_shared<Entry>(std::move(entry));
    blocking_.submit([this, appender, kept, done = std::move(done)] {
        std::optional<SequenceNumber> number;
        std::string failure;
        {
            auto inside = inside_.lock();
            failure = inside->failure;
            if (failure.empty()) {
                number = take(*inside, appender, *kept);
            }
        }
        if (number) {
            done(*number);
        } else {
            done(Error(ErrorCode::Io, failure));
        }
    });
}

std::optional<Seen<kernel::Journal::StoredValue>> ModelJournal::read_pending(
    Family family, const SharedBytes& key) {
    auto inside = inside_.lock();
    const auto found = inside->now.find({family, std::string(key.text())});
    if (found == inside->now.end() || found->second.number <= inside->durable ||
        !inside->failure.empty()) {
        return std::nullopt;
    }
    return Seen<StoredValue>(found->second.value, found->second.number);
}

void ModelJournal::read(Family family, SharedBytes key, ReadDone done) {
    blocking_.submit([this, family, key = std::move(key), done = std::move(done)] {
        std::string failure;
        StoredValue value;
        SequenceNumber number;
        {
            auto inside = inside_.lock();
            failure = inside->failure;
            const auto found = inside->now.find({family, std::string(key.text())});
            if (found != inside->now.end()) {
                value = found->second.value;
                number = found->second.number;
            }
        }
        if (!failure.empty()) {
            done(Error(ErrorCode::Io, failure));
        } else {
            done(Seen<StoredValue>(std::move(value), number));
        }
    });
}

Result<Seen<std::vector<std::pair<SharedBytes, SharedBytes>>>> ModelJournal::list(Family family,
                                                                                  ByteView prefix) {
    auto inside = inside_.lock();
    std::vector<std::pair<SharedBytes, SharedBytes>> found;
    for (const auto& [key, stored] : inside->now) {
        if (key.first == family && stored.value &&
            std::string_view(key.second).starts_with(text_of(prefix))) {
            found.emplace_back(SharedBytes(std::string_view(key.second)), *stored.value);
        }
    }
    return Seen<std::vector<std::pair<SharedBytes, SharedBytes>>>(std::move(found), inside->last);
}

}  // namespace perdure::testing
