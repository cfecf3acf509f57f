#include "stepped_node.h"

#include <fmt/format.h>

namespace perdure::crash {
namespace {

std::string metadata_of(std::string_view package, std::string_view publisher,
                        std::string_view version) {
    return fmt::format(
        R"({{"name":"crash","properties":{{"package_name":"{}","publisher":"{}","current_version":"{}",)"
        R"("mirrors":[],"code_hashes":{{"{}":""}},"wit_version":1}}}})",
        package, publisher, version, version);
}
std::string manifest_entry(std::string_view name, std::string_view file, std::string_view requests,
                           std::string_view grants) {
    return fmt::format(
        R"({{"process_name":"{}","process_wasm_path":"/{}","on_exit":"Restart","request_networking":false,)"
        R"("request_capabilities":[{}],"grant_capabilities":[{}],"public":true}})",
        name, file, requests, grants);
}

}  // namespace

void put_savers_package(SimulatedFiles& files) {
    files.put_unrecorded("/pkg/savers/metadata.json", metadata_of("terminal", "sys", "1.0.0"));
    std::string manifest;
    for (std::size_t i = 0; i < kSavers; ++i) {
        manifest +=
            (i == 0 ? "[" : ",") + manifest_entry(fmt::format("s{}", i), "saver.wasm",
                                                  R"("state:distro:sys","kernel:distro:sys")", "");
    }
    files.put_unrecorded("/pkg/savers/pkg/manifest.json", manifest + "]");
    files.put_unrecorded("/pkg/savers/pkg/saver.wasm", "mock:crash_saver");
    files.put_unrecorded(fmt::format("/pkg/savers/pkg/{}", kChildFile), "mock:crash_child");
}

std::string put_visitor_package(SimulatedFiles& files, std::size_t index, std::uint32_t change) {
    const std::string folder = fmt::format("/pkg/v{}-{}", index, change);
    const std::string file = fmt::format("v-{}.wasm", change);
    files.put_unrecorded(folder + "/metadata.json", metadata_of(fmt::format("v{}", index), "sys",
                                                                fmt::format("1.0.{}", change)));
    files.put_unrecorded(
        folder + "/pkg/manifest.json",
        "[" + manifest_entry("v", file, "", fmt::format("\"{}\"", saver_id(index))) + "]");
    files.put_unrecorded(folder + "/pkg/" + file, fmt::format("mock:crash_visitor?{}", change));
    return folder;
}

std::optional<std::string> boot_and_look(
    SimulatedFiles& files,
    const std::function<std::optional<std::string>(Storage&, const Contents&)>& at_recovery) {
    register_scripts();
    SeededRandom random(1);
    World world(random, true);
    use_world(world);
    SteppedNode node(files, 1);
    std::optional<std::string> loss;
    Contents before;
    node.by_hand.recovered = [&](Storage& storage) {
        auto contents = contents_of(storage.log());
        if (!contents) {
            loss = contents.error().message();
            return;
        }
        before = std::move(*contents);
        loss = at_recovery(storage, before);
    };
    const auto started = node.start();
    if (loss) {
        return loss;
    }
    if (!started) {
        return "the start was refused: " + started.error().message();
    }
    std::vector<std::string> woke(kSavers);
    node::LogQuery query;
    query.until = node::LogQuery::Until::Forever;
    node::LogReceiver receiver;
    receiver.line = [&](const node::LogLine& line) {
        if (const std::size_t at = line.text.find("woke with ");
            at != std::string::npos && line.source.starts_with('s')) {
            woke[number_after(line.source, "s")] = line.text.substr(at + 10);
        }
    };
    receiver.end = [](const Result<void>&) {};
    auto prints = node->logs(query, std::move(receiver));
    if (!prints) {
        return prints.error().message();
    }
    if (!node.settle()) {
        return "the node does not come to rest";
    }
    const Observed observed = observe(before);
    bool present = false;
    if (const auto wrong = savers_present(before, present)) {
        return wrong;
    }
    for (std::size_t i = 0; present && i < kSavers; ++i) {
        const std::string& state = observed[register_of(RegisterKind::State, i)];
        const std::string wanted = state.empty() ? "nothing" : state;
        if (woke[i] != wanted) {
            return fmt::format("saver {} woke with \"{}\", stored is \"{}\"", i, woke[i], wanted);
        }
    }
    // Whoever had requests to fire has fired them and is gone (K-165).
    auto after = contents_of(node->storage().log());
    if (!after) {
        return after.error().message();
    }
    const Observed settled = observe(*after);
    for (std::size_t i = 0; i < kVisitors; ++i) {
        const Register life = register_of(RegisterKind::VisitorLife, i);
        const bool fires = observed[register_of(RegisterKind::VisitorOnExit, i)].starts_with('x');
        if (settled[life] != (fires ? std::string() : observed[life])) {
            return fmt::format("visitor {} was \"{}\" at boot and is \"{}\"", i, observed[life],
                               settled[life]);
        }
    }
    prints->reset();
    node.crash();
    return {};
}

}  // namespace perdure::crash
