/// One bit flipped in every 4 KiB of every file of a used home: start or doctor reports it by name,
/// or it is provably harmless; a start never yields a changed or missing value.

#include <gtest/gtest.h>

#include <iostream>

#include "storage/doctor.h"
#include "storage/rocks_store.h"
#include "testing/simulated_storage.h"

namespace perdure {
namespace {

constexpr std::size_t kEvery = 4096;

/// Files whose bytes may change without anybody missing anything, and why.
const std::map<std::string, std::string>& harmless_files() {
    static const std::map<std::string, std::string> files = {
        {"/home/lock", "only its name and its lock count; it is empty"},
        {"/home/db/LOCK", "RocksDB's own lock, empty"},
        {"/home/db/IDENTITY", "RocksDB's name for the store; nothing of ours reads it"},
    };
    return files;
}
bool is_harmless(const std::string& path) {
    // RocksDB writes OPTIONS files for people; every start pins the options anew and reads none.
    return harmless_files().contains(path) || path.starts_with("/home/db/OPTIONS-");
}

struct UsedHome {
    DiskImage image;
    std::map<std::string, std::string> values;
};

/// Table files of several flushes, a log with batches of all sizes, large values.
UsedHome make_used_home() {
    UsedHome home;
    SimulatedFiles files;
    SimulatedStorage node(files);
    node.options.limits.entry_inline_bytes_max = 8000;
    EXPECT_TRUE(node.start());
    SeededRandom random(3);
    for (int i = 0; i < 240; ++i) {
        const std::string key = "k" + std::to_string(i % 100);
        std::string value =
            std::to_string(i) + std::string(random.below(i % 10 == 0 ? 7000 : 600), 'v');
        if (i % 60 == 59) {
            value.resize(30'000, 'L');
        }
        Entry entry{EntryKind::SetState,
                    {{Family::ProcessState, SharedBytes(key), SharedBytes(value)}}};
        if (node->log().needs_staging(entry)) {
            EXPECT_TRUE(node->log().append(node->log().stage(std::move(entry)).value(), 1));
        } else {
            EXPECT_TRUE(node->log().append(std::move(entry), 1));
        }
        home.values[key] = value;
        if (i % 3 == 0) {
            node.drain();
        }
        if (i == 90 || i == 160) {
            EXPECT_EQ(static_cast<RocksStore&>(node->store_for_test()).flush().kind,
                      WriteOutcome::Kind::Done);
        }
    }
    node.stop();
    home.image = files.image_after(Crash::Kept, 1);
    return home;
}

bool names(const DoctorReport& report, const std::string& path) {
    return std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
        return finding.path == path || finding.what.find(path) != std::string::npos;
    });
}

TEST(BitFlip, AnUnharmedHomeIsHealthy) {
    const UsedHome home = make_used_home();
    SimulatedFiles files(home.image);
    const ManualClock clock;
    KeptLines sink;
    const Log logger(sink, LogLevel::Error);
    const auto report = examine_home("/home", 1 << 20, files, clock, logger);
    ASSERT_TRUE(report);
    for (const Finding& finding : report->findings) {
        ADD_FAILURE() << finding.path << ": " << finding.what;
    }
    EXPECT_GT(report->files_checked, 5u);
    EXPECT_EQ(files.image_after(Crash::Kept, 0), home.image) << "doctor changes nothing";
}

TEST(BitFlip, EveryFlippedBitIsReportedByNameOrHarmlessAndNoValueChanges) {
    const UsedHome home = make_used_home();
    SeededRandom random(11);
    const ManualClock clock;
    KeptLines sink;
    const Log logger(sink, LogLevel::Error);
    std::size_t flips = 0;
    std::size_t refused = 0;
    std::size_t by_doctor = 0;
    std::map<std::string, int> harmless;
    for (const auto& [path, content] : home.image.files) {
        for (std::size_t block = 0; block < content.bytes->size(); block += kEvery) {
            Bytes flipped = *content.bytes;
            const std::size_t at = block + random.below(std::min(kEvery, flipped.size() - block));
            flipped[at] ^= static_cast<Byte>(1u << random.below(8));
            DiskImage image = home.image;
            image.put(path, flipped);
            const std::string what = path + " at byte " + std::to_string(at);
            ++flips;

            SimulatedFiles examined(image);
            const auto report = examine_home("/home", 1 << 20, examined, clock, logger);
            ASSERT_TRUE(report) << what;
            const bool doctor_names_it = names(*report, path);
            by_doctor += doctor_names_it ? 1 : 0;

            SimulatedFiles files(image);
            SimulatedStorage node(files);
            const auto started = node.start();
            if (!started) {
                ++refused;
                EXPECT_EQ(files.image_after(Crash::Kept, 0), image)
                    << what << ": a refused home was changed";
                EXPECT_TRUE(doctor_names_it ||
                            started.error().message().find(path) != std::string::npos)
                    << what << ": " << started.error().message();
                continue;
            }
            for (const auto& [key, value] : home.values) {
                const std::string found = node.get(key);
                if (found != value) {
                    // A damaged value is a failure that says so, never another value and never "not
                    // there" (K-255).
                    ASSERT_TRUE(found.starts_with("(") && found != "(none)")
                        << what << ": " << key << " is " << found.substr(0, 40);
                }
            }
            if (is_harmless(path)) {
                ++harmless[path];
            } else {
                EXPECT_TRUE(doctor_names_it) << what << ": neither start nor doctor reports it";
            }
        }
    }
    std::cout << flips << " bits flipped: " << refused << " starts refused, " << by_doctor
              << " named by doctor\n";
    for (const auto& [path, count] : harmless) {
        std::cout << "harmless: " << path << " (" << count << ")\n";
    }
    EXPECT_GT(flips, 40u);
}

TEST(Doctor, TellsOpenPermissionsAndLittleSpaceWithTheirCures) {
    const UsedHome home = make_used_home();
    SimulatedFiles files(home.image);
    files.set_permissions("/home/db", 0755);
    files.set_capacity(files.used_bytes() + 100);
    const ManualClock clock;
    KeptLines sink;
    const Log logger(sink, LogLevel::Error);
    const auto report = examine_home("/home", 1 << 20, files, clock, logger);
    ASSERT_TRUE(report);
    ASSERT_EQ(report->findings.size(), 2u);
    EXPECT_NE(report->findings[0].what.find("make room"), std::string::npos);
    EXPECT_EQ(report->findings[0].severity, Finding::Severity::Setting);
}

}  // namespace
}  // namespace perdure
