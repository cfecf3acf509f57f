#pragma once

/// The phase of a process as `ps` and docs/protocols/control.md name it.

#include <string>

#include "kernel/process.h"

namespace perdure::node {

/// `initialised`, `running`, or `waiting-` and what for.
std::string phase_text(kernel::LifePhase phase, kernel::Waiting waiting);

}  // namespace perdure::node
