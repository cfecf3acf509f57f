/// What a `KernelWorld` does with scripts. In a file of its own, because only the mock engine has
/// scripts.

#include <utility>

#include "testing/kernel_world.h"

namespace perdure::testing {

void KernelWorld::initialise(std::string_view id, engine::mock::ScriptFunction script,
                             Guest guest) {
    const std::string name = "script" + std::to_string(next_script_++);
    scripts_.push_back(
        std::make_shared<engine::mock::ScriptScope>(name, std::move(script), guest.standard));
    enter(id, "/test:os/pkg/" + name + ".wasm", "mock:" + name, std::move(guest));
}

void KernelWorld::start(std::string_view id, engine::mock::ScriptFunction script, Guest guest) {
    initialise(id, std::move(script), std::move(guest));
    run(id);
}

engine::mock::Address KernelWorld::address(std::string_view id) {
    const Address address = full_address(id);
    return {address.node, address.process.process, address.process.package,
            address.process.publisher};
}

}  // namespace perdure::testing
