#include "sim/random_world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

namespace turnpike::sim {
namespace {

TEST(RandomWorld, OneSeedIsOneWorldByteForByte) {
  for (const std::uint64_t seed : {1U, 2U, 77U}) {
    const WorldOutcome first = run({.seed = seed});
    const WorldOutcome again = run({.seed = seed});
    EXPECT_EQ(first.journal_hash, again.journal_hash) << seed;
    EXPECT_EQ(first.journal_lines, again.journal_lines) << seed;
    EXPECT_GT(first.journal_lines, 100U);
  }
}

TEST(RandomWorld, AnotherSeedIsAnotherWorld) {
  EXPECT_NE(run({.seed = 1}).journal_hash, run({.seed = 2}).journal_hash);
}

TEST(RandomWorld, AReaderChangesNothing) {
  std::uint64_t lines = 0;
  const WorldOutcome read = run({.seed = 5, .reader = [&](std::string_view) { ++lines; }});
  EXPECT_EQ(read.journal_hash, run({.seed = 5}).journal_hash);
  EXPECT_EQ(lines, read.journal_lines);
}

// Otherwise a swarm without violations would say nothing.
TEST(RandomWorld, MuchHappensInIt) {
  Model::Tally sum;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) sum += run({.seed = seed}).tally;
  EXPECT_GT(sum.allocations, 100U);
  EXPECT_GT(sum.refusals, 500U);
  EXPECT_GT(sum.to_peers, 100U);
  EXPECT_GT(sum.to_clients, 100U);
  EXPECT_GT(sum.dropped, 50U);
}

// --- the swarm can fail -----------------------------------------------------------------------------------

struct PlantedFault {
  Fault fault;
  std::string_view name;
  std::string_view objection;  // part of what the model says
};

class PlantedFaults : public testing::TestWithParam<PlantedFault> {};
INSTANTIATE_TEST_SUITE_P(
    Each, PlantedFaults,
    testing::Values(PlantedFault{Fault::forgets_revocations, "forgets_revocations", "without an allocation"},
                    PlantedFault{Fault::ignores_permissions, "ignores_permissions", "without a permission"},
                    PlantedFault{Fault::signs_wrongly, "signs_wrongly", "does not prove itself"},
                    PlantedFault{Fault::ignores_quotas, "ignores_quotas", "allocations of"},
                    PlantedFault{Fault::shares_ports, "shares_ports", "share the port"},
                    PlantedFault{Fault::keeps_ports, "keeps_ports", "came back"},
                    PlantedFault{Fault::answers_everybody, "answers_everybody", "without a credential"},
                    PlantedFault{Fault::drops_packets, "drops_packets", "must be relayed was dropped"},
                    PlantedFault{Fault::alters_packets, "alters_packets", "something else"}),
    [](const auto& planted) { return std::string{planted.param.name}; });

TEST_P(PlantedFaults, AreFoundWithinTwentyWorlds) {
  bool is_found = false;
  for (std::uint64_t seed = 1; seed <= 20 && !is_found; ++seed) {
    const WorldOutcome outcome = run({.seed = seed, .fault = GetParam().fault});
    is_found = std::ranges::any_of(outcome.violations, [](const std::string& violation) {
      return violation.find(GetParam().objection) != std::string::npos;
    });
  }
  EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace turnpike::sim
