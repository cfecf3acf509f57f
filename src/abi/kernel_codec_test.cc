#include "abi/kernel_codec.h"

#include <gtest/gtest.h>

#include "abi/capability.h"

namespace perdure {
namespace {

using namespace kernel_command;

std::string reprinted_command(std::string_view body) {
    const auto command = decode_kernel_command(bytes_of(body));
    return command ? std::string(encode_kernel_command(*command).text())
                   : "error: " + command.error().message();
}

std::string reprinted_reply(std::string_view body) {
    const auto reply = decode_kernel_reply(bytes_of(body));
    return reply ? std::string(encode_kernel_reply(*reply).text())
                 : "error: " + reply.error().message();
}

constexpr std::string_view kInitialize =
    R"({"InitializeProcess":{"id":"a:app:pub.os","wasm_bytes_handle":"/app:pub.os/pkg/a.wasm","wit_version":1,)"
    R"("on_exit":"Restart","initial_capabilities":[{"issuer":"n.os@kernel:distro:sys","params":"\"network\""}],)"
    R"("public":true}})";

std::string initialize_with(std::string_view extra) {
    std::string text(kInitialize);
    text.insert(text.size() - 2, extra);
    return text;
}

TEST(KernelCodec, EveryCommandReadsAndPrintsInTheDocumentedForm) {
    for (
        const std::string_view body :
        {kInitialize, std::string_view(R"({"RunProcess":"a:app:pub.os"})"),
         std::string_view(R"({"KillProcess":"a:app:pub.os"})"),
         std::string_view(
             R"({"GrantCapabilities":{"target":"a:app:pub.os","capabilities":[{"issuer":"n.os@b:app:pub.os","params":"1"}]}})"),
         std::string_view(R"({"DropCapabilities":{"target":"a:app:pub.os","capabilities":[]}})"),
         std::string_view(R"({"SetOnExit":{"target":"a:app:pub.os","on_exit":"None"}})"),
         std::string_view(R"("Booted")"), std::string_view(R"("Shutdown")"),
         std::string_view(R"({"Debug":"ProcessMap"})"),
         std::string_view(R"({"Debug":{"Process":"a:app:pub.os"}})"),
         std::string_view(
             R"({"Debug":{"HasCap":{"on":"a:app:pub.os","cap":{"issuer":"n.os@b:app:pub.os","params":"1"}}}})")}) {
        EXPECT_EQ(reprinted_command(body), body);
    }
}

TEST(KernelCodec, InitializeProcessCarriesEveryField) {
    const auto command = decode_kernel_command(bytes_of(kInitialize));
    ASSERT_TRUE(command);
    const auto& initialize = std::get<InitializeProcess>(*command);
    EXPECT_EQ(initialize.id, (ProcessId{"a", "app", "pub.os"}));
    EXPECT_EQ(initialize.wasm_bytes_handle, "/app:pub.os/pkg/a.wasm");
    EXPECT_EQ(initialize.wit_version, 1u);
    EXPECT_EQ(initialize.on_exit, OnExit::restart());
    ASSERT_EQ(initialize.initial_capabilities.size(), 1u);
    EXPECT_EQ(initialize.initial_capabilities[0], network_of("n.os"));
    EXPECT_TRUE(initialize.is_public);
    EXPECT_FALSE(initialize.refusal);
}

TEST(KernelCodec, CK136_InitializeProcessTakesCapabilitiesAsObjectsAndAsPairs) {
    const auto body = [](std::string_view capability) {
        return R"({"InitializeProcess":{"id":"a:app:pub.os","wasm_bytes_handle":"","on_exit":{"Requests":)"
               R"([["our@b:c:d",{"inherit":false,"expects_response":null,"body":[],"metadata":null,"capabilities":[)" +
               std::string(capability) + R"(]},null]]},"initial_capabilities":[],"public":false}})";
    };
    const std::string object = R"({"issuer":"n.os@a:app:pub.os","params":"1"})";
    const auto plain = decode_kernel_command(bytes_of(body(object)));
    const auto pair = decode_kernel_command(bytes_of(body("[" + object + ",[7,7]]")));
    ASSERT_TRUE(plain);
    ASSERT_TRUE(pair) << pair.error().message();
    EXPECT_EQ(std::get<InitializeProcess>(*plain).on_exit,
              std::get<InitializeProcess>(*pair).on_exit);
    EXPECT_EQ(std::get<InitializeProcess>(*pair).on_exit.requests[0].request.capabilities.size(),
              1u);
}

TEST(KernelCodec, OptionsThatAreNotBuiltAreToldApartFromMalformedCommands) {
    for (const std::string_view extra : {R"(,"turn":"atomic")", R"(,"delivery":"durable")",
                                         R"(,"durability":"memory")", R"(,"turn":5)"}) {
        const auto command = decode_kernel_command(bytes_of(initialize_with(extra)));
        ASSERT_TRUE(command) << extra;
        const auto& refusal = std::get<InitializeProcess>(*command).refusal;
        ASSERT_TRUE(refusal) << extra;
        EXPECT_EQ(refusal->code(), ErrorCode::Unsupported);
    }
    for (const std::string_view extra : {R"(,"turn":null,"delivery":null)", R"(,"turn":"default")",
                                         R"(,"durability":"default")", R"(,"unknown":5)"}) {
        const auto command = decode_kernel_command(bytes_of(initialize_with(extra)));
        ASSERT_TRUE(command) << extra;
        EXPECT_FALSE(std::get<InitializeProcess>(*command).refusal) << extra;
    }
    const auto command = decode_kernel_command(bytes_of(initialize_with(R"(,"turn":"atomic")")));
    EXPECT_EQ(
        std::get<InitializeProcess>(*command).refusal->message(),
        "$.InitializeProcess.turn: \"atomic\" is not built in this version; leave the key out");
}

TEST(KernelCodec, AnUnsafeIdIsReadSoThatTheKernelCanAnswerInitializeProcessError) {
    const auto command = decode_kernel_command(bytes_of(
        R"({"InitializeProcess":{"id":"Bad_Name:app:pub.os","wasm_bytes_handle":"","wit_version":null,"on_exit":"None","initial_capabilities":[],"public":false}})"));
    ASSERT_TRUE(command);
    EXPECT_FALSE(is_safe(std::get<InitializeProcess>(*command).id));
    EXPECT_TRUE(decode_kernel_command(bytes_of(R"({"KillProcess":"Bad:app:pub.os"})")));
}

TEST(KernelCodec, ABodyThatIsNoCommandIsRefusedWithPathAndCause) {
    EXPECT_EQ(reprinted_command(R"({"Nonsense":1})"), "error: $: no kernel command \"Nonsense\"");
    EXPECT_EQ(reprinted_command(R"({"RunProcess":"a:b"})"),
              "error: $.RunProcess: MissingField in \"a:b\": a part is missing or empty; write "
              "process:package:publisher");
    for (const std::string_view body :
         {"", "\xff", "[]", "null", "\"RunProcess\"", R"({"Booted":1})",
          R"({"RunProcess":"a:b:c","KillProcess":"a:b:c"})", R"({"RunProcess":5})",
          R"({"InitializeProcess":{}})", R"({"GrantCapabilities":{"target":"a:b:c"}})",
          R"({"SetOnExit":{"target":"a:b:c","on_exit":"Never"}})", R"({"Debug":"Nothing"})",
          R"({"Debug":{"Process":1}})", R"({"Debug":{"HasCap":{"on":"a:b:c","cap":"x"}}})",
          R"("Debug")", R"({"Debug":{"ProcessMap":1}})"}) {
        EXPECT_FALSE(decode_kernel_command(bytes_of(body))) << body;
    }
}

TEST(KernelCodec, CK134_DebugRepliesHaveTheDocumentedShapes) {
    ProcessEntry entry;
    entry.wasm_bytes_handle = "/app:pub.os/pkg/a.wasm";
    entry.on_exit = OnExit::restart();
    entry.capabilities = {messaging_of({"n.os", {"b", "app", "pub.os"}})};
    entry.is_public = true;
    const std::string printed =
        R"({"wasm_bytes_handle":"/app:pub.os/pkg/a.wasm","wit_version":null,"on_exit":"Restart",)"
        R"("capabilities":[{"issuer":"n.os@b:app:pub.os","params":"\"messaging\""}],"public":true})";
    const auto text = [](const KernelReply& reply) {
        return std::string(encode_kernel_reply(reply).text());
    };

    EXPECT_EQ(text(kernel_reply::DebugProcessMap{{{{"a", "app", "pub.os"}, entry}}}),
              R"({"Debug":{"ProcessMap":{"a:app:pub.os":)" + printed + "}}}");
    EXPECT_EQ(text(kernel_reply::DebugProcess{entry}), R"({"Debug":{"Process":)" + printed + "}}");
    EXPECT_EQ(text(kernel_reply::DebugProcess{}), R"({"Debug":{"Process":null}})");
    EXPECT_EQ(text(kernel_reply::DebugHasCap{true}), R"({"Debug":{"HasCap":true}})");
    EXPECT_EQ(text(kernel_reply::DebugHasCap{}), R"({"Debug":{"HasCap":null}})");
    EXPECT_EQ(text(kernel_reply::DebugProcessMap{}), R"({"Debug":{"ProcessMap":{}}})");
}

TEST(KernelCodec, EveryReplyReadsAndPrintsInTheDocumentedForm) {
    for (
        const std::string_view body :
        {R"("InitializedProcess")", R"("InitializeProcessError")", R"("StartedProcess")",
         R"("RunProcessError")", R"({"KilledProcess":"a:app:pub.os"})",
         R"({"Debug":{"HasCap":false}})", R"({"Debug":{"HasCap":null}})",
         R"({"Debug":{"Process":null}})",
         R"({"Debug":{"ProcessMap":{"a:b:c":{"wasm_bytes_handle":"","wit_version":0,"on_exit":"None","capabilities":[],"public":false}}}})"}) {
        EXPECT_EQ(reprinted_reply(body), body);
    }
    for (const std::string_view body :
         {R"("Killed")", R"({"Debug":5})", R"({"Debug":{"ProcessMap":[]}})", "5"}) {
        EXPECT_FALSE(decode_kernel_reply(bytes_of(body))) << body;
    }
}

}  // namespace
}  // namespace perdure
