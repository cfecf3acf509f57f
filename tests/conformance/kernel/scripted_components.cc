#include "scripted_components.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"

namespace perdure::conformance {
namespace {

constexpr std::string_view kSuffix = ":test:os";

/// Compiled code of this run of the program, so that every component is compiled once.
class CacheFolder {
public:
    CacheFolder() {
        std::string path = (std::filesystem::temp_directory_path() / "conformance-XXXXXX").string();
        CHECK(::mkdtemp(path.data()) != nullptr, "no folder for compiled code", path);
        cache_.directory = path;
        cache_.key.fill(7);
    }
    ~CacheFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(cache_.directory, ignored);
    }
    const engine::CodeCache& cache() const { return cache_; }

private:
    engine::CodeCache cache_{};
};

const engine::CodeCache& code_cache() {
    static const CacheFolder folder;
    return folder.cache();
}

/// `{b}` becomes the address of `b`; braces around anything else stay.
std::string with_addresses(std::string_view program) {
    constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyz0123456789-";
    std::string text;
    for (std::size_t i = 0; i < program.size(); ++i) {
        const std::size_t end = program.find('}', i);
        const auto name = end == program.npos ? "" : program.substr(i + 1, end - i - 1);
        if (program[i] == '{' && !name.empty() &&
            name.find_first_not_of(kNameLetters) == name.npos) {
            text += std::string(KernelWorld::kNode) + "@" + id_of(name);
            i = end;
        } else {
            text += program[i];
        }
    }
    return text;
}

void erase_all(std::string& text, std::string_view part) {
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at)) {
        text.erase(at, part.size());
    }
}

/// 64-bit FNV-1a.
std::uint64_t hash_of_pattern(std::size_t size) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (std::size_t i = 0; i < size; ++i) {
        hash = (hash ^ (i & 0xff)) * 0x100000001b3;
    }
    return hash;
}

std::string shortened(std::string text) {
    erase_all(text, std::string(KernelWorld::kNode) + "@");
    erase_all(text, kSuffix);
    return text;
}

}  // namespace

const std::string& fixture(std::string_view name) {
    static std::map<std::string, std::string, std::less<>> read;
    const auto known = read.find(name);
    if (known != read.end()) {
        return known->second;
    }
    const std::string path =
        std::string(PERDURE_SOURCE_DIR) + "/guests/fixtures/" + std::string(name) + ".wasm";
    std::ifstream file(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    CHECK(file.good(), "the fixture cannot be read:", path);
    return read.emplace(name, bytes.str()).first->second;
}

std::string shown_pattern(std::size_t size) {
    return fmt::format("#{}:{:016x}", size, hash_of_pattern(size));
}

std::string escaped(std::string_view text) {
    std::string made;
    for (const char c : text) {
        if (c == ' ' || c == '\n' || c == '%' || (made.empty() && (c == '#' || c == '@'))) {
            made += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        } else {
            made += c;
        }
    }
    return made;
}

std::string id_of(std::string_view name) {
    return std::string(name) + std::string(kSuffix);
}

Capability capability(std::string_view name, std::string_view params) {
    return {KernelWorld::full_address(id_of(name)), std::string(params)};
}

Capability messaging(std::string_view name) {
    return messaging_of(KernelWorld::full_address(id_of(name)));
}

std::string initialise_command(std::string_view name, std::string_view on_exit) {
    return R"({"InitializeProcess":{"id":")" + id_of(name) +
           R"(","wasm_bytes_handle":"/test:os/pkg/a.wasm","on_exit":)" + std::string(on_exit) +
           R"(,"initial_capabilities":[],"public":false}})";
}

std::string run_command(std::string_view name) {
    return R"({"RunProcess":")" + id_of(name) + R"("})";
}

std::string kill_command(std::string_view name) {
    return R"({"KillProcess":")" + id_of(name) + R"("})";
}

Blob code_of(std::string_view component) {
    Blob blob;
    blob.bytes = SharedBytes(std::string_view(fixture(component)));
    return blob;
}

void Driver::handle(kernel::IncomingRequest request) {
    reports.emplace_back(request.source->address.process.process,
                         std::string(text_of(request.request.body.view())));
    if (answer) {
        answer(request);
    }
}

void Driver::handle(kernel::IncomingResponse response) {
    reports.emplace_back(response.source->address.process.process,
                         std::string(text_of(response.response.body.view())));
    responses.push_back(std::move(response));
}

ScriptedComponents::ScriptedComponents(KernelWorld::Options options)
    : world(complete(std::move(options), driver)) {}

KernelWorld::Options ScriptedComponents::complete(KernelWorld::Options options, Driver& driver) {
    options.modules.push_back(&driver);
    options.processes_max = std::min(options.processes_max, std::uint32_t{64});
    options.cache = code_cache();
    return options;
}

void ScriptedComponents::add(std::string_view name, std::string_view component, Guest guest) {
    world.start_component(id_of(name), fixture(component), std::move(guest));
    names_.emplace(name);
    world.settle();
}

void ScriptedComponents::connect() {
    std::erase_if(names_, [&](const std::string& name) { return !exists(name); });
    for (const std::string& left : names_) {
        for (const std::string& right : names_) {
            world.grant_messaging(id_of(left), id_of(right));
        }
    }
}

void ScriptedComponents::start(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        add(name);
    }
    connect();
}

void ScriptedComponents::boot(std::string_view name, std::string_view program) {
    prepare_boot(name, program);
    connect();
    world.run(id_of(name));
    world.settle();
}

void ScriptedComponents::prepare_boot(std::string_view name, std::string_view program,
                                      Guest guest) {
    CHECK(name.starts_with("boot"), "only names with boot make the script look at its state", name);
    add(name);
    tell(name, "set-state " + escaped(with_addresses(program)));
    of(name);
    CHECK(world.kill(id_of(name)));
    const auto made = world.initialise_component(id_of(name), fixture("script"), std::move(guest));
    CHECK(made.has_value(), made.error().message());
}

void ScriptedComponents::post(std::string_view name, std::string_view program) {
    Request request;
    request.body = SharedBytes(with_addresses(program));
    const auto sent = world.kernel().send(driver, KernelWorld::full_address(id_of(name)),
                                          std::move(request), std::nullopt, {});
    CHECK(sent.has_value(), sent.error().message());
}

void ScriptedComponents::tell(std::string_view name, std::string_view program) {
    post(name, program);
    world.settle();
}

void ScriptedComponents::send(std::string_view name, Request request, std::optional<Blob> blob) {
    request.body = SharedBytes(with_addresses(text_of(request.body.view())));
    const auto sent = world.kernel().send(driver, KernelWorld::full_address(id_of(name)),
                                          std::move(request), std::move(blob), {});
    CHECK(sent.has_value(), sent.error().message());
    world.settle();
}

std::optional<std::string> ScriptedComponents::command(const std::string& body,
                                                       std::optional<Blob> blob) {
    Request request;
    request.body = SharedBytes(body);
    request.expects_response = 30;
    const std::size_t before = driver.responses.size();
    const auto sent = world.kernel().send(driver, KernelWorld::full_address("kernel:distro:sys"),
                                          std::move(request), std::move(blob), {});
    CHECK(sent.has_value(), sent.error().message());
    world.settle();
    if (driver.responses.size() == before) {
        return std::nullopt;
    }
    return std::string(text_of(driver.responses.back().response.body.view()));
}

std::vector<std::string> ScriptedComponents::of(std::string_view name) {
    std::vector<std::string> lines;
    std::erase_if(driver.reports, [&](const auto& report) {
        if (report.first != name) {
            return false;
        }
        // A Response holds all reports of its program.
        std::istringstream all(report.second);
        for (std::string line; std::getline(all, line);) {
            lines.push_back(shortened(line));
        }
        return true;
    });
    return lines;
}

std::vector<std::string> ScriptedComponents::said(std::string_view name) {
    std::vector<std::string> lines = world.prints_of(id_of(name));
    std::transform(lines.begin(), lines.end(), lines.begin(), shortened);
    return lines;
}

bool ScriptedComponents::holds(std::string_view name, const Capability& wanted) {
    Causality asker;
    const ProcessId id = parse_process_id(id_of(name)).value();
    return world.kernel().debug_has_cap(id, wanted).tell(asker).value_or(false);
}

}  // namespace perdure::conformance
