#include "node/phase.h"

namespace perdure::node {

std::string phase_text(kernel::LifePhase phase, kernel::Waiting waiting) {
    if (phase != kernel::LifePhase::Running) {
        return std::string(kernel::to_string(phase));
    }
    return waiting == kernel::Waiting::No ? "running"
                                          : "waiting-" + std::string(kernel::to_string(waiting));
}

}  // namespace perdure::node
