/// Every verb against a fake node behind the real control protocol, and without any node.

#include "cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "abi/json.h"
#include "base/files.h"
#include "node/control_api.h"
#include "node/fake_node_api.h"
#include "testing/manual_clock.h"

namespace perdure::cli {
namespace {

namespace fs = std::filesystem;
using node::FakeNodeApi;
using testing::ElementsAre;
using testing::HasSubstr;

struct CliTest : testing::Test {
    CliTest() {
        std::string pattern = "/tmp/perdure-cli-XXXXXX";
        home = ::mkdtemp(pattern.data());
        environment = {{"HOME", home + "/user"}};
    }
    ~CliTest() override {
        server.reset();
        fs::remove_all(home);
    }
    void start_node() {
        transport::HttpServerOptions options;
        options.unix_path = home + "/control.sock";
        server =
            transport::HttpServer::open(
                options, clock, node::make_control_handler(fake, node::ControlScope::Everything))
                .value();
        server->start();
    }
    /// Runs `perdure --home HOME WORDS…`.
    int perdure(std::vector<std::string> words) {
        words.insert(words.end(), {"--home", home});
        return plain(std::move(words));
    }
    int plain(std::vector<std::string> words) {
        out.str("");
        err.str("");
        CliContext context;
        context.arguments = std::move(words);
        context.program = "/opt/bin/perdure";
        context.environment = environment;
        context.working_directory = home;
        context.in = &in;
        context.input_bytes_max = input_bytes_max;
        context.out = &out;
        context.err = &err;
        context.out_device = device;
        context.version = {.version = "9.9.9", .commit = "", .engine = "mock 2", .store_format = 7};
        context.run_node = [this](const node::RunOptions& options) {
            ran = options;
            return 42;
        };
        const int status = run_cli(context);
        const std::string text = err.str();
        EXPECT_TRUE(text.empty() || text.ends_with('\n'));
        return status;
    }
    Json json() {
        auto parsed = parse_json(out.str());
        EXPECT_TRUE(parsed) << out.str();
        return parsed ? *parsed : Json();
    }
    std::string write(const std::string& name, std::string_view content) {
        fs::create_directories(fs::path(home + "/" + name).parent_path());
        std::ofstream(home + "/" + name, std::ios::binary) << content;
        return home + "/" + name;
    }
    static std::string read(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }

    ManualClock clock;
    FakeNodeApi fake;
    std::string home;
    std::unique_ptr<transport::HttpServer> server;
    std::map<std::string, std::string> environment;
    std::size_t input_bytes_max = 1u << 20;
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    Device device = Device::File;
    std::optional<node::RunOptions> ran;
};

TEST_F(CliTest, WhatIsReadIsTakenUpToItsLimit) {
    start_node();
    const std::string most = write("most", std::string(1u << 20, 'x'));
    const std::string more = write("more", std::string((1u << 20) + 1, 'x'));
    EXPECT_EQ(perdure({"process-state", "import", FakeNodeApi::kEcho, most}), 0) << err.str();
    EXPECT_EQ(perdure({"process-state", "import", FakeNodeApi::kEcho, more}), 1);
    EXPECT_THAT(err.str(), HasSubstr("more: longer than 1.0 MiB (input_bytes_max)"));
}

TEST_F(CliTest, PsShowsEveryColumn) {
    start_node();
    EXPECT_EQ(perdure({"ps"}), 0);
    EXPECT_EQ(out.str(),
              "PROCESS              PHASE          RESTARTS  MESSAGES  MAILBOX   MEMORY     CPU  "
              "STATE  SEEN  DURABLE\n"
              "counter:counter:sys  waiting-sleep         3         4      5 B  1.1 MiB  7.0 ms  "
              "  8 B     9       10\n"
              "echo:tools:pub.os    running               0         0      0 B      0 B    0 "
              "\xC2\xB5s    0 B     0        0\n");
    EXPECT_EQ(perdure({"ps", "--json"}), 0);
    EXPECT_EQ(json().find("processes")->as_array()->at(0).find("memory_bytes")->as_u64(),
              1'114'112u);
}

TEST_F(CliTest, WithoutANodeEveryVerbThatNeedsOneSaysHowToStartIt) {
    write("p/pkg/manifest.json", "[]");
    const std::vector<std::vector<std::string>> verbs = {{"ps"},
                                                         {"logs"},
                                                         {"logs", "-f"},
                                                         {"kill", "a:b:c"},
                                                         {"restart", "a:b:c"},
                                                         {"send", "a:b:c", "x"},
                                                         {"process-state", "show", "a:b:c"},
                                                         {"process-state", "export", "a:b:c"},
                                                         {"process-state", "clear", "a:b:c"},
                                                         {"remove", "a:b"},
                                                         {"start", "p"},
                                                         {"stop"}};
    for (const auto& words : verbs) {
        EXPECT_EQ(perdure(words), 1) << words.front();
        EXPECT_EQ(err.str(), "perdure: no node runs in " + home +
                                 "; start one with `perdure run --home " + home + "`\n")
            << words.front();
        EXPECT_EQ(out.str(), "");
    }
}

TEST_F(CliTest, ProcessesThatDoNotExistAreAnsweredWithTheClosestOne) {
    start_node();
    const std::string file = write("f", "x");
    const std::vector<std::vector<std::string>> verbs = {
        {"kill", "conter:counter:sys"},
        {"restart", "conter:counter:sys"},
        {"logs", "conter:counter:sys"},
        {"send", "conter:counter:sys", "x"},
        {"send", "our@conter:counter:sys", "x"},
        {"process-state", "show", "conter:counter:sys"},
        {"process-state", "export", "conter:counter:sys"},
        {"process-state", "import", "conter:counter:sys", file},
        {"process-state", "clear", "conter:counter:sys"}};
    for (const auto& words : verbs) {
        EXPECT_EQ(perdure(words), 1) << words.front();
        EXPECT_THAT(err.str(), HasSubstr("the closest existing one is counter:counter:sys"))
            << words.front();
    }
    EXPECT_EQ(perdure({"remove", "conter:sys"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("the closest existing one is counter:sys"));
}

TEST_F(CliTest, MalformedNamesAreUsageErrors) {
    const std::vector<std::vector<std::string>> verbs = {{"kill", "counter"},
                                                         {"restart", "A:b:c"},
                                                         {"logs", "a:b"},
                                                         {"send", "a@b@c:d:e", "x"},
                                                         {"send", "nothing", "x"},
                                                         {"process-state", "show", "a:b:c:d"},
                                                         {"process-state", "clear", ""},
                                                         {"remove", "counter"}};
    for (const auto& words : verbs) {
        EXPECT_EQ(perdure(words), 2) << words.front();
        EXPECT_THAT(err.str(), testing::MatchesRegex("perdure: [^\n]+\n")) << words.front();
    }
}

TEST_F(CliTest, UsageErrorsEndWithStatus2AndOneLine) {
    for (const auto& words :
         {std::vector<std::string>{"pss"}, {"ps", "--jsno"}, {"kill"}, {"run", "--http-port"}}) {
        EXPECT_EQ(plain(words), 2);
        EXPECT_THAT(err.str(), testing::MatchesRegex("perdure[^\n]+\n"));
        EXPECT_EQ(out.str(), "");
    }
}

TEST_F(CliTest, HelpGoesToStandardOutput) {
    EXPECT_EQ(plain({"--help"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("process-state"));
    EXPECT_EQ(plain({"logs", "--help"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("perdure logs -f"));
    EXPECT_EQ(plain({}), 0);
    EXPECT_EQ(err.str(), "");
}

TEST_F(CliTest, KillRestartAndRemoveSayWhatTheyDid) {
    start_node();
    EXPECT_EQ(perdure({"kill", FakeNodeApi::kCounter}), 0);
    EXPECT_EQ(out.str(), "killed counter:counter:sys\n");
    EXPECT_EQ(perdure({"restart", FakeNodeApi::kEcho, "--json"}), 0);
    EXPECT_EQ(*json().find("process")->as_string(), FakeNodeApi::kEcho);
    EXPECT_EQ(perdure({"remove", "counter:sys"}), 0);
    EXPECT_EQ(out.str(), "removed counter:sys\n");
    EXPECT_THAT(fake.calls(), ElementsAre("kill counter:counter:sys", "restart echo:tools:pub.os",
                                          "remove_package counter:sys"));
}

TEST_F(CliTest, StartGivesTheNodeTheAbsoluteDirectory) {
    start_node();
    write("p/pkg/manifest.json", "[]");
    EXPECT_EQ(perdure({"start", "x/../p/"}), 0);
    EXPECT_EQ(out.str(), "replaced counter:sys: counter:counter:sys\n");
    EXPECT_THAT(fake.calls(), ElementsAre("start_package " + home + "/p"));
    EXPECT_EQ(perdure({"start", "p", "--json"}), 0);
    EXPECT_EQ(json().find("replaced")->as_bool(), true);
    EXPECT_EQ(perdure({"start", "nowhere"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("/nowhere: no such directory"));
    EXPECT_EQ(perdure({"start"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("no package (it has no pkg/manifest.json)"));
    fake.failure = Error(ErrorCode::InvalidInput, "manifest.json: $[0].on_exit: bad");
    EXPECT_EQ(perdure({"start", "p"}), 1);
    EXPECT_EQ(err.str(), "perdure: manifest.json: $[0].on_exit: bad\n");
}

TEST_F(CliTest, SendPrintsTheResponse) {
    start_node();
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "ping", "--timeout", "3"}), 0);
    EXPECT_EQ(out.str(), "pong\n");
    EXPECT_EQ(fake.last_send().body.text(), "ping");
    EXPECT_EQ(fake.last_send().timeout_seconds, 3u);
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "ping", "--json"}), 0);
    EXPECT_EQ(*json().find("body")->as_string(), "pong");
}

TEST_F(CliTest, SendTakesBytesFromFilesAndStandardInput) {
    start_node();
    fake.send_answer.blob = SharedBytes(std::string_view("12345"));
    in.str("from \xFF input");
    const std::string blob = write("blob", std::string("b\0b", 3));
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "-", "--blob", blob}), 0);
    EXPECT_EQ(fake.last_send().body.text(), "from \xFF input");
    EXPECT_EQ(fake.last_send().blob->text(), std::string_view("b\0b", 3));
    EXPECT_EQ(err.str(), "blob of 5 B (shown by --json)\n");
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "x", "--blob", "nowhere"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("nowhere: No such file"));
}

TEST_F(CliTest, SendWithoutWaitingPrintsNothing) {
    start_node();
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "x", "--no-wait"}), 0);
    EXPECT_EQ(out.str(), "");
    EXPECT_EQ(fake.last_send().timeout_seconds, std::nullopt);
}

TEST_F(CliTest, ASendErrorEndsWithStatus1AndItsReason) {
    start_node();
    fake.send_answer = {};
    fake.send_answer.outcome = node::SendAnswer::Outcome::Timeout;
    fake.send_answer.reason = "it is busy";
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "x"}), 1);
    EXPECT_EQ(err.str(), "perdure: echo:tools:pub.os: timeout: it is busy\n");
    fake.send_answer.outcome = node::SendAnswer::Outcome::Refused;
    fake.send_answer.reason = "its mailbox is full";
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "x"}), 1);
    EXPECT_EQ(err.str(), "perdure: echo:tools:pub.os: refused: its mailbox is full\n");
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "x", "--json"}), 1);
    EXPECT_EQ(*json().find("outcome")->as_string(), "refused");
}

TEST_F(CliTest, AResponseIsHarmlessOnATerminalAndExactInAFile) {
    start_node();
    fake.send_answer.body = SharedBytes(std::string_view("\x1b[2Jx"));
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "x"}), 0);
    EXPECT_EQ(out.str(), "\x1b[2Jx\n");
    device = Device::Terminal;
    EXPECT_EQ(perdure({"send", FakeNodeApi::kEcho, "x"}), 0);
    EXPECT_EQ(out.str(), "\\x1b[2Jx\n");
}

TEST_F(CliTest, ProcessStateIsShownExportedImportedAndCleared) {
    start_node();
    EXPECT_EQ(perdure({"process-state", "show", FakeNodeApi::kCounter}), 0);
    EXPECT_EQ(out.str(), "counter:counter:sys: 8 bytes, sha256 5e1f\n");
    EXPECT_EQ(perdure({"process-state", "show", FakeNodeApi::kCounter, "--json"}), 0);
    EXPECT_EQ(json().find("bytes")->as_u64(), 8u);
    const std::string bytes("\x2A\0\0\0\0\0\0\xFF", 8);
    EXPECT_EQ(perdure({"process-state", "export", FakeNodeApi::kCounter}), 0);
    EXPECT_EQ(out.str(), bytes);
    EXPECT_EQ(perdure({"process-state", "export", FakeNodeApi::kCounter, "saved"}), 0);
    EXPECT_EQ(read(home + "/saved"), bytes);
    EXPECT_EQ(perdure({"process-state", "clear", FakeNodeApi::kCounter}), 0);
    EXPECT_EQ(perdure({"process-state", "show", FakeNodeApi::kCounter}), 0);
    EXPECT_EQ(out.str(), "counter:counter:sys: no state saved\n");
    EXPECT_EQ(perdure({"process-state", "export", FakeNodeApi::kCounter}), 1);
    EXPECT_EQ(err.str(), "perdure: counter:counter:sys has no saved state\n");
    EXPECT_EQ(perdure({"process-state", "import", FakeNodeApi::kCounter, "saved"}), 0);
    EXPECT_EQ(out.str(), "replaced the state of counter:counter:sys\n");
    EXPECT_EQ(fake.states[FakeNodeApi::kCounter].text(), bytes);
    EXPECT_EQ(perdure({"process-state", "import", FakeNodeApi::kCounter, "nowhere"}), 1);
}

TEST_F(CliTest, LogsPrintsKeptLines) {
    start_node();
    node::LogLine print;
    print.source = FakeNodeApi::kCounter;
    print.text = "counter:sys: \x1b[31mcounter: 1";
    node::LogLine own;
    own.origin = node::LogOrigin::Node;
    own.level = LogLevel::Warn;
    own.text = "disk_full";
    fake.lines = {print, own};
    EXPECT_EQ(perdure({"logs", FakeNodeApi::kCounter, "-v", "2", "-n", "5"}), 0);
    EXPECT_EQ(out.str(), "00:00:00.000 counter:sys: counter: 1\n00:00:00.000 warn disk_full\n");
    EXPECT_EQ(fake.last_query().process, FakeNodeApi::kCounter);
    EXPECT_EQ(fake.last_query().lines_max, 5u);
    EXPECT_EQ(perdure({"logs", "--json"}), 0);
    EXPECT_THAT(out.str(),
                HasSubstr(R"({"time":"1970-01-01T00:00:00.000Z","origin":"print","verbosity":0,)"));
}

TEST_F(CliTest, FollowedLogsEndWithTheNode) {
    start_node();
    auto status = std::async(std::launch::async, [this] { return perdure({"logs", "-f"}); });
    node::LogLine line;
    line.text = "later";
    while (!fake.print(line)) {
        std::this_thread::yield();
    }
    fake.end_logs(Error(ErrorCode::Cancelled, "the node is stopping"));
    EXPECT_EQ(status.get(), 1);
    EXPECT_EQ(out.str(), "00:00:00.000 later\n");
    EXPECT_EQ(err.str(), "perdure: the node is stopping\n");
}

TEST_F(CliTest, ColoursAreForTerminalsOnly) {
    start_node();
    EXPECT_EQ(perdure({"ps"}), 0);
    EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
    device = Device::Terminal;
    EXPECT_EQ(perdure({"ps"}), 0);
    EXPECT_NE(out.str().find('\x1b'), std::string::npos);
    environment["NO_COLOR"] = "1";
    EXPECT_EQ(perdure({"ps"}), 0);
    EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
}

TEST_F(CliTest, ConfigComesFromTheRunningNode) {
    start_node();
    EXPECT_EQ(perdure({"config", "show"}), 0);
    EXPECT_EQ(out.str(), "SETTING  VALUE\nhome     /h\nworkers  2\n");
    EXPECT_EQ(perdure({"config", "show", "--origin"}), 0);
    EXPECT_EQ(out.str(),
              "SETTING  VALUE  ORIGIN\nhome     /h     flag --home\nworkers  2      default\n");
    EXPECT_EQ(perdure({"config", "show", "--json"}), 0);
    EXPECT_EQ(json().find("settings")->as_array()->size(), 2u);
}

TEST_F(CliTest, ConfigWithoutANodeShowsTheNextRun) {
    write("perdure.yaml", "verbosity: 3\n");
    EXPECT_EQ(perdure({"config", "show", "--origin"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("perdure.yaml:1"));
    EXPECT_THAT(err.str(), HasSubstr("no node runs"));
    write("perdure.yaml", "verbsity: 3\n");
    EXPECT_EQ(perdure({"config", "show"}), 2);
    EXPECT_THAT(err.str(),
                HasSubstr("unknown setting \"verbsity\"; the closest known one is verbosity"));
}

TEST_F(CliTest, RunPassesSettingsAndPackages) {
    write("p/pkg/manifest.json", "[]");
    write("perdure.yaml", "workers: 5\n");
    environment["PERDURE_VERBOSITY"] = "1";
    EXPECT_EQ(perdure({"run", "--http-port", "0", "p"}), 42);
    ASSERT_TRUE(ran);
    EXPECT_EQ(ran->settings.values.home, home);
    EXPECT_EQ(ran->settings.values.http_port, 0u);
    EXPECT_EQ(ran->settings.values.workers, 5u);
    EXPECT_EQ(ran->settings.values.verbosity, 1u);
    EXPECT_THAT(ran->package_dirs, ElementsAre(home + "/p"));
    EXPECT_EQ(ran->attach, node::Attach::Foreground);
    EXPECT_EQ(ran->console, node::Console::Everything);
    EXPECT_EQ(ran->output_colours, node::Colours::Off);
    EXPECT_EQ(ran->program, "/opt/bin/perdure");
}

TEST_F(CliTest, AQuietRunHasABoundedConsole) {
    EXPECT_EQ(perdure({"run", "--quiet"}), 42);
    EXPECT_EQ(ran->console, node::Console::Bounded);
    EXPECT_EQ(ran->attach, node::Attach::Foreground);
}

TEST_F(CliTest, ADetachedRunIsStartedAgainWithTheSameArguments) {
    write("p/pkg/manifest.json", "[]");
    write("c.yaml", "");
    EXPECT_EQ(perdure({"run", "--detach", "--http-port", "0", "-l", "--config", "c.yaml", "p"}),
              42);
    EXPECT_EQ(ran->attach, node::Attach::Detached);
    EXPECT_THAT(ran->arguments,
                ElementsAre("run", "--quiet", "--home", home, "--config", home + "/c.yaml",
                            "--http-port", "0", "--logging-off", home + "/p"));
}

TEST_F(CliTest, RunWithBadSettingsOrPackagesEndsWithStatus2) {
    for (const auto& words : {std::vector<std::string>{"run", "--http-port", "x"},
                              {"run", "--config", "nowhere.yaml"},
                              {"run", "nowhere"},
                              {"run", "--verbosity", "5"}}) {
        EXPECT_EQ(perdure(words), 2);
        EXPECT_FALSE(ran);
    }
    environment["PERDURE_WRKERS"] = "1";
    EXPECT_EQ(perdure({"run"}), 2);
    EXPECT_EQ(
        err.str(),
        "perdure: unknown variable PERDURE_WRKERS; the closest known one is PERDURE_WORKERS\n");
}

TEST_F(CliTest, TheHomeIsChosenByFlagVariableAndUser) {
    EXPECT_EQ(plain({"run"}), 42);
    EXPECT_EQ(ran->settings.values.home, home + "/user/.local/share/perdure");
    environment["XDG_DATA_HOME"] = "relative";
    EXPECT_EQ(plain({"run"}), 42);
    EXPECT_EQ(ran->settings.values.home, home + "/user/.local/share/perdure");
    environment["XDG_DATA_HOME"] = home + "/data";
    EXPECT_EQ(plain({"run"}), 42);
    EXPECT_EQ(ran->settings.values.home, home + "/data/perdure");
    environment["PERDURE_HOME"] = "relative";
    EXPECT_EQ(plain({"run"}), 42);
    EXPECT_EQ(ran->settings.values.home, home + "/relative");
    EXPECT_EQ(plain({"run", "--home", "/x/../y/"}), 42);
    EXPECT_EQ(ran->settings.values.home, "/y");
    environment.clear();
    EXPECT_EQ(plain({"run"}), 2);
    EXPECT_EQ(err.str(), "perdure: no home: give --home DIR, or set PERDURE_HOME or HOME\n");
    EXPECT_EQ(plain({"run", "--home", ""}), 2);
}

TEST_F(CliTest, VersionNeedsNoNode) {
    EXPECT_EQ(perdure({"version"}), 0);
    EXPECT_EQ(out.str(), "perdure 9.9.9, mock 2, store format 7\n");
    start_node();
    EXPECT_EQ(perdure({"version"}), 0);
    EXPECT_THAT(out.str(),
                HasSubstr("node in " + home + ": 0.1.0 (abc1234), mock 1, store format 1\n"));
    EXPECT_EQ(perdure({"version", "--json"}), 0);
    EXPECT_EQ(*json().find("node")->find("commit")->as_string(), "abc1234");
}

TEST_F(CliTest, StopAsksTheNodeToEnd) {
    start_node();
    EXPECT_EQ(perdure({"stop"}), 0);
    EXPECT_THAT(fake.calls(), ElementsAre("shutdown"));
}

TEST_F(CliTest, DoctorChecksARestingHome) {
    fs::permissions(home, fs::perms::owner_all);
    environment["PERDURE_RESERVE_BYTES"] = "16777216";
    EXPECT_EQ(perdure({"doctor"}), 0);
    EXPECT_EQ(out.str(), "warning " + home + ": is empty: no node has started here yet\n");
    write("version", "1\n");
    EXPECT_EQ(perdure({"doctor"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("ok " + home + ": "));
    fs::permissions(home, fs::perms::all);
    EXPECT_EQ(perdure({"doctor", "--json"}), 1);
    EXPECT_EQ(json().find("healthy")->as_bool(), false);
    EXPECT_THAT(out.str(), HasSubstr("is open to other users"));
    fs::permissions(home, fs::perms::owner_all);
    write("version", "x\n");
    EXPECT_EQ(perdure({"doctor"}), 1);
    EXPECT_THAT(out.str(), HasSubstr("error " + home + "/version: is not the format number"));
    write("version", "2\n");
    EXPECT_EQ(perdure({"doctor"}), 1);
    EXPECT_THAT(out.str(), HasSubstr("format 2 is newer"));
    EXPECT_EQ(plain({"doctor", "--home", home + "/missing"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("does not exist yet"));
    EXPECT_FALSE(fs::exists(home + "/missing"));
    EXPECT_EQ(plain({"doctor", "--home", home + "/version"}), 1);
    EXPECT_THAT(out.str(), HasSubstr("is no directory"));
}

TEST_F(CliTest, DoctorLeavesAHomeInUseAlone) {
    fs::permissions(home, fs::perms::owner_all);
    write("version", "1\n");
    const auto files = make_posix_files();
    const auto lock = files->lock(home + "/lock");
    EXPECT_EQ(perdure({"doctor"}), 1);
    EXPECT_EQ(err.str(), "perdure: home in use: " + home + "\n");
    start_node();
    EXPECT_EQ(perdure({"doctor"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("a node runs in"));
}

TEST_F(CliTest, CompletionIsPrinted) {
    EXPECT_EQ(plain({"completion", "bash"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("complete "));
}

TEST_F(CliTest, ANodeThatGoesAwayIsSaid) {
    transport::HttpServerOptions options;
    options.unix_path = home + "/control.sock";
    options.limits.http_stop_timeout = std::chrono::milliseconds(1);
    std::vector<transport::HttpResponder> held;
    std::promise<void> asked;
    server = transport::HttpServer::open(
                 options, clock,
                 [&](transport::HttpRequest, transport::HttpResponder responder) {
                     held.push_back(std::move(responder));
                     asked.set_value();
                 })
                 .value();
    server->start();
    auto status = std::async(std::launch::async, [this] { return perdure({"ps"}); });
    asked.get_future().wait();
    server->stop();
    EXPECT_EQ(status.get(), 1);
    EXPECT_EQ(err.str(), "perdure: the node in " + home + " went away before it answered\n");
}

}  // namespace
}  // namespace perdure::cli
