#include "node_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "stepped_node.h"
#include "storage/large_entries.h"
#include "storage/rocks_store.h"

namespace perdure::crash {

class NodeWorkload::Run final : public DiskWorkload<NodeMoment> {
public:
    Run(std::uint64_t seed, LogFaultsForTest faults, kernel::KernelFaultsForTest kernel_faults)
        : DiskWorkload(seed, {.restart = 500, .flush = 150, .full = 60, .failed_sync = 500}),
          faults_(faults),
          kernel_faults_(kernel_faults),
          world_(random_, false) {
        image_.directories.insert("/pkg");
    }

    NodeStretch run(std::size_t actions);

    std::vector<std::string> losses() const {
        std::vector<std::string> all = losses_;
        all.insert(all.end(), world_.losses.begin(), world_.losses.end());
        return all;
    }
    World& world() { return world_; }
    WorkloadCounts counts() const {
        return {{"entries", entries_},         {"changes asked for", world_.changes.size()},
                {"messages", world_.messages}, {"prints that left", prints_left_},
                {"command answers", answers_}, {"starts", starts_}};
    }

private:
    Result<void> start_node() override;
    void end_node(End end) override;
    bool after_start() override;
    void act() override;
    void flush() override {
        static_cast<void>(static_cast<RocksStore&>((*node_)->storage().store_for_test()).flush());
    }
    NodeMoment moment() const override {
        NodeMoment moment = DiskWorkload::moment();
        moment.changes = static_cast<std::uint32_t>(world_.changes.size());
        return moment;
    }
    void recovered(Storage& storage);
    void appended(SequenceNumber number, const Entry& entry, const std::vector<LargeUse>& large);
    bool install_savers();
    void step_kernel();
    void commit() {
        DiskWorkload::commit((*node_)->storage().committer(), (*node_)->storage().log());
    }
    void wake_saver();
    void ask_saver();
    void restart_saver();
    void install_visitor(std::size_t visitor);
    void remove_visitor(std::size_t visitor);
    void kill_visitor(std::size_t visitor);
    void use_state(std::size_t visitor);
    void list_processes();
    void list_packages();
    void check_absence(std::size_t visitor, Register which);
    void resync(std::size_t visitor);

    /// An output has left: everything in its past must be there after any crash from now on.
    void left(const Knowledge& knowledge);
    void left(std::uint32_t change);
    /// A callback of the command line that counts only in the life of the node that was asked.
    template <typename T>
    node::Done<T> when_answered(std::function<void(Result<T>)> then) {
        return [this, life = life_, then = std::move(then)](Result<T> result) {
            if (life == life_) {
                ++answers_;
                trace("answer", result ? 1 : 0);
                then(std::move(result));
            }
        };
    }

    const LogFaultsForTest faults_;
    const kernel::KernelFaultsForTest kernel_faults_;
    World world_;
    std::unique_ptr<SteppedNode> node_;
    std::unique_ptr<node::LogSubscription> prints_;
    std::uint64_t life_ = 0;  ///< Counts the nodes; 0 while none runs.
    std::uint64_t lives_ = 0;
    std::optional<std::size_t> busy_;              ///< The visitor whose package is being changed.
    std::array<bool, kVisitors> state_changes_{};  ///< By the command line, not answered yet.
    bool ending_ = false;
    std::uint64_t prints_left_ = 0;
    std::uint64_t answers_ = 0;
};

void NodeWorkload::Run::left(const Knowledge& knowledge) {
    mark_moments();  // the operations before it happened before it was shown
    auto shown = std::make_shared<Knowledge>(*now_.shown);
    learn(*shown, knowledge);
    now_.shown = std::move(shown);
}

void NodeWorkload::Run::left(std::uint32_t change) {
    Knowledge knowledge{};
    world_.learn_change(knowledge, change);
    world_.complete(change);
    left(knowledge);
}

void NodeWorkload::Run::appended(SequenceNumber number, const Entry& entry,
                                 const std::vector<LargeUse>& large) {
    Contents contents = *history_.back().contents;
    for (std::size_t i = 0; i < entry.changes.size(); ++i) {
        const Change& change = entry.changes[i];
        if (change.family == Family::Meta) {
            continue;
        }
        const std::string key = content_key(change.family, change.key.text());
        const auto use = std::find_if(large.begin(), large.end(),
                                      [&](const LargeUse& one) { return one.change_index == i; });
        if (!change.value) {
            contents.erase(key);
        } else if (use != large.end()) {
            contents[key] = std::string(kLargeMark) + std::to_string(use->reference.size);
        } else {
            contents[key] = std::string(change.value->text());
        }
    }
    remember(number.value, entry.kind, std::move(contents));
}

void NodeWorkload::Run::recovered(Storage& storage) {
    mark_moments();
    forget_above(storage.recovered().last.value, storage.log());
    const auto contents = contents_of(storage.log());
    if (!contents) {
        losses_.push_back("a listing failed: " + contents.error().message());
        return;
    }
    const Observed observed = observe(*contents);
    if (auto loss = explain(observed, world_.changes, *now_.shown,
                            static_cast<std::uint32_t>(world_.changes.size()))) {
        losses_.push_back("after a restart of the workload: " + *loss);
    }
    for (Register which = 0; which < kRegisters; ++which) {
        std::uint32_t found = 0;
        for (std::uint32_t id = 1; id <= world_.changes.size(); ++id) {
            const RegisterChange& change = world_.change(id);
            if (change.which == which && change.value == observed[which]) {
                found = id;
            }
        }
        world_.resume(which, found);
    }
    // Who has requests to fire ends at boot (K-165).
    for (std::size_t i = 0; i < kVisitors; ++i) {
        if (observed[register_of(RegisterKind::VisitorOnExit, i)].starts_with('x')) {
            world_.end(register_of(RegisterKind::VisitorLife, i), {});
        }
    }
}

Result<void> NodeWorkload::Run::start_node() {
    life_ = ++lives_;
    busy_.reset();
    state_changes_ = {};
    node_ = std::make_unique<SteppedNode>(*files_, random_.next());
    node_->faults = faults_;
    node_->by_hand.kernel_faults = kernel_faults_;
    node_->by_hand.recovered = [this](Storage& storage) { recovered(storage); };
    node_->by_hand.after_failed_write = [this](const Error&) { return retry_write(); };
    node_->by_hand.appended = [this](SequenceNumber number, const Entry& entry,
                                     const std::vector<LargeUse>& large) {
        appended(number, entry, large);
    };
    return node_->start();
}

bool NodeWorkload::Run::after_start() {
    node::LogQuery query;
    query.verbosity = 255;
    query.until = node::LogQuery::Until::Forever;
    node::LogReceiver receiver;
    receiver.line = [this](const node::LogLine& line) {
        if (line.origin == node::LogOrigin::Print) {
            Knowledge knowledge{};
            world_.read(line.text, knowledge);
            left(knowledge);
            ++prints_left_;
            trace(line.text, 0);
        }
    };
    receiver.end = [](const Result<void>&) {};
    auto prints = (*node_)->logs(query, std::move(receiver));
    if (!prints) {
        losses_.push_back("prints cannot be followed: " + prints.error().message());
        return false;
    }
    prints_ = std::move(*prints);
    return install_savers();
}

void NodeWorkload::Run::end_node(End end) {
    mark_moments();
    ending_ = true;
    if (end == End::Orderly) {
        node_->stop();  // What the gate lets out meanwhile has left.
    }
    life_ = 0;
    prints_.reset();
    node_->crash();
    node_.reset();
    ending_ = false;
    mark_moments();
}

bool NodeWorkload::Run::install_savers() {
    bool present = false;
    const auto contents = contents_of((*node_)->storage().log());
    if (!contents || savers_present(*contents, present)) {
        losses_.emplace_back("the savers are there in part after a restart");
        return false;
    }
    if (present) {
        return true;
    }
    if (now_.savers_shown) {
        losses_.emplace_back("the savers were installed and are gone after a restart");
        return false;
    }
    put_savers_package(*files_);
    bool answered = false;
    (*node_)->start_package(
        "/pkg/savers",
        when_answered<node::StartedPackage>([&](Result<node::StartedPackage> started) {
            mark_moments();
            answered = true;
            now_.savers_shown = started.has_value();
            if (!started) {
                losses_.push_back("the savers could not be installed: " +
                                  started.error().message());
            }
        }));
    for (std::size_t round = 0; round < kRoundsMax && !answered; ++round) {
        step_kernel();
        commit();
    }
    return now_.savers_shown;
}

void NodeWorkload::Run::step_kernel() {
    if (random_.one_in(3)) {
        node_->executor.run_one();
    }
    (*node_)->kernel().worker(static_cast<std::uint32_t>(random_.below(kKernelWorkers))).step();
}

void NodeWorkload::Run::act() {
    const std::size_t visitor = random_.below(kVisitors);
    switch (random_.below(24)) {
        case 0:
        case 1:
        case 2:
        case 3: wake_saver(); break;
        case 4: ask_saver(); break;
        case 5: install_visitor(visitor); break;
        case 6: random_.one_in(3) ? remove_visitor(visitor) : kill_visitor(visitor); break;
        case 7: use_state(visitor); break;
        case 8: random_.one_in(3) ? list_packages() : list_processes(); break;
        case 9: restart_saver(); break;
        case 10:
            if (random_.one_in(8)) {
                node_->clock.advance(std::chrono::seconds(1));
            }
            break;
        case 11:
        case 12:
        case 13:
        case 14: commit(); break;
        default:
            for (std::size_t rounds = 1 + random_.below(12); rounds != 0; --rounds) {
                step_kernel();
                mark_moments();
            }
            break;
    }
}

void NodeWorkload::Run::wake_saver() {
    node::SendCommand command;
    command.address = random_.one_in(5)   ? visitor_id(random_.below(kVisitors))
                      : random_.one_in(4) ? saver_id(0)
                                          : saver_id(random_.below(kSavers));
    command.body = SharedBytes(std::string_view("go"));
    (*node_)->send(std::move(command),
                   when_answered<node::SendAnswer>([](const Result<node::SendAnswer>&) {}));
}

void NodeWorkload::Run::ask_saver() {
    node::SendCommand command;
    command.address = saver_id(random_.below(kSavers));
    command.body = SharedBytes(std::string_view("?"));
    command.timeout_seconds = 3;
    (*node_)->send(std::move(command),
                   when_answered<node::SendAnswer>([this](Result<node::SendAnswer> answer) {
                       if (answer && answer->outcome == node::SendAnswer::Outcome::Response) {
                           Knowledge knowledge{};
                           world_.read(answer->body.text(), knowledge);
                           left(knowledge);
                       }
                   }));
}

void NodeWorkload::Run::restart_saver() {
    const std::size_t saver = kNeverRestarted + random_.below(kSavers - kNeverRestarted);
    (*node_)->restart(saver_id(saver), when_answered<void>([](const Result<void>&) {}));
}

void NodeWorkload::Run::install_visitor(std::size_t visitor) {
    if (busy_) {
        return;
    }
    busy_ = visitor;
    world_.end(register_of(RegisterKind::VisitorLife, visitor), {});
    const std::uint32_t version = world_.next_change();
    const std::uint32_t package = world_.ask_for(register_of(RegisterKind::VisitorPackage, visitor),
                                                 fmt::format("1.0.{}", version), {});
    const std::uint32_t life = world_.ask_for(register_of(RegisterKind::VisitorLife, visitor),
                                              std::to_string(version), {});
    world_.ask_for(register_of(RegisterKind::VisitorOnExit, visitor),
                   fmt::format("manifest {}", version), {});
    (*node_)->start_package(
        put_visitor_package(*files_, visitor, version),
        when_answered<node::StartedPackage>([=, this](const Result<node::StartedPackage>& started) {
            busy_.reset();
            if (started) {
                left(package);
                left(life);
            } else {
                resync(visitor);
            }
        }));
}

void NodeWorkload::Run::remove_visitor(std::size_t visitor) {
    if (busy_) {
        return;
    }
    busy_ = visitor;
    const Register package = register_of(RegisterKind::VisitorPackage, visitor);
    const bool was_up = world_.is_up(package);
    const std::uint32_t ended = world_.end(register_of(RegisterKind::VisitorLife, visitor), {});
    const std::uint32_t removed = world_.end(package, {});
    (*node_)->remove_package(visitor_package(visitor),
                             when_answered<void>([=, this](const Result<void>& answer) {
                                 busy_.reset();
                                 if (answer && was_up) {
                                     left(removed);
                                     if (ended != 0) {
                                         left(ended);
                                     }
                                 } else if (!answer) {
                                     check_absence(visitor, package);
                                     resync(visitor);
                                 }
                             }));
}

void NodeWorkload::Run::kill_visitor(std::size_t visitor) {
    if (busy_ == visitor) {
        return;
    }
    const Register life = register_of(RegisterKind::VisitorLife, visitor);
    const std::uint32_t ended = world_.end(life, {});
    (*node_)->kill(visitor_id(visitor), when_answered<void>([=, this](const Result<void>&) {
                       // Killed now, or not there: either way it is gone.
                       if (ended != 0) {
                           left(ended);
                       }
                   }));
}

/// State of a process that does not use it itself, so that only the command line changes it.
void NodeWorkload::Run::use_state(std::size_t visitor) {
    const Register state = register_of(RegisterKind::VisitorState, visitor);
    const std::string process = visitor_id(visitor);
    if (random_.one_in(4)) {
        (*node_)->export_state(process, when_answered<std::optional<SharedBytes>>(
                                            [this](Result<std::optional<SharedBytes>> bytes) {
                                                if (bytes && *bytes) {
                                                    left(change_in((*bytes)->text()));
                                                }
                                            }));
        return;
    }
    // Of two commands under way at once either may come first.
    if (std::exchange(state_changes_[visitor], true)) {
        return;
    }
    if (random_.one_in(4)) {
        const std::uint32_t change = world_.ask_for(state, "", {});
        (*node_)->clear_state(process, when_answered<void>([=, this](const Result<void>& answer) {
                                  state_changes_[visitor] = false;
                                  if (answer) {
                                      left(change);
                                  }
                              }));
        return;
    }
    const std::uint32_t change = world_.ask_for(state, change_text(world_.next_change()), {});
    const std::string bytes =
        change_text(change) + std::string(random_.one_in(5) ? 3'000 : random_.below(200), 'y');
    (*node_)->import_state(process, SharedBytes(std::string_view(bytes)),
                           when_answered<void>([=, this](const Result<void>& answer) {
                               state_changes_[visitor] = false;
                               if (answer) {
                                   left(change);
                               }
                           }));
}

void NodeWorkload::Run::list_processes() {
    std::array<std::uint32_t, kVisitors> completed{};
    for (std::size_t i = 0; i < kVisitors; ++i) {
        completed[i] = world_.completed(register_of(RegisterKind::VisitorLife, i));
    }
    (*node_)->processes(when_answered<std::vector<node::ProcessRow>>(
        [=, this](const Result<std::vector<node::ProcessRow>>& rows) {
            for (std::size_t i = 0; rows && i < kVisitors; ++i) {
                const bool there = std::any_of(
                    rows->begin(), rows->end(),
                    [&](const node::ProcessRow& row) { return row.process == visitor_id(i); });
                const bool was_up = completed[i] != 0 && !world_.change(completed[i]).value.empty();
                if (there && was_up) {
                    left(completed[i]);
                } else if (!there && was_up) {
                    const std::uint32_t ended =
                        world_.end_after(register_of(RegisterKind::VisitorLife, i), completed[i]);
                    if (ended != 0) {
                        left(ended);
                    } else {
                        losses_.push_back(
                            fmt::format("ps does not show visitor {}, and nobody ended it", i));
                    }
                } else if (!there && completed[i] != 0) {
                    left(completed[i]);
                }
            }
        }));
}

void NodeWorkload::Run::list_packages() {
    (*node_)->packages(when_answered<std::vector<node::PackageRow>>(
        [this](const Result<std::vector<node::PackageRow>>& rows) {
            for (std::size_t i = 0; rows && i < kVisitors; ++i) {
                for (const node::PackageRow& row : *rows) {
                    if (row.package == visitor_package(i)) {
                        left(number_after(row.version, "1.0."));
                    }
                }
            }
        }));
}

/// The command line was told that there is no such thing.
void NodeWorkload::Run::check_absence(std::size_t visitor, Register which) {
    const std::uint32_t last = world_.completed(which);
    if (last == 0 || world_.change(last).value.empty()) {
        if (last != 0) {
            left(last);
        }
        return;
    }
    const std::uint32_t ended = world_.end_after(which, last);
    if (ended == 0) {
        losses_.push_back(
            fmt::format("{} is said not to be there, and nobody ended it", name_of(which)));
    }
    static_cast<void>(visitor);
}

/// A change of its package was refused: what is there is what the log holds now.
void NodeWorkload::Run::resync(std::size_t visitor) {
    if (ending_) {
        return;  // The next start sees what is there.
    }
    const auto contents = contents_of((*node_)->storage().log());
    if (!contents) {
        losses_.push_back("a listing failed: " + contents.error().message());
        return;
    }
    const Observed observed = observe(*contents);
    for (const RegisterKind kind :
         {RegisterKind::VisitorLife, RegisterKind::VisitorPackage, RegisterKind::VisitorOnExit}) {
        const Register which = register_of(kind, visitor);
        for (std::uint32_t id = static_cast<std::uint32_t>(world_.changes.size()); id != 0; --id) {
            if (world_.change(id).which == which && world_.change(id).value == observed[which]) {
                world_.resume(which, id);
                break;
            }
        }
    }
}

NodeStretch NodeWorkload::Run::run(std::size_t actions) {
    use_world(world_);
    NodeStretch stretch = DiskWorkload::run(actions);
    std::erase_if(image_.files, [](const auto& file) { return file.first.starts_with("/pkg/"); });
    std::erase_if(image_.directories,
                  [](const std::string& directory) { return directory.starts_with("/pkg/"); });
    return stretch;
}

NodeWorkload::NodeWorkload(std::uint64_t seed, LogFaultsForTest faults,
                           kernel::KernelFaultsForTest kernel_faults) {
    register_scripts();
    run_ = std::make_unique<Run>(seed, faults, kernel_faults);
}
NodeWorkload::~NodeWorkload() = default;

NodeStretch NodeWorkload::run(std::size_t actions) {
    return run_->run(actions);
}
const std::vector<RegisterChange>& NodeWorkload::changes() const {
    return run_->world().changes;
}
std::vector<std::string> NodeWorkload::losses() const {
    return run_->losses();
}
std::uint64_t NodeWorkload::trace_hash() const {
    return run_->trace_hash();
}
WorkloadCounts NodeWorkload::counts() const {
    return run_->counts();
}

}  // namespace perdure::crash
