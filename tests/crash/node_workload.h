#pragma once

/// The workload of the crash suite over a whole node: the real composition of `node/` on the
/// simulated disk and the mock engine, stepped on one thread. Twenty processes save, send, ask,
/// print, hold capabilities, trap and return; packages come and go; the command line asks, kills,
/// imports and lists. A seed decides everything.
///
/// What it knows does not come from the log's numbers: each durable change that somebody asks for
/// has an id of its own and remembers everything in its causal past (K-265), messages carry what
/// their senders know, and so does every output.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node_under_test.h"
#include "storage/storage.h"
#include "testing/seeded_random.h"
#include "testing/simulated_files.h"
#include "workload.h"

namespace perdure::crash {

inline constexpr std::size_t kSavers = 20;   ///< Processes that come back whatever happens.
inline constexpr std::size_t kVisitors = 4;  ///< Packages of one process each that come and go.
inline constexpr std::size_t kChildren = 2;  ///< Processes that one saver initialises and kills.

/// One durable thing with one value at a time.
enum class RegisterKind : std::uint8_t {
    State,             ///< What a saver saved.
    NewestCapability,  ///< The newest of those that a saver saved.
    OldestCapability,  ///< The oldest that it has not dropped.
    VisitorLife,       ///< Whether the process is in the table.
    VisitorPackage,    ///< The installed version.
    VisitorOnExit,
    VisitorState,  ///< Imported by the command line.
    ChildLife,
};
inline constexpr std::size_t kRegisters = 3 * kSavers + 4 * kVisitors + kChildren;
using Register = std::uint32_t;
Register register_of(RegisterKind kind, std::size_t index);
std::string name_of(Register which);

/// The newest change of each register that somebody has learnt of; 0: none.
using Knowledge = std::array<std::uint32_t, kRegisters>;
void learn(Knowledge& knower, const Knowledge& news);

struct RegisterChange {
    Register which = 0;
    std::string value;  ///< Empty: nothing is stored.
    Knowledge past{};   ///< Without the change itself.
};
/// The value each register has on a disk.
using Observed = std::array<std::string, kRegisters>;
Observed observe(const Contents& contents);
/// All savers are in the table (as after their package was installed), or none; else what is wrong.
std::optional<std::string> savers_present(const Contents& contents, bool& present);

/// What was known just before one operation of the disk was carried out.
struct NodeMoment {
    std::shared_ptr<const Knowledge> shown;  ///< Everything that outputs which left depend on.
    std::uint32_t changes = 0;               ///< How many changes somebody had asked for.
    bool savers_shown = false;
    std::uint64_t highest_given = 0;
    std::uint32_t kinds_pending = 0;  ///< Bit per EntryKind that is appended but not durable.
    bool full = false;
    bool sync_failed = false;
    bool recovering = false;
};

struct NodeStretch {
    DiskImage start;
    std::vector<DiskOperation> operations;
    std::vector<NodeMoment> moments;  ///< One per operation, and one behind the last.
    std::vector<HistoryItem> history;
};

struct NodeCounts {
    std::uint64_t entries = 0;
    std::uint64_t prints = 0;
    std::uint64_t answers = 0;  ///< Of the command line.
    std::uint64_t messages = 0;
    std::uint64_t changes = 0;
    std::uint64_t starts = 0;

    NodeCounts& operator+=(const NodeCounts& other);
};

class NodeWorkload {
public:
    NodeWorkload(std::uint64_t seed, LogFaultsForTest faults);
    ~NodeWorkload();

    /// Runs until the next power cut.
    NodeStretch run(std::size_t actions);

    const std::vector<RegisterChange>& changes() const;
    /// What the workload itself found after its own restarts.
    std::vector<std::string> losses() const;
    std::uint64_t trace_hash() const;
    const NodeCounts& counts() const;

private:
    class Run;
    std::unique_ptr<Run> run_;
};

/// What must be true of a disk that was left at `moment`: every shown change or a later one is
/// there, and whatever is there has its causes. Nothing: it is.
std::optional<std::string> explain(const Observed& observed,
                                   const std::vector<RegisterChange>& changes,
                                   const Knowledge& shown, std::uint32_t asked_for);

/// Starts a whole node on the disk `files` and lets everybody come to rest. An error says what did
/// not come back; `at_recovery` sees the contents before anything runs.
Result<void> boot_and_look(
    SimulatedFiles& files,
    const std::function<Result<void>(Storage&, const Contents&)>& at_recovery);

/// As `NodeUnderTest::contents`; large values stand as `kLargeMark` and their size.
Result<Contents> contents_of(EntryLog& log);
inline constexpr std::string_view kLargeMark = "(large) ";
/// Whether what was found is what was appended.
bool same_value(const std::string& found, const std::string& wanted);

}  // namespace perdure::crash
