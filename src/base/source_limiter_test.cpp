#include "base/source_limiter.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/random.hpp"

namespace turnpike {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t key = 0x1234'5678'9abc'def0;
const Instant start{seconds{1000}};

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }
IpAddress nth_v4(std::uint32_t n) {
  std::array<Byte, 4> bytes{};
  store_big(bytes.data(), n);
  return IpAddress::v4(bytes);
}

int count_admitted(SourceLimiter& limiter, const IpAddress& source, Instant now, int attempts) {
  int admitted = 0;
  for (int i = 0; i < attempts; ++i) admitted += limiter.admit(source, now) ? 1 : 0;
  return admitted;
}

TEST(SourceLimiter, AdmitsABurstOfOneSecond) {
  for (const std::uint32_t rate : {1U, 3U, 7U, 50U, 1000U}) {
    SourceLimiter limiter{rate, key};
    EXPECT_EQ(count_admitted(limiter, ip("192.0.2.1"), start, 2000), static_cast<int>(rate));
  }
}

TEST(SourceLimiter, AdmitsNobodyAtRateZero) {
  SourceLimiter limiter{0, key};
  EXPECT_FALSE(limiter.admit(ip("192.0.2.1"), start));
  EXPECT_FALSE(limiter.admit(ip("192.0.2.1"), start + std::chrono::hours{1}));
}

TEST(SourceLimiter, EarnsItsRateAsTimePasses) {
  SourceLimiter limiter{10, key};
  ASSERT_EQ(count_admitted(limiter, ip("192.0.2.1"), start, 100), 10);
  EXPECT_EQ(count_admitted(limiter, ip("192.0.2.1"), start + milliseconds{99}, 100), 0);
  EXPECT_EQ(count_admitted(limiter, ip("192.0.2.1"), start + milliseconds{100}, 100), 1);
  EXPECT_EQ(count_admitted(limiter, ip("192.0.2.1"), start + seconds{60}, 100), 10);
}

TEST(SourceLimiter, JudgesEachSourceByItself) {
  SourceLimiter limiter{5, key};
  ASSERT_EQ(count_admitted(limiter, ip("192.0.2.1"), start, 10), 5);
  EXPECT_EQ(count_admitted(limiter, ip("192.0.2.2"), start, 10), 5);
  EXPECT_EQ(count_admitted(limiter, ip("2001:db8::1"), start, 10), 5);
}

TEST(SourceLimiter, TakesAnIpv6NetworkOf64BitsAsOneSource) {
  SourceLimiter limiter{4, key};
  EXPECT_TRUE(limiter.admit(ip("2001:db8:0:1::1"), start));
  EXPECT_TRUE(limiter.admit(ip("2001:db8:0:1::2"), start));
  EXPECT_TRUE(limiter.admit(ip("2001:db8:0:1:8000::"), start));
  EXPECT_TRUE(limiter.admit(ip("2001:db8:0:1:ffff:ffff:ffff:ffff"), start));
  EXPECT_FALSE(limiter.admit(ip("2001:db8:0:1::3"), start));
  EXPECT_TRUE(limiter.admit(ip("2001:db8:0:2::1"), start));
}

TEST(SourceLimiter, TakesAMappedAddressAsTheIpv4Address) {
  SourceLimiter limiter{2, key};
  EXPECT_TRUE(limiter.admit(ip("::ffff:192.0.2.1"), start));
  EXPECT_TRUE(limiter.admit(ip("192.0.2.1"), start));
  EXPECT_FALSE(limiter.admit(ip("::ffff:192.0.2.1"), start));
  EXPECT_TRUE(limiter.admit(ip("::ffff:192.0.2.2"), start));
}

TEST(SourceLimiter, NeverLetsASourceExceedItsRateWhateverOthersDo) {
  SeededRandom random{3};
  SourceLimiter limiter{20, key};
  int admitted = 0;
  Instant now = start;
  for (int i = 0; i < 200'000; ++i) {
    now += std::chrono::microseconds{50};
    (void)limiter.admit(nth_v4(random.next_u32()), now);
    if (limiter.admit(ip("192.0.2.1"), now)) ++admitted;
  }
  EXPECT_LE(admitted, 20 * (1 + 10));
}

TEST(SourceLimiter, AFloodOfSomeThousandSourcesSilencesFewOthers) {
  SourceLimiter limiter{10, key};
  for (std::uint32_t flooder = 0; flooder < 1000; ++flooder)
    count_admitted(limiter, nth_v4(0x0a000000 + flooder), start, 12);
  int silenced = 0;
  for (std::uint32_t n = 0; n < 1000; ++n) silenced += limiter.admit(nth_v4(0xc0000200 + n), start) ? 0 : 1;
  EXPECT_LT(silenced, 50);  // both buckets are full for about (1000 / 8192)^2 of them
}

TEST(SourceLimiter, AnswersAllSourcesTogetherAtALimitedRate) {
  SourceLimiter limiter{1, key};
  int admitted = 0;
  for (std::uint32_t n = 0; n < 100'000; ++n)
    admitted += limiter.admit(nth_v4(n * 2654435761U), start) ? 1 : 0;
  EXPECT_LE(admitted, 2 * 8192);
}

TEST(SourceLimiter, AnotherKeyPutsSourcesIntoOtherBuckets) {
  // With a rate of one, sources that share their buckets are refused: which ones depends on the key.
  std::array<std::string, 2> refused;
  for (std::size_t which = 0; which < 2; ++which) {
    SourceLimiter limiter{1, key + which};
    for (std::uint32_t n = 0; n < 20'000; ++n) refused[which] += limiter.admit(nth_v4(n), start) ? '.' : 'x';
  }
  EXPECT_NE(refused[0], refused[1]);
}

}  // namespace
}  // namespace turnpike
