#include "node/journal_adapter.h"

#include <utility>

namespace perdure::node {
namespace {

/// Keys read at once when a whole family is listed.
constexpr std::size_t kListPage = 1024;

}  // namespace

std::optional<SequenceNumber> JournalAdapter::append(kernel::AppenderId appender, Entry& entry) {
    const Appended appended = log_.append(std::move(entry), appender);
    if (!appended) {
        return std::nullopt;
    }
    return appended.number;
}

void JournalAdapter::when_room(kernel::AppenderId appender, std::size_t bytes, std::function<void()> again) {
    log_.when_room(appender, bytes, std::move(again));
}

void JournalAdapter::append_large(kernel::AppenderId appender, Entry entry, AppendDone done) {
    auto kept = std::make_shared<Entry>(std::move(entry));
    blocking_.submit([this, appender, kept, done = std::move(done)] {
        auto staged = log_.stage(std::move(*kept));
        if (!staged) {
            done(std::move(staged).error());
            return;
        }
        append_staged(appender, std::make_shared<StagedEntry>(std::move(*staged)), done);
    });
}

void JournalAdapter::append_staged(kernel::AppenderId appender, std::shared_ptr<StagedEntry> staged, AppendDone done) {
    const Appended appended = log_.append(std::move(*staged), appender);
    switch (appended.outcome) {
        case Appended::Outcome::Taken: done(appended.number); return;
        case Appended::Outcome::NoRoom:
        case Appended::Outcome::NoSpace:
            log_.when_room(appender, kEntryOverheadBytes, [this, appender, staged, done = std::move(done)] {
                blocking_.submit([this, appender, staged, done] { append_staged(appender, staged, done); });
            });
            return;
        case Appended::Outcome::TooLarge:
            done(Error(ErrorCode::Overloaded, "the entry is above entry_inline_bytes_max even without its large values"));
            return;
        case Appended::Outcome::Stopped: done(Error(ErrorCode::Cancelled, "the node is ending")); return;
    }
}

std::optional<Seen<kernel::Journal::StoredValue>> JournalAdapter::read_pending(Family family, const SharedBytes& key) {
    return log_.read_pending(family, key.view());
}

void JournalAdapter::read(Family family, SharedBytes key, ReadDone done) {
    blocking_.submit([this, family, key = std::move(key), done = std::move(done)] { done(log_.read(family, key.view())); });
}

Result<Seen<std::vector<std::pair<SharedBytes, SharedBytes>>>> JournalAdapter::list(Family family, ByteView prefix) {
    Causality listing;
    std::vector<std::pair<SharedBytes, SharedBytes>> all;
    SharedBytes after;
    for (bool more = true; more;) {
        ASSIGN_OR_RETURN(auto page, log_.list(family, prefix, after.view(), kListPage));
        Listing items = std::move(page).tell(listing);
        more = items.more;
        for (KeyValue& item : items.items) {
            after = item.key;
            all.emplace_back(std::move(item.key), std::move(item.value));
        }
    }
    return Seen<std::vector<std::pair<SharedBytes, SharedBytes>>>(std::move(all), listing.seen());
}

}  // namespace perdure::node
