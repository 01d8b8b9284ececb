// swarm --seed N [--steps M] [--seeds K] [--world relay|edge] [--verbose]
//
// Runs K random worlds from seed N on, each of M steps, and prints what the model objects to, the journal up
// to the first objection, and the command that repeats it. Exit status: 0 when there is nothing, 1 when there
// is something, 2 for a wrong command line.

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "sim/edge/random_edge_world.hpp"
#include "sim/random_world.hpp"

namespace turnpike::sim {
namespace {

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  std::uint32_t steps = 0;  // as many as such a world has by itself
  bool is_of_edges = false;
  bool is_verbose = false;
};

template <typename Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse(std::string_view text, bool& is_of_edges) {
  is_of_edges = text == "edge";
  return is_of_edges || text == "relay";
}

std::optional<Options> parse_options(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--verbose") {
      options.is_verbose = true;
      continue;
    }
    if (++i == count) return std::nullopt;
    const std::string_view value = arguments[i];
    const bool is_understood = (name == "--seed" && parse(value, options.seed)) ||
                               (name == "--seeds" && parse(value, options.seeds)) ||
                               (name == "--steps" && parse(value, options.steps)) ||
                               (name == "--world" && parse(value, options.is_of_edges));
    if (!is_understood) return std::nullopt;
  }
  return options;
}

std::string describe(const Model::Tally& sum) {
  return fmt::format(
      "{} allocations, {} refusals ({} challenges), {} packets to peers, {} to clients, {} dropped",
      sum.allocations, sum.refusals, sum.challenges, sum.to_peers, sum.to_clients, sum.dropped);
}

std::string describe(const EdgeModel::Tally& sum) {
  return fmt::format(
      "{} registrations, {} refreshed, {} ended, {} by the core; {} credentials, {} pushed, {} revocations, "
      "{} allocations, {} answers, {} calls, {} hung up for a WIC that was gone, "
      "{} times a relay was asked for what has ended",
      sum.registrations, sum.refreshes, sum.ends, sum.ends_by_core, sum.credentials, sum.pushes,
      sum.revocations, sum.allocations, sum.answers, sum.calls, sum.calls_hung_up_for,
      sum.refusals_at_relays);
}

// The same again, with ears: the lines before the first objection.
template <typename World>
void print_journal(World world) {
  constexpr std::size_t lines_max = 60;
  std::deque<std::string> lines;
  bool is_over = false;
  world.reader = [&](std::string_view line) {
    if (is_over) return;
    lines.emplace_back(line);
    if (lines.size() > lines_max) lines.pop_front();
    is_over = line.find("VIOLATION") != std::string_view::npos;
  };
  (void)run(world);
  for (const std::string& line : lines) fmt::print("  {}\n", line);
}

template <typename World, typename Tally>
int run_all(const Options& options) {
  Tally sum;
  std::uint64_t failed = 0;
  std::uint64_t hash = 0;
  for (std::uint64_t seed = options.seed; seed < options.seed + options.seeds; ++seed) {
    World world;
    world.seed = seed;
    if (options.steps > 0) world.steps = options.steps;
    if (options.is_verbose) world.reader = [](std::string_view line) { fmt::print("{}\n", line); };
    const auto outcome = run(world);
    sum += outcome.tally;
    hash = hash * 31 + outcome.journal_hash;
    if (outcome.violations.empty()) continue;
    ++failed;
    for (const std::string& violation : outcome.violations) fmt::print("seed {}: {}\n", seed, violation);
    if (!options.is_verbose) print_journal(world);
    fmt::print("repeat it with: swarm --world {} --seed {} --steps {} --verbose\n",
               options.is_of_edges ? "edge" : "relay", seed, world.steps);
    (void)std::fflush(stdout);  // a long run may be ended before its end
  }
  fmt::print("{} worlds, {} with violations; {}; journal {:016x}\n", options.seeds, failed, describe(sum),
             hash);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace turnpike::sim

int main(int count, char** arguments) {
  const auto options = turnpike::sim::parse_options(count, arguments);
  if (!options) {
    fmt::print(stderr, "usage: swarm --seed N [--steps M] [--seeds K] [--world relay|edge] [--verbose]\n");
    return 2;
  }
  using namespace turnpike::sim;
  return options->is_of_edges ? run_all<RandomEdgeWorld, EdgeModel::Tally>(*options)
                              : run_all<RandomWorld, Model::Tally>(*options);
}
