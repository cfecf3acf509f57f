#pragma once

/// What `perdure doctor` says of a home's storage: every finding names its file; nothing is
/// changed.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "storage/log.h"

namespace perdure {

struct Finding {
    enum class Severity : std::uint8_t {
        Note,     ///< Worth knowing; the next start handles it by itself.
        Damage,   ///< Stored bytes are not what was written, or are missing.
        Setting,  ///< Permissions, space: the operator can mend it.
    };
    Severity severity = Severity::Damage;
    std::string path;
    std::string what;  ///< One sentence; for a setting it ends with the cure.
};
std::string_view to_string(Finding::Severity severity);

struct DoctorReport {
    std::vector<Finding> findings;
    std::uint64_t files_checked = 0;
    std::uint64_t bytes_checked = 0;
    /// The records of these families that could be read, for the rooms that know their form.
    std::vector<KeyValue> processes;
    std::vector<KeyValue> packages;
};

/// Reads every byte of the store in `home`: formats, permissions, free space, the durable note, our
/// scan of the log files, RocksDB's own check of every block, every value's checksum, every large
/// value. The home must not be in use by a node; the caller holds its lock or knows. Errors: only
/// when the home itself cannot be read.
Result<DoctorReport> examine_home(const std::string& home, std::uint64_t reserve_bytes,
                                  Files& files, const Clock& clock, const Log& logger);

}  // namespace perdure
