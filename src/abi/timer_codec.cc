#include "abi/timer_codec.h"

#include "abi/json.h"
#include "abi/json_cursor.h"
#include "abi/quote.h"

namespace perdure {

Result<TimerRequest> decode_timer_request(ByteView body) {
    ASSIGN_OR_RETURN(const Json document, parse_json(text_of(body)));
    const JsonCursor whole(document);
    ASSIGN_OR_RETURN(const TaggedJson request, read_tagged(whole));
    if (request.name == "Debug" && !request.content) {
        return TimerRequest(timer_request::Debug{});
    }
    if (request.name != "SetTimer") {
        return whole.error("no request " + quote(request.name) + "; known are SetTimer and Debug");
    }
    ASSIGN_OR_RETURN(const JsonCursor content, content_of(request, whole));
    ASSIGN_OR_RETURN(const std::uint64_t delay_ms, content.u64());
    return TimerRequest(timer_request::SetTimer{delay_ms});
}

SharedBytes encode_timer_request(const TimerRequest& request) {
    if (const auto* set = std::get_if<timer_request::SetTimer>(&request)) {
        return SharedBytes(Json::object({{"SetTimer", set->delay_ms}}).to_text());
    }
    return SharedBytes(std::string_view("\"Debug\""));
}

SharedBytes encode_too_many_timers() {
    return SharedBytes(Json::object({{"Err", "TooManyTimers"}}).to_text());
}

}  // namespace perdure
