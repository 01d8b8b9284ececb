// swarm --seed N [--steps M] [--seeds K] [--verbose]
//
// Runs K random worlds from seed N on, each of M steps, and prints what the model objects to, with the
// command that repeats it. Exit status: 0 when there is nothing, 1 when there is something, 2 for a wrong
// command line.

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>

#include "sim/random_world.hpp"

namespace turnpike::sim {
namespace {

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  std::uint32_t steps = RandomWorld{}.steps;
  bool is_verbose = false;
};

template <typename Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
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
                               (name == "--steps" && parse(value, options.steps));
    if (!is_understood) return std::nullopt;
  }
  return options;
}

void add(Model::Tally& sum, const Model::Tally& tally) {
  sum.allocations += tally.allocations;
  sum.refusals += tally.refusals;
  sum.to_peers += tally.to_peers;
  sum.to_clients += tally.to_clients;
  sum.dropped += tally.dropped;
  sum.challenges += tally.challenges;
}

int run_all(const Options& options) {
  Model::Tally sum;
  std::uint64_t failed = 0;
  std::uint64_t hash = 0;
  for (std::uint64_t seed = options.seed; seed < options.seed + options.seeds; ++seed) {
    RandomWorld world{.seed = seed, .steps = options.steps};
    if (options.is_verbose) world.reader = [](std::string_view line) { fmt::print("{}\n", line); };
    const WorldOutcome outcome = run(world);
    add(sum, outcome.tally);
    hash = hash * 31 + outcome.journal_hash;
    if (outcome.violations.empty()) continue;
    ++failed;
    for (const std::string& violation : outcome.violations) fmt::print("seed {}: {}\n", seed, violation);
    fmt::print("repeat it with: swarm --seed {} --steps {} --verbose\n", seed, options.steps);
    (void)std::fflush(stdout);  // a long run may be ended before its end
  }
  fmt::print(
      "{} worlds, {} with violations; {} allocations, {} refusals ({} challenges), {} packets to peers, "
      "{} to clients, {} dropped; journal {:016x}\n",
      options.seeds, failed, sum.allocations, sum.refusals, sum.challenges, sum.to_peers, sum.to_clients,
      sum.dropped, hash);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace turnpike::sim

int main(int count, char** arguments) {
  const auto options = turnpike::sim::parse_options(count, arguments);
  if (!options) {
    fmt::print(stderr, "usage: swarm --seed N [--steps M] [--seeds K] [--verbose]\n");
    return 2;
  }
  return turnpike::sim::run_all(*options);
}
