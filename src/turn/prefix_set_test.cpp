#include "turn/prefix_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.hpp"

namespace turnpike::turn {
namespace {

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }
PrefixSet set_of(std::initializer_list<std::string_view> texts) {
  std::vector<IpPrefix> prefixes;
  for (const auto text : texts) prefixes.push_back(*IpPrefix::parse(text));
  return PrefixSet{prefixes};
}

TEST(PrefixSet, AnEmptyOneContainsNothing) {
  EXPECT_FALSE(set_of({}).contains(ip("0.0.0.0")));
  EXPECT_FALSE(set_of({}).contains(ip("::")));
}

TEST(PrefixSet, ReachesFromTheFirstToTheLastAddress) {
  const auto set = set_of({"172.16.0.0/12", "2001:db8::/32", "192.0.2.7", "2001:db9::1"});
  EXPECT_FALSE(set.contains(ip("172.15.255.255")));
  EXPECT_TRUE(set.contains(ip("172.16.0.0")));
  EXPECT_TRUE(set.contains(ip("172.31.255.255")));
  EXPECT_FALSE(set.contains(ip("172.32.0.0")));
  EXPECT_FALSE(set.contains(ip("192.0.2.6")));
  EXPECT_TRUE(set.contains(ip("192.0.2.7")));
  EXPECT_FALSE(set.contains(ip("192.0.2.8")));
  EXPECT_FALSE(set.contains(ip("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff")));
  EXPECT_TRUE(set.contains(ip("2001:db8::")));
  EXPECT_TRUE(set.contains(ip("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")));
  EXPECT_FALSE(set.contains(ip("2001:db9::")));
  EXPECT_TRUE(set.contains(ip("2001:db9::1")));
}

TEST(PrefixSet, KeepsTheFamiliesApart) {
  EXPECT_TRUE(set_of({"0.0.0.0/0"}).contains(ip("255.255.255.255")));
  EXPECT_FALSE(set_of({"0.0.0.0/0"}).contains(ip("::1")));
  EXPECT_TRUE(set_of({"::/0"}).contains(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
  EXPECT_FALSE(set_of({"::/0"}).contains(ip("10.0.0.1")));
}

TEST(PrefixSet, TakesAMappedPrefixAsTheIpv4Prefix) {
  const auto set = set_of({"::ffff:10.0.0.0/104"});
  EXPECT_TRUE(set.contains(ip("10.255.255.255")));
  EXPECT_FALSE(set.contains(ip("11.0.0.0")));
  EXPECT_TRUE(set_of({"::ffff:0:0/96"}).contains(ip("8.8.8.8")));
  EXPECT_TRUE(set_of({"::ffff:192.0.2.1"}).contains(ip("192.0.2.1")));
}

TEST(PrefixSet, IgnoresTheBitsBehindThePrefix) {
  EXPECT_TRUE(set_of({"10.1.2.3/8"}).contains(ip("10.0.0.0")));
  EXPECT_TRUE(set_of({"2001:db8::1/64"}).contains(ip("2001:db8::")));
}

TEST(PrefixSet, AgreesWithThePrefixesOneByOne) {
  SeededRandom random{11};
  const auto draw_address = [&] {
    std::array<Byte, 16> bytes{};
    // Few distinct values, so that prefixes overlap, touch and nest.
    for (Byte& byte : bytes) byte = static_cast<Byte>(random.below(3) * 127);
    return random.below(2) == 0 ? IpAddress::v6(bytes)
                                : IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<IpPrefix> prefixes;
    for (std::uint32_t count = random.below(12); count > 0; --count) {
      const IpAddress base = draw_address();
      prefixes.push_back({base, static_cast<std::uint8_t>(random.below(base.is_v4() ? 33 : 129))});
    }
    const PrefixSet set{prefixes};
    for (int i = 0; i < 100; ++i) {
      const IpAddress address = draw_address();
      const bool expected = std::any_of(prefixes.begin(), prefixes.end(),
                                        [&](const IpPrefix& prefix) { return prefix.contains(address); });
      ASSERT_EQ(set.contains(address), expected) << address.to_string();
    }
  }
}

}  // namespace
}  // namespace turnpike::turn
