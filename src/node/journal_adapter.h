#pragma once

#include "base/executor.h"
#include "kernel/journal.h"
#include "storage/log.h"

namespace perdure::node {

/// The kernel's journal over the storage room's log: what may block goes to the pool.
class JournalAdapter final : public kernel::Journal {
public:
    /// Both outlive the adapter and everything asked of it.
    JournalAdapter(EntryLog& log, Executor& blocking) : log_(log), blocking_(blocking) {}

    std::optional<SequenceNumber> append(kernel::AppenderId appender, Entry& entry) override;
    void when_room(kernel::AppenderId appender, std::size_t bytes,
                   std::function<void()> again) override;
    void append_large(kernel::AppenderId appender, Entry entry, AppendDone done) override;
    bool no_space() const override { return log_.status().no_space; }
    std::size_t inline_bytes_max() const override { return log_.limits().entry_inline_bytes_max; }
    std::optional<Seen<StoredValue>> read_pending(Family family, const SharedBytes& key) override;
    void read(Family family, SharedBytes key, ReadDone done) override;
    Result<Seen<std::vector<std::pair<SharedBytes, SharedBytes>>>> list(Family family,
                                                                        ByteView prefix) override;
    SequenceNumber last() const override { return log_.last(); }
    SequenceNumber durable() const override { return log_.durable(); }

private:
    void stage(kernel::AppenderId appender, const Entry& entry, int attempts_left,
               const AppendDone& done);
    void append_staged(kernel::AppenderId appender, const std::shared_ptr<StagedEntry>& staged,
                       AppendDone done);

    EntryLog& log_;
    Executor& blocking_;
};

}  // namespace perdure::node
