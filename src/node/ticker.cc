#include "node/ticker.h"

#include <utility>

#include "node/thread_name.h"

namespace perdure::node {

Ticker::Ticker(std::function<void()> tick, Nanoseconds period)
    : thread_([tick = std::move(tick), period](const std::stop_token& stop) {
          name_this_thread("ticker");
          while (!stop.stop_requested()) {
              std::this_thread::sleep_for(period);
              tick();
          }
      }) {}

}  // namespace perdure::node
