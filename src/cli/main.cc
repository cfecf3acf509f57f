#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <thread>

#include "cli/cli.h"

extern char** environ;  // NOLINT: POSIX

namespace {

std::map<std::string, std::string> read_environment() {
    std::map<std::string, std::string> environment;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string_view text = *entry;
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos) {
            environment.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    return environment;
}

perdure::cli::Device device_of(int handle) {
    return ::isatty(handle) == 1 ? perdure::cli::Device::Terminal : perdure::cli::Device::File;
}

}  // namespace

int main(int count, char** words) {
    std::error_code ignored;
    perdure::cli::CliContext context;
    context.arguments.assign(words + (count > 0 ? 1 : 0), words + count);
    context.program = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
    context.environment = read_environment();
    context.working_directory = std::filesystem::current_path(ignored).string();
    context.hardware_threads = std::thread::hardware_concurrency();
    context.in = &std::cin;
    context.out = &std::cout;
    context.err = &std::cerr;
    context.out_device = device_of(STDOUT_FILENO);
    context.err_device = device_of(STDERR_FILENO);
    context.version = perdure::node::program_version();
    context.run_node = perdure::node::run_node;
    return perdure::cli::run_cli(context);
}
