#include "client/load.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "client/load_flows.hpp"
#include "client/load_process.hpp"
#include "client/load_traffic.hpp"

namespace turnpike::client {
namespace {

constexpr std::array<std::pair<LoadPattern, std::string_view>, 6> patterns{{
    {LoadPattern::allocate, "allocate"},
    {LoadPattern::churn, "churn"},
    {LoadPattern::voice, "voice"},
    {LoadPattern::video, "video"},
    {LoadPattern::flat, "flat"},
    {LoadPattern::trains, "trains"},
}};
constexpr std::array<std::pair<LoadDirection, std::string_view>, 3> directions{{
    {LoadDirection::up, "up"},
    {LoadDirection::down, "down"},
    {LoadDirection::both, "both"},
}};

template <typename Names, typename Value>
std::string_view name_in(const Names& names, Value value) {
  for (const auto& [candidate, name] : names)
    if (candidate == value) return name;
  return "";
}

template <typename Names>
auto find_in(const Names& names, std::string_view text) -> std::optional<decltype(names[0].first)> {
  for (const auto& [value, name] : names)
    if (name == text) return value;
  return std::nullopt;
}

bool has_traffic(LoadPattern pattern) {
  return pattern != LoadPattern::allocate && pattern != LoadPattern::churn;
}

std::optional<std::string> find_problem(const LoadSettings& settings) {
  if (settings.server.port == 0) return "the server needs an address and a port";
  if (settings.flows == 0) return "there must be at least one flow";
  if (settings.concurrency == 0) return "at least one set-up must be on the way";
  if (!has_traffic(settings.pattern)) return std::nullopt;
  if (settings.payload_bytes < load_payload_min || settings.payload_bytes > load_payload_max)
    return "payload bytes: found " + std::to_string(settings.payload_bytes) + ", allowed " +
           std::to_string(load_payload_min) + " to " + std::to_string(load_payload_max);
  if (settings.packets_per_frame == 0 || settings.packets_per_frame > 64)
    return "packets per frame: allowed 1 to 64";
  if (settings.segments == 0 || settings.segments > load_segments_max)
    return "segments: allowed 1 to " + std::to_string(load_segments_max);
  if (settings.segments * (settings.payload_bytes + 64) > 65'000)
    return "segments times payload bytes: a train may have at most 65000 bytes";
  if (settings.window < settings.segments) return "the window must hold at least one train";
  if (settings.packets_per_second < 0)
    return "packets per second: a rate, or 0 for as fast as they come back";
  if (settings.find_loss_free && (settings.rate_min <= 0 || settings.rate_max <= settings.rate_min))
    return "the search needs bounds: 0 < rate_min < rate_max";
  return std::nullopt;
}

// One descriptor per flow; the limit of the session is often 1024.
void raise_descriptor_limit(std::size_t flows) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = flows + 256;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_max = std::max(limit.rlim_max, wanted);
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::expected<void, std::string> pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof set, &set) == 0) return {};
  return std::unexpected("cannot run on CPU " + std::to_string(cpu));
}

std::expected<std::uint64_t, std::string> resident_bytes(const LoadSettings& settings) {
  const auto usage = measure_process(*settings.server_pid);
  if (!usage) return std::unexpected(usage.error());
  return usage->resident_bytes;
}

// The highest rate whose loss stays within bounds: doubled up to the first that loses, then bisected. A
// single step that loses is tried once more, as the machine may have been busy with something else.
std::expected<void, std::string> search_loss_free(const LoadSettings& settings, LoadFlows& flows,
                                                  LoadReport& report) {
  double clean = 0;
  double lossy = settings.rate_max;
  double rate = settings.rate_min;
  std::uint64_t run = 0;
  while (clean == 0 || (lossy - clean) / lossy > settings.rate_step) {
    bool is_clean = false;
    for (int attempt = 0; attempt < 2 && !is_clean; ++attempt) {
      auto traffic = LoadTrafficRun{settings, flows, ++run}.run(rate);
      if (!traffic) return std::unexpected(traffic.error());
      const bool is_offered = traffic->offered_per_second > 0.98 * rate;
      is_clean = traffic->loss <= settings.loss_max && is_offered;
      report.search.push_back({traffic->offered_per_second, traffic->loss, is_clean});
      if (is_clean) report.traffic = *traffic;
    }
    (is_clean ? clean : lossy) = rate;
    if (clean == 0) return {};  // not even the lowest
    rate = lossy == settings.rate_max && clean * 2 < lossy ? clean * 2 : (clean + lossy) / 2;
  }
  report.loss_free_per_second = report.traffic->offered_per_second;
  return {};
}

std::expected<void, std::string> run_traffic(const LoadSettings& settings, LoadFlows& flows,
                                             LoadReport& report) {
  if (settings.find_loss_free) return search_loss_free(settings, flows, report);
  const double streams =
      static_cast<double>(report.set_up.done) * (settings.direction == LoadDirection::both ? 2 : 1);
  auto traffic = LoadTrafficRun{settings, flows, 0}.run(settings.packets_per_second * streams);
  if (!traffic) return std::unexpected(traffic.error());
  report.traffic = *traffic;
  return {};
}

std::string explain_failures(const LoadSetUp& set_up) {
  std::string text = "no allocation could be set up";
  for (const auto& [reason, count] : set_up.failures)
    text += "; " + reason + " (" + std::to_string(count) + ")";
  return text;
}

std::expected<void, std::string> measure_memory(const LoadSettings& settings, LoadReport& report) {
  const auto allocated = resident_bytes(settings);
  if (!allocated) return std::unexpected(allocated.error());
  LoadMemory& memory = *report.memory;
  memory.allocated = *allocated;
  memory.bytes_per_allocation = (static_cast<double>(memory.allocated) - static_cast<double>(memory.before)) /
                                static_cast<double>(report.set_up.done);
  return {};
}

std::expected<LoadReport, std::string> run_checked(const LoadSettings& settings) {
  LoadReport report{.settings = settings};
  auto flows = LoadFlows::open(settings);
  if (!flows) return std::unexpected(std::move(flows.error()));
  if (settings.server_pid) {
    const auto before = resident_bytes(settings);
    if (!before) return std::unexpected(before.error());
    report.memory = LoadMemory{.before = *before};
  }
  auto set_up = settings.pattern == LoadPattern::churn ? flows->churn() : flows->set_up();
  if (!set_up) return std::unexpected(std::move(set_up.error()));
  report.set_up = std::move(*set_up);
  if (report.set_up.done == 0) return std::unexpected(explain_failures(report.set_up));
  if (report.memory)
    if (auto measured = measure_memory(settings, report); !measured) return std::unexpected(measured.error());
  if (has_traffic(settings.pattern))
    if (auto ran = run_traffic(settings, *flows, report); !ran)
      return std::unexpected(std::move(ran.error()));
  if (settings.hold.count() > 0) ::poll(nullptr, 0, static_cast<int>(settings.hold.count()));
  if (settings.delete_at_end && settings.pattern != LoadPattern::churn) report.deletion = flows->take_down();
  if (report.memory && report.deletion) {
    const auto deleted = resident_bytes(settings);
    if (deleted) report.memory->deleted = *deleted;
  }
  return report;
}

}  // namespace

std::string_view to_string(LoadPattern pattern) { return name_in(patterns, pattern); }
std::optional<LoadPattern> parse_load_pattern(std::string_view text) { return find_in(patterns, text); }
std::string_view to_string(LoadDirection direction) { return name_in(directions, direction); }
std::optional<LoadDirection> parse_load_direction(std::string_view text) { return find_in(directions, text); }

LoadSettings make_load_settings(LoadPattern pattern) {
  LoadSettings settings{.pattern = pattern};
  switch (pattern) {
    case LoadPattern::allocate:
    case LoadPattern::churn:
      settings.flows = 10'000;
      settings.peers = 1;
      break;
    case LoadPattern::voice:
      break;
    case LoadPattern::video:
      settings.flows = 50;
      settings.payload_bytes = 1100;
      settings.packets_per_second = 300;
      settings.window = 8;
      break;
    case LoadPattern::flat:
      settings.flows = 4;
      settings.payload_bytes = 1200;
      settings.packets_per_second = 0;
      settings.window = 32;
      break;
    case LoadPattern::trains:
      settings.flows = 4;
      settings.payload_bytes = 1200;
      settings.packets_per_second = 0;
      settings.segments = 50;
      settings.window = 50;
      break;
  }
  return settings;
}

std::expected<LoadReport, std::string> run_load(LoadSettings settings) {
  if (const auto problem = find_problem(settings)) return std::unexpected(*problem);
  raise_descriptor_limit(settings.flows);
  if (settings.cpu)
    if (auto pinned = pin(*settings.cpu); !pinned) return std::unexpected(pinned.error());
  return run_checked(settings);
}

}  // namespace turnpike::client
