#include "command_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "package_dir.h"

namespace perdure::functional {

Json json_of(const Ended& ended) {
    EXPECT_EQ(ended.status, 0) << ended.err;
    auto parsed = parse_json(ended.out);
    if (!parsed) {
        ADD_FAILURE() << parsed.error().message() << "\n" << ended.out;
        return {};
    }
    return std::move(*parsed);
}

std::string text_of(const Json& object, std::string_view key) {
    const Json* value = object.find(key);
    if (value == nullptr || value->as_string() == nullptr) {
        ADD_FAILURE() << "no text " << key << " in " << object.to_text();
        return {};
    }
    return *value->as_string();
}

std::uint64_t number_of(const Json& object, std::string_view key) {
    const Json* value = object.find(key);
    if (value == nullptr || !value->as_u64()) {
        ADD_FAILURE() << "no number " << key << " in " << object.to_text();
        return 0;
    }
    return *value->as_u64();
}

std::optional<Json> row_of(const NodeProcess& node, std::string_view process) {
    const Json answer = json_of(node.command({"ps", "--json"}));
    const Json* rows = answer.find("processes");
    if (rows == nullptr || !rows->is_array()) {
        ADD_FAILURE() << answer.to_text();
        return std::nullopt;
    }
    for (const Json& row : *rows->as_array()) {
        if (text_of(row, "process") == process) {
            return row;
        }
    }
    return std::nullopt;
}

std::string listed_processes(const NodeProcess& node) {
    return json_of(node.command({"ps", "--json"})).to_text();
}

std::string run_script(const NodeProcess& node, const std::string& process,
                       const std::string& program) {
    const Ended answer = node.command({"send", process, program, "--timeout", "60"});
    EXPECT_EQ(answer.status, 0) << answer.err;
    return answer.out;
}

void expect_refusal(const Ended& ended, int status, std::string_view part) {
    EXPECT_EQ(ended.status, status) << ended.err;
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_NE(ended.err.find(part), std::string::npos) << ended.err << "lacks " << part;
}

std::string copy_counter_sample(const std::string& parent) {
    const std::string folder = parent + "/samples/counter-cpp";
    const std::string source = std::string(PERDURE_SOURCE_DIR) + "/samples/counter-cpp";
    for (const char* part : {"/pkg", "/counter/src"}) {
        std::filesystem::create_directories(folder + part);
    }
    for (const char* file : {"/metadata.json", "/pkg/manifest.json", "/counter/src/lib.cpp"}) {
        std::filesystem::copy_file(source + file, folder + file);
    }
    write_file(folder + "/pkg/counter.wasm", read_fixture("counter-cpp"));
    return folder;
}

std::map<std::string, std::string> fingerprints(const std::string& directory) {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
        if (entry.is_regular_file()) {
            const std::string bytes = read_whole_file(entry.path());
            found[entry.path()] = std::to_string(bytes.size()) + " " +
                                  std::to_string(std::hash<std::string>()(bytes));
        }
    }
    return found;
}

}  // namespace perdure::functional
