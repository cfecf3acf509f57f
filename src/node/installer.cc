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
            ASSIGN_OR_RETURN(auto record, packages::decode_package_record(item.value.view()).with_context(item.key.text()));
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

Result<std::vector<packages::PackageRecord>> Installer::records(Causality& asker) {
    return read_records(log_, asker);
}

/// The processes that are waited for, one operation at a time. Answers may come after the installer's end.
struct Installer::Ending {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left = 0;
    SequenceNumber number;
    bool stopped = false;
};

Installer::Installer(Files& files, packages::CodeStore& store, kernel::Kernel& kernel, EntryLog& log, Log node_log)
    : files_(files), store_(store), kernel_(kernel), log_(log), node_log_(node_log), ending_(std::make_shared<Ending>()) {}
Installer::~Installer() = default;

void Installer::stop() {
    const std::lock_guard lock(ending_->mutex);
    ending_->stopped = true;
    ending_->changed.notify_all();
}

Result<SequenceNumber> Installer::kill_all(const std::vector<ProcessId>& processes) {
    std::unique_lock lock(ending_->mutex);
    ending_->left = processes.size();
    ending_->number = {};
    for (const ProcessId& id : processes) {
        lock.unlock();
        kernel_.kill(id, kernel::Worker::Revoke::Issued, [ending = ending_](std::optional<SequenceNumber> number) {
            const std::lock_guard inside(ending->mutex);
            ending->number = std::max(ending->number, number.value_or(SequenceNumber{}));
            --ending->left;
            ending->changed.notify_all();
        });
        lock.lock();
    }
    while (step_ && ending_->left != 0 && !ending_->stopped) {
        lock.unlock();
        step_();
        lock.lock();
    }
    ending_->changed.wait(lock, [this] { return ending_->left == 0 || ending_->stopped; });
    if (ending_->left != 0) {
        return Error(ErrorCode::Cancelled, "the node is ending");
    }
    return ending_->number;
}

Result<Seen<StartedPackage>> Installer::install(const std::string& directory) {
    const std::lock_guard only(one_at_a_time_);
    if (log_.status().no_space) {  // K-247
        return Error(ErrorCode::Overloaded, "the disk has less than reserve_bytes free; make room and try again");
    }
    ASSIGN_OR_RETURN(packages::InstallPlan plan, packages::read_package(files_, directory, kernel_.own_node()));
    for (const std::string& warning : plan.warnings) {
        node_log_.warn("package_warning", LogField("package", to_string(plan.metadata.id)), LogField("text", warning));
    }
    // Everything that can be refused is refused before anything changes.
    std::map<std::string, std::shared_ptr<const kernel::Code>> code;
    for (const packages::PlannedFile& file : plan.files) {
        const std::string handle = packages::code_handle(plan.metadata.id, file.path);
        const bool runs = std::any_of(plan.processes.begin(), plan.processes.end(),
                                      [&](const packages::PlannedProcess& process) { return process.code_handle == handle; });
        if (runs) {
            ASSIGN_OR_RETURN(code[handle], kernel_.engine().load(file.wasm, file.hash).with_context("pkg/" + file.path));
        }
    }
    for (const packages::PlannedFile& file : plan.files) {
        RETURN_IF_ERROR(store_.put(file.wasm));
    }

    Causality installed;
    ASSIGN_OR_RETURN(const auto others, records(installed));
    StartedPackage started;
    started.package = to_string(plan.metadata.id);
    std::vector<ProcessId> to_end;
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
    ASSIGN_OR_RETURN(const SequenceNumber ended, kill_all(to_end));
    installed.learn(ended);

    const auto present = kernel_.table().snapshot();
    std::vector<packages::PendingGrant> pending;
    for (const packages::PlannedProcess& process : plan.processes) {
        for (const packages::PlannedGrant& grant : process.grants) {
            const bool own = std::any_of(plan.processes.begin(), plan.processes.end(),
                                         [&](const auto& other) { return other.id == grant.holder; });
            if (!own && present->find(grant.holder, kernel_.own_node()) == nullptr) {
                pending.push_back({grant.holder, process.id.process, grant.capability.params});
            }
        }
    }
    const packages::PackageRecord record = packages::make_package_record(plan, std::move(pending));
    store_.bind(record);
    std::vector<kernel::NewProcess> processes;
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
                    const ProcessId issuer{grant.process_name, other.id.package, other.id.publisher};
                    process.capabilities.push_back(
                        {{{kernel_.own_node(), issuer}, grant.params}, GrantCause::Manifest, {}, {}, {}});
                }
            }
        }
        processes.push_back(std::move(process));
    }
    Entry entry{EntryKind::Install, {}};
    entry.changes.push_back({Family::Packages, packages::package_key(plan.metadata.id), encode_package_record(record)});
    ASSIGN_OR_RETURN(const SequenceNumber number, kernel_.initialise(std::move(processes), std::move(entry)));
    installed.learn(number);
    for (const packages::PlannedProcess& planned : plan.processes) {
        for (const packages::PlannedGrant& grant : planned.grants) {
            const auto granted = kernel_.grant(grant.holder, {{grant.capability, GrantCause::Manifest, {}, {}, {}}});
            installed.learn(granted.value_or(SequenceNumber{}));
        }
    }
    for (const packages::PlannedProcess& planned : plan.processes) {
        RETURN_IF_ERROR(kernel_.run(planned.id, number));
        started.processes.push_back(to_string(planned.id));
    }
    node_log_.info("package_installed", LogField("package", started.package), LogField("version", plan.metadata.version),
                   LogField("processes", started.processes.size()));
    return Seen<StartedPackage>(std::move(started), installed.seen());
}

Result<SequenceNumber> Installer::remove(const PackageId& package) {
    const std::lock_guard only(one_at_a_time_);
    Causality asker;
    ASSIGN_OR_RETURN(const auto all, records(asker));
    const auto record = std::find_if(all.begin(), all.end(), [&](const auto& other) { return other.id == package; });
    if (record == all.end()) {
        return Error(ErrorCode::NotFound, "no package " + to_string(package) + " is installed");
    }
    ASSIGN_OR_RETURN(const SequenceNumber killed, kill_all(process_ids(*record)));
    Entry entry{EntryKind::Remove, {}};
    entry.changes.push_back({Family::Packages, packages::package_key(package), std::nullopt});
    const Appended appended = log_.append(std::move(entry), kKernelOwner);
    if (!appended) {
        return Error(ErrorCode::Cancelled, "the node is ending");
    }
    store_.unbind(package);
    node_log_.info("package_removed", LogField("package", to_string(package)));
    return std::max(appended.number, killed);
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
