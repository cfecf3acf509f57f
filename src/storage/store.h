#pragma once

/// The durable store under the log, as an interface: atomic batches in, values and ordered listings
/// out.
///
/// Implementations: `RocksStore` (production), `MemoryStore` (durability class `memory`, K-256);
/// the test room adds one on the simulated disk. The store knows nothing of entries and numbers;
/// the log above it does.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/entry.h"
#include "base/result.h"

namespace perdure {

/// First byte of every stored value; docs/formats/store.md. Append only.
enum class ValueFormat : std::uint8_t {
    Inline = 1,  ///< The value's own bytes follow.
    LargeReference =
        2,  ///< The value lies in a file beside the log (K-268); its reference follows.
};

/// One key of a batch: put when there is a value, removed otherwise. Borrows its bytes for the
/// call.
struct StoreChange {
    Family family;
    ByteView key;
    std::optional<ByteView> value;
    ValueFormat format = ValueFormat::Inline;
};

struct StoreValue {
    ValueFormat format = ValueFormat::Inline;
    SharedBytes bytes;
};

enum class Sync : std::uint8_t { No, Yes };

/// How a batch went. The two failures must never be confused (K-247).
struct [[nodiscard]] WriteOutcome {
    enum class Kind : std::uint8_t {
        Done,
        FailedWrite,  ///< Nothing of the batch is visible; the same batch may be tried again.
        FailedSync,   ///< What is on disk is unknown; the node has to stop.
    };
    Kind kind = Kind::Done;
    std::string message;
};

/// Keys in order at one moment. Thread: one at a time.
class StoreCursor {
public:
    virtual ~StoreCursor() = default;

    /// The next key, or false at the end. `key()` and `value()` are borrowed until the next call.
    virtual Result<bool> next() = 0;
    virtual ByteView key() const = 0;
    virtual const StoreValue& value() const = 0;
};

class Store {
public:
    virtual ~Store() = default;

    /// Makes all `changes` visible, all or none; with `Sync::Yes` they are on disk, too, when it
    /// returns. No two changes name the same key. Thread: the committer's.
    virtual WriteOutcome write(std::span<const StoreChange> changes, Sync sync) = 0;

    /// The newest written value. May read from disk. Errors: Corrupt (checksum), Io. Thread: any.
    virtual Result<std::optional<StoreValue>> read(Family family, ByteView key) const = 0;

    /// The keys with `prefix`, from the first one above `after` (from the first one when empty), as
    /// they are now. Making the cursor never waits for the disk; moving it may. Thread: any.
    virtual std::unique_ptr<StoreCursor> scan(Family family, ByteView prefix,
                                              ByteView after) const = 0;

    /// What was recovered at opening is written anew and synced (K-270, last sentence). Thread:
    /// before the first write.
    virtual WriteOutcome rewrite_recovered() = 0;
};

}  // namespace perdure
