#include "packages/known_keys.h"

#include <algorithm>

#include "abi/quote.h"

namespace perdure::packages {
namespace {

// The first unknown key whose closest known key is `wanted`, or any known key when `wanted` is
// empty.
const std::string* find_unknown(const JsonCursor& object, std::span<const std::string_view> known,
                                std::string_view wanted) {
    for (const JsonMember& member : *object.value().as_object()) {
        if (std::find(known.begin(), known.end(), member.key) != known.end()) {
            continue;
        }
        const std::string_view closest = closest_word(member.key, known);
        if (!closest.empty() && (wanted.empty() || closest == wanted)) {
            return &member.key;
        }
    }
    return nullptr;
}

}  // namespace

Result<JsonCursor> required_member(const JsonCursor& object, std::string_view key,
                                   std::span<const std::string_view> known) {
    auto member = object.member(key);
    if (member || !object.value().is_object()) {
        return member;
    }
    if (const std::string* slip = find_unknown(object, known, key)) {
        return object.error("the key " + quote(key) + " is missing; was " + quote(*slip) +
                            " meant to be it?");
    }
    return member;
}

std::string find_likely_slip(const JsonCursor& object, std::span<const std::string_view> known) {
    const std::string* slip =
        object.value().is_object() ? find_unknown(object, known, {}) : nullptr;
    if (!slip) {
        return {};
    }
    return object.path() + ": the unknown key " + quote(*slip) + " is ignored; was " +
           quote(closest_word(*slip, known)) + " meant?";
}

}  // namespace perdure::packages
