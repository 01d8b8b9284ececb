#pragma once
// Points in time and durations as a person reads them.

#include <chrono>
#include <string>

#include "base/time.hpp"

namespace turnpike::program {

std::string format_time(WallTime at);  // "2026-11-24T16:02:19Z", "never" for the last moment
std::string format_duration(std::chrono::seconds duration);  // "45 s", "10 min", "2 h 5 min", "3 d 4 h"
// "in 10 min", "2 h ago", "now".
std::string format_distance(WallTime at, WallTime wall);

}  // namespace turnpike::program
