#include "cli/build_command.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "abi/json_cursor.h"
#include "abi/quote.h"

namespace perdure::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCppPackages =
    "apt-get install -y --no-install-recommends clang lld wasi-libc libclang-rt-14-dev-wasm32 "
    "libc++-14-dev-wasm32 "
    "libc++abi-14-dev-wasm32";
constexpr const char* kRustPackages =
    "apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src libllvm22 "
    "wasi-libc lld";
constexpr std::uintmax_t kTextBytesMax = 4u << 20;  // files of a package that are read here

Error missing(const std::string& what, const std::string& cure) {
    return Error(ErrorCode::NotFound, what + " is missing; " + cure);
}

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

Result<std::string> read_text(const fs::path& path) {
    std::error_code failure;
    const std::uintmax_t size = fs::file_size(path, failure);
    if (failure) {
        return Error(ErrorCode::NotFound, path.string() + ": " + failure.message());
    }
    if (size > kTextBytesMax) {
        return Error(ErrorCode::Overloaded,
                     path.string() + ": longer than " + std::to_string(kTextBytesMax) + " bytes");
    }
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

Result<void> make_directory(const fs::path& path) {
    std::error_code failure;
    fs::create_directories(path, failure);
    if (failure) {
        return Error(ErrorCode::Io, path.string() + ": " + failure.message());
    }
    return {};
}

/// The folders or files below `directory` that `wanted` accepts, by name.
Result<std::vector<fs::path>> list(const fs::path& directory,
                                   const std::function<bool(const fs::path&)>& wanted) {
    std::error_code failure;
    std::vector<fs::path> found;
    for (fs::directory_iterator at(directory, failure); !failure && at != fs::directory_iterator();
         at.increment(failure)) {
        if (wanted(at->path())) {
            found.push_back(at->path());
        }
    }
    if (failure) {
        return Error(
            failure == std::errc::no_such_file_or_directory ? ErrorCode::NotFound : ErrorCode::Io,
            directory.string() + ": " + failure.message());
    }
    std::ranges::sort(found);
    return found;
}

bool has_suffix(const fs::path& path, std::initializer_list<std::string_view> suffixes) {
    return std::ranges::any_of(suffixes,
                               [&](std::string_view suffix) { return path.extension() == suffix; });
}

/// The value of `name = "…"` in the section `[section]` of a Cargo.toml; empty if it is not there.
std::string toml_text(const std::string& toml, std::string_view section, std::string_view name) {
    std::istringstream lines(toml);
    std::string line;
    bool inside = false;
    while (std::getline(lines, line)) {
        line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
        if (line.starts_with('[')) {
            inside = line.starts_with("[" + std::string(section) + "]");
        }
        const std::size_t equals = line.find('=');
        if (!inside || equals == std::string::npos) {
            continue;
        }
        const std::size_t key_end = line.find_last_not_of(" \t", equals == 0 ? 0 : equals - 1);
        const std::size_t open = line.find('"', equals);
        const std::size_t close = open == std::string::npos ? open : line.find('"', open + 1);
        if (close != std::string::npos && line.substr(0, key_end + 1) == name) {
            return line.substr(open + 1, close - open - 1);
        }
    }
    return "";
}

/// One run of `perdure build`.
class Builder {
public:
    Builder(fs::path package, const BuildMachine& machine,
            const std::function<void(const std::string&)>& progress)
        : package_(std::move(package)), machine_(machine), progress_(progress) {}

    Result<void> run() {
        ASSIGN_OR_RETURN(const auto processes, find_processes(package_.string()));
        ASSIGN_OR_RETURN(share_, find_share(machine_));
        RETURN_IF_ERROR(find_tools(processes));
        RETURN_IF_ERROR(make_directory(package_ / "pkg"));
        for (const ProcessSource& process : processes) {
            RETURN_IF_ERROR(build_process(process).with_context(process.name));
        }
        return check_manifest();
    }

private:
    fs::path system(const char* path) const { return machine_.system_root + path; }

    /// All tools before the first compiler starts: a build that cannot end well does not begin.
    Result<void> find_tools(const std::vector<ProcessSource>& processes) {
        const auto uses = [&](Language language) {
            return std::ranges::any_of(
                processes, [&](const auto& process) { return process.language == language; });
        };
        if (uses(Language::Cpp)) {
            RETURN_IF_ERROR(find_cpp_tools());
        }
        if (uses(Language::Rust)) {
            RETURN_IF_ERROR(find_rust_tools());
        }
        const auto chosen = machine_.environment.find("PERDURE_COMPONENTIZE");
        const auto componentize =
            chosen != machine_.environment.end()
                ? std::optional(chosen->second)
                : find_program("perdure-componentize", machine_.program_directory,
                               machine_.environment);
        if (!componentize) {
            return missing("perdure-componentize",
                           "it belongs beside the perdure binary; build or install both");
        }
        componentize_ = *componentize;
        return {};
    }

    Result<void> find_cpp_tools() {
        const auto c = find_program("clang", "", machine_.environment);
        const auto cpp = find_program("clang++", "", machine_.environment);
        if (!c || !cpp) {
            return missing("clang", std::string("install it with `") + kCppPackages + "`");
        }
        if (!find_program("wasm-ld", "", machine_.environment)) {
            return missing("wasm-ld", std::string("install it with `") + kCppPackages + "`");
        }
        if (!is_there(system("/usr/lib/wasm32-wasi/libc.a"))) {
            return missing("the C library for wasm32-wasi",
                           std::string("install it with `") + kCppPackages + "`");
        }
        clang_ = *c;
        clang_cpp_ = *cpp;
        return {};
    }

    /// Debian's compiler with its own standard library's sources, or the user's own with the target
    /// installed.
    Result<void> find_rust_tools() {
        debian_rust_ = is_there(system("/usr/bin/cargo")) && is_there(system("/usr/bin/rustc")) &&
                       is_there(system("/usr/lib/rustlib/src/rust/library")) &&
                       is_there(system("/usr/bin/wasm-ld")) &&
                       is_there(system("/usr/lib/wasm32-wasi/libc.a"));
        if (debian_rust_) {
            cargo_ = system("/usr/bin/cargo").string();
            return {};
        }
        const auto cargo = find_program("cargo", "", machine_.environment);
        const auto rustc = find_program("rustc", "", machine_.environment);
        if (cargo && rustc && own_target_installed(*rustc)) {
            cargo_ = *cargo;
            return {};
        }
        return missing("a Rust compiler for wasm32-wasip1",
                       std::string("install Debian's with `") + kRustPackages +
                           "`, or add the target to yours with `rustup target add "
                           "wasm32-wasip1`");
    }

    /// rustup keeps targets beside the compiler that runs: compiling nothing for the target tells.
    bool own_target_installed(const std::string& rustc) const {
        const fs::path probe =
            fs::temp_directory_path() /
            ("perdure-probe-" + std::to_string(std::hash<std::string>()(package_.string())));
        if (!make_directory(probe)) {
            return false;
        }
        std::ofstream(probe / "probe.rs") << "";
        const ChildCommand command{.words = {rustc, "--target", "wasm32-wasip1", "--crate-type",
                                             "lib", "--emit=metadata", "probe.rs"},
                                   .directory = probe.string(),
                                   .environment = machine_.environment};
        const bool installed = machine_.run(command).has_value();
        std::error_code ignored;
        fs::remove_all(probe, ignored);
        return installed;
    }

    Result<void> build_process(const ProcessSource& process) {
        ASSIGN_OR_RETURN(const std::string interface, interface_of(process, package_.string()));
        progress_("building " + process.name + " (" +
                  (process.language == Language::Rust ? "Rust, " : "C++, ") + interface + ")");
        fs::path core;
        if (process.language == Language::Rust) {
            ASSIGN_OR_RETURN(core, build_rust(process, interface));
        } else {
            ASSIGN_OR_RETURN(core, build_cpp(process, interface));
        }
        const fs::path component = package_ / "pkg" / (process.name + ".wasm");
        RETURN_IF_ERROR(
            run({componentize_, core.string(), "-o", component.string()}, process.folder, {}));
        std::error_code ignored;
        progress_("wrote pkg/" + process.name + ".wasm (" +
                  size_text(fs::file_size(component, ignored)) + ")");
        return {};
    }

    Result<void> run(std::vector<std::string> words, const std::string& directory,
                     const Environment& more) const {
        ChildCommand command{
            .words = std::move(words), .directory = directory, .environment = machine_.environment};
        for (const auto& [name, value] : more) {
            command.environment[name] = value;
        }
        return machine_.run(command);
    }

    /// The interface's WIT, and the package's own from `api/`, where the authors' macros look for
    /// them.
    Result<void> put_wit(const ProcessSource& process, const std::string& interface) const {
        const fs::path target = fs::path(process.folder) / "target" / "wit";
        RETURN_IF_ERROR(make_directory(target));
        const auto is_wit = [](const fs::path& path) { return has_suffix(path, {".wit"}); };
        ASSIGN_OR_RETURN(auto files, list(fs::path(share_) / "wit" / interface, is_wit));
        if (is_there(package_ / "api")) {
            ASSIGN_OR_RETURN(const auto own, list(package_ / "api", is_wit));
            files.insert(files.end(), own.begin(), own.end());
        }
        for (const fs::path& file : files) {
            RETURN_IF_ERROR(copy_if_changed(file, target / file.filename()));
        }
        return {};
    }

    /// An unchanged file keeps its time, so that cargo does not compile again.
    static Result<void> copy_if_changed(const fs::path& from, const fs::path& to) {
        ASSIGN_OR_RETURN(const std::string content, read_text(from));
        if (const auto present = read_text(to); present && *present == content) {
            return {};
        }
        std::ofstream out(to, std::ios::binary | std::ios::trunc);
        out << content;
        out.close();
        return out ? Result<void>()
                   : Result<void>(Error(ErrorCode::Io, to.string() + ": cannot be written"));
    }

    Result<fs::path> build_rust(const ProcessSource& process, const std::string& interface) const {
        RETURN_IF_ERROR(put_wit(process, interface));
        const fs::path folder = process.folder;
        const fs::path target =
            machine_.cargo_target.empty() ? folder / "target" : fs::path(machine_.cargo_target);
        std::vector<std::string> words = {cargo_, "build", "--release", "--target",
                                          "wasm32-wasip1"};
        Environment more = {{"CARGO_TARGET_DIR", target.string()}};
        if (debian_rust_) {
            words.emplace_back("-Zbuild-std=std,panic_abort");
            more["RUSTC"] = system("/usr/bin/rustc").string();
            more["RUSTC_BOOTSTRAP"] = "1";
            more["CARGO_TARGET_WASM32_WASIP1_LINKER"] = system("/usr/bin/wasm-ld").string();
            more["CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS"] =
                "-C link-self-contained=no -L native=" + system("/usr/lib/wasm32-wasi").string() +
                " -C linker-flavor=wasm-ld";
        }
        RETURN_IF_ERROR(run(std::move(words), process.folder, more));
        ASSIGN_OR_RETURN(const std::string manifest, read_text(folder / "Cargo.toml"));
        std::string crate = toml_text(manifest, "lib", "name");
        crate = crate.empty() ? toml_text(manifest, "package", "name") : crate;
        std::ranges::replace(crate, '-', '_');
        fs::path core = target / "wasm32-wasip1" / "release" / (crate + ".wasm");
        if (!is_there(core)) {
            return Error(
                ErrorCode::NotFound,
                core.string() +
                    " was not made; Cargo.toml needs `crate-type = [\"cdylib\"]` in its [lib]");
        }
        return core;
    }

    Result<fs::path> build_cpp(const ProcessSource& process, const std::string& interface) const {
        const fs::path sdk = fs::path(share_) / "sdk" / "cpp";
        const fs::path glue = sdk / "glue" / interface;
        const fs::path work = fs::path(process.folder) / "target" / "cpp";
        RETURN_IF_ERROR(make_directory(work));
        const auto is_source = [](const fs::path& path) {
            return has_suffix(path, {".cc", ".cpp"});
        };
        ASSIGN_OR_RETURN(const auto own, list(fs::path(process.folder) / "src", is_source));
        ASSIGN_OR_RETURN(const auto library, list(sdk / "src", is_source));
        const std::vector<std::string> flags = {"--target=wasm32-wasi", "-Os",
                                                "-ffunction-sections", "-fdata-sections"};
        const fs::path guest = work / "guest.o";
        std::vector<std::string> words = {clang_};
        words.insert(words.end(), flags.begin(), flags.end());
        words.insert(words.end(), {"-w", "-c", (glue / "guest.c").string(), "-o", guest.string()});
        RETURN_IF_ERROR(run(std::move(words), process.folder, {}));

        const fs::path core = work / (process.name + ".core.wasm");
        words = {clang_cpp_};
        words.insert(words.end(), flags.begin(), flags.end());
        // The stack lies below the data, so that running out of it traps instead of overwriting
        // something.
        words.insert(
            words.end(),
            {"-std=c++20", "-fno-exceptions", "-fno-rtti", "-Wall", "-mexec-model=reactor",
             "-Wl,-s", "-Wl,--stack-first", "-Wl,-z,stack-size=131072", "-Wl,--gc-sections",
             "-DPERDURE_WIT_VERSION=" + wit_number(interface), "-I" + (sdk / "include").string(),
             "-I" + (sdk / "src").string(), "-I" + glue.string()});
        for (const fs::path& source : own) {
            words.push_back(source.string());
        }
        for (const fs::path& source : library) {
            words.push_back(source.string());
        }
        words.insert(words.end(), {guest.string(), (glue / "guest_component_type.o").string(), "-o",
                                   core.string()});
        RETURN_IF_ERROR(run(std::move(words), process.folder, {}));
        return core;
    }

    static std::string wit_number(const std::string& interface) {
        return interface == "kinode-0.7.0" ? "70" : interface == "kinode-0.8.0" ? "80" : "100";
    }

    /// Every file that the manifest names is there.
    Result<void> check_manifest() const {
        const fs::path path = package_ / "pkg" / "manifest.json";
        ASSIGN_OR_RETURN(const std::string text, read_text(path));
        return check_manifest_text(text).with_context("pkg/manifest.json");
    }

    Result<void> check_manifest_text(const std::string& text) const {
        ASSIGN_OR_RETURN(const Json document, parse_json(text));
        const JsonCursor entries(document);
        ASSIGN_OR_RETURN(const std::size_t count, entries.array_size());
        for (std::size_t index = 0; index < count; ++index) {
            ASSIGN_OR_RETURN(const JsonCursor wasm,
                             entries.item(index).member("process_wasm_path"));
            ASSIGN_OR_RETURN(std::string_view name, wasm.string());
            name.remove_prefix(name.starts_with('/') ? 1 : 0);
            if (!is_there(package_ / "pkg" / name)) {
                return wasm.error("no file " + quote(name) + " in pkg/" + closest_component(name));
            }
        }
        return {};
    }

    std::string closest_component(std::string_view name) const {
        const auto files = list(package_ / "pkg",
                                [](const fs::path& path) { return has_suffix(path, {".wasm"}); });
        std::vector<std::string> names;
        for (const fs::path& file : files ? *files : std::vector<fs::path>()) {
            names.push_back(file.filename().string());
        }
        const std::vector<std::string_view> views(names.begin(), names.end());
        const std::string_view closest = closest_word(name, views);
        return closest.empty() ? std::string() : "; the closest one is " + std::string(closest);
    }

    const fs::path package_;
    const BuildMachine& machine_;
    const std::function<void(const std::string&)>& progress_;
    std::string share_;
    std::string componentize_;
    std::string clang_;
    std::string clang_cpp_;
    std::string cargo_;
    bool debian_rust_ = false;
};

}  // namespace

Result<std::vector<ProcessSource>> find_processes(const std::string& directory) {
    std::vector<ProcessSource> processes;
    const auto is_folder = [](const fs::path& path) {
        std::error_code ignored;
        return fs::is_directory(path, ignored);
    };
    ASSIGN_OR_RETURN(const auto folders, list(directory, is_folder));
    for (const fs::path& folder : folders) {
        const bool rust = is_there(folder / "src" / "lib.rs");
        const bool cpp = is_there(folder / "src" / "lib.cpp");
        if (rust && cpp) {
            return Error(ErrorCode::InvalidInput,
                         folder.string() + ": has both src/lib.rs and src/lib.cpp; remove one");
        }
        if (rust || cpp) {
            processes.push_back({.name = folder.filename().string(),
                                 .folder = folder.string(),
                                 .language = rust ? Language::Rust : Language::Cpp});
        }
    }
    if (processes.empty()) {
        return Error(
            ErrorCode::NotFound,
            directory + ": no process here: a package has folders with src/lib.rs or src/lib.cpp");
    }
    return processes;
}

Result<std::string> find_share(const BuildMachine& machine) {
    if (const auto chosen = machine.environment.find("PERDURE_SHARE");
        chosen != machine.environment.end()) {
        return chosen->second;
    }
    const auto is_share = [](const fs::path& path) {
        return is_there(path / "wit") && is_there(path / "sdk" / "cpp");
    };
    const fs::path installed =
        (fs::path(machine.program_directory) / ".." / "share" / "perdure").lexically_normal();
    if (is_share(installed)) {
        return installed.string();
    }
    for (fs::path above = machine.program_directory; above.has_relative_path();
         above = above.parent_path()) {
        if (is_share(above)) {
            return above.string();
        }
    }
    return missing("the folder with wit/ and sdk/cpp/", "set PERDURE_SHARE to it");
}

Result<std::string> interface_of(const ProcessSource& process,
                                 const std::string& package_directory) {
    if (process.language == Language::Rust) {
        ASSIGN_OR_RETURN(const std::string manifest,
                         read_text(fs::path(process.folder) / "Cargo.toml"));
        if (manifest.find("hyperware_process_lib") != std::string::npos) {
            return std::string("hyperware-1.0.0");
        }
    }
    const fs::path path = fs::path(package_directory) / "metadata.json";
    if (!is_there(path)) {
        return std::string("kinode-1.0.0");
    }
    ASSIGN_OR_RETURN(const std::string text, read_text(path));
    auto metadata = parse_json(text);
    if (!metadata) {
        return std::move(metadata).error().with_context("metadata.json");
    }
    const Json* properties = metadata->find("properties");
    const Json* version = properties ? properties->find("wit_version") : nullptr;
    return std::string(version && version->as_u64() == 0 ? "kinode-0.8.0" : "kinode-1.0.0");
}

Result<void> build_package(const std::string& directory, const BuildMachine& machine,
                           const std::function<void(const std::string&)>& progress) {
    return Builder(directory, machine, progress).run();
}

Outcome build(const Session& session) {
    BuildMachine machine;
    machine.environment = session.context.environment;
    // A flag meant for the host would end up in the guest.
    machine.environment.erase("RUSTFLAGS");
    machine.program_directory = fs::path(session.context.program).parent_path().string();
    if (const auto target = machine.environment.find("CARGO_TARGET_DIR");
        target != machine.environment.end()) {
        machine.cargo_target = session.absolute(target->second);
    }
    RETURN_IF_ERROR(
        build_package(session.absolute(session.invocation.directory), machine,
                      [&](const std::string& line) { session.err() << line << std::endl; }));
    return node::ExitStatus::Success;
}

}  // namespace perdure::cli
