#include "base/address.hpp"

#include <gtest/gtest.h>

#include <unordered_set>

#include "base/native_address.hpp"

namespace turnpike {
namespace {

IpAddress ip(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(IpAddress{});
}

IpPrefix prefix(std::string_view text) {
  const auto parsed = IpPrefix::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(IpPrefix{});
}

TEST(IpAddress, ReadsWhatItPrints) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1",
                           "fe80::1:2:3:4", "::ffff:192.0.2.1"})
    EXPECT_EQ(ip(text).to_string(), text);
}

TEST(IpAddress, PrintsIpv6AsRfc5952Says) {
  EXPECT_EQ(ip("2001:0DB8:0:0:0:0:0:0A").to_string(), "2001:db8::a");
  EXPECT_EQ(ip("2001:db8:0:0:1:0:0:1").to_string(), "2001:db8::1:0:0:1");
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "[::1]",
                           "fe80::1%eth0", ":::", "2001:db8::g", "1:2:3:4:5:6:7:8:9", "localhost",
                           "2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  EXPECT_FALSE(IpAddress::parse(std::string_view{"1.2.3.4\0x", 9}));
}

TEST(IpAddress, HoldsItsBytesInNetworkOrder) {
  EXPECT_EQ(to_hex(ip("192.0.2.1").bytes()), "c0000201");
  EXPECT_EQ(to_hex(ip("2001:db8::1").bytes()), "20010db8000000000000000000000001");
  EXPECT_EQ(ip("192.0.2.1"), IpAddress::v4({192, 0, 2, 1}));
  EXPECT_EQ(ip("192.0.2.1").family(), AddressFamily::ipv4);
  EXPECT_EQ(ip("::").family(), AddressFamily::ipv6);
}

TEST(IpAddress, IsNotTheSameInTheOtherFamily) {
  EXPECT_NE(ip("0.0.0.0"), ip("::"));
  EXPECT_TRUE(ip("0.0.0.0").is_unspecified());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_FALSE(ip("::1").is_unspecified());
}

TEST(IpAddress, StandsForTheMappedAddressInItsCanonicalForm) {
  EXPECT_EQ(ip("::ffff:192.0.2.1").canonical(), ip("192.0.2.1"));
  EXPECT_EQ(ip("192.0.2.1").canonical(), ip("192.0.2.1"));
  for (const char* text : {"::192.0.2.1", "::fffe:c000:201", "64:ff9b::c000:201", "2001:db8::1"})
    EXPECT_EQ(ip(text).canonical(), ip(text));
}

TEST(SocketAddress, ReadsWhatItPrints) {
  for (const char* text : {"192.0.2.1:3478", "[2001:db8::1]:3478", "[::]:0", "0.0.0.0:65535"}) {
    const auto address = SocketAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(SocketAddress, RefusesWhatIsNoAddressWithAPort) {
  for (const char* text : {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
                           "192.0.2.1:+1", "192.0.2.1:1x", "[192.0.2.1]:1", "2001:db8::1:3478",
                           "[2001:db8::1]", "[2001:db8::1:3478", "2001:db8::1]:3478", ":3478", "[]:1"})
    EXPECT_FALSE(SocketAddress::parse(text)) << text;
}

TEST(SocketAddress, SurvivesTheKernelsForm) {
  for (const char* text : {"192.0.2.1:3478", "[2001:db8::1]:3478"}) {
    const SocketAddress address = *SocketAddress::parse(text);
    EXPECT_EQ(NativeAddress{address}.to_address(), address);
  }
  NativeAddress other;
  other.any.sa_family = AF_UNIX;
  EXPECT_FALSE(other.to_address());
}

TEST(IpPrefix, ContainsTheAddressesThatShareItsBits) {
  EXPECT_TRUE(prefix("192.0.2.0/24").contains(ip("192.0.2.255")));
  EXPECT_FALSE(prefix("192.0.2.0/24").contains(ip("192.0.3.0")));
  EXPECT_TRUE(prefix("100.64.0.0/10").contains(ip("100.127.255.255")));
  EXPECT_FALSE(prefix("100.64.0.0/10").contains(ip("100.128.0.0")));
  EXPECT_TRUE(prefix("2001:db8::/33").contains(ip("2001:db8:7fff::1")));
  EXPECT_FALSE(prefix("2001:db8::/33").contains(ip("2001:db8:8000::1")));
}

TEST(IpPrefix, OfLengthZeroContainsItsWholeFamilyAndNothingElse) {
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(ip("255.1.2.3")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(ip("::1")));
  EXPECT_TRUE(prefix("::/0").contains(ip("ffff::1")));
}

TEST(IpPrefix, WithoutALengthIsOneAddress) {
  EXPECT_EQ(prefix("192.0.2.1").to_string(), "192.0.2.1/32");
  EXPECT_EQ(prefix("2001:db8::1").to_string(), "2001:db8::1/128");
  EXPECT_TRUE(prefix("192.0.2.1").contains(ip("192.0.2.1")));
  EXPECT_FALSE(prefix("192.0.2.1").contains(ip("192.0.2.0")));
}

TEST(IpPrefix, RefusesWhatIsNoPrefix) {
  for (const char* text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "10/8"})
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
}

TEST(AddressHash, DependsOnEveryPartAndOnItsKey) {
  std::unordered_set<std::size_t> hashes;
  for (const std::uint64_t key : {0U, 1U})
    for (const char* text :
         {"192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1", "[::]:1", "[::1]:1", "[1::]:1", "0.0.0.0:1"})
      hashes.insert(AddressHash{key}(*SocketAddress::parse(text)));
  EXPECT_EQ(hashes.size(), 14U);
  EXPECT_EQ(AddressHash{7}(ip("192.0.2.1")), AddressHash{7}(ip("192.0.2.1")));
}

TEST(AddressHash, SpreadsNeighboursOverTheLowBits) {
  std::unordered_set<std::size_t> buckets;
  for (std::uint16_t port = 0; port < 4096; ++port)
    buckets.insert(AddressHash{1}({ip("192.0.2.1"), port}) % 4096);
  EXPECT_GT(buckets.size(), 2400U);  // a random function fills about 63 %
}

}  // namespace
}  // namespace turnpike
