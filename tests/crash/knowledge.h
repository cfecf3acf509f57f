#pragma once

/// What the crash suite of a whole node knows about durable things: which there are, who changed
/// them after what, and what a disk says of them.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "abi/ids.h"
#include "node_under_test.h"
#include "storage/log.h"

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
/// A capability whose issuer, a process of this node, is not in the table (K-118), if any is held.
std::optional<std::string> held_of_the_gone(const Contents& contents);
/// All savers are in the table (as after their package was installed), or none; else what is wrong.
std::optional<std::string> savers_present(const Contents& contents, bool& present);

/// What must be true of a disk that was left at `moment`: every shown change or a later one is
/// there, and whatever is there has its causes. Nothing: it is.
std::optional<std::string> explain(const Observed& observed,
                                   const std::vector<RegisterChange>& changes,
                                   const Knowledge& shown, std::uint32_t asked_for);

/// As `NodeUnderTest::contents`; large values stand as `kLargeMark` and their size.
Result<Contents> contents_of(EntryLog& log);
inline constexpr std::string_view kLargeMark = "(large) ";
/// Whether what was found is what was appended.
bool same_value(const std::string& found, const std::string& wanted);

// The processes and packages by number. All savers and children belong to one package.
inline constexpr std::string_view kSaverPackage =
    "terminal:sys";  ///< One that `state:distro:sys` serves.
std::string saver_id(std::size_t index);
std::string visitor_package(std::size_t index);
std::string visitor_id(std::size_t index);
std::string child_id(std::size_t index);
ProcessId id_of(const std::string& text);

// Values and messages: `c12.` is the change 12, `#7.` is what somebody knew when the token 7 was
// made. A message that wants an answer begins with `?`, one that a visitor left behind with `x`.
std::string change_text(std::uint32_t change);
std::string capability_params(std::uint32_t change);
std::uint32_t change_in(std::string_view text);
/// The number behind `mark` in `text`; 0 if there is none.
std::uint32_t number_after(std::string_view text, std::string_view mark);

}  // namespace perdure::crash
