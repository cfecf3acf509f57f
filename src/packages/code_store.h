#pragma once

/// The code of installed packages in the home, by content: `<home>/code/<sha256>.wasm`. Two
/// packages with the same bytes share one file; a file never changes.
///
/// Promise: what `put` has returned is on disk, so a package record that names it may be appended
/// to the log afterwards. Reading checks the hash, so damaged code is an error and never runs. A
/// file that no bound package names is left by a stop between `put` and the record, by a removal
/// or by a replacement; `remove_unused` takes it away.
///
/// Handles are the paths processes know, `/package:publisher/pkg/NAME.wasm`, the leading slash
/// optional (K-194). `vfs` takes this way of reading over later.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/files.h"
#include "base/guarded.h"
#include "base/result.h"
#include "packages/package_record.h"
#include "storage/content_hash.h"

namespace perdure::packages {

/// The largest component that the engine takes (wasm-engine specification §12.5), and so the end of
/// the range of the setting `component_bytes_max`.
inline constexpr std::size_t kComponentBytesMax = 64u << 20;

struct FoundCode {
    Bytes wasm;
    ContentHash hash{};
};

/// `/package:publisher/pkg/path`
std::string code_handle(const PackageId& package, std::string_view path);

/// Thread: any; every call may block on the disk except `bind` and `unbind`.
class CodeStore {
public:
    /// Called when a sync failed: what is on disk is unknown and the node has to stop (K-247).
    using FailedSync = std::function<void(const std::string& why)>;

    /// Makes `<home>/code` when it is missing. `component_bytes_max`, at most kComponentBytesMax,
    /// holds for what is put; what is there is read whatever its size. `files` outlives the store.
    /// Errors: those of Files.
    static Result<std::unique_ptr<CodeStore>> open(Files& files, const std::string& home,
                                                   std::size_t component_bytes_max,
                                                   FailedSync failed_sync);

    /// Stores `wasm` unless it is there already and undamaged. Errors: Overloaded
    /// (component_bytes_max, or no space), Io.
    Result<ContentHash> put(ByteView wasm);

    /// Errors: NotFound, Corrupt (the bytes do not have this hash; install the package again), Io.
    Result<Bytes> load(const ContentHash& hash);

    /// The code behind a handle. Errors: NotFound (no installed package has this file), Corrupt,
    /// Io.
    Result<FoundCode> read(std::string_view handle);
    /// The hash alone, without touching the disk.
    Result<ContentHash> find(std::string_view handle) const;

    /// From now on the package's handles are found; replaces what an earlier record of the same
    /// package bound.
    void bind(const PackageRecord& record);
    void unbind(const PackageId& package);

    struct Removed {
        std::size_t count = 0;
        std::optional<Error> failure;  ///< The first of those that could not be removed.
    };
    /// Removes every file that no bound package names, leftovers of an interrupted `put` included.
    /// One that cannot be removed holds up no other. Nothing is synced: what a power cut brings
    /// back goes next time. Precondition: all records are bound and durable, and no install is
    /// under way.
    Removed remove_unused();

private:
    CodeStore(Files& files, std::string directory, std::size_t component_bytes_max,
              FailedSync failed_sync);

    Result<void> write_synced(const std::string& path, ByteView bytes);
    Error report(const SyncOutcome& failed);
    std::string path_of(const ContentHash& hash) const;

    using Bound = std::map<PackageId, std::map<std::string, ContentHash, std::less<>>>;

    Files& files_;
    const std::string directory_;
    const std::size_t component_bytes_max_;
    const FailedSync failed_sync_;
    Guarded<Bound> bound_;
};

}  // namespace perdure::packages
