#include "node/phase.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace perdure::node {
namespace {

using kernel::LifePhase;
using kernel::Waiting;

/// The words in back quotes of the row that explains `phase`, without its own name.
std::set<std::string> phases_of_the_page() {
    std::ifstream page(PERDURE_SOURCE_DIR "/docs/protocols/control.md");
    std::set<std::string> words;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("| `phase` |")) {
            std::istringstream parts(line.substr(line.find('|', 1)));
            std::string part;
            for (bool quoted = false; std::getline(parts, part, '`'); quoted = !quoted) {
                if (quoted) {
                    words.insert(part);
                }
            }
        }
    }
    return words;
}

// The page showed a phase "waiting", which no process ever had.
TEST(Phase, TheProtocolsPageNamesEachAndNoOther) {
    std::set<std::string> phases{phase_text(LifePhase::Initialised, Waiting::No)};
    for (const Waiting waiting : {Waiting::No, Waiting::Receive, Waiting::Await, Waiting::Read,
                                  Waiting::Room, Waiting::Sleep}) {
        phases.insert(phase_text(LifePhase::Running, waiting));
    }
    EXPECT_EQ(phases.size(), 7u);
    EXPECT_EQ(phases_of_the_page(), phases);
}

}  // namespace
}  // namespace perdure::node
