#include "node/control_requests.h"

#include <charconv>
#include <utility>

#include "abi/ids.h"
#include "abi/json_cursor.h"
#include "abi/quote.h"
#include "node/wire_text.h"

namespace perdure::node {
namespace {

/// `NAME` as text or `NAME_base64` as bytes; nothing if neither is there.
Result<std::optional<SharedBytes>> bytes_member(const JsonCursor& object, const std::string& name) {
    ASSIGN_OR_RETURN(const auto text, object.optional_member(name));
    ASSIGN_OR_RETURN(const auto encoded, object.optional_member(name + "_base64"));
    if (text && encoded) {
        return object.error("give " + name + " or " + name + "_base64, not both");
    }
    if (text) {
        ASSIGN_OR_RETURN(const std::string_view plain, text->string());
        return std::optional(SharedBytes(plain));
    }
    if (!encoded) {
        return std::optional<SharedBytes>();
    }
    ASSIGN_OR_RETURN(const std::string_view letters, encoded->string());
    auto decoded = base64_decode(letters);
    if (!decoded) {
        return encoded->expected("base64");
    }
    return std::optional(SharedBytes(ByteView(*decoded)));
}

Result<std::uint64_t> number_of(const std::string& name, const std::string& text,
                                std::uint64_t most) {
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size() || value > most) {
        return Error(ErrorCode::InvalidInput, name + ": expected an integer from 0 to " +
                                                  std::to_string(most) + ", got " + quote(text));
    }
    return value;
}

}  // namespace

Result<std::string> parse_start_request(std::string_view body) {
    ASSIGN_OR_RETURN(const Json document, parse_json(body));
    ASSIGN_OR_RETURN(const JsonCursor directory, JsonCursor(document).member("directory"));
    ASSIGN_OR_RETURN(const std::string_view path, directory.string());
    if (!path.starts_with('/')) {
        return directory.expected("an absolute path");
    }
    return std::string(path);
}

Result<SendCommand> parse_send_request(std::string_view request) {
    ASSIGN_OR_RETURN(const Json document, parse_json(request));
    const JsonCursor object(document);
    SendCommand command;
    ASSIGN_OR_RETURN(const JsonCursor address, object.member("address"));
    ASSIGN_OR_RETURN(const std::string_view address_text, address.string());
    command.address = address_text;
    const bool with_node = command.address.find('@') != std::string::npos;
    if (with_node) {
        RETURN_IF_ERROR(parse_address(command.address));
    } else {
        RETURN_IF_ERROR(parse_process_id(command.address));
    }
    ASSIGN_OR_RETURN(auto body, bytes_member(object, "body"));
    if (!body) {
        return object.error("body or body_base64 is missing");
    }
    command.body = std::move(*body);
    ASSIGN_OR_RETURN(command.blob, bytes_member(object, "blob"));
    ASSIGN_OR_RETURN(command.blob_mime, optional_string(object, "blob_mime"));
    if (command.blob_mime && !command.blob) {
        return object.error("blob_mime without a blob");
    }
    ASSIGN_OR_RETURN(command.timeout_seconds, optional_u64(object, "timeout_s"));
    return command;
}

Result<LogQuery> parse_log_query(const transport::HttpTarget& target) {
    static constexpr std::string_view kNames[] = {"process", "verbosity", "follow", "lines"};
    LogQuery query;
    for (const auto& [name, value] : target.query) {
        if (name == "process") {
            RETURN_IF_ERROR(parse_process_id(value));
            query.process = value;
        } else if (name == "verbosity") {
            ASSIGN_OR_RETURN(const std::uint64_t verbosity, number_of(name, value, 255));
            query.verbosity = static_cast<std::uint8_t>(verbosity);
        } else if (name == "lines") {
            ASSIGN_OR_RETURN(query.lines_max, number_of(name, value, 1'000'000));
        } else if (name == "follow" && (value == "true" || value == "false")) {
            query.until = value == "true" ? LogQuery::Until::Forever : LogQuery::Until::End;
        } else if (name == "follow") {
            return Error(ErrorCode::InvalidInput,
                         "follow: expected true or false, got " + quote(value));
        } else {
            const std::string_view closest = closest_word(name, kNames);
            return Error(
                ErrorCode::InvalidInput,
                "unknown parameter " + quote(name) +
                    (closest.empty() ? std::string()
                                     : "; the closest known one is " + std::string(closest)));
        }
    }
    return query;
}

}  // namespace perdure::node
