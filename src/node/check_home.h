#pragma once

/// `perdure doctor`: checks a home that no node uses, and changes nothing.

#include <string>
#include <vector>

#include "base/result.h"
#include "node/settings.h"

namespace perdure::node {

enum class Severity { Ok, Warning, Error };

/// One line of the report.
struct HomeFinding {
    Severity severity = Severity::Ok;
    std::string subject;  ///< What was looked at: a file, a limit.
    std::string text;     ///< What was found; of a problem also what would mend it.
};

/// Looks at the directory, its owner, mode, format, lock and disk. Errors: Io (the disk could not be asked).
Result<std::vector<HomeFinding>> check_home(const std::string& home, const Settings& settings);

}  // namespace perdure::node
