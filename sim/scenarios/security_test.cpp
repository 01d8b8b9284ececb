// Somebody between the client and the relay, and somebody who listens.

#include "sim/scenarios/scenario.hpp"

#include <array>

namespace turnpike::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using stun::AttributeType;
using stun::Class;
using stun::Method;

struct Wire : Scenario {
  // What passes between clients and the relay.
  template <typename Look>
  void look_at_requests(Look look) {
    stage.network.filter_by([this, look](const Datagram& datagram) {
      stage.attacker.overhear(datagram);
      const auto message = stun::Message::decode(datagram.bytes);
      if (message && datagram.to == stage.relay.listener() && message->message_class() == Class::request)
        look(*message);
      return true;
    });
  }
  ClientHost& client_of(Form form) { return stage.add_client(stage.issue(form, "user1")); }
  PeerHost& peer = stage.add_peer(peer_address);
};

TEST_F(Wire, Sha256IsNegotiatedAndUsedFromThenOn) {
  int with_sha256 = 0;
  int with_sha1_alone = 0;
  look_at_requests([&](const stun::Message& request) {
    if (request.has(AttributeType::message_integrity_sha256))
      ++with_sha256;
    else if (request.has(AttributeType::message_integrity))
      ++with_sha1_alone;
  });
  ClientHost& client = client_of(Form::static_user);
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  EXPECT_GE(with_sha256, 3);
  EXPECT_EQ(with_sha1_alone, 0);
}

TEST_F(Wire, AClientThatKnowsMd5OnlyIsServedToo) {
  turn::ClientSettings settings{.credential = stage.issue(Form::pushed, "user1").shown};
  settings.password_algorithms = false;
  ClientHost& client = stage.add_client(settings);
  ASSERT_TRUE(stage.allocate(client));
  EXPECT_TRUE(can_talk(client, peer));
}

// A man in the middle rewrites each challenge.
struct ManInTheMiddle : Wire {
  template <typename Rewrite>
  void rewrite_challenges(Rewrite rewrite) {
    stage.network.filter_by([this, rewrite](const Datagram& datagram) {
      const auto message = stun::Message::decode(datagram.bytes);
      const bool is_challenge = message && datagram.from == stage.relay.listener() && !is_rewriting &&
                                message->message_class() == Class::error &&
                                message->has(AttributeType::nonce);
      if (!is_challenge) return true;
      std::array<Byte, 512> buffer{};
      stun::Writer writer{buffer, message->method(), Class::error, message->transaction_id()};
      message->for_each([&](AttributeType type, Bytes value) { rewrite(writer, type, value); });
      is_rewriting = true;
      stage.attacker.send_as(datagram.from, datagram.to, to_vector(*writer.finish()));
      is_rewriting = false;
      return false;
    });
  }
  bool is_rewriting = false;
};

TEST_F(ManInTheMiddle, WhoHidesTheAlgorithmsIsFoundOut) {
  rewrite_challenges([](stun::Writer& writer, AttributeType type, Bytes value) {
    if (type != AttributeType::password_algorithms) writer.add(type, value);
  });
  ClientHost& client = client_of(Form::static_user);
  EXPECT_FALSE(stage.allocate(client));
  ASSERT_FALSE(client.failures.empty());
  EXPECT_EQ(client.failures.back().kind, turn::ClientFailure::Kind::bid_down);
  EXPECT_EQ(stage.relay.counters().allocations_created, 0U);
}

TEST_F(ManInTheMiddle, WhoAlsoHidesThatThereAreAlgorithmsGetsNowhere) {
  rewrite_challenges([](stun::Writer& writer, AttributeType type, Bytes value) {
    if (type == AttributeType::password_algorithms) return;
    if (type == AttributeType::nonce && as_text(value).starts_with("obMatJos2")) value = value.subspan(13);
    writer.add(type, value);
  });
  ClientHost& client = client_of(Form::static_user);
  EXPECT_FALSE(stage.allocate(client));
  EXPECT_EQ(stage.relay.counters().allocations_created, 0U) << "the nonce is bound to what it announces";
}

TEST_F(ManInTheMiddle, WhoShortensTheListIsRefused) {
  rewrite_challenges([](stun::Writer& writer, AttributeType type, Bytes value) {
    if (type == AttributeType::password_algorithms)
      writer.add_password_algorithms({{1}, 1});  // MD5 alone
    else
      writer.add(type, value);
  });
  ClientHost& client = client_of(Form::static_user);
  EXPECT_FALSE(stage.allocate(client));
  EXPECT_EQ(stage.relay.counters().allocations_created, 0U);
}

TEST_F(Wire, AForgedAnswerIsIgnored) {
  ClientHost& client = client_of(Form::computed);
  stage.network.filter_by([&](const Datagram& datagram) {
    const auto message = stun::Message::decode(datagram.bytes);
    const bool is_proven_allocate = message && message->method() == Method::allocate &&
                                    message->message_class() == Class::request &&
                                    message->has(AttributeType::message_integrity_sha256);
    if (!is_proven_allocate) return true;
    std::array<Byte, 128> buffer{};
    stun::Writer writer{buffer, Method::allocate, Class::success, message->transaction_id()};
    writer.add_xor_address(AttributeType::xor_relayed_address, at("91.198.174.1:6666"));
    writer.add_xor_address(AttributeType::xor_mapped_address, datagram.from);
    writer.add_u32(AttributeType::lifetime, 600);
    stage.attacker.send_as(datagram.to, datagram.from, to_vector(*writer.finish()));
    return true;
  });
  ASSERT_TRUE(stage.allocate(client));
  EXPECT_EQ(client.relayed().ip, at("81.2.69.160:0").ip);
  EXPECT_GE(client.unauthentic_answers, 1U);
}

TEST_F(Wire, WhatIsOverheardIsWorthNothingFromAnotherAddress) {
  ClientHost& client = client_of(Form::computed);
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  const auto overheard = stage.attacker.overheard();
  const std::size_t to_peer = peer.heard.size();
  for (const Datagram& datagram : overheard)
    if (datagram.to == stage.relay.listener())
      stage.attacker.send_as(stage.attacker.address(), datagram.to, datagram.bytes);
  world.run_for(seconds{5});
  EXPECT_EQ(stage.relay.counters().allocations_created, 1U);
  EXPECT_EQ(peer.heard.size(), to_peer);
  for (const Datagram& datagram : stage.attacker.heard) {
    const auto message = stun::Message::decode(datagram.bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->message_class(), Class::error);
  }
}

TEST_F(Wire, NoPeerIsHeardWithoutAPermission) {
  ClientHost& client = client_of(Form::browser_token);
  PeerHost& stranger = stage.add_peer(at("8.8.4.9:6000"));
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  client.received.clear();
  stranger.send(client.relayed(), "unasked");
  world.run_for(seconds{2});
  EXPECT_TRUE(client.received.empty());
  EXPECT_EQ(stage.relay.counters().dropped_no_permission, 1U);
  stage.expect_nothing_left();
}

TEST_F(Wire, TheServerItselfIsNoPeer) {
  ClientHost& client = client_of(Form::static_user);
  ASSERT_TRUE(stage.allocate(client));
  for (const auto forbidden : {"127.0.0.1:22", "10.0.0.5:50000", "[::ffff:127.0.0.1]:80"}) {
    client.permit(at(forbidden));
    ASSERT_TRUE(world.run_until([&] { return client.is_idle(); }, minutes{1}));
    EXPECT_TRUE(client.last_refusal() == 403 || client.last_refusal() == 443) << forbidden;
  }
  client.bind_channel(stage.relay.listener());
  ASSERT_TRUE(world.run_until([&] { return client.is_idle(); }, minutes{1}));
  EXPECT_EQ(client.last_refusal(), 403);
  EXPECT_TRUE(client.permitted.empty());
}

// A realm whose every name is known beforehand.
struct HiddenNames : Wire {};

TEST_F(HiddenNames, AreNeverSeenOnTheWire) {
  credentials::RegistrySettings registry = make_registry_settings();
  registry.computed.reset();
  registry.token.reset();
  RelaySettings settings = make_relay_settings();
  settings.credentials = registry;
  Stage quiet{7, settings};
  bool is_name_seen = false;
  bool is_hash_seen = false;
  quiet.network.filter_by([&](const Datagram& datagram) {
    const auto message = stun::Message::decode(datagram.bytes);
    is_name_seen |= message && message->has(AttributeType::username);
    is_hash_seen |= message && message->has(AttributeType::userhash);
    return true;
  });
  ClientHost& client = quiet.add_client(quiet.issue(Form::pushed, "user1"));
  EXPECT_TRUE(quiet.allocate(client));
  EXPECT_TRUE(is_hash_seen);
  EXPECT_FALSE(is_name_seen);
  EXPECT_EQ(quiet.model.violations(), std::vector<std::string>{});
}

}  // namespace
}  // namespace turnpike::sim
