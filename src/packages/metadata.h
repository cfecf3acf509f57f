#pragma once

/// `metadata.json` of a package (P-PKG-6, P-PKG-7): who it is and which version.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "abi/ids.h"
#include "base/result.h"

namespace perdure::packages {

inline constexpr std::size_t kMetadataBytesMax = 1u << 20;  // metadata_bytes_max

struct PackageMetadata {
    PackageId id;
    std::string version;  ///< `properties.current_version`
    std::optional<std::uint32_t>
        wit_version;  ///< By convention absent = 0.7, 0 = 0.8, 1 = 1.0; informative (P-PKG-8).
    std::vector<PackageId> dependencies;
    std::optional<std::string> name;
    std::optional<std::string> description;
    std::string text;  ///< The file as it was, so that unknown members are kept.

    friend bool operator==(const PackageMetadata&, const PackageMetadata&) = default;
};

/// Unknown members are ignored. Errors: InvalidInput with the JSON path, the cause and the cure
/// (for a missing key also the key that was probably meant); Overloaded above kMetadataBytesMax.
Result<PackageMetadata> parse_metadata(std::string_view text);

}  // namespace perdure::packages
