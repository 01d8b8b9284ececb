#pragma once
// Points in time and durations as a person reads them.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace turnpike::program {

std::string format_time(WallTime at);  // "2026-11-24T16:02:19Z", "never" for the last moment
// A day or a moment of UTC: "2026-11-24", "2026-11-24T16:02:19Z"; nothing where it is none.
std::optional<WallTime> parse_time(std::string_view text);
std::string format_duration(std::chrono::seconds duration);  // "45 s", "10 min", "2 h 5 min", "3 d 4 h"
// "in 10 min", "2 h ago", "now".
std::string format_distance(WallTime at, WallTime wall);

}  // namespace turnpike::program
