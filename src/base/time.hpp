#pragma once
// The two clocks of a machine, as values. Pure code is handed a Now and never reads a clock:
// the shell reads both once per turn of its loop.

#include <chrono>
#include <cstdint>

namespace turnpike {

using Duration = std::chrono::nanoseconds;

struct MonotonicClock {  // a tag: it has no now()
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

// Time that only goes forward; its epoch means nothing.
using Instant = MonotonicClock::time_point;
// Time since 1970-01-01 UTC. Reaches from 1677 to 2262; parsers clamp what lies beyond.
using WallTime = std::chrono::sys_time<Duration>;

struct Now {
  Instant mono{};
  WallTime wall{};
};

inline std::int64_t unix_seconds(WallTime at) {
  return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
}

// Clamps to WallTime::max(), so that a date of the year 9999 stays in the future.
inline WallTime from_unix_seconds(std::uint64_t seconds) {
  constexpr auto seconds_max = std::chrono::floor<std::chrono::seconds>(WallTime::max()).time_since_epoch();
  if (seconds > static_cast<std::uint64_t>(seconds_max.count())) return WallTime::max();
  return WallTime{std::chrono::seconds{static_cast<std::int64_t>(seconds)}};
}

// For shells only: pure code receives its Now (tools/tidy.py refuses a call from there).
Now read_clocks();

}  // namespace turnpike
