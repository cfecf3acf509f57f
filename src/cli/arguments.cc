#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "abi/quote.h"

namespace perdure::cli {
namespace {

constexpr const char* kHomeHelp =
    "Directory of the node; default: $PERDURE_HOME, else $XDG_DATA_HOME/perdure, "
    "else $HOME/.local/share/perdure";

/// Whether an answer of the verb can be a JSON value: not a node's life, a compiler's progress, a
/// script for the shell, bytes as they are.
bool prints_json(Verb verb) {
    return verb != Verb::Run && verb != Verb::Build && verb != Verb::Completion &&
           verb != Verb::StateExport;
}

/// CLI11's parser with our verbs, writing into one Invocation.
class Parser {
public:
    Parser() : app_("Runs sandboxed WebAssembly processes that outlive their crashes.", "perdure") {
        app_.set_version_flag(
            "-V,--version", [] { return std::string(); }, "The same as the verb version");
        app_.require_subcommand(1);
        app_.fallthrough();
        app_.footer("`perdure VERB --help` shows the flags of a verb and examples.");
        for (const VerbInfo& info : verb_table()) {
            add_verb(info);
        }
    }

    Result<Parsed> parse(std::vector<std::string> words) {
        std::ranges::reverse(words);  // CLI11 takes them from the back
        try {
            app_.parse(words);
        } catch (const CLI::CallForHelp&) {
            return Parsed{.invocation = std::nullopt, .help = chosen().help(words_before_chosen())};
        } catch (const CLI::CallForAllHelp&) {
            return Parsed{.invocation = std::nullopt, .help = app_.help()};
        } catch (const CLI::CallForVersion&) {
            invocation_.verb = Verb::Version;
            return Parsed{.invocation = invocation_, .help = {}};
        } catch (const CLI::ParseError& failure) {
            return usage_error(failure.what());
        } catch (const std::exception& failure) {
            return usage_error(failure.what());
        }
        return finish();
    }

    std::map<std::string, std::vector<std::string>> flags_by_verb() {
        std::map<std::string, std::vector<std::string>> flags;
        for (const auto& [verb, app] : apps_) {
            auto& list = flags[std::string(verb_info(verb).name)];
            for (const CLI::Option* option : app->get_options()) {
                append_names(*option, list);
            }
        }
        return flags;
    }

private:
    CLI::App* command_for(const VerbInfo& info) {
        const std::size_t blank = info.name.find(' ');
        if (blank == std::string_view::npos) {
            return app_.add_subcommand(std::string(info.name), std::string(info.summary));
        }
        const std::string first(info.name.substr(0, blank));
        CLI::App*& group = groups_[first];
        if (!group) {
            group = app_.add_subcommand(
                first, first == "config" ? "Settings" : "Saved state of a process");
            group->require_subcommand(1);
            group->fallthrough();
        }
        return group->add_subcommand(std::string(info.name.substr(blank + 1)),
                                     std::string(info.summary));
    }

    void add_verb(const VerbInfo& info) {
        CLI::App* app = command_for(info);
        std::string footer = "Examples:";
        for (const Example& example : info.examples) {
            footer +=
                "\n  " + std::string(example.command) + "\n      " + std::string(example.effect);
        }
        app->footer(footer);
        app->add_option("--home", invocation_.home, kHomeHelp)->type_name("DIR");
        if (prints_json(info.verb)) {
            app->add_flag("--json", json_, "Print JSON");
        }
        app->parse_complete_callback([this, verb = info.verb] { invocation_.verb = verb; });
        apps_[info.verb] = app;
        add_words(info.verb, *app);
    }

    void add_words(Verb verb, CLI::App& app) {
        switch (verb) {
            case Verb::Run: return add_run(app);
            case Verb::Build:
            case Verb::Start:
                app.add_option("DIR", invocation_.directory,
                               "Directory of the package; default: this one");
                return;
            case Verb::Remove:
                app.add_option("PACKAGE", invocation_.name, "package:publisher")->required();
                return;
            case Verb::Logs:
                app.add_option("PROCESS", invocation_.name, "Only what this process printed");
                app.add_flag("-f,--follow", follow_, "Go on with new lines");
                app.add_option("-v,--verbosity", invocation_.verbosity,
                               "Show prints up to this level; default 0")
                    ->check(CLI::Range(0, 255))
                    ->type_name("N");
                app.add_option("-n,--lines", invocation_.lines_max,
                               "At most so many kept lines; default 1000")
                    ->check(CLI::Range(0, 1'000'000))
                    ->type_name("N");
                return;
            case Verb::Send: return add_send(app);
            case Verb::Kill:
            case Verb::Restart:
            case Verb::StateShow:
            case Verb::StateClear: return add_process(app);
            case Verb::StateExport:
                add_process(app);
                app.add_option("FILE", invocation_.file, "Where to; default: standard output");
                return;
            case Verb::StateImport:
                add_process(app);
                app.add_option("FILE", invocation_.file, "Where from; - is standard input")
                    ->required();
                return;
            case Verb::ConfigShow:
                app.add_flag("--origin", origin_, "Show where each value came from");
                app.add_option("--config", invocation_.config_file,
                               "Settings file instead of perdure.yaml in the home")
                    ->type_name("FILE");
                return;
            case Verb::Completion:
                app.add_option("SHELL", invocation_.name, "bash")
                    ->required()
                    ->check(CLI::IsMember({"bash"}));
                return;
            case Verb::Ps:
            case Verb::Doctor:
            case Verb::Stop:
            case Verb::Version: return;
        }
    }

    void add_process(CLI::App& app) {
        app.add_option("PROCESS", invocation_.name, "name:package:publisher")->required();
    }

    void add_send(CLI::App& app) {
        app.add_option("ADDRESS", invocation_.name,
                       "node@name:package:publisher; without node@: this node")
            ->required();
        app.add_option("BODY", invocation_.body, "Text of the Request; - reads standard input")
            ->required();
        app.add_option("-b,--blob", invocation_.blob_file, "Send the content of FILE along")
            ->type_name("FILE");
        auto* timeout =
            app.add_option("--timeout", timeout_, "Seconds to wait for the Response; default 15")
                ->check(CLI::NonNegativeNumber)
                ->type_name("S");
        app.add_flag("--no-wait,-l,--non-block", no_wait_, "Do not wait for a Response")
            ->excludes(timeout);
    }

    /// A flag that stands for a setting; `fixed` is the value of a flag without one.
    void add_setting(CLI::App& app, const std::string& names, const std::string& key,
                     const std::string& shown, const std::string& help) {
        app.add_option_function<std::string>(
               names,
               [this, key, shown](const std::string& value) {
                   invocation_.setting_flags.push_back({.key = key, .value = value, .flag = shown});
               },
               help)
            ->type_name("VALUE");
    }

    void add_run(CLI::App& app) {
        app.add_option("PACKAGE_DIR", invocation_.package_dirs,
                       "Packages to install once the node runs");
        app.add_option("--config", invocation_.config_file,
                       "Settings file instead of perdure.yaml in the home")
            ->type_name("FILE");
        app.add_flag("-d,--detach,--detached", detach_,
                     "Return when the node in the background is ready; it is quiet, into "
                     "console.log of the home");
        app.add_flag("-q,--quiet", quiet_,
                     "Write only the ready line, the end and what went wrong; prints and log lines "
                     "go to the files in log/ alone");
        const std::map<std::string, std::string> more_names = {{"--http-port", "-p,--port,"},
                                                               {"--verbosity", "-v,"}};
        for (const node::SettingDescription& setting : node::describe_settings()) {
            if (setting.flag.empty() || setting.key == "home") {
                continue;
            }
            const auto more = more_names.find(setting.flag);
            const std::string values = setting.range.empty() ? setting.type : setting.range;
            add_setting(app, (more == more_names.end() ? "" : more->second) + setting.flag,
                        setting.key, setting.flag,
                        setting.text + " (" + values + "; default " + setting.default_value + ")");
        }
        app.add_flag_callback(
            "-l,--logging-off",
            [this] {
                invocation_.setting_flags.push_back(
                    {.key = "log.enabled", .value = "false", .flag = "--logging-off"});
            },
            "Write no log files");
    }

    /// The innermost verb that was named, for its help.
    CLI::App& chosen() {
        CLI::App* app = &app_;
        while (!app->get_subcommands().empty()) {
            app = app->get_subcommands().front();
        }
        return *app;
    }

    /// `perdure process-state` for `perdure process-state show`; empty for the program itself.
    std::string words_before_chosen() {
        std::string words;
        for (CLI::App* app = &app_; !app->get_subcommands().empty();
             app = app->get_subcommands().front()) {
            words += (words.empty() ? "" : " ") + app->get_name();
        }
        return words;
    }

    Result<Parsed> finish() {
        invocation_.format = json_ ? OutputFormat::Json : OutputFormat::Text;
        invocation_.detach = detach_ ? Switch::On : Switch::Off;
        invocation_.quiet = quiet_ ? Switch::On : Switch::Off;
        invocation_.follow = follow_ ? Switch::On : Switch::Off;
        invocation_.origin = origin_ ? Switch::On : Switch::Off;
        invocation_.timeout_seconds = no_wait_ ? std::nullopt : std::optional(timeout_);
        return Parsed{.invocation = invocation_, .help = {}};
    }

    Error usage_error(const std::string& what) {
        std::string name = "perdure";
        for (const CLI::App* app = &app_; !app->get_subcommands().empty();) {
            app = app->get_subcommands().front();
            name += " " + app->get_name();
        }
        std::string line = name + ": " + what;
        std::ranges::replace(line, '\n', ' ');
        return Error(ErrorCode::InvalidInput,
                     line + closest_flag() + " (see `" + name + " --help`)");
    }

    /// For a misspelt flag: the closest one of the chosen verb.
    std::string closest_flag() {
        std::vector<std::string> known;
        for (const CLI::Option* option : chosen().get_options()) {
            append_names(*option, known);
        }
        const std::vector<std::string_view> views(known.begin(), known.end());
        for (const std::string& word : app_.remaining(true)) {
            if (word.starts_with("--")) {
                const std::string_view closest =
                    closest_word(word.substr(0, word.find('=')), views);
                return closest.empty() ? std::string()
                                       : "; the closest flag is " + std::string(closest);
            }
        }
        return "";
    }

    static void append_names(const CLI::Option& option, std::vector<std::string>& list) {
        for (const std::string& name : option.get_lnames()) {
            list.push_back("--" + name);
        }
        for (const std::string& name : option.get_snames()) {
            list.push_back("-" + name);
        }
    }

    CLI::App app_;
    std::map<std::string, CLI::App*> groups_;
    std::map<Verb, CLI::App*> apps_;
    Invocation invocation_;
    bool json_ = false;
    bool detach_ = false;
    bool quiet_ = false;
    bool follow_ = false;
    bool origin_ = false;
    bool no_wait_ = false;
    std::uint64_t timeout_ = 15;
};

bool is_one_of(std::string_view word, const std::vector<std::string_view>& words) {
    return std::ranges::find(words, word) != words.end();
}

Error unknown_verb(const std::string& word, const std::string& before,
                   const std::vector<std::string_view>& known) {
    const std::string_view closest = closest_word(word, known);
    std::string line = "perdure: unknown verb " + quote(before + word);
    line += closest.empty()
                ? " (see `perdure --help`)"
                : "; the closest one is `perdure " + before + std::string(closest) + "`";
    return Error(ErrorCode::InvalidInput, line);
}

/// The place of the first word that is no flag and no value of `--home`.
std::optional<std::size_t> first_word_at(const std::vector<std::string>& words) {
    for (std::size_t index = 0; index < words.size(); ++index) {
        if (words[index] == "--home") {
            ++index;
        } else if (!words[index].starts_with('-')) {
            return index;
        }
    }
    return std::nullopt;
}

/// Flags before the verb (`perdure --home X ps`) belong to the verb: each verb knows them.
void move_verb_first(std::vector<std::string>& words, std::size_t at) {
    const std::size_t verb_words =
        second_words(words[at]).empty() || at + 1 == words.size() ? 1 : 2;
    std::rotate(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at),
                words.begin() + static_cast<std::ptrdiff_t>(at + verb_words));
}

}  // namespace

Result<Parsed> parse_arguments(std::vector<std::string> words,
                               const std::function<bool(const std::string&)>& has_directory) {
    if (words.empty() || words.front() == "help") {
        words = words.size() > 1 ? std::vector<std::string>(words.begin() + 1, words.end())
                                 : std::vector<std::string>{};
        words.emplace_back("--help");
    }
    if (const auto at = first_word_at(words)) {
        const std::string word = words[*at];
        const auto verbs = first_words();
        if (is_one_of(word, verbs)) {
            const auto seconds = second_words(word);
            if (!seconds.empty() && *at + 1 < words.size() && !words[*at + 1].starts_with('-') &&
                !is_one_of(words[*at + 1], seconds)) {
                return unknown_verb(words[*at + 1], word + " ", seconds);
            }
            move_verb_first(words, *at);
        } else if (*at == 0 && (word.find('/') != std::string::npos || has_directory(word) ||
                                closest_word(word, verbs).empty())) {
            words[0] = "--home=" + word;
            words.insert(words.begin(), "run");
        } else {
            return unknown_verb(word, "", verbs);
        }
    }
    return Parser().parse(std::move(words));
}

std::string bash_completion() {
    const auto join = [](const auto& words) {
        std::string joined;
        for (const auto& word : words) {
            joined += (joined.empty() ? "" : " ") + std::string(word);
        }
        return joined;
    };
    std::string script =
        "# bash completion for perdure: source <(perdure completion bash)\n"
        "_perdure() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words=\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        words='" +
        join(first_words()) +
        " help --help --version'\n"
        "    else\n"
        "        case $verb in\n";
    for (const auto& first : first_words()) {
        if (const auto seconds = second_words(first); !seconds.empty()) {
            script += "            " + std::string(first) +
                      ") [ \"$COMP_CWORD\" -eq 2 ] && words='" + join(seconds) +
                      "' || verb=\"$verb ${COMP_WORDS[2]}\" ;;\n";
        }
    }
    script +=
        "        esac\n"
        "        case $verb in\n";
    for (const auto& [verb, flags] : Parser().flags_by_verb()) {
        script += "            '" + verb + "') words='" + join(flags) +
                  (verb == "completion" ? " bash" : "") + "' ;;\n";
    }
    script +=
        "        esac\n"
        "    fi\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        "}\n"
        "complete -o default -F _perdure perdure\n";
    return script;
}

}  // namespace perdure::cli
