#include "workload.h"

#include <algorithm>

namespace perdure::crash {
namespace {

std::string process_name(std::size_t process) {
    return "p" + std::to_string(process) + ":crash:sys";
}

}  // namespace

Workload::Workload(Backend backend, std::uint64_t seed, LogFaultsForTest faults)
    : DiskWorkload(seed, {.restart = 90, .flush = 60, .full = 25, .failed_sync = 80}),
      backend_(backend),
      faults_(faults) {}

Entry Workload::make_entry(std::size_t process, EntryKind kind) {
    const std::string name = process_name(process);
    // Mostly small values; some fill a batch, a few are large entries (above 2 KiB).
    const std::uint64_t size = random_.one_in(12)
                                   ? 2200 + random_.below(3000)
                                   : 10 + random_.below(random_.one_in(4) ? 900 : 90);
    std::string value = "v" + std::to_string(++next_value_) + ":";
    value.resize(std::max<std::size_t>(value.size(), size),
                 static_cast<char>('a' + next_value_ % 26));
    const auto put = [&](Family family, const std::string& key) {
        return Change{family, SharedBytes(key), SharedBytes(value)};
    };
    const auto drop = [](Family family, const std::string& key) {
        return Change{family, SharedBytes(key), std::nullopt};
    };
    const std::string capability =
        name + std::string(1, '\0') + "c" + std::to_string(random_.below(3));
    const std::string module_key = std::string("module\0m\0", 9) + std::to_string(process);
    switch (kind) {
        case EntryKind::SetState: return {kind, {put(Family::ProcessState, name)}};
        case EntryKind::ClearState: return {kind, {drop(Family::ProcessState, name)}};
        case EntryKind::SaveCapabilities: return {kind, {put(Family::Capabilities, capability)}};
        case EntryKind::DropCapabilities: return {kind, {drop(Family::Capabilities, capability)}};
        case EntryKind::SetOnExit: return {kind, {put(Family::Processes, name)}};
        case EntryKind::Initialise:
            return {kind, {put(Family::Processes, name), put(Family::Capabilities, capability)}};
        case EntryKind::Exit:
            return {kind, {drop(Family::Processes, name), drop(Family::Capabilities, capability)}};
        case EntryKind::Grant: return {kind, {put(Family::Capabilities, capability)}};
        case EntryKind::Install:
            return {kind, {put(Family::Packages, name), put(Family::Packages, name + "/consent")}};
        case EntryKind::Remove:
            return {kind,
                    {drop(Family::Packages, name), drop(Family::Packages, name + "/consent")}};
        case EntryKind::Module: return {kind, {put(Family::Meta, module_key)}};
        case EntryKind::Boot: return {kind, {put(Family::Meta, std::string("module\0boot", 11))}};
    }
    return {kind, {}};
}

Contents Workload::contents_after(const Entry& entry) const {
    Contents contents = *history_.back().contents;
    for (const Change& change : entry.changes) {
        const std::string key = content_key(change.family, change.key.text());
        if (change.value) {
            contents[key] = std::string(change.value->text());
        } else {
            contents.erase(key);
        }
    }
    return contents;
}

void Workload::append(std::size_t process) {
    const auto kind = static_cast<EntryKind>(random_.below(kEntryKindCount));
    Entry entry = make_entry(process, kind);
    const Entry copy = entry;
    const auto owner = static_cast<OwnerId>(process + 1);
    Appended appended;
    if (node_->log().needs_staging(entry)) {
        auto staged = node_->log().stage(std::move(entry));
        mark_moments();
        if (!staged) {
            return;  // no space for it
        }
        appended = node_->log().append(std::move(*staged), owner);
    } else {
        appended = node_->log().append(std::move(entry), owner);
    }
    if (appended) {
        remember(appended.number.value, kind, contents_after(copy));
        processes_[process].learn(appended.number);
    }
    mark_moments();
}

void Workload::output(std::size_t process) {
    const std::uint64_t seen = processes_[process].seen().value;
    node_->gate().pass({seen}, [this, seen] {
        mark_moments();  // the operations before it happened before it was shown
        now_.shown = std::max(now_.shown, seen);
        ++outputs_;
        trace("output", seen);
    });
}

void Workload::act() {
    const std::size_t process = random_.below(processes_.size());
    switch (random_.below(10)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            append(process);
            if (random_.one_in(3)) {
                output(process);  // what a guest that saves and prints does
            }
            break;
        case 5: {  // a message carries its sender's number
            processes_[random_.below(processes_.size())].learn(processes_[process].seen());
            break;
        }
        case 6: {  // a read, with its number
            auto read = node_->log().read(Family::ProcessState, bytes_of(process_name(process)));
            if (read) {
                (void)std::move(*read).tell(processes_[process]);
            }
            break;
        }
        case 7: output(process); break;
        default: commit(node_->committer(), node_->log()); break;
    }
}

Result<void> Workload::start_node() {
    node_ = make_node(backend_, *files_, {faults_, [this](const Error&) { return retry_write(); }});
    return node_->start();
}

void Workload::end_node(End end) {
    if (end == End::Orderly) {
        node_->stop();
    } else {
        node_->crash();
    }
    node_.reset();
}

bool Workload::after_start() {
    const std::uint64_t recovered = node_->recovered().value;
    if (now_.shown > recovered) {
        losses_.push_back("entry " + std::to_string(now_.shown) +
                          " was shown and is gone after a restart");
    }
    forget_above(recovered, node_->log());
    // Instances of the new run begin with what they were recovered from.
    processes_.fill(Causality(SequenceNumber{recovered}));
    return true;
}

}  // namespace perdure::crash
