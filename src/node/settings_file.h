#pragma once

/// The YAML form of settings: text in, flat `key = scalar` pairs out. Private to the settings
/// module; the only file pair that knows yaml-cpp.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace perdure::node {

struct FileSetting {
    std::string key;  ///< `http.port`
    std::string value;
    bool quoted = false;   ///< Written in quotes: text, even if it looks like a number.
    std::size_t line = 0;  ///< From 1.
};

/// Replaces `${NAME}` and `${NAME:default}` outside comments by variables of `environment` (S-10 to
/// S-12): a variable that is set wins, also when it is empty. Errors: InvalidInput, naming all
/// variables that are missing.
Result<std::string> expand_placeholders(std::string_view text,
                                        const std::map<std::string, std::string>& environment);

/// The scalars of `text`, in order. `is_mapping` tells whether a dotted path is a known group of
/// keys: anything else that is not a scalar is an error, so nothing unknown is ever descended into.
/// Errors: InvalidInput (`line N: …`): not YAML, not a mapping, a key twice, a list or mapping
/// where a value belongs.
Result<std::vector<FileSetting>> parse_settings_file(
    const std::string& text, const std::function<bool(std::string_view)>& is_mapping);

}  // namespace perdure::node
