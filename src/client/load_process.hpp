#pragma once
// What a process has used so far, as the kernel tells it: for the difference between two moments.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::client {

struct ProcessUsage {
  std::chrono::nanoseconds cpu{};       // all threads, ended ones too; the scheduler's own count
  std::chrono::nanoseconds user_cpu{};  // utime and stime come from the timer tick: true over seconds only
  std::chrono::nanoseconds system_cpu{};
  std::uint64_t resident_bytes = 0;
};

// The error is one line, for a process that is not there.
std::expected<ProcessUsage, std::string> measure_process(pid_t pid);
std::chrono::nanoseconds measure_own_cpu();

// The words of /proc/PID/stat and of statm; nothing when they are not as proc(5) says.
struct StatTimes {
  std::uint64_t user_ticks = 0, system_ticks = 0;
};
std::optional<StatTimes> parse_stat(std::string_view text);
std::optional<std::uint64_t> parse_statm_resident_pages(std::string_view text);

}  // namespace turnpike::client
