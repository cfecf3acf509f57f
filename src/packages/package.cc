#include "packages/package.h"

#include <algorithm>
#include <array>

#include "abi/capability.h"
#include "abi/json.h"
#include "abi/quote.h"
#include "packages/code_store.h"

namespace perdure::packages {
namespace {

constexpr std::string_view kMetadataFile = "metadata.json";
constexpr std::string_view kManifestFile = "pkg/manifest.json";

Error over_limit(std::string_view what, std::size_t limit, std::string_view name) {
    return {ErrorCode::Overloaded, std::string(what) + "; at most " + std::to_string(limit) +
                                       " are taken (" + std::string(name) + ")"};
}

// Files names paths by what the operating system was asked for; a user thinks of the package.
Error renamed(const Error& error, std::string_view file, std::string_view cure) {
    if (error.code() == ErrorCode::NotFound) {
        return {ErrorCode::NotFound, std::string(file) + " is missing; " + std::string(cure)};
    }
    return Error(error).with_context(file);
}

Result<std::string> read_text(Files& files, const std::string& directory, std::string_view name,
                              std::size_t size_max, std::string_view limit) {
    auto bytes = read_file(files, directory + '/' + std::string(name), size_max);
    if (bytes) {
        return std::string(text_of(*bytes));
    }
    if (bytes.error().code() == ErrorCode::Overloaded) {
        return over_limit(std::string(name) + " is too long", size_max, limit);
    }
    return renamed(bytes.error(), name,
                   "a package directory holds metadata.json and pkg/manifest.json");
}

// Finds and reads the `.wasm` files below `pkg/`.
class CodeReader {
public:
    CodeReader(Files& files, std::string root, std::size_t component_bytes_max,
               std::size_t code_bytes_max)
        : files_(files),
          root_(std::move(root)),
          component_bytes_max_(component_bytes_max),
          code_bytes_max_(code_bytes_max) {}

    Result<std::vector<PlannedFile>> read() {
        RETURN_IF_ERROR(visit("", 0));
        std::sort(found_.begin(), found_.end(),
                  [](const PlannedFile& a, const PlannedFile& b) { return a.path < b.path; });
        return std::move(found_);
    }

private:
    Result<void> visit(const std::string& folder, std::size_t depth) {
        if (depth > kPackageFoldersDepthMax) {
            return over_limit("pkg/" + folder + ": folders are nested too deep",
                              kPackageFoldersDepthMax, "package_folders_depth_max");
        }
        const std::string directory = folder.empty() ? root_ : root_ + '/' + folder;
        ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.list(directory));
        for (const std::string& name : names) {
            const std::string path = folder.empty() ? name : folder + '/' + name;
            ASSIGN_OR_RETURN(const FileInfo info, files_.info(root_ + '/' + path));
            if (info.directory) {
                RETURN_IF_ERROR(visit(path, depth + 1));
            } else if (name.ends_with(".wasm")) {
                RETURN_IF_ERROR(add(path, info.size));
            }
        }
        return {};
    }

    Result<void> add(const std::string& path, std::uint64_t size) {
        const std::string where = "pkg/" + path;
        RETURN_IF_ERROR(parse_package_path(path).with_context(where));
        if (size > component_bytes_max_) {
            return over_limit(where + " has " + std::to_string(size) + " bytes",
                              component_bytes_max_, "component_bytes_max");
        }
        if (found_.size() == kCodeFilesPerPackageMax) {
            return over_limit(where + " is one Wasm file too many", kCodeFilesPerPackageMax,
                              "code_files_per_package_max");
        }
        if (size > code_bytes_max_ - bytes_) {
            return over_limit(where + " makes the package's code too large", code_bytes_max_,
                              "code_bytes_per_package_max");
        }
        auto wasm = read_file(files_, root_ + '/' + path, component_bytes_max_);
        if (!wasm) {
            return Error(wasm.error()).with_context(where);
        }
        bytes_ += wasm->size();
        const ContentHash hash = content_hash(*wasm);
        found_.push_back({path, hash, std::move(wasm).value()});
        return {};
    }

    Files& files_;
    const std::string root_;
    const std::size_t component_bytes_max_;
    const std::size_t code_bytes_max_;
    std::size_t bytes_ = 0;
    std::vector<PlannedFile> found_;
};

OnExit resolve_our(OnExit on_exit, std::string_view own_node) {
    for (ExitRequest& exit : on_exit.requests) {
        exit.target = perdure::resolve_our(std::move(exit.target), own_node);
        for (Capability& capability : exit.request.capabilities) {
            capability.issuer = perdure::resolve_our(std::move(capability.issuer), own_node);
        }
    }
    return on_exit;
}

// M-VFS-27.
Capability drive_right(std::string_view kind, const PackageId& package, std::string_view own_node) {
    const Json params =
        Json::object({{"kind", kind}, {"drive", '/' + to_string(package) + "/pkg"}});
    return {{std::string(own_node), well_known::vfs()}, params.to_text()};
}

std::vector<Capability> capabilities_of(const ManifestEntry& entry, const PackageId& package,
                                        std::string_view own_node) {
    std::vector<Capability> capabilities;
    for (const ManifestCapability& requested : entry.request_capabilities) {
        capabilities.push_back({{std::string(own_node), requested.process}, requested.params});
    }
    if (entry.request_networking) {
        capabilities.push_back(network_of(own_node));
    }
    capabilities.push_back(drive_right("read", package, own_node));
    capabilities.push_back(drive_right("write", package, own_node));
    return capabilities;
}

Result<PlannedProcess> plan_process(const ManifestEntry& entry, const InstallPlan& plan,
                                    std::string_view own_node) {
    const PackageId& package = plan.metadata.id;
    const auto file =
        std::find_if(plan.files.begin(), plan.files.end(), [&entry](const PlannedFile& candidate) {
            return candidate.path == entry.process_wasm_path;
        });
    if (file == plan.files.end()) {
        return Error(ErrorCode::NotFound,
                     "pkg/" + entry.process_wasm_path + " is missing; process " +
                         quote(entry.process_name) +
                         " needs it: build the package, or mend process_wasm_path (a file name "
                         "that ends in .wasm)");
    }
    PlannedProcess process;
    process.id = {entry.process_name, package.package, package.publisher};
    process.code_handle = code_handle(package, file->path);
    process.code_hash = file->hash;
    process.on_exit = resolve_our(entry.on_exit, own_node);
    process.is_public = entry.is_public;
    process.capabilities = capabilities_of(entry, package, own_node);
    const Address issuer{std::string(own_node), process.id};
    for (const ManifestCapability& granted : entry.grant_capabilities) {
        process.grants.push_back({granted.process, {issuer, granted.params}});
    }
    return process;
}

void judge_publisher(InstallPlan& plan, std::string_view own_node) {
    const std::string& publisher = plan.metadata.id.publisher;
    plan.foreign_publisher = publisher == "sys" || publisher != own_node;
    if (plan.foreign_publisher) {
        plan.warnings.push_back("the publisher " + publisher + " is not this node (" +
                                std::string(own_node) +
                                "); nothing proves that the package is theirs");
    }
}

}  // namespace

Result<InstallPlan> read_package(Files& files, const std::string& directory,
                                 std::string_view own_node, std::size_t component_bytes_max,
                                 std::size_t code_bytes_max) {
    InstallPlan plan;
    ASSIGN_OR_RETURN(
        const std::string metadata_text,
        read_text(files, directory, kMetadataFile, kMetadataBytesMax, "metadata_bytes_max"));
    ASSIGN_OR_RETURN(plan.metadata, parse_metadata(metadata_text).with_context(kMetadataFile));
    if (plan.metadata.id == PackageId{"distro", "sys"}) {
        return Error(ErrorCode::NotPermitted,
                     std::string(kMetadataFile) +
                         ": distro:sys is the node itself; choose another package_name or "
                         "publisher");
    }
    ASSIGN_OR_RETURN(plan.manifest_text, read_text(files, directory, kManifestFile,
                                                   kManifestBytesMax, "manifest_bytes_max"));
    ASSIGN_OR_RETURN(Manifest manifest,
                     parse_manifest(plan.manifest_text).with_context(kManifestFile));
    for (const std::string& warning : manifest.warnings) {
        plan.warnings.push_back(std::string(kManifestFile) + ": " + warning);
    }
    ASSIGN_OR_RETURN(
        plan.files,
        CodeReader(files, directory + "/pkg", component_bytes_max, code_bytes_max).read());
    judge_publisher(plan, own_node);
    for (const ManifestEntry& entry : manifest.entries) {
        ASSIGN_OR_RETURN(PlannedProcess process, plan_process(entry, plan, own_node));
        for (const Capability& capability : process.capabilities) {
            if (is_root_capability(capability, own_node)) {
                plan.root_capabilities.push_back(capability);
            }
        }
        plan.processes.push_back(std::move(process));
    }
    return plan;
}

PackageRecord make_package_record(const InstallPlan& plan, std::vector<PendingGrant> pending) {
    PackageRecord record;
    record.id = plan.metadata.id;
    record.version = plan.metadata.version;
    record.wit_version = plan.metadata.wit_version;
    for (const PlannedProcess& process : plan.processes) {
        record.process_names.push_back(process.id.process);
    }
    for (const PlannedFile& file : plan.files) {
        record.files.push_back({file.path, file.hash});
    }
    record.pending_grants = std::move(pending);
    record.metadata = plan.metadata.text;
    record.manifest = plan.manifest_text;
    return record;
}

bool is_root_capability(const Capability& capability, std::string_view own_node) {
    if (capability.issuer.node != own_node) {
        return false;
    }
    const ProcessId& issuer = capability.issuer.process;
    if (issuer == well_known::kernel() || issuer == ProcessId{"main", "app-store", "sys"}) {
        return params_equal(capability.params, kMessagingParams);
    }
    const bool has_root =
        issuer == well_known::vfs() || issuer == well_known::net() || issuer == well_known::eth();
    const auto params = has_root ? parse_json(capability.params) : Result<Json>(Json());
    const Json* root = params ? params->find("root") : nullptr;
    return root && root->as_bool() == true;
}

}  // namespace perdure::packages
