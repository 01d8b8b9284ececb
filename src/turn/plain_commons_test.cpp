#include "turn/plain_commons.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

namespace turnpike::turn {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

const IpAddress relay = IpAddress::v4({192, 0, 2, 10});
const IpAddress relay6 = *IpAddress::parse("2001:db8::10");
const IpAddress alice_source = IpAddress::v4({198, 51, 100, 1});
const IpAddress bob_source = IpAddress::v4({198, 51, 100, 2});

Settings settings_of(std::uint16_t port_min, std::uint16_t port_max) {
  Settings settings;
  settings.relay_addresses = {{relay, relay}, {relay6, relay6}};
  settings.relay_port_min = port_min;
  settings.relay_port_max = port_max;
  return settings;
}

class CommonsTest : public testing::Test {
 public:
  static Now at(Duration since_start) { return {Instant{seconds{100}} + since_start, {}}; }
  SeededRandom random{42};
  const Now now = at(seconds{0});
};
using PortPool = CommonsTest;
using Reservations = CommonsTest;
using Quotas = CommonsTest;

using Ports = PlainCommons::PortCounts;

// --- ports ------------------------------------------------------------------------------------------------

TEST_F(PortPool, GivesEveryPortOfTheRangeOnceAndThenNothing) {
  PlainCommons commons{settings_of(50000, 50099), random};
  std::set<std::uint16_t> given;
  for (int i = 0; i < 100; ++i) {
    const auto taken = commons.take_port(relay, PortParity::any, now);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->ip, relay);
    EXPECT_TRUE(given.insert(taken->port).second);
  }
  EXPECT_EQ(*given.begin(), 50000);
  EXPECT_EQ(*given.rbegin(), 50099);
  EXPECT_FALSE(commons.take_port(relay, PortParity::any, now));
  EXPECT_TRUE(commons.take_port(relay6, PortParity::any, now)) << "addresses have ports of their own";
}

TEST_F(PortPool, GivesNoPortThatAPeerInABrowserCouldNotReach) {
  PlainCommons commons{settings_of(6664, 6670), random};
  std::set<std::uint16_t> given;
  while (const auto port = commons.take_port(relay, PortParity::any, now)) given.insert(port->port);
  EXPECT_EQ(given, (std::set<std::uint16_t>{6664, 6670}));
  EXPECT_FALSE(commons.take_port(relay6, PortParity::even_with_next_free, now));
  for (const std::uint16_t port : given) commons.return_port({relay, port}, now);
  EXPECT_EQ(commons.count_ports(relay, at(seconds{1000})).free, 2U);
}

TEST_F(PortPool, KnowsNoPortOfAnotherAddress) {
  PlainCommons commons{settings_of(50000, 50099), random};
  EXPECT_FALSE(commons.take_port(bob_source, PortParity::any, now));
}

TEST_F(PortPool, AReturnedPortRestsForTheReuseDelay) {
  PlainCommons commons{settings_of(50000, 50000), random};
  const auto port = commons.take_port(relay, PortParity::any, now);
  ASSERT_TRUE(port);
  commons.return_port(*port, at(seconds{7}));
  EXPECT_FALSE(commons.take_port(relay, PortParity::any, at(seconds{127} - nanoseconds{1})));
  EXPECT_EQ(commons.take_port(relay, PortParity::any, at(seconds{127})), port);
}

TEST_F(PortPool, GivesEvenPortsAlone) {
  PlainCommons commons{settings_of(50001, 50006), random};
  std::set<std::uint16_t> given;
  while (const auto port = commons.take_port(relay, PortParity::even, now)) given.insert(port->port);
  EXPECT_EQ(given, (std::set<std::uint16_t>{50002, 50004, 50006}));
  EXPECT_EQ(commons.count_ports(relay, now), (Ports{.free = 3, .taken = 3}));
}

TEST_F(PortPool, HoldsTheSuccessorOfAPair) {
  PlainCommons commons{settings_of(50000, 50002), random};
  const auto even = commons.take_port(relay, PortParity::even_with_next_free, now);
  ASSERT_TRUE(even);
  EXPECT_EQ(even->port, 50000);
  EXPECT_EQ(commons.count_ports(relay, now), (Ports{.free = 1, .taken = 1, .reserved = 1}));
  EXPECT_FALSE(commons.take_port(relay, PortParity::even_with_next_free, now)) << "50002 has no successor";
  EXPECT_EQ(commons.take_port(relay, PortParity::any, now)->port, 50002);
  EXPECT_FALSE(commons.take_port(relay, PortParity::any, now));
}

TEST_F(PortPool, ASuccessorThatNobodyReservedComesBackWithItsPort) {
  PlainCommons commons{settings_of(50000, 50001), random};
  const auto even = commons.take_port(relay, PortParity::even_with_next_free, now);
  commons.return_port(*even, now);
  EXPECT_EQ(commons.count_ports(relay, now), (Ports{.free = 1, .resting = 1}));
  EXPECT_EQ(commons.take_port(relay, PortParity::any, now)->port, 50001);
}

TEST_F(PortPool, EveryPortIsEquallyLikely) {
  constexpr int rounds = 20'000;
  Settings settings = settings_of(50000, 50009);
  settings.limits.relay_port_reuse_delay = seconds{0};
  PlainCommons commons{settings, random};
  std::array<int, 10> counts{};
  for (int i = 0; i < rounds; ++i) {
    const auto port = commons.take_port(relay, PortParity::any, now);
    ++counts[static_cast<std::size_t>(port->port - 50000)];
    commons.return_port(*port, now);
  }
  for (const int count : counts) EXPECT_NEAR(count, rounds / 10, 200);  // about five standard deviations
}

TEST_F(PortPool, ItsOrderIsThatOfTheGeneratorAndNoOther) {
  const auto first_ports = [](std::uint64_t seed) {
    SeededRandom own{seed};
    PlainCommons commons{settings_of(49152, 65535), own};
    std::vector<std::uint16_t> ports;
    for (int i = 0; i < 8; ++i)
      ports.push_back(commons.take_port(relay, PortParity::any, at(seconds{0}))->port);
    return ports;
  };
  EXPECT_EQ(first_ports(1), first_ports(1));
  EXPECT_NE(first_ports(1), first_ports(2));
  EXPECT_FALSE(std::ranges::is_sorted(first_ports(1)));
}

TEST_F(PortPool, NeverLosesAPortWhateverHappens) {
  Settings settings = settings_of(50000, 50199);
  PlainCommons commons{settings, random};
  std::vector<SocketAddress> held;
  std::vector<ReservationToken> tokens;
  Duration elapsed{0};
  for (int step = 0; step < 20'000; ++step) {
    elapsed += nanoseconds{random.below(2'000'000'000)};
    const Now current = at(elapsed);
    const auto parity = static_cast<PortParity>(random.below(3));
    switch (random.below(4)) {
      case 0:
      case 1:
        if (const auto port = commons.take_port(relay, parity, current)) {
          held.push_back(*port);
          const bool reserves = parity == PortParity::even_with_next_free && random.below(4) != 0;
          if (reserves) tokens.push_back(commons.reserve_next(*port, current));
        }
        break;
      case 2:
        if (held.empty()) break;
        std::swap(held[random.below(static_cast<std::uint32_t>(held.size()))], held.back());
        commons.return_port(held.back(), current);
        held.pop_back();
        break;
      default:
        if (tokens.empty()) break;
        if (const auto port = commons.redeem(tokens.back(), current)) held.push_back(*port);
        tokens.pop_back();
    }
    const std::set<SocketAddress> distinct{held.begin(), held.end()};
    ASSERT_EQ(distinct.size(), held.size()) << "two hold one port";
    const Ports ports = commons.count_ports(relay, current);
    ASSERT_EQ(ports.taken, held.size());
    ASSERT_EQ(ports.free + ports.taken + ports.resting + ports.reserved, 200U);
  }
  for (const SocketAddress& port : held) commons.return_port(port, at(elapsed));
  EXPECT_EQ(commons.count_ports(relay, at(elapsed + seconds{121})), Ports{.free = 200});
}

using PortPoolDeathTest = CommonsTest;
TEST_F(PortPoolDeathTest, AbortsWhenAPortIsReturnedThatNobodyHas) {
  PlainCommons commons{settings_of(50000, 50001), random};
  EXPECT_DEATH(commons.return_port({relay, 50000}, now), "not taken");
  EXPECT_DEATH(commons.return_port({bob_source, 50000}, now), "no relay address");
  EXPECT_DEATH((void)commons.reserve_next({relay, 50000}, now), "not held");
}

// --- reservations -----------------------------------------------------------------------------------------

TEST_F(Reservations, ATokenGivesThePortNextToTheEvenOneOnce) {
  PlainCommons commons{settings_of(50000, 50099), random};
  const auto even = commons.take_port(relay, PortParity::even_with_next_free, now);
  const ReservationToken token = commons.reserve_next(*even, now);
  const auto next = commons.redeem(token, at(seconds{29}));
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, (SocketAddress{relay, static_cast<std::uint16_t>(even->port + 1)}));
  EXPECT_FALSE(commons.redeem(token, at(seconds{29})));
  EXPECT_EQ(commons.count_ports(relay, at(seconds{29})), (Ports{.free = 98, .taken = 2}));
}

TEST_F(Reservations, ATokenThatIsNotUsedExpiresAndItsPortComesBack) {
  PlainCommons commons{settings_of(50000, 50001), random};
  const auto even = commons.take_port(relay, PortParity::even_with_next_free, now);
  const ReservationToken token = commons.reserve_next(*even, now);
  EXPECT_FALSE(commons.take_port(relay, PortParity::any, at(seconds{30} - nanoseconds{1})));
  EXPECT_FALSE(commons.redeem(token, at(seconds{30})));
  EXPECT_EQ(commons.take_port(relay, PortParity::any, at(seconds{30}))->port, 50001);
}

TEST_F(Reservations, OutlivesTheAllocationThatMadeIt) {
  PlainCommons commons{settings_of(50000, 50001), random};
  const auto even = commons.take_port(relay, PortParity::even_with_next_free, now);
  const ReservationToken token = commons.reserve_next(*even, now);
  commons.return_port(*even, at(seconds{1}));
  EXPECT_EQ(commons.redeem(token, at(seconds{2}))->port, 50001);
}

TEST_F(Reservations, ARedeemedPortIsNotTakenBackWhenItsTokenWouldHaveExpired) {
  PlainCommons commons{settings_of(50000, 50001), random};
  const auto even = commons.take_port(relay, PortParity::even_with_next_free, now);
  const auto next = commons.redeem(commons.reserve_next(*even, now), at(seconds{1}));
  EXPECT_EQ(commons.count_ports(relay, at(seconds{60})), Ports{.taken = 2});
  commons.return_port(*next, at(seconds{60}));
  EXPECT_EQ(commons.count_ports(relay, at(seconds{60})), (Ports{.taken = 1, .resting = 1}));
}

TEST_F(Reservations, AnUnknownTokenGivesNothing) {
  PlainCommons commons{settings_of(50000, 50001), random};
  EXPECT_FALSE(commons.redeem({1, 2, 3, 4, 5, 6, 7, 8}, now));
}

// --- quotas -----------------------------------------------------------------------------------------------

Settings quotas(std::uint32_t per_subject, std::uint32_t per_source, std::uint32_t total) {
  Settings settings = settings_of(50000, 50099);
  settings.limits.allocations_per_subject = per_subject;
  settings.limits.allocations_per_source = per_source;
  settings.limits.allocations_total = total;
  return settings;
}

TEST_F(Quotas, CountPerSubject) {
  PlainCommons commons{quotas(10, 100, 100), random};
  EXPECT_TRUE(commons.admit("alice", alice_source, 2));
  EXPECT_TRUE(commons.admit("alice", bob_source, 2));
  EXPECT_EQ(commons.admit("alice", alice_source, 2).error(), Commons::QuotaDenial::subject);
  EXPECT_TRUE(commons.admit("bob", alice_source, 2));
  commons.release("alice", bob_source);
  EXPECT_TRUE(commons.admit("alice", alice_source, 2));
}

TEST_F(Quotas, WithoutALimitOfTheCredentialCountBySettings) {
  PlainCommons commons{quotas(1, 100, 100), random};
  EXPECT_TRUE(commons.admit("alice", alice_source, 0));
  EXPECT_EQ(commons.admit("alice", alice_source, 0).error(), Commons::QuotaDenial::subject);
  EXPECT_TRUE(commons.admit("alice", alice_source, 2)) << "a credential may allow more";
}

TEST_F(Quotas, CountPerSource) {
  PlainCommons commons{quotas(10, 2, 100), random};
  EXPECT_TRUE(commons.admit("a", alice_source, 0));
  EXPECT_TRUE(commons.admit("b", *IpAddress::parse("::ffff:198.51.100.1"), 0));
  EXPECT_EQ(commons.admit("c", alice_source, 0).error(), Commons::QuotaDenial::source);
  EXPECT_TRUE(commons.admit("c", bob_source, 0));
}

TEST_F(Quotas, CountIpv6SourcesByTheir64) {
  PlainCommons commons{quotas(10, 2, 100), random};
  EXPECT_TRUE(commons.admit("a", *IpAddress::parse("2001:db8:1:2::1"), 0));
  EXPECT_TRUE(commons.admit("b", *IpAddress::parse("2001:db8:1:2:ffff::1"), 0));
  EXPECT_EQ(commons.admit("c", *IpAddress::parse("2001:db8:1:2::3"), 0).error(),
            Commons::QuotaDenial::source);
  EXPECT_TRUE(commons.admit("c", *IpAddress::parse("2001:db8:1:3::1"), 0));
}

TEST_F(Quotas, CountInTotal) {
  PlainCommons commons{quotas(10, 10, 2), random};
  EXPECT_TRUE(commons.admit("a", alice_source, 0));
  EXPECT_TRUE(commons.admit("b", bob_source, 0));
  EXPECT_EQ(commons.admit("c", relay, 0).error(), Commons::QuotaDenial::total);
  commons.release("a", alice_source);
  EXPECT_TRUE(commons.admit("c", relay, 0));
}

TEST_F(Quotas, ADenialCountsNothing) {
  PlainCommons commons{quotas(1, 1, 1), random};
  EXPECT_TRUE(commons.admit("a", alice_source, 0));
  EXPECT_FALSE(commons.admit("a", bob_source, 0));
  EXPECT_FALSE(commons.admit("b", alice_source, 0));
  EXPECT_FALSE(commons.admit("b", bob_source, 0));
  EXPECT_EQ(commons.admitted(), 1U);
  EXPECT_EQ(commons.quota_entries(), 2U);
}

TEST_F(Quotas, ForgetWhoHasNothingLeft) {
  PlainCommons commons{quotas(5, 1000, 1000), random};
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(commons.admit("user" + std::to_string(i), alice_source, 0));
  EXPECT_EQ(commons.quota_entries(), 101U);
  for (int i = 0; i < 100; ++i) commons.release("user" + std::to_string(i), alice_source);
  EXPECT_EQ(commons.quota_entries(), 0U);
  EXPECT_EQ(commons.admitted(), 0U);
}

using QuotasDeathTest = CommonsTest;
TEST_F(QuotasDeathTest, AbortsWhenWhatWasNotAdmittedIsReleased) {
  PlainCommons commons{quotas(1, 1, 1), random};
  EXPECT_DEATH(commons.release("alice", alice_source), "without an admission");
}

}  // namespace
}  // namespace turnpike::turn
