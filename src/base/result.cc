#include "base/result.h"

namespace perdure {

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::NotFound: return "not_found";
        case ErrorCode::AlreadyExists: return "already_exists";
        case ErrorCode::InvalidInput: return "invalid_input";
        case ErrorCode::NotPermitted: return "not_permitted";
        case ErrorCode::TimedOut: return "timed_out";
        case ErrorCode::Unreachable: return "unreachable";
        case ErrorCode::Overloaded: return "overloaded";
        case ErrorCode::Corrupt: return "corrupt";
        case ErrorCode::Unsupported: return "unsupported";
        case ErrorCode::Cancelled: return "cancelled";
        case ErrorCode::Io: return "io";
    }
    CHECK(false, "unknown error code", static_cast<int>(code));
    return "";
}

}  // namespace perdure
