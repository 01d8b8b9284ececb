#include "turn/byte_budget.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace turnpike::turn {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

const Instant start{seconds{1000}};

static_assert(sizeof(ByteBudget) <= 24, "it sits in every allocation");

TEST(ByteBudget, WithoutALimitLetsEverythingPass) {
  ByteBudget budget{0};
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(budget.take(65535, start));
}

TEST(ByteBudget, LetsABurstOfOneSecondPassAndNotAByteMore) {
  ByteBudget budget{10'000};
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.take(1000, start)) << i;
  EXPECT_FALSE(budget.take(1, start));
}

TEST(ByteBudget, EarnsItsRateAsTimePasses) {
  ByteBudget budget{10'000};
  ASSERT_TRUE(budget.take(10'000, start));
  EXPECT_FALSE(budget.take(1000, start + milliseconds{100} - nanoseconds{1}));
  EXPECT_TRUE(budget.take(1000, start + milliseconds{100}));
  EXPECT_FALSE(budget.take(1000, start + milliseconds{100}));
}

TEST(ByteBudget, SavesNoMoreThanOneSecond) {
  ByteBudget budget{10'000};
  ASSERT_TRUE(budget.take(1, start));
  const Instant much_later = start + std::chrono::hours{24};
  EXPECT_TRUE(budget.take(10'000, much_later));
  EXPECT_FALSE(budget.take(1, much_later));
}

TEST(ByteBudget, WhatIsDroppedCostsNothing) {
  ByteBudget budget{10'000};
  ASSERT_TRUE(budget.take(9'500, start));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(budget.take(1000, start));
  EXPECT_TRUE(budget.take(500, start));
}

TEST(ByteBudget, ADatagramLargerThanASecondPassesWhenNothingIsOwed) {
  ByteBudget budget{100};
  EXPECT_TRUE(budget.take(1000, start));
  EXPECT_FALSE(budget.take(1000, start));
  EXPECT_FALSE(budget.take(1000, start + seconds{10} - nanoseconds{1}));
  EXPECT_TRUE(budget.take(1000, start + seconds{10}));
}

TEST(ByteBudget, CostsSomethingAtAnyRate) {
  constexpr std::uint64_t rate = 100'000'000'000;  // more than a byte per nanosecond
  ByteBudget budget{rate};
  std::uint64_t passed = 0;
  while (budget.take(65535, start)) passed += 65535;
  EXPECT_LE(passed, rate);
  EXPECT_GE(passed, rate * 9 / 10);
  EXPECT_TRUE(ByteBudget{UINT64_MAX}.take(65535, start));
  EXPECT_TRUE(ByteBudget{1}.take(SIZE_MAX, start));
}

TEST(ByteBudget, OverAnyTimeLetsNoMorePassThanRateAndBurst) {
  SeededRandom random{7};
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t rate = 5'000 + random.below(1'000'000);
    ByteBudget budget{rate};
    Instant now = start;
    std::uint64_t passed = 0;
    for (int i = 0; i < 2000; ++i) {
      now += nanoseconds{random.below(5'000'000)};
      const std::size_t size = 1 + random.below(1500);
      if (budget.take(size, now)) passed += size;
      const double elapsed = std::chrono::duration<double>(now - start).count();
      ASSERT_LE(static_cast<double>(passed), static_cast<double>(rate) * (1 + elapsed)) << rate;
    }
  }
}

TEST(ByteBudget, AtFullDemandLetsItsRatePass) {
  ByteBudget budget{125'000};
  std::uint64_t passed = 0;
  for (Instant now = start; now < start + seconds{10}; now += milliseconds{1})
    if (budget.take(200, now)) passed += 200;
  EXPECT_NEAR(static_cast<double>(passed), 125'000 * 11, 2000);
}

}  // namespace
}  // namespace turnpike::turn
