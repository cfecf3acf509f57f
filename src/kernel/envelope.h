#pragma once

/// A message under way: what guests see of it (`Content`, a blob) and what only the kernel knows
/// (K-17).

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "abi/message.h"
#include "base/bytes.h"
#include "base/ref.h"
#include "base/sequence.h"
#include "kernel/party.h"
#include "kernel/task.h"

namespace perdure::kernel {

class Process;

/// A message as it was sent, after filtering. Immutable and shared: the envelope under way and the
/// sender's outstanding entry hold the same one, because a send error gives it back (K-62).
struct Content final : RefCounted {
    explicit Content(Message message_in) : message(std::move(message_in)) {}
    const Message message;

    const Request* request() const { return std::get_if<Request>(&message); }
    const Response* response() const { return std::get_if<Response>(&message); }
    const SharedBytes& body() const;
    const std::optional<std::string>& metadata() const;
    const std::vector<Capability>& capabilities() const;
};

/// The Request a Response would answer: its id and where its answers go.
struct Prompt {
    std::uint64_t id = 0;
    Ref<const Party> reply_to;
};

/// What an outcome puts back when it is handed over (K-28, K-29).
struct SavedVariables {
    std::optional<Prompt> prompt;     ///< P
    std::optional<Prompt> lineage;    ///< L
    std::optional<Blob> inheritable;  ///< Binh
};

/// The part of an element that only outcomes of our own messages have: the entry they ended (K-56).
struct OutcomeOf {
    std::optional<SharedBytes> context;
    SavedVariables saved;
};

struct Envelope final : Task {
    enum class Kind : std::uint8_t { Request, Response, SendError };

    Kind kind = Kind::Request;
    SendErrorKind error_kind = SendErrorKind::Timeout;
    std::uint64_t id = 0;
    Ref<const Party> peer;      ///< The source; for a send error the target that was not reached.
    Ref<const Party> reply_to;  ///< Carried reply address of a Request; null if it has none.
    Ref<const Content> content;
    std::optional<Blob> blob;
    SequenceNumber seen;  ///< What its maker depended on (K-265).
    Ref<Process> target;
    std::optional<OutcomeOf> outcome;
    std::unique_ptr<Envelope> next_waiting;  ///< The mailbox's list.

    Envelope();
    ~Envelope() override;

    /// Body, metadata and blob: what a mailbox's byte bound counts (K-83).
    std::size_t counted_bytes() const;

    /// Arrives at its target's worker.
    void run(Worker& worker, std::unique_ptr<Task> self) override;
};

}  // namespace perdure::kernel
