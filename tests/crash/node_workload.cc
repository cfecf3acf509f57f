#include "node_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <functional>
#include <utility>

#include "abi/kernel_codec.h"
#include "abi/record_codec.h"
#include "abi/state_codec.h"
#include "engine/mock.h"
#include "kernel/kernel.h"
#include "node/node.h"
#include "packages/package_record.h"
#include "storage/large_entries.h"
#include "storage/rocks_store.h"
#include "testing/manual_clock.h"

namespace perdure::crash {
namespace {

namespace mock = engine::mock;

constexpr std::uint64_t kRoomy = 1ull << 40;
constexpr int kFullRetries = 8;
constexpr std::uint32_t kWorkers = 2;
constexpr const char* kNode = "n.os";
constexpr const char* kHome = "/home";
constexpr std::string_view kSaverPackage = "terminal:sys";  // one that `state:distro:sys` serves
constexpr const char* kChildFile = "child.wasm";
constexpr std::size_t kNeverRestarted = 4;     // by the command line: the first savers
constexpr std::uint64_t kForEver = 1'000'000;  // seconds
constexpr std::size_t kRoundsMax = 1'000'000;

std::string saver_id(std::size_t index) {
    return fmt::format("s{}:{}", index, kSaverPackage);
}
std::string visitor_package(std::size_t index) {
    return fmt::format("v{}:sys", index);
}
std::string visitor_id(std::size_t index) {
    return "v:" + visitor_package(index);
}
std::string child_id(std::size_t index) {
    return fmt::format("c{}:{}", index, kSaverPackage);
}
ProcessId id_of(const std::string& text) {
    return parse_process_id(text).value();
}

/// The number behind `mark` in `text`; 0 if there is none.
std::uint32_t number_after(std::string_view text, std::string_view mark) {
    const std::size_t at = text.find(mark);
    std::uint32_t number = 0;
    if (at != std::string_view::npos) {
        std::from_chars(text.data() + at + mark.size(), text.data() + text.size(), number);
    }
    return number;
}

// Values and messages: `c12.` is the change 12, `#7.` is what somebody knew when the token 7 was
// made. A message that wants an answer begins with `?`, one that a visitor left behind with `x`.
std::string change_text(std::uint32_t change) {
    return fmt::format("c{}.", change);
}
std::string capability_params(std::uint32_t change) {
    return fmt::format("{{\"saved\":{}}}", change);
}
std::uint32_t change_in(std::string_view text) {
    return text.starts_with('c') ? number_after(text, "c") : 0;
}

class World;
// Scripts run on the thread that polls them: each workload and each check has a world of its own.
thread_local World* current_world = nullptr;

enum class Deed : std::uint8_t {
    Save,
    SaveLarge,
    SaveByMessage,
    Clear,
    SaveCapability,
    DropCapability,
    Tell,
    Ask,
    Print,
    ToggleChild,
    SetOnExit,
    Return,
    Trap,
    Exit,
};

/// One instance of a script: who it is and what it knows.
struct Person {
    std::size_t index = 0;
    bool is_visitor = false;
    Knowledge knows{};
    std::uint32_t change = 0;  ///< Asked for, not done yet.
    std::uint32_t also = 0;    ///< A second one by the same call.
    std::deque<std::uint32_t>
        capabilities;        ///< Those that it saved and has not dropped, oldest first.
    std::uint32_t life = 0;  ///< Of a visitor: the change that made it.
};

/// What the scripts of one run share.
class World {
public:
    World(SeededRandom& random, bool checking) : random_(random), checking_(checking) {}

    bool checking() const { return checking_; }
    SeededRandom& random() { return random_; }
    std::vector<std::string> losses;
    std::vector<RegisterChange> changes;
    std::uint64_t messages = 0;

    // Changes.
    std::uint32_t ask_for(Register which, std::string value, const Knowledge& past) {
        changes.push_back({which, std::move(value), past});
        const auto id = static_cast<std::uint32_t>(changes.size());
        current_[which] = id;
        return id;
    }
    std::uint32_t next_change() const { return static_cast<std::uint32_t>(changes.size() + 1); }
    const RegisterChange& change(std::uint32_t id) const { return changes[id - 1]; }
    std::uint32_t current(Register which) const { return current_[which]; }
    void done(Person& me) {
        for (const std::uint32_t change :
             {std::exchange(me.change, 0), std::exchange(me.also, 0)}) {
            if (change != 0) {
                learn_change(me.knows, change);
                complete(change);
            }
        }
    }
    void complete(std::uint32_t id) {
        std::uint32_t& newest = completed_[change(id).which];
        newest = std::max(newest, id);
    }
    std::uint32_t completed(Register which) const { return completed_[which]; }
    void learn_change(Knowledge& knower, std::uint32_t id) const {
        learn(knower, change(id).past);
        knower[change(id).which] = std::max(knower[change(id).which], id);
    }
    /// The next life starts from what was found on disk.
    void resume(Register which, std::uint32_t found) {
        current_[which] = found;
        completed_[which] = found;
    }
    bool is_up(Register life) const {
        return current_[life] != 0 && !change(current_[life]).value.empty();
    }
    /// The end of a visitor's or child's life, asked for once.
    std::uint32_t end(Register life, const Knowledge& past) {
        return is_up(life) ? ask_for(life, "", past) : current_[life];
    }
    /// The end that `life` came to after `after`; 0 if nobody asked for one.
    std::uint32_t end_after(Register life, std::uint32_t after) const {
        for (std::uint32_t id = after + 1; id <= changes.size(); ++id) {
            if (change(id).which == life && change(id).value.empty()) {
                return id;
            }
        }
        return 0;
    }

    // Tokens.
    std::string token(const Knowledge& knowledge) {
        tokens_.push_back(knowledge);
        return fmt::format("#{}.", tokens_.size());
    }
    /// Everything that `text` tells.
    void read(std::string_view text, Knowledge& knower) {
        if (const std::uint32_t number = number_after(text, "#");
            number != 0 && number <= tokens_.size()) {
            learn(knower, tokens_[number - 1]);
        }
    }

    // Savers.
    Person saver(const std::string& our) {
        Person me;
        me.index = number_after(our, "@s");
        return me;
    }
    void woke_with(Person& me, const std::optional<std::string>& state) {
        if (!state || checking_) {
            return;
        }
        const std::uint32_t id = change_in(*state);
        if (id == 0 || id > changes.size()) {
            losses.push_back(fmt::format("saver {} read a state that nobody saved: {}", me.index,
                                         state->substr(0, 20)));
            return;
        }
        learn_change(me.knows, id);
    }
    std::vector<Deed> hear(Person& me, const mock::Delivery& delivery) {
        if (checking_ || delivery.is_error) {
            return {};
        }
        ++messages;
        const std::string& body =
            delivery.is_response ? delivery.response.body : delivery.request.body;
        read(body, me.knows);
        if (body.starts_with('x')) {
            hear_exit(me, body);
        }
        std::vector<Deed> deeds;
        std::size_t count = 0;
        if (body == "go") {
            count = 1 + random_.below(4);
        } else if (!delivery.is_response && random_.one_in(3)) {
            count = 1;
        }
        for (std::size_t i = 0; i < count; ++i) {
            deeds.push_back(pick_deed(me, body == "go"));
        }
        return deeds;
    }
    std::string new_state(Person& me, bool large) {
        const Register which = register_of(RegisterKind::State, me.index);
        me.change = ask_for(which, change_text(next_change()), me.knows);
        return change_text(me.change) +
               std::string(large ? 2'100 + random_.below(2'000) : random_.below(300), 'x');
    }
    void clear(Person& me) {
        me.change = ask_for(register_of(RegisterKind::State, me.index), "", me.knows);
    }

    void holds(Person& me, const std::vector<mock::Capability>& held) {
        for (const mock::Capability& one : held) {
            if (const std::uint32_t number = number_after(one.params, "{\"saved\":"); number != 0) {
                me.capabilities.push_back(number);
            }
        }
        std::sort(me.capabilities.begin(), me.capabilities.end());
    }
    std::vector<mock::Capability> new_capability(Person& me) {
        const std::string value = std::to_string(next_change());
        me.change = ask_for(register_of(RegisterKind::NewestCapability, me.index), value, me.knows);
        me.capabilities.push_back(me.change);
        if (me.capabilities.size() == 1) {
            me.also =
                ask_for(register_of(RegisterKind::OldestCapability, me.index), value, me.knows);
        }
        return {capability(me, me.change)};
    }
    std::vector<mock::Capability> oldest_capability(Person& me) {
        const std::uint32_t oldest = me.capabilities.front();
        me.capabilities.pop_front();
        me.change = ask_for(register_of(RegisterKind::OldestCapability, me.index),
                            std::to_string(me.capabilities.front()), me.knows);
        return {capability(me, oldest)};
    }

    mock::Send to_saver(Person& me, bool ask) {
        mock::Send send;
        send.target = address(saver_id(random_.below(kSavers)));
        send.request.body = (ask ? "?" : "") + token(me.knows);
        if (ask) {
            send.request.expects_response = 1 + random_.below(4);
        }
        return send;
    }
    mock::Response answer(const Person& me) {
        mock::Response response;
        response.body = token(me.knows);
        return response;
    }
    mock::Send state_request(Person& me) {
        mock::Send send;
        send.target = address("state:distro:sys");
        send.request.body =
            encode_state_request(state_request::SetState{id_of(saver_id(me.index))}).text();
        send.request.expects_response = kForEver;
        send.blob = mock::Blob{new_state(me, random_.one_in(8))};
        return send;
    }
    /// Makes a child that is not there, or kills it.
    mock::Send child_request(Person& me) {
        const std::size_t child = random_.below(kChildren);
        const Register life = register_of(RegisterKind::ChildLife, child);
        const ProcessId id = id_of(child_id(child));
        mock::Send send;
        send.target = address("kernel:distro:sys");
        send.request.expects_response = kForEver;
        if (is_up(life)) {
            send.request.body = encode_kernel_command(kernel_command::KillProcess{id}).text();
            me.change = end(life, me.knows);
            return send;
        }
        kernel_command::InitializeProcess initialise;
        initialise.id = id;
        initialise.wasm_bytes_handle = fmt::format("/{}/pkg/{}", kSaverPackage, kChildFile);
        initialise.on_exit = OnExit::restart();
        send.request.body = encode_kernel_command(initialise).text();
        send.blob = mock::Blob{"mock:crash_child"};
        me.change = ask_for(life, "up", me.knows);
        return send;
    }
    void module_answered(Person& me, const mock::Delivery& delivery) {
        if (!delivery.is_error && me.change != 0 &&
            delivery.response.body.find("Err") == std::string::npos) {
            done(me);
        }
    }

    // Visitors.
    Person visitor(const std::string& our, const std::string& argument) {
        Person me;
        me.is_visitor = true;
        me.index = number_after(our, ":v");
        me.life = number_after("c" + argument, "c") + 1;
        if (!checking_) {
            learn_change(me.knows, me.life - 1);
            learn_change(me.knows, me.life);
            complete(me.life - 1);
            complete(me.life);
        }
        return me;
    }
    /// Somebody has asked for its end: it says nothing more.
    bool is_leaving(const Person& me) const {
        return checking_ || current_[register_of(RegisterKind::VisitorLife, me.index)] != me.life;
    }
    mock::OnExit new_on_exit(Person& me) {
        const Register which = register_of(RegisterKind::VisitorOnExit, me.index);
        const std::string body = fmt::format("x{} c{}.", me.index, next_change());
        me.change = ask_for(which, body, me.knows);
        mock::OnExit on_exit;
        on_exit.kind = KWE_ON_EXIT_REQUESTS;
        mock::Send send;
        send.target = address(saver_id(random_.below(kSavers)));
        send.request.body = body;
        on_exit.requests.push_back(send);
        return on_exit;
    }
    void leave(const Person& me) {
        end(register_of(RegisterKind::VisitorLife, me.index), me.knows);
    }

    static mock::Address address(const std::string& id) {
        const ProcessId process = id_of(id);
        return {kNode, process.process, process.package, process.publisher};
    }

private:
    Deed pick_deed(const Person& me, bool woken) {
        if (me.is_visitor) {
            static constexpr Deed kDeeds[] = {Deed::Print, Deed::Tell, Deed::SetOnExit,
                                              Deed::Print, Deed::Tell, Deed::Return,
                                              Deed::Trap,  Deed::Exit};
            return kDeeds[random_.below(std::size(kDeeds))];
        }
        // What begins conversations is left to those who were woken from outside, so that they end.
        static constexpr Deed kDeeds[] = {
            Deed::Save,           Deed::Save,   Deed::Save,          Deed::Print,
            Deed::Print,          Deed::Clear,  Deed::SaveLarge,     Deed::SaveCapability,
            Deed::DropCapability, Deed::Return, Deed::Trap,          Deed::Tell,
            Deed::Tell,           Deed::Ask,    Deed::SaveByMessage, Deed::ToggleChild};
        constexpr std::size_t kQuietDeeds = 11;
        if (me.index == 0 && woken && random_.one_in(3)) {
            return Deed::ToggleChild;
        }
        const Deed deed = kDeeds[random_.below(woken ? std::size(kDeeds) : kQuietDeeds)];
        // Who waits for a module's answer must not be restarted meanwhile: what it asked for would
        // come after what it does next.
        if ((deed == Deed::ToggleChild && me.index != 0) ||
            (deed == Deed::SaveByMessage && me.index >= kNeverRestarted)) {
            return Deed::Tell;
        }
        return deed;
    }
    /// The Request that a visitor left behind. It is fired before the entry of the exit is made
    /// (K-154), so it tells of the exit behaviour, not yet of the end: a crash between fires it
    /// again.
    void hear_exit(Person& me, const std::string& body) {
        const std::uint32_t on_exit = number_after(body, "c");
        const Register life = register_of(RegisterKind::VisitorLife, number_after(body, "x"));
        learn_change(me.knows, on_exit);
        if (end_after(life, on_exit) == 0) {
            losses.push_back("a Request was fired for the exit of a process that nobody ended: " +
                             body);
        }
    }
    static mock::Capability capability(const Person& me, std::uint32_t change) {
        return {address(saver_id(me.index)), capability_params(change)};
    }

    SeededRandom& random_;
    const bool checking_;
    std::array<std::uint32_t, kRegisters> current_{};
    std::array<std::uint32_t, kRegisters> completed_{};
    std::vector<Knowledge> tokens_;
};

mock::Script saver(mock::Api& api) {
    World& world = *current_world;
    Person me = world.saver(api.our());
    const std::optional<std::string> state = co_await api.get_state();
    world.woke_with(me, state);
    const std::vector<mock::Capability> held = co_await api.our_capabilities();
    world.holds(me, held);
    if (world.checking()) {
        std::string line = "woke with ";
        line += state ? state->substr(0, state->find('.') + 1) : "nothing";
        co_await api.print(0, line);
    }
    for (;;) {
        const mock::Delivery delivery = co_await api.receive();
        const std::vector<Deed> deeds = world.hear(me, delivery);
        for (const Deed deed : deeds) {
            if (deed == Deed::Save || deed == Deed::SaveLarge) {
                const std::string bytes = world.new_state(me, deed == Deed::SaveLarge);
                co_await api.set_state(bytes);
                world.done(me);
            } else if (deed == Deed::SaveByMessage) {
                const mock::Send send = world.state_request(me);
                const mock::Delivery answer = co_await api.send_and_await(send);
                world.module_answered(me, answer);
            } else if (deed == Deed::Clear) {
                world.clear(me);
                co_await api.clear_state();
                world.done(me);
            } else if (deed == Deed::SaveCapability ||
                       (deed == Deed::DropCapability && me.capabilities.size() < 2)) {
                const std::vector<mock::Capability> capabilities = world.new_capability(me);
                co_await api.save_capabilities(capabilities);
                world.done(me);
            } else if (deed == Deed::DropCapability) {
                const std::vector<mock::Capability> capabilities = world.oldest_capability(me);
                co_await api.drop_capabilities(capabilities);
                world.done(me);
            } else if (deed == Deed::Tell) {
                const mock::Send send = world.to_saver(me, false);
                co_await api.send_request(send);
            } else if (deed == Deed::Ask) {
                const mock::Send send = world.to_saver(me, true);
                const mock::Delivery answer = co_await api.send_and_await(send);
                if (!answer.is_error) {
                    world.read(answer.response.body, me.knows);
                }
            } else if (deed == Deed::Print) {
                const std::string line = world.token(me.knows);
                co_await api.print(0, line);
            } else if (deed == Deed::ToggleChild) {
                const mock::Send send = world.child_request(me);
                const mock::Delivery answer = co_await api.send_and_await(send);
                world.module_answered(me, answer);
            } else if (deed == Deed::Trap) {
                const std::string cause = "deliberate";
                co_await api.trap(cause);
            } else {
                co_return;
            }
        }
        if (!delivery.is_error && !delivery.is_response && delivery.request.body.starts_with('?')) {
            const mock::Response response = world.answer(me);
            co_await api.send_response(response);
        }
    }
}

mock::Script visitor(mock::Api& api) {
    World& world = *current_world;
    Person me = world.visitor(api.our(), api.argument());
    for (bool first = true;; first = false) {
        std::vector<Deed> deeds;
        if (first) {
            deeds.push_back(Deed::SetOnExit);
        } else {
            const mock::Delivery delivery = co_await api.receive();
            deeds = world.hear(me, delivery);
        }
        for (const Deed deed : deeds) {
            if (world.is_leaving(me)) {
                break;
            }
            if (deed == Deed::SetOnExit) {
                const mock::OnExit on_exit = world.new_on_exit(me);
                co_await api.set_on_exit(on_exit);
                world.done(me);
            } else if (deed == Deed::Tell) {
                const mock::Send send = world.to_saver(me, false);
                co_await api.send_request(send);
            } else if (deed == Deed::Print) {
                const std::string line = world.token(me.knows);
                co_await api.print(0, line);
            } else {
                world.leave(me);
                if (deed == Deed::Trap) {
                    const std::string cause = "deliberate";
                    co_await api.trap(cause);
                } else if (deed == Deed::Exit) {
                    co_await api.exit(3);
                }
                co_return;
            }
        }
    }
}

mock::Script child(mock::Api& api) {
    for (;;) {
        co_await api.receive();
    }
}

void register_scripts() {
    static const mock::ScriptScope savers("crash_saver", saver);
    static const mock::ScriptScope visitors("crash_visitor", visitor);
    static const mock::ScriptScope children("crash_child", child);
}

/// The blocking pool, in the hands of whoever steps the node.
class HandExecutor final : public Executor {
public:
    void submit(std::function<void()> work) override {
        if (immediate) {
            work();
        } else if (!closed_) {
            queue_.push_back(std::move(work));
        }
    }
    /// The end: what waits is run, nothing more is taken.
    void stop() {
        run_all();
        closed_ = true;
    }
    bool run_one() {
        if (queue_.empty()) {
            return false;
        }
        const auto work = std::move(queue_.front());
        queue_.pop_front();
        work();
        return true;
    }
    void run_all() {
        while (run_one()) {
        }
    }
    bool immediate = false;  ///< While the node starts: boot waits for the pool.

private:
    std::deque<std::function<void()>> queue_;
    bool closed_ = false;
};

class NoLines final : public LogSink {
public:
    void write(LogLevel, std::string_view) override {}
};

/// One life of a node on a simulated disk.
class SteppedNode {
public:
    SteppedNode(SimulatedFiles& files, std::uint64_t seed) : files_(files), next_seed_(seed) {
        by_hand.stop_blocking = [this] { executor.stop(); };
        by_hand.step = [this] {
            for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
                node_->kernel().worker(worker).step();
            }
            executor.run_one();
        };
        by_hand.after_failed_write = [](const Error&) { return false; };
        by_hand.tuning.automatic_compaction = false;
        by_hand.tuning.write_buffer_bytes = 8 << 20;
    }
    ~SteppedNode() { crash(); }

    Result<void> start() {
        node::LoadedSettings settings;
        settings.values.home = kHome;
        settings.values.node_name = kNode;
        settings.values.log_enabled = false;
        settings.values.workers = kWorkers;
        const LogLimits limits = small_limits();
        settings.values.journal_bytes_max = limits.journal_bytes_max;
        settings.values.journal_process_bytes_max = limits.journal_process_bytes_max;
        settings.values.entry_inline_bytes_max = limits.entry_inline_bytes_max;
        settings.values.batch_bytes_max = limits.batch_bytes_max;
        settings.values.reserve_bytes = limits.reserve_bytes;
        executor.immediate = true;
        auto started = node::Node::start(
            std::move(settings),
            {clock, files_, lines_, faults, [this](int, const std::string&) { ended = true; },
             [this] { return std::make_unique<SeededRandom>(next_seed_++); }, nullptr, &by_hand});
        executor.immediate = false;
        if (!started) {
            return std::move(started).error();
        }
        node_ = std::move(*started);
        return {};
    }
    /// Works until nothing is left to do at this moment; false if that never comes.
    bool settle() {
        for (std::size_t round = 0; round < kRoundsMax; ++round) {
            bool worked = executor.run_one();
            for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
                worked =
                    node_->kernel().worker(worker).step() == kernel::Worker::Did::Work || worked;
            }
            worked = node_->storage().committer().step() == Committer::Step::Wrote || worked;
            if (!worked) {
                return true;
            }
        }
        return false;
    }
    void stop() { node_.reset(); }
    void crash() {
        if (node_ != nullptr) {
            node_->crash_for_test();
            node_.reset();
        }
    }
    node::Node& operator*() { return *node_; }
    node::Node* operator->() { return node_.get(); }

    node::NodeByHand by_hand{executor, {}, {}, {}, {}, {}, {}};
    HandExecutor executor;
    ManualClock clock;
    LogFaultsForTest faults;
    bool ended = false;  ///< The node has asked for its own end.

private:
    SimulatedFiles& files_;
    NoLines lines_;
    std::uint64_t next_seed_;
    std::unique_ptr<node::Node> node_;
};

// --- packages
// ---------------------------------------------------------------------------------------------------------

std::string metadata_of(std::string_view package, std::string_view publisher,
                        std::string_view version) {
    return fmt::format(
        R"({{"name":"crash","properties":{{"package_name":"{}","publisher":"{}","current_version":"{}",)"
        R"("mirrors":[],"code_hashes":{{"{}":""}},"wit_version":1}}}})",
        package, publisher, version, version);
}
std::string manifest_entry(std::string_view name, std::string_view file, std::string_view requests,
                           std::string_view grants) {
    return fmt::format(
        R"({{"process_name":"{}","process_wasm_path":"/{}","on_exit":"Restart","request_networking":false,)"
        R"("request_capabilities":[{}],"grant_capabilities":[{}],"public":true}})",
        name, file, requests, grants);
}

void put_savers_package(SimulatedFiles& files) {
    files.put_unrecorded("/pkg/savers/metadata.json", metadata_of("terminal", "sys", "1.0.0"));
    std::string manifest;
    for (std::size_t i = 0; i < kSavers; ++i) {
        manifest +=
            (i == 0 ? "[" : ",") + manifest_entry(fmt::format("s{}", i), "saver.wasm",
                                                  R"("state:distro:sys","kernel:distro:sys")", "");
    }
    files.put_unrecorded("/pkg/savers/pkg/manifest.json", manifest + "]");
    files.put_unrecorded("/pkg/savers/pkg/saver.wasm", "mock:crash_saver");
    files.put_unrecorded(fmt::format("/pkg/savers/pkg/{}", kChildFile), "mock:crash_child");
}

/// The version is the change that installs it.
std::string put_visitor_package(SimulatedFiles& files, std::size_t index, std::uint32_t change) {
    const std::string folder = fmt::format("/pkg/v{}-{}", index, change);
    const std::string file = fmt::format("v-{}.wasm", change);
    files.put_unrecorded(folder + "/metadata.json", metadata_of(fmt::format("v{}", index), "sys",
                                                                fmt::format("1.0.{}", change)));
    files.put_unrecorded(
        folder + "/pkg/manifest.json",
        "[" + manifest_entry("v", file, "", fmt::format("\"{}\"", saver_id(index))) + "]");
    files.put_unrecorded(folder + "/pkg/" + file, fmt::format("mock:crash_visitor?{}", change));
    return folder;
}

}  // namespace

// --- registers
// --------------------------------------------------------------------------------------------------------

Register register_of(RegisterKind kind, std::size_t index) {
    switch (kind) {
        case RegisterKind::State: return static_cast<Register>(index);
        case RegisterKind::NewestCapability: return static_cast<Register>(kSavers + index);
        case RegisterKind::OldestCapability: return static_cast<Register>(2 * kSavers + index);
        case RegisterKind::VisitorLife: return static_cast<Register>(3 * kSavers + index);
        case RegisterKind::VisitorPackage:
            return static_cast<Register>(3 * kSavers + kVisitors + index);
        case RegisterKind::VisitorOnExit:
            return static_cast<Register>(3 * kSavers + 2 * kVisitors + index);
        case RegisterKind::VisitorState:
            return static_cast<Register>(3 * kSavers + 3 * kVisitors + index);
        case RegisterKind::ChildLife:
            return static_cast<Register>(3 * kSavers + 4 * kVisitors + index);
    }
    return 0;
}

std::string name_of(Register which) {
    static constexpr std::pair<RegisterKind, std::string_view> kNames[] = {
        {RegisterKind::ChildLife, "life of child "},
        {RegisterKind::VisitorState, "imported state of visitor "},
        {RegisterKind::VisitorOnExit, "exit behaviour of visitor "},
        {RegisterKind::VisitorPackage, "package of visitor "},
        {RegisterKind::VisitorLife, "life of visitor "},
        {RegisterKind::OldestCapability, "oldest capability of saver "},
        {RegisterKind::NewestCapability, "newest capability of saver "},
        {RegisterKind::State, "state of saver "},
    };
    for (const auto& [kind, name] : kNames) {
        if (const Register first = register_of(kind, 0); which >= first) {
            return std::string(name) + std::to_string(which - first);
        }
    }
    return "?";
}

void learn(Knowledge& knower, const Knowledge& news) {
    for (std::size_t i = 0; i < kRegisters; ++i) {
        knower[i] = std::max(knower[i], news[i]);
    }
}

Observed observe(const Contents& contents) {
    Observed observed;
    const auto find = [&](Family family, std::string_view key) -> const std::string* {
        const auto at = contents.find(content_key(family, key));
        return at == contents.end() ? nullptr : &at->second;
    };
    const auto state = [&](const std::string& id) {
        const std::string* found = find(Family::ProcessState, process_key(id_of(id)).text());
        return found == nullptr ? std::string() : change_text(change_in(*found));
    };
    for (std::size_t i = 0; i < kSavers; ++i) {
        observed[register_of(RegisterKind::State, i)] = state(saver_id(i));
        std::uint32_t newest = 0;
        std::uint32_t oldest = 0;
        const std::string prefix =
            content_key(Family::Capabilities, capability_key_prefix(id_of(saver_id(i))));
        for (auto at = contents.lower_bound(prefix);
             at != contents.end() && at->first.starts_with(prefix); ++at) {
            const auto record = decode_capability_record(bytes_of(at->second));
            const std::uint32_t number =
                record ? number_after(record->capability.params, "{\"saved\":") : 0;
            if (number != 0) {
                newest = std::max(newest, number);
                oldest = oldest == 0 ? number : std::min(oldest, number);
            }
        }
        if (newest != 0) {
            observed[register_of(RegisterKind::NewestCapability, i)] = std::to_string(newest);
            observed[register_of(RegisterKind::OldestCapability, i)] = std::to_string(oldest);
        }
    }
    for (std::size_t i = 0; i < kVisitors; ++i) {
        if (const std::string* found =
                find(Family::Processes, process_key(id_of(visitor_id(i))).text())) {
            const auto record = decode_process_record(bytes_of(*found));
            if (record) {
                observed[register_of(RegisterKind::VisitorLife, i)] =
                    std::to_string(number_after(record->code_handle, "/v-"));
                observed[register_of(RegisterKind::VisitorOnExit, i)] =
                    record->on_exit.requests.empty()
                        ? fmt::format("manifest {}", number_after(record->code_handle, "/v-"))
                        : std::string(record->on_exit.requests.front().request.body.text());
            }
        }
        if (const std::string* found = find(Family::Packages, visitor_package(i))) {
            const auto record = packages::decode_package_record(bytes_of(*found));
            observed[register_of(RegisterKind::VisitorPackage, i)] = record ? record->version : "?";
        }
        observed[register_of(RegisterKind::VisitorState, i)] = state(visitor_id(i));
    }
    for (std::size_t i = 0; i < kChildren; ++i) {
        if (find(Family::Processes, process_key(id_of(child_id(i))).text()) != nullptr) {
            observed[register_of(RegisterKind::ChildLife, i)] = "up";
        }
    }
    return observed;
}

std::optional<std::string> savers_present(const Contents& contents, bool& present) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < kSavers; ++i) {
        count +=
            contents.count(content_key(Family::Processes, process_key(id_of(saver_id(i))).text()));
    }
    const bool installed = contents.contains(content_key(Family::Packages, kSaverPackage));
    present = count == kSavers && installed;
    if (present || (count == 0 && !installed)) {
        return std::nullopt;
    }
    return fmt::format("{} of {} processes of one package are there, its record {}", count, kSavers,
                       installed ? "too" : "not");
}

std::optional<std::string> explain(const Observed& observed,
                                   const std::vector<RegisterChange>& changes,
                                   const Knowledge& shown, std::uint32_t asked_for) {
    // Of each register the newest change that may have left what was found, and the oldest that was
    // not shown to be over.
    Knowledge newest{};
    Knowledge oldest{};
    std::array<bool, kRegisters> explained{};
    for (Register which = 0; which < kRegisters; ++which) {
        explained[which] = observed[which].empty() && shown[which] == 0;
    }
    for (std::uint32_t id = 1; id <= asked_for; ++id) {
        const RegisterChange& change = changes[id - 1];
        if (change.value == observed[change.which] && id >= shown[change.which]) {
            newest[change.which] = id;
            if (!explained[change.which]) {
                oldest[change.which] = id;
                explained[change.which] = true;
            }
        }
    }
    for (std::size_t i = 0; i < kVisitors; ++i) {
        // Who is gone has no exit behaviour.
        if (observed[register_of(RegisterKind::VisitorLife, i)].empty()) {
            const Register on_exit = register_of(RegisterKind::VisitorOnExit, i);
            explained[on_exit] = true;
            newest[on_exit] = asked_for;
            oldest[on_exit] = 0;
        }
    }
    for (Register which = 0; which < kRegisters; ++which) {
        if (!explained[which]) {
            return fmt::format(
                "{}: change {} (\"{}\") was shown, found is \"{}\"", name_of(which), shown[which],
                shown[which] == 0 ? "" : changes[shown[which] - 1].value, observed[which]);
        }
    }
    for (Register which = 0; which < kRegisters; ++which) {
        if (oldest[which] == 0 || oldest[which] != newest[which]) {
            continue;
        }
        const Knowledge& past = changes[oldest[which] - 1].past;
        for (Register cause = 0; cause < kRegisters; ++cause) {
            if (past[cause] > newest[cause]) {
                return fmt::format("{}: \"{}\" survived without its cause, change {} of {}",
                                   name_of(which), observed[which], past[cause], name_of(cause));
            }
        }
    }
    return std::nullopt;
}

// --- contents
// ---------------------------------------------------------------------------------------------------------

Result<Contents> contents_of(EntryLog& log) {
    Contents contents;
    for (std::uint8_t number = 0; number < kFamilyCount; ++number) {
        const auto family = static_cast<Family>(number);
        if (family == Family::Meta) {
            continue;
        }
        ASSIGN_OR_RETURN(auto listing, log.list(family, {}, {}, 1'000'000));
        Causality reader;
        for (const KeyValue& item : std::move(listing).tell(reader).items) {
            contents.emplace(content_key(family, item.key.text()), item.value.text());
        }
    }
    return contents;
}

bool same_value(const std::string& found, const std::string& wanted) {
    if (wanted.starts_with(kLargeMark)) {
        return wanted == std::string(kLargeMark) + std::to_string(found.size());
    }
    return found == wanted;
}

// --- the run
// ----------------------------------------------------------------------------------------------------------

class NodeWorkload::Run {
public:
    Run(std::uint64_t seed, LogFaultsForTest faults)
        : faults_(faults), random_(seed), world_(random_, false) {
        image_.directories = {"/", "/pkg"};
        history_.push_back({0, std::make_shared<const Contents>()});
    }

    NodeStretch stretch(std::size_t actions);

    std::vector<std::string> losses() const {
        std::vector<std::string> all = losses_;
        all.insert(all.end(), world_.losses.begin(), world_.losses.end());
        return all;
    }
    World& world() { return world_; }
    std::uint64_t trace_hash() const { return trace_; }
    const NodeCounts& counts() {
        counts_.changes = world_.changes.size();
        counts_.messages = world_.messages;
        return counts_;
    }

private:
    bool start();
    void start_node();
    void end_node(bool orderly);
    void recovered(Storage& storage);
    void appended(SequenceNumber number, const Entry& entry, const std::vector<LargeUse>& large);
    bool retry_write();
    bool install_savers();
    void act();
    void step_kernel();
    void commit();
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
    void mark_moments() { moments_.resize(files_->operation_count(), moment()); }
    NodeMoment moment() const;
    void trace(std::string_view what, std::uint64_t value) {
        trace_ = hash_of(bytes_of(fmt::format("{} {} {}", what, value, trace_)));
    }
    /// A callback of the command line that counts only in the life of the node that was asked.
    template <typename T>
    node::Done<T> when_answered(std::function<void(Result<T>)> then) {
        return [this, life = life_, then = std::move(then)](Result<T> result) {
            if (life == life_) {
                ++counts_.answers;
                trace("answer", result ? 1 : 0);
                then(std::move(result));
            }
        };
    }

    const LogFaultsForTest faults_;
    SeededRandom random_;
    World world_;
    DiskImage image_;
    std::unique_ptr<SimulatedFiles> files_;
    std::unique_ptr<SteppedNode> node_;
    std::unique_ptr<node::LogSubscription> prints_;
    std::vector<HistoryItem> history_;
    std::vector<std::pair<std::uint64_t, EntryKind>> pending_;
    std::vector<NodeMoment> moments_;
    std::shared_ptr<const Knowledge> shown_ = std::make_shared<const Knowledge>();
    std::uint64_t life_ = 0;  ///< Counts the nodes; 0 while none runs.
    std::uint64_t lives_ = 0;
    std::uint64_t highest_given_ = 0;
    std::uint64_t sync_failures_ = 0;
    int retries_ = 0;
    std::optional<std::size_t> busy_;  ///< The visitor whose package is being changed.
    bool savers_shown_ = false;
    bool full_ = false;
    bool sync_failed_ = false;
    bool recovering_ = false;
    bool ending_ = false;
    std::vector<std::string> losses_;
    std::uint64_t trace_ = 0;
    NodeCounts counts_;
};

NodeMoment NodeWorkload::Run::moment() const {
    NodeMoment moment;
    moment.shown = shown_;
    moment.changes = static_cast<std::uint32_t>(world_.changes.size());
    moment.savers_shown = savers_shown_;
    moment.highest_given = highest_given_;
    for (const auto& [number, kind] : pending_) {
        moment.kinds_pending |= 1u << static_cast<unsigned>(kind);
    }
    moment.full = full_;
    moment.sync_failed = sync_failed_;
    moment.recovering = recovering_;
    return moment;
}

void NodeWorkload::Run::left(const Knowledge& knowledge) {
    mark_moments();  // the operations before it happened before it was shown
    auto shown = std::make_shared<Knowledge>(*shown_);
    learn(*shown, knowledge);
    shown_ = std::move(shown);
}

void NodeWorkload::Run::left(std::uint32_t change) {
    Knowledge knowledge{};
    world_.learn_change(knowledge, change);
    world_.complete(change);
    left(knowledge);
}

void NodeWorkload::Run::appended(SequenceNumber number, const Entry& entry,
                                 const std::vector<LargeUse>& large) {
    if (recovering_ && node_ == nullptr) {
        return;
    }
    auto contents = std::make_shared<Contents>(*history_.back().contents);
    for (std::size_t i = 0; i < entry.changes.size(); ++i) {
        const Change& change = entry.changes[i];
        if (change.family == Family::Meta) {
            continue;
        }
        const std::string key = content_key(change.family, change.key.text());
        const auto use = std::find_if(large.begin(), large.end(),
                                      [&](const LargeUse& one) { return one.change_index == i; });
        if (!change.value) {
            contents->erase(key);
        } else if (use != large.end()) {
            (*contents)[key] = std::string(kLargeMark) + std::to_string(use->reference.size);
        } else {
            (*contents)[key] = std::string(change.value->text());
        }
    }
    history_.push_back({number.value, std::move(contents)});
    pending_.emplace_back(number.value, entry.kind);
    highest_given_ = std::max(highest_given_, number.value);
    ++counts_.entries;
    trace(to_string(entry.kind), number.value);
}

bool NodeWorkload::Run::retry_write() {
    mark_moments();
    // Room comes back in small steps, so a batch is cut at many places before it fits.
    if (++retries_ % kFullRetries == 0) {
        files_->set_capacity(kRoomy);
        full_ = false;
    } else {
        files_->set_capacity(files_->used_bytes() + 1 + random_.below(60));
    }
    return true;
}

void NodeWorkload::Run::recovered(Storage& storage) {
    mark_moments();
    const std::uint64_t last = storage.recovered().last.value;
    trace("recovered", last);
    while (history_.back().number > last) {
        history_.pop_back();
    }
    highest_given_ = std::max(highest_given_, storage.log().last().value);
    pending_.clear();
    const auto contents = contents_of(storage.log());
    if (!contents) {
        losses_.push_back("a listing failed: " + contents.error().message());
        return;
    }
    const Observed observed = observe(*contents);
    if (auto loss = explain(observed, world_.changes, *shown_,
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

void NodeWorkload::Run::start_node() {
    life_ = ++lives_;
    busy_.reset();
    node_ = std::make_unique<SteppedNode>(*files_, random_.next());
    node_->faults = faults_;
    node_->by_hand.recovered = [this](Storage& storage) { recovered(storage); };
    node_->by_hand.after_failed_write = [this](const Error&) { return retry_write(); };
    node_->by_hand.appended = [this](SequenceNumber number, const Entry& entry,
                                     const std::vector<LargeUse>& large) {
        appended(number, entry, large);
    };
}

bool NodeWorkload::Run::start() {
    mark_moments();
    recovering_ = true;
    full_ = false;
    files_->set_capacity(kRoomy);
    start_node();
    auto started = node_->start();
    if (!started && files_->sync_failures() > sync_failures_) {
        // A sync of the start itself failed: the node stopped and is started once more.
        mark_moments();
        sync_failed_ = true;
        files_->fail_sync(0);
        end_node(false);
        start_node();
        started = node_->start();
    }
    sync_failures_ = files_->sync_failures();
    mark_moments();
    recovering_ = false;
    sync_failed_ = false;
    if (!started) {
        losses_.push_back("a start of the workload was refused: " + started.error().message());
        return false;
    }
    ++counts_.starts;
    node::LogQuery query;
    query.verbosity = 255;
    query.until = node::LogQuery::Until::Forever;
    node::LogReceiver receiver;
    receiver.line = [this](const node::LogLine& line) {
        if (line.origin == node::LogOrigin::Print) {
            Knowledge knowledge{};
            world_.read(line.text, knowledge);
            left(knowledge);
            ++counts_.prints;
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

void NodeWorkload::Run::end_node(bool orderly) {
    mark_moments();
    ending_ = true;
    if (orderly) {
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
    if (savers_shown_) {
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
            savers_shown_ = started.has_value();
            if (!started) {
                losses_.push_back("the savers could not be installed: " +
                                  started.error().message());
            }
        }));
    for (std::size_t round = 0; round < kRoundsMax && !answered; ++round) {
        step_kernel();
        commit();
    }
    return savers_shown_;
}

void NodeWorkload::Run::step_kernel() {
    if (random_.one_in(3)) {
        node_->executor.run_one();
    }
    (*node_)->kernel().worker(static_cast<std::uint32_t>(random_.below(kWorkers))).step();
}

void NodeWorkload::Run::commit() {
    mark_moments();
    const auto step = (*node_)->storage().committer().step();
    mark_moments();
    sync_failed_ |= step == Committer::Step::Failed;
    const std::uint64_t durable = (*node_)->storage().log().durable().value;
    std::erase_if(pending_, [&](const auto& item) { return item.first <= durable; });
    trace("durable", durable);
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

// --- commands
// ---------------------------------------------------------------------------------------------------------

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
    if (random_.one_in(4)) {
        const std::uint32_t change = world_.ask_for(state, "", {});
        (*node_)->clear_state(process, when_answered<void>([=, this](const Result<void>& answer) {
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

NodeStretch NodeWorkload::Run::stretch(std::size_t actions) {
    current_world = &world_;
    files_ = std::make_unique<SimulatedFiles>(image_);
    files_->record();
    moments_.clear();
    full_ = false;
    sync_failed_ = false;
    sync_failures_ = 0;
    NodeStretch stretch;
    stretch.start = image_;
    bool running = start();
    for (std::size_t i = 0; running && i < actions; ++i) {
        act();
        mark_moments();
        sync_failed_ |= files_->sync_failures() > sync_failures_;
        if (sync_failed_ || random_.one_in(500)) {
            // The node ends, in order or not, and starts again on the same machine.
            end_node(!sync_failed_ && random_.one_in(2));
            running = start();
            continue;
        }
        if (random_.one_in(150)) {
            static_cast<void>(
                static_cast<RocksStore&>((*node_)->storage().store_for_test()).flush());
        } else if (random_.one_in(60)) {
            full_ = true;
            files_->set_capacity(files_->used_bytes() + random_.below(40));
        } else if (random_.one_in(500)) {
            files_->fail_sync(1);
        }
        mark_moments();
    }
    files_->fail_sync(0);
    mark_moments();
    stretch.moments = moments_;
    stretch.moments.push_back(moment());
    stretch.operations = files_->recorded();
    stretch.history = history_;
    for (const DiskOperation& operation : stretch.operations) {
        // RocksDB puts random session numbers into its own files: of those, only the shape belongs
        // to the trace.
        const bool own = operation.path.ends_with(".log") ||
                         operation.path.find("/large/") != std::string::npos ||
                         operation.path.ends_with("/durable");
        trace(operation.path, static_cast<std::uint64_t>(operation.kind));
        trace("at", operation.offset);
        trace("bytes", own ? hash_of(operation.data.view()) : operation.data.size());
    }
    // The power goes. The next stretch begins with one of the disks that this may leave.
    static constexpr Crash kCrashes[] = {Crash::Lost, Crash::Torn, Crash::Reordered, Crash::Kept};
    image_ = files_->image_after(kCrashes[random_.below(4)], random_.next());
    std::erase_if(image_.files, [](const auto& file) { return file.first.starts_with("/pkg/"); });
    std::erase_if(image_.directories,
                  [](const std::string& directory) { return directory.starts_with("/pkg/"); });
    end_node(false);
    return stretch;
}

NodeCounts& NodeCounts::operator+=(const NodeCounts& other) {
    entries += other.entries;
    prints += other.prints;
    answers += other.answers;
    messages += other.messages;
    changes += other.changes;
    starts += other.starts;
    return *this;
}

NodeWorkload::NodeWorkload(std::uint64_t seed, LogFaultsForTest faults) {
    register_scripts();
    run_ = std::make_unique<Run>(seed, faults);
}
NodeWorkload::~NodeWorkload() = default;

NodeStretch NodeWorkload::run(std::size_t actions) {
    return run_->stretch(actions);
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
const NodeCounts& NodeWorkload::counts() const {
    return run_->counts();
}

// --- a look
// -----------------------------------------------------------------------------------------------------------

Result<void> boot_and_look(
    SimulatedFiles& files,
    const std::function<Result<void>(Storage&, const Contents&)>& at_recovery) {
    register_scripts();
    SeededRandom random(1);
    World world(random, true);
    current_world = &world;
    SteppedNode node(files, 1);
    Result<void> recovery;
    Contents before;
    node.by_hand.recovered = [&](Storage& storage) {
        auto contents = contents_of(storage.log());
        if (!contents) {
            recovery = contents.error();
            return;
        }
        before = std::move(*contents);
        recovery = at_recovery(storage, before);
    };
    const auto started = node.start();
    RETURN_IF_ERROR(recovery);
    if (!started) {
        return Error(ErrorCode::Io, "the start was refused: " + started.error().message());
    }
    std::vector<std::string> woke(kSavers);
    node::LogQuery query;
    query.until = node::LogQuery::Until::Forever;
    node::LogReceiver receiver;
    receiver.line = [&](const node::LogLine& line) {
        if (const std::size_t at = line.text.find("woke with ");
            at != std::string::npos && line.source.starts_with('s')) {
            woke[number_after(line.source, "s")] = line.text.substr(at + 10);
        }
    };
    receiver.end = [](const Result<void>&) {};
    auto prints = node->logs(query, std::move(receiver));
    if (!prints) {
        return prints.error();
    }
    if (!node.settle()) {
        return Error(ErrorCode::TimedOut, "the node does not come to rest");
    }
    const Observed observed = observe(before);
    bool present = false;
    if (const auto wrong = savers_present(before, present)) {
        return Error(ErrorCode::Corrupt, *wrong);
    }
    for (std::size_t i = 0; present && i < kSavers; ++i) {
        const std::string& state = observed[register_of(RegisterKind::State, i)];
        const std::string wanted = state.empty() ? "nothing" : state;
        if (woke[i] != wanted) {
            return Error(
                ErrorCode::Corrupt,
                fmt::format("saver {} woke with \"{}\", stored is \"{}\"", i, woke[i], wanted));
        }
    }
    // Whoever had requests to fire has fired them and is gone (K-165).
    auto after = contents_of(node->storage().log());
    if (!after) {
        return after.error();
    }
    const Observed settled = observe(*after);
    for (std::size_t i = 0; i < kVisitors; ++i) {
        const Register life = register_of(RegisterKind::VisitorLife, i);
        const bool fires = observed[register_of(RegisterKind::VisitorOnExit, i)].starts_with('x');
        if (settled[life] != (fires ? std::string() : observed[life])) {
            return Error(ErrorCode::Corrupt,
                         fmt::format("visitor {} was \"{}\" at boot and is \"{}\"", i,
                                     observed[life], settled[life]));
        }
    }
    prints->reset();
    node.crash();
    return {};
}

}  // namespace perdure::crash
