#include "program/time_text.hpp"

#include <fmt/format.h>

#include <charconv>

namespace turnpike::program {
namespace {

// Digits alone, all of them.
std::optional<int> parse_number(std::string_view text, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc{} && end == text.data() + text.size() && text.front() != '-';
  return is_number && value <= max ? std::optional{value} : std::nullopt;
}

std::optional<std::chrono::seconds> parse_time_of_day(std::string_view text) {
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto hour = parse_number(text.substr(0, 2), 23), minute = parse_number(text.substr(3, 2), 59),
             second = parse_number(text.substr(6, 2), 59);
  if (!hour || !minute || !second) return std::nullopt;
  return std::chrono::hours{*hour} + std::chrono::minutes{*minute} + std::chrono::seconds{*second};
}

}  // namespace

std::optional<WallTime> parse_time(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = parse_number(text.substr(0, 4), 2200), month = parse_number(text.substr(5, 2), 12),
             day = parse_number(text.substr(8, 2), 31);
  if (!year || !month || !day || *year < 1970) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  const std::string_view rest = text.substr(10);
  if (rest.empty()) return WallTime{std::chrono::sys_days{date}.time_since_epoch()};
  if (rest.front() != 'T' || rest.back() != 'Z') return std::nullopt;
  const auto time = parse_time_of_day(rest.substr(1, rest.size() - 2));
  if (!time) return std::nullopt;
  return WallTime{std::chrono::sys_days{date}.time_since_epoch() + *time};
}

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
