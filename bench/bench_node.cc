#include "bench_node.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

namespace perdure::bench {
namespace {

template <typename T, typename F>
T wait_for(F&& call) {
    std::promise<Result<T>> promise;
    auto answer = promise.get_future();
    call([&promise](Result<T> result) { promise.set_value(std::move(result)); });
    Result<T> result = answer.get();
    if (!result) {
        give_up(result.error().message());
    }
    return std::move(result).value();
}

}  // namespace

void give_up(const std::string& why) {
    std::fprintf(stderr, "bench: %s\n", why.c_str());
    std::exit(1);
}

BenchNode::BenchNode(Flags settings) : settings_(std::move(settings)), files_(make_posix_files()) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "perdure-bench-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    start();
}

BenchNode::~BenchNode() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void BenchNode::start() {
    node::SettingSources sources;
    sources.home = directory_ + "/home";
    sources.home_origin = "flag --home";
    sources.hardware_threads = std::thread::hardware_concurrency();
    sources.flags.push_back({"http.port", "0", "--http-port"});
    sources.flags.push_back({"guest_clock_resolution_us", "1", "--guest_clock_resolution_us"});
    for (const auto& [key, value] : settings_) {
        sources.flags.push_back({key, value, "--" + key});
    }
    auto settings = node::load_settings(sources);
    if (!settings) {
        give_up(settings.error().message());
    }
    auto started =
        node::Node::start(std::move(*settings), {clock_,
                                                 *files_,
                                                 quiet_,
                                                 {},
                                                 [](int, const std::string& why) { give_up(why); },
                                                 [] { return std::make_unique<SystemRandom>(); }});
    if (!started) {
        give_up(started.error().message());
    }
    node_ = std::move(*started);
}

void BenchNode::stop() {
    node_.reset();
}

void BenchNode::install(std::string_view package, std::string_view name, std::string_view fixture,
                        int count, std::string_view on_exit) {
    const std::string folder = directory_ + "/" + std::string(package);
    std::filesystem::create_directories(folder + "/pkg");
    std::filesystem::copy_file(
        std::string(PERDURE_SOURCE_DIR) + "/guests/fixtures/" + std::string(fixture) + ".wasm",
        folder + "/pkg/code.wasm", std::filesystem::copy_options::overwrite_existing);
    std::ofstream(folder + "/metadata.json")
        << R"({"name":"bench","properties":{"package_name":")" << package
        << R"(","publisher":"bench.os","current_version":"1.0.0","mirrors":[],"code_hashes":{"1.0.0":""},"wit_version":1}})";
    std::ofstream manifest(folder + "/pkg/manifest.json");
    for (int i = 0; i < count; ++i) {
        manifest
            << (i == 0 ? "[" : ",") << R"({"process_name":")" << name << i
            << R"(","process_wasm_path":"/code.wasm","on_exit":)" << on_exit
            << R"(,"request_networking":false,"request_capabilities":[],"grant_capabilities":[],"public":true})";
    }
    manifest << "]";
    manifest.close();
    wait_for<node::StartedPackage>([&](node::Done<node::StartedPackage> done) {
        node_->start_package(folder, std::move(done));
    });
}

std::string BenchNode::ask(const std::string& process, const std::string& body) {
    node::SendCommand command;
    command.address = process;
    command.body = SharedBytes(std::string_view(body));
    command.timeout_seconds = 120;
    const auto answer = wait_for<node::SendAnswer>([&](node::Done<node::SendAnswer> done) {
        node_->send(std::move(command), std::move(done));
    });
    if (answer.outcome != node::SendAnswer::Outcome::Response) {
        give_up(process + ": " + answer.reason);
    }
    return std::string(answer.body.text());
}

std::vector<node::ProcessRow> BenchNode::processes() {
    return wait_for<std::vector<node::ProcessRow>>(
        [&](node::Done<std::vector<node::ProcessRow>> done) { node_->processes(std::move(done)); });
}

void BenchNode::tell(const std::string& process, const std::string& body) {
    node::SendCommand command;
    command.address = process;
    command.body = SharedBytes(std::string_view(body));
    wait_for<node::SendAnswer>([&](node::Done<node::SendAnswer> done) {
        node_->send(std::move(command), std::move(done));
    });
}

void BenchNode::remove(std::string_view package) {
    std::promise<Result<void>> promise;
    auto removed = promise.get_future();
    node_->remove_package(std::string(package) + ":bench.os",
                          [&promise](Result<void> result) { promise.set_value(result); });
    if (const Result<void> result = removed.get(); !result) {
        give_up(result.error().message());
    }
}

node::ProcessRow BenchNode::process(std::string_view name) {
    for (const node::ProcessRow& row : processes()) {
        if (row.process == name) {
            return row;
        }
    }
    give_up("there is no process " + std::string(name));
}

double nanoseconds_of(const std::string& answer) {
    if (!answer.starts_with("ns=")) {
        give_up("the guest answered: " + answer);
    }
    return std::atof(answer.c_str() + 3);
}

std::vector<double> samples_of(const std::string& answer) {
    std::vector<double> samples;
    std::istringstream words(answer.substr(answer.find(' ') + 1));
    for (double sample = 0; words >> sample;) {
        samples.push_back(sample);
    }
    return samples;
}

}  // namespace perdure::bench
