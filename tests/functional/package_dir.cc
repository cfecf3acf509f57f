#include "package_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace perdure::functional {

void write_file(const std::string& path, std::string_view bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good()) << path;
}

std::string read_whole_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.good()) << path;
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
}

std::string read_fixture(std::string_view name) {
    return read_whole_file(std::string(PERDURE_SOURCE_DIR) + "/guests/fixtures/" +
                           std::string(name) + ".wasm");
}

std::string make_package(const std::string& parent, const std::string& package,
                         const std::vector<PackagedProcess>& processes) {
    const std::string folder = parent + "/" + package;
    std::filesystem::create_directories(folder + "/pkg");
    write_file(
        folder + "/metadata.json",
        R"({"name":"test","description":"","image":"","properties":{"package_name":")" + package +
            R"(","publisher":"test.os","current_version":"0.1.0","mirrors":[],"code_hashes":{"0.1.0":""},)"
            R"("wit_version":1,"dependencies":[]},"external_url":"","animation_url":null})");
    std::string manifest = "[";
    for (const PackagedProcess& process : processes) {
        write_file(folder + "/pkg/" + process.name + ".wasm", read_fixture(process.fixture));
        manifest += manifest.size() > 1 ? "," : "";
        manifest += R"({"process_name":")" + process.name + R"(","process_wasm_path":"/)" +
                    process.name + R"(.wasm","on_exit":)" + process.on_exit +
                    R"(,"request_networking":false,"request_capabilities":)" +
                    process.request_capabilities + R"(,"grant_capabilities":)" +
                    process.grant_capabilities + R"(,"public":)" +
                    (process.is_public ? "true" : "false") + "}";
    }
    write_file(folder + "/pkg/manifest.json", manifest + "]");
    return folder;
}

}  // namespace perdure::functional
