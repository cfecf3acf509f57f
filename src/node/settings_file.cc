#include "node/settings_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "abi/quote.h"

namespace perdure::node {
namespace {

/// Walks over the text and knows what is a comment: `#` at the start of a line or after a blank,
/// outside quotes.
class CommentFinder {
public:
    bool in_comment(char letter) {
        if (letter == '\n') {
            comment_ = false;
            quote_ = 0;
            blank_before_ = true;
            return false;
        }
        if (comment_) {
            return true;
        }
        if (quote_ != 0) {
            quote_ = letter == quote_ ? 0 : quote_;
        } else if (letter == '#' && blank_before_) {
            comment_ = true;
        } else if ((letter == '"' || letter == '\'') && blank_before_) {
            quote_ = letter;
        }
        blank_before_ = letter == ' ' || letter == '\t';
        return comment_;
    }

private:
    bool comment_ = false;
    bool blank_before_ = true;
    char quote_ = 0;
};

Error at_line(std::size_t line, const std::string& what) {
    return Error(ErrorCode::InvalidInput, "line " + std::to_string(line) + ": " + what);
}

std::size_t line_of(const YAML::Node& node) {
    return static_cast<std::size_t>(std::max(node.Mark().line, 0)) + 1;
}

class Flattener {
public:
    explicit Flattener(const std::function<bool(std::string_view)>& is_mapping)
        : is_mapping_(is_mapping) {}

    Result<void> add_mapping(const YAML::Node& mapping, const std::string& prefix) {
        for (const auto& pair : mapping) {
            if (!pair.first.IsScalar()) {
                return at_line(line_of(pair.first), "a key must be plain text");
            }
            const std::string key = prefix + pair.first.Scalar();
            if (!seen_.insert(key).second) {
                return at_line(line_of(pair.first), key + ": stands twice");
            }
            RETURN_IF_ERROR(add_value(key, pair.first, pair.second));
        }
        return {};
    }

    std::vector<FileSetting> take() { return std::move(settings_); }

private:
    Result<void> add_value(const std::string& key, const YAML::Node& key_node,
                           const YAML::Node& value) {
        if (is_mapping_(key)) {
            if (value.IsMap()) {
                return add_mapping(value, key + ".");
            }
            if (!value.IsNull()) {
                return at_line(line_of(key_node), key + ": expected a mapping of keys below it");
            }
            return {};
        }
        // What is unknown or no scalar is reported by the caller, who knows the closest key: it
        // gets an empty value.
        FileSetting setting{.key = key, .value = {}, .quoted = false, .line = line_of(key_node)};
        if (value.IsScalar()) {
            setting.value = value.Scalar();
            setting.quoted = value.Tag() == "!";
        } else if (value.IsSequence() || value.IsMap()) {
            setting.value = value.IsMap() ? "a mapping" : "a list";
        }
        settings_.push_back(std::move(setting));
        return {};
    }

    const std::function<bool(std::string_view)>& is_mapping_;
    std::set<std::string> seen_;
    std::vector<FileSetting> settings_;
};

}  // namespace

Result<std::string> expand_placeholders(std::string_view text,
                                        const std::map<std::string, std::string>& environment) {
    std::string expanded;
    std::set<std::string> missing;
    CommentFinder comments;
    for (std::size_t index = 0; index < text.size(); ++index) {
        const bool comment = comments.in_comment(text[index]);
        const std::size_t end = text.find('}', index);
        if (comment || text.substr(index, 2) != "${" || end == std::string_view::npos) {
            expanded += text[index];
            continue;
        }
        const std::string_view inside = text.substr(index + 2, end - index - 2);
        const std::size_t colon = inside.find(':');
        const std::string name(inside.substr(0, colon));
        if (const auto found = environment.find(name); found != environment.end()) {
            expanded += found->second;
        } else if (colon != std::string_view::npos) {
            expanded += inside.substr(colon + 1);
        } else {
            missing.insert(name);
        }
        index = end;
    }
    if (missing.empty()) {
        return expanded;
    }
    std::string names;
    for (const std::string& name : missing) {
        names += (names.empty() ? "" : ", ") + name;
    }
    return Error(ErrorCode::InvalidInput, "not set and without a default: " + names);
}

Result<std::vector<FileSetting>> parse_settings_file(
    const std::string& text, const std::function<bool(std::string_view)>& is_mapping) {
    try {
        const YAML::Node document = YAML::Load(text);
        if (document.IsNull()) {
            return std::vector<FileSetting>{};
        }
        if (!document.IsMap()) {
            return at_line(line_of(document),
                           "expected a mapping of settings, for example `workers: 2`");
        }
        Flattener flattener(is_mapping);
        RETURN_IF_ERROR(flattener.add_mapping(document, ""));
        return flattener.take();
    } catch (const YAML::Exception& failure) {
        return at_line(static_cast<std::size_t>(std::max(failure.mark.line, 0)) + 1, failure.msg);
    } catch (const std::exception& failure) {
        return Error(ErrorCode::InvalidInput, failure.what());
    }
}

}  // namespace perdure::node
