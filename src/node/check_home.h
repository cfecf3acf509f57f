#pragma once

/// `perdure doctor`: checks a home that no node uses, and changes nothing.

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "node/settings.h"

namespace perdure::node {

enum class Severity : std::uint8_t { Ok, Note, Warning, Error };

/// One line of the report.
struct HomeFinding {
    Severity severity = Severity::Ok;
    std::string subject;  ///< What was looked at: a file, a directory.
    std::string text;     ///< What was found; of a problem also what would mend it.
};

/// Looks at the directory, its owner, mode and format, then reads every byte of the store
/// (storage/doctor.h) and of the installed components, and looks for the code that packages and
/// processes need. Holds the home's lock meanwhile. The last findings tell that the node has no
/// network (M-NET-7) and how much was read.
///
/// Errors: AlreadyExists (`home in use: PATH`), Io (the disk could not be asked). Blocks.
Result<std::vector<HomeFinding>> check_home(const std::string& home, const Settings& settings,
                                            Files& files, const Clock& clock);

}  // namespace perdure::node
