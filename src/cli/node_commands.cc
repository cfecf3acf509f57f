/// Verbs about a node as a whole: run, start, remove, config, doctor, stop, version.

#include <algorithm>
#include <filesystem>

#include "abi/ids.h"
#include "base/files.h"
#include "base/system_clock.h"
#include "cli/commands.h"
#include "node/check_home.h"
#include "transport/http.h"

namespace perdure::cli {
namespace {

using node::ExitStatus;

/// The settings that a node of this home has, or would have.
Result<node::LoadedSettings> load(const Session& session) {
    node::SettingSources sources;
    sources.home = session.home;
    sources.home_origin = session.home_origin;
    sources.environment = session.context.environment;
    sources.flags = session.invocation.setting_flags;
    sources.hardware_threads = session.context.hardware_threads;
    const auto& chosen = session.invocation.config_file;
    sources.file_name = chosen ? session.absolute(*chosen) : session.home + "/perdure.yaml";
    ASSIGN_OR_RETURN(sources.file_text, node::read_settings_file(sources.file_name));
    if (chosen && !sources.file_text) {
        return Error(ErrorCode::NotFound, sources.file_name + ": no such file");
    }
    return node::load_settings(sources);
}

/// What a node in the background is started with: the same, except that it stays in the foreground
/// there.
std::vector<std::string> arguments_without_detach(const Session& session,
                                                  const std::vector<std::string>& package_dirs) {
    std::vector<std::string> arguments = {"run", "--quiet", "--home", session.home};
    if (session.invocation.config_file) {
        arguments.insert(arguments.end(),
                         {"--config", session.absolute(*session.invocation.config_file)});
    }
    for (const node::SettingFlag& flag : session.invocation.setting_flags) {
        arguments.push_back(flag.flag);
        if (flag.flag != "--logging-off") {
            arguments.push_back(flag.value);
        }
    }
    arguments.insert(arguments.end(), package_dirs.begin(), package_dirs.end());
    return arguments;
}

Result<void> check_package_dir(const std::string& directory) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(directory, ignored)) {
        return Error(ErrorCode::NotFound, directory + ": no such directory");
    }
    if (!std::filesystem::exists(directory + "/pkg/manifest.json", ignored)) {
        return Error(ErrorCode::NotFound, directory + ": no package (it has no pkg/manifest.json)");
    }
    return {};
}

std::string join(const Json* names) {
    std::string joined;
    for (const Json& name : names && names->as_array() ? *names->as_array() : Json::Array()) {
        joined +=
            (joined.empty() ? "" : " ") + (name.as_string() ? *name.as_string() : std::string());
    }
    return joined;
}

Json settings_json(const std::vector<node::SettingRow>& rows) {
    Json settings = Json::array();
    for (const node::SettingRow& row : rows) {
        settings.push(
            Json::object({{"key", row.key}, {"value", row.value}, {"origin", row.origin}}));
    }
    return Json::object({{"settings", std::move(settings)}});
}

std::string_view severity_name(node::Severity severity) {
    return severity == node::Severity::Error     ? "error"
           : severity == node::Severity::Warning ? "warning"
           : severity == node::Severity::Note    ? "note"
                                                 : "ok";
}

Json version_json(const node::VersionInfo& version) {
    return Json::object({{"version", version.version},
                         {"commit", version.commit},
                         {"engine", version.engine},
                         {"store_format", version.store_format}});
}

std::string version_line(const Json& version) {
    std::string line = text_of(version, "version");
    if (const std::string commit = text_of(version, "commit"); !commit.empty()) {
        line += " (" + commit + ")";
    }
    return line + ", " + text_of(version, "engine") + ", store format " +
           std::to_string(number_of(version, "store_format"));
}

}  // namespace

Outcome run(const Session& session) {
    auto settings = load(session);
    if (!settings) {
        return usage(session, settings.error());
    }
    node::RunOptions options;
    options.settings = std::move(*settings);
    for (const std::string& directory : session.invocation.package_dirs) {
        options.package_dirs.push_back(session.absolute(directory));
        if (auto checked = check_package_dir(options.package_dirs.back()); !checked) {
            return usage(session, checked.error());
        }
    }
    options.attach =
        session.invocation.detach == Switch::On ? node::Attach::Detached : node::Attach::Foreground;
    options.console =
        session.invocation.quiet == Switch::On ? node::Console::Bounded : node::Console::Everything;
    const auto colours = [&](Device device) {
        return session.colouring_of(device) == Colouring::On ? node::Colours::On
                                                             : node::Colours::Off;
    };
    options.output_colours = colours(session.context.out_device);
    options.error_colours = colours(session.context.err_device);
    options.program = session.context.program;
    options.arguments = arguments_without_detach(session, options.package_dirs);
    return static_cast<ExitStatus>(session.context.run_node(options));
}

Outcome start(const Session& session) {
    const std::string directory = session.absolute(session.invocation.directory);
    RETURN_IF_ERROR(check_package_dir(directory));
    ASSIGN_OR_RETURN(
        const Json answer,
        session.node.post("/v1/packages", Json::object({{"directory", directory}}).to_text()));
    if (session.json()) {
        print_json(session, answer);
        return ExitStatus::Success;
    }
    const Json* replaced = answer.find("replaced");
    const bool again = replaced && replaced->as_bool().value_or(false);
    session.out() << (again ? "replaced " : "started ") << text_of(answer, "package") << ": "
                  << join(answer.find("processes")) << "\n";
    return ExitStatus::Success;
}

Outcome remove(const Session& session) {
    const std::string& package = session.invocation.name;
    if (auto parsed = parse_package_id(package); !parsed) {
        return usage(session, std::move(parsed).error().with_context(package));
    }
    ASSIGN_OR_RETURN(
        const Json answer,
        session.node.call("DELETE", "/v1/packages/" + transport::percent_encode(package), {},
                          Patience::Endless));
    if (session.json()) {
        print_json(session, answer);
    } else {
        session.out() << "removed " << package << "\n";
    }
    return ExitStatus::Success;
}

Outcome show_config(const Session& session) {
    auto answer = session.node.get("/v1/config");
    if (!answer && answer.error().code() != ErrorCode::NotFound) {
        return std::move(answer).error();
    }
    if (!answer) {
        const auto settings = load(session);
        if (!settings) {
            return usage(session, settings.error());
        }
        session.err() << "no node runs in " << session.home
                      << "; these are the settings of the next run\n";
        answer = settings_json(settings->rows);
    }
    if (session.json()) {
        print_json(session, *answer);
        return ExitStatus::Success;
    }
    const bool with_origin = session.invocation.origin == Switch::On;
    Table table(with_origin ? std::vector<Column>{{"SETTING"}, {"VALUE"}, {"ORIGIN"}}
                            : std::vector<Column>{{"SETTING"}, {"VALUE"}});
    const Json* rows = answer->find("settings");
    for (const Json& row : rows && rows->as_array() ? *rows->as_array() : Json::Array()) {
        std::vector<std::string> cells = {text_of(row, "key"), printable(text_of(row, "value"))};
        if (with_origin) {
            cells.push_back(printable(text_of(row, "origin")));
        }
        table.add(std::move(cells));
    }
    session.out() << table.to_text();
    return ExitStatus::Success;
}

Outcome doctor(const Session& session) {
    if (session.node.node_runs()) {
        return Error(ErrorCode::AlreadyExists,
                     "a node runs in " + session.home +
                         "; a home is checked while it rests: `perdure stop --home " +
                         session.home + "` first");
    }
    const auto settings = load(session);
    if (!settings) {
        return usage(session, settings.error());
    }
    const auto files = make_posix_files();
    ASSIGN_OR_RETURN(const auto findings,
                     node::check_home(session.home, settings->values, *files, SystemClock()));
    Json list = Json::array();
    bool healthy = true;
    for (const node::HomeFinding& finding : findings) {
        healthy = healthy && finding.severity != node::Severity::Error;
        list.push(Json::object({{"severity", severity_name(finding.severity)},
                                {"subject", finding.subject},
                                {"text", finding.text}}));
        if (!session.json()) {
            const Paint colour = finding.severity == node::Severity::Error     ? Paint::Red
                                 : finding.severity == node::Severity::Warning ? Paint::Yellow
                                                                               : Paint::None;
            session.out() << paint(severity_name(finding.severity), colour, session.colouring())
                          << " " << printable(finding.subject) << ": " << printable(finding.text)
                          << "\n";
        }
    }
    if (session.json()) {
        print_json(session, Json::object({{"home", session.home},
                                          {"healthy", healthy},
                                          {"findings", std::move(list)}}));
    }
    return healthy ? ExitStatus::Success : ExitStatus::Failure;
}

Outcome stop(const Session& session) {
    ASSIGN_OR_RETURN(const Json answer, session.node.post("/v1/shutdown"));
    if (session.json()) {
        print_json(session, answer);
    } else {
        session.out() << "stopping the node in " << session.home << "\n";
    }
    return ExitStatus::Success;
}

Outcome version(const Session& session) {
    const Json own = version_json(session.context.version);
    const auto node = session.node.get("/v1/version");
    if (session.json()) {
        print_json(session, Json::object({{"program", own}, {"node", node ? *node : Json()}}));
        return ExitStatus::Success;
    }
    session.out() << "perdure " << version_line(own) << "\n";
    if (node) {
        session.out() << "node in " << session.home << ": " << version_line(*node) << "\n";
    }
    return ExitStatus::Success;
}

}  // namespace perdure::cli
