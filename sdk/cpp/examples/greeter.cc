// The README's example: greets whoever asks and remembers how often it did.

#include "perdure/perdure.h"

using namespace perdure;

struct Greetings {
    std::uint64_t given = 0;
    std::string last_name;
    void fields(auto& visit) { visit(given, last_name); }
};

void init(const Address& our) {
    auto saved = load<Greetings>();
    if (!saved && saved.error() == LoadError::Unreadable)
        panic("the saved greetings are not ours");
    Greetings greetings = saved ? std::move(*saved) : Greetings{};
    print("greeter at ", our, ", greetings so far: ", greetings.given);

    receive_loop([&](IncomingRequest& message) {
        greetings.given += 1;
        greetings.last_name = std::string(message.request.body.text());
        save(greetings);
        Answer().body("hello " + greetings.last_name).send();
    });
}

PERDURE_PROCESS(init)
