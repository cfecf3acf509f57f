#include "cli/cli.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "abi/ids.h"
#include "cli/build_command.h"
#include "cli/commands.h"

namespace perdure::cli {
namespace {

struct Home {
    std::string path;
    std::string origin;
};

/// `--home`, else `$PERDURE_HOME`, else `$XDG_DATA_HOME/perdure`, else `$HOME/.local/share/perdure`
/// (M-DSK-6).
Result<Home> find_home(const CliContext& context, const Invocation& invocation) {
    const auto variable = [&](const char* name) {
        const auto found = context.environment.find(name);
        return found == context.environment.end() ? std::string() : found->second;
    };
    if (invocation.home) {
        if (invocation.home->empty()) {
            return Error(ErrorCode::InvalidInput, "--home is empty");
        }
        return Home{make_absolute(*invocation.home, context.working_directory), "flag --home"};
    }
    if (const std::string home = variable("PERDURE_HOME"); !home.empty()) {
        return Home{make_absolute(home, context.working_directory), "environment PERDURE_HOME"};
    }
    // A relative one does not count, as the XDG base directory specification has it.
    if (const std::string data = variable("XDG_DATA_HOME"); data.starts_with('/')) {
        return Home{make_absolute(data + "/perdure", context.working_directory), "default"};
    }
    if (const std::string home = variable("HOME"); !home.empty()) {
        return Home{make_absolute(home + "/.local/share/perdure", context.working_directory),
                    "default"};
    }
    return Error(ErrorCode::InvalidInput, "no home: give --home DIR, or set PERDURE_HOME or HOME");
}

Outcome dispatch(const Session& session) {
    switch (session.invocation.verb) {
        case Verb::Run: return run(session);
        case Verb::Build: return build(session);
        case Verb::Start: return start(session);
        case Verb::Remove: return remove(session);
        case Verb::Ps: return ps(session);
        case Verb::Logs: return logs(session);
        case Verb::Send: return send(session);
        case Verb::Kill: return kill(session);
        case Verb::Restart: return restart(session);
        case Verb::StateShow: return show_state(session);
        case Verb::StateExport: return export_state(session);
        case Verb::StateImport: return import_state(session);
        case Verb::StateClear: return clear_state(session);
        case Verb::ConfigShow: return show_config(session);
        case Verb::Doctor: return doctor(session);
        case Verb::Stop: return stop(session);
        case Verb::Version: return version(session);
        case Verb::Completion: session.out() << bash_completion(); return node::ExitStatus::Success;
    }
    return node::ExitStatus::Usage;
}

/// One line, whatever the message holds.
void print_error(std::ostream& err, const Error& error) {
    std::string line = printable(error.message());
    std::ranges::replace(line, '\n', ' ');
    err << (line.starts_with("perdure") ? "" : "perdure: ") << line << std::endl;
}

}  // namespace

std::string make_absolute(const std::string& path, const std::string& directory) {
    std::string normal = (std::filesystem::path(directory) / path).lexically_normal().string();
    if (normal.size() > 1 && normal.ends_with('/')) {
        normal.pop_back();
    }
    return normal;
}

std::string Session::absolute(const std::string& path) const {
    return make_absolute(path, context.working_directory);
}

node::ExitStatus usage(const Session& session, const Error& error) {
    print_error(session.err(), error);
    return node::ExitStatus::Usage;
}

void print_json(const Session& session, const Json& json) {
    session.out() << json.to_pretty_text() << "\n";
}

bool check_process(const Session& session) {
    if (auto parsed = parse_process_id(session.invocation.name); !parsed) {
        usage(session, std::move(parsed).error().with_context(session.invocation.name));
        return false;
    }
    return true;
}

std::string text_of(const Json& object, std::string_view key) {
    const Json* value = object.find(key);
    return value && value->as_string() ? *value->as_string() : std::string();
}

std::uint64_t number_of(const Json& object, std::string_view key) {
    const Json* value = object.find(key);
    return value ? value->as_u64().value_or(0) : 0;
}

Result<std::string> read_input(const Session& session, const std::string& path) {
    std::ifstream file;
    if (path != "-") {
        file.open(session.absolute(path), std::ios::binary);
        if (!file) {
            return Error(errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Io,
                         path + ": " + std::strerror(errno));
        }
    }
    std::istream& in = path == "-" ? *session.context.in : file;
    std::string content;
    std::string block(64u << 10, '\0');
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
        content.append(block.data(), static_cast<std::size_t>(in.gcount()));
        if (content.size() > session.context.input_bytes_max) {
            return Error(ErrorCode::Overloaded, path + ": longer than " +
                                                    size_text(session.context.input_bytes_max) +
                                                    " (input_bytes_max)");
        }
    }
    if (in.bad()) {
        return Error(ErrorCode::Io, path + ": cannot be read; is it a file?");
    }
    return content;
}

int run_cli(const CliContext& context) {
    const auto has_directory = [&](const std::string& word) {
        std::error_code ignored;
        return std::filesystem::is_directory(make_absolute(word, context.working_directory),
                                             ignored);
    };
    const auto parsed = parse_arguments(context.arguments, has_directory);
    if (!parsed) {
        print_error(*context.err, parsed.error());
        return static_cast<int>(node::ExitStatus::Usage);
    }
    if (!parsed->invocation) {
        *context.out << parsed->help << std::flush;
        return static_cast<int>(node::ExitStatus::Success);
    }
    const auto home = find_home(context, *parsed->invocation);
    if (!home) {
        print_error(*context.err, home.error());
        return static_cast<int>(node::ExitStatus::Usage);
    }
    const Session session{context, *parsed->invocation, home->path, home->origin,
                          ControlClient(home->path)};
    const Outcome outcome = dispatch(session);
    context.out->flush();
    if (!outcome) {
        print_error(*context.err, outcome.error());
        return static_cast<int>(node::ExitStatus::Failure);
    }
    return static_cast<int>(*outcome);
}

}  // namespace perdure::cli
