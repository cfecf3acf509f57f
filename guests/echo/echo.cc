// Answers every Request with its own body, metadata and blob. Built once for each interface
// version.

#include "perdure/perdure.h"

using namespace perdure;

void init(const Address& our) {
    print("echo at ", our);
    receive_loop(
        [](IncomingRequest& message) {
            Response response;
            response.inherit = true;
            response.body = std::move(message.request.body);
            response.metadata = std::move(message.request.metadata);
            respond(response);
        },
        [](FailedMessage& failed) {
            print("echo: send error ",
                  failed.error.kind == SendErrorKind::Offline ? "Offline" : "Timeout");
        });
}

PERDURE_PROCESS(init)
