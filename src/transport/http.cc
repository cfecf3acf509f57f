#include "transport/http.h"

#include <algorithm>

namespace perdure::transport {
namespace {

char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
}

bool equal_without_case(std::string_view left, std::string_view right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const char small = lower(digit);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

Result<std::string> percent_decode(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t index = 0; index < text.size(); ++index) {
        if (text[index] != '%') {
            decoded += text[index];
            continue;
        }
        const int high = index + 2 < text.size() ? hex_value(text[index + 1]) : -1;
        const int low = index + 2 < text.size() ? hex_value(text[index + 2]) : -1;
        if (high < 0 || low < 0) {
            return Error(ErrorCode::InvalidInput, "bad percent sequence in the request target");
        }
        decoded += static_cast<char>(high * 16 + low);
        index += 2;
    }
    return decoded;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

}  // namespace

std::optional<std::string_view> find_header(const std::vector<HttpHeader>& headers,
                                            std::string_view name) {
    for (const HttpHeader& header : headers) {
        if (equal_without_case(header.name, name)) {
            return header.value;
        }
    }
    return std::nullopt;
}

Result<HttpTarget> parse_target(std::string_view target) {
    if (target.empty() || target.front() != '/') {
        return Error(ErrorCode::InvalidInput, "the request target must begin with /");
    }
    target.remove_prefix(1);
    const std::size_t question = target.find('?');
    HttpTarget parsed;
    for (const std::string_view part : split(target.substr(0, question), '/')) {
        ASSIGN_OR_RETURN(std::string element, percent_decode(part));
        parsed.path.push_back(std::move(element));
    }
    if (question == std::string_view::npos || question + 1 == target.size()) {
        return parsed;
    }
    for (const std::string_view part : split(target.substr(question + 1), '&')) {
        const std::size_t equals = part.find('=');
        ASSIGN_OR_RETURN(std::string name, percent_decode(part.substr(0, equals)));
        std::string value;
        if (equals != std::string_view::npos) {
            ASSIGN_OR_RETURN(value, percent_decode(part.substr(equals + 1)));
        }
        parsed.query.push_back({std::move(name), std::move(value)});
    }
    return parsed;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    constexpr std::string_view kPlain = "-._~:@";
    std::string encoded;
    for (const char letter : text) {
        const bool plain = (letter >= '0' && letter <= '9') ||
                           (lower(letter) >= 'a' && lower(letter) <= 'z') ||
                           kPlain.find(letter) != std::string_view::npos;
        if (plain) {
            encoded += letter;
        } else {
            const auto byte = static_cast<unsigned char>(letter);
            encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
        }
    }
    return encoded;
}

}  // namespace perdure::transport
