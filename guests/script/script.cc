// A guest that does what it is told: the body of each Request it gets while idle is a program, run
// line by line. README.md has the instructions and the form of the reports.

#include "interpreter.h"

namespace {

/// A process whose name starts so runs the program in its state before it receives anything.
constexpr std::string_view kBootNamePrefix = "boot";

void init(const perdure::Address& our) {
    script::Interpreter interpreter(our.to_string());
    if (our.process.process_name.rfind(kBootNamePrefix, 0) == 0) {
        const auto program = perdure::get_state();
        if (program && interpreter.run_saved(program->text()) == script::Interpreter::End::Return) {
            return;
        }
    }
    for (;;) {
        const auto element = perdure::receive();
        const auto* message = std::get_if<perdure::IncomingRequest>(&element);
        if (message == nullptr) {
            interpreter.tell_idle(element);
        } else if (interpreter.run(*message) == script::Interpreter::End::Return) {
            return;
        }
    }
}

}  // namespace

PERDURE_PROCESS(init)
