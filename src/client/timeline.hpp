#pragma once
// What happened when, for a person who watches and for a report.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "client/probe.hpp"

namespace turnpike::client {

class Timeline {
 public:
  Timeline(Instant start, std::function<void(const ProbeEvent&)> on_event)
      : start_(start), on_event_(std::move(on_event)) {}

  void note(std::string message, std::string result = {});
  void add(ProbeEvent::Direction direction, std::string message, std::string result = {});
  [[nodiscard]] double elapsed_ms() const;
  std::vector<ProbeEvent> take() { return std::move(events_); }

 private:
  Instant start_;
  std::function<void(const ProbeEvent&)> on_event_;
  std::vector<ProbeEvent> events_;
};

}  // namespace turnpike::client
