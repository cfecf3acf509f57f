// Three ways to pass a Request on to `echo` of the same package. The body's first word chooses:
//
//   await TEXT      asks echo, waits, and answers with what it said
//   context TEXT    asks echo, goes on receiving, and keeps the asker's text as context meanwhile
//   inherit TEXT    hands the Request over: echo answers the asker directly

#include "perdure/perdure.h"

using namespace perdure;
using namespace std::chrono_literals;

namespace {

std::string describe(const SendError& error) {
    return error.kind == SendErrorKind::Offline ? "offline" : "timeout";
}

}  // namespace

void init(const Address& our) {
    const Address echo =
        Address::local({"echo", our.process.package_name, our.process.publisher_node});

    receive_loop(
        [&](IncomingRequest& message) {
            const auto body = message.request.body.text();
            const auto blank = body.find(' ');
            const auto way = body.substr(0, blank);
            const auto text = blank == body.npos ? std::string_view{} : body.substr(blank + 1);
            if (way == "await") {
                auto answer = RequestTo(echo).body(text).await(5s);
                Answer()
                    .body(answer ? answer->response.body : Bytes(describe(answer.error())))
                    .send();
            } else if (way == "context") {
                RequestTo(echo).body(text).context(text).send_expecting(5s);
            } else if (way == "inherit") {
                RequestTo(echo).body(text).inherit().send();
            }
        },
        [](IncomingResponse& message) {
            print("echo answered for ", message.context.value_or(Bytes("nobody")));
        },
        [](FailedMessage& failed) { print("no echo: ", describe(failed.error)); });
}

PERDURE_PROCESS(init)
