/// As many processes as the machine allows, and what becomes of those above (engine specification).

#include <algorithm>
#include <fstream>
#include <iterator>

#include "scripted_components.h"
#include "storage/content_hash.h"

namespace perdure::conformance {
namespace {

/// What the engine says of itself: mappings of a process, and those that are left for everything
/// else (E-14).
constexpr std::uint64_t kMappingsPerProcess = 6;
constexpr std::uint64_t kMappingsSpare = 4096;

std::uint64_t mappings_max() {
    std::ifstream file("/proc/sys/vm/max_map_count");
    std::uint64_t count = 0;
    file >> count;
    return count;
}

std::uint64_t mappings_now() {
    std::ifstream file("/proc/self/maps");
    return static_cast<std::uint64_t>(
        std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n'));
}

/// A world that is asked to hold `processes_max` processes, all of them the fixture `echo`.
class ManyProcesses : public ::testing::Test {
protected:
    void open(std::uint32_t processes_max) {
        KernelWorld::Options options;
        options.processes_max = processes_max;
        options.modules = {&driver_};
        world_ = std::make_unique<KernelWorld>(options);
        const ByteView wasm = bytes_of(fixture("echo"));
        code_ = world_->engine().load(wasm, content_hash(wasm)).value();
    }
    void TearDown() override {
        code_.reset();
        world_.reset();
    }
    static std::string name(std::size_t index) { return "echo" + std::to_string(index); }
    void start(std::size_t from, std::size_t to) {
        for (std::size_t index = from; index < to; ++index) {
            kernel::NewProcess process;
            process.id = parse_process_id(id_of(name(index))).value();
            process.code_handle = "/test:os/pkg/echo.wasm";
            process.code = code_;
            ASSERT_TRUE(world_->kernel().initialise(std::move(process)).has_value());
            world_->run(id_of(name(index)));
        }
        world_->settle();
    }
    /// How many wait for messages.
    std::size_t idle() {
        Causality asker;
        const auto all = world_->kernel().processes().tell(asker);
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [](const kernel::ProcessStatus& status) {
                return !status.is_module && status.waiting == kernel::Waiting::Receive;
            }));
    }
    void ask(std::size_t index) {
        Request request;
        request.body = SharedBytes(name(index));
        request.expects_response = 30;
        const auto sent =
            world_->kernel().send(driver_, KernelWorld::full_address(id_of(name(index))),
                                  std::move(request), std::nullopt, {});
        ASSERT_TRUE(sent.has_value()) << sent.error().message();
    }
    /// The names that have answered since this was last asked.
    std::set<std::string> answers() {
        std::set<std::string> names;
        for (const auto& [source, body] : std::exchange(driver_.reports, {})) {
            EXPECT_EQ(source, body);
            names.insert(source);
        }
        return names;
    }
    std::size_t said(std::string_view part) {
        const auto lines = world_->prints();
        return static_cast<std::size_t>(
            std::count_if(lines.begin(), lines.end(),
                          [&](const std::string& line) { return line.find(part) != line.npos; }));
    }
    std::uint64_t instances() { return world_->engine().stats().instances; }

    /// `room` of them live and answer; the next three wait for a place, their messages with them,
    /// and take those of the ones that end.
    void fill(std::size_t room) {
        start(0, room);
        ASSERT_EQ(idle(), room);
        EXPECT_EQ(instances(), room);
        for (std::size_t index = 0; index < room; ++index) {
            ask(index);
        }
        world_->settle();
        EXPECT_EQ(answers().size(), room);
        EXPECT_EQ(said("waits for a place"), 0U);

        start(room, room + 3);
        for (std::size_t index = room; index < room + 3; ++index) {
            ask(index);
        }
        world_->advance(kSecond);
        EXPECT_EQ(idle(), room);
        EXPECT_EQ(instances(), room);
        EXPECT_THAT(answers(), IsEmpty());
        EXPECT_EQ(said("waits for a place: no free slot in the engine's pool"), 3U)
            << "each says so once";

        for (const std::size_t freed : {std::size_t{2}, std::size_t{1}}) {
            for (std::size_t index = 0; index < freed; ++index) {
                ASSERT_TRUE(world_->kill(id_of(name(killed_++))));
            }
            EXPECT_EQ(instances(), room - freed);
            world_->advance(100 * kMillisecond);
            EXPECT_EQ(idle(), room);
            EXPECT_EQ(instances(), room);
            EXPECT_EQ(answers().size(), freed);
        }
        EXPECT_EQ(said("waits for a place"), 3U);
        EXPECT_EQ(world_->status(id_of(name(room + 2)))->starts, 1U);
    }

    Driver driver_;
    std::unique_ptr<KernelWorld> world_;
    std::shared_ptr<const kernel::Code> code_;
    std::size_t killed_ = 0;
};

TEST_F(ManyProcesses, E15_TenThousandLiveSideBySideAndTheNextWaitForRoom) {
    ASSERT_GE(mappings_max(), 65'530U) << "vm.max_map_count is below its default";
    const std::uint64_t room =
        std::min<std::uint64_t>((mappings_max() - kMappingsSpare) / kMappingsPerProcess, 10'500);
    ASSERT_GE(room, 10'000U);
    open(10'500);
    ASSERT_EQ(world_->engine().stats().processes_max, room);
    fill(room);
    EXPECT_LT(mappings_now(), mappings_max());
}

TEST_F(ManyProcesses, E15_OneMoreThanTheSettingAllowsWaitsForRoom) {
    open(5);
    ASSERT_EQ(world_->engine().stats().processes_max, 5U);
    fill(5);
}

}  // namespace
}  // namespace perdure::conformance
