#include "turn/data_path.hpp"

#include <gtest/gtest.h>

#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

class DataPathTest : public testing::Test {
 protected:
  static Settings settings_with_open_relay() {
    Settings settings = dual_settings();
    settings.peers.allow = {*IpPrefix::parse("192.0.2.0/24")};
    return settings;
  }
  void SetUp() override {
    const auto answer = caller.allocate_with([](Writer& writer) {
      writer.add_address_family(AttributeType::additional_address_family, AddressFamily::ipv6);
    });
    relayed = answer->relayed();
    port = *world.find_port(relayed[0]);
    port6 = *world.find_port(relayed[1]);
  }
  std::optional<Deliver> hear(const SocketAddress& from, std::string_view payload) {
    return world.from_peer(from.ip.is_v4() ? port : port6, from, as_bytes(payload));
  }
  const Counters& counters() const { return world.engine.counters(); }

  World world{settings_with_open_relay()};
  Caller caller{world};
  std::vector<SocketAddress> relayed;
  RelayPortId port = 0, port6 = 0;
};
using FromClient = DataPathTest;
using FromPeer = DataPathTest;
using Icmp = DataPathTest;

// What the client receives of it.
ByteVector datagram_of(const Deliver& deliver) {
  ByteVector datagram{deliver.prefix.begin(), deliver.prefix.begin() + deliver.prefix_size};
  datagram.insert(datagram.end(), deliver.payload.begin(), deliver.payload.end());
  datagram.resize(datagram.size() + deliver.padding);
  return datagram;
}

// --- from the client --------------------------------------------------------------------------------------

TEST_F(FromClient, ASendIndicationIsForwarded) {
  caller.permit({peer});
  const auto forward = caller.send(peer, "hello");
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->port, port);
  EXPECT_EQ(forward->peer, peer);
  EXPECT_EQ(as_text(forward->payload), "hello");
  EXPECT_FALSE(forward->dont_fragment);
  const auto& sent = caller.last();
  EXPECT_TRUE(forward->payload.data() >= sent.data() && forward->payload.data() < sent.data() + sent.size())
      << "a view into the datagram";
  EXPECT_EQ(counters().packets_from_clients, 1U);
  EXPECT_EQ(counters().bytes_from_clients, 5U);
}

TEST_F(FromClient, ASendIndicationMayForbidFragments) {
  caller.permit({peer});
  EXPECT_TRUE(caller.send(peer, "hello", true)->dont_fragment);
}

TEST_F(FromClient, ASendIndicationMayBeEmpty) {
  caller.permit({peer});
  const auto forward = caller.send(peer, "");
  ASSERT_TRUE(forward);
  EXPECT_TRUE(forward->payload.empty());
}

TEST_F(FromClient, ASendIndicationGoesFromThePortOfItsFamily) {
  caller.permit({peer, peer6});
  EXPECT_EQ(caller.send(peer6, "hello")->port, port6);
}

TEST_F(FromClient, ASendIndicationWithoutPermissionIsDropped) {
  caller.permit({peer});
  EXPECT_FALSE(caller.send(other_peer, "hello"));
  EXPECT_EQ(counters().dropped_no_permission, 1U);
  EXPECT_FALSE(world.take_sent(caller.path)) << "silently";
}

TEST_F(FromClient, ASendIndicationToAClosedPortIsDropped) {
  // Two clients of one relay may talk to each other, and not to what else listens there.
  const SocketAddress own_relay = relayed[0];
  EXPECT_TRUE(caller.permit({own_relay})->is_success());
  EXPECT_TRUE(caller.send(own_relay, "hello"));
  EXPECT_FALSE(caller.send({own_relay.ip, 3478}, "hello"));
  EXPECT_FALSE(caller.send({own_relay.ip, 0}, "hello"));
  EXPECT_EQ(counters().dropped_no_permission, 2U);
}

TEST_F(FromClient, AMalformedSendIndicationIsDropped) {
  caller.permit({peer});
  EXPECT_FALSE(caller.indicate([](Writer& writer) { writer.add_text(AttributeType::data, "x"); }));
  EXPECT_FALSE(
      caller.indicate([](Writer& writer) { writer.add_xor_address(AttributeType::xor_peer_address, peer); }));
  EXPECT_FALSE(caller.indicate([](Writer& writer) {
    writer.add(AttributeType::xor_peer_address, ByteVector(7)).add_text(AttributeType::data, "x");
  }));
  EXPECT_FALSE(caller.indicate([](Writer& writer) {
    writer.add_xor_address(AttributeType::xor_peer_address, peer).add_u32(AttributeType::priority, 1);
    writer.add_text(AttributeType::data, "x");
  })) << "what is not understood is not obeyed";
  EXPECT_EQ(counters().dropped_malformed, 4U);
  EXPECT_FALSE(world.take_sent(caller.path));
}

TEST_F(FromClient, ChannelDataIsForwarded) {
  caller.bind(0x4001, peer);
  const auto forward = caller.send_on(0x4001, "hello");
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->port, port);
  EXPECT_EQ(forward->peer, peer);
  EXPECT_EQ(as_text(forward->payload), "hello");
  EXPECT_EQ(forward->payload.data(), caller.last().data() + 4);
  ByteVector padded = caller.last();
  padded.resize(12);
  EXPECT_EQ(as_text(world.from_client(caller.path, padded)->payload), "hello");
}

TEST_F(FromClient, ChannelDataOfManyChannelsFindsItsPeer) {
  for (std::uint8_t i = 0; i < 20; ++i)
    caller.bind(static_cast<std::uint16_t>(0x4000 + i), {IpAddress::v4({93, 184, 1, i}), 5000});
  for (std::uint8_t i = 20; i-- > 0;)
    EXPECT_EQ(caller.send_on(static_cast<std::uint16_t>(0x4000 + i), "x")->peer.ip,
              IpAddress::v4({93, 184, 1, i}));
}

TEST_F(FromClient, ChannelDataThatIsWrongIsDropped) {
  caller.bind(0x4001, peer);
  EXPECT_FALSE(caller.send_on(0x4002, "hello"));
  EXPECT_EQ(counters().dropped_no_permission, 1U);
  caller.send_on(0x4001, "hello");
  ByteVector cut = caller.last();
  cut.pop_back();
  EXPECT_FALSE(world.from_client(caller.path, cut));
  EXPECT_FALSE(world.from_client(caller.path, ByteVector{0x40, 1}));
  EXPECT_EQ(counters().dropped_malformed, 2U);
}

TEST_F(FromClient, NothingPassesWithoutAnAllocation) {
  Caller other{world, elsewhere};
  EXPECT_FALSE(other.send(peer, "x"));
  EXPECT_FALSE(other.send_on(0x4000, "x"));
  EXPECT_EQ(counters().dropped_no_allocation, 2U);
}

// --- from the peer ----------------------------------------------------------------------------------------

TEST_F(FromPeer, ADatagramComesAsADataIndication) {
  caller.permit({peer});
  for (const std::string_view payload : {"", "h", "he", "hel", "hell", "hello"}) {
    const auto deliver = hear(peer, payload);
    ASSERT_TRUE(deliver);
    EXPECT_EQ(deliver->to, caller.path);
    const ByteVector datagram = datagram_of(*deliver);
    const auto indication = Message::decode(datagram);
    ASSERT_TRUE(indication);
    EXPECT_EQ(indication->method(), Method::data);
    EXPECT_EQ(indication->message_class(), Class::indication);
    EXPECT_EQ(*indication->xor_address(AttributeType::xor_peer_address), peer);
    EXPECT_EQ(as_text(*indication->find(AttributeType::data)), payload);
  }
  EXPECT_EQ(counters().packets_to_clients, 6U);
  EXPECT_EQ(counters().bytes_to_clients, 15U);
}

TEST_F(FromPeer, AnIpv6DatagramComesAsADataIndication) {
  caller.permit({peer6});
  const auto deliver = hear(peer6, "hello");
  ASSERT_TRUE(deliver);
  const ByteVector datagram = datagram_of(*deliver);
  EXPECT_EQ(*Message::decode(datagram)->xor_address(AttributeType::xor_peer_address), peer6);
}

TEST_F(FromPeer, ADatagramComesAsChannelDataOnceAChannelIsBound) {
  caller.bind(0x4001, peer);
  const auto deliver = hear(peer, "hello");
  ASSERT_TRUE(deliver);
  EXPECT_EQ(to_hex(datagram_of(*deliver)), "4001000568656c6c6f") << "without padding over UDP";
  EXPECT_EQ(deliver->payload.size(), 5U);
  EXPECT_TRUE(Message::decode(datagram_of(*hear({peer.ip, 1}, "hello")))) << "the channel is for one port";
}

TEST_F(FromPeer, ADatagramWithoutPermissionIsDropped) {
  caller.permit({peer});
  EXPECT_FALSE(hear(other_peer, "hello"));
  EXPECT_FALSE(hear(peer6, "hello"));
  EXPECT_EQ(counters().dropped_no_permission, 2U);
  EXPECT_FALSE(world.take_sent(caller.path));
}

TEST_F(FromPeer, ADatagramThatFitsNoOtherIsDropped) {
  caller.permit({peer6});
  EXPECT_TRUE(hear(peer6, std::string(65452, 'x')));
  for (const std::size_t size : {65453U, 65507U, 65527U, 65535U})
    EXPECT_FALSE(hear(peer6, std::string(size, 'x'))) << size;
  EXPECT_EQ(counters().dropped_malformed, 4U);
}

TEST_F(FromPeer, ADatagramOfTheServersOwnListenerIsDropped) {
  caller.permit({relayed[0]});
  EXPECT_TRUE(hear(relayed[0], "hello"));
  EXPECT_FALSE(hear({relayed[0].ip, 3478}, "hello"));
}

TEST_F(FromPeer, ADatagramAtAPortThatIsGoneIsDropped) {
  caller.permit({peer});
  caller.refresh(0);
  EXPECT_FALSE(hear(peer, "late"));
  EXPECT_FALSE(world.from_peer(99, peer, as_bytes("wrong")));
  EXPECT_EQ(counters().dropped_no_allocation, 2U);
}

TEST_F(FromPeer, APortIsNoOneElsesWhenItIsUsedAgain) {
  caller.permit({peer});
  caller.refresh(0);
  Caller other{world, elsewhere};
  other.allocate();
  ASSERT_TRUE(world.open_ports.contains(port) || world.open_ports.contains(port6));
  EXPECT_FALSE(world.from_peer(world.open_ports.begin()->first, peer, as_bytes("late")));
}

// --- ICMP -------------------------------------------------------------------------------------------------

TEST_F(Icmp, OfAPermittedPeerIsTold) {
  caller.permit({peer, peer6});
  const stun::IcmpValue too_big{.type = 3, .code = 4, .error_data = 1400};
  world.engine.on_peer_icmp(port, peer, too_big, world.now);
  world.drain();
  const auto told = world.take_sent(caller.path);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->message().method(), Method::data);
  EXPECT_EQ(told->message().message_class(), Class::indication);
  EXPECT_EQ(*told->message().xor_address(AttributeType::xor_peer_address), peer);
  EXPECT_EQ(*told->message().icmp(), too_big);
  EXPECT_FALSE(told->message().has(AttributeType::data));
  world.engine.on_peer_icmp(port6, peer6, {.type = 2, .error_data = 1280}, world.now);
  world.drain();
  EXPECT_EQ(*told->message().icmp(), too_big);
  EXPECT_EQ(*world.take_sent(caller.path)->message().xor_address(AttributeType::xor_peer_address), peer6);
}

TEST_F(Icmp, OfNoInterestIsNotTold) {
  const stun::IcmpValue unreachable{.type = 3, .code = 3};
  world.engine.on_peer_icmp(port, peer, unreachable, world.now);
  caller.permit({peer, peer6});
  for (const std::uint8_t type : {std::uint8_t{0}, std::uint8_t{5}, std::uint8_t{8}, std::uint8_t{12}})
    world.engine.on_peer_icmp(port, peer, {.type = type}, world.now);
  for (const std::uint8_t type : {std::uint8_t{0}, std::uint8_t{4}, std::uint8_t{127}})
    world.engine.on_peer_icmp(port6, peer6, {.type = type}, world.now);
  world.engine.on_peer_icmp(99, peer, unreachable, world.now);
  EXPECT_FALSE(world.engine.next_effect());
  world.engine.on_peer_icmp(port, peer, {.type = 11}, world.now);
  EXPECT_TRUE(world.engine.next_effect());
}

// --- rates ------------------------------------------------------------------------------------------------

TEST(Rates, HoldForBothDirectionsTogether) {
  Settings settings = plain_settings();
  settings.limits.bytes_per_second_per_allocation = 1000;
  World world{settings};
  Caller caller{world};
  caller.allocate();
  caller.bind(0x4000, peer);
  const std::string payload(400, 'x');
  const RelayPortId port = world.open_ports.begin()->first;
  EXPECT_TRUE(caller.send_on(0x4000, payload));
  EXPECT_TRUE(world.from_peer(port, peer, as_bytes(payload)));
  EXPECT_FALSE(caller.send_on(0x4000, payload));
  EXPECT_FALSE(world.from_peer(port, peer, as_bytes(payload)));
  EXPECT_FALSE(caller.send(peer, payload));
  EXPECT_EQ(world.engine.counters().dropped_rate, 3U);
  world.pass(milliseconds{200});
  EXPECT_TRUE(caller.send(peer, payload));

  Caller other{world, elsewhere};
  other.allocate();
  other.permit({peer});
  EXPECT_TRUE(other.send(peer, payload)) << "each allocation has a rate of its own";
  world.pass(seconds{10});
  world.engine.on_peer_icmp(port, peer, {.type = 3}, world.now);
  EXPECT_TRUE(world.engine.next_effect());
  EXPECT_TRUE(caller.send_on(0x4000, std::string(950, 'x')));
  world.engine.on_peer_icmp(port, peer, {.type = 3}, world.now);
  EXPECT_FALSE(world.engine.next_effect()) << "errors count too";
}

TEST(Rates, OfACredentialStandAboveTheServers) {
  Settings settings = plain_settings();
  settings.limits.bytes_per_second_per_allocation = 100;
  World world{settings, static_and_pushed()};
  const credentials::Policy policy{.bytes_per_second = 1000};
  const auto stored =
      credentials::make_pushed_credential("carol", "secret", realm, "", WallTime::max(), policy);
  ASSERT_EQ(world.registry.pushed().put(stored, world.now.wall), credentials::PushOutcome::done);
  Caller caller{world};
  caller.become("carol", "secret");
  caller.allocate();
  caller.permit({peer});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(caller.send(peer, std::string(100, 'x')));
  EXPECT_FALSE(caller.send(peer, std::string(100, 'x')));

  // A new policy comes with the next Refresh.
  auto renewed = stored;
  renewed.policy.bytes_per_second = 5000;
  ASSERT_EQ(world.registry.pushed().put(renewed, world.now.wall), credentials::PushOutcome::done);
  caller.refresh();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(caller.send(peer, std::string(100, 'x')));
  EXPECT_FALSE(caller.send(peer, std::string(100, 'x')));
}

TEST(Traffic, IsCountedPerAllocation) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.permit({peer});
  caller.send(peer, "12345");
  caller.send(peer, "1");
  world.from_peer(world.open_ports.begin()->first, peer, as_bytes("123"));
  caller.refresh(0);
  const auto ended = world.take_reports<AllocationEnded>().front();
  EXPECT_EQ(ended.packets_from_client, 2U);
  EXPECT_EQ(ended.bytes_from_client, 6U);
  EXPECT_EQ(ended.packets_to_client, 1U);
  EXPECT_EQ(ended.bytes_to_client, 3U);
}

}  // namespace
}  // namespace turnpike::turn::test
