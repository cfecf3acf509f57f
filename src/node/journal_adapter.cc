#include "node/journal_adapter.h"

#include <utility>

namespace perdure::node {
namespace {

/// Keys read at once when a whole family is listed.
constexpr std::size_t kListPage = 1024;

/// How often bytes that found no space are written again once there is space (K-247).
constexpr int kStageAttemptsMax = 3;

}  // namespace

std::optional<SequenceNumber> JournalAdapter::append(kernel::AppenderId appender, Entry& entry) {
    const Appended appended = log_.append(std::move(entry), appender);
    if (!appended) {
        return std::nullopt;
    }
    return appended.number;
}

void JournalAdapter::when_room(kernel::AppenderId appender, std::size_t bytes,
                               std::function<void()> again) {
    log_.when_room(appender, bytes, std::move(again));
}

void JournalAdapter::append_large(kernel::AppenderId appender, Entry entry, AppendDone done) {
    stage(appender, entry, kStageAttemptsMax, done);
}

void JournalAdapter::stage(kernel::AppenderId appender, const Entry& entry, int attempts_left,
                           const AppendDone& done) {
    const auto once_there_is_space = [this, appender, entry, done](int attempts) {
        log_.when_room(appender, kEntryOverheadBytes,
                       [=, this] { stage(appender, entry, attempts, done); });
    };
    const LogStatus status = log_.status();
    if (status.failed || status.closed) {
        done(Error(ErrorCode::Cancelled, "the node is ending"));
        return;
    }
    if (status.no_space) {
        once_there_is_space(attempts_left);
        return;
    }
    blocking_.submit([=, this] {
        auto staged = log_.stage(Entry(entry));
        if (staged) {
            append_staged(appender, std::make_shared<StagedEntry>(std::move(*staged)), done);
        } else if (staged.error().code() == ErrorCode::Overloaded && attempts_left > 1) {
            once_there_is_space(attempts_left - 1);
        } else {
            done(std::move(staged).error());
        }
    });
}

void JournalAdapter::append_staged(kernel::AppenderId appender,
                                   const std::shared_ptr<StagedEntry>& staged, AppendDone done) {
    const Appended appended = log_.append(std::move(*staged), appender);
    switch (appended.outcome) {
        case Appended::Outcome::Taken: done(appended.number); return;
        case Appended::Outcome::NoRoom:
        case Appended::Outcome::NoSpace:
            log_.when_room(
                appender, kEntryOverheadBytes, [this, appender, staged, done = std::move(done)] {
                    blocking_.submit(
                        [this, appender, staged, done] { append_staged(appender, staged, done); });
                });
            return;
        case Appended::Outcome::TooLarge:
            done(Error(ErrorCode::Overloaded,
                       "the entry is above entry_inline_bytes_max even without its large values"));
            return;
        case Appended::Outcome::Stopped:
            done(Error(ErrorCode::Cancelled, "the node is ending"));
            return;
    }
}

std::optional<Seen<kernel::Journal::StoredValue>> JournalAdapter::read_pending(
    Family family, const SharedBytes& key) {
    return log_.read_pending(family, key.view());
}

void JournalAdapter::read(Family family, SharedBytes key, ReadDone done) {
    blocking_.submit([this, family, key = std::move(key), done = std::move(done)] {
        done(log_.read(family, key.view()));
    });
}

Result<Seen<std::vector<std::pair<SharedBytes, SharedBytes>>>> JournalAdapter::list(
    Family family, ByteView prefix) {
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
