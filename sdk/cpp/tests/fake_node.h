#pragma once

// Stands where the generated glue and the node would be: takes the arguments of each call apart,
// keeps them as text, and answers with memory of its own as the canonical ABI does.

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guest.h"

namespace fake {

struct Node {
    /// One line per call: its name and arguments.
    std::vector<std::string> calls;
    std::optional<std::string> state;
    std::optional<std::pair<std::optional<std::string>, std::string>> blob;
    /// Each answers one `receive` or `send-and-await-response`; true for the ok side.
    std::deque<std::function<bool(standard_tuple2_address_message_t&, standard_send_error_t&,
                                  standard_option_context_t&)>>
        elements;
};

Node& node();

/// Memory as the canonical ABI hands it over: from malloc; empty lists point nowhere.
guest_string_t string(std::string_view text);
standard_address_t address(std::string_view name);
standard_list_capability_t one_right();
standard_request_t request(std::string_view body);
standard_response_t response(std::string_view body);
standard_option_context_t context(std::string_view bytes);

}  // namespace fake
