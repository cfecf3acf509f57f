#include "kernel/process_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "kernel/party.h"

namespace perdure::kernel {

TableSnapshot::TableSnapshot() {
    shards_.fill(std::make_shared<const Shard>());
}

const TableEntry* TableSnapshot::find(std::size_t hash, const AddressView& address) const {
    for (const TableEntry& entry : *shards_[hash % kShards]) {
        const Party& party = *entry.process->self;
        if (party.hash == hash && same_address(address, party.address)) {
            return &entry;
        }
    }
    return nullptr;
}

const TableEntry* TableSnapshot::find(const ProcessId& id, std::string_view node) const {
    const AddressView address{node, {id.process, id.package, id.publisher}};
    return find(hash_address(address), address);
}

ProcessTable::ProcessTable(std::string own_node)
    : own_node_(std::move(own_node)), current_(new TableSnapshot()) {}

std::shared_ptr<const TableSnapshot> ProcessTable::snapshot() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

void ProcessTable::index(const HeldSet& held, const ProcessId& holder) {
    for (const auto& capability : held.all()) {
        holders_[capability->record.capability.issuer].insert(holder);
    }
}

ProcessTable::Writer::Writer(ProcessTable& table)
    : table_(table), lock_(table.mutex_), next_(new TableSnapshot(*table.current_)) {}

const TableEntry* ProcessTable::Writer::find(const ProcessId& id) const {
    return next_->find(id, table_.own_node_);
}

std::shared_ptr<TableSnapshot::Shard> ProcessTable::Writer::copy_shard(std::size_t hash) {
    return std::make_shared<TableSnapshot::Shard>(*next_->shards_[hash % TableSnapshot::kShards]);
}

void ProcessTable::Writer::put(TableEntry entry) {
    const std::size_t hash = entry.process->self->hash;
    auto shard = copy_shard(hash);
    auto place = std::find_if(shard->begin(), shard->end(), [&](const TableEntry& other) {
        return same_party(*other.process->self, *entry.process->self);
    });
    table_.index(*entry.held, entry.process->self->address.process);
    if (place == shard->end()) {
        shard->push_back(std::move(entry));
        ++next_->count_;
        membership_changed_ = true;
    } else {
        membership_changed_ = membership_changed_ || !(place->process == entry.process);
        *place = std::move(entry);
    }
    next_->shards_[hash % TableSnapshot::kShards] = std::move(shard);
}

void ProcessTable::Writer::erase(const ProcessId& id) {
    const TableEntry* entry = find(id);
    CHECK(entry != nullptr, "erased a process that is not in the table", id);
    for (const auto& capability : entry->held->all()) {
        const auto holders = table_.holders_.find(capability->record.capability.issuer);
        if (holders != table_.holders_.end() && holders->second.erase(id) != 0 &&
            holders->second.empty()) {
            table_.holders_.erase(holders);
        }
    }
    const std::size_t hash = entry->process->self->hash;
    auto shard = copy_shard(hash);
    std::erase_if(*shard, [&](const TableEntry& other) {
        return other.process->self->address.process == id;
    });
    next_->shards_[hash % TableSnapshot::kShards] = std::move(shard);
    --next_->count_;
    membership_changed_ = true;
}

std::vector<ProcessId> ProcessTable::Writer::holders_of(const Address& issuer) const {
    auto found = table_.holders_.find(issuer);
    if (found == table_.holders_.end()) {
        return {};
    }
    return {found->second.begin(), found->second.end()};
}

void ProcessTable::Writer::publish(SequenceNumber number) {
    if (membership_changed_ && next_->changed_ < number) {
        next_->changed_ = number;
    }
    table_.current_ = next_;
    table_.generation_.fetch_add(1, std::memory_order_release);
}

}  // namespace perdure::kernel
