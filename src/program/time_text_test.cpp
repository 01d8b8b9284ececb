#include "program/time_text.hpp"

#include <gtest/gtest.h>

namespace turnpike::program {
namespace {

using std::chrono::seconds;

TEST(TimeText, IsUtc) {
  EXPECT_EQ(format_time(from_unix_seconds(1'410'984'813)), "2014-09-17T20:13:33Z");
  EXPECT_EQ(format_time(WallTime{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(WallTime::max()), "never");
}

TEST(TimeText, TellsDurationsInTwoUnits) {
  EXPECT_EQ(format_duration(seconds{119}), "119 s");
  EXPECT_EQ(format_duration(seconds{120}), "2 min");
  EXPECT_EQ(format_duration(seconds{3599}), "59 min 59 s");
  EXPECT_EQ(format_duration(seconds{7500}), "2 h 5 min");
  EXPECT_EQ(format_duration(seconds{86400 * 3 + 3600 * 4}), "3 d 4 h");
}

TEST(TimeText, ReadsDaysAndMoments) {
  EXPECT_EQ(parse_time("1970-01-01"), WallTime{});
  EXPECT_EQ(parse_time("2026-11-24T16:02:19Z"), from_unix_seconds(1795536139));
  EXPECT_EQ(format_time(*parse_time("2024-02-29T23:59:59Z")), "2024-02-29T23:59:59Z");
  for (const char* text :
       {"", "2026-11-2", "2026-13-01", "2026-02-29", "2026-11-24T", "2026-11-24T16:02:19", "2026-11-24TZ",
        "2026-11-24T24:00:00Z", "2026-11-24 16:02:19Z", "1969-12-31", "9999-01-01", "+026-11-24",
        "-026-11-24", "2026-11-24T16:02:19.5Z", "yesterday", "2026-1 -24"})
    EXPECT_FALSE(parse_time(text)) << text;
}

TEST(TimeText, TellsDistances) {
  const WallTime wall = from_unix_seconds(1000);
  EXPECT_EQ(format_distance(from_unix_seconds(1060), wall), "in 60 s");
  EXPECT_EQ(format_distance(from_unix_seconds(400), wall), "10 min ago");
  EXPECT_EQ(format_distance(wall, wall), "now");
  EXPECT_EQ(format_distance(WallTime::max(), wall), "never");
}

}  // namespace
}  // namespace turnpike::program
