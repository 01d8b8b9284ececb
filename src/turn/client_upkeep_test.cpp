#include "turn/client_upkeep.hpp"

#include <gtest/gtest.h>

#include "turn/client_script.hpp"

namespace turnpike::turn {
namespace {

using namespace script;

// --- the allocation ---------------------------------------------------------------------------------------

TEST(ClientAllocation, AsksForWhatTheSettingsSay) {
  World world{{.credential = alice,
               .family = AddressFamily::ipv6,
               .even_port = true,
               .lifetime = seconds{900},
               .dont_fragment = true}};
  world.client.start(world.now);
  const auto request = world.take_one();
  const Message message = decode(request);
  EXPECT_EQ(*message.address_family(AttributeType::requested_address_family), AddressFamily::ipv6);
  EXPECT_TRUE(*message.even_port());
  EXPECT_EQ(*message.u32(AttributeType::lifetime), 900U);
  EXPECT_TRUE(message.has(AttributeType::dont_fragment));
}

TEST(ClientAllocation, TellsBothRelayedAddressesAndTheReservation) {
  const SocketAddress relayed6 = *SocketAddress::parse("[2001:db8::15]:50002");
  World world;
  world.client.start(world.now);
  world.answer(world.take_one(), Class::success, [&](Writer& writer) {
    writer.add_xor_address(AttributeType::xor_relayed_address, relayed)
        .add_xor_address(AttributeType::xor_relayed_address, relayed6)
        .add(AttributeType::reservation_token, ByteVector{1, 2, 3, 4, 5, 6, 7, 8});
  });
  const auto allocated = world.take<Allocated>();
  ASSERT_TRUE(allocated);
  EXPECT_EQ(allocated->relayed, (std::vector{relayed, relayed6}));
  EXPECT_EQ((*allocated->reservation_token)[7], 8);
}

TEST(ClientAllocation, IsRefreshedAMinuteBeforeItsEnd) {
  World world;
  world.allocate(600);
  EXPECT_EQ(world.sleep(), seconds{540});
  world.advance(seconds{540});
  const auto request = world.take_one();
  EXPECT_EQ(decode(request).method(), Method::refresh);
  world.accept_refresh(request, 600);
  EXPECT_EQ(world.take<Refreshed>()->lifetime, seconds{600});
  EXPECT_EQ(world.sleep(), seconds{540});
}

TEST(ClientAllocation, AShortOneIsRefreshedAtHalfTime) {
  World world;
  world.allocate(40);
  EXPECT_EQ(world.sleep(), seconds{20});
}

TEST(ClientAllocation, EndsWhenItCouldNotBeRefreshed) {
  World world;
  world.allocate(600);
  while (world.client.next_timeout()) world.advance(world.sleep());
  EXPECT_EQ(world.now.mono.time_since_epoch(), seconds{600});
  EXPECT_FALSE(world.client.is_allocated());
  EXPECT_EQ(world.take<Failed>()->failure.kind, ClientFailure::Kind::no_answer);
}

TEST(ClientAllocation, IsGoneWhenTheServerKnowsItNoMore) {
  World world;
  world.allocate();
  world.client.permit({peer}, world.now);
  world.refuse(world.take_one(), ErrorCode::allocation_mismatch, world.md5());
  EXPECT_EQ(world.take<Failed>()->failure.code, 437);
  EXPECT_FALSE(world.client.is_allocated());
  EXPECT_FALSE(world.client.next_timeout());
}

TEST(ClientAllocation, ClosesWithALifetimeOfZero) {
  World world;
  world.allocate();
  world.client.close(world.now);
  const auto request = world.take_one();
  EXPECT_EQ(*decode(request).u32(AttributeType::lifetime), 0U);
  EXPECT_FALSE(world.client.is_allocated());
  world.accept_refresh(request, 0);
  EXPECT_EQ(world.take<Refreshed>()->lifetime, seconds{0});
  EXPECT_FALSE(world.client.next_timeout());
}

TEST(ClientAllocation, ClosingWhatIsGoneSucceeds) {
  World world;
  world.allocate();
  world.client.close(world.now);
  world.refuse(world.take_one(), ErrorCode::allocation_mismatch, world.md5());
  EXPECT_EQ(world.take<Refreshed>()->lifetime, seconds{0});
  EXPECT_FALSE(world.has<Failed>());
}

TEST(ClientAllocation, ClosingBeforeItExistsSendsNothing) {
  World world;
  world.client.close(world.now);
  EXPECT_TRUE(world.take_sent().empty());
  EXPECT_EQ(world.take<Refreshed>()->lifetime, seconds{0});
}

TEST(ClientAllocation, StartsAgainWithTheKnownNonce) {
  World world;
  world.allocate();
  world.client.close(world.now);
  world.accept_refresh(world.take_one(), 0);
  world.client.start(world.now);
  EXPECT_TRUE(decode(world.take_one()).has(AttributeType::message_integrity));
}

// --- permissions and channels -----------------------------------------------------------------------------

TEST(ClientPermission, IsAskedForAgainAfterFourMinutes) {
  World world;
  world.allocate(3600);
  world.client.permit({peer, other_peer}, world.now);
  world.accept(world.take_one());
  EXPECT_EQ(world.sleep(), seconds{240});
  world.advance(seconds{240});
  const auto request = world.take_one();
  EXPECT_EQ(decode(request).method(), Method::create_permission);
  EXPECT_EQ(count_peers(decode(request)), 2U);
}

TEST(ClientPermission, IsNotAskedForAgainOnceRefused) {
  World world;
  world.allocate(3600);
  world.client.permit({peer}, world.now);
  world.refuse(world.take_one(), ErrorCode::forbidden, world.md5());
  EXPECT_EQ(world.take<Failed>()->failure.code, 403);
  EXPECT_TRUE(world.client.is_allocated());
  EXPECT_EQ(world.sleep(), seconds{3540});
}

TEST(ClientPermission, ManyPeersGoInSeveralRequests) {
  World world;
  world.allocate();
  std::vector<SocketAddress> peers;
  for (Byte i = 1; i <= 20; ++i) peers.push_back({IpAddress::v4({203, 0, 113, i}), 5000});
  world.client.permit(peers, world.now);
  const auto sent = world.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(count_peers(decode(sent[0])), 16U);
  EXPECT_EQ(count_peers(decode(sent[1])), 4U);
}

TEST(ClientPermission, WantedBeforeTheAllocationIsAskedForAfterIt) {
  World world;
  world.client.start(world.now);
  world.client.permit({peer}, world.now);
  const std::uint16_t channel = world.client.bind_channel(peer, world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, plain_nonce);
  world.accept_allocate(world.take_one(), world.md5());
  const auto sent = world.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(decode(sent[0]).method(), Method::create_permission);
  EXPECT_EQ(*decode(sent[1]).channel_number(), channel);
}

TEST(ClientChannelBinding, IsKeptAndNumbersDiffer) {
  World world;
  world.allocate(3600);
  const std::uint16_t first = world.client.bind_channel(peer, world.now);
  const std::uint16_t second = world.client.bind_channel(other_peer, world.now);
  EXPECT_NE(first, second);
  EXPECT_EQ(world.client.bind_channel(peer, world.now), first);
  for (const auto& request : world.take_sent()) world.accept(request);
  world.advance(seconds{240});
  const auto sent = world.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(*decode(sent[0]).channel_number(), first);
}

TEST(ClientChannelBinding, OnesRefusalDoesNotEndTheOthers) {
  World world;
  world.allocate(3600);
  world.client.bind_channel(peer, world.now);
  const std::uint16_t second = world.client.bind_channel(other_peer, world.now);
  const auto sent = world.take_sent();
  world.refuse(sent[0], ErrorCode::forbidden, world.md5());
  world.accept(sent[1]);
  EXPECT_EQ(world.take<ChannelBound>()->channel, second);
  world.client.send(peer, as_bytes("x"), world.now);
  EXPECT_EQ(decode(world.take_one()).method(), Method::send);
}

// --- data -------------------------------------------------------------------------------------------------

TEST(ClientData, GoesByIndicationUntilTheChannelIsBound) {
  World world;
  world.allocate();
  const std::uint16_t channel = world.client.bind_channel(peer, world.now);
  const auto bind = world.take_one();
  world.client.send(peer, as_bytes("early"), world.now);
  const auto indication = world.take_one();
  EXPECT_EQ(decode(indication).method(), Method::send);
  EXPECT_EQ(as_text(*decode(indication).find(AttributeType::data)), "early");
  EXPECT_EQ(*decode(indication).xor_address(AttributeType::xor_peer_address), peer);

  world.accept(bind);
  world.client.send(peer, as_bytes("hello"), world.now);
  const auto framed = world.take_one();
  const auto data = stun::decode_channel_data(framed);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->channel, channel);
  EXPECT_EQ(as_text(data->payload), "hello");
}

TEST(ClientData, ArrivesByIndicationAndByChannel) {
  World world;
  world.allocate();
  std::array<Byte, 256> buffer;
  Writer writer{buffer, Method::data, Class::indication, {}};
  writer.add_xor_address(AttributeType::xor_peer_address, peer).add(AttributeType::data, as_bytes("one"));
  world.client.on_datagram(*writer.finish(), world.now);
  const auto first = world.take<Received>();
  ASSERT_TRUE(first);
  EXPECT_EQ(as_text(first->payload), "one");
  EXPECT_FALSE(first->by_channel);

  const std::uint16_t channel = world.client.bind_channel(peer, world.now);
  ByteVector framed = to_vector(stun::encode_channel_header(channel, 3));
  framed.insert(framed.end(), {'t', 'w', 'o', 0});
  world.client.on_datagram(framed, world.now);
  const auto second = world.take<Received>();
  ASSERT_TRUE(second);
  EXPECT_EQ(as_text(second->payload), "two");
  EXPECT_EQ(second->peer, peer);
  EXPECT_TRUE(second->by_channel);
}

TEST(ClientData, OfAnUnknownChannelIsIgnored) {
  World world;
  world.allocate();
  world.client.on_datagram(ByteVector{0x40, 0x05, 0, 1, 'x'}, world.now);
  EXPECT_FALSE(world.has<Received>());
}

TEST(ClientData, IcmpErrorsTellThatThePeerIsUnreachable) {
  World world;
  world.allocate();
  std::array<Byte, 256> buffer;
  Writer writer{buffer, Method::data, Class::indication, {}};
  writer.add_xor_address(AttributeType::xor_peer_address, peer).add_icmp({3, 3, 0});
  world.client.on_datagram(*writer.finish(), world.now);
  const auto unreachable = world.take<PeerUnreachable>();
  ASSERT_TRUE(unreachable);
  EXPECT_EQ(unreachable->peer, peer);
  EXPECT_EQ(unreachable->icmp, (stun::IcmpValue{3, 3, 0}));
}

}  // namespace
}  // namespace turnpike::turn
