#include "engine/engine.h"

#include <span>
#include <utility>

#include "base/check.h"
#include "engine/host_bridge.h"
#include "engine/kwe.h"

namespace perdure::engine {

using kernel::BlobView;
using kernel::CallStatus;
using kernel::CapabilityView;
using kernel::DeliveryView;
using kernel::Resume;
using kernel::SendView;

namespace {

kwe_hstat status(CallStatus from) {
    switch (from) {
        case CallStatus::Ready: return KWE_READY;
        case CallStatus::Pending: return KWE_PENDING;
        case CallStatus::Fault: break;
    }
    return KWE_FAULT;
}

Resume resume(int again) {
    return again != 0 ? Resume::Again : Resume::First;
}

std::optional<std::string_view> optional_text(const kwe_slice& from, std::uint8_t present) {
    return present != 0 ? std::optional(text(from)) : std::nullopt;
}

}  // namespace

// ---- Lifting

std::span<const CapabilityView> Lifting::capabilities(const kwe_cap* from, std::size_t count) {
    if (count == 0) {
        return {};
    }
    auto& views = capabilities_.emplace_back();
    views.reserve(count);
    for (const kwe_cap& cap : std::span(from, count)) {
        views.push_back({address(cap.issuer), text(cap.params)});
    }
    return views;
}

std::optional<BlobView> Lifting::blob(const kwe_blob& from) {
    if (from.present == 0) {
        return std::nullopt;
    }
    return BlobView{bytes(from.bytes), optional_text(from.mime, from.has_mime)};
}

kernel::RequestView Lifting::request(const kwe_request& from) {
    kernel::RequestView view;
    view.inherit = from.inherit != 0;
    if (from.has_expects != 0) {
        view.expects_response = from.expects_response;
    }
    view.body = bytes(from.body);
    view.metadata = optional_text(from.metadata, from.has_metadata);
    view.capabilities = capabilities(from.caps, from.ncaps);
    return view;
}

kernel::ResponseView Lifting::response(const kwe_response& from) {
    return {from.inherit != 0, bytes(from.body), optional_text(from.metadata, from.has_metadata),
            capabilities(from.caps, from.ncaps)};
}

SendView Lifting::send(const kwe_send& from) {
    SendView view{address(from.target), request(from.request), std::nullopt, blob(from.blob)};
    if (from.has_context != 0) {
        view.context = bytes(from.context);
    }
    return view;
}

std::span<const SendView> Lifting::sends(const kwe_send* from, std::size_t count) {
    if (count == 0) {
        return {};
    }
    auto& views = sends_.emplace_back();
    views.reserve(count);
    for (const kwe_send& one : std::span(from, count)) {
        views.push_back(send(one));
    }
    return views;
}

// ---- Lowering

void Lowering::clear() {
    capabilities_.clear();
    sends_.clear();
}

kwe_address Lowering::address(const kernel::AddressView& from) {
    return {slice(from.node),
            {slice(from.id.process), slice(from.id.package), slice(from.id.publisher)}};
}

kwe_blob Lowering::blob(const std::optional<BlobView>& from) {
    if (!from) {
        return {};
    }
    return {slice(from->bytes), slice(from->mime.value_or("")), 1, from->mime.has_value()};
}

std::span<const kwe_cap> Lowering::capabilities(std::span<const CapabilityView> from) {
    if (from.empty()) {
        return {};
    }
    auto& made = capabilities_.emplace_back();
    made.reserve(from.size());
    for (const CapabilityView& view : from) {
        made.push_back({address(view.issuer), slice(view.params)});
    }
    return made;
}

kwe_request Lowering::request(const kernel::RequestView& from) {
    const auto caps = capabilities(from.capabilities);
    kwe_request made{};
    made.body = slice(from.body);
    made.metadata = slice(from.metadata.value_or(""));
    made.caps = caps.data();
    made.ncaps = caps.size();
    made.expects_response = from.expects_response.value_or(0);
    made.inherit = from.inherit;
    made.has_expects = from.expects_response.has_value();
    made.has_metadata = from.metadata.has_value();
    return made;
}

kwe_response Lowering::response(const kernel::ResponseView& from) {
    const auto caps = capabilities(from.capabilities);
    kwe_response made{};
    made.body = slice(from.body);
    made.metadata = slice(from.metadata.value_or(""));
    made.caps = caps.data();
    made.ncaps = caps.size();
    made.inherit = from.inherit;
    made.has_metadata = from.metadata.has_value();
    return made;
}

kwe_on_exit Lowering::on_exit(const kernel::OnExitView& from) {
    sends_.reserve(from.requests.size());
    for (const SendView& view : from.requests) {
        kwe_send send{};
        send.target = address(view.target);
        send.request = request(view.request);
        send.blob = blob(view.blob);
        sends_.push_back(send);
    }
    return {static_cast<std::uint8_t>(from.kind), sends_.data(), sends_.size()};
}
static_assert(static_cast<int>(kernel::OnExitKind::Restart) == KWE_ON_EXIT_RESTART);
static_assert(static_cast<int>(kernel::OnExitKind::Requests) == KWE_ON_EXIT_REQUESTS);

kwe_recv Lowering::delivery(const DeliveryView& from) {
    kwe_recv made{};
    made.is_error = from.is_error();
    made.error_kind =
        from.kind == DeliveryView::Kind::Timeout ? KWE_SEND_TIMEOUT : KWE_SEND_OFFLINE;
    made.peer = address(from.peer);
    made.message.is_response =
        from.is_error() ? from.failed_response : from.kind == DeliveryView::Kind::Response;
    if (made.message.is_response != 0) {
        made.message.response = response(from.response);
    } else {
        made.message.request = request(from.request);
    }
    if (from.context) {
        (made.is_error != 0 ? made.context : made.message.context) = slice(*from.context);
        (made.is_error != 0 ? made.has_context : made.message.has_context) = 1;
    }
    made.blob = blob(from.blob);
    return made;
}

// ---- HostBridge

kwe_hstat HostBridge::print(std::uint8_t verbosity, kwe_slice line) {
    lowering_.clear();
    calls_.print(verbosity, text(line));
    return KWE_READY;
}

kwe_hstat HostBridge::our(kwe_address* out) {
    lowering_.clear();
    *out = Lowering::address(calls_.our());
    return KWE_READY;
}

kwe_hstat HostBridge::get_on_exit(kwe_on_exit* out) {
    lowering_.clear();
    *out = lowering_.on_exit(calls_.get_on_exit());
    return KWE_READY;
}

kwe_hstat HostBridge::set_on_exit(const kwe_on_exit* on_exit) {
    lowering_.clear();
    Lifting lifting;
    return status(calls_.set_on_exit({static_cast<kernel::OnExitKind>(on_exit->kind),
                                      lifting.sends(on_exit->sends, on_exit->nsends)}));
}

kwe_hstat HostBridge::has_blob(int* out) {
    lowering_.clear();
    *out = calls_.has_blob() ? 1 : 0;
    return KWE_READY;
}

kwe_hstat HostBridge::send_requests(const kwe_send* sends, std::size_t count) {
    lowering_.clear();
    Lifting lifting;
    if (count == 1) {  // The common case takes no memory.
        const SendView one = lifting.send(*sends);
        return status(calls_.send_requests({&one, 1}));
    }
    return status(calls_.send_requests(lifting.sends(sends, count)));
}

kwe_hstat HostBridge::send_response(const kwe_response* response, const kwe_blob* blob) {
    lowering_.clear();
    Lifting lifting;
    return status(calls_.send_response(lifting.response(*response), lifting.blob(*blob)));
}

kwe_hstat HostBridge::receive(int again, kwe_recv* out) {
    lowering_.clear();
    DeliveryView delivery;
    const auto answer = calls_.receive(resume(again), delivery);
    if (answer == CallStatus::Ready) {
        *out = lowering_.delivery(delivery);
    }
    return status(answer);
}

kwe_hstat HostBridge::send_and_await(int again, const kwe_send* request, kwe_recv* out) {
    lowering_.clear();
    Lifting lifting;
    const auto send = request != nullptr ? std::optional(lifting.send(*request)) : std::nullopt;
    DeliveryView delivery;
    const auto answer = calls_.send_and_await(resume(again), send ? &*send : nullptr, delivery);
    if (answer == CallStatus::Ready) {
        *out = lowering_.delivery(delivery);
    }
    return status(answer);
}

kwe_hstat HostBridge::get_blob(int again, int last, kwe_blob* out) {
    lowering_.clear();
    const auto which =
        last != 0 ? kernel::BlobOf::LastMessageWithBlob : kernel::BlobOf::CurrentMessage;
    std::optional<BlobView> blob;
    const auto answer = calls_.get_blob(resume(again), which, blob);
    *out = Lowering::blob(blob);
    return status(answer);
}

kwe_hstat HostBridge::get_state(int again, kwe_slice* out, int* present) {
    lowering_.clear();
    std::optional<ByteView> state;
    const auto answer = calls_.get_state(resume(again), state);
    *out = slice(state.value_or(ByteView{}));
    *present = state.has_value() ? 1 : 0;
    return status(answer);
}

kwe_hstat HostBridge::set_state(int again, const kwe_slice* state) {
    lowering_.clear();
    return status(calls_.set_state(resume(again), state != nullptr ? bytes(*state) : ByteView{}));
}

kwe_hstat HostBridge::clear_state(int again) {
    lowering_.clear();
    return status(calls_.clear_state(resume(again)));
}

kwe_hstat HostBridge::spawn(int again, const kwe_spawn* spawn, kwe_procid*, int* error) {
    lowering_.clear();
    std::optional<kernel::SpawnView> view;
    if (spawn != nullptr) {
        view = {optional_text(spawn->name, spawn->has_name), text(spawn->wasm_path),
                spawn->is_public != 0};
    }
    auto reason = kernel::SpawnError::NoFileAtPath;
    const auto answer = calls_.spawn(resume(again), view ? &*view : nullptr, reason);
    *error =
        reason == kernel::SpawnError::NameTaken ? KWE_SPAWN_NAME_TAKEN : KWE_SPAWN_NO_FILE_AT_PATH;
    return status(answer);
}

kwe_hstat HostBridge::change_caps(int again, int drop, const kwe_cap* caps, std::size_t count) {
    lowering_.clear();
    Lifting lifting;
    const auto list = lifting.capabilities(caps, count);
    return status(drop != 0 ? calls_.drop_capabilities(resume(again), list)
                            : calls_.save_capabilities(resume(again), list));
}

kwe_hstat HostBridge::our_caps(int again, const kwe_cap** out, std::size_t* count) {
    lowering_.clear();
    std::span<const CapabilityView> held;
    const auto answer = calls_.our_capabilities(resume(again), held);
    const auto caps = lowering_.capabilities(held);
    *out = caps.data();
    *count = caps.size();
    return status(answer);
}

kwe_hstat HostBridge::output(int stream, kwe_slice written) {
    calls_.write_output(stream == 1 ? kernel::OutputStream::Stdout : kernel::OutputStream::Stderr,
                        bytes(written));
    return KWE_READY;
}

kwe_hstat HostBridge::random(std::uint8_t* out, std::size_t size, int insecure) {
    lowering_.clear();
    calls_.random({out, size},
                  insecure != 0 ? kernel::RandomUse::Insecure : kernel::RandomUse::Secure);
    return KWE_READY;
}

kwe_hstat HostBridge::monotonic(std::uint64_t* ns) {
    lowering_.clear();
    *ns = calls_.monotonic_ns();
    return KWE_READY;
}

kwe_hstat HostBridge::wall(std::uint64_t* seconds, std::uint32_t* ns) {
    lowering_.clear();
    calls_.wall_clock(*seconds, *ns);
    return KWE_READY;
}

kwe_hstat HostBridge::sleep_until(int again, std::uint64_t ns) {
    lowering_.clear();
    return status(calls_.sleep_until(resume(again), ns));
}

int HostBridge::on_tick() noexcept {
    try {
        switch (calls_.on_tick()) {
            case kernel::TickDecision::Continue: return KWE_TICK_CONTINUE;
            case kernel::TickDecision::Yield: return KWE_TICK_YIELD;
            case kernel::TickDecision::Kill: return KWE_TICK_KILL;
        }
    } catch (...) {
        caught();
    }
    return KWE_TICK_FAULT;
}

kwe_slice HostBridge::fault_text() noexcept {
    try {
        return thrown_.empty() ? slice(calls_.fault_text()) : slice(thrown_);
    } catch (...) {
        return slice(std::string_view("a host call failed"));
    }
}

void HostBridge::caught() noexcept {
    try {
        thrown_ = "a host call threw: ";
        throw;
    } catch (const std::exception& error) {
        thrown_ += error.what();
    } catch (...) {
        thrown_ += "something that is no exception";
    }
}

namespace {

// ---- errors, table

Error take(kwe_error* error, int code) {
    auto message = error != nullptr ? std::string(text(kwe_error_text(error)))
                                    : std::string("no reason given");
    kwe_error_free(error);
    switch (code) {
        case KWE_E_INVALID:
        case KWE_E_WASM:
        case KWE_E_IMPORT: return {ErrorCode::InvalidInput, std::move(message)};
        case KWE_E_LIMIT: return {ErrorCode::Overloaded, std::move(message)};
        default: return {ErrorCode::Io, std::move(message)};
    }
}

int tick_of(void* ctx) noexcept {
    return static_cast<HostBridge*>(ctx)->on_tick();
}

kwe_slice fault_text_of(void* ctx) noexcept {
    return static_cast<HostBridge*>(ctx)->fault_text();
}

kernel::ExitReason reason(const kwe_exit& exit) {
    switch (exit.kind) {
        case KWE_EXIT_RETURNED: return kernel::ExitReason::Returned;
        case KWE_EXIT_EXITED:
            return exit.code == 0 ? kernel::ExitReason::Returned : kernel::ExitReason::Exited;
        case KWE_EXIT_TRAPPED: return kernel::ExitReason::Trapped;
        case KWE_EXIT_FAULTED: return kernel::ExitReason::Faulted;
        case KWE_EXIT_KILLED: return kernel::ExitReason::Killed;
        case KWE_EXIT_MEMORY_LIMIT: return kernel::ExitReason::MemoryLimit;
        case KWE_EXIT_START_FAILED: return kernel::ExitReason::StartFailed;
        default: return kernel::ExitReason::Panicked;
    }
}

// ---- Code, Guest

class WasmCode final : public kernel::Code {
public:
    /// Takes over one reference.
    WasmCode(kwe_component* component, const kernel::ContentHash& hash)
        : component_(component), hash_(hash) {
        kwe_component_info info{};
        info.struct_size = sizeof(info);
        kwe_component_info_get(component, &info);
        constexpr std::pair<std::uint32_t, const char*> kInterfaces[] = {
            {KWE_STANDARD_KINODE_0_7, "kinode:process/standard@0.7.0"},
            {KWE_STANDARD_KINODE_0_8, "kinode:process/standard@0.8.0"},
            {KWE_STANDARD_KINODE_1_0, "kinode:process/standard@1.0.0"},
            {KWE_STANDARD_HYPERWARE_1_0, "hyperware:process/standard@1.0.0"},
        };
        for (const auto& [bit, name] : kInterfaces) {
            if ((info.standard & bit) != 0) {
                interfaces_.emplace_back(name);
            }
        }
    }
    ~WasmCode() override { kwe_component_unref(component_); }
    WasmCode(const WasmCode&) = delete;
    WasmCode& operator=(const WasmCode&) = delete;

    const kernel::ContentHash& hash() const override { return hash_; }
    const std::vector<std::string>& interfaces() const override { return interfaces_; }
    kwe_component* component() const { return component_; }

private:
    kwe_component* component_;
    kernel::ContentHash hash_;
    std::vector<std::string> interfaces_;
};

class WasmGuest final : public kernel::Guest {
public:
    explicit WasmGuest(kernel::HostCalls& calls) : bridge_(calls) {}
    ~WasmGuest() override { kwe_process_delete(process_); }
    WasmGuest(const WasmGuest&) = delete;
    WasmGuest& operator=(const WasmGuest&) = delete;

    Result<void> start(const WasmCode& code, std::uint64_t wake_token, std::string_view our,
                       const kernel::GuestLimits& limits) {
        kwe_limits bounds{};
        bounds.struct_size = sizeof(bounds);
        bounds.memory_bytes = limits.memory_bytes;
        bounds.clock_resolution_ns = limits.clock_resolution_ns;
        kwe_error* error = nullptr;
        const int code_of = kwe_process_new(code.component(), wake_token, &bridge_, slice(our),
                                            &bounds, &process_, &error);
        if (code_of != KWE_OK) {
            return take(error, code_of);
        }
        return {};
    }

    kernel::PollOutcome poll() override {
        switch (kwe_process_poll(process_)) {
            case KWE_P_BLOCKED: return kernel::PollOutcome::Blocked;
            case KWE_P_YIELDED: return kernel::PollOutcome::Yielded;
            default: return kernel::PollOutcome::Done;
        }
    }

    kernel::GuestExit exit() const override {
        const kwe_exit* exit = kwe_process_exit(process_);
        CHECK(exit != nullptr);
        kernel::GuestExit made{reason(*exit), exit->code, std::string(text(exit->text)), {}};
        made.frames.reserve(exit->nframes);
        for (const kwe_frame& frame : std::span(exit->frames, exit->nframes)) {
            made.frames.push_back({std::string(text(frame.module)),
                                   std::string(text(frame.function)), frame.func_index,
                                   frame.func_offset});
        }
        return made;
    }

    void kill() override { kwe_process_kill(process_); }

    kernel::GuestUsage usage() const override {
        kwe_usage usage{};
        usage.struct_size = sizeof(usage);
        kwe_process_usage(process_, &usage);
        return {usage.memory_bytes};
    }

    kwe_process* process() { return process_; }

private:
    HostBridge bridge_;
    kwe_process* process_ = nullptr;
};

}  // namespace

// ---- WasmEngine

struct WasmEngine::Environment {
    Waker waker;
    Log log;

    static void wake(void* env, std::uint64_t pid) noexcept {
        static_cast<const Environment*>(env)->waker(pid);
    }

    static void write(void* env, int level, kwe_slice line) noexcept {
        const Log& log = static_cast<const Environment*>(env)->log;
        const LogField field("text", text(line));
        switch (level) {
            case KWE_LOG_ERROR: log.error("engine_reported", field); break;
            case KWE_LOG_WARN: log.warn("engine_reported", field); break;
            default: log.info("engine_reported", field); break;
        }
    }
};

namespace {

/// Every callback but those of the environment.
kwe_host guest_callbacks() {
    kwe_host host{};
    host.struct_size = sizeof(host);
    host.abi = KWE_ABI;
    host.on_tick = tick_of;
    host.fault_text = fault_text_of;
    host.print = Callback<&HostBridge::print>::call;
    host.our = Callback<&HostBridge::our>::call;
    host.get_on_exit = Callback<&HostBridge::get_on_exit>::call;
    host.set_on_exit = Callback<&HostBridge::set_on_exit>::call;
    host.has_blob = Callback<&HostBridge::has_blob>::call;
    host.send_requests = Callback<&HostBridge::send_requests>::call;
    host.send_response = Callback<&HostBridge::send_response>::call;
    host.receive = Callback<&HostBridge::receive>::call;
    host.send_and_await = Callback<&HostBridge::send_and_await>::call;
    host.get_blob = Callback<&HostBridge::get_blob>::call;
    host.get_state = Callback<&HostBridge::get_state>::call;
    host.set_state = Callback<&HostBridge::set_state>::call;
    host.clear_state = Callback<&HostBridge::clear_state>::call;
    host.spawn = Callback<&HostBridge::spawn>::call;
    host.change_caps = Callback<&HostBridge::change_caps>::call;
    host.our_caps = Callback<&HostBridge::our_caps>::call;
    host.output = Callback<&HostBridge::output>::call;
    host.random = Callback<&HostBridge::random>::call;
    host.monotonic = Callback<&HostBridge::monotonic>::call;
    host.wall = Callback<&HostBridge::wall>::call;
    host.sleep_until = Callback<&HostBridge::sleep_until>::call;
    return host;
}

}  // namespace

WasmEngine::WasmEngine(Waker waker, Log log)
    : environment_(std::make_unique<const Environment>(Environment{std::move(waker), log})) {}

Result<std::unique_ptr<WasmEngine>> WasmEngine::open(const EngineSettings& settings, Waker waker,
                                                     Log log) {
    if (kwe_abi_version() != KWE_ABI) {
        return Error(ErrorCode::Unsupported,
                     "libkwe.a was built from another kwe.h; build it anew");
    }
    auto engine = std::unique_ptr<WasmEngine>(new WasmEngine(std::move(waker), log));
    kwe_engine_config config{};
    config.struct_size = sizeof(config);
    config.mode = KWE_MODE_AUTO;
    config.max_processes = settings.processes_max;
    config.compile_threads = settings.compile_threads;
    config.max_memory_bytes = settings.memory_bytes_max;
    config.no_epochs = settings.no_epochs ? 1 : 0;
    if (settings.cache) {
        config.cache_dir = slice(settings.cache->directory);
        config.cache_key = slice(ByteView(settings.cache->key));
    }
    kwe_host host = guest_callbacks();
    host.env = const_cast<Environment*>(
        engine->environment_.get());  // C has one kind of pointer for an environment.
    host.wake = Environment::wake;
    host.log = Environment::write;
    kwe_error* error = nullptr;
    const int code = kwe_engine_new(&config, &host, &engine->engine_, &error);
    if (code != KWE_OK) {
        return take(error, code);
    }
    return engine;
}

WasmEngine::~WasmEngine() {
    kwe_engine_delete(engine_);
}

Result<std::shared_ptr<const kernel::Code>> WasmEngine::load(ByteView wasm,
                                                             const kernel::ContentHash& hash) {
    kwe_component* component = nullptr;
    kwe_error* error = nullptr;
    const int code = kwe_component_get(engine_, slice(wasm), hash.data(), &component, &error);
    if (code != KWE_OK) {
        return take(error, code);
    }
    return std::shared_ptr<const kernel::Code>(std::make_shared<WasmCode>(component, hash));
}

std::shared_ptr<const kernel::Code> WasmEngine::find(const kernel::ContentHash& hash) {
    kwe_component* component = kwe_component_find(engine_, hash.data());
    return component != nullptr ? std::make_shared<WasmCode>(component, hash) : nullptr;
}

Result<std::unique_ptr<kernel::Guest>> WasmEngine::instantiate(
    std::shared_ptr<const kernel::Code> code, kernel::HostCalls& calls, std::uint64_t wake_token,
    std::string_view our, const kernel::GuestLimits& limits) {
    auto guest = std::make_unique<WasmGuest>(calls);
    // All code of an engine comes from its own `load` or `find`.
    RETURN_IF_ERROR(guest->start(static_cast<const WasmCode&>(*code), wake_token, our, limits));
    return std::unique_ptr<kernel::Guest>(std::move(guest));
}

void WasmEngine::tick() {
    kwe_engine_tick(engine_);
}

void WasmEngine::prepare_thread() {
    kwe_thread_init(engine_);
}

EngineStats WasmEngine::stats() const {
    kwe_stats stats{};
    stats.struct_size = sizeof(stats);
    kwe_engine_stats(engine_, &stats);
    return {stats.max_processes,  stats.processes,       stats.instances,          stats.components,
            stats.compiles_total, stats.disk_hits_total, stats.cache_rejects_total};
}

void panic_for_test(kernel::Guest& guest, int place) {
    kwe_test_panic(static_cast<WasmGuest&>(guest).process(), place);
}

}  // namespace perdure::engine
