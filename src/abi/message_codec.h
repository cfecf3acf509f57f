#pragma once

/// The JSON of capabilities and exit behaviour, as it stands in manifests and kernel commands
/// (K-88, K-134).

#include <string_view>
#include <vector>

#include "abi/json.h"
#include "abi/json_cursor.h"
#include "abi/message.h"
#include "base/result.h"

namespace perdure {

/// `{"issuer":"node@process:package:publisher","params":"\"messaging\""}`
Json capability_to_json(const Capability& capability);
Json capabilities_to_json(const std::vector<Capability>& capabilities);

/// Reads a capability object or the pair `[object, signature bytes]`; the signature is read and
/// left aside (K-134). The issuer needs the shape of an address only: check `is_safe` where it is
/// used (K-8).
Result<Capability> capability_from_json(const JsonCursor& at);
Result<std::vector<Capability>> capabilities_from_json(const JsonCursor& at);

/// `"None"`, `"Restart"` or `{"Requests":[[address, request, blob-or-null], …]}`. Emits plain
/// capability objects.
Json on_exit_to_json(const OnExit& on_exit);

/// Whether the body of a request may also be a string, as manifests allow (P-MAN-3).
enum class BodyForm { BytesOnly, BytesOrText };

/// Reads exit behaviour. Absent optionals are null, unknown keys are ignored. Nothing is resolved
/// or forced here: `our` stays, and `expects_response` is kept as written (the kernel stores it as
/// none, K-159).
///
/// Errors: InvalidInput with the JSON path, the cause and the forms that are allowed.
Result<OnExit> on_exit_from_json(const JsonCursor& at, BodyForm body = BodyForm::BytesOnly);

}  // namespace perdure
