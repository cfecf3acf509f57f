#pragma once

/// How long a thread runs before another one of the same processor gets its turn.

namespace perdure {

/// Asks Linux for turns of half a millisecond for the calling thread, instead of about three: it
/// then also runs that much sooner when it wakes while another thread computes or copies (from
/// Linux 6.12 on; older ones do not know the wish and go on as before). Its share of the processor
/// stays the same.
void ask_for_short_turns();

}  // namespace perdure
