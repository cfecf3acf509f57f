#pragma once

/// Installs and removes packages: files into the code store, processes into the kernel, one record
/// into the log.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/files.h"
#include "kernel/kernel.h"
#include "node/node_api.h"
#include "packages/code_store.h"
#include "packages/package.h"
#include "storage/log.h"

namespace perdure::node {

/// The kernel's view of the code store.
class PackageCode final : public kernel::CodeSource {
public:
    explicit PackageCode(packages::CodeStore& store) : store_(store) {}
    Result<Found> read(std::string_view handle) override;

private:
    packages::CodeStore& store_;
};

/// Thread: the blocking pool; one operation at a time. Every operation blocks.
class Installer {
public:
    struct Parts {
        Files& files;
        packages::CodeStore& store;
        kernel::Kernel& kernel;
        EntryLog& log;
    };
    Installer(const Parts& parts, std::size_t component_bytes_max, Log node_log);
    ~Installer();

    /// Whoever waits for processes to end gives up, now and from now on: the workers are about to
    /// stop. Thread: any.
    void stop();

    /// Instead of waiting for workers of other threads it calls `step` until they have done their
    /// part.
    void step_while_waiting(std::function<void()> step) { step_ = std::move(step); }

    /// Reads all package records and binds their code. Before boot. Errors: Corrupt, Io.
    static Result<void> bind_installed(packages::CodeStore& store, EntryLog& log);

    /// Removes code that no installed package names. What cannot be removed stays, with one line.
    /// After `bind_installed`, on a log whose recovered records are durable; before boot.
    static void remove_unused_code(packages::CodeStore& store, const Log& node_log);

    /// Checks everything first (files, manifest, every component), then replaces what is installed
    /// under the same id, by one entry with record, processes and grants, and starts its processes.
    /// Errors: Overloaded without space. On error nothing has changed. The answer depends on the
    /// returned number.
    Result<Seen<StartedPackage>> install(const std::string& directory);

    /// Ends the package's processes and forgets it; their saved states stay (K-180). Errors:
    /// NotFound.
    Result<SequenceNumber> remove(const PackageId& package);

    Result<Seen<std::vector<PackageRow>>> list();

private:
    Result<std::vector<packages::PackageRecord>> records(Causality& asker);
    struct Halted {
        std::vector<ProcessId> were_running;
        SequenceNumber seen;
    };
    /// Halts the guests of `processes` and waits until the last one has stopped. Errors: Cancelled.
    Result<Halted> halt_all(const std::vector<ProcessId>& processes);
    /// `Kernel::replace` of what has been halted; on error that runs again.
    Result<SequenceNumber> replace(kernel::Replacement replacement);

    Files& files_;
    packages::CodeStore& store_;
    kernel::Kernel& kernel_;
    EntryLog& log_;
    const std::size_t component_bytes_max_;
    const Log node_log_;
    std::mutex one_at_a_time_;
    std::function<void()> step_;
    struct Waiting;
    const std::shared_ptr<Waiting> waiting_;
};

}  // namespace perdure::node
