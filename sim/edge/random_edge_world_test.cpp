#include "sim/edge/random_edge_world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace turnpike::sim {
namespace {

TEST(RandomEdgeWorld, OneSeedIsOneWorldByteForByteWhoeverReads) {
  std::uint64_t lines = 0;
  for (const std::uint64_t seed : {1U, 2U}) {
    const EdgeWorldOutcome first = run(RandomEdgeWorld{.seed = seed});
    const EdgeWorldOutcome again =
        run(RandomEdgeWorld{.seed = seed, .reader = [&](std::string_view) { ++lines; }});
    EXPECT_EQ(first.journal_hash, again.journal_hash) << seed;
  }
  EXPECT_GT(lines, 1000U);
}

// Otherwise a swarm without violations would say nothing.
TEST(RandomEdgeWorld, MuchHappensInIt) {
  EdgeModel::Tally sum;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) sum += run(RandomEdgeWorld{.seed = seed}).tally;
  EXPECT_GT(sum.registrations, 50U);
  EXPECT_GT(sum.refreshes, 50U);
  EXPECT_GT(sum.ends, 50U);
  EXPECT_GT(sum.credentials, 100U);
  EXPECT_GT(sum.pushes, 50U);
  EXPECT_GT(sum.revocations, 40U);
  EXPECT_GT(sum.refused_registers, 2U);
  EXPECT_GT(sum.ends_by_core, 5U);
  EXPECT_GT(sum.calls, 8U);
  EXPECT_GT(sum.calls_hung_up_for, 0U);
  EXPECT_GT(sum.tokens, 20U);
  EXPECT_GT(sum.revocations_undone, 5U);
  EXPECT_GT(sum.allocations, 5U);
  EXPECT_GT(sum.relay_starts, 30U);  // twenty are the first of a relay
}

// --- the swarm can fail -----------------------------------------------------------------------------------

struct PlantedEdgeFault {
  EdgeFault fault;
  std::string_view name;
  std::string_view objection;  // part of what the model says
};

class PlantedEdgeFaults : public testing::TestWithParam<PlantedEdgeFault> {};
INSTANTIATE_TEST_SUITE_P(
    Each, PlantedEdgeFaults,
    testing::Values(
        PlantedEdgeFault{EdgeFault::forgets_revocations, "forgets_revocations",
                         "whose registration has ended"},
        PlantedEdgeFault{EdgeFault::outlives_flows, "outlives_flows", "holds a registration"},
        PlantedEdgeFault{EdgeFault::gives_to_another, "gives_to_another", "two registrations have one"},
        PlantedEdgeFault{EdgeFault::tells_the_core, "tells_the_core", "speaks of Turn-Credentials"},
        PlantedEdgeFault{EdgeFault::ignores_tls, "ignores_tls", "without TLS"},
        PlantedEdgeFault{EdgeFault::hands_out_unpushed, "hands_out_unpushed", "before any relay has it"},
        PlantedEdgeFault{EdgeFault::swallows_answers, "swallows_answers", "is not answered"},
        PlantedEdgeFault{EdgeFault::revokes_briefly, "revokes_briefly", "whose registration has ended"},
        PlantedEdgeFault{EdgeFault::mixes_up_users, "mixes_up_users", "for another"},
        PlantedEdgeFault{EdgeFault::pushes_for_another, "pushes_for_another", "has the name of"},
        PlantedEdgeFault{EdgeFault::loses_reg_events, "loses_reg_events", "the core has ended"},
        PlantedEdgeFault{EdgeFault::forgets_to_hang_up, "forgets_to_hang_up", "nobody hangs up"},
        PlantedEdgeFault{EdgeFault::takes_full_for_done, "takes_full_for_done", "was told to have"}),
    [](const auto& planted) { return std::string{planted.param.name}; });

TEST_P(PlantedEdgeFaults, AreFoundWithinTwentyWorlds) {
  bool is_found = false;
  for (std::uint64_t seed = 1; seed <= 20 && !is_found; ++seed) {
    const EdgeWorldOutcome outcome = run(RandomEdgeWorld{.seed = seed, .fault = GetParam().fault});
    is_found = std::ranges::any_of(outcome.violations, [](const std::string& violation) {
      return violation.find(GetParam().objection) != std::string::npos;
    });
  }
  EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace turnpike::sim
