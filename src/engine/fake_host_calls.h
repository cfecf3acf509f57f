#pragma once

/// A `HostCalls` for the tests of this room: answers at once, remembers what it was asked, and
/// misbehaves on request.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "kernel/host_calls.h"

namespace perdure::engine {

class FakeHostCalls final : public kernel::HostCalls {
public:
    std::vector<std::string> seen;  ///< Names of the calls, in order; repeated ones end in `+`.
    std::map<std::string, int> pending;  ///< How often a call answers Pending first.
    static constexpr const char* kEveryCall = "*";
    std::string faulting, throwing;  ///< The call that faults (or kEveryCall); the one that throws.
    kernel::TickDecision decision = kernel::TickDecision::Yield;
    std::atomic<int> ticks{0};
    std::vector<std::string> prints;
    std::string error_output;
    std::string state;
    std::uint64_t now_ns = 1;
    kernel::DeliveryView delivery;  ///< What `receive` and `send_and_await` hand over.
    kernel::OnExitView on_exit;     ///< What `get_on_exit` answers.
    std::optional<kernel::BlobView> blob;
    std::span<const kernel::CapabilityView> held;
    kernel::SpawnError spawn_error = kernel::SpawnError::NoFileAtPath;
    /// Looks at arguments while they are valid.
    std::function<void(const kernel::SendView&)> on_send;
    std::function<void(const kernel::ResponseView&, const std::optional<kernel::BlobView>&)>
        on_response;
    std::function<void(std::span<const kernel::CapabilityView>)> on_capabilities;
    std::function<void(const kernel::OnExitView&)> on_set_on_exit;
    std::function<void(const kernel::SpawnView&)> on_spawn;

    std::string_view fault_text() override { return "the fake faulted"; }
    kernel::TickDecision on_tick() override {
        ++ticks;
        if (throwing == "on_tick") {
            throw std::runtime_error("from on_tick");
        }
        return decision;
    }
    void print(std::uint8_t, std::string_view line) override {
        step("print", kernel::Resume::First);
        prints.emplace_back(line);
    }
    kernel::AddressView our() override {
        step("our", kernel::Resume::First);
        return {"fake.os", {"guest", "tests", "sys"}};
    }
    kernel::OnExitView get_on_exit() override { return on_exit; }
    kernel::CallStatus set_on_exit(const kernel::OnExitView& given) override {
        if (on_set_on_exit) {
            on_set_on_exit(given);
        }
        return step("set_on_exit", kernel::Resume::First);
    }
    bool has_blob() override { return blob.has_value(); }
    kernel::CallStatus send_requests(std::span<const kernel::SendView> sends) override {
        for (const auto& send : sends) {
            if (on_send) {
                on_send(send);
            }
        }
        return step("send_requests", kernel::Resume::First);
    }
    kernel::CallStatus send_response(const kernel::ResponseView& response,
                                     const std::optional<kernel::BlobView>& given) override {
        if (on_response) {
            on_response(response, given);
        }
        return step("send_response", kernel::Resume::First);
    }
    kernel::CallStatus receive(kernel::Resume resume, kernel::DeliveryView& out) override {
        out = delivery;
        return step("receive", resume);
    }
    kernel::CallStatus send_and_await(kernel::Resume resume, const kernel::SendView* send,
                                      kernel::DeliveryView& out) override {
        if (send != nullptr && on_send) {
            on_send(*send);
        }
        out = delivery;
        return step("send_and_await", resume);
    }
    kernel::CallStatus get_blob(kernel::Resume resume, kernel::BlobOf which,
                                std::optional<kernel::BlobView>& out) override {
        out = blob;
        return step(which == kernel::BlobOf::CurrentMessage ? "get_blob" : "last_blob", resume);
    }
    kernel::CallStatus get_state(kernel::Resume resume, std::optional<ByteView>& out) override {
        if (!state.empty()) {
            out = bytes_of(state);
        }
        return step("get_state", resume);
    }
    kernel::CallStatus set_state(kernel::Resume resume, ByteView bytes) override {
        if (resume == kernel::Resume::First) {
            state = text_of(bytes);
        }
        return step("set_state", resume);
    }
    kernel::CallStatus clear_state(kernel::Resume resume) override {
        state.clear();
        return step("clear_state", resume);
    }
    kernel::CallStatus save_capabilities(kernel::Resume resume,
                                         std::span<const kernel::CapabilityView> list) override {
        if (on_capabilities) {
            on_capabilities(list);
        }
        return step("save_capabilities", resume);
    }
    kernel::CallStatus drop_capabilities(kernel::Resume resume,
                                         std::span<const kernel::CapabilityView>) override {
        return step("drop_capabilities", resume);
    }
    kernel::CallStatus our_capabilities(kernel::Resume resume,
                                        std::span<const kernel::CapabilityView>& out) override {
        out = held;
        return step("our_capabilities", resume);
    }
    kernel::CallStatus spawn(kernel::Resume resume, const kernel::SpawnView* spawn,
                             kernel::SpawnError& error) override {
        if (spawn != nullptr && on_spawn) {
            on_spawn(*spawn);
        }
        error = spawn_error;
        return step("spawn", resume);
    }
    void write_output(kernel::OutputStream stream, ByteView bytes) override {
        if (stream == kernel::OutputStream::Stderr) {
            error_output += text_of(bytes);
        }
    }
    void random(std::span<Byte> out, kernel::RandomUse) override {
        std::fill(out.begin(), out.end(), Byte{7});
    }
    std::uint64_t monotonic_ns() override { return now_ns; }
    void wall_clock(std::uint64_t& seconds, std::uint32_t& nanoseconds) override {
        seconds = 1'700'000'000;
        nanoseconds = 5;
    }
    kernel::CallStatus sleep_until(kernel::Resume resume, std::uint64_t deadline_ns) override {
        step("sleep_until", resume);
        return now_ns >= deadline_ns ? kernel::CallStatus::Ready : kernel::CallStatus::Pending;
    }

private:
    kernel::CallStatus step(const std::string& name, kernel::Resume resume) {
        seen.push_back(resume == kernel::Resume::Again ? name + "+" : name);
        if (name == throwing) {
            throw std::runtime_error("from " + name);
        }
        if (name == faulting || faulting == kEveryCall) {
            return kernel::CallStatus::Fault;
        }
        return pending[name]-- > 0 ? kernel::CallStatus::Pending : kernel::CallStatus::Ready;
    }
};

/// Keeps the lines of a log.
class KeptLog final : public LogSink {
public:
    void write(LogLevel, std::string_view line) override {
        const std::lock_guard lock(mutex_);
        lines_.emplace_back(line);
    }
    bool contains(std::string_view what) const {
        const std::lock_guard lock(mutex_);
        for (const std::string& line : lines_) {
            if (line.find(what) != std::string::npos) {
                return true;
            }
        }
        return false;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

}  // namespace perdure::engine
