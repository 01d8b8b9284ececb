#include "base/time.hpp"

#include <gtest/gtest.h>

namespace turnpike {
namespace {

using namespace std::chrono_literals;

TEST(WallTime, IsCountedInSecondsSince1970) {
  EXPECT_EQ(unix_seconds(WallTime{}), 0);
  EXPECT_EQ(unix_seconds(from_unix_seconds(1700000000)), 1700000000);
  EXPECT_EQ(unix_seconds(from_unix_seconds(1700000000) + 999ms), 1700000000);
  EXPECT_EQ(unix_seconds(WallTime{} - 1ns), -1);
}

TEST(WallTime, DoesNotEndIn2038) { EXPECT_EQ(unix_seconds(from_unix_seconds(1ULL << 32)), 1LL << 32); }

TEST(WallTime, StaysInTheFutureForADateThatItCannotHold) {
  EXPECT_EQ(from_unix_seconds(253402300799), WallTime::max());  // the last second of the year 9999
  EXPECT_EQ(from_unix_seconds(UINT64_MAX), WallTime::max());
}

TEST(Clocks, GoForward) {
  const Now before = read_clocks();
  const Now after = read_clocks();
  EXPECT_LE(before.mono, after.mono);
  EXPECT_GT(unix_seconds(after.wall), 1700000000);
}

}  // namespace
}  // namespace turnpike
