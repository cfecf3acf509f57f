#include "cli/verbs.h"

#include <algorithm>

namespace perdure::cli {

std::span<const VerbInfo> verb_table() {
    static const std::vector<VerbInfo> table = {
        {Verb::Run,
         "run",
         "Start a node, install packages and follow their prints",
         {{"perdure run", "a node in the default home, in the foreground"},
          {"perdure run samples/counter-cpp",
           "the same with a package installed and its prints shown"},
          {"perdure run --home /tmp/demo --http-port 0 --detach",
           "in the background, on a free port"}}},
        {Verb::Build,
         "build",
         "Compile the processes of a package to components",
         {{"perdure build", "the package in the current directory"},
          {"perdure build samples/counter-cpp", "another one"}}},
        {Verb::Start,
         "start",
         "Install a built package on the running node and start its processes",
         {{"perdure start samples/counter-cpp",
           "an installed package of the same id is replaced"}}},
        {Verb::Remove,
         "remove",
         "End the processes of a package and uninstall it; saved state stays",
         {{"perdure remove counter-cpp:perdure.os", "by its package id"}}},
        {Verb::Ps,
         "ps",
         "Show all processes",
         {{"perdure ps", "a table"}, {"perdure ps --json", "the same for programs"}}},
        {Verb::Logs,
         "logs",
         "Show what processes printed",
         {{"perdure logs", "the newest lines of all processes"},
          {"perdure logs --lines 20 counter:counter-cpp:perdure.os", "the newest 20 lines of one"},
          {"perdure logs -f --verbosity 1",
           "go on with new lines until Ctrl+C, debug prints included"}}},
        {Verb::Send,
         "send",
         "Send one Request and print the Response",
         {{"perdure send counter:counter-cpp:perdure.os hello --no-wait",
           "without waiting for a Response"},
          {"perdure send our@kernel:distro:sys '{\"Debug\":\"ProcessMap\"}' --timeout 5",
           "with a time limit"}}},
        {Verb::Kill,
         "kill",
         "End a process for good",
         {{"perdure kill counter:counter-cpp:perdure.os",
           "it is not restarted; its exit Requests are sent"}}},
        {Verb::Restart,
         "restart",
         "End a process and start it again with its saved state",
         {{"perdure restart counter:counter-cpp:perdure.os",
           "as after a crash, but at once and on request"}}},
        {Verb::StateShow,
         "process-state show",
         "Tell whether a process has saved state, its size and hash",
         {{"perdure process-state show counter:counter-cpp:perdure.os", "one line"}}},
        {Verb::StateExport,
         "process-state export",
         "Write the saved state of a process to a file",
         {{"perdure process-state export counter:counter-cpp:perdure.os /tmp/counter.state",
           "to a file"},
          {"perdure process-state export counter:counter-cpp:perdure.os", "to standard output"}}},
        {Verb::StateImport,
         "process-state import",
         "Replace the saved state of a process by a file",
         {{"perdure process-state import counter:counter-cpp:perdure.os /tmp/counter.state",
           "the next start of the process finds it"}}},
        {Verb::StateClear,
         "process-state clear",
         "Forget the saved state of a process",
         {{"perdure process-state clear counter:counter-cpp:perdure.os",
           "the next start begins afresh"}}},
        {Verb::ConfigShow,
         "config show",
         "Show all settings",
         {{"perdure config show", "of the running node, or of the next run"},
          {"perdure config show --origin", "and where each value came from"}}},
        {Verb::Doctor,
         "doctor",
         "Check a home and say what is wrong with it",
         {{"perdure doctor", "the default home; nothing is changed"}}},
        {Verb::Stop,
         "stop",
         "End the running node in order",
         {{"perdure stop", "everything accepted is written first"}}},
        {Verb::Version,
         "version",
         "Show the version of this program and of the running node",
         {{"perdure version", "two lines at most"}}},
        {Verb::Completion,
         "completion",
         "Print a completion script for a shell",
         {{"perdure completion bash",
           "to be read by the shell: source <(perdure completion bash)"}}},
    };
    return table;
}

const VerbInfo& verb_info(Verb verb) {
    return *std::ranges::find(verb_table(), verb, &VerbInfo::verb);
}

std::vector<std::string_view> first_words() {
    std::vector<std::string_view> words;
    for (const VerbInfo& info : verb_table()) {
        const std::string_view first = info.name.substr(0, info.name.find(' '));
        if (words.empty() || words.back() != first) {
            words.push_back(first);
        }
    }
    return words;
}

std::vector<std::string_view> second_words(std::string_view first) {
    std::vector<std::string_view> words;
    for (const VerbInfo& info : verb_table()) {
        const std::size_t blank = info.name.find(' ');
        if (blank != std::string_view::npos && info.name.substr(0, blank) == first) {
            words.push_back(info.name.substr(blank + 1));
        }
    }
    return words;
}

}  // namespace perdure::cli
