#pragma once

/// What the node remembers of an installed package: one record of the family `packages`, under the
/// printed package id. docs/formats/records.md draws it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "abi/ids.h"
#include "base/bytes.h"
#include "base/result.h"
#include "storage/content_hash.h"

namespace perdure::packages {

/// First byte of the record. The decoder accepts its own number only.
inline constexpr Byte kPackageRecordFormat = 1;

/// One Wasm file of the package and where its bytes lie in the home (`<home>/code/<hash>.wasm`).
struct PackageFile {
    std::string path;  ///< Inside `pkg/`, without a leading slash.
    ContentHash hash{};

    friend bool operator==(const PackageFile&, const PackageFile&) = default;
};

/// A right that the manifest grants to a process that did not exist when the package was installed;
/// it is given when a package with that process is installed (P-MAN-7).
struct PendingGrant {
    ProcessId holder;
    std::string process_name;  ///< The issuer, a process of this package.
    std::string params;

    friend bool operator==(const PendingGrant&, const PendingGrant&) = default;
};

struct PackageRecord {
    PackageId id;
    std::string version;
    std::optional<std::uint32_t> wit_version;
    std::vector<std::string>
        process_names;  ///< In manifest order: what uninstalling has to kill (P-INS-11).
    std::vector<PackageFile> files;
    std::vector<PendingGrant> pending_grants;
    std::string metadata;  ///< `metadata.json` as it was.
    std::string manifest;  ///< `pkg/manifest.json` as it was.

    friend bool operator==(const PackageRecord&, const PackageRecord&) = default;
};

SharedBytes encode_package_record(const PackageRecord& record);
/// Errors: Corrupt (not what the encoder writes, unsafe names included), Unsupported (another
/// format number).
Result<PackageRecord> decode_package_record(ByteView bytes);

SharedBytes package_key(const PackageId& id);
/// Errors: Corrupt.
Result<PackageId> decode_package_key(ByteView key);

}  // namespace perdure::packages
