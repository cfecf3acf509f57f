#include "fake_node.h"

#include <cstdlib>
#include <cstring>

namespace fake {

Node& node() {
    static Node node;
    return node;
}

namespace {

template <class List>
List list(std::string_view bytes) {
    if (bytes.empty())
        return {reinterpret_cast<std::uint8_t*>(1), 0};
    auto* memory = static_cast<std::uint8_t*>(std::malloc(bytes.size()));
    std::memcpy(memory, bytes.data(), bytes.size());
    return {memory, bytes.size()};
}

template <class List>
std::string text(const List& list) {
    return {reinterpret_cast<const char*>(list.ptr), list.len};
}

std::string text(const standard_address_t& address) {
    return text(address.node) + "@" + text(address.process.process_name) + ":" +
           text(address.process.package_name) + ":" + text(address.process.publisher_node);
}

std::string text(const standard_list_capability_t& capabilities) {
    std::string line;
    for (std::size_t i = 0; i < capabilities.len; ++i) {
        line += " cap=" + text(capabilities.ptr[i].issuer) + "|" + text(capabilities.ptr[i].params);
    }
    return line;
}

template <class Message>
std::string common(const Message& message) {
    std::string line = message.inherit ? " inherit" : "";
    line += " body=" + text(message.body);
    if (message.metadata.is_some)
        line += " metadata=" + text(message.metadata.val);
    return line + text(message.capabilities);
}

std::string text(const standard_request_t& request) {
    std::string line;
    if (request.expects_response.is_some) {
        line = " expects=" + std::to_string(request.expects_response.val);
    }
    return line + common(request);
}

std::string blob_text(const standard_lazy_load_blob_t* blob) {
    if (blob == nullptr)
        return {};
    std::string line = blob->mime.is_some ? " mime=" + text(blob->mime.val) : "";
    return line + " blob=" + text(blob->bytes);
}

std::string context_text(const standard_context_t* context) {
    return context == nullptr ? std::string{} : " context=" + text(*context);
}

void note(std::string call) {
    node().calls.push_back(std::move(call));
}

auto take_element() {
    auto element = std::move(node().elements.front());
    node().elements.pop_front();
    return element;
}

bool hand_over_blob(standard_lazy_load_blob_t* ret) {
    if (!node().blob)
        return false;
    const auto& [mime, bytes] = *node().blob;
    ret->mime.is_some = mime.has_value();
    if (mime)
        ret->mime.val = string(*mime);
    ret->bytes = list<guest_list_u8_t>(bytes);
    return true;
}

}  // namespace

guest_string_t string(std::string_view text) {
    return list<guest_string_t>(text);
}

standard_address_t address(std::string_view name) {
    return {string("node.os"), {string(name), string("package"), string("publisher.os")}};
}

standard_list_capability_t one_right() {
    using Element = standard_capability_t;
    auto* memory = static_cast<Element*>(std::malloc(sizeof(Element)));
    memory[0] = {address("issuer"), string("\"right\"")};
    return {memory, 1};
}

standard_request_t request(std::string_view body) {
    standard_request_t request{};
    request.expects_response = {true, 7};
    request.body = list<guest_list_u8_t>(body);
    request.metadata = {true, string("{}")};
    request.capabilities = one_right();
    return request;
}

standard_response_t response(std::string_view body) {
    standard_response_t response{};
    response.inherit = true;
    response.body = list<guest_list_u8_t>(body);
    return response;
}

standard_option_context_t context(std::string_view bytes) {
    return {true, list<standard_context_t>(bytes)};
}

extern "C" {

void guest_string_free(guest_string_t* text) {
    if (text->len > 0)
        std::free(text->ptr);
    *text = {nullptr, 0};
}

void standard_print_to_terminal(std::uint8_t verbosity, guest_string_t* message) {
    note("print " + std::to_string(verbosity) + " " + text(*message));
}

void standard_get_on_exit(standard_on_exit_t* ret) {
    using Element = standard_tuple3_address_request_option_lazy_load_blob_t;
    ret->tag = STANDARD_ON_EXIT_REQUESTS;
    ret->val.requests = {static_cast<Element*>(std::malloc(sizeof(Element))), 1};
    ret->val.requests.ptr[0] = {address("heir"), request("bye"), {}};
}

void standard_set_on_exit(standard_on_exit_t* on_exit) {
    std::string line = "on-exit " + std::to_string(on_exit->tag);
    for (std::size_t i = 0;
         on_exit->tag == STANDARD_ON_EXIT_REQUESTS && i < on_exit->val.requests.len; ++i) {
        auto& message = on_exit->val.requests.ptr[i];
        line += " to=" + text(message.f0) + text(message.f1) +
                blob_text(message.f2.is_some ? &message.f2.val : nullptr);
    }
    note(line);
}

bool standard_get_state(guest_list_u8_t* ret) {
    if (!node().state)
        return false;
    *ret = list<guest_list_u8_t>(*node().state);
    return true;
}

void standard_set_state(guest_list_u8_t* bytes) {
    node().state = text(*bytes);
}

void standard_clear_state(void) {
    node().state.reset();
}

void standard_save_capabilities(standard_list_capability_t* capabilities) {
    note("save-capabilities" + text(*capabilities));
}

void standard_drop_capabilities(standard_list_capability_t* capabilities) {
    note("drop-capabilities" + text(*capabilities));
}

void standard_our_capabilities(standard_list_capability_t* ret) {
    *ret = one_right();
}

bool standard_receive(standard_tuple2_address_message_t* ret,
                      standard_tuple2_send_error_option_context_t* err) {
    return take_element()(*ret, err->f0, err->f1);
}

bool standard_has_blob(void) {
    return node().blob.has_value();
}

bool standard_get_blob(standard_lazy_load_blob_t* ret) {
    return hand_over_blob(ret);
}

bool standard_last_blob(standard_lazy_load_blob_t* ret) {
    return hand_over_blob(ret);
}

void standard_send_request(standard_address_t* target, standard_request_t* request,
                           standard_context_t* context, standard_lazy_load_blob_t* blob) {
    note("send " + text(*target) + text(*request) + context_text(context) + blob_text(blob));
}

void standard_send_requests(
    standard_list_tuple4_address_request_option_context_option_lazy_load_blob_t* requests) {
    for (std::size_t i = 0; i < requests->len; ++i) {
        auto& [target, request, context, blob] = requests->ptr[i];
        note("send-all " + text(target) + text(request) +
             context_text(context.is_some ? &context.val : nullptr) +
             blob_text(blob.is_some ? &blob.val : nullptr));
    }
}

void standard_send_response(standard_response_t* response, standard_lazy_load_blob_t* blob) {
    note("respond" + common(*response) + blob_text(blob));
}

bool standard_send_and_await_response(standard_address_t* target, standard_request_t* request,
                                      standard_lazy_load_blob_t* blob,
                                      standard_tuple2_address_message_t* ret,
                                      standard_send_error_t* err) {
    note("await " + text(*target) + text(*request) + blob_text(blob));
    // The interface has no context here; what the element made of it goes nowhere.
    standard_option_context_t context{};
    const bool ok = take_element()(*ret, *err, context);
    if (context.is_some && context.val.len > 0)
        std::free(context.val.ptr);
    return ok;
}

}  // extern "C"

}  // namespace fake
