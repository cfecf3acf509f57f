/// Interface versions, and what guests cannot do to the node (kernel and engine specifications).

#include "scripted_components.h"
#include "storage/content_hash.h"

namespace perdure::conformance {
namespace {

class ComponentVersions : public OnWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentVersions, worker_counts(), worker_name);

constexpr const char* kEchoes[] = {
    "echo",
    "echo-kinode-0-7",
    "echo-kinode-0-8",
    "echo-hyperware-1-0",
    "echo-rust-kinode-0-8",
    "echo-rust-kinode-1-0",
    "echo-rust-hyperware-1-0",
};

TEST_P(ComponentVersions, CK138_E2_E3_EveryVersionRunsWhateverTheManifestSays) {
    add("a");
    for (const std::optional<std::uint32_t> wit_version :
         {std::optional<std::uint32_t>(), std::optional<std::uint32_t>(0),
          std::optional<std::uint32_t>(1), std::optional<std::uint32_t>(7)}) {
        for (const char* echo : kEchoes) {
            Guest guest;
            guest.wit_version = wit_version;
            add(echo, echo, guest);
            EXPECT_THAT(said(echo), Contains(HasSubstr(std::string("echo at ") + echo))) << echo;
            world.grant_messaging(id_of("a"), id_of(echo));
            tell("a", "send {" + std::string(echo) +
                          "} expect=5 body=q metadata=m blob=data\nreceive\nget-blob");
            EXPECT_THAT(of("a"), ElementsAre("2 response source=" + std::string(echo) +
                                                 " inherit=1 body=q metadata=m",
                                             "3 get-blob blob=data", "3 done"))
                << echo;
            EXPECT_EQ(crashes(echo), 0U);
            ASSERT_TRUE(world.kill(id_of(echo)));
        }
    }
}

TEST_P(ComponentVersions, CK138_ProcessesOfAllVersionsTalkToEachOther) {
    const std::pair<const char*, const char*> kAll[] = {
        {"new", "script"}, {"old", "script-kinode-0-8"}, {"oldest", "script-kinode-0-7"}};
    for (const auto& [name, component] : kAll) {
        add(name, component);
    }
    connect();
    for (const auto& [asker, one] : kAll) {
        for (const auto& [answerer, other] : kAll) {
            if (asker == answerer) {
                continue;
            }
            tell(answerer, "receive\nget-blob\nrespond body=r metadata=n blob=back");
            tell(asker, "send {" + std::string(answerer) +
                            "} expect=5 body=q metadata=m blob=data context=c\nreceive\nget-blob");
            EXPECT_THAT(of(answerer), ElementsAre("1 request source=" + std::string(asker) +
                                                      " expects=5 inherit=0 body=q metadata=m",
                                                  "2 get-blob blob=data", "3 done"));
            EXPECT_THAT(of(asker), ElementsAre("2 response source=" + std::string(answerer) +
                                                   " inherit=0 body=r metadata=n context=c",
                                               "3 get-blob blob=back", "3 done"));
        }
    }
}

TEST_P(ComponentVersions, E2_AllFourInterfacesServeOneComponentAlsoAtLaterPatches) {
    add("old", "text-hello-0-7");
    EXPECT_THAT(said("old"), ElementsAre("hello from 0.7"));
    add("all", "text-all-versions");
    EXPECT_THAT(said("all"), ElementsAre("from kinode 0.7", "from kinode 0.8", "from kinode 1.0",
                                         "from hyperware 1.0"));
    add("patches", "text-patch-versions");
    EXPECT_THAT(said("patches"), ElementsAre("from kinode 0.7.4", "from kinode 0.8.9",
                                             "from kinode 1.0.12", "from hyperware 1.0.3"));
    for (const char* name : {"old", "all", "patches"}) {
        EXPECT_THAT(kernel_said(),
                    Contains("process n.os@" + id_of(name) + " returned without error"));
    }
}

TEST_P(ComponentVersions, E3_TheVersionInForceIsTheOneThatIsImported) {
    Guest guest;
    guest.wit_version = 1;
    add("old", "script-kinode-0-8", guest);
    tell("old", "has-blob");
    EXPECT_THAT(of("old"), ElementsAre("1 unknown has-blob")) << "0.8 has no such call";
    guest.wit_version = 0;
    add("new", "script", guest);
    tell("new", "has-blob");
    EXPECT_THAT(of("new"), ElementsAre("1 has-blob 0", "1 done"));
    const auto interfaces = [&](std::string_view component) {
        const ByteView wasm = bytes_of(fixture(component));
        return world.engine().load(wasm, content_hash(wasm)).value()->interfaces();
    };
    EXPECT_THAT(interfaces("script"), ElementsAre("kinode:process/standard@1.0.0"));
    EXPECT_THAT(interfaces("script-kinode-0-8"), ElementsAre("kinode:process/standard@0.8.0"));
    EXPECT_THAT(interfaces("script-kinode-0-7"), ElementsAre("kinode:process/standard@0.7.0"));
    EXPECT_THAT(interfaces("echo-hyperware-1-0"), ElementsAre("hyperware:process/standard@1.0.0"));
    EXPECT_EQ(interfaces("text-all-versions").size(), 4U);
    EXPECT_THAT(interfaces("text-nothing"), IsEmpty());
}

// Of 0.7 there are two texts: the tagged one has no `drop-capabilities`, a later one has it.
TEST_P(ComponentVersions, CK138_ComponentsOfBothTextsOf0_7RunAndTalk) {
    const auto imports = [](std::string_view component, std::string_view function) {
        return fixture(component).find(function) != std::string::npos;
    };
    ASSERT_FALSE(imports("echo-kinode-0-7", "drop-capabilities"));
    ASSERT_TRUE(imports("script-kinode-0-7", "drop-capabilities"));
    add("new");
    for (const std::optional<std::uint32_t> wit_version :
         {std::optional<std::uint32_t>(), std::optional<std::uint32_t>(0),
          std::optional<std::uint32_t>(1), std::optional<std::uint32_t>(7)}) {
        Guest guest;
        guest.wit_version = wit_version;
        add("tagged", "echo-kinode-0-7", guest);
        add("later", "script-kinode-0-7", guest);
        connect();
        tell("later",
             "echo 1\nsend {tagged} expect=5 body=l metadata=n blob=later\nreceive\n"
             "get-blob\ndrop-caps cap={tagged}|\"messaging\"");
        tell("new", "send {later} expect=5 body=q metadata=m blob=data\nreceive\nget-blob");
        EXPECT_THAT(of("new"), ElementsAre("2 response source=later inherit=1 body=q metadata=m",
                                           "3 get-blob blob=data", "3 done"));
        EXPECT_THAT(of("later"), ElementsAre("3 response source=tagged inherit=1 body=l metadata=n",
                                             "4 get-blob blob=later", "5 done"));
        EXPECT_FALSE(holds("later", messaging("tagged")));
        for (const char* name : {"tagged", "later"}) {
            EXPECT_EQ(crashes(name), 0U) << name;
            ASSERT_TRUE(world.kill(id_of(name)));
        }
    }
}

class ComponentEnds : public OnWorkers {
protected:
    static constexpr std::uint64_t kMemory = 128 << 20;

    ComponentEnds() : OnWorkers(with_little_memory()) {}
    static KernelWorld::Options with_little_memory() {
        KernelWorld::Options options;
        options.limits.process_memory_bytes_max = kMemory;
        return options;
    }
    void SetUp() override {
        start({"witness"});
        tell("witness", "note before");
        EXPECT_THAT(of("witness"), ElementsAre("1 note before", "1 done"));
    }
    /// Whatever ended, this one goes on, in the same node.
    void TearDown() override {
        tell("witness", "note after");
        EXPECT_THAT(of("witness"), ElementsAre("1 note after", "1 done"));
    }
    std::string crash_report(std::string_view name) {
        for (const std::string& line : kernel_said(0)) {
            if (line.find(id_of(name) + " ended with error") != line.npos) {
                return line;
            }
        }
        return "";
    }
    std::string reason_in_log(std::string_view name) {
        for (const std::string& line : world.log_lines()) {
            if (line.find("process_crashed process=" + id_of(name)) != line.npos) {
                return line;
            }
        }
        return "";
    }
};
INSTANTIATE_TEST_SUITE_P(Workers, ComponentEnds, worker_counts(), worker_name);

TEST_P(ComponentEnds, E10_E18_RecursionWithoutEndIsATrapOfThatGuestOnly) {
    add("deep", "recursion");
    EXPECT_FALSE(exists("deep"));
    EXPECT_THAT(crash_report("deep"), HasSubstr("out of bounds"));
    add("text", "text-stack-overflow");
    EXPECT_FALSE(exists("text"));
    EXPECT_THAT(crash_report("text"), HasSubstr("stack"));
    add("a");
    tell("a", "recurse 100");
    EXPECT_THAT(of("a"), ElementsAre("1 recurse 5050", "1 done"));
    tell("a", "recurse 0");
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(reason_in_log("a"), HasSubstr("reason=trapped"));
}

TEST_P(ComponentEnds, E10_E18_AMemoryHogMeetsItsLimitAndNobodyElseDoes) {
    add("hog", "memory-hog");
    EXPECT_FALSE(exists("hog"));
    EXPECT_THAT(crash_report("hog"), HasSubstr("out of memory after 112 MiB"));
    EXPECT_THAT(reason_in_log("hog"), HasSubstr("reason=memory_limit"));
    add("a");
    tell("a", "allocate 33554432\nallocate 134217728\nallocate 1048576");
    EXPECT_THAT(of("a"), ElementsAre("1 allocate kept=33554432", "2 allocate refused kept=33554432",
                                     "3 allocate kept=34603008", "3 done"));
    EXPECT_TRUE(exists("a"));
    EXPECT_LE(world.status(id_of("a"))->memory_bytes, kMemory);
    tell("a", "report none\nallocate 134217728\ntrap");
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(crash_report("a"), HasSubstr("out of memory: its limit is 134217728 bytes"));
    EXPECT_THAT(reason_in_log("a"), HasSubstr("reason=memory_limit"));
}

TEST_P(ComponentEnds, E10_ATrapLongAfterRefusedMemoryIsATrap) {
    add("a");
    tell("a", "allocate 134217728");
    EXPECT_THAT(of("a"), ElementsAre("1 allocate refused kept=0", "1 done"));
    tell("a", "trap");
    EXPECT_FALSE(exists("a"));
    EXPECT_THAT(reason_in_log("a"), HasSubstr("reason=trapped"));
    EXPECT_THAT(crash_report("a"), Not(HasSubstr("memory")));
}

TEST_P(ComponentEnds, E10_E18_AFloodOnTheErrorStreamStopsNobodyAndEndsWithItsGuest) {
    world.start_component(id_of("flood"), fixture("stderr-flood"), {});
    post("witness", "note during");
    world.compute(100 * kMillisecond);
    EXPECT_THAT(of("witness"), ElementsAre("1 note during", "1 done"));
    EXPECT_TRUE(exists("flood"));
    EXPECT_TRUE(world.kill(id_of("flood")));
    EXPECT_FALSE(exists("flood"));
    EXPECT_EQ(crash_report("flood"), "");
}

TEST_P(ComponentEnds, E10_E18_AnAccessOutOfBoundsIsATrapOfThatGuestOnly) {
    add("bounds", "text-out-of-bounds");
    EXPECT_FALSE(exists("bounds"));
    EXPECT_THAT(crash_report("bounds"), HasSubstr("out of bounds"));
    EXPECT_THAT(reason_in_log("bounds"), HasSubstr("reason=trapped"));
}

TEST_P(ComponentEnds, E10_E18_EndlessBulkInstructionsAreCutIntoSlices) {
    world.start_component(id_of("bulk"), fixture("text-bulk-memory"), {});
    post("witness", "note during");
    world.compute(100 * kMillisecond);
    EXPECT_THAT(of("witness"), ElementsAre("1 note during", "1 done"));
    EXPECT_TRUE(exists("bulk"));
    EXPECT_TRUE(world.kill(id_of("bulk")));
}

TEST_P(ComponentEnds, E10_APanicIsReportedWithItsWordsAndItsFrames) {
    add("panic", "panic-rust");
    EXPECT_THAT(said("panic"), ElementsAre("about to panic"));
    EXPECT_THAT(crash_report("panic"), HasSubstr("this is the panic of n.os@panic:test:os"));
    EXPECT_THAT(reason_in_log("panic"), HasSubstr("reason=trapped"));
    add("frames", "backtrace");
    EXPECT_FALSE(exists("frames"));
    EXPECT_THAT(kernel_said(1), Contains(HasSubstr("backtrace of n.os@frames:test:os")));
    add("crash", "crash-counter");
    EXPECT_THAT(said("crash"), ElementsAre("starts: 0"));
    EXPECT_THAT(crash_report("crash"), HasSubstr("crash number 0"));
}

TEST_P(ComponentEnds, E10_AReturnIsNoCrash) {
    add("nothing", "text-nothing");
    EXPECT_FALSE(exists("nothing"));
    EXPECT_EQ(crash_report("nothing"), "");
    EXPECT_EQ(reason_in_log("nothing"), "");
    EXPECT_THAT(kernel_said(1), Contains("process n.os@nothing:test:os returned without error"));
}

}  // namespace
}  // namespace perdure::conformance
