#pragma once

#include <cstdint>

#include "kernel/guest.h"
#include "kernel/mailbox.h"

namespace perdure::kernel {

/// The kernel's named limits with their defaults; docs/how-to/settings.md lists them for operators.
struct KernelLimits {
    MailboxLimits mailbox;
    std::uint64_t outstanding_max =
        100'000;  ///< Requests of one process without an outcome (K-263).
    std::uint64_t message_body_bytes_max = 1ULL << 30;    ///< K-50
    std::uint64_t message_blob_bytes_max = 1ULL << 30;    ///< K-50
    std::uint64_t state_bytes_max = 1ULL << 30;           ///< K-182
    std::uint64_t component_bytes_max = 64ULL << 20;      ///< Code that comes with a command.
    std::uint64_t process_memory_bytes_max = 1ULL << 30;  ///< K-232
    std::uint64_t exit_requests_waiting_max =
        1000;  ///< Exit requests taken above a mailbox's bound (K-264).
    std::uint64_t error_output_bytes_kept =
        5000;  ///< Of a guest's error stream, for its crash report (K-227).
    std::uint64_t denials_logged_max =
        10'000;  ///< Pairs whose denial is logged; later ones are only counted.
    std::uint64_t refusal_targets_max =
        10'000;  ///< Full mailboxes of which it is known when they were logged last (K-83).
    std::uint32_t guest_clock_resolution_us = 1000;  ///< K-224
};

}  // namespace perdure::kernel
