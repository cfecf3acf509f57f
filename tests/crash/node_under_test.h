#pragma once

/// What the crash suite crashes: log, committer and gate over a store on a simulated disk, stepped
/// by hand. Two of them: the real storage room on RocksDB, and a small one on the model store.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "storage/committer.h"
#include "storage/gate.h"
#include "storage/log.h"
#include "testing/simulated_files.h"

namespace perdure::crash {

enum class Backend : std::uint8_t { Rocks, Model };

/// All keys of all families that entries may change; family number first.
using Contents = std::map<std::string, std::string>;
std::string content_key(Family family, std::string_view key);

struct NodeOptions {
    LogFaultsForTest faults;
    std::function<bool(const Error&)> after_failed_write;
};

class NodeUnderTest {
public:
    virtual ~NodeUnderTest() = default;

    virtual Result<void> start() = 0;
    virtual EntryLog& log() = 0;
    virtual Gate& gate() = 0;
    virtual Committer& committer() = 0;
    /// Last number found by the last start.
    virtual SequenceNumber recovered() const = 0;
    /// Moves the log's contents elsewhere on the disk, where the store does such a thing.
    virtual void flush() = 0;
    virtual void stop() = 0;
    virtual void crash() = 0;

    /// What a reader would see now.
    Result<Contents> contents();
};

std::unique_ptr<NodeUnderTest> make_node(Backend backend, Files& files, NodeOptions options);

/// Small bounds, so that a short workload meets all of them.
LogLimits small_limits();

}  // namespace perdure::crash
