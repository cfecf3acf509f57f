#pragma once

/// What the kernel needs of the log: appending at memory speed, reading, and knowing what is
/// durable (K-243). `node/` joins this to the storage room; tests join it to a model.

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/entry.h"
#include "base/result.h"
#include "base/sequence.h"

namespace perdure::kernel {

/// Whose share of the journal an entry counts against; 0 is the kernel, whose entries are always
/// taken (K-268).
using AppenderId = std::uint32_t;
inline constexpr AppenderId kKernelAppender = 0;

class Journal {
public:
    virtual ~Journal() = default;

    using StoredValue = std::optional<SharedBytes>;
    using ReadDone = std::function<void(Result<Seen<StoredValue>>)>;
    using AppendDone = std::function<void(Result<SequenceNumber>)>;

    /// Gives `entry` the next number and queues it for the committer; from then on every read sees
    /// it. Returns nothing and leaves `entry` as it was when there is no room for `appender` or no
    /// space on disk: then `when_room` tells when to try again. The kernel's own entries are always
    /// taken, unless the log has failed or ended. Thread: any.
    virtual std::optional<SequenceNumber> append(AppenderId appender, Entry& entry) = 0;

    /// Calls `again` once when another `append` of `bytes` by `appender` is worth trying.
    /// Thread: any; `again` on any thread.
    virtual void when_room(AppenderId appender, std::size_t bytes, std::function<void()> again) = 0;

    /// Less than the reserve is free on disk: who can answer with an error does, others wait with
    /// `when_room` (K-247). Thread: any.
    virtual bool no_space() const = 0;

    /// As `append`, for an entry above `inline_bytes_max()`: its bytes are synced beside the log
    /// first, then the entry is appended and `done` is called (on any thread) with its number
    /// (K-268). Without space it waits before anything is written. Errors: Overloaded (the disk
    /// cannot hold it), Cancelled, Io.
    virtual void append_large(AppenderId appender, Entry entry, AppendDone done) = 0;
    virtual std::size_t inline_bytes_max() const = 0;

    /// The answer if it is in memory (an entry not yet on disk), else nothing: then `read` has to
    /// be asked.
    virtual std::optional<Seen<StoredValue>> read_pending(Family family,
                                                          const SharedBytes& key) = 0;

    /// Reads on the blocking pool and calls `done` on any thread. Errors: Corrupt, Io.
    virtual void read(Family family, SharedBytes key, ReadDone done) = 0;

    /// All pairs whose key begins with `prefix`, in key order. Blocks: boot and the blocking pool
    /// only.
    virtual Result<Seen<std::vector<std::pair<SharedBytes, SharedBytes>>>> list(
        Family family, ByteView prefix) = 0;

    /// The highest number given out, and the highest one that is on disk.
    virtual SequenceNumber last() const = 0;
    virtual SequenceNumber durable() const = 0;
};

}  // namespace perdure::kernel
