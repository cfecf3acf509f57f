#pragma once

/// Where prints and the node's own lines meet: through the gate, into memory for `perdure logs`, to
/// whoever follows.
///
/// Promises: a print leaves only when everything its process had seen is on disk (K-267); prints
/// keep their order; nobody who prints ever waits (K-230). What does not fit into `queue_bytes_max`
/// while the gate is shut is dropped, and the next print says how many were.

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "base/clock.h"
#include "base/log.h"
#include "kernel/terminal.h"
#include "node/node_api.h"
#include "storage/gate.h"

namespace perdure::node {

/// Sources remembered for telling "no such process" from "nothing printed yet".
inline constexpr std::size_t kPrintSourcesMax = 100'000;

struct PrintLimits {
    std::uint64_t print_bytes_max = 64u << 10;  ///< One print; the rest is cut with a mark.
    std::uint64_t queue_bytes_max = 4u << 20;   ///< Waiting for the gate.
    std::uint64_t kept_bytes_max = 4u << 20;    ///< In memory for `perdure logs`.
};

class PrintHub final : public kernel::Terminal, public LogSink {
public:
    /// `gate` may be given later, before the first print: the node's own lines do not need it
    /// (K-254).
    PrintHub(const Clock& clock, PrintLimits limits, LogSink* print_file);
    ~PrintHub() override;

    void attach(Gate& gate);

    // kernel::Terminal: a print of a guest or of the kernel.
    void print(kernel::Print print, SequenceNumber seen) override;
    // LogSink: a line of the node's own log.
    void write(LogLevel level, std::string_view line) override;

    /// As NodeApi::logs.
    Result<std::unique_ptr<LogSubscription>> subscribe(LogQuery query, LogReceiver receiver);
    /// Whether the process `source` printed since the node started.
    bool has_printed(const std::string& source) const;
    /// Ends all subscriptions.
    void close();

private:
    class Subscription;
    struct Output {
        std::mutex mutex;
        std::unique_ptr<Gate::Channel> channel;
        std::uint64_t dropped = 0;
    };
    /// Shared with deliveries that wait in the gate and may come after the hub's end.
    struct Shown {
        std::mutex mutex;
        std::deque<LogLine> kept;
        std::uint64_t kept_bytes = 0;
        std::unordered_set<std::string> sources;
        std::list<Subscription*> followers;
        LogSink* print_file = nullptr;
        std::uint64_t kept_bytes_max = 0;
    };

    static void show(Shown& shown, LogLine line);

    const Clock& clock_;
    const PrintLimits limits_;
    Output output_;
    std::shared_ptr<Shown> shown_;
};

}  // namespace perdure::node
