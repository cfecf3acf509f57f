/// The three exit behaviours under every way to end (K-144), and the requests that an exit sends
/// (kernel specification §§5.4 to 5.6).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/life_helpers_for_test.h"

namespace perdure::kernel {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// How a process ends.
enum class Way {
    Return,
    ExitWithSuccess,
    ExitWithFailure,
    Trap,
    Fault,
    MemoryLimit,
    Kill,
    Shutdown,
    Crash
};

constexpr Way kByItself[] = {Way::Return, Way::ExitWithSuccess, Way::ExitWithFailure,
                             Way::Trap,   Way::Fault,           Way::MemoryLimit};

const char* name_of(Way way) {
    switch (way) {
        case Way::Return: return "return";
        case Way::ExitWithSuccess: return "success";
        case Way::ExitWithFailure: return "failure";
        case Way::Trap: return "trap";
        case Way::Fault: return "fault";
        case Way::MemoryLimit: return "memory";
        case Way::Kill: return "kill";
        case Way::Shutdown: return "shutdown";
        case Way::Crash: return "crash";
    }
    return "";
}

bool is_crash(Way way) {
    return way != Way::Return && way != Way::ExitWithSuccess && way != Way::Kill;
}

class ExitRequests : public LifeScenario {
protected:
    using LifeScenario::LifeScenario;

    /// Waits for a message, then ends in this way.
    static Script ends(Way way) {
        return [way](mock::Api& api) -> mock::Script {
            co_await api.receive();
            switch (way) {
                case Way::ExitWithSuccess: co_await api.exit(0); break;
                case Way::ExitWithFailure: co_await api.exit(1); break;
                case Way::Trap: co_await trap(api, "trapped"); break;
                case Way::Fault: {
                    const mock::Send question =
                        tell("nobody", "an awaited Request that expects nothing");
                    co_await api.send_and_await(question);
                    break;
                }
                case Way::MemoryLimit:
                    api.grow_memory(std::uint64_t{2} << 30);
                    co_await trap(api, "out of memory");
                    break;
                default: break;
            }
        };
    }

    /// One process of each behaviour, whose names begin with that of the way.
    struct Three {
        std::string none, restart, requests;
    };
    Three three(Way way) {
        const std::string name = name_of(way);
        const Three made{name + "-none", name + "-restart", name + "-requests"};
        add(made.none, ends(way), guest(OnExit::none()));
        add(made.restart, ends(way), guest(OnExit::restart()));
        add(made.requests, ends(way),
            guest(fires("heir", made.requests + " ended"), {messaging("heir")}));
        return made;
    }
    /// A capability that `name` issues, held by `heir`.
    Capability issued(const std::string& name) {
        Capability made = capability(name, R"({"from":"birth"})");
        world.kernel().grant(parse_process_id(id_of("heir")).value(),
                             {{made, GrantCause::Command, {}, {}, {}}});
        return made;
    }
    std::vector<std::string> dropped() {
        std::vector<std::string> found;
        for (const std::string& line : kernel_prints(2)) {
            if (line.starts_with("exit request of ")) {
                found.push_back(line);
            }
        }
        return found;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ExitRequests, worker_counts(), worker_name);

TEST_P(ExitRequests, EveryBehaviourIsHonouredHoweverAProcessEndsByItself) {
    for (const Way way : kByItself) {
        SCOPED_TRACE(name_of(way));
        if (!exists("heir")) {
            add("heir", listens("heir"), guest(OnExit::restart()));
        }
        const Three names = three(way);
        go();
        const Capability of_none = issued(names.none);
        const Capability of_restart = issued(names.restart);
        const Capability of_requests = issued(names.requests);
        notes.clear();
        for (const std::string& name : {names.none, names.restart, names.requests}) {
            const std::size_t before = kernel_prints(0).size();
            send_to(name, "end");
            EXPECT_EQ(kernel_prints(0).size() - before, is_crash(way) ? 1U : 0U) << name;
            const std::string returned = "process n.os@" + id_of(name) + " returned without error";
            if (is_crash(way)) {
                EXPECT_THAT(kernel_prints(0).back(),
                            HasSubstr("process n.os@" + id_of(name) + " ended with error:"));
                EXPECT_THAT(kernel_prints(1), Not(Contains(returned)));
            } else {
                EXPECT_THAT(kernel_prints(1), Contains(returned));
            }
        }
        EXPECT_FALSE(exists(names.none));
        EXPECT_FALSE(holds("heir", of_none));
        EXPECT_FALSE(holds("heir", messaging(names.none)));

        EXPECT_EQ(starts(names.restart), 2U);
        EXPECT_EQ(crashes(names.restart), is_crash(way) ? 1U : 0U);
        EXPECT_TRUE(holds("heir", of_restart));
        EXPECT_TRUE(holds("heir", messaging(names.restart)));

        EXPECT_THAT(of("heir"),
                    ElementsAre("Request " + names.requests + " ended from " + names.requests));
        EXPECT_FALSE(exists(names.requests));
        EXPECT_FALSE(holds("heir", of_requests));
        EXPECT_FALSE(world.journal().stored(Family::Processes, id_of(names.requests)).has_value());
    }
    // The same, seen by the next boot.
    world.crash_and_boot();
    for (const Way way : kByItself) {
        EXPECT_FALSE(exists(name_of(way) + std::string("-none")));
        EXPECT_TRUE(exists(name_of(way) + std::string("-restart")));
        EXPECT_FALSE(exists(name_of(way) + std::string("-requests")));
    }
    EXPECT_THAT(of("heir"), SizeIs(1));
}

TEST_P(ExitRequests, AKillRestartsNothingAndStillFiresRequests) {
    add("heir", listens("heir"), guest(OnExit::restart()));
    const Three names = three(Way::Kill);
    go();
    for (const std::string& name : {names.none, names.restart, names.requests}) {
        SCOPED_TRACE(name);
        const Capability mine = issued(name);
        EXPECT_TRUE(world.kill(id_of(name)));
        EXPECT_FALSE(exists(name));
        EXPECT_FALSE(holds("heir", mine));
        EXPECT_FALSE(world.journal().stored(Family::Processes, id_of(name)).has_value());
    }
    EXPECT_THAT(kernel_prints(0), IsEmpty());
    EXPECT_THAT(of("heir"), ElementsAre("Request kill-requests ended from kill-requests"));
    world.advance(60 * kSecond);
    world.reboot();
    EXPECT_FALSE(exists(names.none));
    EXPECT_FALSE(exists(names.restart));
    EXPECT_FALSE(exists(names.requests));
    EXPECT_THAT(of("heir"), SizeIs(1));
}

TEST_P(ExitRequests, TheEndOfTheNodeKeepsRestartAndFiresRequestsAtTheNextBoot) {
    for (const Way way : {Way::Shutdown, Way::Crash}) {
        SCOPED_TRACE(name_of(way));
        if (!exists("heir")) {
            add("heir", listens("heir"), guest(OnExit::restart()));
        }
        const Three names = three(way);
        go();
        notes.clear();
        if (way == Way::Shutdown) {
            world.reboot();
        } else {
            world.crash_and_boot();
        }
        EXPECT_FALSE(exists(names.none));
        EXPECT_EQ(starts(names.restart), 1U);
        EXPECT_FALSE(exists(names.requests));
        EXPECT_THAT(of("heir"),
                    ElementsAre("Request " + names.requests + " ended from " + names.requests));
    }
    EXPECT_THAT(kernel_prints(0), IsEmpty());
}

TEST_P(ExitRequests, CK98_AProcessThatReturnsSendsItsRequestWithBlobAndNothingExpected) {
    begin("parent", [this](mock::Api& api) -> mock::Script {
        const mock::Delivery delivery = co_await api.receive();
        const std::optional<mock::Blob> blob = co_await api.get_blob();
        note("parent", describe(delivery) + ", blob " + describe(blob));
        note("parent", delivery.request.expects_response ? "expects" : "expects nothing");
        note("parent", delivery.request.metadata.value_or("no metadata"));
        const mock::Response response = answer("to nobody");
        co_await api.send_response(response);
    });
    ExitRequest request = exit_request("parent", "done");
    request.request.metadata = "{}";
    request.blob = Blob{"text/plain", SharedBytes(std::string_view("bytes"))};
    begin("child", ends(Way::Return), guest(fires({request}), {messaging("parent")}));
    send_to("child", "end");
    EXPECT_THAT(of("parent"), ElementsAre("Request done from child, blob bytes (text/plain)",
                                          "expects nothing", "{}"));
    EXPECT_FALSE(exists("child"));
    // Its answer had nobody to answer.
    EXPECT_THAT(kernel_prints(0), Contains(HasSubstr("there is no Request to answer")));
}

TEST_P(ExitRequests, CK99_APanicAndAKillSendTheSame) {
    begin("parent", listens("parent"));
    begin("child", ends(Way::Trap), guest(fires("parent", "panicked"), {messaging("parent")}));
    send_to("child", "end");
    begin("killed", ends(Way::Return), guest(fires("parent", "killed"), {messaging("parent")}));
    EXPECT_TRUE(world.kill("killed:test:os"));
    EXPECT_THAT(of("parent"),
                ElementsAre("Request panicked from child", "Request killed from killed"));
    EXPECT_FALSE(exists("child"));
    EXPECT_FALSE(exists("killed"));
}

TEST_P(ExitRequests, CK100_ExpectsResponseInsideIsStoredAndFiredAsNone) {
    begin("parent", [this](mock::Api& api) -> mock::Script {
        for (;;) {
            const mock::Delivery delivery = co_await api.receive();
            note("parent",
                 delivery.request.body +
                     (delivery.request.expects_response ? " expects" : " expects nothing"));
        }
    });
    const mock::OnExit wanted = guest_fires({ask("parent", "set by the guest", 5)});
    begin(
        "guest",
        [this, wanted](mock::Api& api) -> mock::Script {
            co_await api.set_on_exit(wanted);
            const mock::OnExit now = co_await api.get_on_exit();
            note("guest", now.requests.at(0).request.body +
                              (now.requests.at(0).request.expects_response ? " expects"
                                                                           : " expects nothing"));
        },
        guest(OnExit::none(), {messaging("parent")}));
    ExitRequest given = exit_request("parent", "given at birth");
    given.request.expects_response = 5;
    begin(
        "given",
        [this](mock::Api& api) -> mock::Script {
            const mock::OnExit now = co_await api.get_on_exit();
            note("given",
                 now.requests.at(0).request.expects_response ? "expects" : "expects nothing");
        },
        guest(fires({given}), {messaging("parent")}));
    ExitRequest commanded = exit_request("parent", "set by command");
    commanded.request.expects_response = 5;
    begin("commanded", ends(Way::Return), guest(OnExit::none(), {messaging("parent")}));
    world.kernel().set_on_exit(parse_process_id("commanded:test:os").value(), fires({commanded}));
    send_to("commanded", "end");
    EXPECT_THAT(of("guest"), ElementsAre("set by the guest expects nothing"));
    EXPECT_THAT(of("given"), ElementsAre("expects nothing"));
    EXPECT_THAT(of("parent"),
                ElementsAre("set by the guest expects nothing", "given at birth expects nothing",
                            "set by command expects nothing"));
}

TEST_P(ExitRequests, CK101_OnlyAnAllowedTargetThatExistsGetsItsRequest) {
    add("allowed", listens("allowed"));
    add("closed", listens("closed"));
    ExitRequest remote = exit_request("allowed", "remote");
    remote.target.node = "other.os";
    add("child", ends(Way::Return),
        guest(fires({exit_request("absent", "1"), exit_request("closed", "2"), remote,
                     exit_request("allowed", "4")}),
              {messaging("allowed"), messaging("absent")}));
    for (const char* name : {"allowed", "closed", "child"}) {
        run(name);
    }
    send_to("child", "end");
    EXPECT_THAT(of("allowed"), ElementsAre("Request 4 from child"));
    EXPECT_THAT(of("closed"), IsEmpty());
    EXPECT_THAT(dropped(), SizeIs(3));
    EXPECT_FALSE(exists("child"));
}

TEST_P(ExitRequests, APublicTargetNeedsNoCapability) {
    KernelWorld::Guest open;
    open.is_public = true;
    add("open", listens("open"), open);
    add("child", ends(Way::Return), guest(fires("open", "x")));
    run("open");
    run("child");
    send_to("child", "end");
    EXPECT_THAT(of("open"), ElementsAre("Request x from child"));
}

TEST_P(ExitRequests, CK102_ACapabilityTheProcessDoesNotHoldDoesNotTravel) {
    begin("parent", [this](mock::Api& api) -> mock::Script {
        const mock::Delivery delivery = co_await api.receive();
        note("parent", delivery.request.body + " with " +
                           std::to_string(delivery.request.capabilities.size()));
    });
    ExitRequest request = exit_request("parent", "x");
    request.request.capabilities = {network_of(KernelWorld::kNode), capability("parent", "1")};
    begin("child", ends(Way::Return), guest(fires({request}), {messaging("parent")}));
    send_to("child", "end");
    EXPECT_THAT(of("parent"), ElementsAre("x with 0"));
}

TEST_P(ExitRequests, TheyComeInListOrderAfterEverythingTheProcessSentItself) {
    begin("parent", listens("parent"));
    begin(
        "child",
        [](mock::Api& api) -> mock::Script {
            const mock::Send own = tell("parent", "own");
            co_await api.send_request(own);
            co_await trap(api, "x");
        },
        guest(fires({exit_request("parent", "1"), exit_request("parent", "2"),
                     exit_request("parent", "3")}),
              {messaging("parent")}));
    EXPECT_THAT(of("parent"), ElementsAre("Request own from child", "Request 1 from child",
                                          "Request 2 from child", "Request 3 from child"));
}

TEST_P(ExitRequests, ARequestToTheProcessItselfIsDropped) {
    begin("parent", listens("parent"));
    begin("child", ends(Way::Return),
          guest(fires({exit_request("child", "to myself"), exit_request("parent", "on")}),
                {messaging("parent")}));
    send_to("child", "end");
    EXPECT_THAT(of("parent"), ElementsAre("Request on from child"));
    EXPECT_FALSE(exists("child"));
}

TEST_P(ExitRequests, OurInATargetMeansTheOwnNode) {
    begin("parent", listens("parent"));
    ExitRequest request = exit_request("parent", "x");
    request.target.node = "our";
    begin("given", ends(Way::Return), guest(fires({request}), {messaging("parent")}));
    const mock::OnExit wanted = guest_fires({at_node(tell("parent", "y"), "our")});
    begin(
        "set", [wanted](mock::Api& api) -> mock::Script { co_await api.set_on_exit(wanted); },
        guest(OnExit::none(), {messaging("parent")}));
    send_to("given", "end");
    EXPECT_THAT(of("parent"), ElementsAre("Request y from set", "Request x from given"));
}

TEST_P(ExitRequests, TheBehaviourInForceIsWhatWasSetLast) {
    begin("parent", listens("parent"));
    const mock::OnExit first = guest_fires({tell("parent", "first")});
    const mock::OnExit second = guest_fires({tell("parent", "second"), tell("absent", "dropped")});
    begin(
        "child",
        [this, first, second](mock::Api& api) -> mock::Script {
            co_await api.set_on_exit(first);
            co_await api.set_on_exit(second);
            const mock::OnExit now = co_await api.get_on_exit();
            note("child", std::to_string(now.requests.size()) + " " +
                              now.requests.at(0).request.body + " to " +
                              now.requests.at(1).target.process + " at " +
                              now.requests.at(1).target.node);
        },
        guest(OnExit::restart(), {messaging("parent")}));
    EXPECT_THAT(of("child"), ElementsAre("2 second to absent at n.os"));
    EXPECT_THAT(of("parent"), ElementsAre("Request second from child"));
    EXPECT_FALSE(exists("child"));
    EXPECT_EQ(world.journal().count(Family::Processes), 0U);
}

class TightMailboxes : public ExitRequests {
protected:
    TightMailboxes() : ExitRequests(limits()) {}
    static KernelLimits limits() {
        KernelLimits limits;
        limits.mailbox.messages_max = 4;
        limits.exit_requests_waiting_max = 3;
        return limits;
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, TightMailboxes, worker_counts(), worker_name);

TEST_P(TightMailboxes, AFullMailboxTakesAFewExitRequestsAboveItsBound) {
    add("parent", listens("parent"));
    std::vector<ExitRequest> many;
    for (int count = 0; count < 10; ++count) {
        many.push_back(exit_request("parent", std::to_string(count)));
    }
    add("child", ends(Way::Return), guest(fires(many), {messaging("parent")}));
    run("child");
    send_to("child", "end");
    EXPECT_EQ(world.status("parent:test:os")->mailbox_messages, 7U);
    EXPECT_EQ(world.status("parent:test:os")->refused, 3U);
    EXPECT_THAT(world.log_lines(), Contains(HasSubstr("mailbox_refused_messages")));
    run("parent");
    EXPECT_THAT(of("parent"),
                ElementsAre("Request 0 from child", "Request 1 from child", "Request 2 from child",
                            "Request 3 from child", "Request 4 from child", "Request 5 from child",
                            "Request 6 from child"));
    EXPECT_EQ(world.status("parent:test:os")->mailbox_messages, 0U);
}

}  // namespace
}  // namespace perdure::kernel
