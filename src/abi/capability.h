#pragma once

/// Capabilities as values: when two are the same, how they print, the few the kernel itself knows,
/// and the marks that tell a sender why its message came back.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "abi/message.h"

namespace perdure {

/// Params of the capabilities the kernel checks itself (K-90, K-91): JSON texts, quotes included.
inline constexpr std::string_view kMessagingParams = "\"messaging\"";
inline constexpr std::string_view kNetworkParams = "\"network\"";

Capability messaging_of(Address process);          ///< K-90
Capability network_of(std::string_view own_node);  ///< K-91
Capability root_of(std::string_view own_node);     ///< K-92: messaging of the kernel

/// Whether two params texts are the same JSON value: white space and key order do not matter, `1`
/// and `1.0` differ, of duplicate keys the last counts, and text that is no JSON equals only itself
/// (K-86).
///
/// Params nested deeper than kJsonDepthMax count as no JSON.
bool params_equal(std::string_view left, std::string_view right);

/// Equal keys if and only if the capabilities are equal (K-86): what sets and indices use. The text
/// is unambiguous and stable, so that it may be part of stored keys (docs/formats/records.md).
class CapabilityKey {
public:
    explicit CapabilityKey(const Capability& capability);
    const std::string& text() const { return text_; }

    friend auto operator<=>(const CapabilityKey&, const CapabilityKey&) = default;

private:
    std::string text_;
};

/// `issuer(params)`, for logs (K-89).
std::string to_string(const Capability& capability);
std::ostream& operator<<(std::ostream& out, const Capability& capability);

// Marks (K-242): the last capability of a message that came back with Timeout, issued by the own
// node's kernel.
//   denial mark   {"denied":{"issuer":ADDRESS,"params":PARAMS}}             the right that is
//   missing refusal mark  {"full":{"mailbox":ADDRESS,"messages":N,"bytes":N}}       the mailbox
//   that is full
//                 {"full":{"peer":NODE,"messages":N,"bytes":N}}             the peer whose queue is
//                 full
//                 {"full":{"outstanding":N}}                                the sender's own
//                 unanswered Requests

struct FullMailbox {
    Address mailbox;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const FullMailbox&, const FullMailbox&) = default;
};
struct FullPeer {
    std::string peer;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const FullPeer&, const FullPeer&) = default;
};
struct TooMuchOutstanding {
    std::uint64_t outstanding = 0;
    friend bool operator==(const TooMuchOutstanding&, const TooMuchOutstanding&) = default;
};
using Refusal = std::variant<FullMailbox, FullPeer, TooMuchOutstanding>;

Capability make_denial_mark(std::string_view own_node, const Capability& missing);
Capability make_refusal_mark(std::string_view own_node, const Refusal& refusal);

/// Whether a capability is a mark, of whatever content: issued by `own_node`'s kernel, params an
/// object with the key `denied` or `full`. Nobody can hold, save, attach or be granted one; leave
/// it out without a print.
bool is_mark(const Capability& capability, std::string_view own_node);

/// The missing right a denial mark names; nothing for every other capability.
std::optional<Capability> denied_by(const Capability& capability, std::string_view own_node);
/// What a refusal mark says is full; nothing for every other capability.
std::optional<Refusal> refused_by(const Capability& capability, std::string_view own_node);

}  // namespace perdure

template <>
struct std::hash<perdure::CapabilityKey> {
    std::size_t operator()(const perdure::CapabilityKey& key) const noexcept {
        return std::hash<std::string>{}(key.text());
    }
};
