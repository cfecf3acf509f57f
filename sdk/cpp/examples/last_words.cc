// Asks the node to tell the process `heir` of the same package when this one ends; ends by a trap.

#include "perdure/perdure.h"

using namespace perdure;

void init(const Address& our) {
    ExitRequest farewell;
    farewell.target =
        Address::local({"heir", our.process.package_name, our.process.publisher_node});
    farewell.request.body = "farewell";
    farewell.blob = Blob{"text/plain", "all I had"};
    set_on_exit(OnExit::send({farewell}));
    panic("the end");
}

PERDURE_PROCESS(init)
