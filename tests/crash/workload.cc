#include "workload.h"

#include <algorithm>

namespace perdure::crash {
namespace {

constexpr std::uint64_t kRoomy = 1ull << 40;
constexpr int kFullRetries = 8;

std::string process_name(std::size_t process) {
    return "p" + std::to_string(process) + ":crash:sys";
}

}  // namespace

Workload::Workload(Backend backend, std::uint64_t seed, LogFaultsForTest faults)
    : backend_(backend), faults_(faults), random_(seed) {
    image_.directories.insert("/");
    history_.push_back({0, std::make_shared<const Contents>()});
}

void Workload::trace(std::string_view what, std::uint64_t value) {
    trace_ = hash_of(
        bytes_of(std::string(what) + " " + std::to_string(value) + " " + std::to_string(trace_)));
}

Moment Workload::moment() const {
    Moment moment;
    moment.highest_given = highest_given_;
    moment.shown = shown_;
    for (const auto& [number, kind] : pending_) {
        moment.kinds_pending |= 1u << static_cast<unsigned>(kind);
    }
    moment.full = full_;
    moment.sync_failed = sync_failed_;
    moment.recovering = recovering_;
    return moment;
}

// Operations since the last call happened while things stood as they do now.
void Workload::mark_moments() {
    moments_.resize(files_->operation_count(), moment());
}

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

void Workload::remember(const Entry& entry, std::uint64_t number, EntryKind kind) {
    auto contents = std::make_shared<Contents>(*history_.back().contents);
    for (const Change& change : entry.changes) {
        const std::string key = content_key(change.family, change.key.text());
        if (change.value) {
            (*contents)[key] = std::string(change.value->text());
        } else {
            contents->erase(key);
        }
    }
    history_.push_back({number, std::move(contents)});
    pending_.emplace_back(number, kind);
    highest_given_ = number;
    ++counts_.entries;
    trace(to_string(kind), number);
}

void Workload::append(NodeUnderTest& node, std::size_t process) {
    const auto kind = static_cast<EntryKind>(random_.below(kEntryKindCount));
    Entry entry = make_entry(process, kind);
    const Entry copy = entry;
    const auto owner = static_cast<OwnerId>(process + 1);
    Appended appended;
    if (node.log().needs_staging(entry)) {
        auto staged = node.log().stage(std::move(entry));
        mark_moments();
        if (!staged) {
            return;  // no space for it
        }
        appended = node.log().append(std::move(*staged), owner);
    } else {
        appended = node.log().append(std::move(entry), owner);
    }
    if (appended) {
        remember(copy, appended.number.value, kind);
        processes_[process].learn(appended.number);
    }
    mark_moments();
}

void Workload::output(NodeUnderTest& node, std::size_t process) {
    const std::uint64_t seen = processes_[process].seen().value;
    node.gate().pass({seen}, [this, seen] {
        mark_moments();  // the operations before it happened before it was shown
        shown_ = std::max(shown_, seen);
        ++counts_.outputs;
        trace("output", seen);
    });
}

void Workload::act(NodeUnderTest& node) {
    const std::size_t process = random_.below(processes_.size());
    switch (random_.below(10)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            append(node, process);
            if (random_.one_in(3)) {
                output(node, process);  // what a guest that saves and prints does
            }
            break;
        case 5: {  // a message carries its sender's number
            processes_[random_.below(processes_.size())].learn(processes_[process].seen());
            break;
        }
        case 6: {  // a read, with its number
            auto read = node.log().read(Family::ProcessState, bytes_of(process_name(process)));
            if (read) {
                (void)std::move(*read).tell(processes_[process]);
            }
            break;
        }
        case 7: output(node, process); break;
        default: {
            mark_moments();
            const auto step = node.committer().step();
            mark_moments();
            sync_failed_ |= step == Committer::Step::Failed;
            const std::uint64_t durable = node.log().durable().value;
            std::erase_if(pending_, [&](const auto& item) { return item.first <= durable; });
            trace("durable", durable);
            break;
        }
    }
}

bool Workload::start(NodeUnderTest& node) {
    mark_moments();
    recovering_ = true;
    full_ = false;
    files_->set_capacity(kRoomy);
    auto started = node.start();
    if (!started && files_->sync_failures() > sync_failures_) {
        // A sync of the recovery itself failed: the node stopped and is started once more.
        mark_moments();
        sync_failed_ = true;
        files_->fail_sync(0);
        node.crash();
        started = node.start();
    }
    sync_failures_ = files_->sync_failures();
    mark_moments();
    recovering_ = false;
    sync_failed_ = false;
    if (!started) {
        losses_.push_back("a start of the workload was refused: " + started.error().message());
        return false;
    }
    after_start(node);
    return true;
}

void Workload::after_start(NodeUnderTest& node) {
    ++counts_.restarts;
    const std::uint64_t recovered = node.recovered().value;
    trace("recovered", recovered);
    if (shown_ > recovered && shown_ != 0) {
        losses_.push_back("entry " + std::to_string(shown_) +
                          " was shown and is gone after a restart");
    }
    while (history_.back().number > recovered) {
        history_.pop_back();
    }
    // Instances of the new run begin with what they were recovered from.
    const SequenceNumber last = node.log().last();
    highest_given_ = std::max(highest_given_, last.value);
    pending_.clear();
    processes_.fill(Causality(SequenceNumber{recovered}));
}

Stretch Workload::run(std::size_t actions) {
    files_ = std::make_unique<SimulatedFiles>(image_);
    files_->record();
    moments_.clear();
    full_ = false;
    sync_failed_ = false;
    sync_failures_ = 0;
    Stretch stretch;
    stretch.start = image_;

    NodeOptions options;
    options.faults = faults_;
    int retries = 0;
    options.after_failed_write = [this, &retries](const Error&) {
        mark_moments();
        // Room comes back in small steps, so a batch is cut at many places before it fits.
        if (++retries % kFullRetries == 0) {
            files_->set_capacity(kRoomy);
            full_ = false;
        } else {
            files_->set_capacity(files_->used_bytes() + 1 + random_.below(60));
        }
        return true;
    };
    auto node = make_node(backend_, *files_, options);
    bool running = start(*node);
    for (std::size_t i = 0; running && i < actions; ++i) {
        act(*node);
        mark_moments();
        sync_failed_ |= files_->sync_failures() > sync_failures_;
        if (sync_failed_ || random_.one_in(90)) {
            // The node ends, in order or not, and starts again on the same machine.
            if (!sync_failed_ && random_.one_in(2)) {
                node->stop();
            } else {
                node->crash();
            }
            node = make_node(backend_, *files_, options);
            running = start(*node);
            continue;
        }
        if (random_.one_in(60)) {
            node->flush();
        } else if (random_.one_in(25)) {
            full_ = true;
            files_->set_capacity(files_->used_bytes() + random_.below(40));
        } else if (random_.one_in(80)) {
            files_->fail_sync(1);
        }
        mark_moments();
    }
    files_->fail_sync(0);
    mark_moments();
    stretch.moments = moments_;
    stretch.moments.push_back(moment());
    stretch.operations = files_->recorded();
    stretch.history = history_;
    for (const DiskOperation& operation : stretch.operations) {
        // RocksDB puts random session numbers into its own files: of those, only the shape belongs
        // to the trace.
        const bool own = operation.path.ends_with(".log") ||
                         operation.path.find("/large/") != std::string::npos ||
                         operation.path.ends_with("/durable");
        trace(operation.path, static_cast<std::uint64_t>(operation.kind));
        trace("at", operation.offset);
        trace("bytes", own ? hash_of(operation.data.view()) : operation.data.size());
    }

    // The power goes. The next stretch begins with one of the disks that this may leave.
    static constexpr Crash kCrashes[] = {Crash::Lost, Crash::Torn, Crash::Reordered, Crash::Kept};
    image_ = files_->image_after(kCrashes[random_.below(4)], random_.next());
    node->crash();
    return stretch;
}

}  // namespace perdure::crash
