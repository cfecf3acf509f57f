/// The control protocol through a real server on a Unix socket, with a fake node behind it.

#include "node/control_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <thread>

#include "node/fake_node_api.h"
#include "testing/manual_clock.h"
#include "transport/http_client.h"

namespace perdure::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using transport::HttpResponse;

struct ControlApiTest : testing::Test {
    ControlApiTest() {
        std::string pattern = "/tmp/perdure-control-XXXXXX";
        folder = ::mkdtemp(pattern.data());
        listen(ControlScope::Everything);
    }
    ~ControlApiTest() override {
        server.reset();
        std::filesystem::remove_all(folder);
    }
    void listen(ControlScope scope) {
        server.reset();
        transport::HttpServerOptions options;
        options.unix_path = folder + "/control.sock";
        auto opened =
            transport::HttpServer::open(options, clock, make_control_handler(node, scope));
        ASSERT_TRUE(opened) << opened.error().message();
        server = std::move(opened).value();
        server->start();
    }
    HttpResponse call(std::string method, std::string target, std::string body = {}) {
        auto answer = transport::HttpClient({.unix_path = folder + "/control.sock"})
                          .exchange({.method = std::move(method),
                                     .target = std::move(target),
                                     .headers = {},
                                     .body = std::move(body)});
        EXPECT_TRUE(answer) << answer.error().message();
        return answer ? *answer : HttpResponse{};
    }
    /// The error's message, after its status and code have been checked.
    std::string error(const HttpResponse& answer, unsigned status, std::string_view code) {
        EXPECT_EQ(answer.status, status) << answer.body;
        const auto document = parse_json(answer.body);
        EXPECT_TRUE(document) << answer.body;
        const Json* found = document ? document->find("error") : nullptr;
        EXPECT_TRUE(found && found->find("code") && found->find("message")) << answer.body;
        if (!found || !found->find("code") || !found->find("message")) {
            return "";
        }
        EXPECT_EQ(*found->find("code")->as_string(), code);
        return *found->find("message")->as_string();
    }
    std::vector<std::string> log_lines(std::string target) {
        std::vector<std::string> lines;
        auto answer = transport::HttpClient({.unix_path = folder + "/control.sock"})
                          .stream({.target = std::move(target)}, [&](std::string_view line) {
                              lines.emplace_back(line);
                              return transport::OnLine::Continue;
                          });
        EXPECT_TRUE(answer) << answer.error().message();
        EXPECT_EQ(answer->status, 200u);
        return lines;
    }

    ManualClock clock;
    FakeNodeApi node;
    std::string folder;
    std::unique_ptr<transport::HttpServer> server;
};

TEST_F(ControlApiTest, ProcessesShowEveryColumn) {
    const HttpResponse answer = call("GET", "/v1/processes");
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(transport::find_header(answer.headers, "content-type"), "application/json");
    const Json document = parse_json(answer.body).value();
    const Json::Array& rows = *document.find("processes")->as_array();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(
        rows[0].to_text(),
        R"({"process":"counter:counter:sys","phase":"waiting-sleep","restarts":3,"mailbox_messages":4,"mailbox_bytes":5,)"
        R"("memory_bytes":1114112,"cpu_ns":7000000,"state_bytes":8,"seen":9,"durable":10})");
}

TEST_F(ControlApiTest, PackagesAreListed) {
    EXPECT_EQ(
        call("GET", "/v1/packages").body,
        R"({"packages":[{"package":"counter:sys","version":"1.2.0","processes":["counter:counter:sys"]},)"
        R"({"package":"tools:pub.os","version":"","processes":["echo:tools:pub.os"]}]})"
        "\n");
}

TEST_F(ControlApiTest, APackageIsStartedFromAnAbsoluteDirectory) {
    EXPECT_EQ(call("POST", "/v1/packages", R"({"directory":"/p/counter"})").body,
              R"({"package":"counter:sys","processes":["counter:counter:sys"],"replaced":true})"
              "\n");
    EXPECT_THAT(node.calls(), ElementsAre("start_package /p/counter"));
    EXPECT_THAT(
        error(call("POST", "/v1/packages", R"({"directory":"counter"})"), 400, "invalid_input"),
        HasSubstr("$.directory"));
    EXPECT_THAT(error(call("POST", "/v1/packages", R"({})"), 400, "invalid_input"),
                HasSubstr("directory"));
    EXPECT_THAT(error(call("POST", "/v1/packages", "no json"), 400, "invalid_input"),
                HasSubstr("line 1"));
}

TEST_F(ControlApiTest, APackageIsRemovedByItsId) {
    EXPECT_EQ(call("DELETE", "/v1/packages/counter:sys").body, "{\"package\":\"counter:sys\"}\n");
    EXPECT_THAT(error(call("DELETE", "/v1/packages/conter:sys"), 404, "not_found"),
                HasSubstr("the closest existing one is counter:sys"));
    EXPECT_THAT(error(call("DELETE", "/v1/packages/counter"), 400, "invalid_input"),
                HasSubstr("MissingField"));
}

TEST_F(ControlApiTest, KillAndRestartNameTheirProcess) {
    EXPECT_EQ(call("POST", "/v1/processes/counter:counter:sys/kill").body,
              "{\"process\":\"counter:counter:sys\"}\n");
    EXPECT_EQ(call("POST", "/v1/processes/counter%3Acounter%3Asys/restart").status, 200u);
    EXPECT_THAT(node.calls(),
                ElementsAre("kill counter:counter:sys", "restart counter:counter:sys"));
}

TEST_F(ControlApiTest, AProcessThatDoesNotExistIsAnsweredWithTheClosestOne) {
    const HttpResponse answer = call("POST", "/v1/processes/conter:counter:sys/kill");
    EXPECT_EQ(error(answer, 404, "not_found"),
              "no process conter:counter:sys; the closest existing one is counter:counter:sys");
    EXPECT_THAT(answer.body, HasSubstr(R"("closest":"counter:counter:sys")"));
    EXPECT_EQ(error(call("POST", "/v1/processes/x:y:zzzzzzzzzz/kill"), 404, "not_found"),
              "no process x:y:zzzzzzzzzz");
    for (const char* route : {"/state", "/state/bytes"}) {
        EXPECT_THAT(error(call("GET", std::string("/v1/processes/ecko:tools:pub.os") + route), 404,
                          "not_found"),
                    HasSubstr("echo:tools:pub.os"));
    }
    EXPECT_THAT(error(call("GET", "/v1/logs?process=ecko:tools:pub.os"), 404, "not_found"),
                HasSubstr("echo:tools:pub.os"));
    EXPECT_THAT(error(call("POST", "/v1/send", R"({"address":"our@ecko:tools:pub.os","body":""})"),
                      404, "not_found"),
                HasSubstr("echo:tools:pub.os"));
}

TEST_F(ControlApiTest, MalformedProcessIdsAreRefusedBeforeTheNodeIsAsked) {
    for (const char* target : {"/v1/processes/counter/kill", "/v1/processes/A:b:c/restart",
                               "/v1/processes/a:b:c:d/state"}) {
        const std::string method = std::string_view(target).ends_with("state") ? "GET" : "POST";
        EXPECT_EQ(call(method, target).status, 400u) << target;
    }
    EXPECT_TRUE(node.calls().empty());
}

TEST_F(ControlApiTest, SendCarriesBodyBlobAndTime) {
    EXPECT_EQ(
        call(
            "POST", "/v1/send",
            R"({"address":"our@echo:tools:pub.os","body":"ping","blob_base64":"AP8=","blob_mime":"x/y","timeout_s":5})")
            .body,
        "{\"outcome\":\"response\",\"body\":\"pong\"}\n");
    const SendCommand sent = node.last_send();
    EXPECT_EQ(sent.address, "our@echo:tools:pub.os");
    EXPECT_EQ(sent.body.text(), "ping");
    EXPECT_EQ(sent.blob->text(), std::string_view("\0\xFF", 2));
    EXPECT_EQ(sent.blob_mime, "x/y");
    EXPECT_EQ(sent.timeout_seconds, 5u);
}

TEST_F(ControlApiTest, SendWithoutTimeDoesNotWait) {
    EXPECT_EQ(
        call("POST", "/v1/send", R"({"address":"echo:tools:pub.os","body_base64":"/w=="})").body,
        "{\"outcome\":\"sent\"}\n");
    EXPECT_EQ(node.last_send().body.text(), "\xFF");
    EXPECT_EQ(node.last_send().timeout_seconds, std::nullopt);
}

TEST_F(ControlApiTest, AResponseThatIsNoTextComesAsBase64) {
    node.send_answer.body = SharedBytes(std::string_view("\xFF\xFE"));
    node.send_answer.blob = SharedBytes(std::string_view("b"));
    EXPECT_EQ(
        call("POST", "/v1/send", R"({"address":"echo:tools:pub.os","body":"","timeout_s":1})").body,
        "{\"outcome\":\"response\",\"body_base64\":\"//"
        "4=\",\"blob_base64\":\"Yg==\",\"blob_mime\":null}\n");
}

TEST_F(ControlApiTest, ASendErrorIsAnAnswer) {
    node.send_answer = {};
    node.send_answer.outcome = SendAnswer::Outcome::Refused;
    node.send_answer.reason = "mailbox full";
    const HttpResponse answer =
        call("POST", "/v1/send", R"({"address":"echo:tools:pub.os","body":"","timeout_s":1})");
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.body, "{\"outcome\":\"refused\",\"reason\":\"mailbox full\"}\n");
}

TEST_F(ControlApiTest, MalformedSendsSayWhatIsWrong) {
    const std::pair<const char*, const char*> cases[] = {
        {R"([])", "expected"},
        {R"({"body":""})", "address"},
        {R"({"address":5,"body":""})", "$.address"},
        {R"({"address":"a@b","body":""})", "MissingField"},
        {R"({"address":"a:b:c"})", "body"},
        {R"({"address":"a:b:c","body":1})", "$.body"},
        {R"({"address":"a:b:c","body":"","body_base64":""})", "not both"},
        {R"({"address":"a:b:c","body_base64":"?"})", "base64"},
        {R"({"address":"a:b:c","body":"","blob_mime":"x"})", "blob_mime without a blob"},
        {R"({"address":"a:b:c","body":"","timeout_s":-1})", "timeout_s"},
        {R"({"address":"a:b:c","body":"","timeout_s":"5"})", "timeout_s"},
    };
    for (const auto& [body, expected] : cases) {
        EXPECT_THAT(error(call("POST", "/v1/send", body), 400, "invalid_input"),
                    HasSubstr(expected))
            << body;
    }
    EXPECT_TRUE(node.calls().empty());
}

TEST_F(ControlApiTest, ProcessStateIsShownExportedImportedAndCleared) {
    const std::string base = std::string("/v1/processes/") + FakeNodeApi::kCounter + "/state";
    EXPECT_EQ(
        call("GET", base).body,
        "{\"process\":\"counter:counter:sys\",\"present\":true,\"bytes\":8,\"sha256\":\"5e1f\"}\n");
    const HttpResponse exported = call("GET", base + "/bytes");
    EXPECT_EQ(exported.body, std::string_view("\x2A\0\0\0\0\0\0\xFF", 8));
    EXPECT_EQ(transport::find_header(exported.headers, "content-type"), "application/octet-stream");
    EXPECT_EQ(call("PUT", base + "/bytes", std::string("n\0w", 3)).status, 200u);
    EXPECT_EQ(call("GET", base + "/bytes").body, std::string("n\0w", 3));
    EXPECT_EQ(call("DELETE", base).status, 200u);
    EXPECT_EQ(call("GET", base).body, "{\"process\":\"counter:counter:sys\",\"present\":false}\n");
    EXPECT_EQ(error(call("GET", base + "/bytes"), 404, "not_found"),
              "counter:counter:sys has no saved state");
}

TEST_F(ControlApiTest, AnEmptyStateIsPresent) {
    node.states[FakeNodeApi::kEcho] = SharedBytes();
    const std::string base = std::string("/v1/processes/") + FakeNodeApi::kEcho + "/state";
    EXPECT_THAT(call("GET", base).body, HasSubstr(R"("present":true,"bytes":0)"));
    EXPECT_EQ(call("GET", base + "/bytes").status, 200u);
}

TEST_F(ControlApiTest, KeptLogLinesComeInOrderAndEnd) {
    LogLine print;
    print.source = FakeNodeApi::kCounter;
    print.text = "counter: 1\xFF";
    print.verbosity = 1;
    LogLine own;
    own.origin = LogOrigin::Node;
    own.level = LogLevel::Warn;
    own.source = "node";
    own.text = "disk_full";
    node.lines = {print, own};
    EXPECT_THAT(
        log_lines("/v1/logs?process=counter:counter:sys&verbosity=2&lines=7"),
        ElementsAre(
            R"({"time":"1970-01-01T00:00:00.000Z","origin":"print","verbosity":1,"source":"counter:counter:sys","text":"counter: 1)"
            "\xEF\xBF\xBD\"}",
            R"({"time":"1970-01-01T00:00:00.000Z","origin":"node","level":"warn","source":"node","text":"disk_full"})"));
    EXPECT_EQ(node.last_query().verbosity, 2);
    EXPECT_EQ(node.last_query().lines_max, 7u);
    EXPECT_EQ(node.last_query().until, LogQuery::Until::End);
}

TEST_F(ControlApiTest, FollowedLogsGoOnUntilTheirReceiverEnds) {
    node.lines = {LogLine{}};
    auto lines =
        std::async(std::launch::async, [this] { return log_lines("/v1/logs?follow=true"); });
    LogLine line;
    line.text = "later";
    while (!node.print(line)) {
        std::this_thread::yield();
    }
    node.end_logs(Error(ErrorCode::Cancelled, "the node is stopping"));
    const auto got = lines.get();
    ASSERT_EQ(got.size(), 3u);
    EXPECT_THAT(got[1], HasSubstr("later"));
    EXPECT_EQ(got[2], R"({"error":{"code":"cancelled","message":"the node is stopping"}})");
}

TEST_F(ControlApiTest, ASubscriptionEndsWhenItsClientLeaves) {
    node.lines = {LogLine{}};
    auto answer = transport::HttpClient({.unix_path = folder + "/control.sock"})
                      .stream({.target = "/v1/logs?follow=true"},
                              [](std::string_view) { return transport::OnLine::Stop; });
    EXPECT_TRUE(answer);
    while (node.subscriptions() != 0) {
        std::this_thread::yield();
    }
    EXPECT_FALSE(node.print(LogLine{}));
}

TEST_F(ControlApiTest, ASubscriptionEndsWhenTheServerStops) {
    auto lines = std::async(std::launch::async, [this] {
        return transport::HttpClient({.unix_path = folder + "/control.sock"})
            .stream({.target = "/v1/logs?follow=true"},
                    [](std::string_view) { return transport::OnLine::Continue; });
    });
    while (node.subscriptions() == 0) {
        std::this_thread::yield();
    }
    server->stop();
    EXPECT_EQ(lines.get().error().code(), ErrorCode::Unreachable);
    EXPECT_EQ(node.subscriptions(), 0);
}

TEST_F(ControlApiTest, BadLogParametersAreNamed) {
    const std::pair<const char*, const char*> cases[] = {
        {"verbosity=256", "verbosity: expected an integer from 0 to 255"},
        {"verbosity=", "verbosity"},
        {"follow=1", "follow: expected true or false"},
        {"lines=-1", "lines"},
        {"lines=1000001", "lines"},
        {"folow=true", "the closest known one is follow"},
        {"process=counter", "MissingField"},
    };
    for (const auto& [query, expected] : cases) {
        EXPECT_THAT(error(call("GET", std::string("/v1/logs?") + query), 400, "invalid_input"),
                    HasSubstr(expected))
            << query;
    }
}

TEST_F(ControlApiTest, HealthFollowsTheNode) {
    EXPECT_EQ(call("GET", "/healthz").body, "ok\n");
    EXPECT_EQ(call("GET", "/readyz").body, "ok\n");
    node.node_health = {.live = true, .ready = false, .reasons = {"disk_full"}};
    EXPECT_EQ(call("GET", "/healthz").status, 200u);
    const HttpResponse answer = call("GET", "/readyz");
    EXPECT_EQ(answer.status, 503u);
    EXPECT_EQ(answer.body, "disk_full\n");
    EXPECT_EQ(call("GET", "/v1/health").body,
              "{\"live\":true,\"ready\":false,\"reasons\":[\"disk_full\"]}\n");
    node.node_health = {.live = false, .ready = false, .reasons = {"stopping"}};
    EXPECT_EQ(call("GET", "/healthz").status, 503u);
    EXPECT_EQ(call("HEAD", "/healthz").status, 503u);
}

TEST_F(ControlApiTest, VersionConfigAndShutdown) {
    EXPECT_EQ(call("GET", "/v1/version").body,
              "{\"version\":\"0.1.0\",\"commit\":\"abc1234\",\"engine\":\"mock "
              "1\",\"store_format\":1}\n");
    EXPECT_EQ(call("GET", "/v1/config").body,
              "{\"settings\":[{\"key\":\"home\",\"value\":\"/h\",\"origin\":\"flag --home\"},"
              "{\"key\":\"workers\",\"value\":\"2\",\"origin\":\"default\"}]}\n");
    EXPECT_EQ(call("POST", "/v1/shutdown").body, "{\"stopping\":true}\n");
    EXPECT_THAT(node.calls(), ElementsAre("shutdown"));
}

TEST_F(ControlApiTest, UnknownRoutesAndMethodsAreRefused) {
    for (const char* target : {"/", "/v1", "/v1/", "/v1/processes/", "/v2/processes",
                               "/v1/processes/a:b:c/kil", "/v1/processes/a:b:c/kill/x"}) {
        error(call("GET", target), 404, "not_found");
    }
    const HttpResponse answer = call("DELETE", "/v1/processes/a:b:c/kill");
    EXPECT_EQ(error(answer, 405, "unsupported"), "this route takes POST");
    EXPECT_EQ(transport::find_header(answer.headers, "allow"), "POST");
    error(call("GET", "/v1/%zz"), 400, "invalid_input");
}

TEST_F(ControlApiTest, ThePublicPortOffersHealthOnly) {
    listen(ControlScope::HealthOnly);
    EXPECT_EQ(call("GET", "/healthz").status, 200u);
    EXPECT_EQ(call("GET", "/readyz").status, 200u);
    for (const char* target : {"/v1/processes", "/v1/version", "/v1/config"}) {
        EXPECT_EQ(call("GET", target).status, 404u) << target;
    }
    EXPECT_EQ(call("POST", "/v1/shutdown").status, 404u);
    EXPECT_TRUE(node.calls().empty());
}

TEST_F(ControlApiTest, EveryErrorCodeHasItsStatus) {
    const std::pair<ErrorCode, unsigned> codes[] = {
        {ErrorCode::NotFound, 404},     {ErrorCode::AlreadyExists, 409},
        {ErrorCode::InvalidInput, 400}, {ErrorCode::NotPermitted, 403},
        {ErrorCode::TimedOut, 504},     {ErrorCode::Unreachable, 502},
        {ErrorCode::Overloaded, 503},   {ErrorCode::Corrupt, 500},
        {ErrorCode::Unsupported, 501},  {ErrorCode::Cancelled, 503},
        {ErrorCode::Io, 500},
    };
    for (const auto& [code, status] : codes) {
        node.failure = Error(code, "because");
        EXPECT_EQ(
            error(call("POST", "/v1/packages", R"({"directory":"/x"})"), status, to_string(code)),
            "because");
    }
}

}  // namespace
}  // namespace perdure::node
