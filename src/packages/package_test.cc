#include "packages/package.h"

#include <gtest/gtest.h>

#include "abi/capability.h"
#include "packages/code_store.h"
#include "testing/simulated_files.h"

namespace perdure::packages {
namespace {

class PackageTest : public ::testing::Test {
protected:
    void SetUp() override {
        make_directory("/app");
        make_directory("/app/pkg");
        metadata("app", "own.os");
        write(
            "/app/pkg/manifest.json",
            R"([{"process_name":"a","process_wasm_path":"/a.wasm","on_exit":"Restart","public":true}])");
        write("/app/pkg/a.wasm", "code a");
    }

    void make_directory(const std::string& path) { ASSERT_TRUE(files_.make_directory(path)); }
    void write(const std::string& path, std::string_view text) {
        auto file = files_.open_write(path, OpenMode::Truncate);
        ASSERT_TRUE(file) << file.error().message();
        ASSERT_TRUE((*file)->append(bytes_of(text)));
    }
    void metadata(std::string_view package, std::string_view publisher) {
        write("/app/metadata.json", R"({"properties":{"package_name":")" + std::string(package) +
                                        R"(","publisher":")" + std::string(publisher) +
                                        R"(","current_version":"1","wit_version":1}})");
    }
    Result<InstallPlan> read(std::size_t component_bytes_max = kComponentBytesMax) {
        return read_package(files_, "/app", "own.os", component_bytes_max);
    }
    std::string message() {
        const auto plan = read();
        return plan ? "accepted" : plan.error().message();
    }

    SimulatedFiles files_;
};

TEST_F(PackageTest, APlanSaysWhatInstallingMeans) {
    write(
        "/app/pkg/manifest.json",
        R"([{"process_name":"a","process_wasm_path":"a.wasm","on_exit":{"Requests":[["our@b:c:d",{"body":[]},null]]},)"
        R"("request_networking":true,"request_capabilities":["timer:distro:sys"],)"
        R"("grant_capabilities":[{"process":"client:other:pub.os","params":"admin"}],"public":true}])");
    const auto plan = read();
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(to_string(plan->metadata.id), "app:own.os");
    ASSERT_EQ(plan->processes.size(), 1u);
    const PlannedProcess& process = plan->processes[0];
    EXPECT_EQ(to_string(process.id), "a:app:own.os");
    EXPECT_EQ(process.code_handle, "/app:own.os/pkg/a.wasm");
    EXPECT_EQ(process.code_hash, content_hash(bytes_of("code a")));
    EXPECT_TRUE(process.is_public);
    EXPECT_EQ(to_string(process.on_exit.requests[0].target), "own.os@b:c:d");
    std::vector<std::string> capabilities;
    for (const Capability& capability : process.capabilities) {
        capabilities.push_back(to_string(capability));
    }
    EXPECT_EQ(
        capabilities,
        (std::vector<std::string>{
            R"(own.os@timer:distro:sys("messaging"))", R"(own.os@kernel:distro:sys("network"))",
            R"(own.os@vfs:distro:sys({"kind":"read","drive":"/app:own.os/pkg"}))",
            R"(own.os@vfs:distro:sys({"kind":"write","drive":"/app:own.os/pkg"}))"}));
    ASSERT_EQ(process.grants.size(), 1u);
    EXPECT_EQ(to_string(process.grants[0].holder), "client:other:pub.os");
    EXPECT_EQ(to_string(process.grants[0].capability), "own.os@a:app:own.os(\"admin\")");
    EXPECT_FALSE(plan->foreign_publisher);
    EXPECT_TRUE(plan->root_capabilities.empty());
    EXPECT_TRUE(plan->warnings.empty());
}

TEST_F(PackageTest, WasmFilesWithoutAProcessAreTakenForSpawnAndOthersAreLeft) {
    make_directory("/app/pkg/sub");
    write("/app/pkg/sub/child.wasm", "child");
    write("/app/pkg/api.zip", "zip");
    const auto plan = read();
    ASSERT_TRUE(plan) << plan.error().message();
    ASSERT_EQ(plan->files.size(), 2u);
    EXPECT_EQ(plan->files[0].path, "a.wasm");
    EXPECT_EQ(plan->files[1].path, "sub/child.wasm");
    EXPECT_EQ(text_of(plan->files[1].wasm), "child");
}

TEST_F(PackageTest, MissingFilesAreNamedWithTheCure) {
    EXPECT_EQ(
        read_package(files_, "/nowhere", "own.os", kComponentBytesMax).error().message(),
        "metadata.json is missing; a package directory holds metadata.json and pkg/manifest.json");
    ASSERT_TRUE(files_.remove("/app/pkg/a.wasm"));
    EXPECT_TRUE(message().starts_with("pkg/a.wasm is missing; process \"a\" needs it"))
        << message();
    ASSERT_TRUE(files_.remove("/app/pkg/manifest.json"));
    EXPECT_TRUE(message().starts_with("pkg/manifest.json is missing")) << message();
}

TEST_F(PackageTest, ErrorsNameFilePathCauseAndCure) {
    write("/app/pkg/manifest.json", R"([{"process_name":"A"}])");
    EXPECT_EQ(message(),
              "pkg/manifest.json: $[0].process_name: expected a process name of 1 to 255 of a-z, "
              "0-9 and -, got a "
              "string \"A\"");
    write("/app/metadata.json", "{");
    EXPECT_EQ(message(), "metadata.json: line 1, column 2: the text ends inside a value");
}

TEST_F(PackageTest, ThePackageDistroSysIsAlwaysRefused) {
    metadata("distro", "sys");
    const auto plan = read();
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code(), ErrorCode::NotPermitted);
}

TEST_F(PackageTest, APublisherThatIsNotTheOwnNodeIsMarked) {
    for (const std::string_view publisher : {"sys", "other.os"}) {
        metadata("app", publisher);
        const auto plan = read();
        ASSERT_TRUE(plan) << plan.error().message();
        EXPECT_TRUE(plan->foreign_publisher);
        EXPECT_EQ(plan->warnings.size(), 1u);
    }
}

TEST_F(PackageTest, RequestsForRootRightsAreListed) {
    write(
        "/app/pkg/manifest.json",
        R"([{"process_name":"a","process_wasm_path":"/a.wasm","on_exit":"None","request_capabilities":[)"
        R"("kernel:distro:sys","main:app-store:sys",{"process":"vfs:distro:sys","params":{"root":true}},)"
        R"({"process":"vfs:distro:sys","params":{"root":false}},"vfs:distro:sys","timer:distro:sys"]}])");
    const auto plan = read();
    ASSERT_TRUE(plan) << plan.error().message();
    ASSERT_EQ(plan->root_capabilities.size(), 3u);
    EXPECT_EQ(plan->root_capabilities[0], root_of("own.os"));
    EXPECT_FALSE(is_root_capability(network_of("own.os"), "own.os"));
    EXPECT_FALSE(is_root_capability(root_of("other.os"), "own.os"));
}

TEST_F(PackageTest, OversizedFilesAreRefusedByTheNameOfTheLimit) {
    write("/app/pkg/a.wasm", std::string(kComponentBytesMax, 'x'));
    EXPECT_EQ(message(), "accepted");
    write("/app/pkg/a.wasm", std::string(kComponentBytesMax + 1, 'x'));
    EXPECT_NE(message().find("component_bytes_max"), std::string::npos) << message();
    write("/app/pkg/a.wasm", std::string(1024, 'x'));
    EXPECT_TRUE(read(1024));
    EXPECT_NE(read(1023).error().message().find("at most 1023 are taken (component_bytes_max)"),
              std::string::npos);
    write("/app/pkg/a.wasm", "x");
    write("/app/pkg/manifest.json", std::string(kManifestBytesMax + 1, ' '));
    EXPECT_NE(message().find("manifest_bytes_max"), std::string::npos) << message();
    write("/app/metadata.json", std::string(kMetadataBytesMax + 1, ' '));
    EXPECT_NE(message().find("metadata_bytes_max"), std::string::npos) << message();
}

TEST_F(PackageTest, FoldersAndFilesAreAcceptedAtTheirLimitsAndRefusedOneFurther) {
    std::string folder = "/app/pkg";
    for (std::size_t depth = 0; depth < kPackageFoldersDepthMax; ++depth) {
        folder += "/d";
        make_directory(folder);
    }
    EXPECT_EQ(message(), "accepted");
    make_directory(folder + "/d");
    EXPECT_NE(message().find("package_folders_depth_max"), std::string::npos) << message();
    ASSERT_TRUE(files_.remove_directory(folder + "/d"));
    for (std::size_t i = 1; i < kCodeFilesPerPackageMax; ++i) {
        write("/app/pkg/x" + std::to_string(i) + ".wasm", "x");
    }
    EXPECT_EQ(message(), "accepted");
    write("/app/pkg/y.wasm", "x");
    EXPECT_NE(message().find("code_files_per_package_max"), std::string::npos) << message();
}

TEST_F(PackageTest, AllCodeTogetherIsTakenUpToItsLimit) {
    const auto plan = read();
    ASSERT_TRUE(plan);
    std::size_t bytes = 4;
    for (const PlannedFile& file : plan->files) {
        bytes += file.wasm.size();
    }
    write("/app/pkg/more.wasm", "four");
    EXPECT_TRUE(read_package(files_, "/app", "own.os", kComponentBytesMax, bytes));
    const auto refused = read_package(files_, "/app", "own.os", kComponentBytesMax, bytes - 1);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("code_bytes_per_package_max"), std::string::npos)
        << refused.error().message();
}

TEST_F(PackageTest, TheRecordOfAPlanNamesItsProcessesAndFiles) {
    const auto plan = read();
    ASSERT_TRUE(plan);
    const PackageRecord record = make_package_record(*plan, {{{"c", "o", "p"}, "a", "1"}});
    EXPECT_EQ(record.id, plan->metadata.id);
    EXPECT_EQ(record.version, "1");
    EXPECT_EQ(record.wit_version, 1u);
    EXPECT_EQ(record.process_names, std::vector<std::string>{"a"});
    ASSERT_EQ(record.files.size(), 1u);
    EXPECT_EQ(record.files[0].hash, plan->processes[0].code_hash);
    EXPECT_EQ(record.pending_grants.size(), 1u);
    EXPECT_EQ(decode_package_record(encode_package_record(record).view()).value(), record);
}

}  // namespace
}  // namespace perdure::packages
