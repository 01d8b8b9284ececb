#pragma once
// One deadline per owner in a binary heap that knows where each owner stands: the next deadline is read at
// once, and moving one costs the logarithm of how many there are. Equal deadlines come in an order that
// depends on nothing but the calls made.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace turnpike::turn {

// What has a deadline derives from it. Stays where it is in memory as long as it is queued.
struct Timed {
  static constexpr std::uint32_t unqueued = UINT32_MAX;
  std::uint32_t timer_position = unqueued;  // the queue's own
};

class TimerQueue {
 public:
  void set(Timed& owner, Instant at);  // replaces the deadline that it had
  void remove(Timed& owner);           // which may have none
  [[nodiscard]] std::optional<Instant> next() const;
  // The owner of the first deadline at or before `now`; it stays queued.
  [[nodiscard]] Timed* find_due(Instant now) const;
  [[nodiscard]] bool is_due(Instant now) const { return !heap_.empty() && heap_.front().at <= now; }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    Instant at;
    Timed* owner;
  };
  void place(std::size_t position, const Entry& entry);
  void rise(std::size_t position);
  void sink(std::size_t position);

  std::vector<Entry> heap_;
};

}  // namespace turnpike::turn
