#pragma once

#include <type_traits>
#include <utility>

#include "perdure/message.h"

namespace perdure {

/// The oldest element of the mailbox; waits without limit if there is none.
Incoming receive();

/// What a handler of `receive_loop` may return to say whether to go on.
enum class Loop { Continue, Stop };

namespace detail {

template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};

}  // namespace detail

/// Receives for ever and hands each element to the handler that takes its type:
///
///     receive_loop([](IncomingRequest& message) { Answer().body(message.request.body).send(); },
///                  [](FailedMessage&) { print("nobody there"); });
///
/// Elements that no handler takes are dropped. A handler may return `Loop`; `Loop::Stop` ends the
/// loop.
template <class... Handlers>
void receive_loop(Handlers... handlers) {
    detail::Overloaded<Handlers...> handler{std::move(handlers)...};
    auto handle = [&handler](auto& element) {
        if constexpr (std::is_invocable_r_v<Loop, decltype(handler), decltype(element)>) {
            return handler(element);
        } else if constexpr (std::is_invocable_v<decltype(handler), decltype(element)>) {
            handler(element);
        }
        return Loop::Continue;
    };
    for (;;) {
        Incoming element = receive();
        if (std::visit(handle, element) == Loop::Stop)
            return;
    }
}

}  // namespace perdure
