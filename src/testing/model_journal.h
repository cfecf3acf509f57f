#pragma once

/// The kernel's journal in memory: what is durable moves when a test says so, room and failures are
/// set by hand.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/guarded.h"
#include "kernel/journal.h"

namespace perdure::testing {

class ModelJournal final : public kernel::Journal {
public:
    explicit ModelJournal(Executor& blocking) : blocking_(blocking) {}

    // What a test does.

    /// From now on `durable` stays where it is until `sync`.
    void hold_syncs() { inside_.lock()->held = true; }
    /// Everything appended is on disk.
    void sync();
    /// Appends of guests find no room until `make_room`.
    void take_room_away() { inside_.lock()->no_room = true; }
    void make_room();
    /// As on a full disk (K-247); `make_room` ends it too.
    void take_space_away() { inside_.lock()->no_space = true; }
    /// As a log whose sync has failed: it takes nothing any more, and nothing becomes durable.
    void fail_log() { inside_.lock()->failed = true; }
    /// Bounds of what is appended and not yet on disk: of one appender, and of all (K-268). The
    /// kernel's is always taken.
    void set_bounds(std::size_t process_bytes_max, std::size_t bytes_max);
    /// Reads and large appends fail with this text; empty: they work.
    void fail_store(std::string why) { inside_.lock()->failure = std::move(why); }
    /// What a crash now and a restart would find.
    void crash();

    std::vector<EntryKind> kinds() const { return inside_.lock()->kinds; }
    std::optional<std::string> stored(Family family, std::string_view key) const;
    std::size_t count(Family family) const;

    // kernel::Journal
    std::optional<SequenceNumber> append(kernel::AppenderId appender, Entry& entry) override;
    void when_room(kernel::AppenderId appender, std::size_t bytes,
                   std::function<void()> again) override;
    void append_large(kernel::AppenderId appender, Entry entry, AppendDone done) override;
    bool no_space() const override { return inside_.lock()->no_space; }
    std::size_t inline_bytes_max() const override { return 4 << 20; }
    std::optional<Seen<StoredValue>> read_pending(Family family, const SharedBytes& key) override;
    void read(Family family, SharedBytes key, ReadDone done) override;
    Result<Seen<std::vector<std::pair<SharedBytes, SharedBytes>>>> list(Family family,
                                                                        ByteView prefix) override;
    SequenceNumber last() const override { return inside_.lock()->last; }
    SequenceNumber durable() const override { return inside_.lock()->durable; }

private:
    using Key = std::pair<Family, std::string>;
    struct Stored {
        std::optional<SharedBytes> value;
        SequenceNumber number;
    };
    struct Inside {
        std::map<Key, Stored> now;
        std::map<Key, Stored> on_disk;
        SequenceNumber last;
        SequenceNumber durable;
        std::vector<EntryKind> kinds;
        std::vector<std::function<void()>> waiting;
        std::map<kernel::AppenderId, std::size_t> pending_of;
        std::size_t pending = 0;
        std::size_t process_bytes_max = SIZE_MAX;
        std::size_t bytes_max = SIZE_MAX;
        std::string failure;
        bool held = false;
        bool no_room = false;
        bool no_space = false;
        bool failed = false;
    };
    static SequenceNumber take(Inside& inside, kernel::AppenderId appender, const Entry& entry);
    static bool has_room(const Inside& inside, kernel::AppenderId appender, std::size_t bytes);
    void wake_waiting();

    Executor& blocking_;
    Guarded<Inside> inside_;
};

}  // namespace perdure::testing
