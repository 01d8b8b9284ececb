#include "client/load_process.hpp"

#include <unistd.h>

#include <charconv>
#include <ctime>
#include <fstream>
#include <iterator>

namespace turnpike::client {
namespace {

std::chrono::nanoseconds to_duration(const timespec& time) {
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

std::string read_all(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::optional<std::uint64_t> word_at(std::string_view text, std::size_t index) {
  for (; index > 0; --index) {
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    text.remove_prefix(space + 1);
  }
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return value;
}

std::chrono::nanoseconds from_ticks(std::uint64_t ticks) {
  const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return std::chrono::nanoseconds{ticks * (1'000'000'000 / per_second)};
}

}  // namespace

std::expected<ProcessUsage, std::string> measure_process(pid_t pid) {
  const std::string gone = "process " + std::to_string(pid) + " is not there to be measured";
  clockid_t clock{};
  timespec cpu{};
  if (::clock_getcpuclockid(pid, &clock) != 0) return std::unexpected(gone);
  if (::clock_gettime(clock, &cpu) != 0) return std::unexpected(gone);
  const std::string folder = "/proc/" + std::to_string(pid);
  const auto times = parse_stat(read_all(folder + "/stat"));
  const auto pages = parse_statm_resident_pages(read_all(folder + "/statm"));
  if (!times || !pages) return std::unexpected(gone);
  return ProcessUsage{.cpu = to_duration(cpu),
                      .user_cpu = from_ticks(times->user_ticks),
                      .system_cpu = from_ticks(times->system_ticks),
                      .resident_bytes = *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

std::chrono::nanoseconds measure_own_cpu() {
  timespec cpu{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  return to_duration(cpu);
}

std::optional<StatTimes> parse_stat(std::string_view text) {
  const auto name_end = text.rfind(')');  // the name before it may hold anything
  if (name_end == std::string_view::npos || name_end + 2 > text.size()) return std::nullopt;
  const std::string_view fields = text.substr(name_end + 2);  // from the third field on
  const auto user = word_at(fields, 11);
  const auto system = word_at(fields, 12);
  if (!user || !system) return std::nullopt;
  return StatTimes{*user, *system};
}

std::optional<std::uint64_t> parse_statm_resident_pages(std::string_view text) { return word_at(text, 1); }

}  // namespace turnpike::client
