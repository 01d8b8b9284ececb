// What the network does to a client and its relay, and what both make of it.

#include "sim/scenarios/scenario.hpp"

namespace turnpike::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using stun::Class;
using stun::Method;

struct NetworkTrouble : Scenario {
  ClientHost& client_with(const LinkSettings& link) {
    return stage.add_client({.credential = stage.issue(Form::computed, "user1").shown}, {}, link);
  }
  // Loses the first `count` answers of the kind on their way to the client.
  void lose_answers(Method method, Class message_class, int count) {
    lost_left = count;
    stage.network.filter_by([this, method, message_class](const Datagram& datagram) {
      const auto message = stun::Message::decode(datagram.bytes);
      const bool is_hit = message && datagram.from == stage.relay.listener() && message->method() == method &&
                          message->message_class() == message_class && lost_left > 0;
      lost_left -= is_hit ? 1 : 0;
      return !is_hit;
    });
  }
  int lost_left = 0;
  PeerHost& peer = stage.add_peer(peer_address);
};

TEST_F(NetworkTrouble, LostAnswersAreAskedForAgainAndAnsweredTheSame) {
  ClientHost& client = client_with({});
  lose_answers(Method::allocate, Class::success, 3);
  ASSERT_TRUE(stage.allocate(client));
  EXPECT_EQ(lost_left, 0);
  EXPECT_EQ(stage.relay.counters().allocations_created, 1U);
  EXPECT_GE(client.requests_sent, 5U);
  EXPECT_TRUE(can_talk(client, peer));
  stage.expect_nothing_left();
}

TEST_F(NetworkTrouble, ALostDeletionIsRepeatedAndSucceeds) {
  ClientHost& client = client_with({});
  ASSERT_TRUE(stage.allocate(client));
  lose_answers(Method::refresh, Class::success, 2);
  client.close();
  ASSERT_TRUE(world.run_until([&] { return client.is_idle(); }, minutes{1}));
  EXPECT_TRUE(client.failures.empty());
  ASSERT_EQ(client.refreshed.size(), 1U);
  EXPECT_EQ(client.refreshed[0].lifetime, seconds{0});
  EXPECT_EQ(stage.relay.counters().allocations_ended, 1U);
}

TEST_F(NetworkTrouble, DuplicatedPacketsMakeNothingTwice) {
  ClientHost& client = client_with({.duplicates = 1000});
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  EXPECT_TRUE(client.failures.empty());
  EXPECT_EQ(stage.relay.counters().allocations_created, 1U);
  EXPECT_EQ(stage.relay.counters().permissions_active, 1U);
  EXPECT_EQ(stage.relay.counters().channels_active, 1U);
  stage.expect_nothing_left();
}

TEST_F(NetworkTrouble, ReorderingAndBurstsOfLossAreOutlived) {
  ClientHost& client = client_with({.delay = milliseconds{80},
                                    .jitter = milliseconds{60},
                                    .loss = 50,
                                    .loss_in_bad = 900,
                                    .turns_bad = 50,
                                    .turns_good = 200,
                                    .duplicates = 100,
                                    .reorders = 200});
  ASSERT_TRUE(stage.allocate(client));
  client.permit(peer.address());
  client.bind_channel(peer.address());
  world.run_for(hours{2});
  EXPECT_TRUE(client.is_allocated());
  int echoes = 0;
  for (int i = 0; i < 50; ++i) echoes += stage.echoes(client, peer, "word " + std::to_string(i)) ? 1 : 0;
  EXPECT_GT(echoes, 15);
  stage.expect_nothing_left();
}

TEST_F(NetworkTrouble, ANatThatForgetsEndsTheAllocationForTheClient) {
  ClientHost& client = client_with({});
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  const SocketAddress old = client.allocated->mapped;
  stage.nat_of(client).forget_mappings();
  EXPECT_FALSE(stage.echoes(client, peer, "from an unknown 5-tuple"));
  client.refresh(seconds{600});
  ASSERT_TRUE(world.run_until([&] { return client.is_idle(); }, minutes{1}));
  EXPECT_EQ(client.last_refusal(), 437);

  ASSERT_TRUE(stage.allocate(client));
  EXPECT_NE(client.allocated->mapped, old);
  client.received.clear();
  client.permitted.clear();
  client.channels.clear();
  EXPECT_TRUE(can_talk(client, peer));
  EXPECT_EQ(stage.relay.counters().allocations_active, 2U) << "the old one lives until its lifetime ends";
  stage.expect_nothing_left();
}

TEST_F(NetworkTrouble, EveryKindOfNatLetsTheClientThrough) {
  for (const auto mapping : {NatBehaviour::endpoint_independent, NatBehaviour::address_and_port_dependent})
    for (const auto filtering :
         {NatBehaviour::endpoint_independent, NatBehaviour::address_and_port_dependent}) {
      ClientHost& client =
          stage.add_client(stage.issue(Form::computed, "user" + std::to_string(stage.clients.size())),
                           {.mapping = mapping, .filtering = filtering});
      ASSERT_TRUE(stage.allocate(client));
      EXPECT_TRUE(can_talk(client, peer));
    }
}

TEST_F(NetworkTrouble, TwoClientsOfOneRelayTalkThroughIt) {
  ClientHost& one = client_with({});
  ClientHost& two = stage.add_client(stage.issue(Form::pushed, "user2"));
  ASSERT_TRUE(stage.allocate(one));
  ASSERT_TRUE(stage.allocate(two));
  one.permit(two.relayed());
  two.permit(one.relayed());
  world.run_for(seconds{2});
  one.send(two.relayed(), "hello");
  EXPECT_TRUE(world.run_until([&] { return two.has_heard("hello"); }, seconds{2}));
  EXPECT_EQ(two.received.back().peer, one.relayed());
}

TEST_F(NetworkTrouble, TellsTheClientThatAPeerHasNoSuchPort) {
  ClientHost& client = client_with({});
  ASSERT_TRUE(stage.allocate(client));
  const SocketAddress closed{peer_address.ip, 7777};
  client.permit(closed);
  world.run_for(seconds{1});
  client.send(closed, "anybody there?");
  ASSERT_TRUE(world.run_until([&] { return !client.unreachable.empty(); }, seconds{2}));
  EXPECT_EQ(client.unreachable[0].peer.ip, closed.ip);
  EXPECT_EQ(client.unreachable[0].icmp, (stun::IcmpValue{3, 3, 0}));
}

TEST_F(NetworkTrouble, TellsTheClientThePathMtuWhenItForbidsFragments) {
  turn::ClientSettings settings{.credential = stage.issue(Form::computed, "user1").shown};
  settings.dont_fragment = true;
  ClientHost& client = stage.add_client(settings);
  stage.network.change_link(peer_address.ip, {.mtu = 1000});
  ASSERT_TRUE(stage.allocate(client));
  client.permit(peer_address);
  world.run_for(seconds{1});
  client.send(peer_address, std::string(1100, 'x'));
  ASSERT_TRUE(world.run_until([&] { return !client.unreachable.empty(); }, seconds{2}));
  EXPECT_EQ(client.unreachable[0].icmp, (stun::IcmpValue{3, 4, 1000}));
  EXPECT_FALSE(peer.has_heard(std::string(1100, 'x')));
}

// --- both families ----------------------------------------------------------------------------------------

TEST_F(NetworkTrouble, OneAllocationServesBothFamilies) {
  turn::ClientSettings settings{.credential = stage.issue(Form::browser_token, "user1").shown};
  settings.additional_ipv6 = true;
  ClientHost& client = stage.add_client(settings);
  PeerHost& peer6 = stage.add_peer(at("[2a03:2880::1]:6000"));
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_EQ(client.allocated->relayed.size(), 2U);
  client.permit({peer.address(), peer6.address()});
  world.run_for(seconds{1});
  EXPECT_TRUE(stage.echoes(client, peer, "over IPv4"));
  EXPECT_TRUE(stage.echoes(client, peer6, "over IPv6"));
  EXPECT_FALSE(peer6.heard.back().from.ip.is_v4());
  stage.expect_nothing_left();
}

TEST_F(NetworkTrouble, AnIpv6ClientReachesIpv4PeersAndIpv6Peers) {
  PeerHost& peer6 = stage.add_peer(at("[2a03:2880::1]:6000"));
  const Credential credential = stage.issue(Form::computed, "user1");
  ClientHost& to_v4 = stage.add_direct_client({.credential = credential.shown}, at("[2a02:26f7::1]:5000"));
  turn::ClientSettings settings{.credential = credential.shown};
  settings.family = AddressFamily::ipv6;
  ClientHost& to_v6 = stage.add_direct_client(settings, at("[2a02:26f7::2]:5000"));
  ASSERT_TRUE(stage.allocate(to_v4));
  ASSERT_TRUE(stage.allocate(to_v6));
  EXPECT_TRUE(can_talk(to_v4, peer));
  EXPECT_TRUE(can_talk(to_v6, peer6));
  stage.expect_nothing_left();
}

// --- the relay itself -------------------------------------------------------------------------------------

TEST_F(NetworkTrouble, ARestartedRelayServesItsClientsAnew) {
  ClientHost& client = client_with({});
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  stage.relay.restart();
  EXPECT_FALSE(stage.echoes(client, peer, "to nobody"));
  client.refresh(seconds{600});
  ASSERT_TRUE(world.run_until([&] { return client.is_idle(); }, minutes{1}));
  EXPECT_EQ(client.last_refusal(), 437);
  EXPECT_TRUE(stage.allocate(client));
  stage.expect_nothing_left();
}

TEST_F(NetworkTrouble, AfterARestartAPushedCredentialHasToBePushedAgain) {
  const Credential lost = stage.issue(Form::pushed, "user1");
  stage.relay.restart();
  ClientHost& client = stage.add_client(lost);
  EXPECT_FALSE(stage.allocate(client));
  ClientHost& again = stage.add_client(stage.issue(Form::pushed, "user1"));
  EXPECT_TRUE(stage.allocate(again));
}

TEST_F(NetworkTrouble, ALostSocketEndsTheAllocation) {
  ClientHost& client = client_with({});
  ASSERT_TRUE(stage.allocate(client));
  stage.relay.lose_any_port();
  EXPECT_EQ(stage.relay.counters().allocations_active, 0U);
  client.refresh(seconds{600});
  ASSERT_TRUE(world.run_until([&] { return client.is_idle(); }, minutes{1}));
  EXPECT_EQ(client.last_refusal(), 437);
  stage.expect_nothing_left();
}

TEST_F(NetworkTrouble, ADrainingRelayKeepsWhatItHasAndTakesNothingNew) {
  ClientHost& client = client_with({});
  ASSERT_TRUE(stage.allocate(client));
  stage.relay.drain();
  EXPECT_TRUE(can_talk(client, peer));
  ClientHost& late = stage.add_client(stage.issue(Form::computed, "user2"));
  EXPECT_FALSE(stage.allocate(late));
  EXPECT_EQ(late.last_refusal(), 486);
}

}  // namespace
}  // namespace turnpike::sim
