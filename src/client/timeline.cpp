#include "client/timeline.hpp"

namespace turnpike::client {

void Timeline::note(std::string message, std::string result) {
  add(ProbeEvent::Direction::note, std::move(message), std::move(result));
}

void Timeline::add(ProbeEvent::Direction direction, std::string message, std::string result) {
  events_.push_back({elapsed_ms(), direction, std::move(message), std::move(result)});
  if (on_event_) on_event_(events_.back());
}

double Timeline::elapsed_ms() const {
  return std::chrono::duration<double, std::milli>(read_clocks().mono - start_).count();
}

}  // namespace turnpike::client
