#pragma once

/// A second implementation of kwe.h, without Wasm: guests are scripts in C++ (E-1).
///
/// A component is the text `mock:NAME` or `mock:NAME?ARGUMENT`; NAME is a script that was
/// registered before. A script is a coroutine whose awaited calls go through the `kwe_host` table
/// exactly as a guest's would: one that answers KWE_PENDING suspends it, and the next poll asks
/// again. Poll, yield, kill, exit, usage and delete mean what they mean in the real engine,
/// including: a killed script runs no further instruction, and deletion calls nothing back.
///
/// Tests link `perdure_engine_mock` instead of libkwe.a.
///
/// ```cpp
/// mock::ScriptScope echo("echo", [](mock::Api& api) -> mock::Script {
///     for (;;) {
///         const mock::Delivery delivery = co_await api.receive();
///         mock::Response response;
///         response.body = delivery.request.body;
///         co_await api.send_response(response);
///     }
/// });
/// ```
///
/// g++ 12 miscompiles braced lists and string literals that are converted inside a coroutine: name
/// the argument first, or make it in a plain function. What a script's lambda captures has to
/// outlive its guests.
///
/// Thread: register scripts before the node starts; a script runs on whichever thread polls it.

#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/kwe.h"

namespace perdure::engine::mock {

struct Address {
    std::string node, process, package, publisher;
    friend bool operator==(const Address&, const Address&) = default;
};
struct Capability {
    Address issuer;
    std::string params;
    friend bool operator==(const Capability&, const Capability&) = default;
};
struct Blob {
    std::string bytes;
    std::optional<std::string> mime = {};
    friend bool operator==(const Blob&, const Blob&) = default;
};
struct Request {
    std::string body = {};
    bool inherit = false;
    std::optional<std::uint64_t> expects_response = {};  ///< Seconds.
    std::optional<std::string> metadata = {};
    std::vector<Capability> capabilities = {};
};
struct Response {
    std::string body = {};
    bool inherit = false;
    std::optional<std::string> metadata = {};
    std::vector<Capability> capabilities = {};
};
struct Send {
    Address target = {};
    Request request = {};
    std::optional<std::string> context = {};
    std::optional<Blob> blob = {};
};
struct OnExit {
    int kind = KWE_ON_EXIT_NONE;
    std::vector<Send> requests = {};
};

/// What `receive` and `send_and_await` hand over.
struct Delivery {
    bool is_error = false;
    int error_kind = KWE_SEND_OFFLINE;  ///< Errors only: KWE_SEND_OFFLINE or KWE_SEND_TIMEOUT.
    bool is_response =
        false;     ///< Which of the two below counts; of a send error, which kind failed.
    Address peer;  ///< The source; of a send error, the target.
    Request request;
    Response response;
    std::optional<std::string> context;
    std::optional<Blob> blob;  ///< Errors only.
};

struct SpawnResult {
    int error = KWE_SPAWN_OK;
    Address id;  ///< Without node.
};
struct Spawn {
    std::optional<std::string> name = {};
    std::string wasm_path = {};
    OnExit on_exit = {};
    std::vector<Capability> request_capabilities = {};
    std::vector<std::pair<Address, std::optional<std::string>>> grants =
        {};  ///< Process and params.
    bool is_public = false;
};

class Api;
class Process;

/// The coroutine type of scripts. Its end is a return of `init`; an exception that leaves it is a
/// trap.
class Script {
public:
    struct promise_type {
        std::string thrown;
        bool has_thrown = false;

        Script get_return_object() {
            return Script(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception();
    };

    Script(Script&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    ~Script() {
        if (handle_) {
            handle_.destroy();
        }
    }
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;
    Script& operator=(Script&&) = delete;

    std::coroutine_handle<promise_type> handle() const { return handle_; }

private:
    explicit Script(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    std::coroutine_handle<promise_type> handle_;
};

/// One step of a suspended script. `Wait` is asked again at the next poll, `Yield` goes on there.
enum class Step : std::uint8_t { Ready, Wait, Yield, End };

/// Notes how the process goes on at its next poll.
void suspend(Process& process, std::function<Step()> retry);

/// What `co_await` of a call needs: `ask(again)` makes the call, `result` is there once it said
/// Ready.
template <typename Result>
class [[nodiscard]] Call {
public:
    Call(Process& process, std::function<Step(int again, Result& out)> ask)
        : process_(&process), ask_(std::move(ask)) {}

    bool await_ready() { return ask_(0, result_) == Step::Ready; }
    void await_suspend(std::coroutine_handle<>) {
        suspend(*process_, [this] { return ask_(1, result_); });
    }
    Result await_resume() { return std::move(result_); }

private:
    Process* process_;
    std::function<Step(int again, Result& out)> ask_;
    Result result_{};
};

struct Nothing {};

/// What a script can do. Every call is to be awaited.
class Api {
public:
    explicit Api(Process& process) : process_(process) {}

    const std::string& our() const;  ///< The argument of `init`.
    const std::string& argument()
        const;  ///< What stands behind `?` in the component; may be empty.

    Call<Nothing> print(std::uint8_t verbosity, std::string text);
    Call<Address> our_address();
    Call<OnExit> get_on_exit();
    Call<Nothing> set_on_exit(OnExit on_exit);
    Call<bool> has_blob();
    Call<Nothing> send_request(Send send);
    Call<Nothing> send_requests(std::vector<Send> sends);
    Call<Nothing> send_response(Response response, std::optional<Blob> blob = {});
    Call<Delivery> receive();
    Call<Delivery> send_and_await(Send send);
    Call<std::optional<Blob>> get_blob();
    Call<std::optional<Blob>> last_blob();
    Call<std::optional<std::string>> get_state();
    Call<Nothing> set_state(std::string bytes);
    Call<Nothing> clear_state();
    Call<SpawnResult> spawn(Spawn spawn);
    Call<Nothing> save_capabilities(std::vector<Capability> capabilities);
    Call<Nothing> drop_capabilities(std::vector<Capability> capabilities);
    Call<std::vector<Capability>> our_capabilities();

    Call<Nothing> write_stderr(std::string bytes);
    Call<Nothing> write_stdout(std::string bytes);
    Call<std::string> random(std::size_t size);
    Call<std::uint64_t> monotonic();
    Call<std::pair<std::uint64_t, std::uint32_t>> wall();
    Call<Nothing> sleep_until(std::uint64_t ns);

    /// Computes for `slices` ticks, asking `on_tick` at each.
    Call<Nothing> spin(std::uint64_t slices);
    /// Computes until it is killed.
    Call<Nothing> spin_forever();
    /// Grows its memory; false if the limit refuses it.
    bool grow_memory(std::uint64_t bytes);
    /// Ends here: by a trap (as MEMORY_LIMIT if the last growth was refused), or by WASI `exit`.
    Call<Nothing> trap(std::string cause);
    Call<Nothing> exit(std::int32_t code);

private:
    Process& process_;
};

using ScriptFunction = std::function<Script(Api&)>;

/// Registers a script under a name for as long as it lives. Names are unique at any one time.
class ScriptScope {
public:
    /// `standard`: the KWE_STANDARD_ bits that components of this script report.
    ScriptScope(std::string name, ScriptFunction function,
                std::uint32_t standard = KWE_STANDARD_HYPERWARE_1_0);
    ~ScriptScope();
    ScriptScope(const ScriptScope&) = delete;
    ScriptScope& operator=(const ScriptScope&) = delete;

private:
    std::string name_;
};

}  // namespace perdure::engine::mock
