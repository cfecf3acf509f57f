/// Building with compilers that only take notes: which commands run, with what, and what is said
/// when one is missing.

#include "cli/build_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace perdure::cli {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

struct BuildTest : testing::Test {
    BuildTest() {
        std::string pattern = "/tmp/perdure-build-XXXXXX";
        root = ::mkdtemp(pattern.data());
        machine.environment = {{"PATH", root + "/bin"}};
        machine.program_directory = root + "/bin";
        machine.system_root = root + "/system";
        machine.run = [this](const ChildCommand& command) {
            commands.push_back(command);
            if (fail_at == commands.size()) {
                return Result<void>(
                    Error(ErrorCode::Io, command.words[0] + " ended with status 1"));
            }
            for (std::size_t index = 0; index + 1 < command.words.size(); ++index) {
                if (command.words[index] == "-o") {
                    write_absolute(command.words[index + 1], "made");
                }
            }
            const auto target = command.environment.find("CARGO_TARGET_DIR");
            if (target != command.environment.end()) {
                write_absolute(target->second + "/wasm32-wasip1/release/my_crate.wasm", "core");
            }
            return Result<void>();
        };
        write("share/wit/kinode-0.8.0/process.wit", "old");
        write("share/wit/kinode-1.0.0/process.wit", "new");
        write("share/wit/hyperware-1.0.0/process.wit", "hyperware");
        write("share/sdk/cpp/src/process.cc", "");
        machine.environment["PERDURE_SHARE"] = root + "/share";
        add_tool("bin/perdure-componentize");
    }
    ~BuildTest() override { fs::remove_all(root); }

    static void write_absolute(const fs::path& path, std::string_view content) {
        fs::create_directories(path.parent_path());
        std::ofstream(path) << content;
    }
    void write(const std::string& path, std::string_view content) {
        write_absolute(root + "/" + path, content);
    }
    void add_tool(const std::string& path) {
        write(path, "#!/bin/sh\n");
        fs::permissions(root + "/" + path, fs::perms::owner_all);
    }
    void add_cpp_tools() {
        add_tool("bin/clang");
        add_tool("bin/clang++");
        add_tool("bin/wasm-ld");
        write("system/usr/lib/wasm32-wasi/libc.a", "");
    }
    void add_debian_rust() {
        add_tool("system/usr/bin/cargo");
        add_tool("system/usr/bin/rustc");
        add_tool("system/usr/bin/wasm-ld");
        write("system/usr/lib/wasm32-wasi/libc.a", "");
        fs::create_directories(root + "/system/usr/lib/rustlib/src/rust/library");
    }
    void add_rust_process(const std::string& library = "kinode_process_lib = \"1\"") {
        write("p/counter/src/lib.rs", "");
        write("p/counter/Cargo.toml",
              "[package]\nname = \"my-crate\"\n[dependencies]\n" + library + "\n");
        write("p/pkg/manifest.json", R"([{"process_wasm_path":"/counter.wasm"}])");
    }
    void add_cpp_process() {
        write("p/counter/src/lib.cpp", "");
        write("p/counter/src/more.cc", "");
        write("p/pkg/manifest.json", R"([{"process_wasm_path":"/counter.wasm"}])");
    }
    Result<void> build() {
        lines.clear();
        return build_package(root + "/p", machine,
                             [this](const std::string& line) { lines.push_back(line); });
    }
    std::string error() {
        const auto built = build();
        EXPECT_FALSE(built);
        return built ? "" : built.error().message();
    }
    std::string read(const std::string& path) {
        std::ifstream file(root + "/" + path);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }

    std::string root;
    BuildMachine machine;
    std::vector<ChildCommand> commands;
    std::vector<std::string> lines;
    std::size_t fail_at = 0;
};

TEST_F(BuildTest, ACppProcessIsCompiledWithTheGuestLibrary) {
    add_cpp_tools();
    add_cpp_process();
    const auto built = build();
    ASSERT_TRUE(built) << built.error().message();
    ASSERT_EQ(commands.size(), 3u);
    EXPECT_EQ(commands[0].words[0], root + "/bin/clang");
    EXPECT_THAT(commands[0].words, Contains(root + "/share/sdk/cpp/glue/kinode-1.0.0/guest.c"));
    EXPECT_THAT(commands[1].words, Contains(root + "/p/counter/src/lib.cpp"));
    EXPECT_THAT(commands[1].words, Contains(root + "/p/counter/src/more.cc"));
    EXPECT_THAT(commands[1].words, Contains(root + "/share/sdk/cpp/src/process.cc"));
    EXPECT_THAT(commands[2].words,
                ElementsAre(root + "/bin/perdure-componentize", HasSubstr("counter.core.wasm"),
                            "-o", root + "/p/pkg/counter.wasm"));
    EXPECT_THAT(
        lines, ElementsAre("building counter (C++, kinode-1.0.0)", "wrote pkg/counter.wasm (4 B)"));
}

TEST_F(BuildTest, FilesThatAreReadHaveALimit) {
    add_cpp_tools();
    add_cpp_process();
    const std::string manifest = R"([{"process_wasm_path":"/counter.wasm"}])";
    constexpr std::size_t kMost = 4u << 20;
    write("p/pkg/manifest.json", manifest + std::string(kMost - manifest.size(), ' '));
    const auto built = build();
    EXPECT_TRUE(built) << built.error().message();
    write("p/pkg/manifest.json", manifest + std::string(kMost + 1 - manifest.size(), ' '));
    EXPECT_THAT(error(), HasSubstr("manifest.json: longer than 4194304 bytes"));
}

TEST_F(BuildTest, ARustProcessUsesDebiansCompilerWhereItIs) {
    add_debian_rust();
    add_rust_process();
    const auto built = build();
    ASSERT_TRUE(built) << built.error().message();
    ASSERT_EQ(commands.size(), 2u);
    EXPECT_EQ(commands[0].words[0], root + "/system/usr/bin/cargo");
    EXPECT_THAT(commands[0].words, Contains("-Zbuild-std=std,panic_abort"));
    EXPECT_EQ(commands[0].environment["RUSTC"], root + "/system/usr/bin/rustc");
    EXPECT_EQ(commands[0].environment["RUSTC_BOOTSTRAP"], "1");
    EXPECT_EQ(commands[0].directory, root + "/p/counter");
    EXPECT_EQ(commands[1].words[1], root + "/p/counter/target/wasm32-wasip1/release/my_crate.wasm");
    EXPECT_EQ(read("p/counter/target/wit/process.wit"), "new");
}

TEST_F(BuildTest, OtherwiseTheUsersOwnCompilerIsUsedIfItHasTheTarget) {
    add_tool("bin/cargo");
    add_tool("bin/rustc");
    add_rust_process();
    const auto built = build();
    ASSERT_TRUE(built) << built.error().message();
    EXPECT_EQ(commands[0].words[0], root + "/bin/rustc");  // asks whether the target is there
    EXPECT_EQ(commands[1].words[0], root + "/bin/cargo");
    EXPECT_THAT(commands[1].words, testing::Not(Contains("-Zbuild-std=std,panic_abort")));
    commands.clear();
    fail_at = 1;
    EXPECT_THAT(error(), HasSubstr("rustup target add wasm32-wasip1"));
}

TEST_F(BuildTest, TheWitFollowsLibraryAndPackage) {
    add_debian_rust();
    add_rust_process();
    write("p/metadata.json", R"({"properties":{"wit_version":0}})");
    ASSERT_TRUE(build());
    EXPECT_EQ(read("p/counter/target/wit/process.wit"), "old");
    write("p/metadata.json", R"({"properties":{"wit_version":1}})");
    ASSERT_TRUE(build());
    EXPECT_EQ(read("p/counter/target/wit/process.wit"), "new");
    add_rust_process("hyperware_process_lib = \"3\"");
    write("p/api/own.wit", "own");
    ASSERT_TRUE(build());
    EXPECT_EQ(read("p/counter/target/wit/process.wit"), "hyperware");
    EXPECT_EQ(read("p/counter/target/wit/own.wit"), "own");
    write("p/metadata.json", "{");
    add_rust_process();
    EXPECT_THAT(error(), HasSubstr("metadata.json: line 1"));
}

TEST_F(BuildTest, AnUnchangedWitFileKeepsItsTime) {
    add_debian_rust();
    add_rust_process();
    ASSERT_TRUE(build());
    const fs::path wit = root + "/p/counter/target/wit/process.wit";
    const auto past = fs::last_write_time(wit) - std::chrono::hours(1);
    fs::last_write_time(wit, past);
    ASSERT_TRUE(build());
    EXPECT_EQ(fs::last_write_time(wit), past);
}

TEST_F(BuildTest, EveryMissingToolIsNamedWithTheLineThatInstallsIt) {
    add_rust_process();
    EXPECT_THAT(
        error(),
        HasSubstr("apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src"));
    fs::remove_all(root + "/p");
    add_cpp_process();
    EXPECT_THAT(error(), HasSubstr("clang is missing; install it with `apt-get install"));
    add_tool("bin/clang");
    add_tool("bin/clang++");
    EXPECT_THAT(error(), HasSubstr("wasm-ld is missing"));
    add_tool("bin/wasm-ld");
    EXPECT_THAT(error(), HasSubstr("the C library for wasm32-wasi is missing"));
    add_cpp_tools();
    fs::remove(root + "/bin/perdure-componentize");
    EXPECT_THAT(error(),
                HasSubstr("perdure-componentize is missing; it belongs beside the perdure binary"));
    EXPECT_TRUE(commands.empty());
}

TEST_F(BuildTest, AFailingCompilerEndsTheBuild) {
    add_cpp_tools();
    add_cpp_process();
    for (fail_at = 1; fail_at <= 3; ++fail_at) {
        commands.clear();
        EXPECT_THAT(error(), testing::MatchesRegex("counter: .*ended with status 1"));
        EXPECT_EQ(commands.size(), fail_at);
    }
}

TEST_F(BuildTest, ACrateThatMakesNoModuleIsExplained) {
    add_debian_rust();
    add_rust_process();
    write("p/counter/Cargo.toml", "[package]\nname = \"other\"\n");
    EXPECT_THAT(error(), HasSubstr("crate-type"));
}

TEST_F(BuildTest, TheManifestsFilesMustBeThere) {
    add_cpp_tools();
    add_cpp_process();
    write("p/pkg/manifest.json", R"([{"process_wasm_path":"/conter.wasm"}])");
    EXPECT_THAT(error(), HasSubstr("pkg/manifest.json: $[0].process_wasm_path: no file "
                                   "\"conter.wasm\" in pkg/; the closest one is counter.wasm"));
    write("p/pkg/manifest.json", R"([{}])");
    EXPECT_THAT(error(), HasSubstr("process_wasm_path"));
    write("p/pkg/manifest.json", "[");
    EXPECT_THAT(error(), HasSubstr("pkg/manifest.json: line 1"));
    fs::remove(root + "/p/pkg/manifest.json");
    EXPECT_THAT(error(), HasSubstr("manifest.json"));
}

TEST_F(BuildTest, APackageWithoutProcessesIsRefused) {
    EXPECT_THAT(error(), HasSubstr("No such file"));
    write("p/readme/x", "");
    EXPECT_THAT(error(), HasSubstr("no process here"));
    write("p/counter/src/lib.rs", "");
    write("p/counter/src/lib.cpp", "");
    EXPECT_THAT(error(), HasSubstr("both src/lib.rs and src/lib.cpp"));
}

TEST_F(BuildTest, TheShareIsFoundBesideOrAboveTheBinary) {
    machine.environment.erase("PERDURE_SHARE");
    machine.program_directory = root + "/share/build/release";
    EXPECT_EQ(find_share(machine).value(), root + "/share");
    machine.program_directory = root + "/usr/bin";
    EXPECT_FALSE(find_share(machine));
    write("usr/share/perdure/wit/x", "");
    write("usr/share/perdure/sdk/cpp/x", "");
    EXPECT_EQ(find_share(machine).value(), root + "/usr/share/perdure");
}

TEST(ChildProcess, RunsInItsDirectoryWithItsEnvironment) {
    std::string pattern = "/tmp/perdure-child-XXXXXX";
    const std::string folder = ::mkdtemp(pattern.data());
    EXPECT_TRUE(run_child({.words = {"/bin/sh", "-c", "echo \"$A\" >here"},
                           .directory = folder,
                           .environment = {{"A", "b c"}}}));
    std::ifstream file(folder + "/here");
    std::string line;
    std::getline(file, line);
    EXPECT_EQ(line, "b c");
    fs::remove_all(folder);
}

TEST(ChildProcess, FailuresNameProgramAndStatus) {
    EXPECT_EQ(run_child({.words = {"/bin/sh", "-c", "exit 3"}, .directory = "/", .environment = {}})
                  .error()
                  .message(),
              "/bin/sh ended with status 3");
    EXPECT_EQ(
        run_child({.words = {"/bin/sh", "-c", "kill -9 $$"}, .directory = "/", .environment = {}})
            .error()
            .message(),
        "/bin/sh ended by signal 9");
    EXPECT_EQ(
        run_child({.words = {"/nowhere"}, .directory = "/", .environment = {}}).error().code(),
        ErrorCode::NotFound);
}

TEST(ChildProcess, ProgramsAreFoundBesideThenInPath) {
    EXPECT_EQ(find_program("sh", "/bin", {}), "/bin/sh");
    EXPECT_EQ(find_program("sh", "", {{"PATH", ":/nowhere:/bin"}}), "/bin/sh");
    EXPECT_EQ(find_program("sh", "", {}), std::nullopt);
    EXPECT_EQ(find_program("no-such-program", "/bin", {{"PATH", "/bin:/usr/bin"}}), std::nullopt);
}

}  // namespace
}  // namespace perdure::cli
