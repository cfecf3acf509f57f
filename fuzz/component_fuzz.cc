/// Any bytes as a component: refused with a reason, or loaded because it is one with `init`, and
/// then run for a few ticks. Whatever it does there ends this one guest, in a way that is told.
///
/// The library behind kwe.h is real and not instrumented: kinds of refusals and of ends stand for
/// what is reached in it. A guest runs twice: with a host that answers, and with one that refuses
/// whatever can be refused.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "base/sha256.h"
#include "engine/engine.h"
#include "engine/fake_host_calls.h"

/// libFuzzer keeps an input that sets a byte no other one has set; elsewhere this is plain memory.
__attribute__((used, section("__libfuzzer_extra_counters"))) static std::uint8_t kinds[4096];

namespace perdure::engine {
namespace {

using kernel::ExitReason;
using kernel::PollOutcome;

constexpr std::uint64_t kMemoryBytesMax = 16 << 20;
constexpr int kSlicesMax = 4;
constexpr std::chrono::milliseconds kTick{1};

/// Lines about the node's own faults must not appear, whatever the guest is.
class FaultsOnly final : public LogSink {
public:
    void write(LogLevel, std::string_view line) override {
        CHECK(line.find("panicked") == std::string_view::npos, line);
    }
};

/// One engine and its clock for all inputs: that is how a node meets its guests.
class World {
public:
    World() {
        EngineSettings settings;
        settings.processes_max = 4;
        settings.compile_threads = 1;
        settings.memory_bytes_max = kMemoryBytesMax;
        auto opened = WasmEngine::open(settings, [](std::uint64_t) {}, Log(log_, LogLevel::Warn));
        CHECK(opened.has_value(), opened.has_value() ? "" : opened.error().message());
        engine_ = std::move(*opened);
        engine_->prepare_thread();
        ticker_ = std::thread([this]() noexcept {
            while (!stopped_.load()) {
                engine_->tick();
                std::this_thread::sleep_for(kTick);
            }
        });
    }
    ~World() {
        stopped_.store(true);
        ticker_.join();
    }
    WasmEngine& engine() { return *engine_; }

private:
    FaultsOnly log_;
    std::unique_ptr<WasmEngine> engine_;
    std::atomic<bool> stopped_{false};
    std::thread ticker_;
};

// ---- what can be seen of a component without an engine

std::optional<std::size_t> take_size(ByteView& bytes) {
    std::size_t value = 0;
    for (int shift = 0; shift < 35 && !bytes.empty(); shift += 7) {
        const Byte byte = bytes.front();
        bytes = bytes.subspan(1);
        value |= static_cast<std::size_t>(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    return {};
}

/// component := magic version section*, section := id:u8 size:varint32 bytes; 11 holds exports.
bool exports_init(ByteView wasm) {
    constexpr std::string_view kBegin("\0asm\x0D\0\x01\0", 8);
    constexpr Byte kExports = 11;
    constexpr std::string_view kName("\4init");
    if (!text_of(wasm).starts_with(kBegin)) {
        return false;
    }
    wasm = wasm.subspan(kBegin.size());
    while (!wasm.empty()) {
        const Byte id = wasm.front();
        wasm = wasm.subspan(1);
        const auto size = take_size(wasm);
        if (!size || *size > wasm.size()) {
            return false;
        }
        if (id == kExports && text_of(wasm.first(*size)).find(kName) != std::string_view::npos) {
            return true;
        }
        wasm = wasm.subspan(*size);
    }
    return false;
}

/// Notes the kind of `text`: its letters beyond f, so that offsets do not count, up to a name.
void note_kind(std::string_view text) {
    std::uint32_t kind = 2166136261u;  // FNV-1a
    for (const char letter : text.substr(0, text.find_first_of("`\"'"))) {
        if (letter > 'f' && letter <= 'z') {
            kind = (kind ^ static_cast<Byte>(letter)) * 16777619u;
        }
    }
    kinds[kind % std::size(kinds)] = 1;
}

// ---- one guest

PollOutcome run(kernel::Guest& guest) {
    for (int slice = 0; slice < kSlicesMax; ++slice) {
        const PollOutcome outcome = guest.poll();
        if (outcome != PollOutcome::Yielded) {
            return outcome;
        }
    }
    return PollOutcome::Yielded;
}

void run_once(WasmEngine& engine, const std::shared_ptr<const kernel::Code>& code,
              FakeHostCalls& calls) {
    kernel::GuestLimits limits;
    limits.memory_bytes = kMemoryBytesMax / 2;
    auto made = engine.instantiate(code, calls, 1, "fuzz.os@guest:tests:sys", limits);
    CHECK(made.has_value(), made.has_value() ? "" : made.error().message());
    kernel::Guest& guest = **made;
    const bool ended = run(guest) == PollOutcome::Done;
    CHECK(guest.usage().memory_bytes <= kMemoryBytesMax);
    if (!ended) {
        guest.kill();
        CHECK(run(guest) == PollOutcome::Done);
    }
    const kernel::GuestExit exit = guest.exit();
    CHECK(exit.reason != ExitReason::Panicked, exit.cause);
    CHECK(ended || exit.reason == ExitReason::Killed, to_string(exit.reason));
    CHECK(exit.reason == ExitReason::Returned || !exit.cause.empty(), to_string(exit.reason));
    CHECK(exit.frames.size() <= 32);
    note_kind(exit.cause);
    made->reset();
    CHECK(engine.stats().guests == 0 && engine.stats().instances == 0);
}

void check_component(ByteView wasm) {
    static World world;
    WasmEngine& engine = world.engine();
    Sha256 hash;
    hash.add(wasm);
    const auto name = hash.finish();
    const auto code = engine.load(wasm, name);
    if (!code) {
        CHECK(!code.error().message().empty());
        CHECK(code.error().code() == ErrorCode::InvalidInput ||
                  code.error().code() == ErrorCode::Overloaded,
              code.error().message());
        CHECK(code.error().message().find('\n') == std::string::npos, code.error().message());
        CHECK(engine.find(name) == nullptr);
        note_kind(code.error().message());
        return;
    }
    CHECK(exports_init(wasm));
    CHECK((*code)->hash() == name);
    FakeHostCalls answering;
    run_once(engine, *code, answering);
    FakeHostCalls refusing;
    refusing.faulting = FakeHostCalls::kEveryCall;
    run_once(engine, *code, refusing);
}

}  // namespace
}  // namespace perdure::engine

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    perdure::engine::check_component({data, size});
    return 0;
}
