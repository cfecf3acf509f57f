#include <gtest/gtest.h>

#include <set>

#include "base/log.h"
#include "base/system_clock.h"
#include "base/system_random.h"

namespace perdure {
namespace {

TEST(SystemClock, MonotonicTimeNeverGoesBack) {
    const SystemClock clock;
    MonotonicTime last = clock.monotonic_now();
    for (int i = 0; i < 1000; ++i) {
        const MonotonicTime now = clock.monotonic_now();
        EXPECT_GE(now, last);
        last = now;
    }
}

TEST(Clock, ADeadlineThatDoesNotFitIsTheEndOfTime) {
    const MonotonicTime start{Nanoseconds(1000)};
    EXPECT_EQ(deadline_after(start, 2, std::chrono::seconds(1)), start + std::chrono::seconds(2));
    EXPECT_EQ(deadline_after(start, 0, std::chrono::seconds(1)), start);
    EXPECT_EQ(deadline_after(start, UINT64_MAX, std::chrono::seconds(1)), MonotonicTime::max());
    EXPECT_EQ(deadline_after(start, UINT64_MAX, Nanoseconds(1)), MonotonicTime::max());
}

TEST(SystemRandom, DrawsDifferAlsoAcrossBlocksAndReseeding) {
    SystemRandom random;
    std::set<std::uint64_t> drawn;
    const int count = static_cast<int>(SystemRandom::kReseedBytes / 8) + 1000;
    for (int i = 0; i < count; ++i) {
        drawn.insert(random.next_u64());
    }
    EXPECT_EQ(drawn.size(), static_cast<std::size_t>(count));
}

TEST(SystemRandom, FillsRequestsLargerThanItsBlock) {
    SystemRandom random;
    Bytes large(5000, 0);
    random.fill(large);
    EXPECT_LT(std::count(large.begin(), large.end(), 0), 100);
}

class Lines : public LogSink {
public:
    void write(LogLevel, std::string_view line) override { lines.emplace_back(line); }
    std::vector<std::string> lines;
};

TEST(Log, WritesOneLineOfFieldsPerEventAndQuotesWhatIsUnsafe) {
    Lines sink;
    const Log log(sink, LogLevel::Info);
    log.info("process_exited", LogField("process", "a:b:c"), LogField("uptime_ms", 12),
             LogField("text", "two\nlines \"x\""));
    log.debug("not_wanted");
    ASSERT_EQ(sink.lines.size(), 1u);
    EXPECT_EQ(sink.lines[0],
              "process_exited process=a:b:c uptime_ms=12 text=\"two\\nlines \\\"x\\\"\"");
}

}  // namespace
}  // namespace perdure
