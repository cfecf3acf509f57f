/// What is malformed, damaged, too large or rude is refused by name, leaves nothing half-installed
/// and does not disturb the node.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "command_line.h"
#include "node_process.h"
#include "package_dir.h"
#include "raw_client.h"

namespace perdure::functional {
namespace {

constexpr const char* kEcho = "echo:talk:test.os";

// ---- homes

class Homes : public testing::Test {
protected:
    Homes() {
        std::filesystem::create_directory(home_);
        std::filesystem::permissions(home_, std::filesystem::perms::owner_all);
    }
    Ended run() const { return run_program({"run", "--home", home_, "--http-port", "0"}); }
    /// Refused so, and the home is what it was.
    void expect_refused(int status, std::string_view part) const {
        const auto content = [&] {
            auto files = fingerprints(home_);
            files.erase(home_ + "/lock");
            return files;
        };
        const auto before = content();
        expect_refusal(run(), status, part);
        EXPECT_EQ(content(), before);
    }

    const TemporaryDirectory directory_;
    const std::string home_ = directory_ / "home";
};

TEST_F(Homes, OfANewerFormatAreStatus4) {
    write_file(home_ + "/version", "2\n");
    expect_refused(4, "format 2");
}

TEST_F(Homes, WithoutAFormatNumberAreNamed) {
    for (const char* text : {"", "abc", "1abc", "0", "-1", "99999999999999999999"}) {
        SCOPED_TRACE(text);
        write_file(home_ + "/version", text);
        expect_refused(1, home_ + "/version: no format number");
    }
}

TEST_F(Homes, InUseAreStatus3AndTheOtherNodeGoesOn) {
    NodeProcess node({.home = home_});
    ASSERT_TRUE(node.wait_for_line("ready "));
    expect_refusal(run(), 3, "home in use: " + home_);
    EXPECT_EQ(node.command({"ps"}).status, 0);
}

TEST_F(Homes, ThatAreNoDirectoryAreNamed) {
    write_file(directory_ / "file", "mine");
    for (const char* below : {"file", "file/home", "file/deep/home"}) {
        SCOPED_TRACE(below);
        expect_refusal(run_program({"run", "--home", directory_ / below, "--http-port", "0"}), 1,
                       directory_ / below);
    }
    EXPECT_EQ(read_whole_file(directory_ / "file"), "mine");
}

TEST_F(Homes, OpenToOthersAreRefusedWithTheCure) {
    std::filesystem::permissions(home_, std::filesystem::perms{0755});
    expect_refused(1, "chmod 700 " + home_);
}

TEST_F(Homes, OfAnotherUserOrReadOnlyAreRefused) {
    if (geteuid() == 0) {
        ASSERT_EQ(chown(home_.c_str(), 65534, 65534), 0);
        expect_refused(1, "belongs to another user");
        return;
    }
    std::filesystem::permissions(home_, std::filesystem::perms{0500});
    expect_refused(1, home_);
}

TEST_F(Homes, WithWrongSettingsAreStatus2) {
    const std::vector<std::pair<std::string, std::string>> wrong = {
        {"wrkers: 2\n", "workers"},
        {"workers: many\n", "workers"},
        {"workers: 0\n", "workers"},
        {"durability: hope\n", "durability"},
        {"http:\n  port: 65536\n", "http.port"},
        {"workers: [1, \n", "perdure.yaml"},
        {std::string("workers: \xff\n"), "perdure.yaml"},
        {std::string(100'000, '['), "perdure.yaml"}};
    for (const auto& [text, part] : wrong) {
        SCOPED_TRACE(text.substr(0, 40));
        write_file(home_ + "/perdure.yaml", text);
        expect_refused(2, part);
    }
}

// ---- packages

/// `fields` as a JSON object, with `key` set to `value` (JSON) or left out.
std::string object_with(std::map<std::string, std::string> fields, const std::string& key,
                        const std::optional<std::string>& value) {
    if (value) {
        fields[key] = *value;
    } else {
        fields.erase(key);
    }
    std::string text = "{";
    for (const auto& [name, json] : fields) {
        text += (text.size() > 1 ? "," : "") + ('"' + name + "\":") + json;
    }
    return text + "}";
}

class Packages : public testing::Test {
protected:
    /// `talk` is installed and runs; every attempt tries to replace it.
    Packages()
        : package_(make_package(directory_.path(), "talk",
                                {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}})),
          node_({.home = directory_ / "home", .arguments = {package_}}) {
        EXPECT_TRUE(node_.wait_for_line("echo at "));
        manifest_ = read_whole_file(package_ + "/pkg/manifest.json");
        metadata_ = read_whole_file(package_ + "/metadata.json");
        code_ = fingerprints(node_.home() + "/code");
    }
    ~Packages() override { expect_untouched(); }

    /// What was installed is still there, was never restarted, and answers.
    void expect_untouched() {
        EXPECT_EQ(fingerprints(node_.home() + "/code"), code_);
        const Json answer = json_of(node_.command({"ps", "--json"}));
        ASSERT_EQ(answer.find("processes")->as_array()->size(), 1u) << answer.to_text();
        EXPECT_EQ(number_of(answer.find("processes")->as_array()->front(), "restarts"), 0u);
        EXPECT_EQ(node_.command({"send", kEcho, "alive"}).out, "alive\n");
    }
    void expect_start_refused(std::string_view part) {
        expect_refusal(node_.command({"start", package_}), 1, part);
    }

    /// The manifest's only entry with `key` replaced by `value` (JSON), or left out.
    static std::string entry_with(const std::string& key, const std::optional<std::string>& value) {
        std::map<std::string, std::string> fields{{"process_name", "\"echo\""},
                                                  {"process_wasm_path", "\"/echo.wasm\""},
                                                  {"on_exit", "\"Restart\""},
                                                  {"request_networking", "false"},
                                                  {"request_capabilities", "[]"},
                                                  {"grant_capabilities", "[]"},
                                                  {"public", "false"}};
        return object_with(std::move(fields), key, value);
    }

    const TemporaryDirectory directory_;
    const std::string package_;
    NodeProcess node_;
    std::string manifest_;
    std::string metadata_;
    std::map<std::string, std::string> code_;
};

TEST_F(Packages, AManifestMalformedInAnyFieldIsRefusedByThatField) {
    const std::string long_name = '"' + std::string(256, 'a') + '"';
    const std::vector<std::pair<std::string, std::vector<std::optional<std::string>>>> fields = {
        {"process_name",
         {std::nullopt, "5", "null", "\"\"", "\"A\"", "\"a_b\"", "\"a:b\"", "\"a b\"",
          "\"a\\u0000\"", "[]", long_name}},
        {"process_wasm_path",
         {std::nullopt, "5", "null", "\"\"", "\"/\"", "\"/../echo.wasm\"", "\"/./echo.wasm\"",
          "\"//echo.wasm\"", "\"/a\\\\b.wasm\"", "\"/echo\\u0000.wasm\"", "\"/nowhere.wasm\"",
          "\"/manifest.json\"", "{}"}},
        {"on_exit",
         {std::nullopt, "5", "null", "\"Sometimes\"", "\"restart\"", "{}", "{\"Requests\":5}",
          "{\"Requests\":[5]}", "{\"Requests\":[[]]}", "{\"Requests\":[[\"nobody\",{},null]]}",
          "{\"Restart\":1}"}},
        {"request_networking", {"\"yes\"", "1", "[]"}},
        {"request_capabilities",
         {"5", "\"all\"", "[5]", "[\"nonsense\"]", "[{}]", "[{\"process\":\"a:b:c\"}]",
          "[{\"params\":1}]", "[{\"process\":5,\"params\":1}]",
          "[{\"process\":\"a:b\",\"params\":1}]"}},
        {"grant_capabilities", {"5", "[null]", "[\"a:b\"]", "[{\"process\":\"a:b:c\"}]"}},
        {"public", {"1", "\"true\"", "{}"}},
        {"turn", {"5", "\"sometimes\"", "\"atomic\""}},
        {"delivery", {"5", "\"sometimes\"", "\"durable\""}},
        {"durability", {"5", "\"sometimes\"", "\"memory\""}}};
    for (const auto& [key, values] : fields) {
        for (const auto& value : values) {
            SCOPED_TRACE(key + " = " + value.value_or("nothing"));
            write_file(package_ + "/pkg/manifest.json", "[" + entry_with(key, value) + "]");
            const bool names_file = value == "\"/nowhere.wasm\"" || value == "\"/manifest.json\"";
            expect_start_refused(names_file ? "process_wasm_path" : key);
        }
    }
}

TEST_F(Packages, AManifestThatIsNoListOfProcessesIsRefused) {
    const std::string entry = entry_with("public", "false");
    std::string many = "[";
    for (int count = 0; count < 2000; ++count) {
        many += (count == 0 ? "" : ",") +
                entry_with("process_name", "\"p" + std::to_string(count) + "\"");
    }
    for (const std::string& text :
         {std::string(), std::string("{}"), std::string("null"), std::string("[5]"),
          std::string("[[]]"), std::string("["), "[" + entry, "[" + entry + ",]",
          "[" + entry + "]x", "[" + entry + "," + entry + "]", std::string("\xff\xfe"),
          std::string(100'000, '['), many + "]", std::string(20u << 20, ' ')}) {
        SCOPED_TRACE(text.substr(0, 60));
        write_file(package_ + "/pkg/manifest.json", text);
        expect_start_refused("pkg/manifest.json");
    }
    std::filesystem::remove(package_ + "/pkg/manifest.json");
    expect_start_refused("pkg/manifest.json");
}

TEST_F(Packages, MetadataMalformedInAnyFieldIsRefusedByThatField) {
    const auto with_properties = [](const std::string& properties) {
        return R"({"name":"x","properties":)" + properties + "}";
    };
    const auto with = [&](const std::string& key, const std::optional<std::string>& value) {
        std::map<std::string, std::string> fields{{"package_name", "\"talk\""},
                                                  {"publisher", "\"test.os\""},
                                                  {"current_version", "\"0.1.0\""},
                                                  {"mirrors", "[]"},
                                                  {"code_hashes", "{}"},
                                                  {"wit_version", "1"},
                                                  {"dependencies", "[]"}};
        return with_properties(object_with(std::move(fields), key, value));
    };
    const std::vector<std::pair<std::string, std::vector<std::optional<std::string>>>> fields = {
        {"package_name", {std::nullopt, "5", "\"\"", "\"A\"", "\"a.b\"", "\"a:b\"", "\"../talk\""}},
        {"publisher", {std::nullopt, "5", "\"\"", "\"A.os\"", "\"a_b.os\"", "\"a@b\""}},
        {"current_version", {std::nullopt, "5", "null"}},
        {"mirrors", {"5", "[5]"}},
        {"code_hashes", {"5", "[]", "{\"0.1.0\":5}", "{\"0.1.0\":\"zz\"}"}},
        {"wit_version", {"\"1\"", "-1", "4294967296", "1.5"}},
        {"dependencies", {"5", "[5]", "[\"nonsense\"]", "[\"a:b:c\"]"}}};
    for (const auto& [key, values] : fields) {
        for (const auto& value : values) {
            SCOPED_TRACE(key + " = " + value.value_or("nothing"));
            write_file(package_ + "/metadata.json", with(key, value));
            expect_start_refused(key);
        }
    }
    for (const std::string& text :
         {std::string(), std::string("[]"), std::string("null"), std::string("{}"),
          with_properties("5"), with_properties("null"), std::string(20u << 20, ' ')}) {
        SCOPED_TRACE(text.substr(0, 60));
        write_file(package_ + "/metadata.json", text);
        expect_start_refused("metadata.json");
    }
    write_file(
        package_ + "/metadata.json",
        R"({"properties":{"package_name":"distro","publisher":"sys","current_version":"1"}})");
    expect_start_refused("distro:sys is the node itself");
    std::filesystem::remove(package_ + "/metadata.json");
    expect_start_refused("metadata.json is missing");
}

TEST_F(Packages, ATruncatedComponentIsRefusedByItsName) {
    const std::string whole = read_fixture("echo");
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{7}, std::size_t{9},
          whole.size() / 50, whole.size() / 4, whole.size() / 2, whole.size() - 1}) {
        SCOPED_TRACE(size);
        write_file(package_ + "/pkg/echo.wasm", whole.substr(0, size));
        expect_start_refused("pkg/echo.wasm");
    }
}

TEST_F(Packages, SomethingElseThanAComponentIsRefusedByItsName) {
    const std::string core_module("\0asm\1\0\0\0", 8);
    const std::string empty_component("\0asm\x0d\0\1\0", 8);
    for (const std::string& bytes :
         {core_module, empty_component, std::string("(component)"), std::string(1000, '\0')}) {
        write_file(package_ + "/pkg/echo.wasm", bytes);
        expect_start_refused("pkg/echo.wasm");
    }
}

TEST_F(Packages, TheLimitOfAComponentIsASetting) {
    const std::string most =
        std::to_string(std::filesystem::file_size(package_ + "/pkg/echo.wasm"));
    NodeProcess node({.home = directory_ / "limited",
                      .arguments = {package_},
                      .environment = {{"PERDURE_COMPONENT_BYTES_MAX", most}}});
    EXPECT_TRUE(node.wait_for_line("echo at ")) << node.errors();
    // An empty custom section: the same component, and above the limit.
    write_file(package_ + "/pkg/echo.wasm", read_fixture("echo") + std::string("\0\1\0", 3));
    expect_refusal(node.command({"start", package_}), 1,
                   "at most " + most + " are taken (component_bytes_max)");
    EXPECT_EQ(node.command({"send", "echo:talk:test.os", "hello"}).out, "hello\n");
    // Whoever lowers the limit keeps what is installed.
    EXPECT_EQ(node.end(), 0);
    NodeProcess lowered(
        {.home = directory_ / "limited", .environment = {{"PERDURE_COMPONENT_BYTES_MAX", "1024"}}});
    EXPECT_TRUE(lowered.wait_for_line("echo at ")) << lowered.errors();
}

void put_number(std::string& bytes, std::size_t number) {
    do {
        const auto low = static_cast<char>(number & 0x7f);
        number >>= 7;
        bytes.push_back(static_cast<char>(number == 0 ? low : low | 0x80));
    } while (number != 0);
}

void put_section(std::string& bytes, char id, const std::string& content) {
    bytes.push_back(id);
    put_number(bytes, content.size());
    bytes += content;
}

/// `component_bytes_max`
constexpr std::size_t kComponentBytesMax = 64u << 20;

/// `component` with a custom section behind it, which means nothing, so that it has `size` bytes.
std::string padded(std::string component, std::size_t size) {
    constexpr std::size_t kHead = 1 + 4;  // The id, and a length of four bytes.
    std::string section;
    put_section(
        section, 0,
        '\x03' + std::string("pad") + std::string(size - component.size() - kHead - 4, '\0'));
    return component + section;
}

TEST_F(Packages, AComponentOfTheLimitIsTakenAndOneByteMoreIsRefusedByTheLimit) {
    const std::string whole = read_fixture("echo");
    for (const std::size_t size : {kComponentBytesMax + 1, std::size_t{100'000'000}}) {
        SCOPED_TRACE(size);
        const std::string large = padded(whole, size);
        ASSERT_EQ(large.size(), size);
        write_file(package_ + "/pkg/echo.wasm", large);
        expect_start_refused("component_bytes_max");
        expect_untouched();
    }
    const std::string largest = padded(whole, kComponentBytesMax);
    ASSERT_EQ(largest.size(), kComponentBytesMax);
    const std::string other =
        make_package(directory_.path(), "large", {{.name = "large", .fixture = "echo"}});
    write_file(other + "/pkg/large.wasm", largest);
    EXPECT_EQ(node_.command({"start", other}).status, 0);
    EXPECT_TRUE(node_.wait_for_line("echo at "));
    EXPECT_EQ(node_.command({"send", "large:large:test.os", "heard"}).out, "heard\n");
    EXPECT_EQ(node_.command({"remove", "large:test.os"}).status, 0);
    code_ = fingerprints(node_.home() + "/code");  // Its file stays until the next start.
}

/// A component that imports `count` functions nobody serves.
std::string component_with_imports(std::size_t count) {
    std::string bytes("\0asm\x0d\0\1\0", 8);
    put_section(bytes, 7,
                std::string("\x01\x40\x00\x01\x00",
                            5));  // One type: a function without parameters and results.
    std::string imports;
    put_number(imports, count);
    for (std::size_t index = 0; index < count; ++index) {
        const std::string name = "unserved-i" + std::to_string(index);
        imports.push_back('\0');
        put_number(imports, name.size());
        imports += name;
        imports += std::string("\x01\x00", 2);
    }
    put_section(bytes, 10, imports);
    return bytes;
}

TEST_F(Packages, AComponentWithTenThousandImportsIsRefusedByTheFirstNamesAndACount) {
    write_file(package_ + "/pkg/echo.wasm", component_with_imports(3));
    expect_start_refused("unserved-i2");
    write_file(package_ + "/pkg/echo.wasm", component_with_imports(10'000));
    const Ended ended = node_.command({"start", package_});
    expect_refusal(ended, 1, "pkg/echo.wasm");
    EXPECT_NE(ended.err.find("`unserved-i255`: not provided; and 9744 more"), std::string::npos)
        << ended.err.substr(0, 1000);
    EXPECT_LT(ended.err.size(), std::size_t{16} << 10) << "an error is for people";
}

TEST_F(Packages, APackageWithoutItsDirectoriesIsRefused) {
    expect_refusal(node_.command({"start", "/dev/null"}), 1, "/dev/null: no such directory");
    expect_refusal(node_.command({"start", directory_.path()}), 1, "no pkg/manifest.json");
    std::filesystem::remove(package_ + "/pkg/echo.wasm");
    expect_start_refused("pkg/echo.wasm is missing");
    std::filesystem::create_directory(package_ + "/pkg/echo.wasm");
    expect_start_refused("pkg/echo.wasm");
}

TEST(Components, AMutatedOneIsRefusedByNameOrRunsAndTheNodeLivesOn) {
    const TemporaryDirectory directory;
    const std::string talk = make_package(
        directory.path(), "talk", {{.name = "echo", .fixture = "echo", .on_exit = "\"Restart\""}});
    const std::string package = make_package(directory.path(), "mutant",
                                             {{.name = "mutant", .fixture = "text-all-versions"}});
    NodeProcess node({.home = directory / "home", .arguments = {talk}});
    ASSERT_TRUE(node.wait_for_line("echo at "));
    const std::string whole = read_fixture("text-all-versions");
    const auto code = fingerprints(node.home() + "/code");
    int refused = 0;
    int ran = 0;
    for (std::size_t step = 0; step < 50; ++step) {
        const std::size_t place = step * whole.size() / 50;
        SCOPED_TRACE("byte " + std::to_string(place));
        std::string mutated = whole;
        mutated[place] = static_cast<char>(mutated[place] ^ 0xff);
        write_file(package + "/pkg/mutant.wasm", mutated);
        const Ended ended = node.command({"start", package});
        if (ended.status == 0) {
            ++ran;
            continue;
        }
        ++refused;
        expect_refusal(ended, 1, "pkg/mutant.wasm");
    }
    EXPECT_GE(refused, 25);
    std::printf("refused=%d ran=%d\n", refused, ran);
    EXPECT_EQ(node.command({"send", kEcho, "alive"}).out, "alive\n");
    // Of those that were refused nothing is left.
    EXPECT_LE(fingerprints(node.home() + "/code").size(),
              code.size() + static_cast<std::size_t>(ran));
}

// ---- names

struct BadName {
    std::string text;
    std::string_view kind;
};

std::vector<BadName> bad_process_ids() {
    return {{"a", "MissingField"},
            {"a:b", "MissingField"},
            {":", "MissingField"},
            {"::", "MissingField"},
            {":b:c", "MissingField"},
            {"a::c", "MissingField"},
            {"a:b:", "MissingField"},
            {"a:b:c:d", "TooManyColons"},
            {":::", "TooManyColons"},
            {"A:b:c", "ProcessNameNotSafe"},
            {"a_b:b:c", "ProcessNameNotSafe"},
            {"a.b:b:c", "ProcessNameNotSafe"},
            {"a b:b:c", "ProcessNameNotSafe"},
            {"\xc3\xa4:b:c", "ProcessNameNotSafe"},
            {"\xff:b:c", "ProcessNameNotSafe"},
            {"../a:b:c", "ProcessNameNotSafe"},
            {"a:b.c:d", "PackageNameNotSafe"},
            {"a:B:c", "PackageNameNotSafe"},
            {"a:b:C", "PublisherNodeNotSafe"},
            {"a:b:c_d", "PublisherNodeNotSafe"},
            {"a:b:c\n", "PublisherNodeNotSafe"},
            {"a:b:c/d", "PublisherNodeNotSafe"},
            {std::string(256, 'a') + ":b:c", "ProcessNameNotSafe"}};
}

std::vector<BadName> bad_addresses() {
    std::vector<BadName> bad{
        {"@", "MissingNodeId"},       {"@a:b:c", "MissingNodeId"},  {"n@@a:b:c", "TooManyAts"},
        {"n@a:b@c", "TooManyAts"},    {"n@", "MissingField"},       {"N@a:b:c", "NodeNotSafe"},
        {"n_m@a:b:c", "NodeNotSafe"}, {"n n@a:b:c", "NodeNotSafe"}, {"N@A:B:C", "NodeNotSafe"}};
    for (const BadName& id : bad_process_ids()) {
        bad.push_back({"n@" + id.text, id.kind});
        bad.push_back(id);
    }
    return bad;
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string encoded;
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    return encoded;
}

std::string request_text(std::string_view method, const std::string& target,
                         const std::string& body = {}) {
    return std::string(method) + " " + target +
           " HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

class Names : public testing::Test {
protected:
    Names() : node_({.home = directory_ / "home"}) { EXPECT_TRUE(node_.wait_for_line("ready ")); }
    std::string ask(const std::string& request) const {
        RawClient client = RawClient::to_control_socket(node_.home());
        EXPECT_TRUE(client.write(request));
        return client.read_to_end();
    }
    void expect_answer(const std::string& request, std::string_view status,
                       std::string_view part) const {
        const std::string answer = ask(request);
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::string(status))) << answer.substr(0, 500);
        EXPECT_NE(answer.find(part), std::string::npos)
            << answer.substr(0, 500) << "\nlacks " << part;
    }

    const TemporaryDirectory directory_;
    NodeProcess node_;
};

TEST_F(Names, EveryBadFormIsNamedByTheCommandLine) {
    for (const BadName& bad : bad_process_ids()) {
        SCOPED_TRACE(bad.text);
        expect_refusal(node_.command({"kill", bad.text}), 2, bad.kind);
    }
    for (const BadName& bad : bad_addresses()) {
        SCOPED_TRACE(bad.text);
        expect_refusal(node_.command({"send", bad.text, "hello", "--no-wait"}), 2, bad.kind);
    }
    EXPECT_EQ(node_.command({"ps"}).status, 0);
}

TEST_F(Names, EveryBadFormIsNamedByTheNode) {
    for (const BadName& bad : bad_process_ids()) {
        SCOPED_TRACE(bad.text);
        expect_answer(request_text("POST", "/v1/processes/" + percent_encoded(bad.text) + "/kill"),
                      "400", bad.kind);
    }
    for (const BadName& bad : bad_addresses()) {
        if (bad.text.find('\xff') != std::string::npos) {
            continue;  // JSON cannot say it.
        }
        SCOPED_TRACE(bad.text);
        const Json request = Json::object({{"address", bad.text}, {"body", "x"}});
        expect_answer(request_text("POST", "/v1/send", request.to_text()), "400", bad.kind);
    }
}

// ---- sockets

class Sockets : public Names {
protected:
    void expect_alive() const {
        expect_answer(request_text("GET", "/v1/health"), "200", "\"live\":true");
        EXPECT_EQ(node_.command({"ps"}).status, 0);
    }
    std::uint16_t port() const {
        const std::string ready = node_.lines().front();
        return static_cast<std::uint16_t>(std::stoul(ready.substr(ready.find("127.0.0.1:") + 10)));
    }
};

TEST_F(Sockets, MalformedRequestsAreAnsweredAndTheConnectionEnds) {
    for (const std::string& garbage :
         {std::string("garbage\r\n\r\n"), std::string("\0\0\0\0\r\n\r\n", 8),
          std::string("GET\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
          std::string("GET / HTTP/1.1\r\nno colon\r\n\r\n"),
          std::string("POST /v1/send HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
          std::string("POST /v1/send HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"),
          std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)}) {
        SCOPED_TRACE(percent_encoded(garbage));
        expect_answer(garbage, "4", "\r\n");
        RawClient outside = RawClient::to_port(port());
        EXPECT_TRUE(outside.write(garbage));
        EXPECT_TRUE(outside.read_to_end().starts_with("HTTP/1.1 4"));
    }
    expect_alive();
}

TEST_F(Sockets, WrongRoutesMethodsAndBodiesAreExplained) {
    expect_answer(request_text("GET", "/"), "404", "no such route");
    expect_answer(request_text("GET", "/v1/../v1/processes/"), "404", "not_found");
    expect_answer(request_text("GET", "/v1/send"), "405", "Allow: POST");
    expect_answer(request_text("GET", "/v1/processes?%zz"), "400", "invalid_input");
    expect_answer(request_text("GET", "/v1/logs?follow=maybe"), "400", "follow");
    expect_answer(request_text("GET", "/v1/logs?lines=-1"), "400", "lines");
    expect_answer(request_text("GET", "/v1/logs?lnes=1"), "400", "the closest known one is lines");
    for (const auto& [body, part] : std::vector<std::pair<std::string, std::string>>{
             {"", "line 1"},
             {"[]", "expected an object"},
             {"{}", "address"},
             {R"({"address":5,"body":"x"})", "address"},
             {R"({"address":"a:b:c"})", "body"},
             {R"({"address":"a:b:c","body":5})", "body"},
             {R"({"address":"a:b:c","body":"x","body_base64":"eA=="})", "not both"},
             {R"({"address":"a:b:c","body_base64":"!"})", "base64"},
             {R"({"address":"a:b:c","body":"x","blob_mime":"text/plain"})", "blob_mime"},
             {R"({"address":"a:b:c","body":"x","timeout_s":-1})", "timeout_s"},
             {R"({"address":"a:b:c","body":"x","timeout_s":1.5})", "timeout_s"},
             {std::string(1000, '['), "deep"}}) {
        SCOPED_TRACE(body.substr(0, 60));
        expect_answer(request_text("POST", "/v1/send", body), "400", part);
    }
    for (const char* body : {"", "[]", "{}", R"({"directory":5})", R"({"directory":"relative"})"}) {
        SCOPED_TRACE(body);
        expect_answer(request_text("POST", "/v1/packages", body), "400", "invalid_input");
    }
    expect_answer(request_text("POST", "/v1/packages", R"({"directory":"/nowhere/at/all"})"), "404",
                  "metadata.json");
    expect_alive();
}

TEST_F(Sockets, OversizedRequestsAreRefusedByTheirLimit) {
    expect_answer("GET /v1/health HTTP/1.1\r\nHost: node\r\nX-Long: " + std::string(64 << 10, 'x') +
                      "\r\n\r\n",
                  "431", "\r\n");
    expect_answer("GET /" + std::string(64 << 10, 'x') + " HTTP/1.1\r\nHost: node\r\n\r\n", "431",
                  "\r\n");
    expect_answer("POST /v1/send HTTP/1.1\r\nHost: node\r\nContent-Length: 67108865\r\n\r\n", "413",
                  "\r\n");
    expect_alive();
}

TEST_F(Sockets, TheHttpPortServesHealthAndNothingElse) {
    const auto ask_port = [&](const std::string& request) {
        RawClient client = RawClient::to_port(port());
        EXPECT_TRUE(client.write(request));
        return client.read_to_end();
    };
    EXPECT_TRUE(ask_port(request_text("GET", "/healthz")).ends_with("\r\n\r\nok\n"));
    EXPECT_TRUE(ask_port(request_text("GET", "/readyz")).ends_with("\r\n\r\nok\n"));
    for (const char* target : {"/v1/processes", "/v1/config", "/v1/health", "/", "/healthz/x"}) {
        EXPECT_TRUE(ask_port(request_text("GET", target)).starts_with("HTTP/1.1 404")) << target;
    }
    for (const char* target : {"/v1/shutdown", "/v1/send", "/v1/packages"}) {
        EXPECT_TRUE(ask_port(request_text("POST", target)).starts_with("HTTP/1.1 404")) << target;
    }
    EXPECT_TRUE(ask_port(request_text("POST", "/healthz")).starts_with("HTTP/1.1 405"));
    expect_alive();
}

TEST_F(Sockets, ClientsThatAreSlowOrSilentDelayNobodyAndNotTheEnd) {
    std::vector<RawClient> clients;
    for (int count = 0; count < 20; ++count) {
        clients.push_back(RawClient::to_control_socket(node_.home()));
        clients.push_back(RawClient::to_port(port()));
        EXPECT_TRUE(clients.back().write("GET /heal"));
    }
    // One asks for everything and never reads.
    clients.push_back(RawClient::to_control_socket(node_.home()));
    EXPECT_TRUE(clients.back().write(request_text("GET", "/v1/logs?follow=true&verbosity=255")));
    const std::string package =
        make_package(directory_.path(), "flood", {{.name = "flood", .fixture = "stderr-flood"}});
    EXPECT_EQ(node_.command({"start", package}).status, 0);
    for (int count = 0; count < 10; ++count) {
        expect_alive();
    }
    EXPECT_EQ(node_.end(), 0);
}

}  // namespace
}  // namespace perdure::functional
