#pragma once

/// A real node inside the bench's own program: real engine, real disk, a home below the system's
/// temporary directory.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/system_clock.h"
#include "base/system_random.h"
#include "node/node.h"

namespace perdure::bench {

class Quiet final : public LogSink {
public:
    void write(LogLevel, std::string_view) override {}
};

class BenchNode {
public:
    /// Flags as on the command line by key, for example {"workers", "1"}.
    using Flags = std::vector<std::pair<std::string, std::string>>;
    /// Guests' clocks go by the microsecond unless `settings` say otherwise.
    explicit BenchNode(Flags settings = {});
    ~BenchNode();

    void start();
    void stop();
    node::Node& node() { return *node_; }

    /// Installs a package of `count` processes NAME0, NAME1, … of one fixture; ids
    /// `NAMEi:PACKAGE:bench.os`. Each may be messaged by all.
    void install(std::string_view package, std::string_view name, std::string_view fixture,
                 int count, std::string_view on_exit = "\"Restart\"");
    /// One Request and its answer's body; ends the program if none comes.
    std::string ask(const std::string& process, const std::string& body);
    /// A Request that nobody waits for.
    void tell(const std::string& process, const std::string& body);
    /// Ends and removes what `install` started.
    void remove(std::string_view package);
    std::vector<node::ProcessRow> processes();
    node::ProcessRow process(std::string_view name);

    const std::string& directory() const { return directory_; }
    std::string home() const { return directory_ + "/home"; }

private:
    std::string directory_;
    std::vector<std::pair<std::string, std::string>> settings_;
    SystemClock clock_;
    std::unique_ptr<Files> files_;
    Quiet quiet_;
    std::unique_ptr<node::Node> node_;
};

/// The number behind `ns=` of an answer of the guest `bench`.
double nanoseconds_of(const std::string& answer);
/// The numbers behind it, nanoseconds too.
std::vector<double> samples_of(const std::string& answer);

[[noreturn]] void give_up(const std::string& why);

}  // namespace perdure::bench
