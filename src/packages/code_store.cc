#include "packages/code_store.h"

#include <set>

#include "abi/quote.h"

namespace perdure::packages {
namespace {

constexpr std::string_view kSuffix = ".wasm";
constexpr std::string_view kUnfinished = ".new";

struct Handle {
    PackageId package;
    std::string_view path;
};

// handle := ["/"] package ":" publisher "/pkg/" path
Result<Handle> parse_handle(std::string_view text) {
    const auto refuse = [text] {
        return Error(ErrorCode::NotFound, "code handle " + quote(text) +
                                              "; it has the form /package:publisher/pkg/NAME.wasm");
    };
    std::string_view rest = text;
    if (rest.starts_with('/')) {
        rest.remove_prefix(1);
    }
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos || !rest.substr(slash).starts_with("/pkg/")) {
        return refuse();
    }
    auto package = parse_package_id(rest.substr(0, slash));
    if (!package) {
        return refuse();
    }
    return Handle{std::move(package).value(), rest.substr(slash + 5)};
}

}  // namespace

std::string code_handle(const PackageId& package, std::string_view path) {
    return '/' + to_string(package) + "/pkg/" + std::string(path);
}

Result<std::unique_ptr<CodeStore>> CodeStore::open(Files& files, const std::string& home,
                                                   std::size_t component_bytes_max,
                                                   FailedSync failed_sync) {
    std::unique_ptr<CodeStore> store(
        new CodeStore(files, home + "/code", component_bytes_max, std::move(failed_sync)));
    const auto made = files.make_directory(store->directory_);
    if (!made && made.error().code() != ErrorCode::AlreadyExists) {
        return made.error();
    }
    if (made) {
        if (const SyncOutcome synced = files.sync_directory(home); !synced) {
            return store->report(synced);
        }
    }
    return store;
}

CodeStore::CodeStore(Files& files, std::string directory, std::size_t component_bytes_max,
                     FailedSync failed_sync)
    : files_(files),
      directory_(std::move(directory)),
      component_bytes_max_(component_bytes_max),
      failed_sync_(std::move(failed_sync)) {}

Result<ContentHash> CodeStore::put(ByteView wasm) {
    if (wasm.size() > component_bytes_max_) {
        return Error(ErrorCode::Overloaded,
                     "a component of " + std::to_string(wasm.size()) + " bytes; at most " +
                         std::to_string(component_bytes_max_) + " are taken (component_bytes_max)");
    }
    const ContentHash hash = content_hash(wasm);
    // Its name alone proves nothing: a damaged file is replaced here, which is the cure `load`
    // names.
    if (load(hash)) {
        return hash;
    }
    const std::string path = path_of(hash);
    const std::string unfinished = path + std::string(kUnfinished);
    RETURN_IF_ERROR(write_synced(unfinished, wasm));
    RETURN_IF_ERROR(files_.rename(unfinished, path));
    if (const SyncOutcome synced = files_.sync_directory(directory_); !synced) {
        return report(synced);
    }
    return hash;
}

Result<void> CodeStore::write_synced(const std::string& path, ByteView bytes) {
    ASSIGN_OR_RETURN(const auto file, files_.open_write(path, OpenMode::Truncate));
    RETURN_IF_ERROR(file->append(bytes));
    if (const SyncOutcome synced = file->sync(); !synced) {
        return report(synced);
    }
    return file->close();
}

Error CodeStore::report(const SyncOutcome& failed) {
    failed_sync_(failed.failure());
    return {ErrorCode::Io, failed.failure()};
}

Result<Bytes> CodeStore::load(const ContentHash& hash) {
    const std::string path = path_of(hash);
    ASSIGN_OR_RETURN(Bytes bytes, read_file(files_, path, kComponentBytesMax));
    if (content_hash(bytes) != hash) {
        return Error(ErrorCode::Corrupt,
                     path + ": not the bytes it is named by; install its package again");
    }
    return bytes;
}

Result<FoundCode> CodeStore::read(std::string_view handle) {
    ASSIGN_OR_RETURN(const ContentHash hash, find(handle));
    ASSIGN_OR_RETURN(Bytes wasm, load(hash).with_context(handle));
    return FoundCode{std::move(wasm), hash};
}

Result<ContentHash> CodeStore::find(std::string_view handle) const {
    ASSIGN_OR_RETURN(const Handle parsed, parse_handle(handle));
    auto bound = bound_.lock();
    const auto package = bound->find(parsed.package);
    if (package == bound->end()) {
        return Error(ErrorCode::NotFound,
                     quote(handle) + ": no package " + to_string(parsed.package) + " is installed");
    }
    const auto file = package->second.find(parsed.path);
    if (file == package->second.end()) {
        return Error(ErrorCode::NotFound, quote(handle) + ": the package has no such file");
    }
    return file->second;
}

void CodeStore::bind(const PackageRecord& record) {
    std::map<std::string, ContentHash, std::less<>> files;
    for (const PackageFile& file : record.files) {
        files.emplace(file.path, file.hash);
    }
    (*bound_.lock())[record.id] = std::move(files);
}

void CodeStore::unbind(const PackageId& package) {
    bound_.lock()->erase(package);
}

CodeStore::Removed CodeStore::remove_unused() {
    std::set<std::string> used;
    {
        auto bound = bound_.lock();
        for (const auto& [package, files] : *bound) {
            for (const auto& [path, hash] : files) {
                used.insert(to_hex(hash) + std::string(kSuffix));
            }
        }
    }
    Removed result;
    const auto names = files_.list(directory_);
    if (!names) {
        result.failure = names.error();
        return result;
    }
    for (const std::string& name : *names) {
        if (used.contains(name)) {
            continue;
        }
        const auto removed = files_.remove(directory_ + '/' + name);
        if (removed) {
            ++result.count;
        } else if (!result.failure) {
            result.failure = removed.error();
        }
    }
    return result;
}

std::string CodeStore::path_of(const ContentHash& hash) const {
    return directory_ + '/' + to_hex(hash) + std::string(kSuffix);
}

}  // namespace perdure::packages
