#pragma once

/// The scripts of the crash suite of a whole node, and what those of one run share.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi/kernel_codec.h"
#include "abi/state_codec.h"
#include "engine/mock.h"
#include "knowledge.h"
#include "testing/seeded_random.h"

namespace perdure::crash {

namespace mock = engine::mock;

inline constexpr const char* kNode = "n.os";
inline constexpr const char* kChildFile = "child.wasm";
inline constexpr std::uint64_t kForEver = 1'000'000;  ///< Seconds.
inline constexpr std::size_t kNeverRestarted = 4;     ///< By the command line: the first savers.

/// Registers the scripts `crash_saver`, `crash_visitor` and `crash_child`, once.
void register_scripts();

enum class Deed : std::uint8_t {
    Save,
    SaveLarge,
    SaveByMessage,
    Clear,
    SaveCapability,
    DropCapability,
    Tell,
    Ask,
    AskLater,  ///< And take the outcome as a message.
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
        if (checking_) {
            return {};
        }
        if (delivery.is_error || delivery.is_response) {
            hear_outcome(delivery);
        }
        if (delivery.is_error) {
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
    mock::Send ask_later(Person& me) {
        mock::Send send = to_saver(me, true);
        outcomes_.push_back(false);
        send.context = fmt::format("q{}.", outcomes_.size());
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
    /// Makes a child that is not there, or grants it something, or kills it.
    mock::Send child_request(Person& me) {
        const std::size_t child = random_.below(kChildren);
        const Register life = register_of(RegisterKind::ChildLife, child);
        const ProcessId id = id_of(child_id(child));
        mock::Send send;
        send.target = address("kernel:distro:sys");
        send.request.expects_response = kForEver;
        if (is_up(life) && random_.one_in(2)) {
            const std::vector<perdure::Capability> granted{
                {{kNode, id_of(saver_id(me.index))}, capability_params(next_change())}};
            send.request.body =
                encode_kernel_command(kernel_command::GrantCapabilities{id, granted}).text();
            return send;
        }
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
            Deed::Tell,           Deed::Ask,    Deed::SaveByMessage, Deed::ToggleChild,
            Deed::AskLater};
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
    /// Each Request has one outcome (K-55).
    void hear_outcome(const mock::Delivery& delivery) {
        const std::uint32_t number = number_after(delivery.context.value_or(""), "q");
        if (number != 0 && std::exchange(outcomes_[number - 1], true)) {
            losses.push_back(fmt::format("Request {} has a second outcome", number));
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
    std::deque<bool> outcomes_;  ///< Of the Requests sent for later: whether one came.
};

/// Scripts run on the thread that polls them; on this thread those of `world` from now on. It
/// outlives them.
void use_world(World& world);

}  // namespace perdure::crash
