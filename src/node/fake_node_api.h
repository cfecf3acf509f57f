#pragma once

/// A node for tests of the control protocol and the command line: two processes in memory, no
/// kernel. Tests only.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "node/node_api.h"

namespace perdure::node {

/// Answers at once, on the caller's thread. What it was asked is in `calls`. Thread: any.
class FakeNodeApi final : public NodeApi {
public:
    static constexpr const char* kCounter = "counter:counter:sys";
    static constexpr const char* kEcho = "echo:tools:pub.os";

    FakeNodeApi() {
        ProcessRow counter;
        counter.process = kCounter;
        counter.phase = "waiting-sleep";
        counter.restarts = 3;
        counter.mailbox_messages = 4;
        counter.mailbox_bytes = 5;
        counter.memory_bytes = 1'114'112;
        counter.cpu_ns = 7'000'000;
        counter.state_bytes = 8;
        counter.seen = 9;
        counter.durable = 10;
        ProcessRow echo;
        echo.process = kEcho;
        echo.phase = "running";
        rows = {counter, echo};
        states[kCounter] = SharedBytes(std::string_view("\x2A\0\0\0\0\0\0\xFF", 8));
    }

    /// When set, every method that can fail fails with it.
    std::optional<Error> failure;
    std::vector<ProcessRow> rows;
    std::vector<PackageRow> package_rows = {
        {.package = "counter:sys", .version = "1.2.0", .processes = {kCounter}},
        {.package = "tools:pub.os", .version = "", .processes = {kEcho}},
    };
    std::map<std::string, SharedBytes> states;
    SendAnswer send_answer{.outcome = SendAnswer::Outcome::Response,
                           .body = SharedBytes(std::string_view("pong")),
                           .blob = std::nullopt,
                           .blob_mime = std::nullopt,
                           .reason = {}};
    std::vector<LogLine> lines;
    Health node_health{.live = true, .ready = true, .reasons = {}};

    std::vector<std::string> calls() const { return *calls_.lock(); }
    SendCommand last_send() const { return *last_send_.lock(); }
    LogQuery last_query() const { return *last_query_.lock(); }
    int subscriptions() const { return *subscriptions_.lock(); }
    /// Hands a new line to the newest subscription that is still there.
    bool print(const LogLine& line) {
        auto receiver = receiver_.lock();
        if (receiver->line) {
            receiver->line(line);
        }
        return receiver->line != nullptr;
    }
    void end_logs(Result<void> how) {
        auto receiver = receiver_.lock();
        if (receiver->end) {
            receiver->end(std::move(how));
        }
    }

    void processes(Done<std::vector<ProcessRow>> done) override {
        note("processes");
        done(rows);
    }
    void packages(Done<std::vector<PackageRow>> done) override {
        note("packages");
        done(package_rows);
    }
    void start_package(std::string directory, Done<StartedPackage> done) override {
        note("start_package " + directory);
        if (failure) {
            return done(*failure);
        }
        done(StartedPackage{.package = "counter:sys", .processes = {kCounter}, .replaced = true});
    }
    void remove_package(std::string package, Done<void> done) override {
        note("remove_package " + package);
        const bool known = std::ranges::any_of(
            package_rows, [&](const auto& row) { return row.package == package; });
        answer(known, "no package " + package, done);
    }
    void send(SendCommand command, Done<SendAnswer> done) override {
        note("send " + command.address);
        const std::string process = command.address.substr(command.address.find('@') + 1);
        const bool waits = command.timeout_seconds.has_value();
        *last_send_.lock() = std::move(command);
        if (failure || !has(process)) {
            return done(failure ? *failure : Error(ErrorCode::NotFound, "no process " + process));
        }
        done(waits ? send_answer : SendAnswer{});
    }
    void kill(std::string process, Done<void> done) override { about("kill", process, done); }
    void restart(std::string process, Done<void> done) override { about("restart", process, done); }
    void show_state(std::string process, Done<ProcessStateInfo> done) override {
        note("show_state " + process);
        if (failure || !has(process)) {
            return done(failure ? *failure : Error(ErrorCode::NotFound, "no process " + process));
        }
        const auto state = states.find(process);
        ProcessStateInfo info;
        info.process = process;
        info.present = state != states.end();
        info.bytes = info.present ? state->second.size() : 0;
        info.sha256 = info.present ? "5e1f" : "";
        done(info);
    }
    void export_state(std::string process, Done<std::optional<SharedBytes>> done) override {
        note("export_state " + process);
        if (failure || !has(process)) {
            return done(failure ? *failure : Error(ErrorCode::NotFound, "no process " + process));
        }
        const auto state = states.find(process);
        done(state == states.end() ? std::optional<SharedBytes>() : std::optional(state->second));
    }
    void import_state(std::string process, SharedBytes bytes, Done<void> done) override {
        if (has(process)) {
            states[process] = std::move(bytes);
        }
        about("import_state", process, done);
    }
    void clear_state(std::string process, Done<void> done) override {
        states.erase(process);
        about("clear_state", process, done);
    }
    Result<std::unique_ptr<LogSubscription>> logs(LogQuery query, LogReceiver receiver) override {
        note("logs " + query.process);
        *last_query_.lock() = query;
        if (failure || (!query.process.empty() && !has(query.process))) {
            return failure ? *failure : Error(ErrorCode::NotFound, "no process " + query.process);
        }
        for (const LogLine& line : lines) {
            receiver.line(line);
        }
        if (query.until == LogQuery::Until::End) {
            receiver.end({});
        }
        ++*subscriptions_.lock();
        *receiver_.lock() = std::move(receiver);
        return Result<std::unique_ptr<LogSubscription>>(std::make_unique<Subscription>(*this));
    }
    std::vector<SettingRow> config() const override {
        return {{.key = "home", .value = "/h", .origin = "flag --home"},
                {.key = "workers", .value = "2", .origin = "default"}};
    }
    Health health() const override { return node_health; }
    VersionInfo version() const override {
        return {.version = "0.1.0", .commit = "abc1234", .engine = "mock 1", .store_format = 1};
    }
    void shutdown(Done<void> done) override {
        note("shutdown");
        answer(true, "", done);
    }

private:
    struct Subscription final : LogSubscription {
        explicit Subscription(FakeNodeApi& api_in) : api(api_in) {}
        ~Subscription() override {
            LogReceiver dropped;
            std::swap(*api.receiver_.lock(), dropped);
            --*api.subscriptions_.lock();
        }
        FakeNodeApi& api;
    };

    void note(std::string call) { calls_.lock()->push_back(std::move(call)); }
    bool has(const std::string& process) const {
        return std::ranges::any_of(rows,
                                   [&](const ProcessRow& row) { return row.process == process; });
    }
    void about(std::string_view verb, const std::string& process, const Done<void>& done) {
        note(std::string(verb) + " " + process);
        answer(has(process), "no process " + process, done);
    }
    void answer(bool known, std::string text, const Done<void>& done) const {
        if (failure) {
            return done(*failure);
        }
        done(known ? Result<void>() : Result<void>(Error(ErrorCode::NotFound, std::move(text))));
    }

    Guarded<std::vector<std::string>> calls_;
    Guarded<SendCommand> last_send_;
    Guarded<LogQuery> last_query_;
    Guarded<LogReceiver> receiver_;
    Guarded<int> subscriptions_{std::in_place, 0};
};

}  // namespace perdure::node
