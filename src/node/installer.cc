#include "node/installer.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <utility>

namespace perdure::node {
namespace {

constexpr std::size_t kRecordsPage = 256;

std::vector<ProcessId> process_ids(const packages::PackageRecord& record) {
    std::vector<ProcessId> ids;
    for (const std::string& name : record.process_names) {
        ids.push_back({name, record.id.package, record.id.publisher});
    }
    return ids;
}

}  // namespace

Result<kernel::CodeSource::Found> PackageCode::read(std::string_view handle) {
    ASSIGN_OR_RETURN(packages::FoundCode found, store_.read(handle));
    return Found{std::move(found.wasm), found.hash};
}

namespace {

Result<std::vector<packages::PackageRecord>> read_records(EntryLog& log, Causality& asker) {
    std::vector<packages::PackageRecord> records;
    SharedBytes after;
    for (bool more = true; more;) {
        ASSIGN_OR_RETURN(auto page, log.list(Family::Packages, {}, after.view(), kRecordsPage));
        const Listing listing = std::move(page).tell(asker);
        more = listing.more;
        for (const KeyValue& item : listing.items) {
            after = item.key;
            ASSIGN_OR_RETURN(
                auto record,
                packages::decode_package_record(item.value.view()).with_context(item.key.text()));
            records.push_back(std::move(record));
        }
    }
    return records;
}

}  // namespace

Result<void> Installer::bind_installed(packages::CodeStore& store, EntryLog& log) {
    Causality boot;
    ASSIGN_OR_RETURN(const auto records, read_records(log, boot));
    for (const packages::PackageRecord& record : records) {
        store.bind(record);
    }
    return {};
}

void Installer::remove_unused_code(packages::CodeStore& store, const Log& node_log) {
    const packages::CodeStore::Removed removed = store.remove_unused();
    if (removed.failure) {
        node_log.warn("unused_code_kept", LogField("reason", removed.failure->message()));
    }
    if (removed.count != 0) {
        node_log.info("unused_code_removed", LogField("files", removed.count));
    }
}

Result<std::vector<packages::PackageRecord>> Installer::records(Causality& asker) {
    return read_records(log_, asker);
}

/// The processes that are waited for, one operation at a time. Answers may come after the
/// installer's end.
struct Installer::Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left = 0;
    Halted halted;
    bool stopped = false;
};

Installer::Installer(const Parts& parts, std::size_t component_bytes_max, Log node_log)
    : files_(parts.files),
      store_(parts.store),
      kernel_(parts.kernel),
      log_(parts.log),
      component_bytes_max_(component_bytes_max),
      node_log_(node_log),
      waiting_(std::make_shared<Waiting>()) {}
Installer::~Installer() = default;

void Installer::stop() {
    const std::lock_guard lock(waiting_->mutex);
    waiting_->stopped = true;
    waiting_->changed.notify_all();
}

Result<Installer::Halted> Installer::halt_all(const std::vector<ProcessId>& processes) {
    {
        const std::lock_guard lock(waiting_->mutex);
        waiting_->left = processes.size();
        waiting_->halted = {};
    }
    for (const ProcessId& id : processes) {
        kernel_.halt(id, [waiting = waiting_, id](kernel::Worker::Halted one) {
            const std::lock_guard lock(waiting->mutex);
            waiting->halted.seen = std::max(waiting->halted.seen, one.seen);
            if (one.was_running) {
                waiting->halted.were_running.push_back(id);
            }
            --waiting->left;
            waiting->changed.notify_all();
        });
    }
    std::unique_lock lock(waiting_->mutex);
    while (step_ && waiting_->left != 0 && !waiting_->stopped) {
        lock.unlock();
        step_();
        lock.lock();
    }
    waiting_->changed.wait(lock, [this] { return waiting_->left == 0 || waiting_->stopped; });
    if (waiting_->left != 0) {
        return Error(ErrorCode::Cancelled, "the node is ending");
    }
    return waiting_->halted;
}

Result<SequenceNumber> Installer::replace(kernel::Replacement replacement) {
    ASSIGN_OR_RETURN(const Halted halted, halt_all(replacement.ended));
    replacement.ended_seen = halted.seen;
    auto replaced = kernel_.replace(std::move(replacement));
    for (const ProcessId& id : replaced ? std::vector<ProcessId>() : halted.were_running) {
        static_cast<void>(
            kernel_.run(id, halted.seen));  // Who was ended meanwhile has what it asked for.
    }
    return replaced;
}

Result<Seen<StartedPackage>> Installer::install(const std::string& directory) {
    const std::lock_guard only(one_at_a_time_);
    if (log_.status().no_space) {  // K-247
        return Error(ErrorCode::Overloaded,
                     "the disk has less than reserve_bytes free; make room and try again");
    }
    ASSIGN_OR_RETURN(
        packages::InstallPlan plan,
        packages::read_package(files_, directory, kernel_.own_node(), component_bytes_max_));
    for (const std::string& warning : plan.warnings) {
        node_log_.warn("package_warning", LogField("package", to_string(plan.metadata.id)),
                       LogField("text", warning));
    }
    // Everything that can be refused is refused before anything changes.
    std::map<std::string, std::shared_ptr<const kernel::Code>> code;
    for (const packages::PlannedFile& file : plan.files) {
        const std::string handle = packages::code_handle(plan.metadata.id, file.path);
        const bool runs = std::any_of(
            plan.processes.begin(), plan.processes.end(),
            [&](const packages::PlannedProcess& process) { return process.code_handle == handle; });
        if (runs) {
            ASSIGN_OR_RETURN(
                code[handle],
                kernel_.engine().load(file.wasm, file.hash).with_context("pkg/" + file.path));
        }
    }
    for (const packages::PlannedFile& file : plan.files) {
        RETURN_IF_ERROR(store_.put(file.wasm));
    }

    Causality installed;
    ASSIGN_OR_RETURN(const auto others, records(installed));
    StartedPackage started;
    started.package = to_string(plan.metadata.id);
    kernel::Replacement replacement;
    std::vector<ProcessId>& to_end = replacement.ended;
    for (const packages::PackageRecord& other : others) {
        if (other.id == plan.metadata.id) {
            started.replaced = true;
            to_end = process_ids(other);
        }
    }
    for (const packages::PlannedProcess& process : plan.processes) {
        if (std::find(to_end.begin(), to_end.end(), process.id) == to_end.end()) {
            to_end.push_back(process.id);
        }
    }
    const auto present = kernel_.table().snapshot();
    std::vector<packages::PendingGrant> pending;
    for (const packages::PlannedProcess& process : plan.processes) {
        for (const packages::PlannedGrant& grant : process.grants) {
            const bool own =
                std::any_of(plan.processes.begin(), plan.processes.end(),
                            [&](const auto& other) { return other.id == grant.holder; });
            const bool stays =
                present->find(grant.holder, kernel_.own_node()) != nullptr &&
                std::find(to_end.begin(), to_end.end(), grant.holder) == to_end.end();
            if (own || stays) {
                replacement.grants.push_back(
                    {grant.holder, {grant.capability, GrantCause::Manifest, {}, {}, {}}});
            } else {
                pending.push_back({grant.holder, process.id.process, grant.capability.params});
            }
        }
    }
    const packages::PackageRecord record = packages::make_package_record(plan, std::move(pending));
    for (packages::PlannedProcess& planned : plan.processes) {
        kernel::NewProcess process;
        process.id = planned.id;
        process.code_handle = planned.code_handle;
        process.wit_version = plan.metadata.wit_version;
        process.on_exit = planned.on_exit;
        process.is_public = planned.is_public;
        process.code = code.at(planned.code_handle);
        process.package = plan.metadata.id;
        for (const Capability& capability : planned.capabilities) {
            process.capabilities.push_back({capability, GrantCause::Manifest, {}, {}, {}});
        }
        // Rights that other packages granted to this process before it existed (P-MAN-7).
        for (const packages::PackageRecord& other : others) {
            for (const packages::PendingGrant& grant : other.pending_grants) {
                if (grant.holder == planned.id) {
                    const ProcessId issuer{grant.process_name, other.id.package,
                                           other.id.publisher};
                    process.capabilities.push_back({{{kernel_.own_node(), issuer}, grant.params},
                                                    GrantCause::Manifest,
                                                    {},
                                                    {},
                                                    {}});
                }
            }
        }
        replacement.processes.push_back(std::move(process));
    }
    replacement.change.kind = EntryKind::Install;
    replacement.change.changes.push_back(
        {Family::Packages, packages::package_key(plan.metadata.id), encode_package_record(record)});
    ASSIGN_OR_RETURN(const SequenceNumber number, replace(std::move(replacement)));
    store_.bind(record);
    installed.learn(number);
    for (const packages::PlannedProcess& planned : plan.processes) {
        RETURN_IF_ERROR(kernel_.run(planned.id, number));
        started.processes.push_back(to_string(planned.id));
    }
    node_log_.info("package_installed", LogField("package", started.package),
                   LogField("version", plan.metadata.version),
                   LogField("processes", started.processes.size()));
    return Seen<StartedPackage>(std::move(started), installed.seen());
}

Result<SequenceNumber> Installer::remove(const PackageId& package) {
    const std::lock_guard only(one_at_a_time_);
    Causality asker;
    ASSIGN_OR_RETURN(const auto all, records(asker));
    const auto record = std::find_if(all.begin(), all.end(),
                                     [&](const auto& other) { return other.id == package; });
    if (record == all.end()) {
        return Error(ErrorCode::NotFound, "no package " + to_string(package) + " is installed");
    }
    kernel::Replacement replacement;
    replacement.ended = process_ids(*record);
    replacement.change.kind = EntryKind::Remove;
    replacement.change.changes.push_back(
        {Family::Packages, packages::package_key(package), std::nullopt});
    ASSIGN_OR_RETURN(const SequenceNumber number, replace(std::move(replacement)));
    store_.unbind(package);
    node_log_.info("package_removed", LogField("package", to_string(package)));
    return number;
}

Result<Seen<std::vector<PackageRow>>> Installer::list() {
    Causality asker;
    ASSIGN_OR_RETURN(const auto all, records(asker));
    std::vector<PackageRow> rows;
    for (const packages::PackageRecord& record : all) {
        PackageRow row;
        row.package = to_string(record.id);
        row.version = record.version;
        for (const ProcessId& id : process_ids(record)) {
            row.processes.push_back(to_string(id));
        }
        rows.push_back(std::move(row));
    }
    return Seen<std::vector<PackageRow>>(std::move(rows), asker.seen());
}

}  // namespace perdure::node
