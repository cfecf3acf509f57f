#pragma once

// Runs programs: lines of words, each an instruction that makes one host call or one kind of
// trouble.

#include <string>
#include <vector>

#include "report.h"
#include "text.h"

namespace script {

class Interpreter {
public:
    /// Why `run` came back.
    enum class End {
        Done,    ///< The program is over, or stopped at a line that cannot be understood.
        Return,  ///< The program wants the process to end normally.
    };

    explicit Interpreter(std::string init_argument) : init_argument_(std::move(init_argument)) {}

    /// Runs the program that came as a Request.
    End run(const perdure::IncomingRequest& message);

    /// Runs the program saved in the state; reports are printed.
    End run_saved(std::string_view program);

    /// Tells of an element that arrived while no program ran.
    void tell_idle(const perdure::Incoming& element);

private:
    struct Repeat {
        std::size_t first_line;
        std::uint64_t passes;  // 0: for ever
        std::uint64_t pass;
    };
    enum class Next { Line, Stop, Return };

    End run_lines(std::string_view program);
    Next execute(const Words& words);
    /// Each handles its group of instructions; none if `words` is not one of them.
    std::optional<Next> execute_flow(const Words& words);
    bool execute_message(const Words& words);
    bool execute_store(const Words& words);
    bool execute_life(const Words& words);
    bool execute_world(const Words& words);

    void skip_to_end();
    void tell(std::string_view text) { reporter_.tell(line_ + 1, text); }
    void tell_element(const perdure::Incoming& element);
    perdure::Outgoing outgoing(const Words& words) const;
    perdure::Response response(const Words& words) const;
    std::optional<perdure::Blob> blob(const Words& words) const;
    std::vector<perdure::Capability> capabilities(const Words& words) const;
    std::optional<perdure::Bytes> option(const Words& words, std::string_view key) const;
    perdure::Bytes value(std::string_view word) const;
    std::string text(std::string_view word) const { return std::string(value(word).text()); }

    void receive_numbers(std::uint64_t count);
    void echo(std::uint64_t count);
    void allocate(std::uint64_t bytes);

    std::string init_argument_;
    Registers registers_;
    Reporter reporter_;
    std::vector<std::string_view> lines_;
    std::size_t line_ = 0;
    std::vector<Repeat> repeats_;
    std::vector<perdure::Outgoing> queued_;
    std::optional<perdure::SendError> last_error_;
    std::vector<perdure::Capability> received_capabilities_;
    std::uint64_t allocated_bytes_ = 0;
};

}  // namespace script
