/// Any bytes as a package's manifest and metadata: refused with an error, or read so that what is
/// printed from the result reads the same. Underneath, the same for JSON itself.

#include <string>
#include <string_view>

#include "abi/json.h"
#include "base/bytes.h"
#include "base/check.h"
#include "packages/manifest.h"
#include "packages/metadata.h"

namespace perdure::packages {
namespace {

void check_json(std::string_view text) {
    const auto json = parse_json(text);
    if (!json) {
        CHECK(json.error().code() == ErrorCode::InvalidInput ||
              json.error().code() == ErrorCode::Overloaded);
        return;
    }
    for (const std::string& printed :
         {json->to_text(), json->to_pretty_text(), json->to_canonical_text()}) {
        const auto again = parse_json(printed);
        CHECK(again.has_value(), printed);
        CHECK(*again == *json, printed);
    }
    CHECK(parse_json(json->to_text())->to_text() == json->to_text());
}

void check_manifest(std::string_view text) {
    const auto manifest = parse_manifest(text);
    if (!manifest) {
        CHECK(!manifest.error().message().empty());
        return;
    }
    CHECK(manifest->entries.size() <= kProcessesPerPackageMax);
    for (const ManifestEntry& entry : manifest->entries) {
        CHECK(is_safe_name(entry.process_name));
        CHECK(parse_package_path(entry.process_wasm_path).value() == entry.process_wasm_path);
    }
    const std::string printed = manifest_to_text(*manifest);
    const auto again = parse_manifest(printed);
    if (!again && again.error().code() == ErrorCode::Overloaded) {
        return;  // Text bodies print as arrays of bytes, which are longer.
    }
    CHECK(again.has_value(), printed);
    CHECK(again->entries == manifest->entries, printed);
}

void check_metadata(std::string_view text) {
    const auto metadata = parse_metadata(text);
    if (metadata) {
        CHECK(is_safe(metadata->id));
        CHECK(metadata->text == text);
    }
}

}  // namespace
}  // namespace perdure::packages

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace perdure::packages;
    const std::string_view text = perdure::text_of({data, size});
    check_json(text);
    check_manifest(text);
    check_metadata(text);
    return 0;
}
