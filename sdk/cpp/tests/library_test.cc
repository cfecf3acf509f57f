// The library against a node that only takes notes: what reaches the node, and what comes out of
// it. Run with AddressSanitizer this also shows that nothing handed over is lost or freed twice.

#include <gtest/gtest.h>

#include "fake_node.h"
#include "perdure/perdure.h"

extern "C" void exports_guest_init(guest_string_t* our);

namespace {

using namespace perdure;
using namespace std::chrono_literals;

std::string started_as;

void init(const Address& our) {
    started_as = our.to_string();
}

const Address kTarget{"our", {"target", "package", "publisher.os"}};

class Library : public testing::Test {
protected:
    void SetUp() override { fake::node() = {}; }

    static void push_request(std::string body) {
        fake::node().elements.push_back([body](auto& ok, auto&, auto&) {
            ok.f0 = fake::address("asker");
            ok.f1.tag = STANDARD_MESSAGE_REQUEST;
            ok.f1.val.request = fake::request(body);
            return true;
        });
    }
    static void push_response(std::string body, std::optional<std::string> context) {
        fake::node().elements.push_back([body, context](auto& ok, auto&, auto&) {
            ok.f0 = fake::address("answerer");
            ok.f1.tag = STANDARD_MESSAGE_RESPONSE;
            ok.f1.val.response = {fake::response(body), {}};
            if (context)
                ok.f1.val.response.f1 = fake::context(*context);
            return true;
        });
    }
    static void push_error(std::string body) {
        fake::node().elements.push_back([body](auto&, auto& error, auto& context) {
            error.kind = STANDARD_SEND_ERROR_KIND_OFFLINE;
            error.target = fake::address("absent");
            error.message.tag = STANDARD_MESSAGE_REQUEST;
            error.message.val.request = fake::request(body);
            error.lazy_load_blob = {true, {{false, {}}, {fake::string("b").ptr, 1}}};
            context = fake::context("c");
            return false;
        });
    }
};

TEST_F(Library, ARequestReachesTheNodeWithEveryPart) {
    RequestTo(kTarget)
        .body("hello")
        .metadata("{}")
        .blob(Blob{"text/plain", "bytes"})
        .context("mine")
        .inherit()
        .attach({kTarget, "\"right\""})
        .send_expecting(5s);
    EXPECT_EQ(
        fake::node().calls.back(),
        "send our@target:package:publisher.os expects=5 inherit body=hello metadata={}"
        " cap=our@target:package:publisher.os|\"right\" context=mine mime=text/plain blob=bytes");
}

TEST_F(Library, WhatIsNotGivenIsNone) {
    RequestTo(kTarget).send();
    EXPECT_EQ(fake::node().calls.back(), "send our@target:package:publisher.os body=");
    Answer().send();
    EXPECT_EQ(fake::node().calls.back(), "respond body=");
}

TEST_F(Library, EmptyPartsArePresent) {
    RequestTo(kTarget).metadata("").blob(Blob{"", ""}).context("").send_expecting(0s);
    EXPECT_EQ(
        fake::node().calls.back(),
        "send our@target:package:publisher.os expects=0 body= metadata= context= mime= blob=");
}

TEST_F(Library, SendAllKeepsTheOrder) {
    std::vector<Outgoing> messages(3);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        messages[i].target = kTarget;
        messages[i].request.body = Bytes(std::to_string(i));
    }
    messages[1].context = Bytes("c");
    messages[2].blob = Blob{std::nullopt, "b"};
    send_all(messages);
    EXPECT_EQ(fake::node().calls,
              (std::vector<std::string>{"send-all our@target:package:publisher.os body=0",
                                        "send-all our@target:package:publisher.os body=1 context=c",
                                        "send-all our@target:package:publisher.os body=2 blob=b"}));
}

TEST_F(Library, AnAwaitedAnswerComesWithItsSource) {
    push_response("yes", std::nullopt);
    const auto answer = RequestTo(kTarget).body("?").await(3s);
    EXPECT_EQ(fake::node().calls.back(), "await our@target:package:publisher.os expects=3 body=?");
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->source.to_string(), "node.os@answerer:package:publisher.os");
    EXPECT_EQ(answer->response.body, Bytes("yes"));
    EXPECT_FALSE(answer->context.has_value());
}

TEST_F(Library, AFailedAwaitBringsTheMessageBack) {
    push_error("lost");
    const auto answer = RequestTo(kTarget).await(3s);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, SendErrorKind::Offline);
    ASSERT_TRUE(answer.error().target.has_value());
    EXPECT_EQ(answer.error().target->process.process_name, "absent");
    EXPECT_EQ(std::get<Request>(answer.error().message).body, Bytes("lost"));
    EXPECT_EQ(answer.error().blob, (Blob{std::nullopt, "b"}));
}

TEST_F(Library, AnAwaitedRequestTraps) {
    push_request("not an answer");
    EXPECT_DEATH((void)RequestTo(kTarget).await(3s), "the node answered with a Request");
}

TEST_F(Library, ReceiveTellsRequestsResponsesAndErrorsApart) {
    push_request("ask");
    push_response("answer", "");
    push_error("back");

    const auto asked = std::get<IncomingRequest>(receive());
    EXPECT_EQ(asked.source.process.process_name, "asker");
    EXPECT_EQ(asked.request.body, Bytes("ask"));
    EXPECT_EQ(asked.request.expects_response_s, 7u);
    EXPECT_EQ(asked.request.metadata, "{}");
    ASSERT_EQ(asked.request.capabilities.size(), 1u);
    EXPECT_EQ(asked.request.capabilities[0].params, "\"right\"");

    const auto answered = std::get<IncomingResponse>(receive());
    EXPECT_TRUE(answered.response.inherit);
    EXPECT_EQ(answered.context, Bytes(""));

    const auto failed = std::get<FailedMessage>(receive());
    EXPECT_EQ(failed.context, Bytes("c"));
}

TEST_F(Library, TheLoopHandsEachElementToItsHandlerAndStopsWhenTold) {
    push_response("dropped", std::nullopt);
    push_request("first");
    push_error("error");
    push_request("stop");
    std::string seen;
    receive_loop(
        [&](IncomingRequest& message) {
            seen += message.request.body.text();
            return message.request.body.text() == "stop" ? Loop::Stop : Loop::Continue;
        },
        [&](FailedMessage&) { seen += " error "; });
    EXPECT_EQ(seen, "first error stop");
    EXPECT_TRUE(fake::node().elements.empty());
}

TEST_F(Library, NoBlobNoMimeAndEmptyMimeDiffer) {
    EXPECT_FALSE(has_blob());
    EXPECT_FALSE(get_blob().has_value());
    fake::node().blob = {std::nullopt, ""};
    EXPECT_EQ(get_blob(), (Blob{std::nullopt, ""}));
    fake::node().blob = {"", "bytes"};
    EXPECT_EQ(last_blob(), (Blob{"", "bytes"}));
    EXPECT_TRUE(has_blob());
}

TEST_F(Library, AbsentAndUnreadableStateDiffer) {
    auto counter = load<std::uint64_t>();
    ASSERT_FALSE(counter.has_value());
    EXPECT_EQ(counter.error(), LoadError::Absent);

    save(std::uint64_t{258});
    EXPECT_EQ(fake::node().state, std::string("\x02\x01\0\0\0\0\0\0", 8));
    EXPECT_EQ(*load<std::uint64_t>(), 258u);

    fake::node().state = "short";
    EXPECT_EQ(load<std::uint64_t>().error(), LoadError::Unreadable);

    clear_state();
    EXPECT_FALSE(get_state().has_value());
    set_state(Bytes(""));
    EXPECT_EQ(get_state(), Bytes(""));
}

TEST_F(Library, ExitRequestsReachTheNodeAndComeBack) {
    set_on_exit(OnExit::none());
    set_on_exit(OnExit::restart());
    ExitRequest farewell;
    farewell.target = kTarget;
    farewell.request.body = "farewell";
    farewell.blob = Blob{"m", "b"};
    set_on_exit(OnExit::send({farewell}));
    EXPECT_EQ(fake::node().calls,
              (std::vector<std::string>{
                  "on-exit 0", "on-exit 1",
                  "on-exit 2 to=our@target:package:publisher.os body=farewell mime=m blob=b"}));

    const auto on_exit = get_on_exit();
    EXPECT_EQ(on_exit.kind, OnExit::Kind::Requests);
    ASSERT_EQ(on_exit.requests.size(), 1u);
    EXPECT_EQ(on_exit.requests[0].target.process.process_name, "heir");
    EXPECT_EQ(on_exit.requests[0].request.body, Bytes("bye"));
}

TEST_F(Library, HoldsComparesIssuerAndParams) {
    const Address issuer{"node.os", {"issuer", "package", "publisher.os"}};
    EXPECT_TRUE(holds(issuer, "\"right\""));
    EXPECT_FALSE(holds(issuer, "\"other\""));
    EXPECT_FALSE(holds(kTarget, "\"right\""));
    const std::vector<Capability> one{{kTarget, "p"}};
    save_capabilities(one);
    drop_capabilities({});
    EXPECT_EQ(fake::node().calls,
              (std::vector<std::string>{"save-capabilities cap=our@target:package:publisher.os|p",
                                        "drop-capabilities"}));
}

TEST_F(Library, PrintJoinsItsArguments) {
    print("n=", 5, ' ', std::string("s"), " ", kTarget, " ", Bytes("b"));
    print_at(Verbosity::Runtime, "quiet");
    EXPECT_EQ(fake::node().calls,
              (std::vector<std::string>{"print 0 n=5 s our@target:package:publisher.os b",
                                        "print 2 quiet"}));
}

TEST_F(Library, StartsWithItsOwnAddress) {
    auto text = fake::string("node.os@name:package:publisher.os");
    exports_guest_init(&text);
    EXPECT_EQ(started_as, "node.os@name:package:publisher.os");
    EXPECT_EQ(our().to_string(), started_as);
}

TEST_F(Library, AnAddressThatCannotBeReadTraps) {
    auto text = fake::string("no address");
    EXPECT_DEATH(exports_guest_init(&text), "an address that cannot be read: no address");
    guest_string_free(&text);
}

}  // namespace

PERDURE_PROCESS(init)
