// The process itself: perdure/process.h, perdure/state.h and perdure/capabilities.h.

#include "perdure/process.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "lift.h"
#include "lower.h"
#include "perdure/capabilities.h"
#include "perdure/state.h"

namespace perdure {
namespace {

Address& own_address() {
    static Address address;
    return address;
}

}  // namespace

const Address& our() {
    return own_address();
}

void print_line(Verbosity verbosity, std::string_view line) {
    auto text = detail::Lowering::text(line);
    standard_print_to_terminal(static_cast<std::uint8_t>(verbosity), &text);
}

OnExit get_on_exit() {
    standard_on_exit_t on_exit;
    standard_get_on_exit(&on_exit);
    if (on_exit.tag == STANDARD_ON_EXIT_NONE)
        return OnExit::none();
    if (on_exit.tag == STANDARD_ON_EXIT_RESTART)
        return OnExit::restart();
    const auto& list = on_exit.val.requests;
    std::vector<ExitRequest> requests;
    requests.reserve(list.len);
    for (std::size_t i = 0; i < list.len; ++i) {
        const auto& [target, request, blob] = list.ptr[i];
        requests.push_back({detail::lift(target), detail::lift(request), detail::lift(blob)});
    }
    if (list.len > 0)
        std::free(list.ptr);
    return OnExit::send(std::move(requests));
}

void set_on_exit(const OnExit& on_exit) {
    detail::Lowering lowering;
    std::vector<standard_tuple3_address_request_option_lazy_load_blob_t> array;
    standard_on_exit_t lowered{};
    switch (on_exit.kind) {
        case OnExit::Kind::None: lowered.tag = STANDARD_ON_EXIT_NONE; break;
        case OnExit::Kind::Restart: lowered.tag = STANDARD_ON_EXIT_RESTART; break;
        case OnExit::Kind::Requests:
            lowered.tag = STANDARD_ON_EXIT_REQUESTS;
            array.reserve(on_exit.requests.size());
            for (const auto& message : on_exit.requests) {
                const detail::OptionalBlob blob(message.blob);
                array.push_back({detail::Lowering::address(message.target),
                                 lowering.request(message.request),
                                 {blob.present, blob.lowered}});
            }
            lowered.val.requests = {array.data(), array.size()};
            break;
    }
    standard_set_on_exit(&lowered);
}

void exit(ExitStatus status) {
    ::_Exit(status == ExitStatus::Success ? 0 : 1);
}

void panic(std::string_view message) {
    std::string line(message);
    line.push_back('\n');
    for (std::string_view rest = line; !rest.empty();) {
        const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (written <= 0)
            break;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    __builtin_trap();
}

void sleep(std::chrono::nanoseconds duration) {
    if (duration.count() <= 0)
        return;
    constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
    const timespec time{static_cast<time_t>(duration.count() / kNanosecondsPerSecond),
                        static_cast<long>(duration.count() % kNanosecondsPerSecond)};
    ::nanosleep(&time, nullptr);
}

std::optional<Bytes> get_state() {
    guest_list_u8_t bytes;
    if (!standard_get_state(&bytes))
        return std::nullopt;
    return detail::lift(bytes);
}

void set_state(std::span<const std::uint8_t> bytes) {
    guest_list_u8_t lowered{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    standard_set_state(&lowered);
}

void clear_state() {
    standard_clear_state();
}

std::vector<Capability> our_capabilities() {
    standard_list_capability_t capabilities;
    standard_our_capabilities(&capabilities);
    return detail::lift(capabilities);
}

bool holds(const Address& issuer, std::string_view params) {
    const auto capabilities = our_capabilities();
    return std::any_of(capabilities.begin(), capabilities.end(), [&](const Capability& held) {
        return held.issuer == issuer && held.params == params;
    });
}

void save_capabilities(std::span<const Capability> capabilities) {
    detail::Lowering lowering;
    auto lowered = lowering.capabilities(capabilities);
    standard_save_capabilities(&lowered);
}

void drop_capabilities(std::span<const Capability> capabilities) {
    detail::Lowering lowering;
    auto lowered = lowering.capabilities(capabilities);
    standard_drop_capabilities(&lowered);
}

}  // namespace perdure

/// The component's export: the node calls it once per start with our address in printed form.
extern "C" void exports_guest_init(guest_string_t* our) {
    const std::string text = perdure::detail::lift(*our);
    auto address = perdure::Address::parse(text);
    if (!address)
        perdure::panic("the node passed an address that cannot be read: " + text);
    perdure::own_address() = std::move(*address);
    perdure::detail::run_process(perdure::own_address());
}
