#include "program/time_text.hpp"

#include <fmt/format.h>

namespace turnpike::program {

std::string format_time(WallTime at) {
  if (at == WallTime::max()) return "never";
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{seconds - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::string format_duration(std::chrono::seconds duration) {
  const auto seconds = duration.count();
  const auto two = [](auto large, const char* large_unit, auto small, const char* small_unit) {
    return small == 0 ? fmt::format("{} {}", large, large_unit)
                      : fmt::format("{} {} {} {}", large, large_unit, small, small_unit);
  };
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 3600) return two(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 86400) return two(seconds / 3600, "h", seconds % 3600 / 60, "min");
  return two(seconds / 86400, "d", seconds % 86400 / 3600, "h");
}

std::string format_distance(WallTime at, WallTime wall) {
  if (at == WallTime::max()) return "never";
  const auto seconds =
      std::chrono::floor<std::chrono::seconds>(at) - std::chrono::floor<std::chrono::seconds>(wall);
  if (seconds.count() == 0) return "now";
  return seconds.count() > 0 ? "in " + format_duration(seconds) : format_duration(-seconds) + " ago";
}

}  // namespace turnpike::program
