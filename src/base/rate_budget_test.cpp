#include "base/rate_budget.hpp"

#include <gtest/gtest.h>

namespace turnpike {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1000s};

TEST(RateBudget, IsSpentAndComesBack) {
  RateBudget budget{3, 1h};
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(budget.left("alice", start), 3 - i);
    EXPECT_TRUE(budget.spend("alice", start));
  }
  EXPECT_EQ(budget.left("alice", start), 0U);
  EXPECT_EQ(budget.left("alice", start + 20min - 1ns), 0U);
  EXPECT_EQ(budget.left("alice", start + 50min), 2U);
  EXPECT_EQ(budget.left("alice", start + 9h), 3U);
  EXPECT_FALSE(budget.spend("alice", start));
  EXPECT_EQ(budget.left("bob", start), 3U);
  EXPECT_TRUE(budget.spend("bob", start)) << "each name has its own";
  EXPECT_FALSE(budget.spend("alice", start + 20min - 1ns));
  EXPECT_TRUE(budget.spend("alice", start + 20min));
  EXPECT_FALSE(budget.spend("alice", start + 20min));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.spend("alice", start + 3h));
  EXPECT_FALSE(budget.spend("alice", start + 3h)) << "rest is not saved up";
}

TEST(RateBudget, OfNoneIsNeverSpent) {
  RateBudget budget{0, 1h};
  EXPECT_EQ(budget.left("alice", start), 0U);
  EXPECT_FALSE(budget.spend("alice", start));
}

TEST(RateBudget, ForgetsWhoIsQuiet) {
  RateBudget budget{60, 1h};
  Instant now = start;
  for (int i = 0; i < 100'000; ++i) {
    EXPECT_TRUE(budget.spend(std::to_string(i), now));
    now += 100ms;  // full again after a minute: 600 of them are not
  }
  EXPECT_LE(budget.size(), 2048U);
}

}  // namespace
}  // namespace turnpike
