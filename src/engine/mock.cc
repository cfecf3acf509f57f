#include "engine/mock.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <span>
#include <string_view>

#include "base/check.h"
#include "engine/mock_values.h"

namespace perdure::engine::mock {

namespace {

constexpr std::string_view kPrefix = "mock:";
constexpr std::uint32_t kProcessesDefault = 10'000;
constexpr std::uint64_t kMemoryBytesDefault = std::uint64_t{1} << 30;
constexpr std::uint64_t kMemoryBytesAtStart = 64 << 10;

struct Registered {
    ScriptFunction function;
    std::uint32_t standard = 0;
};

struct Registry {
    std::mutex mutex;
    std::map<std::string, Registered, std::less<>> scripts;
};

/// The scripts have to be found by name behind a C interface, so there is one table of them per
/// program.
Registry& registry() {
    static Registry instance;
    return instance;
}

}  // namespace

}  // namespace perdure::engine::mock

// ---- objects behind kwe.h

struct kwe_error {
    int code;
    std::string text;
};

struct kwe_engine {
    kwe_host host;
    std::uint32_t processes_max;
    std::uint64_t memory_bytes_max;
    std::atomic<std::uint64_t> processes{0};
    std::atomic<std::uint64_t> instances{0};
    std::atomic<std::uint64_t> compiles{0};
    std::atomic<std::uint64_t> memory_hits{0};
    std::mutex mutex;
    std::map<std::array<std::uint8_t, 32>, kwe_component*> components;  // Guarded by `mutex`.
};

struct kwe_component {
    kwe_engine* engine;
    std::array<std::uint8_t, 32> hash;
    perdure::engine::mock::ScriptFunction function;
    std::uint32_t standard;
    std::string argument;
    std::uint32_t references =
        1;  // Guarded by the engine's `mutex`, so that `find` cannot revive a dying one.
};

namespace perdure::engine::mock {

/// What is behind a `kwe_process`.
class Process {
public:
    Process(kwe_component& component, std::uint64_t pid, void* ctx, std::string our,
            std::uint64_t memory_bytes)
        : component_(component), pid_(pid), ctx_(ctx), our_(std::move(our)), api_(*this) {
        const std::uint64_t most = engine().memory_bytes_max;
        memory_bytes_max_ = memory_bytes == 0 ? most : std::min(memory_bytes, most);
    }
    ~Process() {
        script_.reset();
        if (started_) {
            engine().instances.fetch_sub(1);
        }
    }

    int poll();
    const kwe_exit* exit() const { return ended_ ? &exit_ : nullptr; }
    void kill() {
        killed_.store(true);
        engine().host.wake(engine().host.env, pid_);
    }
    void panic_at(int place) { panic_at_.store(place); }
    std::uint64_t memory_bytes() const { return memory_bytes_.load(); }

    const std::string& our() const { return our_; }
    const std::string& argument() const { return component_.argument; }
    kwe_component& component() { return component_; }

    /// Makes a call that never suspends.
    Step call(const std::function<kwe_hstat(const kwe_host&, void*)>& call) {
        switch (ask(call)) {
            case Step::Wait: return tick();  // "Done, but let others run soon."
            case Step::Ready: return Step::Ready;
            default: return Step::End;
        }
    }

    /// Makes a call that may suspend.
    Step ask(const std::function<kwe_hstat(const kwe_host&, void*)>& call) {
        if (interrupted(KWE_PANIC_IN_CALLBACK)) {
            return Step::End;
        }
        switch (call(engine().host, ctx_)) {
            case KWE_READY: return Step::Ready;
            case KWE_PENDING: return Step::Wait;
            case KWE_FAULT: break;
        }
        return fault();
    }

    /// A check of the slice: the script computes.
    Step tick() {
        if (interrupted(KWE_PANIC_IN_TICK)) {
            return Step::End;
        }
        switch (engine().host.on_tick(ctx_)) {
            case KWE_TICK_CONTINUE: return Step::Ready;
            case KWE_TICK_YIELD: yielded_ = true; return Step::Yield;
            case KWE_TICK_KILL: return end(KWE_EXIT_KILLED, 0, "killed");
            default: return fault();
        }
    }

    Step end(int kind, int code, std::string cause) {
        const bool own_doing = kind == KWE_EXIT_TRAPPED || (kind == KWE_EXIT_EXITED && code != 0);
        if (memory_denied_ && own_doing) {
            kind = KWE_EXIT_MEMORY_LIMIT;
            code = 0;
        }
        cause_ = std::move(cause);
        exit_ = {kind, code, slice(cause_), nullptr, 0};
        ended_ = true;
        return Step::End;
    }

    bool grow_memory(std::uint64_t bytes) {
        memory_denied_ = memory_bytes_.load() + bytes > memory_bytes_max_;
        if (!memory_denied_) {
            memory_bytes_.fetch_add(bytes);
        }
        return !memory_denied_;
    }

    /// How to go on at the next poll.
    void suspend(std::function<Step()> retry) { retry_ = std::move(retry); }

private:
    kwe_engine& engine() { return *component_.engine; }

    bool interrupted(int place) {
        int armed = place;
        if (panic_at_.compare_exchange_strong(armed, 0)) {
            end(KWE_EXIT_PANICKED, 0, "panic: asked for by a test");
        } else if (killed_.load()) {
            end(KWE_EXIT_KILLED, 0, "killed");
        }
        return ended_;
    }

    Step fault() { return end(KWE_EXIT_FAULTED, 0, string(engine().host.fault_text(ctx_))); }

    bool start();
    void run();

    kwe_component& component_;
    const std::uint64_t pid_;
    void* const ctx_;
    const std::string our_;
    std::uint64_t memory_bytes_max_ = 0;
    std::atomic<bool> killed_{false};
    std::atomic<int> panic_at_{0};
    std::atomic<std::uint64_t> memory_bytes_{0};
    bool memory_denied_ = false;
    Api api_;
    std::optional<Script> script_;
    std::function<Step()> retry_;
    bool started_ = false;
    bool yielded_ = false;
    bool ended_ = false;
    std::string cause_;
    kwe_exit exit_{};
};

/// Takes a slot of the "pool".
bool Process::start() {
    if (engine().instances.fetch_add(1) >= engine().processes_max) {
        engine().instances.fetch_sub(1);
        end(KWE_EXIT_START_FAILED, KWE_E_LIMIT, "no free slot in the engine's pool");
        return false;
    }
    started_ = true;
    if (!grow_memory(kMemoryBytesAtStart)) {
        end(KWE_EXIT_MEMORY_LIMIT, 0, "out of memory");
        return false;
    }
    script_.emplace(component_.function(api_));
    return true;
}

int Process::poll() {
    yielded_ = false;
    if (!ended_ && !interrupted(KWE_PANIC_IN_POLL) && (script_ || start())) {
        run();
    }
    if (ended_) {
        return KWE_P_DONE;
    }
    return yielded_ ? KWE_P_YIELDED : KWE_P_BLOCKED;
}

void Process::run() {
    if (retry_ && retry_() != Step::Ready) {
        return;
    }
    retry_ = nullptr;
    script_->handle().resume();
    if (ended_ || !script_->handle().done()) {
        return;
    }
    auto& promise = script_->handle().promise();
    if (promise.has_thrown) {
        end(KWE_EXIT_TRAPPED, -1, promise.thrown);
    } else {
        end(KWE_EXIT_RETURNED, 0, "");
    }
}

void Script::promise_type::unhandled_exception() {
    has_thrown = true;
    try {
        throw;
    } catch (const std::exception& error) {
        thrown = error.what();
    } catch (...) {
        thrown = "the script threw";
    }
}

void suspend(Process& process, std::function<Step()> retry) {
    process.suspend(std::move(retry));
}

// ---- scripts

const std::string& Api::our() const {
    return process_.our();
}
const std::string& Api::argument() const {
    return process_.argument();
}

namespace {

/// A call without result that never suspends. After a yield there is nothing left to do.
template <typename Body>
Call<Nothing> at_once(Process& process, Body body) {
    return {process, [&process, body = std::move(body)](int again, Nothing&) {
                return again != 0 ? Step::Ready : process.call(body);
            }};
}

/// A call that may suspend; `body(host, ctx, again, out)`.
template <typename Result, typename Body>
Call<Result> waiting(Process& process, Body body) {
    return {process, [&process, body = std::move(body)](int again, Result& out) {
                return process.ask(
                    [&](const kwe_host& host, void* ctx) { return body(host, ctx, again, out); });
            }};
}

}  // namespace

Call<Nothing> Api::print(std::uint8_t verbosity, std::string text) {
    return at_once(process_, [verbosity, text = std::move(text)](const kwe_host& host, void* ctx) {
        return host.print(ctx, verbosity, slice(text));
    });
}

Call<Address> Api::our_address() {
    return waiting<Address>(process_, [](const kwe_host& host, void* ctx, int, Address& out) {
        kwe_address made{};
        const auto answer = host.our(ctx, &made);
        out = address_of(made);
        return answer;
    });
}

Call<OnExit> Api::get_on_exit() {
    return waiting<OnExit>(process_, [](const kwe_host& host, void* ctx, int, OnExit& out) {
        kwe_on_exit made{};
        const auto answer = host.get_on_exit(ctx, &made);
        out = on_exit_of(made);
        return answer;
    });
}

Call<Nothing> Api::set_on_exit(OnExit on_exit) {
    return at_once(process_, [on_exit = std::move(on_exit)](const kwe_host& host, void* ctx) {
        Views views;
        const kwe_on_exit made = views.on_exit(on_exit);
        return host.set_on_exit(ctx, &made);
    });
}

Call<bool> Api::has_blob() {
    return waiting<bool>(process_, [](const kwe_host& host, void* ctx, int, bool& out) {
        int made = 0;
        const auto answer = host.has_blob(ctx, &made);
        out = made != 0;
        return answer;
    });
}

Call<Nothing> Api::send_request(Send send) {
    return send_requests({std::move(send)});
}

Call<Nothing> Api::send_requests(std::vector<Send> sends) {
    return at_once(process_, [sends = std::move(sends)](const kwe_host& host, void* ctx) {
        Views views;
        const auto made = views.sends(sends);
        return host.send_requests(ctx, made.data(), made.size());
    });
}

Call<Nothing> Api::send_response(Response response, std::optional<Blob> blob) {
    return at_once(process_, [response = std::move(response), blob = std::move(blob)](
                                 const kwe_host& host, void* ctx) {
        Views views;
        const kwe_response made = views.response(response);
        const kwe_blob made_blob = Views::blob(blob);
        return host.send_response(ctx, &made, &made_blob);
    });
}

Call<Delivery> Api::receive() {
    return waiting<Delivery>(process_,
                             [](const kwe_host& host, void* ctx, int again, Delivery& out) {
                                 kwe_recv made{};
                                 const auto answer = host.receive(ctx, again, &made);
                                 if (answer == KWE_READY) {
                                     out = delivery_of(made);
                                 }
                                 return answer;
                             });
}

Call<Delivery> Api::send_and_await(Send send) {
    return waiting<Delivery>(process_, [send = std::move(send)](const kwe_host& host, void* ctx,
                                                                int again, Delivery& out) {
        Views views;
        const kwe_send request = views.send(send);
        kwe_recv made{};
        const auto answer = host.send_and_await(ctx, again, again == 0 ? &request : nullptr, &made);
        if (answer == KWE_READY) {
            out = delivery_of(made);
        }
        return answer;
    });
}

namespace {

Call<std::optional<Blob>> blob_call(Process& process, int last) {
    return waiting<std::optional<Blob>>(
        process, [last](const kwe_host& host, void* ctx, int again, std::optional<Blob>& out) {
            kwe_blob made{};
            const auto answer = host.get_blob(ctx, again, last, &made);
            if (answer == KWE_READY) {
                out = blob_of(made);
            }
            return answer;
        });
}

Call<Nothing> capabilities_call(Process& process, int drop, std::vector<Capability> capabilities) {
    return waiting<Nothing>(process, [drop, capabilities = std::move(capabilities)](
                                         const kwe_host& host, void* ctx, int again, Nothing&) {
        Views views;
        const auto made = views.capabilities(capabilities);
        return again == 0 ? host.change_caps(ctx, 0, drop, made.data(), made.size())
                          : host.change_caps(ctx, 1, drop, nullptr, 0);
    });
}

Call<Nothing> output_call(Process& process, int stream, std::string bytes) {
    return at_once(process, [stream, bytes = std::move(bytes)](const kwe_host& host, void* ctx) {
        return host.output(ctx, stream, slice(bytes));
    });
}

}  // namespace

Call<std::optional<Blob>> Api::get_blob() {
    return blob_call(process_, 0);
}
Call<std::optional<Blob>> Api::last_blob() {
    return blob_call(process_, 1);
}

Call<std::optional<std::string>> Api::get_state() {
    return waiting<std::optional<std::string>>(
        process_, [](const kwe_host& host, void* ctx, int again, std::optional<std::string>& out) {
            kwe_slice state{};
            int present = 0;
            const auto answer = host.get_state(ctx, again, &state, &present);
            if (answer == KWE_READY && present != 0) {
                out = string(state);
            }
            return answer;
        });
}

Call<Nothing> Api::set_state(std::string bytes) {
    return waiting<Nothing>(
        process_, [bytes = std::move(bytes)](const kwe_host& host, void* ctx, int again, Nothing&) {
            const kwe_slice state = slice(bytes);
            return host.set_state(ctx, again, again == 0 ? &state : nullptr);
        });
}

Call<Nothing> Api::clear_state() {
    return waiting<Nothing>(process_, [](const kwe_host& host, void* ctx, int again, Nothing&) {
        return host.clear_state(ctx, again);
    });
}

Call<SpawnResult> Api::spawn(Spawn spawn) {
    return waiting<SpawnResult>(process_, [spawn = std::move(spawn)](const kwe_host& host,
                                                                     void* ctx, int again,
                                                                     SpawnResult& out) {
        Views views;
        const auto caps = views.capabilities(spawn.request_capabilities);
        std::vector<kwe_grant> grants;
        for (const auto& [to, params] : spawn.grants) {
            grants.push_back({Views::id(to), optional_slice(params), params.has_value()});
        }
        const kwe_spawn made{optional_slice(spawn.name),
                             spawn.name.has_value(),
                             spawn.is_public,
                             slice(spawn.wasm_path),
                             views.on_exit(spawn.on_exit),
                             caps.data(),
                             caps.size(),
                             grants.data(),
                             grants.size()};
        kwe_procid id{};
        const auto answer = host.spawn(ctx, again, again == 0 ? &made : nullptr, &id, &out.error);
        out.id = {"", string(id.process), string(id.package), string(id.publisher)};
        return answer;
    });
}

Call<Nothing> Api::save_capabilities(std::vector<Capability> capabilities) {
    return capabilities_call(process_, 0, std::move(capabilities));
}
Call<Nothing> Api::drop_capabilities(std::vector<Capability> capabilities) {
    return capabilities_call(process_, 1, std::move(capabilities));
}

Call<std::vector<Capability>> Api::our_capabilities() {
    return waiting<std::vector<Capability>>(
        process_, [](const kwe_host& host, void* ctx, int again, std::vector<Capability>& out) {
            const kwe_cap* caps = nullptr;
            std::size_t count = 0;
            const auto answer = host.our_caps(ctx, again, &caps, &count);
            if (answer == KWE_READY) {
                out = capabilities_of(caps, count);
            }
            return answer;
        });
}

Call<Nothing> Api::write_stderr(std::string bytes) {
    return output_call(process_, 2, std::move(bytes));
}
Call<Nothing> Api::write_stdout(std::string bytes) {
    return output_call(process_, 1, std::move(bytes));
}

Call<std::string> Api::random(std::size_t size) {
    return waiting<std::string>(
        process_, [size](const kwe_host& host, void* ctx, int, std::string& out) {
            out.resize(size);
            return host.random(ctx, reinterpret_cast<std::uint8_t*>(out.data()), size, 0);
        });
}

Call<std::uint64_t> Api::monotonic() {
    return waiting<std::uint64_t>(process_,
                                  [](const kwe_host& host, void* ctx, int, std::uint64_t& out) {
                                      return host.monotonic(ctx, &out);
                                  });
}

Call<std::pair<std::uint64_t, std::uint32_t>> Api::wall() {
    using Time = std::pair<std::uint64_t, std::uint32_t>;
    return waiting<Time>(process_, [](const kwe_host& host, void* ctx, int, Time& out) {
        return host.wall(ctx, &out.first, &out.second);
    });
}

Call<Nothing> Api::sleep_until(std::uint64_t ns) {
    return waiting<Nothing>(process_, [ns](const kwe_host& host, void* ctx, int again, Nothing&) {
        return host.sleep_until(ctx, again, ns);
    });
}

Call<Nothing> Api::spin(std::uint64_t slices) {
    return {process_, [&process = process_, slices](int, Nothing&) mutable {
                while (slices > 0) {
                    --slices;
                    if (const Step step = process.tick(); step != Step::Ready) {
                        return step;
                    }
                }
                return Step::Ready;
            }};
}

Call<Nothing> Api::spin_forever() {
    return {process_, [&process = process_](int, Nothing&) {
                for (;;) {
                    if (const Step step = process.tick(); step != Step::Ready) {
                        return step;
                    }
                }
            }};
}

bool Api::grow_memory(std::uint64_t bytes) {
    return process_.grow_memory(bytes);
}

Call<Nothing> Api::trap(std::string cause) {
    return {process_, [&process = process_, cause = std::move(cause)](int, Nothing&) {
                return process.end(KWE_EXIT_TRAPPED, 0, cause);
            }};
}

Call<Nothing> Api::exit(std::int32_t code) {
    return {process_, [&process = process_, code](int, Nothing&) {
                return process.end(KWE_EXIT_EXITED, code,
                                   code == 0 ? "" : "exit with status " + std::to_string(code));
            }};
}

ScriptScope::ScriptScope(std::string name, ScriptFunction function, std::uint32_t standard)
    : name_(std::move(name)) {
    const std::lock_guard lock(registry().mutex);
    const bool is_new =
        registry().scripts.try_emplace(name_, Registered{std::move(function), standard}).second;
    CHECK(is_new, name_);
}

ScriptScope::~ScriptScope() {
    const std::lock_guard lock(registry().mutex);
    registry().scripts.erase(name_);
}

namespace {

int fail(kwe_error** error, int code, std::string text) {
    if (error != nullptr) {
        *error = new kwe_error{code, std::move(text)};
    }
    return code;
}

/// A stand-in for SHA-256 when a caller gives none: equal for equal bytes, which is all the mock
/// needs.
std::array<std::uint8_t, 32> hash_of(std::string_view bytes) {
    std::array<std::uint8_t, 32> hash{};
    const std::size_t number = std::hash<std::string_view>{}(bytes);
    std::memcpy(hash.data(), &number, sizeof(number));
    return hash;
}

kwe_component* find_locked(kwe_engine& engine, const std::array<std::uint8_t, 32>& hash) {
    const auto found = engine.components.find(hash);
    if (found == engine.components.end()) {
        return nullptr;
    }
    ++found->second->references;
    return found->second;
}

/// Copies as many bytes as the caller's struct has, leaving its `struct_size`.
template <typename Struct>
void fill(Struct* out, const Struct& from) {
    constexpr std::size_t kSkip = sizeof(std::uint32_t);
    const std::size_t size =
        std::clamp<std::size_t>(out->struct_size, kSkip, sizeof(Struct)) - kSkip;
    std::memcpy(reinterpret_cast<char*>(out) + kSkip, reinterpret_cast<const char*>(&from) + kSkip,
                size);
}

}  // namespace

}  // namespace perdure::engine::mock

struct kwe_process {
    perdure::engine::mock::Process process;
};

// ---- functions of kwe.h

using namespace perdure::engine::mock;  // NOLINT: this is the implementation of a C header

extern "C" {

std::uint32_t kwe_abi_version(void) {
    return KWE_ABI;
}

int kwe_abi_layout(std::uint32_t, std::uint32_t*) {
    return 0;  // The mock shares the header's own layout.
}

int kwe_error_code(const kwe_error* error) {
    return error->code;
}
kwe_slice kwe_error_text(const kwe_error* error) {
    return slice(error->text);
}
void kwe_error_free(kwe_error* error) {
    delete error;
}

int kwe_engine_new(const kwe_engine_config* config, const kwe_host* host, kwe_engine** out,
                   kwe_error** error) {
    if (config->mode > KWE_MODE_FAST) {
        return fail(error, KWE_E_INVALID,
                    "engine modes DENSE and ONDEMAND are not built yet; use AUTO or FAST");
    }
    const auto processes = config->max_processes != 0 ? config->max_processes : kProcessesDefault;
    const auto memory =
        config->max_memory_bytes != 0 ? config->max_memory_bytes : kMemoryBytesDefault;
    *out = new kwe_engine{*host, processes, memory, {}, {}, {}, {}, {}, {}};
    const std::string line = "engine_started mode=mock max_processes=" + std::to_string(processes);
    host->log(host->env, KWE_LOG_INFO, slice(line));
    return KWE_OK;
}

void kwe_engine_delete(kwe_engine* engine) {
    delete engine;
}
void kwe_engine_tick(kwe_engine*) {}
void kwe_thread_init(kwe_engine*) {}
void kwe_engine_fingerprint(const kwe_engine*, std::uint8_t out[32]) {
    std::memset(out, 0, 32);
}

void kwe_engine_stats(const kwe_engine* engine, kwe_stats* out) {
    kwe_stats stats{};
    stats.max_processes = engine->processes_max;
    stats.processes = engine->processes.load();
    stats.instances = stats.memories = stats.stacks = engine->instances.load();
    stats.memory_hits_total = engine->memory_hits.load();
    stats.compiles_total = engine->compiles.load();
    {
        auto& mutable_engine = const_cast<kwe_engine&>(*engine);
        const std::lock_guard lock(mutable_engine.mutex);
        stats.components = engine->components.size();
    }
    fill(out, stats);
}

int kwe_component_get(kwe_engine* engine, kwe_slice wasm, const std::uint8_t* sha256,
                      kwe_component** out, kwe_error** error) {
    const std::string_view text(reinterpret_cast<const char*>(wasm.ptr), wasm.len);
    auto hash = hash_of(text);
    if (sha256 != nullptr) {
        std::memcpy(hash.data(), sha256, hash.size());
    }
    const std::lock_guard lock(engine->mutex);
    *out = find_locked(*engine, hash);
    if (*out != nullptr) {
        engine->memory_hits.fetch_add(1);
        return KWE_OK;
    }
    if (text.substr(0, kPrefix.size()) != kPrefix) {
        return fail(error, KWE_E_WASM,
                    "not a component of the mock engine: it does not begin with mock:");
    }
    const auto name = text.substr(kPrefix.size(), text.find('?') - kPrefix.size());
    const auto argument =
        text.find('?') == std::string_view::npos ? "" : text.substr(text.find('?') + 1);
    Registered script;
    {
        const std::lock_guard registry_lock(registry().mutex);
        const auto found = registry().scripts.find(name);
        if (found == registry().scripts.end()) {
            return fail(error, KWE_E_WASM, "no script is registered as " + std::string(name));
        }
        script = found->second;
    }
    engine->compiles.fetch_add(1);
    *out = new kwe_component{engine, hash, std::move(script.function), script.standard,
                             std::string(argument)};
    engine->components.emplace(hash, *out);
    return KWE_OK;
}

kwe_component* kwe_component_find(kwe_engine* engine, const std::uint8_t sha256[32]) {
    std::array<std::uint8_t, 32> hash{};
    std::memcpy(hash.data(), sha256, hash.size());
    const std::lock_guard lock(engine->mutex);
    return find_locked(*engine, hash);
}

void kwe_component_info_get(const kwe_component* component, kwe_component_info* out) {
    fill(out, kwe_component_info{0, component->standard, 0});
}

void kwe_component_ref(kwe_component* component) {
    const std::lock_guard lock(component->engine->mutex);
    ++component->references;
}

void kwe_component_unref(kwe_component* component) {
    if (component == nullptr) {
        return;
    }
    {
        const std::lock_guard lock(component->engine->mutex);
        if (--component->references > 0) {
            return;
        }
        component->engine->components.erase(component->hash);
    }
    delete component;
}

int kwe_process_new(kwe_component* component, std::uint64_t pid, void* ctx, kwe_slice our,
                    const kwe_limits* limits, kwe_process** out, kwe_error**) {
    kwe_component_ref(component);
    component->engine->processes.fetch_add(1);
    const std::uint64_t memory_bytes = limits != nullptr ? limits->memory_bytes : 0;
    *out = new kwe_process{{*component, pid, ctx, string(our), memory_bytes}};
    return KWE_OK;
}

int kwe_process_poll(kwe_process* process) {
    return process->process.poll();
}
const kwe_exit* kwe_process_exit(const kwe_process* process) {
    return process->process.exit();
}
void kwe_process_kill(kwe_process* process) {
    process->process.kill();
}
void kwe_process_usage(const kwe_process* process, kwe_usage* out) {
    fill(out, kwe_usage{0, process->process.memory_bytes()});
}

void kwe_process_delete(kwe_process* process) {
    if (process == nullptr) {
        return;
    }
    kwe_component& component = process->process.component();
    kwe_engine& engine = *component.engine;
    delete process;
    engine.processes.fetch_sub(1);
    kwe_component_unref(&component);
}

void kwe_test_panic(kwe_process* process, int place) {
    process->process.panic_at(place);
}

}  // extern "C"
