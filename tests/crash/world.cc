#include "world.h"

namespace perdure::crash {
namespace {

// Each workload and each check has a world of its own.
thread_local World* current_world = nullptr;

mock::Script saver(mock::Api& api) {
    World& world = *current_world;
    Person me = world.saver(api.our());
    const std::optional<std::string> state = co_await api.get_state();
    world.woke_with(me, state);
    const std::vector<mock::Capability> held = co_await api.our_capabilities();
    world.holds(me, held);
    if (world.checking()) {
        std::string line = "woke with ";
        line += state ? state->substr(0, state->find('.') + 1) : "nothing";
        co_await api.print(0, line);
    }
    for (;;) {
        const mock::Delivery delivery = co_await api.receive();
        const std::vector<Deed> deeds = world.hear(me, delivery);
        for (const Deed deed : deeds) {
            if (deed == Deed::Save || deed == Deed::SaveLarge) {
                const std::string bytes = world.new_state(me, deed == Deed::SaveLarge);
                co_await api.set_state(bytes);
                world.done(me);
            } else if (deed == Deed::SaveByMessage) {
                const mock::Send send = world.state_request(me);
                const mock::Delivery answer = co_await api.send_and_await(send);
                world.module_answered(me, answer);
            } else if (deed == Deed::Clear) {
                world.clear(me);
                co_await api.clear_state();
                world.done(me);
            } else if (deed == Deed::SaveCapability ||
                       (deed == Deed::DropCapability && me.capabilities.size() < 2)) {
                const std::vector<mock::Capability> capabilities = world.new_capability(me);
                co_await api.save_capabilities(capabilities);
                world.done(me);
            } else if (deed == Deed::DropCapability) {
                const std::vector<mock::Capability> capabilities = world.oldest_capability(me);
                co_await api.drop_capabilities(capabilities);
                world.done(me);
            } else if (deed == Deed::Tell) {
                const mock::Send send = world.to_saver(me, false);
                co_await api.send_request(send);
            } else if (deed == Deed::Ask) {
                const mock::Send send = world.to_saver(me, true);
                const mock::Delivery answer = co_await api.send_and_await(send);
                if (!answer.is_error) {
                    world.read(answer.response.body, me.knows);
                }
            } else if (deed == Deed::AskLater) {
                const mock::Send send = world.ask_later(me);
                co_await api.send_request(send);
            } else if (deed == Deed::Print) {
                const std::string line = world.token(me.knows);
                co_await api.print(0, line);
            } else if (deed == Deed::ToggleChild) {
                const mock::Send send = world.child_request(me);
                const mock::Delivery answer = co_await api.send_and_await(send);
                world.module_answered(me, answer);
            } else if (deed == Deed::Trap) {
                const std::string cause = "deliberate";
                co_await api.trap(cause);
            } else {
                co_return;
            }
        }
        if (!delivery.is_error && !delivery.is_response && delivery.request.body.starts_with('?')) {
            const mock::Response response = world.answer(me);
            co_await api.send_response(response);
        }
    }
}

mock::Script visitor(mock::Api& api) {
    World& world = *current_world;
    Person me = world.visitor(api.our(), api.argument());
    for (bool first = true;; first = false) {
        std::vector<Deed> deeds;
        if (first) {
            deeds.push_back(Deed::SetOnExit);
        } else {
            const mock::Delivery delivery = co_await api.receive();
            deeds = world.hear(me, delivery);
        }
        for (const Deed deed : deeds) {
            if (world.is_leaving(me)) {
                break;
            }
            if (deed == Deed::SetOnExit) {
                const mock::OnExit on_exit = world.new_on_exit(me);
                co_await api.set_on_exit(on_exit);
                world.done(me);
            } else if (deed == Deed::Tell) {
                const mock::Send send = world.to_saver(me, false);
                co_await api.send_request(send);
            } else if (deed == Deed::Print) {
                const std::string line = world.token(me.knows);
                co_await api.print(0, line);
            } else {
                world.leave(me);
                if (deed == Deed::Trap) {
                    const std::string cause = "deliberate";
                    co_await api.trap(cause);
                } else if (deed == Deed::Exit) {
                    co_await api.exit(3);
                }
                co_return;
            }
        }
    }
}

mock::Script child(mock::Api& api) {
    for (;;) {
        co_await api.receive();
    }
}

}  // namespace

void register_scripts() {
    static const mock::ScriptScope savers("crash_saver", saver);
    static const mock::ScriptScope visitors("crash_visitor", visitor);
    static const mock::ScriptScope children("crash_child", child);
}

void use_world(World& world) {
    current_world = &world;
}

}  // namespace perdure::crash
