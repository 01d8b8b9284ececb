#include "sim/link.hpp"

#include <gtest/gtest.h>

#include <set>

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant start{seconds{1}};

struct Outcome {
  int lost = 0, doubled = 0, overtaken = 0, bursts = 0;
  Duration longest{}, shortest = seconds{100};
};

Outcome send_many(const LinkSettings& settings, int count = 20'000) {
  Link link{settings, SeededRandom{9}};
  Outcome outcome;
  Instant latest{};
  bool was_lost = false;
  for (int i = 0; i < count; ++i) {
    const Instant now = start + milliseconds{5} * i;
    const Link::Fate fate = link.carry(now);
    const bool is_lost = fate.copies == 0;
    outcome.lost += is_lost ? 1 : 0;
    outcome.bursts += is_lost && !was_lost ? 1 : 0;
    was_lost = is_lost;
    outcome.doubled += fate.copies == 2 ? 1 : 0;
    for (std::size_t copy = 0; copy < fate.copies; ++copy) {
      outcome.longest = std::max(outcome.longest, fate.arrivals[copy] - now);
      outcome.shortest = std::min(outcome.shortest, fate.arrivals[copy] - now);
      outcome.overtaken += fate.arrivals[copy] < latest ? 1 : 0;
      latest = std::max(latest, fate.arrivals[copy]);
    }
  }
  return outcome;
}

TEST(Link, DelaysEachDatagramTheSameWithoutJitter) {
  const Outcome outcome = send_many({.delay = milliseconds{20}});
  EXPECT_EQ(outcome.shortest, milliseconds{20});
  EXPECT_EQ(outcome.longest, milliseconds{20});
  EXPECT_EQ(outcome.lost + outcome.doubled + outcome.overtaken, 0);
}

TEST(Link, JitterDelaysButDoesNotReorder) {
  const Outcome outcome = send_many({.delay = milliseconds{20}, .jitter = milliseconds{30}});
  EXPECT_GE(outcome.shortest, milliseconds{20});
  EXPECT_LE(outcome.longest, milliseconds{50});
  EXPECT_GT(outcome.longest, milliseconds{49});
  EXPECT_EQ(outcome.overtaken, 0);
}

TEST(Link, LosesSinglyInTheGoodState) {
  const Outcome outcome = send_many({.loss = 50});
  EXPECT_NEAR(outcome.lost, 1000, 150);
  EXPECT_NEAR(outcome.bursts, 950, 150);
}

TEST(Link, LosesInBurstsInTheBadState) {
  // A tenth of the time bad, for twenty datagrams at a time.
  const Outcome outcome = send_many({.loss_in_bad = 1000, .turns_bad = 6, .turns_good = 50}, 100'000);
  EXPECT_NEAR(outcome.lost, 10'700, 2500);
  EXPECT_GT(outcome.lost / outcome.bursts, 14);
}

TEST(Link, Duplicates) { EXPECT_NEAR(send_many({.duplicates = 100}).doubled, 2000, 250); }

TEST(Link, Reorders) {
  const Outcome outcome = send_many({.reorders = 100, .reorder_delay = milliseconds{12}});
  EXPECT_GT(outcome.overtaken, 1500);
  EXPECT_EQ(outcome.lost, 0);
}

TEST(Link, LosesEverythingWhenToldTo) { EXPECT_EQ(send_many({.loss = 1000}).lost, 20'000); }

}  // namespace
}  // namespace turnpike::sim
