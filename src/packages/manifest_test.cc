#include "packages/manifest.h"

#include <gtest/gtest.h>

namespace perdure::packages {
namespace {

std::string entry_with(std::string_view more) {
    return R"([{"process_name":"a","process_wasm_path":"/a.wasm","on_exit":"None")" +
           std::string(more) + "}]";
}

std::string message_of(std::string_view text) {
    const auto manifest = parse_manifest(text);
    return manifest ? "accepted" : manifest.error().message();
}

// `count` times `item`, separated by commas.
std::string repeated(std::size_t count, const std::string& item) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += (i ? "," : "") + item;
    }
    return text;
}

TEST(Manifest, ACompleteEntryIsRead) {
    const auto manifest = parse_manifest(
        R"([{ "process_name": "server", "process_wasm_path": "/server.wasm", "on_exit": "Restart",
              "request_networking": true,
              "request_capabilities": ["http-server:distro:sys",
                {"process": "vfs:distro:sys", "params": {"kind": "read", "drive": "/other:pub.os/data"}}],
              "grant_capabilities": ["http_server:distro:sys", {"process": "client:app:pub.os", "params": "admin"}],
              "public": true }])");
    ASSERT_TRUE(manifest) << manifest.error().message();
    ASSERT_EQ(manifest->entries.size(), 1u);
    const ManifestEntry& entry = manifest->entries[0];
    EXPECT_EQ(entry.process_name, "server");
    EXPECT_EQ(entry.process_wasm_path, "server.wasm");
    EXPECT_EQ(entry.on_exit, OnExit::restart());
    EXPECT_TRUE(entry.request_networking);
    EXPECT_TRUE(entry.is_public);
    ASSERT_EQ(entry.request_capabilities.size(), 2u);
    EXPECT_EQ(entry.request_capabilities[0].params, "\"messaging\"");
    EXPECT_EQ(entry.request_capabilities[1].params,
              R"({"kind":"read","drive":"/other:pub.os/data"})");
    ASSERT_EQ(entry.grant_capabilities.size(), 2u);
    EXPECT_EQ(entry.grant_capabilities[0].process, well_known::http_server());
    EXPECT_EQ(entry.grant_capabilities[1].params, "\"admin\"");
    EXPECT_TRUE(manifest->warnings.empty());
}

TEST(Manifest, NetworkingListsAndPublicDefaultToNone) {
    const auto manifest = parse_manifest(entry_with(""));
    ASSERT_TRUE(manifest) << manifest.error().message();
    const ManifestEntry& entry = manifest->entries[0];
    EXPECT_FALSE(entry.request_networking);
    EXPECT_FALSE(entry.is_public);
    EXPECT_TRUE(entry.request_capabilities.empty());
    EXPECT_TRUE(entry.grant_capabilities.empty());
    EXPECT_TRUE(parse_manifest("[]")->entries.empty());
}

TEST(Manifest, OnExitRequestsMayHaveATextBodyAndOurAsNode) {
    const auto manifest = parse_manifest(
        R"([{"process_name":"a","process_wasm_path":"a.wasm","on_exit":{"Requests":[["our@b:other:pub.os",)"
        R"({"inherit":false,"expects_response":null,"body":"bye","metadata":null,"capabilities":[]},null]]}}])");
    ASSERT_TRUE(manifest) << manifest.error().message();
    const OnExit& on_exit = manifest->entries[0].on_exit;
    ASSERT_EQ(on_exit.requests.size(), 1u);
    EXPECT_EQ(on_exit.requests[0].request.body.text(), "bye");
    EXPECT_EQ(on_exit.requests[0].target.node, "our");
}

TEST(Manifest, CapabilitiesOfUnsafeIdsAreLeftOutWithAWarning) {
    const auto manifest = parse_manifest(
        entry_with(R"(,"request_capabilities":["kns_indexer:kns_indexer:sys","net:distro:sys"])"));
    ASSERT_TRUE(manifest) << manifest.error().message();
    ASSERT_EQ(manifest->entries[0].request_capabilities.size(), 1u);
    EXPECT_EQ(manifest->entries[0].request_capabilities[0].process, well_known::net());
    ASSERT_EQ(manifest->warnings.size(), 1u);
    EXPECT_EQ(manifest->warnings[0],
              "$[0].request_capabilities[0]: left out, because no process can be named "
              "\"kns_indexer:kns_indexer:sys\"");
}

TEST(Manifest, UnknownKeysAreIgnoredAndLikelySlipsAreReported) {
    const auto manifest =
        parse_manifest(entry_with(R"(,"publc":true,"something_else_entirely":1)"));
    ASSERT_TRUE(manifest) << manifest.error().message();
    EXPECT_FALSE(manifest->entries[0].is_public);
    ASSERT_EQ(manifest->warnings.size(), 1u);
    EXPECT_EQ(manifest->warnings[0],
              "$[0]: the unknown key \"publc\" is ignored; was \"public\" meant?");
}

TEST(Manifest, EveryMalformedFieldIsRefusedWithPathAndCause) {
    const std::pair<std::string, std::string> cases[] = {
        {"", "line 1, column 1"},
        {"[{", "line 1, column 3: the text ends inside a value"},
        {"{}", "$: expected an array with one object per process, got an object"},
        {"[1]", "$[0]: expected an object, got an integer 1"},
        {"[{}]", "$[0]: the key \"process_name\" is missing; add it"},
        {R"([{"process_name":5}])", "$[0].process_name: expected a string, got an integer 5"},
        {R"([{"process_name":"A"}])", "$[0].process_name: expected a process name"},
        {R"([{"process_name":""}])", "$[0].process_name: "},
        {R"([{"process_name":"a"}])", "$[0]: the key \"process_wasm_path\" is missing"},
        {R"([{"process_name":"a","process_wasm_path":1}])",
         "$[0].process_wasm_path: expected a string"},
        {R"([{"process_name":"a","process_wasm_path":"/../x.wasm"}])",
         "$[0].process_wasm_path: path \"/../x.wasm\" has"},
        {R"([{"process_name":"a","process_wasm_path":"/a.wasm","onexit":"None"}])",
         "$[0]: the key \"on_exit\" is missing; was \"onexit\" meant to be it?"},
        {R"([{"process_name":"a","process_wasm_path":"/a.wasm","on_exit":"Always"}])",
         "$[0].on_exit: expected \"None\""},
        {R"([{"process_name":"a","process_wasm_path":"/a.wasm","on_exit":{"Requests":[["n@a:b:C",{"body":[]},null]]}}])",
         "$[0].on_exit.Requests[0][0]: PublisherNodeNotSafe"},
        {R"([{"process_name":"a","process_wasm_path":"/a.wasm","on_exit":{"Requests":[["n@a:b:c",{"body":[],"capabilities":[{"issuer":"N@a:b:c","params":""}]},null]]}}])",
         "$[0].on_exit.Requests[0][1].capabilities[0].issuer: NodeNotSafe"},
        {entry_with(R"(,"request_networking":"yes")"),
         "$[0].request_networking: expected true or false"},
        {entry_with(R"(,"public":1)"), "$[0].public: expected true or false"},
        {entry_with(R"(,"request_capabilities":"net:distro:sys")"),
         "$[0].request_capabilities: expected an array"},
        {entry_with(R"(,"request_capabilities":[5])"),
         "$[0].request_capabilities[0]: expected \"process:package:publisher\""},
        {entry_with(R"(,"request_capabilities":["net:distro"])"),
         "$[0].request_capabilities[0]: MissingField"},
        {entry_with(R"(,"grant_capabilities":[{"params":1}])"),
         "$[0].grant_capabilities[0]: the key \"process\" is missing"},
        {entry_with(R"(,"grant_capabilities":[{"process":"a:b:c"}])"),
         "$[0].grant_capabilities[0]: the key \"params\""},
        {entry_with(R"(,"grant_capabilities":[{"process":1,"params":1}])"),
         "$[0].grant_capabilities[0].process: "},
        {entry_with(R"(,"turn":"big")"), "$[0].turn: expected \"atomic\""},
        {entry_with(R"(,"delivery":1)"), "$[0].delivery: expected \"durable\""},
        {entry_with(R"(,"delivery":"durable")"),
         "$[0].delivery: \"durable\" needs \"turn\": \"atomic\""},
        {entry_with(R"(,"durability":"disk")"),
         "$[0].durability: expected \"power\" or \"process\" or \"memory\""},
    };
    for (const auto& [text, start] : cases) {
        const auto manifest = parse_manifest(text);
        ASSERT_FALSE(manifest) << text;
        EXPECT_EQ(manifest.error().code(), ErrorCode::InvalidInput) << text;
        EXPECT_TRUE(manifest.error().message().starts_with(start)) << manifest.error().message();
    }
}

TEST(Manifest, OptionsThatAreNotBuiltAreUnsupportedAndTheirDefaultsAreFine) {
    for (const std::string_view more :
         {R"(,"turn":"atomic")", R"(,"turn":"atomic","delivery":"durable")",
          R"(,"durability":"power")", R"(,"durability":"memory")"}) {
        const auto manifest = parse_manifest(entry_with(more));
        ASSERT_FALSE(manifest) << more;
        EXPECT_EQ(manifest.error().code(), ErrorCode::Unsupported) << more;
    }
    EXPECT_EQ(message_of(entry_with(R"(,"turn":null,"delivery":"default","durability":"default")")),
              "accepted");
}

TEST(Manifest, TwoProcessesOfOneNameAreRefused) {
    const std::string entry = entry_with("").substr(1, entry_with("").size() - 2);
    EXPECT_EQ(message_of("[" + entry + "," + entry + "]"),
              "$[1]: a second process named \"a\"; names must differ");
}

TEST(Manifest, PathsStayInsideThePackage) {
    EXPECT_EQ(parse_package_path("/a.wasm").value(), "a.wasm");
    EXPECT_EQ(parse_package_path("a.wasm").value(), "a.wasm");
    EXPECT_EQ(parse_package_path("/sub/a.wasm").value(), "sub/a.wasm");
    EXPECT_EQ(parse_package_path("/..a").value(), "..a");
    for (const std::string_view path :
         {"", "/", "//a", "a//b", "a/", "..", "/a/../b", "./a", "a/.", "a\\b", "a\nb", "a\x7f"}) {
        const auto refused = parse_package_path(path);
        ASSERT_FALSE(refused) << path;
        EXPECT_EQ(refused.error().code(), ErrorCode::InvalidInput);
    }
    EXPECT_FALSE(parse_package_path(std::string_view("a\0b", 3)));
    EXPECT_TRUE(parse_package_path(std::string(kWasmPathBytesMax, 'a')));
    EXPECT_FALSE(parse_package_path(std::string(kWasmPathBytesMax + 1, 'a')));
}

void expect_limit(const std::string& at_limit, const std::string& above, std::string_view name) {
    EXPECT_EQ(message_of(at_limit), "accepted");
    const auto refused = parse_manifest(above);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code(), ErrorCode::Overloaded);
    EXPECT_NE(refused.error().message().find(name), std::string::npos) << refused.error().message();
}

TEST(Manifest, EveryLimitHoldsAtItsValueAndRefusesOneMore) {
    std::string longest = entry_with("");
    longest.resize(kManifestBytesMax, ' ');
    expect_limit(longest, longest + ' ', "manifest_bytes_max");

    const auto processes = [](std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) {
            text += (i ? "," : "") + (R"({"process_name":"p)" + std::to_string(i)) +
                    R"(","process_wasm_path":"/a.wasm","on_exit":"None"})";
        }
        return "[" + text + "]";
    };
    expect_limit(processes(kProcessesPerPackageMax), processes(kProcessesPerPackageMax + 1),
                 "processes_per_package_max");

    for (const std::string key : {"request_capabilities", "grant_capabilities"}) {
        const auto capabilities = [&key](std::size_t count) {
            return entry_with(",\"" + key + "\":[" + repeated(count, "\"a:b:c\"") + "]");
        };
        expect_limit(capabilities(kCapabilitiesPerProcessMax),
                     capabilities(kCapabilitiesPerProcessMax + 1), "manifest_capabilities_max");
    }

    const auto exits = [](std::size_t count) {
        return R"([{"process_name":"a","process_wasm_path":"/a.wasm","on_exit":{"Requests":[)" +
               repeated(count, R"(["n@a:b:c",{"body":[]},null])") + "]}}]";
    };
    expect_limit(exits(kExitRequestsPerProcessMax), exits(kExitRequestsPerProcessMax + 1),
                 "exit_requests_max");
}

TEST(Manifest, WhatIsPrintedReadsTheSame) {
    const std::string text =
        R"([{"process_name":"a","process_wasm_path":"a.wasm","on_exit":{"Requests":[["our@b:c:d",{"body":"bye"},)"
        R"({"mime":"m","bytes":[1]}]]},"request_networking":true,"request_capabilities":["a:b:c",)"
        R"({"process":"a:b:c","params":[1.0,{"z":1,"a":null}]}],"grant_capabilities":[],"public":true},)"
        R"({"process_name":"b","process_wasm_path":"/b.wasm","on_exit":"Restart"}])";
    const Manifest manifest = parse_manifest(text).value();
    const auto again = parse_manifest(manifest_to_text(manifest));
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->entries, manifest.entries);
}

}  // namespace
}  // namespace perdure::packages
