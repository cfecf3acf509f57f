/// Any text is an address, process id or package id, or is refused with one named fault; what
/// parses prints the same.

#include <string>
#include <string_view>

#include "abi/ids.h"
#include "base/bytes.h"
#include "base/check.h"

namespace perdure {
namespace {

// `parse` and `find_problem` agree, and parsing then printing gives `text` back.
template <typename Parse, typename FindProblem>
void check_form(std::string_view text, Parse parse, FindProblem find_problem) {
    const auto parsed = parse(text);
    const auto problem = find_problem(text);
    CHECK(parsed.has_value() != problem.has_value());
    if (parsed) {
        CHECK(is_safe(*parsed));
        CHECK(to_string(*parsed) == text);
        CHECK(parse(to_string(*parsed)).value() == *parsed);
    } else {
        CHECK(parsed.error().code() == ErrorCode::InvalidInput);
        CHECK(parsed.error().message().starts_with(to_string(problem->fault)));
        CHECK(text.find(problem->part) != std::string_view::npos);
    }
}

// What is an address is one by shape; what is one by shape only has an unsafe part.
template <typename Parse, typename ParseShape>
void check_shape(std::string_view text, Parse parse, ParseShape parse_shape) {
    const auto strict = parse(text);
    const auto shape = parse_shape(text);
    if (strict) {
        CHECK(shape.has_value() && *shape == *strict);
    } else if (shape &&
               to_string(*shape) == text) {  // An old module name prints as its present one.
        CHECK(!is_safe(*shape));
    }
}

}  // namespace
}  // namespace perdure

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace perdure;
    const std::string_view text = text_of({data, size});
    check_form(text, parse_address, find_address_problem);
    check_form(text, parse_process_id, find_process_id_problem);
    check_form(text, parse_package_id, find_package_id_problem);
    check_shape(text, parse_address, parse_address_shape);
    check_shape(text, parse_process_id, parse_process_id_shape);
    return 0;
}
