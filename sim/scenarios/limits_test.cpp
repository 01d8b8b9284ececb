// Quotas, reservations, bandwidth, and what strangers get.

#include "sim/scenarios/scenario.hpp"

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RelaySettings with_limits(const std::function<void(turn::Limits&)>& change) {
  RelaySettings settings = make_relay_settings();
  change(settings.turn.limits);
  return settings;
}

struct Quotas : Scenario {
  Quotas() : Scenario(with_limits([](turn::Limits& limits) { limits.allocations_per_subject = 2; })) {}
};

class QuotaOfEachSource : public Quotas, public testing::WithParamInterface<Form> {};
INSTANTIATE_TEST_SUITE_P(All, QuotaOfEachSource, testing::ValuesIn(all_forms),
                         [](const auto& form) { return std::string{to_string(form.param)}; });

TEST_P(QuotaOfEachSource, IsPerSubjectAndComesBack) {
  ClientHost& one = stage.add_client(stage.issue(GetParam(), "user1"));
  ClientHost& two = stage.add_client(stage.issue(GetParam(), "user1"));
  ClientHost& three = stage.add_client(stage.issue(GetParam(), "user1"));
  ClientHost& other = stage.add_client(stage.issue(GetParam(), "user2"));
  ASSERT_TRUE(stage.allocate(one));
  ASSERT_TRUE(stage.allocate(two));
  EXPECT_FALSE(stage.allocate(three));
  EXPECT_EQ(three.last_refusal(), 486);
  EXPECT_TRUE(stage.allocate(other));
  one.close();
  world.run_for(seconds{2});
  EXPECT_TRUE(stage.allocate(three));
  stage.expect_nothing_left();
}

TEST_F(Quotas, ACredentialMayCarryItsOwn) {
  const Credential credential = stage.issue(Form::pushed, "user1", minutes{60}, {.allocations_max = 1});
  ClientHost& one = stage.add_client(credential);
  ClientHost& two = stage.add_client(credential);
  ASSERT_TRUE(stage.allocate(one));
  EXPECT_FALSE(stage.allocate(two));
  EXPECT_EQ(two.last_refusal(), 486);
}

TEST_F(Quotas, AnAllocationThatExpiresMakesRoom) {
  const Credential credential = stage.issue(Form::static_user, "user1");
  for (int i = 0; i < 2; ++i) {
    ClientHost& client = stage.add_client(credential);
    ASSERT_TRUE(stage.allocate(client));
    client.begin_anew({.credential = credential.shown});  // forgets it
  }
  ClientHost& third = stage.add_client(credential);
  EXPECT_FALSE(stage.allocate(third));
  world.run_for(minutes{11});
  EXPECT_TRUE(stage.allocate(third));
  stage.expect_nothing_left();
}

struct FewPorts : Scenario {
  FewPorts() : Scenario(narrow()) {}
  static RelaySettings narrow() {
    RelaySettings settings = make_relay_settings();
    settings.turn.relay_port_max = static_cast<std::uint16_t>(settings.turn.relay_port_min + 1);
    return settings;
  }
};

TEST_F(FewPorts, AreRefusedWhenExhaustedAndComeBackAfterTheirRest) {
  std::vector<ClientHost*> clients;
  clients.reserve(3);
  for (int i = 0; i < 3; ++i) clients.push_back(&stage.add_client(stage.issue(Form::computed, "user1")));
  ASSERT_TRUE(stage.allocate(*clients[0]));
  ASSERT_TRUE(stage.allocate(*clients[1]));
  EXPECT_FALSE(stage.allocate(*clients[2]));
  EXPECT_EQ(clients[2]->last_refusal(), 508);
  clients[0]->close();
  world.run_for(seconds{60});
  EXPECT_FALSE(stage.allocate(*clients[2])) << "the port rests";
  world.run_for(seconds{65});
  EXPECT_TRUE(stage.allocate(*clients[2]));
  stage.expect_nothing_left();
}

// --- reservations -----------------------------------------------------------------------------------------

struct Reservations : Scenario {
  ClientHost& reserving_client() {
    turn::ClientSettings settings{.credential = stage.issue(Form::computed, "user1").shown};
    settings.even_port = true;
    ClientHost& client = stage.add_client(settings);
    EXPECT_TRUE(stage.allocate(client));
    EXPECT_EQ(client.relayed().port % 2, 0);
    EXPECT_TRUE(client.allocated->reservation_token);
    return client;
  }
  ClientHost& redeeming_client(const ClientHost& reserving) {
    turn::ClientSettings settings{.credential = stage.issue(Form::computed, "user1").shown};
    settings.reservation_token = reserving.allocated->reservation_token;
    return stage.add_client(settings);
  }
};

TEST_F(Reservations, ATokenGivesTheNextPortToAnother5Tuple) {
  ClientHost& first = reserving_client();
  ClientHost& second = redeeming_client(first);
  ASSERT_TRUE(stage.allocate(second));
  EXPECT_EQ(second.relayed().port, first.relayed().port + 1);
  PeerHost& peer = stage.add_peer(peer_address);
  EXPECT_TRUE(can_talk(second, peer));
  stage.expect_nothing_left();
}

TEST_F(Reservations, ATokenIsGoodOnce) {
  ClientHost& first = reserving_client();
  ASSERT_TRUE(stage.allocate(redeeming_client(first)));
  ClientHost& third = redeeming_client(first);
  EXPECT_FALSE(stage.allocate(third));
  EXPECT_EQ(third.last_refusal(), 508);
}

TEST_F(Reservations, ATokenThatNobodyRedeemsExpires) {
  ClientHost& first = reserving_client();
  world.run_for(seconds{31});
  ClientHost& second = redeeming_client(first);
  EXPECT_FALSE(stage.allocate(second));
  EXPECT_EQ(second.last_refusal(), 508);
  stage.expect_nothing_left();
}

// --- bandwidth --------------------------------------------------------------------------------------------

struct Bandwidth : Scenario {
  Bandwidth()
      : Scenario(with_limits([](turn::Limits& limits) { limits.bytes_per_second_per_allocation = 10'000; })) {
  }
};

TEST_F(Bandwidth, IsLimitedOverTime) {
  ClientHost& client = stage.add_client(stage.issue(Form::computed, "user1"));
  PeerHost& peer = stage.add_peer(peer_address, false);
  ASSERT_TRUE(stage.allocate(client));
  client.permit(peer.address());
  world.run_for(seconds{2});
  for (int i = 0; i < 1000; ++i) {  // ten times too much, for ten seconds
    client.send(peer.address(), std::string(1000, 'x'));
    world.run_for(milliseconds{10});
  }
  EXPECT_GE(peer.heard.size(), 95U);
  EXPECT_LE(peer.heard.size(), 112U);
  EXPECT_GT(stage.relay.counters().dropped_rate, 800U);
}

// --- strangers --------------------------------------------------------------------------------------------

struct Strangers : Scenario {
  const SocketAddress relay = stage.relay.listener();
  Attacker& attacker = stage.attacker;
};

TEST_F(Strangers, AFloodIsAnsweredUpToTheLimitOnly) {
  const std::uint32_t limit = stage.relay.settings().turn.limits.unauthorized_per_second_per_source;
  for (int i = 0; i < 5000; ++i) {  // within five seconds
    attacker.send_request(relay, stun::Method::allocate);
    world.run_for(milliseconds{1});
  }
  world.run_for(seconds{1});
  EXPECT_GE(attacker.heard.size(), limit * 5);
  EXPECT_LE(attacker.heard.size(), limit * 6 + 1);
  EXPECT_GT(stage.relay.counters().challenges_suppressed, 4000U);
  EXPECT_EQ(stage.relay.counters().allocations_created, 0U);
}

TEST_F(Strangers, AFloodOfSpoofedAddressesHindersNobodyElse) {
  SeededRandom random{1};
  for (int i = 0; i < 2000; ++i) {
    const SocketAddress victim{
        IpAddress::v4({203, 1, static_cast<Byte>(random.below(16)), static_cast<Byte>(random.below(256))}),
        53};
    attacker.send_as(victim, relay, ByteVector{attacker.overheard().empty() ? Byte{0} : Byte{1}});
    attacker.send_request(relay, stun::Method::refresh);
  }
  ClientHost& client = stage.add_client(stage.issue(Form::computed, "user1"));
  PeerHost& peer = stage.add_peer(peer_address);
  EXPECT_TRUE(stage.allocate(client));
  EXPECT_TRUE(can_talk(client, peer));
}

TEST_F(Strangers, GarbageIsNotAnswered) {
  for (int i = 0; i < 2000; ++i) attacker.send_garbage(relay);
  world.run_for(seconds{2});
  EXPECT_TRUE(attacker.heard.empty());
  EXPECT_EQ(stage.relay.counters().allocations_created, 0U);
}

TEST_F(Strangers, AnAnswerIsNeverMuchLargerThanItsQuestion) {
  std::size_t asked = 0;
  std::size_t answered = 0;
  stage.network.filter_by([&](const Datagram& datagram) {
    asked += datagram.to == relay ? datagram.bytes.size() : 0;
    answered += datagram.from == relay ? datagram.bytes.size() : 0;
    return true;
  });
  for (const auto method : {stun::Method::allocate, stun::Method::refresh, stun::Method::create_permission,
                            stun::Method::channel_bind, stun::Method::binding}) {
    asked = answered = 0;
    attacker.send_request(relay, method);
    world.run_for(seconds{1});
    EXPECT_GT(answered, 0U);
    EXPECT_LE(static_cast<double>(answered), 4.5 * static_cast<double>(asked)) << static_cast<int>(method);
  }
}

}  // namespace
}  // namespace turnpike::sim
