#include "turn/peers.hpp"

#include <gtest/gtest.h>

namespace turnpike::turn {
namespace {

using std::chrono::seconds;

constexpr seconds rest{300};
const SocketAddress first{IpAddress::v4({203, 0, 113, 1}), 1000};
const SocketAddress second{IpAddress::v4({203, 0, 113, 2}), 1000};

Instant at(int second_of_test) { return Instant{seconds{second_of_test}}; }

TEST(Peers, AreNobodyAtFirst) {
  const Peers peers;
  EXPECT_FALSE(peers.permits(first.ip));
  EXPECT_FALSE(peers.find_bound(0x4000));
  EXPECT_FALSE(peers.find_bound(first));
  EXPECT_FALSE(peers.next_deadline());
}

TEST(Peers, APermissionEndsAndTellsWhen) {
  Peers peers;
  EXPECT_TRUE(peers.permit(first.ip, at(300)));
  EXPECT_FALSE(peers.permit(first.ip, at(400)));
  EXPECT_EQ(peers.next_deadline(), at(400));
  EXPECT_EQ(peers.expire(at(399), rest).permissions, 0U);
  EXPECT_EQ(peers.expire(at(400), rest).permissions, 1U);
  EXPECT_FALSE(peers.permits(first.ip));
}

TEST(Peers, AChannelIsFoundByNumberAndByPeer) {
  Peers peers;
  EXPECT_TRUE(peers.bind(0x4000, first, at(600)));
  EXPECT_TRUE(peers.bind(0x4001, second, at(600)));
  EXPECT_FALSE(peers.bind(0x4001, second, at(700)));
  EXPECT_EQ(peers.find_bound(0x4001)->peer, second);
  EXPECT_EQ(peers.find_bound(first)->number, 0x4000);
  EXPECT_FALSE(peers.find_bound({first.ip, 1}));
  EXPECT_EQ(peers.bound_count(), 2U);
}

TEST(Peers, AChannelKnowsWhetherItsPeerIsPermitted) {
  Peers peers;
  peers.bind(0x4000, first, at(600));
  EXPECT_FALSE(peers.find_bound(first)->is_permitted);
  peers.permit(first.ip, at(300));
  EXPECT_TRUE(peers.find_bound(first)->is_permitted);
  peers.expire(at(300), rest);
  EXPECT_FALSE(peers.find_bound(first)->is_permitted);
  peers.permit(first.ip, at(900));
  peers.bind(0x4001, {first.ip, 2}, at(900));
  EXPECT_TRUE(peers.find_bound(first)->is_permitted);
  EXPECT_TRUE(peers.find_bound(0x4001)->is_permitted);
}

TEST(Peers, AChannelRestsBeforeItIsForgotten) {
  Peers peers;
  peers.bind(0x4000, first, at(600));
  EXPECT_EQ(peers.expire(at(600), rest).channels, 1U);
  EXPECT_FALSE(peers.find_bound(0x4000));
  EXPECT_FALSE(peers.find_bound(first));
  EXPECT_TRUE(peers.has_channel(0x4000));
  EXPECT_FALSE(peers.may_bind(0x4000, second));
  EXPECT_FALSE(peers.may_bind(0x4001, first));
  EXPECT_TRUE(peers.may_bind(0x4000, first));
  EXPECT_TRUE(peers.may_bind(0x4001, second));
  EXPECT_EQ(peers.bound_count(), 0U);
  EXPECT_EQ(peers.channel_count(), 1U);
  EXPECT_EQ(peers.next_deadline(), at(900));
  EXPECT_EQ(peers.expire(at(900), rest).channels, 0U);
  EXPECT_EQ(peers.channel_count(), 0U);
}

TEST(Peers, AChannelThatRestsMayComeBack) {
  Peers peers;
  peers.bind(0x4000, first, at(600));
  peers.expire(at(700), rest);
  EXPECT_TRUE(peers.bind(0x4000, first, at(1300)));
  EXPECT_TRUE(peers.find_bound(0x4000));
}

TEST(Peers, PermissionsMayBeWithdrawn) {
  Peers peers;
  peers.permit(first.ip, at(300));
  peers.permit(second.ip, at(300));
  peers.bind(0x4000, first, at(600));
  EXPECT_EQ(peers.withdraw([](const IpAddress& peer) { return peer == first.ip; }), 1U);
  EXPECT_FALSE(peers.permits(first.ip));
  EXPECT_TRUE(peers.permits(second.ip));
  EXPECT_FALSE(peers.find_bound(0x4000)->is_permitted);
}

TEST(Peers, EverythingThatIsDueExpiresAtOnceHoweverLate) {
  Peers peers;
  peers.permit(first.ip, at(300));
  peers.bind(0x4000, first, at(600));
  const auto expired = peers.expire(at(10000), rest);
  EXPECT_EQ(expired.permissions, 1U);
  EXPECT_EQ(expired.channels, 1U);
  EXPECT_FALSE(peers.next_deadline());
}

}  // namespace
}  // namespace turnpike::turn
