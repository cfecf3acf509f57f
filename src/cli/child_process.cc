#include "cli/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace perdure::cli {
namespace {

/// Pointers into `texts`, ended by null, as the C interface wants them.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

/// A resource: what the child does between fork and exec.
class FileActions {
public:
    FileActions() { ::posix_spawn_file_actions_init(&actions_); }
    ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;
    posix_spawn_file_actions_t* get() { return &actions_; }

private:
    posix_spawn_file_actions_t actions_;
};

bool is_program(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<void> run_child(const ChildCommand& command) {
    std::vector<std::string> words = command.words;
    std::vector<std::string> variables;
    for (const auto& [name, value] : command.environment) {
        variables.push_back(name + "=" + value);
    }
    FileActions actions;
    ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(actions.get(), STDERR_FILENO, STDOUT_FILENO);
    ::posix_spawn_file_actions_addchdir_np(actions.get(), command.directory.c_str());
    pid_t child = 0;
    const int failure = ::posix_spawn(&child, words[0].c_str(), actions.get(), nullptr,
                                      pointers_to(words).data(), pointers_to(variables).data());
    if (failure != 0) {
        return Error(failure == ENOENT ? ErrorCode::NotFound : ErrorCode::Io,
                     words[0] + ": " + std::strerror(failure));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return Error(ErrorCode::Io, words[0] + ": " + std::strerror(errno));
        }
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return {};
    }
    const std::string how = WIFSIGNALED(status)
                                ? "by signal " + std::to_string(WTERMSIG(status))
                                : "with status " + std::to_string(WEXITSTATUS(status));
    return Error(ErrorCode::Io, words[0] + " ended " + how);
}

std::optional<std::string> find_program(const std::string& name, const std::string& first,
                                        const Environment& environment) {
    if (!first.empty() && is_program(first + "/" + name)) {
        return first + "/" + name;
    }
    const auto path = environment.find("PATH");
    std::string rest = path == environment.end() ? "" : path->second;
    while (!rest.empty()) {
        const std::size_t colon = rest.find(':');
        const std::string directory = rest.substr(0, colon);
        if (!directory.empty() && is_program(directory + "/" + name)) {
            return directory + "/" + name;
        }
        rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
    }
    return std::nullopt;
}

}  // namespace perdure::cli
