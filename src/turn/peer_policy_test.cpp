#include "turn/peer_policy.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/random.hpp"

namespace turnpike::turn {
namespace {

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }
SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

std::vector<IpPrefix> prefixes(std::initializer_list<std::string_view> texts) {
  std::vector<IpPrefix> parsed;
  for (const auto text : texts) parsed.push_back(*IpPrefix::parse(text));
  return parsed;
}

PeerPolicy policy(std::initializer_list<std::string_view> allow = {},
                  std::initializer_list<std::string_view> deny = {}) {
  Settings settings;
  settings.peers = {.allow = prefixes(allow), .deny = prefixes(deny)};
  return PeerPolicy{settings};
}

// A server behind a NAT on IPv4 and without one on IPv6, with a listener beside its relay addresses.
Settings server() {
  Settings settings;
  settings.listeners = {at("0.0.0.0:3478"), at("81.2.69.142:5000"), at("[2a02:db0::9]:3478"),
                        at("81.2.69.160:50007")};
  settings.relay_addresses = {{ip("10.0.0.5"), ip("81.2.69.160")}, {ip("2a02:db0::5"), ip("2a02:db0::5")}};
  settings.relay_port_min = 50000;
  settings.relay_port_max = 50100;
  return settings;
}

// Both questions; without the server's own addresses they have one answer.
bool allows(const PeerPolicy& asked, std::string_view address) {
  const bool answer = asked.allows(ip(address));
  EXPECT_EQ(answer, asked.allows(SocketAddress{ip(address), 5000})) << address;
  return answer;
}

struct Spelling {
  std::string_view name;
  std::string_view opened_by;  // empty: the address is judged as IPv4
  IpAddress (*spell)(Bytes v4);
};

IpAddress with_tail(std::array<Byte, 16> head, Bytes v4, Byte mask = 0) {
  for (std::size_t i = 0; i < 4; ++i) head[12 + i] = static_cast<Byte>(v4[i] ^ mask);
  return IpAddress::v6(head);
}
IpAddress mapped(Bytes v4) { return with_tail({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, v4); }
IpAddress compatible(Bytes v4) { return with_tail({}, v4); }
IpAddress translated(Bytes v4) { return with_tail({0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, v4); }
IpAddress nat64(Bytes v4) { return with_tail({0, 0x64, 0xff, 0x9b}, v4); }
IpAddress six_to_four(Bytes v4) {
  return IpAddress::v6({0x20, 0x02, v4[0], v4[1], v4[2], v4[3], 0, 1, 0, 0, 0, 0, 0, 0, 0, 1});
}
IpAddress teredo_server(Bytes v4) {  // of a client at 8.8.8.8
  const std::array<Byte, 4> client{8, 8, 8, 8};
  return with_tail({0x20, 0x01, 0, 0, v4[0], v4[1], v4[2], v4[3]}, client, 0xff);
}
IpAddress teredo_client(Bytes v4) {  // of the server at 65.54.227.120
  return with_tail({0x20, 0x01, 0, 0, 65, 54, 227, 120, 0x80, 0, 0x63, 0xbf}, v4, 0xff);
}
constexpr std::array spellings{
    Spelling{"mapped", "", mapped},
    Spelling{"compatible", "::/96", compatible},
    Spelling{"translated", "::ffff:0:0:0/96", translated},
    Spelling{"NAT64", "64:ff9b::/96", nat64},
    Spelling{"6to4", "2002::/16", six_to_four},
    Spelling{"Teredo server", "2001::/32", teredo_server},
    Spelling{"Teredo client", "2001::/32", teredo_client},
};

struct ClosedRange {
  std::string_view before, first, last, after;  // empty: closed as well, or beyond the end
};

TEST(PeerPolicy, ClosesEverySpecialRangeOfIpv4AndNotItsNeighbours) {
  constexpr std::array ranges{
      ClosedRange{"", "0.0.0.0", "0.255.255.255", "1.0.0.0"},
      ClosedRange{"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
      ClosedRange{"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
      ClosedRange{"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
      ClosedRange{"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
      ClosedRange{"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
      ClosedRange{"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
      ClosedRange{"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
      ClosedRange{"192.31.195.255", "192.31.196.0", "192.31.196.255", "192.31.197.0"},
      ClosedRange{"192.52.192.255", "192.52.193.0", "192.52.193.255", "192.52.194.0"},
      ClosedRange{"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
      ClosedRange{"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
      ClosedRange{"192.175.47.255", "192.175.48.0", "192.175.48.255", "192.175.49.0"},
      ClosedRange{"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
      ClosedRange{"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
      ClosedRange{"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
      ClosedRange{"223.255.255.255", "224.0.0.0", "239.255.255.255", ""},
      ClosedRange{"", "240.0.0.0", "255.255.255.255", ""},
  };
  const PeerPolicy asked = policy();
  for (const ClosedRange& range : ranges) {
    EXPECT_FALSE(allows(asked, range.first)) << range.first;
    EXPECT_FALSE(allows(asked, range.last)) << range.last;
    for (const std::string_view neighbour : {range.before, range.after}) {
      if (neighbour.empty()) continue;
      EXPECT_TRUE(allows(asked, neighbour)) << neighbour;
    }
  }
}

TEST(PeerPolicy, ClosesEverySpecialRangeOfIpv6) {
  const PeerPolicy asked = policy();
  for (const auto closed : {"::",
                            "::1",
                            "::2",
                            "::ffff:0:0",
                            "::ffff:ffff:ffff",
                            "64:ff9b::",
                            "64:ff9b::808:808",
                            "64:ff9b:1::",
                            "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
                            "100::",
                            "100::ffff:ffff:ffff:ffff",
                            "100:0:0:1::",
                            "1fff::1",
                            "2001::",
                            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                            "2001:1::1",
                            "2001:2::",
                            "2001:3::",
                            "2001:4:112::",
                            "2001:10::",
                            "2001:20::",
                            "2001:30::",
                            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                            "2001:db8::",
                            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                            "2002::",
                            "2002:808:808::1",
                            "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                            "2620:4f:8000::",
                            "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
                            "3fff::",
                            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                            "4000::",
                            "5f00::1",
                            "fbff::1",
                            "fc00::",
                            "fd12:3456::1",
                            "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                            "fe80::1",
                            "febf::1",
                            "fec0::1",
                            "ff02::1",
                            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})
    EXPECT_FALSE(allows(asked, closed)) << closed;
}

TEST(PeerPolicy, LeavesGlobalUnicastOpen) {
  const PeerPolicy asked = policy();
  for (const auto open :
       {"1.1.1.1", "8.8.8.8", "81.2.69.160", "2000::1", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::",
        "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::1", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
        "2620:4f:8001::", "2a02:db0::5", "3ffe:ffff::1", "3fff:1000::"})
    EXPECT_TRUE(allows(asked, open)) << open;
}

TEST(PeerPolicy, AnAllowEntryOpensWhatIsClosedAndNoMore) {
  const PeerPolicy asked = policy({"10.1.0.0/16", "fd00:1::/32", "127.0.0.1", "::1"});
  for (const auto open : {"10.1.0.0", "10.1.255.255", "127.0.0.1", "fd00:1::9", "::1"})
    EXPECT_TRUE(allows(asked, open)) << open;
  for (const auto closed : {"10.0.255.255", "10.2.0.0", "127.0.0.2", "fd00:2::9", "::", "::2"})
    EXPECT_FALSE(allows(asked, closed)) << closed;
}

TEST(PeerPolicy, ADenyEntryStandsAboveAnAllowEntry) {
  const PeerPolicy asked = policy({"10.0.0.0/8", "8.0.0.0/8"}, {"10.9.0.0/16", "8.8.8.8", "2a02::/16"});
  EXPECT_TRUE(allows(asked, "10.8.0.1"));
  EXPECT_FALSE(allows(asked, "10.9.0.1"));
  EXPECT_FALSE(allows(asked, "8.8.8.8"));
  EXPECT_TRUE(allows(asked, "8.8.8.9"));
  EXPECT_FALSE(allows(asked, "2a02:db0::5"));
}

TEST(PeerPolicy, TakesAMappedAddressAsTheIpv4Address) {
  const PeerPolicy asked = policy({"10.1.0.0/16"}, {"9.9.9.9"});
  for (const auto open : {"::ffff:8.8.8.8", "::ffff:10.1.2.3"}) EXPECT_TRUE(allows(asked, open)) << open;
  for (const auto closed : {"::ffff:10.2.0.1", "::ffff:127.0.0.1", "::ffff:9.9.9.9"})
    EXPECT_FALSE(allows(asked, closed)) << closed;
}

TEST(PeerPolicy, AnyPrefixMayBeWrittenInItsMappedForm) {
  const PeerPolicy asked = policy({"::ffff:10.1.0.0/112"}, {"::ffff:9.9.9.9"});
  EXPECT_TRUE(allows(asked, "10.1.2.3"));
  EXPECT_FALSE(allows(asked, "10.2.2.3"));
  EXPECT_FALSE(allows(asked, "9.9.9.9"));
}

TEST(PeerPolicy, ClosesEveryOtherSpellingUnlessItIsOpened) {
  const PeerPolicy asked = policy();
  for (const Spelling& spelling : spellings) {
    const IpAddress written = spelling.spell(ip("8.8.4.4").bytes());
    EXPECT_EQ(asked.allows(written), spelling.opened_by.empty()) << spelling.name;
    if (spelling.opened_by.empty()) continue;
    EXPECT_TRUE(policy({spelling.opened_by}).allows(written)) << spelling.name << " " << written.to_string();
  }
}

TEST(PeerPolicy, AForbiddenIpv4AddressIsForbiddenInEverySpelling) {
  for (const Spelling& spelling : spellings) {
    const std::string_view opened = spelling.opened_by.empty() ? "::/0" : spelling.opened_by;
    const PeerPolicy asked = policy({opened, "10.1.0.0/16"}, {"9.9.9.9", "10.1.2.0/24"});
    for (const auto closed : {"10.0.0.1", "127.0.0.1", "0.1.2.3", "169.254.169.254", "172.20.0.1",
                              "192.168.1.1", "224.0.0.1", "255.255.255.255", "9.9.9.9", "10.1.2.3"}) {
      const IpAddress written = spelling.spell(ip(closed).bytes());
      EXPECT_FALSE(asked.allows(written)) << spelling.name << " " << written.to_string();
      EXPECT_FALSE(asked.allows(SocketAddress{written, 5000})) << spelling.name << " " << written.to_string();
    }
    const IpAddress written = spelling.spell(ip("10.1.3.4").bytes());
    EXPECT_TRUE(asked.allows(written)) << spelling.name << " " << written.to_string();
  }
}

TEST(PeerPolicy, RefusesPortZero) {
  EXPECT_FALSE(policy().allows(at("8.8.8.8:0")));
  EXPECT_FALSE(policy().allows(at("[2a02:db0::5]:0")));
  EXPECT_TRUE(policy().allows(at("8.8.8.8:1")));
  EXPECT_TRUE(policy().allows(at("8.8.8.8:65535")));
}

TEST(PeerPolicy, OfItsOwnAddressesOnlyRelayPortsMayBePeers) {
  const PeerPolicy asked{server()};
  for (const auto own : {"81.2.69.160", "2a02:db0::5"}) {
    EXPECT_TRUE(asked.allows(ip(own)));
    for (const auto open : std::to_array<std::uint16_t>({50000, 50001, 50100}))
      EXPECT_TRUE(asked.allows(SocketAddress{ip(own), open})) << own << " " << open;
    for (const auto closed : std::to_array<std::uint16_t>({1, 22, 80, 443, 3478, 5349, 49999, 50101, 65535}))
      EXPECT_FALSE(asked.allows(SocketAddress{ip(own), closed})) << own << " " << closed;
  }
}

TEST(PeerPolicy, AListenerPortIsNoPeerEvenAmongTheRelayPorts) {
  EXPECT_FALSE(PeerPolicy{server()}.allows(at("81.2.69.160:50007")));
  EXPECT_FALSE(PeerPolicy{server()}.allows(at("[2a02:db0::5]:50007")));
  EXPECT_TRUE(PeerPolicy{server()}.allows(at("8.8.8.8:50007")));
}

TEST(PeerPolicy, AnAddressThatOnlyListensIsNoPeerAtAnyPort) {
  const PeerPolicy asked{server()};
  for (const auto own : {"81.2.69.142", "2a02:db0::9"}) {
    EXPECT_FALSE(asked.allows(ip(own))) << own;
    EXPECT_FALSE(asked.allows(SocketAddress{ip(own), 50000})) << own;
  }
}

TEST(PeerPolicy, TheServerIsClosedInEverySpellingEvenWhenAllowed) {
  Settings settings = server();
  settings.peers.allow = prefixes({"0.0.0.0/0", "::/0"});
  const PeerPolicy asked{settings};
  for (const Spelling& spelling : spellings) {
    for (const auto own : {"81.2.69.160", "10.0.0.5"}) {
      const IpAddress written = spelling.spell(ip(own).bytes());
      EXPECT_FALSE(asked.allows(SocketAddress{written, 3478})) << spelling.name << " " << own;
      EXPECT_FALSE(asked.allows(SocketAddress{written, 22})) << spelling.name << " " << own;
      EXPECT_TRUE(asked.allows(SocketAddress{written, 50000})) << spelling.name << " " << own;
    }
    EXPECT_FALSE(asked.allows(spelling.spell(ip("81.2.69.142").bytes()))) << spelling.name;
  }
}

TEST(PeerPolicy, AnOwnAddressInAClosedRangeStaysClosed) {
  const PeerPolicy asked{server()};
  EXPECT_FALSE(asked.allows(ip("10.0.0.5")));
  EXPECT_FALSE(asked.allows(at("10.0.0.5:50000")));
}

TEST(PeerPolicy, ALoopbackRelayThatIsOpenedReachesTheProgramsBesideIt) {
  Settings settings;
  settings.listeners = {at("127.0.0.1:3478"), at("[::1]:3478")};
  settings.relay_addresses = {{ip("127.0.0.1"), ip("127.0.0.1")}, {ip("::1"), ip("::1")}};
  EXPECT_FALSE(PeerPolicy{settings}.allows(at("127.0.0.1:5000")));
  settings.peers.allow = prefixes({"127.0.0.0/8", "::1/128"});
  const PeerPolicy asked{settings};
  for (const auto own : {"127.0.0.1", "::1"}) {
    EXPECT_TRUE(asked.allows(SocketAddress{ip(own), 5000})) << own;
    EXPECT_TRUE(asked.allows(SocketAddress{ip(own), 50000})) << own;
    EXPECT_FALSE(asked.allows(SocketAddress{ip(own), 3478})) << own;
  }
}

TEST(PeerPolicy, NoSpellingOfAnyAddressOpensMoreThanTheAddress) {
  SeededRandom random{5};
  const std::vector<IpPrefix> everything_v6 = prefixes({"::/0"});
  Settings settings;
  settings.peers.allow = everything_v6;
  const PeerPolicy asked{settings};
  for (int i = 0; i < 50'000; ++i) {
    const auto bytes = random.draw<4>();
    const bool is_allowed = asked.allows(IpAddress::v4(bytes));
    for (const Spelling& spelling : spellings) {
      const IpAddress written = spelling.spell(bytes);
      ASSERT_EQ(asked.allows(written), is_allowed) << written.to_string();
    }
  }
}

}  // namespace
}  // namespace turnpike::turn
