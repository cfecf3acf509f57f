#pragma once

/// What exists: an immutable snapshot of all processes with what they hold, replaced under one
/// writer lock that also takes the entry's number (K-81). Readers keep a snapshot and look at one
/// generation counter.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "abi/ids.h"
#include "abi/message.h"
#include "base/ref.h"
#include "base/sequence.h"
#include "kernel/capabilities.h"
#include "kernel/host_calls.h"
#include "kernel/process.h"

namespace perdure::kernel {

/// One process as others may see it without asking its worker.
struct TableEntry {
    Ref<Process> process;
    std::shared_ptr<const HeldSet> held;
    std::shared_ptr<const OnExit> on_exit;
    SequenceNumber changed;  ///< The newest entry that made or changed this record.
};

class TableSnapshot {
public:
    /// The entry of a local process, or null. `hash` is that of its full address (kernel/party.h).
    const TableEntry* find(std::size_t hash, const AddressView& address) const;
    const TableEntry* find(const ProcessId& id, std::string_view node) const;

    template <typename F>
    void for_each(F&& visit) const {
        for (const auto& shard : shards_) {
            for (const TableEntry& entry : *shard) {
                visit(entry);
            }
        }
    }
    std::size_t count() const { return count_; }
    /// The newest entry that added or removed a process: what "not there" depends on.
    SequenceNumber changed() const { return changed_; }

private:
    friend class ProcessTable;
    // A change copies one shard: its cost does not grow with the number of processes until there
    // are thousands.
    static constexpr std::size_t kShards = 64;
    using Shard = std::vector<TableEntry>;

    TableSnapshot();

    std::array<std::shared_ptr<const Shard>, kShards> shards_;
    std::size_t count_ = 0;
    SequenceNumber changed_;
};

class ProcessTable {
public:
    explicit ProcessTable(std::string own_node);

    /// Goes up with every change. Thread: any.
    std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
    std::shared_ptr<const TableSnapshot> snapshot() const;

    /// The right to change the table; holds the writer lock. Take the entry's number while it
    /// lives. Nothing is visible before `publish`; without it nothing has changed.
    class Writer {
    public:
        const TableSnapshot& now() const { return *next_; }
        const TableEntry* find(const ProcessId& id) const;

        /// Adds `entry`, or replaces the one of the same process.
        void put(TableEntry entry);
        void erase(const ProcessId& id);
        /// The processes that hold a capability issued by `issuer` (K-118).
        std::vector<ProcessId> holders_of(const Address& issuer) const;
        void publish(SequenceNumber number);

    private:
        friend class ProcessTable;
        explicit Writer(ProcessTable& table);
        std::shared_ptr<TableSnapshot::Shard> copy_shard(std::size_t hash);

        ProcessTable& table_;
        std::unique_lock<std::mutex> lock_;
        std::shared_ptr<TableSnapshot> next_;
        bool membership_changed_ = false;
    };
    Writer write() { return Writer(*this); }

private:
    void index(const HeldSet& held, const ProcessId& holder);

    const std::string own_node_;
    mutable std::mutex mutex_;
    std::shared_ptr<const TableSnapshot> current_;
    /// Issuer → processes that may hold something of it. May name one that no longer does; never
    /// misses one.
    std::unordered_map<Address, std::unordered_set<ProcessId>> holders_;
    std::atomic<std::uint64_t> generation_{1};
};

}  // namespace perdure::kernel
