#pragma once

/// One run of a process, from start to exit: the variables of K-25, its outstanding Requests, and
/// the host calls.
///
/// Everything here belongs to the process's worker. The guest calls in from inside `poll`; results
/// are pinned in the instance until the guest's next call (E-6).
///
/// Invariants:
///  1. An id in `outstanding_` has exactly one place reserved in the process's mailbox room, given
///  back when its outcome
///     is handed over or the instance ends (K-263).
///  2. An outstanding entry ends once: it leaves the map in the same step that makes its outcome
///  (K-55, K-56).
///  3. `seen` never goes down, and everything handed to the guest or appended by it raises it
///  (K-265).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/sequence.h"
#include "kernel/deadline_wheel.h"
#include "kernel/envelope.h"
#include "kernel/guest.h"
#include "kernel/host_calls.h"
#include "kernel/journal.h"
#include "kernel/router.h"

namespace perdure::kernel {

/// Which way a process changes what it holds.
enum class CapabilityChange : std::uint8_t { Save, Drop };

class Instance;
class Kernel;
class Process;
class Worker;

/// Something of an instance that is to happen at a point in time.
struct TimedCall : Deadline {
    virtual ~TimedCall() = default;
    /// Thread: the worker's; the deadline is disarmed already.
    virtual void due() = 0;
};

/// A Request without its outcome yet (K-55).
struct Outstanding final : TimedCall {
    Instance* owner = nullptr;
    std::uint64_t id = 0;
    Ref<const Party> target;
    Ref<const Content> content;
    std::optional<Blob> blob;
    OutcomeOf outcome;

    void due() override;
};

/// The end of a guest's error stream, kept for its crash report (K-227). Memory is taken at the
/// first write.
class ErrorTail {
public:
    explicit ErrorTail(std::size_t bytes_max) : bytes_max_(bytes_max) {}
    void write(ByteView bytes);
    bool empty() const { return kept_.empty(); }
    /// The last bytes in order; whatever is not UTF-8 is replaced.
    std::string text() const;

private:
    std::size_t bytes_max_;
    std::string kept_;  ///< A ring once it is full; `next_` is the oldest byte then.
    std::size_t next_ = 0;
};

class Instance final : public HostCalls {
public:
    Instance(Worker& worker, Process& process, std::uint64_t number, SequenceNumber seen);
    ~Instance() override;
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    /// Makes the guest. Errors: as Engine::instantiate.
    Result<void> start();

    Guest& guest() { return *guest_; }
    /// Hands the guest out for its deletion, which calls nothing back and may come after the
    /// instance's end.
    std::unique_ptr<Guest> release_guest() { return std::move(guest_); }
    bool started() const { return guest_ != nullptr; }
    std::uint64_t number() const { return number_; }
    SequenceNumber seen() const { return causality_.seen(); }
    const ErrorTail& error_tail() const { return error_tail_; }
    std::size_t outstanding_count() const { return outstanding_.size(); }

    /// A Response reached the worker: if its id is outstanding it becomes that entry's outcome,
    /// else it is dropped (K-56).
    void arrive_response(std::unique_ptr<Envelope> envelope);
    /// Whether the guest waits in `receive`, so that a new element has to wake it.
    bool waits_in_receive() const;
    /// Ends an outstanding Request with a send error. `mark` is the extra capability of K-242.
    void fail(std::uint64_t id, SendErrorKind kind, const std::optional<Capability>& mark);

    /// Ends an outstanding Request with Timeout because its target has no answer for it; nothing if
    /// it has ended.
    void refuse(std::uint64_t id, SequenceNumber seen);

    Process& process() { return process_; }
    /// True when the guest should stop soon although its slice is not used up: back-pressure
    /// (K-83).
    bool wants_slice_end() const { return end_slice_; }
    /// True when the guest may not run before the journal has room: an entry was taken above its
    /// share (K-268).
    bool owes_room() const { return owes_room_; }
    void begin_slice();
    void room_came();

    /// A read or append that the guest waits for has ended.
    void finish_read(Result<Seen<Journal::StoredValue>> result);
    void finish_append(Result<SequenceNumber> result);

    // HostCalls
    std::string_view fault_text() override { return fault_text_; }
    TickDecision on_tick() override;
    void print(std::uint8_t level, std::string_view text) override;
    AddressView our() override;
    OnExitView get_on_exit() override;
    CallStatus set_on_exit(const OnExitView& on_exit) override;
    bool has_blob() override { return current_blob_.has_value(); }
    CallStatus send_requests(std::span<const SendView> sends) override;
    CallStatus send_response(const ResponseView& response,
                             const std::optional<BlobView>& blob) override;
    CallStatus receive(Resume resume, DeliveryView& out) override;
    CallStatus send_and_await(Resume resume, const SendView* send, DeliveryView& out) override;
    CallStatus get_blob(Resume resume, BlobOf which, std::optional<BlobView>& out) override;
    CallStatus get_state(Resume resume, std::optional<ByteView>& out) override;
    CallStatus set_state(Resume resume, ByteView bytes) override;
    CallStatus clear_state(Resume resume) override;
    CallStatus save_capabilities(Resume resume, std::span<const CapabilityView> list) override;
    CallStatus drop_capabilities(Resume resume, std::span<const CapabilityView> list) override;
    CallStatus our_capabilities(Resume resume, std::span<const CapabilityView>& out) override;
    CallStatus spawn(Resume resume, const SpawnView* spawn, SpawnError& error) override;
    void write_output(OutputStream stream, ByteView bytes) override;
    void random(std::span<Byte> out, RandomUse use) override;
    std::uint64_t monotonic_ns() override;
    void wall_clock(std::uint64_t& seconds, std::uint32_t& nanoseconds) override;
    CallStatus sleep_until(Resume resume, std::uint64_t deadline_ns) override;

private:
    struct Wake;
    struct SleepDeadline final : TimedCall {
        Instance* owner = nullptr;
        bool fired = false;
        void due() override;
    };
    /// An append or read of the store that its guest waits for.
    struct StoreCall {
        enum class Step : std::uint8_t { Idle, Waiting, Done } step = Step::Idle;
        std::optional<Entry> entry;  ///< To be appended when there is room.
        std::optional<Error> failure;
        SharedBytes value;
        bool present = false;
    };

    CallStatus fault(std::string text);
    void learn(SequenceNumber number);

    // Messages (instance_messages.cc)
    void hand_over(std::unique_ptr<Envelope> envelope, DeliveryView& out);
    void show_content(const Content& content, DeliveryView& out);
    void become_current(const Envelope& envelope);
    SavedVariables saved_variables() const { return {prompt_, lineage_, inheritable_}; }
    void take_outcome(std::unique_ptr<Envelope> envelope);

    // Sending (instance_send.cc)
    struct Sent {
        std::uint64_t id = 0;
        bool past_half = false;
    };
    enum class SendPurpose : std::uint8_t { Queue, Await };
    Sent send_one(const SendView& send, SendPurpose purpose);
    /// Why a message is not sent although its target may exist: the mark for its error, or nothing
    /// with `silent` set.
    std::optional<Capability> refusal(const Route& route, const SendView& send, bool& silent);
    std::uint64_t new_id();
    void return_message(const Ref<const Party>& target, Ref<const Content> content,
                        std::optional<Blob> blob, std::optional<SharedBytes> context,
                        SendErrorKind kind);

    // Store (instance_store.cc)
    CallStatus append_state(Resume resume, EntryKind kind, std::optional<ByteView> bytes);
    CallStatus try_append();
    CallStatus change_capabilities(CapabilityChange change);
    std::function<void()> waker(Waiting waiting);

    Worker& worker_;
    Kernel& kernel_;
    Process& process_;
    const std::uint64_t number_;
    Causality causality_;

    // K-25
    std::optional<Prompt> prompt_;
    std::optional<Prompt> lineage_;
    std::optional<Blob> current_blob_;
    std::optional<Blob> inheritable_;
    std::optional<Blob> last_blob_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Outstanding>> outstanding_;

    std::optional<std::uint64_t> awaiting_;
    std::unique_ptr<Envelope> awaited_;
    TargetCache targets_;
    StoreCall store_;
    std::vector<Capability> capability_change_;  ///< While a capability call waits for room.
    SleepDeadline sleep_;
    ErrorTail error_tail_;
    std::string fault_text_;
    std::string print_prefix_;
    bool end_slice_ = false;
    bool owes_room_ = false;

    // Pinned until the guest's next call.
    std::unique_ptr<Envelope> current_;
    std::vector<CapabilityView> capability_views_;
    std::vector<SendView> send_views_;
    std::vector<std::vector<CapabilityView>> nested_capability_views_;
    std::shared_ptr<const HeldSet> pinned_held_;
    std::shared_ptr<const OnExit> pinned_on_exit_;

    /// Last, so that the guest goes first: deleting it unwinds frames that point into everything
    /// above.
    std::unique_ptr<Guest> guest_;
};

}  // namespace perdure::kernel
