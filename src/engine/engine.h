#pragma once

/// The kernel's `Engine` over kwe.h: components are loaded once, guests are polled, host calls
/// reach `HostCalls`.
///
/// Everything of Wasm stays behind kwe.h (E-1). This file owns its objects, turns its errors into
/// `Result`, and stops exceptions of host calls: a host call that throws ends its guest as Faulted,
/// and the node goes on (E-17).

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "kernel/guest.h"

struct kwe_engine;

namespace perdure::engine {

/// Where compiled code is kept between runs. `key` authenticates it: whoever knows the key can make
/// the node run any code, so it is a secret of the home (E-13).
struct CodeCache {
    std::string directory;
    std::array<Byte, 32> key;
};

/// 0 takes the default of `kwe_engine_config`.
struct EngineSettings {
    std::uint32_t processes_max =
        0;  ///< 10 000; lowered to what the machine allows, which is logged (E-14).
    std::uint32_t compile_threads = 0;    ///< 2.
    std::uint64_t memory_bytes_max = 0;   ///< Largest memory of one guest; 1 GiB.
    std::optional<CodeCache> cache = {};  ///< None: components are compiled in every run.
    /// Only for benches: guests run without the checks that end slices; no kill reaches one that
    /// computes.
    bool no_epochs = false;
};

/// Counters for tests and metrics; in-use ones fall back to 0 when all guests are gone.
struct EngineStats {
    std::uint32_t processes_max = 0;
    std::uint64_t guests = 0;     ///< Not destroyed yet.
    std::uint64_t instances = 0;  ///< Slots of the pool in use.
    std::uint64_t components = 0;
    std::uint64_t compiles_total = 0;
    std::uint64_t disk_hits_total = 0;
    std::uint64_t cache_rejects_total = 0;
};

/// Told that the guest with this `wake_token` can go on. Thread: any; must not poll and must not
/// throw.
using Waker = std::function<void(std::uint64_t wake_token)>;

class WasmEngine final : public kernel::Engine {
public:
    /// Reserves the pool and opens the cache. The program's handlers for SIGSEGV, SIGILL and SIGFPE
    /// come before.
    ///
    /// Errors: InvalidInput (settings), Io (address space, cache directory).
    static Result<std::unique_ptr<WasmEngine>> open(const EngineSettings& settings, Waker waker,
                                                    Log log);

    /// Every `Code` and `Guest` has been destroyed before.
    ~WasmEngine() override;
    WasmEngine(const WasmEngine&) = delete;
    WasmEngine& operator=(const WasmEngine&) = delete;

    Result<std::shared_ptr<const kernel::Code>> load(ByteView wasm,
                                                     const kernel::ContentHash& hash) override;
    std::shared_ptr<const kernel::Code> find(const kernel::ContentHash& hash) override;
    Result<std::unique_ptr<kernel::Guest>> instantiate(std::shared_ptr<const kernel::Code> code,
                                                       kernel::HostCalls& calls,
                                                       std::uint64_t wake_token,
                                                       std::string_view our,
                                                       const kernel::GuestLimits& limits) override;
    void tick() override;
    void prepare_thread() override;

    /// Thread: any.
    EngineStats stats() const;

private:
    struct Environment;

    WasmEngine(Waker waker, Log log);

    std::unique_ptr<const Environment>
        environment_;  ///< What the callbacks without a guest lead to.
    kwe_engine* engine_ = nullptr;
};

/// For tests: the guest panics inside the library at a KWE_PANIC_IN_ place (E-17).
void panic_for_test(kernel::Guest& guest, int place);

}  // namespace perdure::engine
