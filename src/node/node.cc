#include "node/node.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "abi/record_codec.h"
#include "engine/engine.h"
#include "kernel/kernel.h"
#include "kernel/kernel_module.h"
#include "modules/process_state/process_state_module.h"
#include "modules/timer/timer_module.h"
#include "node/async_sink.h"
#include "node/blocking_pool.h"
#include "node/cache_key.h"
#include "node/control_api.h"
#include "node/control_module.h"
#include "node/installer.h"
#include "node/journal_adapter.h"
#include "node/log_sinks.h"
#include "node/phase.h"
#include "node/print_hub.h"
#include "node/run.h"
#include "node/ticker.h"
#include "storage/content_hash.h"
#include "storage/home.h"
#include "storage/storage.h"
#include "transport/http_server.h"

namespace perdure::node {
namespace {

/// Whose share of the journal changes made by the command line count against.
constexpr OwnerId kCommandLineOwner = 0xffff'fffe;

LogLimits log_limits(const Settings& settings) {
    LogLimits limits;
    limits.journal_bytes_max = settings.journal_bytes_max;
    limits.journal_process_bytes_max = settings.journal_process_bytes_max;
    limits.entry_inline_bytes_max = settings.entry_inline_bytes_max;
    limits.batch_bytes_max = settings.batch_bytes_max;
    limits.reserve_bytes = settings.reserve_bytes;
    return limits;
}

kernel::KernelLimits kernel_limits(const Settings& settings) {
    kernel::KernelLimits limits;
    limits.mailbox = {settings.mailbox_messages_max, settings.mailbox_bytes_max};
    limits.outstanding_max = settings.outstanding_max;
    limits.message_body_bytes_max = settings.message_body_bytes_max;
    limits.message_blob_bytes_max = settings.message_blob_bytes_max;
    limits.state_bytes_max = settings.state_bytes_max;
    limits.component_bytes_max = settings.component_bytes_max;
    limits.process_memory_bytes_max = settings.process_memory_bytes_max;
    limits.guest_clock_resolution_us =
        static_cast<std::uint32_t>(settings.guest_clock_resolution_us);
    return limits;
}

perdure::Durability durability_of(Durability durability) {
    switch (durability) {
        case Durability::Power: return perdure::Durability::Power;
        case Durability::Process: return perdure::Durability::Process;
        case Durability::Memory: return perdure::Durability::Memory;
    }
    return perdure::Durability::Power;
}

}  // namespace

/// In the order they are built; destroyed in reverse by `~Node`.
struct Node::Parts {
    Parts(LoadedSettings settings_in, NodeWorld world_in)
        : settings(std::move(settings_in)), world(std::move(world_in)) {}

    LoadedSettings settings;
    NodeWorld world;
    std::unique_ptr<LogSink> log_file;
    std::unique_ptr<LogSink> print_file;
    std::unique_ptr<PrintHub> prints;
    std::unique_ptr<LogSink> node_lines;
    std::unique_ptr<Log> log;
    std::unique_ptr<Random> random;  ///< Of the storage room and the home.
    std::unique_ptr<Home> home;
    std::unique_ptr<Storage> storage;
    std::unique_ptr<BlockingPool> own_pool;
    Executor* pool = nullptr;
    std::unique_ptr<JournalAdapter> journal;
    std::unique_ptr<packages::CodeStore> code_store;
    std::unique_ptr<PackageCode> code;
    std::unique_ptr<engine::WasmEngine> engine;
    std::unique_ptr<kernel::Kernel> kernel;
    std::unique_ptr<kernel::KernelModule> kernel_module;
    std::unique_ptr<modules::ProcessStateModule> state_module;
    std::unique_ptr<modules::TimerModule> timer_module;
    std::unique_ptr<ControlModule> control_module;
    std::unique_ptr<Installer> installer;
    std::unique_ptr<Ticker> ticker;
    std::unique_ptr<transport::HttpServer> control;
    std::unique_ptr<transport::HttpServer> http;
    std::atomic<bool> ready{false};
    std::atomic<bool> stopping{false};

    Gate& gate() { return storage->gate(); }

    /// Lets an answer out once what it shows is on disk (K-267).
    template <typename T>
    void answer(Seen<T> value, Done<T> done) {
        const SequenceNumber number = value.number();
        auto kept = std::make_shared<Seen<T>>(std::move(value));
        gate().pass(number, [kept, done = std::move(done)] {
            Causality outside;
            done(std::move(*kept).tell(outside));
        });
    }
    void answer(SequenceNumber number, Done<void> done) {
        gate().pass(number, [done = std::move(done)] { done({}); });
    }
    /// An error that tells what is not there: that, too, is shown only once it is on disk.
    template <typename T>
    void refuse(SequenceNumber number, Error error, Done<T> done) {
        gate().pass(number, [error = std::move(error), done = std::move(done)] { done(error); });
    }
    /// What "there is no such process" depends on.
    SequenceNumber table_changed() { return kernel->table().snapshot()->changed(); }
};

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

namespace {

/// Lines of the node go to the console, the log file and `perdure logs`.
class TeeSink final : public LogSink {
public:
    explicit TeeSink(std::vector<LogSink*> sinks) : sinks_(std::move(sinks)) {}
    void write(LogLevel level, std::string_view line) override {
        for (LogSink* sink : sinks_) {
            sink->write(level, line);
        }
    }

private:
    const std::vector<LogSink*> sinks_;
};

}  // namespace

Result<std::unique_ptr<Node>> Node::start(LoadedSettings settings, NodeWorld world) {
    auto parts = std::make_unique<Parts>(std::move(settings), world);
    const Settings& values = parts->settings.values;
    const NodeByHand* by_hand = world.by_hand;
    parts->random = world.make_random();
    ASSIGN_OR_RETURN(parts->home, Home::open(world.files, values.home));
    std::vector<LogSink*> lines{&world.console};
    if (values.log_enabled) {
        const std::string folder = parts->home->path_of("log");
        const std::uint64_t half = values.log_bytes_max / 2;
        ASSIGN_OR_RETURN(auto lines_file,
                         make_file_sink({folder + "/node.log", half, values.log_files}));
        ASSIGN_OR_RETURN(auto prints_file,
                         make_file_sink({folder + "/prints.log", half, values.log_files}));
        parts->log_file =
            std::make_unique<AsyncSink>(std::move(lines_file), values.print_queue_bytes_max);
        parts->print_file =
            std::make_unique<AsyncSink>(std::move(prints_file), values.print_queue_bytes_max);
        lines.push_back(parts->log_file.get());
    }
    parts->prints =
        std::make_unique<PrintHub>(world.clock,
                                   PrintLimits{values.print_bytes_max, values.print_queue_bytes_max,
                                               values.print_kept_bytes_max},
                                   parts->print_file.get());
    lines.push_back(parts->prints.get());
    parts->node_lines = std::make_unique<TeeSink>(lines);
    parts->log = std::make_unique<Log>(*parts->node_lines, values.log_level);

    StorageOptions storage;
    storage.durability = durability_of(values.durability);
    storage.limits = log_limits(values);
    storage.faults = world.faults;
    storage.fatal = [log = *parts->log, end = world.end](const std::string& why) {
        log.error("sync_failed", LogField("cause", why),
                  LogField("cure",
                           "the node ends at once; check the disk, then start again: it recovers "
                           "from its log"));
        end(kExitStatusFailedSync, why);
    };
    if (by_hand != nullptr) {
        storage.step_by_hand = true;
        storage.tuning = by_hand->tuning;
        storage.after_failed_write = by_hand->after_failed_write;
        storage.appended = by_hand->appended;
    }
    ASSIGN_OR_RETURN(parts->storage, Storage::open(std::move(storage), *parts->home, world.files,
                                                   world.clock, *parts->random, *parts->log));
    if (by_hand != nullptr && by_hand->recovered) {
        by_hand->recovered(*parts->storage);
    }
    parts->prints->attach(parts->storage->gate());

    auto node = std::unique_ptr<Node>(new Node(std::move(parts)));
    if (by_hand == nullptr) {
        RETURN_IF_ERROR(node->listen());
    }
    RETURN_IF_ERROR(node->boot());
    return node;
}

Result<void> Node::boot() {
    Parts& parts = *parts_;
    const Settings& values = parts.settings.values;
    NodeByHand* const by_hand = parts.world.by_hand;
    if (by_hand == nullptr) {
        parts.own_pool =
            std::make_unique<BlockingPool>(static_cast<std::uint32_t>(values.blocking_threads));
    }
    parts.pool = by_hand == nullptr ? parts.own_pool.get() : &by_hand->blocking;
    parts.journal = std::make_unique<JournalAdapter>(parts.storage->log(), *parts.pool);
    ASSIGN_OR_RETURN(
        parts.code_store,
        packages::CodeStore::open(
            parts.world.files, parts.home->path(), values.component_bytes_max,
            [&parts](const std::string& why) { parts.world.end(kExitStatusFailedSync, why); }));
    RETURN_IF_ERROR(Installer::bind_installed(*parts.code_store, parts.storage->log()));
    // Recovery has synced what it found (K-270), so no crash brings back a record whose code goes
    // here. A log in memory has not looked at the records on disk, which may name all of it.
    if (values.durability != Durability::Memory) {
        Installer::remove_unused_code(*parts.code_store, *parts.log);
    }
    parts.code = std::make_unique<PackageCode>(*parts.code_store);

    ASSIGN_OR_RETURN(const CacheKey key,
                     load_cache_key(parts.world.files, parts.home->path(), *parts.random));
    engine::EngineSettings wasm;
    wasm.processes_max = static_cast<std::uint32_t>(values.processes_max);
    wasm.memory_bytes_max = values.process_memory_bytes_max;
    wasm.cache = engine::CodeCache{parts.home->path_of("cache/code"), key};
    // Every wait of a guest is a call of the kernel's, which wakes its process itself.
    const auto nobody_to_wake = [](std::uint64_t) {};
    ASSIGN_OR_RETURN(parts.engine, engine::WasmEngine::open(wasm, nobody_to_wake, *parts.log));

    kernel::KernelOptions options;
    options.own_node = values.node_name;
    if (by_hand != nullptr) {
        options.faults = by_hand->kernel_faults;
    }
    options.workers = static_cast<std::uint32_t>(values.workers);
    options.limits = kernel_limits(values);
    parts.kernel = std::make_unique<kernel::Kernel>(
        options,
        kernel::KernelParts{parts.world.clock, *parts.journal, *parts.engine, *parts.prints,
                            *parts.pool, *parts.code, *parts.log, parts.world.make_random});
    parts.kernel_module = std::make_unique<kernel::KernelModule>(
        *parts.kernel, [](ByteView code) { return content_hash(code); },
        [&parts] { parts.world.end(0, "command Shutdown"); });
    parts.state_module = std::make_unique<modules::ProcessStateModule>(
        *parts.kernel, *parts.journal, values.state_bytes_max);
    parts.timer_module =
        std::make_unique<modules::TimerModule>(*parts.kernel, parts.world.clock, values.timers_max);
    parts.control_module = std::make_unique<ControlModule>(*parts.kernel);
    parts.installer = std::make_unique<Installer>(
        Installer::Parts{parts.world.files, *parts.code_store, *parts.kernel, parts.storage->log()},
        values.component_bytes_max, *parts.log);
    parts.kernel->add_module(*parts.kernel_module);
    parts.kernel->add_module(*parts.state_module);
    parts.kernel->add_module(*parts.timer_module);
    parts.kernel->add_module(*parts.control_module);
    RETURN_IF_ERROR(parts.kernel->boot());
    if (by_hand != nullptr) {
        parts.installer->step_while_waiting(by_hand->step);
        parts.kernel->start(kernel::Kernel::Threads::Stepped);
        parts.ready.store(true);
        return {};
    }
    parts.ticker = std::make_unique<Ticker>([kernel = parts.kernel.get()] { kernel->tick(); });
    parts.kernel->start(kernel::Kernel::Threads::Real);
    parts.control->start();
    parts.http->start();
    parts.ready.store(true);
    return {};
}

Result<void> Node::listen() {
    Parts& parts = *parts_;
    transport::HttpServerOptions control;
    control.unix_path = control_socket_path(parts.home->path());
    control.thread_name = "control";
    ASSIGN_OR_RETURN(parts.control, transport::HttpServer::open(
                                        control, parts.world.clock,
                                        make_control_handler(*this, ControlScope::Everything)));
    const std::optional<std::uint64_t> wanted = parts.settings.values.http_port;
    constexpr std::uint64_t kFirst = 8080;
    constexpr std::uint64_t kLast = 8999;
    for (std::uint64_t port = wanted.value_or(kFirst);; ++port) {
        transport::HttpServerOptions http;
        http.tcp_port = static_cast<std::uint16_t>(port);
        auto opened = transport::HttpServer::open(
            http, parts.world.clock, make_control_handler(*this, ControlScope::HealthOnly));
        if (opened) {
            parts.http = std::move(*opened);
            break;
        }
        if (opened.error().code() != ErrorCode::AlreadyExists) {
            return std::move(opened).error();
        }
        if (wanted || port == kLast) {
            return Error(ErrorCode::Unreachable, "port in use: " + opened.error().message());
        }
    }
    return {};
}

Node::~Node() {
    Parts& parts = *parts_;
    parts.stopping.store(true);
    parts.ready.store(false);
    if (parts.installer != nullptr) {
        parts.installer->stop();
    }
    if (parts.kernel != nullptr) {
        parts.kernel->stop();
    }
    parts.ticker.reset();
    if (parts.own_pool != nullptr) {
        parts.own_pool->stop();
    }
    if (parts.world.by_hand != nullptr) {
        parts.world.by_hand->stop_blocking();
    }
    if (parts.storage != nullptr) {
        parts.storage->stop();
    }
    // What the gate let out last is on its way: the servers give it their bounded time. Who follows
    // prints sees their end.
    parts.prints->close();
    if (parts.control != nullptr) {
        parts.control->stop();
    }
    if (parts.http != nullptr) {
        parts.http->stop();
    }
}

std::uint16_t Node::http_port() const {
    return parts_->http != nullptr ? parts_->http->tcp_port() : 0;
}

kernel::Kernel& Node::kernel() {
    return *parts_->kernel;
}
Storage& Node::storage() {
    return *parts_->storage;
}
void Node::crash_for_test() {
    parts_->storage->crash_for_test();
}

void Node::processes(Done<std::vector<ProcessRow>> done) {
    std::vector<Ref<kernel::Process>> unread;
    parts_->kernel->table().snapshot()->for_each([&](const kernel::TableEntry& entry) {
        const kernel::Process& process = *entry.process;
        if (process.facts.module == nullptr &&
            process.counters.state_bytes.load() == kernel::kStateBytesUnknown) {
            unread.push_back(entry.process);
        }
    });
    if (unread.empty()) {
        list_processes({}, done);
        return;
    }
    parts_->pool->submit([this, unread = std::move(unread), done = std::move(done)] {
        Causality sizes;
        for (const Ref<kernel::Process>& process : unread) {
            auto read = parts_->storage->log().read(
                Family::ProcessState, process_key(process->self->address.process).view());
            if (!read) {
                continue;  // Whoever asks for the state itself is told; a table of all processes
                           // has other uses too.
            }
            const std::optional<SharedBytes> state = std::move(*read).tell(sizes);
            std::uint64_t expected = kernel::kStateBytesUnknown;
            process->counters.state_bytes.compare_exchange_strong(expected,
                                                                  state ? state->size() : 0);
        }
        list_processes(sizes.seen(), done);
    });
}

void Node::list_processes(SequenceNumber also_seen, const Done<std::vector<ProcessRow>>& done) {
    auto listed =
        parts_->kernel->processes().map([&](const std::vector<kernel::ProcessStatus>& all) {
            const std::uint64_t durable = parts_->storage->log().durable().value;
            std::vector<ProcessRow> rows;
            for (const kernel::ProcessStatus& status : all) {
                if (status.is_module) {
                    continue;
                }
                ProcessRow row;
                row.process = to_string(status.id);
                row.phase = phase_text(status.phase, status.waiting);
                row.restarts = status.starts == 0 ? 0 : status.starts - 1;
                row.mailbox_messages = status.mailbox_messages;
                row.mailbox_bytes = status.mailbox_bytes;
                row.memory_bytes = status.memory_bytes;
                row.cpu_ns = status.cpu_ns;
                row.state_bytes =
                    status.state_bytes == kernel::kStateBytesUnknown ? 0 : status.state_bytes;
                row.seen = status.seen;
                row.durable = durable;
                rows.push_back(std::move(row));
            }
            return rows;
        });
    const SequenceNumber number = std::max(listed.number(), also_seen);
    Causality all;
    parts_->answer(Seen<std::vector<ProcessRow>>(std::move(listed).tell(all), number), done);
}

void Node::packages(Done<std::vector<PackageRow>> done) {
    parts_->pool->submit([this, done = std::move(done)] {
        auto listed = parts_->installer->list();
        if (!listed) {
            done(std::move(listed).error());
            return;
        }
        parts_->answer(std::move(*listed), done);
    });
}

void Node::start_package(std::string directory, Done<StartedPackage> done) {
    parts_->pool->submit([this, directory = std::move(directory), done = std::move(done)] {
        auto started = parts_->installer->install(directory);
        if (!started) {
            done(std::move(started).error());
            return;
        }
        parts_->answer(std::move(*started), done);
    });
}

void Node::remove_package(std::string package, Done<void> done) {
    parts_->pool->submit([this, package = std::move(package), done = std::move(done)] {
        auto removed = parse_package_id(package).and_then(
            [&](const PackageId& id) { return parts_->installer->remove(id); });
        if (!removed) {
            const bool tells = removed.error().code() == ErrorCode::NotFound;
            parts_->refuse(tells ? parts_->storage->log().last() : SequenceNumber(),
                           std::move(removed).error(), done);
            return;
        }
        parts_->answer(*removed, done);
    });
}

namespace {

/// `name:package:publisher`, or the same behind `node@` where the node is this one.
Result<ProcessId> parse_target(std::string_view text, const std::string& own_node) {
    if (text.find('@') == std::string_view::npos) {
        return parse_process_id(text);
    }
    ASSIGN_OR_RETURN(Address address, parse_address(text));
    if (address.node != own_node && address.node != kOurNode) {
        return Error(ErrorCode::Unreachable, "node " + address.node +
                                                 " cannot be reached: this version has no network; "
                                                 "this node is " +
                                                 own_node);
    }
    return std::move(address.process);
}

}  // namespace

void Node::send(SendCommand command, Done<SendAnswer> done) {
    auto target = parse_target(command.address, parts_->kernel->own_node());
    if (!target) {
        done(std::move(target).error());
        return;
    }
    parts_->control_module->send(*target, std::move(command),
                                 [this, done = std::move(done)](Result<Seen<SendAnswer>> answer) {
                                     if (!answer) {
                                         parts_->refuse(parts_->table_changed(),
                                                        std::move(answer).error(), done);
                                         return;
                                     }
                                     parts_->answer(std::move(*answer), done);
                                 });
}

void Node::kill(std::string process, Done<void> done) {
    auto id = parse_process_id(process);
    if (!id) {
        done(std::move(id).error());
        return;
    }
    parts_->kernel->kill(
        *id, kernel::Worker::Revoke::Issued,
        [this, process, done](std::optional<SequenceNumber> number) {
            if (!number) {
                parts_->refuse(parts_->table_changed(),
                               Error(ErrorCode::NotFound, "there is no process " + process), done);
                return;
            }
            // What the process printed before has left when this is answered.
            parts_->answer(*number, [this, done](Result<void> durable) {
                if (parts_->world.after_output == nullptr) {
                    done(std::move(durable));
                    return;
                }
                parts_->world.after_output([done, durable = std::move(durable)] { done(durable); });
            });
        });
}

void Node::restart(std::string process, Done<void> done) {
    auto id = parse_process_id(process);
    if (!id) {
        done(std::move(id).error());
        return;
    }
    parts_->kernel->restart(*id, [this, process, done](std::optional<SequenceNumber> number) {
        if (!number) {
            parts_->refuse(parts_->table_changed(),
                           Error(ErrorCode::NotFound, "there is no running process " + process),
                           done);
            return;
        }
        parts_->answer(*number, done);
    });
}

void Node::check_known(const std::string& process, Done<void> done) {
    auto id = parse_process_id(process);
    if (!id) {
        done(std::move(id).error());
        return;
    }
    if (parts_->kernel->table().snapshot()->find(*id, parts_->kernel->own_node()) != nullptr) {
        done({});
        return;
    }
    packages([this, id = std::move(*id), process,
              done = std::move(done)](Result<std::vector<PackageRow>> installed) {
        if (!installed) {
            done(std::move(installed).error());
            return;
        }
        for (const PackageRow& package : *installed) {
            if (std::find(package.processes.begin(), package.processes.end(), process) !=
                package.processes.end()) {
                done({});
                return;
            }
        }
        read_state(id, [this, process, done](Result<std::optional<SharedBytes>> read) {
            if (!read) {
                done(std::move(read).error());
            } else if (!*read) {
                parts_->refuse(parts_->table_changed(),
                               Error(ErrorCode::NotFound, "there is no process " + process +
                                                              ", and no state saved for it"),
                               done);
            } else {
                done({});
            }
        });
    });
}

void Node::export_state(std::string process, Done<std::optional<SharedBytes>> done) {
    check_known(process, [this, process, done = std::move(done)](Result<void> known) {
        if (!known) {
            done(std::move(known).error());
            return;
        }
        read_state(*parse_process_id(process), done);
    });
}

void Node::read_state(const ProcessId& id, Done<std::optional<SharedBytes>> done) {
    parts_->journal->read(
        Family::ProcessState, process_key(id),
        [this, done = std::move(done)](Result<Seen<kernel::Journal::StoredValue>> read) {
            if (!read) {
                done(std::move(read).error());
                return;
            }
            parts_->answer(std::move(*read), done);
        });
}

void Node::show_state(std::string process, Done<ProcessStateInfo> done) {
    export_state(process, [process, done](Result<std::optional<SharedBytes>> read) {
        if (!read) {
            done(std::move(read).error());
            return;
        }
        ProcessStateInfo info;
        info.process = process;
        info.present = read->has_value();
        if (*read) {
            info.bytes = (*read)->size();
            info.sha256 = to_hex(content_hash((*read)->view()));
        }
        done(std::move(info));
    });
}

void Node::change_state(const std::string& process, std::optional<SharedBytes> bytes,
                        Done<void> done) {
    auto id = parse_process_id(process);
    if (!id) {
        done(std::move(id).error());
        return;
    }
    if (bytes && bytes->size() > parts_->settings.values.state_bytes_max) {
        done(Error(ErrorCode::Overloaded,
                   "state of " + std::to_string(bytes->size()) + " bytes exceeds state_bytes_max " +
                       std::to_string(parts_->settings.values.state_bytes_max)));
        return;
    }
    check_known(process, [this, id = std::move(*id), bytes = std::move(bytes),
                          done = std::move(done)](Result<void> known) {
        if (!known) {
            done(std::move(known).error());
            return;
        }
        write_state(id, bytes, done);
    });
}

void Node::write_state(const ProcessId& id, std::optional<SharedBytes> bytes, Done<void> done) {
    const std::uint64_t size = bytes ? bytes->size() : 0;
    Entry entry{bytes ? EntryKind::SetState : EntryKind::ClearState, {}};
    entry.changes.push_back({Family::ProcessState, process_key(id), std::move(bytes)});
    parts_->pool->submit([this, id, size, entry = std::move(entry),
                          done = std::move(done)]() mutable {
        EntryLog& log = parts_->storage->log();
        Appended appended;
        if (log.status().no_space) {
            appended.outcome = Appended::Outcome::NoSpace;  // Nothing is staged either.
        } else if (log.needs_staging(entry)) {
            auto staged = log.stage(std::move(entry));
            if (!staged) {
                done(std::move(staged).error());
                return;
            }
            appended = log.append(std::move(*staged), kCommandLineOwner);
        } else {
            appended = log.append(std::move(entry), kCommandLineOwner);
        }
        switch (appended.outcome) {
            case Appended::Outcome::Taken:
                if (const auto* known =
                        parts_->kernel->table().snapshot()->find(id, parts_->kernel->own_node())) {
                    known->process->counters.state_bytes.store(size);
                }
                parts_->answer(appended.number, done);
                return;
            case Appended::Outcome::NoSpace:
                done(Error(ErrorCode::Overloaded,
                           "the disk has less than reserve_bytes free; make room and try again"));
                return;
            case Appended::Outcome::NoRoom:
            case Appended::Outcome::TooLarge:
                done(Error(ErrorCode::Overloaded,
                           "the journal is full (journal_bytes_max); try again"));
                return;
            case Appended::Outcome::Stopped:
                done(Error(ErrorCode::Cancelled, "the node is ending"));
                return;
        }
    });
}

void Node::import_state(std::string process, SharedBytes bytes, Done<void> done) {
    change_state(process, std::move(bytes), std::move(done));
}

void Node::clear_state(std::string process, Done<void> done) {
    change_state(process, std::nullopt, std::move(done));
}

Result<std::unique_ptr<LogSubscription>> Node::logs(LogQuery query, LogReceiver receiver) {
    if (!query.process.empty() && !parts_->prints->has_printed(query.process)) {
        ASSIGN_OR_RETURN(const ProcessId id, parse_process_id(query.process));
        const auto table = parts_->kernel->table().snapshot();
        const bool is_there = table->find(id, parts_->kernel->own_node()) != nullptr;
        // An absence that is not on disk yet is not told.
        if (!is_there && table->changed() <= parts_->storage->log().durable()) {
            return Error(ErrorCode::NotFound, "there is no process " + query.process +
                                                  ", and none printed since the node started");
        }
    }
    return parts_->prints->subscribe(std::move(query), std::move(receiver));
}

std::vector<SettingRow> Node::config() const {
    return parts_->settings.rows;
}

Health Node::health() const {
    Health health;
    health.live = !parts_->stopping.load();
    if (parts_->stopping.load()) {
        health.reasons.emplace_back("stopping");
    } else if (!parts_->ready.load()) {
        health.reasons.emplace_back("starting");
    }
    const LogStatus status = parts_->storage->log().status();
    if (status.no_space) {
        health.reasons.emplace_back("disk_full");
    }
    if (status.failed) {
        health.live = false;
        health.reasons.emplace_back("sync_failed");
    }
    health.ready = health.reasons.empty();
    return health;
}

VersionInfo Node::version() const {
    return program_version();
}

void Node::shutdown(Done<void> done) {
    done({});
    parts_->world.end(0, "perdure shutdown");
}

}  // namespace perdure::node
