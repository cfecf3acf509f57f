#include "modules/process_state/process_state_module.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "abi/record_codec.h"

namespace perdure::modules {
namespace {

constexpr kernel::AppenderId kAppender = 0xffff'ffff;  ///< The module's own share of the journal.

bool is_served(const Address& source, const std::string& own_node) {
    const PackageId package = source.process.package_id();
    return source.node == own_node &&
           (package == PackageId{"distro", "sys"} || package == PackageId{"terminal", "sys"});
}

}  // namespace

ProcessStateModule::ProcessStateModule(kernel::ModuleServices& services, kernel::Journal& journal,
                                       std::uint64_t state_bytes_max)
    : services_(services), journal_(journal), state_bytes_max_(state_bytes_max) {}

void ProcessStateModule::handle(kernel::IncomingRequest request) {
    if (!is_served(request.source->address, services_.own_node())) {
        services_.print(*this, 1,
                        "request of " + request.source->printed +
                            " ignored: only packages distro:sys and terminal:sys are served",
                        request.seen);
        return;
    }
    const std::string sender = request.source->printed;
    std::deque<kernel::IncomingRequest>& queue = waiting_[sender];
    queue.push_back(std::move(request));
    if (queue.size() == 1) {
        next(sender);
    }
}

void ProcessStateModule::next(const std::string& sender) {
    carry_out(waiting_.at(sender).front());
}

void ProcessStateModule::finish(const std::string& sender, Answer answer) {
    // On the module's worker, whatever thread the answer came from.
    auto shared = std::make_shared<Answer>(std::move(answer));
    services_.run_on_worker([this, sender, shared] {
        const auto queue = waiting_.find(sender);
        const kernel::IncomingRequest& request = queue->second.front();
        Response response;
        response.body = shared->body;
        response.metadata = request.request.metadata;  // K-205
        services_.respond(*this, request.reply, std::move(response), std::move(shared->blob),
                          std::max(request.seen, shared->number));
        queue->second.pop_front();
        if (queue->second.empty()) {
            waiting_.erase(queue);
        } else {
            next(sender);
        }
    });
}

void ProcessStateModule::carry_out(const kernel::IncomingRequest& request) {
    const std::string sender = request.source->printed;
    const auto decoded = decode_state_request(request.request.body.view());
    if (!decoded) {
        finish(sender,
               {encode_state_error(state_error::BadJson{decoded.error().message()}), {}, {}});
        return;
    }
    if (const auto* wanted = std::get_if<state_request::GetState>(&*decoded)) {
        get(sender, *decoded, wanted->id);
    } else if (const auto* removed = std::get_if<state_request::DeleteState>(&*decoded)) {
        change(sender, *decoded, removed->id, std::nullopt);
    } else if (const auto* stored = std::get_if<state_request::SetState>(&*decoded)) {
        if (!request.blob) {
            finish(sender, {encode_state_error(state_error::BadBytes{"SetState"}), {}, {}});
        } else if (request.blob->bytes.size() > state_bytes_max_) {
            finish(sender,
                   {encode_state_error(state_error::StoreFailure{
                        "SetState", "state of " + std::to_string(request.blob->bytes.size()) +
                                        " bytes exceeds state_bytes_max " +
                                        std::to_string(state_bytes_max_)}),
                    {},
                    {}});
        } else {
            change(sender, *decoded, stored->id, request.blob->bytes);
        }
    } else {
        finish(sender, {encode_state_error(
                            state_error::StoreFailure{"Backup", "this version makes no backups"}),
                        {},
                        {}});
    }
}

void ProcessStateModule::get(const std::string& sender, const StateRequest& request,
                             const ProcessId& process) {
    if (!is_safe(process)) {  // Nothing is ever stored for such an id.
        finish(sender, {encode_state_error(state_error::NotFound{process}), {}, {}});
        return;
    }
    journal_.read(
        Family::ProcessState, process_key(process),
        [this, sender, request, process](Result<Seen<kernel::Journal::StoredValue>> read) {
            if (!read) {
                finish(sender, {encode_state_error(
                                    state_error::StoreFailure{"GetState", read.error().message()}),
                                {},
                                {}});
                return;
            }
            Causality asker;
            const SequenceNumber number = read->number();
            auto value = std::move(*read).tell(asker);
            if (!value) {
                finish(sender, {encode_state_error(state_error::NotFound{process}), {}, number});
                return;
            }
            finish(sender,
                   {encode_state_success(request), Blob{std::string(kStateMime), *value}, number});
        });
}

void ProcessStateModule::change(const std::string& sender, const StateRequest& request,
                                const ProcessId& process, std::optional<SharedBytes> value) {
    if (!is_safe(process)) {
        finish(sender, {encode_state_error(state_error::BadJson{
                            "the process id " + to_string(process) + " is not safe"}),
                        {},
                        {}});
        return;
    }
    if (journal_.no_space()) {
        refuse_for_space(sender, request);
        return;
    }
    Entry entry{EntryKind::Module, {}};
    entry.changes.push_back({Family::ProcessState, process_key(process), std::move(value)});
    if (entry.size() <= journal_.inline_bytes_max()) {
        try_change(sender, request, std::move(entry));
        return;
    }
    journal_.append_large(kAppender, std::move(entry),
                          [this, sender, request](Result<SequenceNumber> number) {
                              if (number) {
                                  finish(sender, {encode_state_success(request), {}, *number});
                              } else {
                                  finish(sender, {encode_state_error(state_error::StoreFailure{
                                                      "SetState", number.error().message()}),
                                                  {},
                                                  {}});
                              }
                          });
}

void ProcessStateModule::refuse_for_space(const std::string& sender, const StateRequest& request) {
    const char* action =
        std::holds_alternative<state_request::SetState>(request) ? "SetState" : "DeleteState";
    finish(sender,
           {encode_state_error(state_error::StoreFailure{
                action, "the disk has less than reserve_bytes free; make room and try again"}),
            {},
            {}});
}

void ProcessStateModule::try_change(const std::string& sender, const StateRequest& request,
                                    Entry entry) {
    if (const auto number = journal_.append(kAppender, entry)) {
        finish(sender, {encode_state_success(request), {}, *number});
        return;
    }
    if (journal_.no_space()) {
        refuse_for_space(sender, request);
        return;
    }
    // No room: the request stays at the head of its sender's queue (K-268).
    auto kept = std::make_shared<Entry>(std::move(entry));
    journal_.when_room(kAppender, kept->size(), [this, sender, request, kept] {
        services_.run_on_worker(
            [this, sender, request, kept] { try_change(sender, request, std::move(*kept)); });
    });
}

}  // namespace perdure::modules
