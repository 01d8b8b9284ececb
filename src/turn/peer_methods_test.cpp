#include "turn/peer_methods.hpp"

#include <gtest/gtest.h>

#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

class PeerMethodsTest : public testing::Test {
 protected:
  void SetUp() override { caller.allocate(); }
  bool passes_from(const SocketAddress& from) {
    return world.from_peer(world.open_ports.begin()->first, from, as_bytes("x")).has_value();
  }
  World world{plain_settings(), static_and_pushed()};
  Caller caller{world};
};
using CreatePermission = PeerMethodsTest;
using ChannelBind = PeerMethodsTest;

SocketAddress numbered_peer(std::uint8_t number) { return {IpAddress::v4({93, 184, 1, number}), 5000}; }

// --- CreatePermission -------------------------------------------------------------------------------------

TEST_F(CreatePermission, LetsAnAddressThroughOnEveryPort) {
  EXPECT_FALSE(passes_from(peer));
  const auto answer = caller.permit({peer});
  EXPECT_TRUE(answer->is_success());
  EXPECT_TRUE(answer->message().verify_integrity(caller.key.reveal()));
  EXPECT_TRUE(passes_from(peer));
  EXPECT_TRUE(passes_from({peer.ip, 1}));
  EXPECT_FALSE(passes_from(other_peer));
  EXPECT_EQ(world.engine.counters().permissions_active, 1U);
}

TEST_F(CreatePermission, LastsForFiveMinutes) {
  caller.permit({peer});
  EXPECT_EQ(world.engine.next_timeout(), world.now.mono + seconds{300});
  world.pass(seconds{300} - nanoseconds{1});
  EXPECT_TRUE(passes_from(peer)) << "which traffic does not extend";
  EXPECT_TRUE(caller.send(peer, "x"));
  world.pass(nanoseconds{1});
  EXPECT_FALSE(passes_from(peer));
  EXPECT_FALSE(caller.send(peer, "x"));
  EXPECT_EQ(world.engine.counters().permissions_active, 0U);
}

TEST_F(CreatePermission, IsExtendedByAnother) {
  caller.permit({peer});
  world.pass(seconds{200});
  caller.permit({peer});
  EXPECT_EQ(world.engine.counters().permissions_active, 1U);
  world.pass(seconds{300} - nanoseconds{1});
  EXPECT_TRUE(passes_from(peer));
  world.pass(nanoseconds{1});
  EXPECT_FALSE(passes_from(peer));
}

TEST_F(CreatePermission, NeedsAnAddress) {
  EXPECT_EQ(caller.permit({})->code(), 400);
  EXPECT_EQ(caller
                .ask(Method::create_permission,
                     [](Writer& writer) {
                       writer.add_xor_address(AttributeType::xor_peer_address, peer);
                       writer.add(AttributeType::xor_peer_address, ByteVector(7));
                     })
                ->code(),
            400);
  EXPECT_FALSE(passes_from(peer));
}

TEST_F(CreatePermission, PermitsNobodyWhenOnePeerIsRefused) {
  EXPECT_EQ(caller.permit({peer, private_peer})->code(), 403);
  EXPECT_EQ(caller.permit({peer, peer6})->code(), 443);
  EXPECT_FALSE(passes_from(peer));
  EXPECT_EQ(world.engine.counters().permissions_active, 0U);
}

TEST_F(CreatePermission, RefusesPeersInEverySpelling) {
  for (const auto text : {"127.0.0.1:1", "0.0.0.0:1", "169.254.1.1:1", "224.0.0.1:1", "192.0.2.1:3478"})
    EXPECT_EQ(caller.permit({address(text)})->code(), 403) << text;
}

TEST_F(CreatePermission, CountsAnAddressOnce) {
  caller.permit({peer, {peer.ip, 1}, peer});
  EXPECT_EQ(world.engine.counters().permissions_active, 1U);
}

TEST_F(CreatePermission, TakesAsManyPeersAsARequestMayName) {
  std::vector<SocketAddress> peers;
  for (std::uint8_t i = 0; i < 16; ++i) peers.push_back(numbered_peer(i));
  EXPECT_TRUE(caller.permit(peers)->is_success());
  peers.push_back(numbered_peer(16));
  EXPECT_EQ(caller.permit(peers)->code(), 508);
}

TEST(PeerLimits, HoldForPermissions) {
  Settings settings = plain_settings();
  settings.limits.permissions_per_allocation = 3;
  World world{settings};
  Caller caller{world};
  caller.allocate();
  EXPECT_TRUE(caller.permit({numbered_peer(1), numbered_peer(2)})->is_success());
  EXPECT_EQ(caller.permit({numbered_peer(3), numbered_peer(4)})->code(), 508);
  EXPECT_TRUE(caller.permit({numbered_peer(2), numbered_peer(3)})->is_success());
  EXPECT_EQ(caller.bind(0x4000, numbered_peer(4))->code(), 508) << "a channel needs a permission";
  EXPECT_TRUE(caller.bind(0x4000, numbered_peer(3))->is_success());
  world.pass(seconds{300});
  EXPECT_TRUE(caller.permit({numbered_peer(4)})->is_success()) << "what has expired makes room";
}

TEST(PeerLimits, HoldForChannels) {
  Settings settings = plain_settings();
  settings.limits.channels_per_allocation = 2;
  World world{settings};
  Caller caller{world};
  caller.allocate();
  caller.bind(0x4000, numbered_peer(1));
  caller.bind(0x4001, numbered_peer(2));
  EXPECT_EQ(caller.bind(0x4002, numbered_peer(3))->code(), 508);
  EXPECT_EQ(world.engine.counters().permissions_active, 2U) << "and nothing is permitted by it";
  EXPECT_TRUE(caller.bind(0x4001, numbered_peer(2))->is_success());
}

TEST_F(CreatePermission, IsNarrowedByTheCredential) {
  const credentials::Policy policy{
      .allowed_peers = {*IpPrefix::parse("93.184.216.34"), *IpPrefix::parse("10.0.0.0/8")}};
  const auto stored =
      credentials::make_pushed_credential("carol", "secret", realm, "", WallTime::max(), policy);
  ASSERT_EQ(world.registry.pushed().put(stored, world.now.wall), credentials::PushOutcome::done);
  Caller carol{world, elsewhere};
  carol.become("carol", "secret");
  carol.allocate();
  EXPECT_TRUE(carol.permit({peer})->is_success());
  EXPECT_EQ(carol.permit({other_peer})->code(), 403);
  EXPECT_EQ(carol.bind(0x4000, other_peer)->code(), 403);
  EXPECT_EQ(carol.permit({private_peer})->code(), 403) << "a credential opens nothing that the server closes";
}

TEST_F(CreatePermission, IsTakenBackWhenTheCredentialIsNarrowed) {
  auto stored = credentials::make_pushed_credential("carol", "secret", realm, "", WallTime::max(), {});
  ASSERT_EQ(world.registry.pushed().put(stored, world.now.wall), credentials::PushOutcome::done);
  Caller carol{world, elsewhere};
  carol.become("carol", "secret");
  carol.allocate();
  carol.bind(0x4000, peer);
  carol.permit({other_peer});
  stored.policy.allowed_peers = {*IpPrefix::parse("93.184.216.35")};
  ASSERT_EQ(world.registry.pushed().put(stored, world.now.wall), credentials::PushOutcome::done);
  EXPECT_TRUE(carol.send_on(0x4000, "x"));
  EXPECT_TRUE(carol.refresh()->is_success());
  EXPECT_FALSE(carol.send_on(0x4000, "x"));
  EXPECT_TRUE(carol.send(other_peer, "x"));
  EXPECT_EQ(carol.bind(0x4000, peer)->code(), 403);
  EXPECT_EQ(world.engine.counters().permissions_active, 1U);
}

TEST_F(CreatePermission, WithoutAnAllocationIsAMismatch) {
  Caller other{world, elsewhere};
  const auto answer = other.permit({peer});
  EXPECT_EQ(answer->code(), 437);
  EXPECT_TRUE(answer->message().verify_integrity(other.key.reveal()));
  EXPECT_EQ(other.bind(0x4000, peer)->code(), 437);
}

// --- ChannelBind ------------------------------------------------------------------------------------------

TEST_F(ChannelBind, BindsAndPermits) {
  const auto answer = caller.bind(0x4000, peer);
  EXPECT_TRUE(answer->is_success());
  EXPECT_TRUE(answer->message().verify_integrity(caller.key.reveal()));
  EXPECT_TRUE(caller.send_on(0x4000, "x"));
  EXPECT_TRUE(passes_from({peer.ip, 1})) << "the permission is for the address";
  EXPECT_EQ(world.engine.counters().channels_active, 1U);
  EXPECT_EQ(world.engine.counters().permissions_active, 1U);
}

TEST_F(ChannelBind, LastsForTenMinutesAndItsPermissionForFive) {
  caller.refresh(3600);
  caller.bind(0x4000, peer);
  world.pass(seconds{300} - nanoseconds{1});
  EXPECT_TRUE(caller.send_on(0x4000, "x"));
  world.pass(nanoseconds{1});
  EXPECT_FALSE(caller.send_on(0x4000, "x")) << "without a permission nothing passes";
  EXPECT_FALSE(passes_from(peer));
  EXPECT_EQ(world.engine.counters().channels_active, 1U);
  caller.permit({peer});
  EXPECT_TRUE(caller.send_on(0x4000, "x")) << "and with one the channel is as it was";
  world.pass(seconds{300} - nanoseconds{1});
  EXPECT_TRUE(caller.send_on(0x4000, "x"));
  EXPECT_TRUE(world.engine.counters().channels_active == 1U);
  caller.permit({peer});
  world.pass(nanoseconds{1});
  EXPECT_FALSE(caller.send_on(0x4000, "x"));
  EXPECT_TRUE(passes_from(peer));
  EXPECT_EQ(world.engine.counters().channels_active, 0U);
}

TEST_F(ChannelBind, IsExtendedWithItsPermissionByAnother) {
  caller.refresh(3600);
  caller.bind(0x4000, peer);
  world.pass(seconds{250});
  EXPECT_TRUE(caller.bind(0x4000, peer)->is_success());
  EXPECT_EQ(world.engine.counters().channels_active, 1U);
  world.pass(seconds{300} - nanoseconds{1});
  EXPECT_TRUE(caller.send_on(0x4000, "x"));
}

TEST_F(ChannelBind, KeepsANumberToOnePeerAndAPeerToOneNumber) {
  caller.bind(0x4000, peer);
  EXPECT_EQ(caller.bind(0x4000, other_peer)->code(), 400);
  EXPECT_EQ(caller.bind(0x4001, peer)->code(), 400);
  EXPECT_TRUE(caller.bind(0x4001, {peer.ip, 1})->is_success()) << "another port is another peer";
  EXPECT_TRUE(caller.bind(0x4000, peer)->is_success());
}

TEST_F(ChannelBind, LetsANumberRestBeforeItIsBoundElsewhere) {
  caller.refresh(3600);
  caller.bind(0x4000, peer);
  world.pass(seconds{600});
  EXPECT_EQ(caller.bind(0x4000, other_peer)->code(), 400);
  EXPECT_EQ(caller.bind(0x4001, peer)->code(), 400);
  world.pass(seconds{300} - nanoseconds{1});
  EXPECT_EQ(caller.bind(0x4000, other_peer)->code(), 400);
  world.pass(nanoseconds{1});
  EXPECT_TRUE(caller.bind(0x4000, other_peer)->is_success());
  EXPECT_TRUE(caller.bind(0x4001, peer)->is_success());
}

TEST_F(ChannelBind, TheSamePairMayBeBoundAgainWhileItRests) {
  caller.refresh(3600);
  caller.bind(0x4000, peer);
  world.pass(seconds{700});
  EXPECT_TRUE(caller.bind(0x4000, peer)->is_success());
  EXPECT_TRUE(caller.send_on(0x4000, "x"));
  EXPECT_EQ(world.engine.counters().channels_active, 1U);
}

TEST_F(ChannelBind, HasItsOwnRangeOfNumbers) {
  for (const auto number : std::initializer_list<std::uint16_t>{0, 0x3fff, 0x8000, 0xffff})
    EXPECT_EQ(caller.bind(number, peer)->code(), 400) << number;
  EXPECT_TRUE(caller.bind(0x4000, numbered_peer(1))->is_success());
  EXPECT_TRUE(caller.bind(0x4fff, numbered_peer(2))->is_success());
  EXPECT_TRUE(caller.bind(0x7fff, numbered_peer(3))->is_success()) << "RFC 5766's clients";
  EXPECT_TRUE(caller.send_on(0x7fff, "x"));
}

TEST_F(ChannelBind, NeedsANumberAndAPeer) {
  const auto code = [&](auto fill) { return caller.ask(Method::channel_bind, fill)->code(); };
  EXPECT_EQ(code([](Writer& writer) { writer.add_channel_number(0x4000); }), 400);
  EXPECT_EQ(code([](Writer& writer) { writer.add_xor_address(AttributeType::xor_peer_address, peer); }), 400);
  EXPECT_EQ(code([](Writer& writer) {
              writer.add(AttributeType::channel_number, ByteVector(3));
              writer.add_xor_address(AttributeType::xor_peer_address, peer);
            }),
            400);
  EXPECT_EQ(code([](Writer& writer) {
              writer.add_channel_number(0x4000).add(AttributeType::xor_peer_address, ByteVector(9));
            }),
            400);
  EXPECT_EQ(caller.bind(0x4000, {peer.ip, 0})->code(), 400);
}

TEST_F(ChannelBind, RefusesPeersThatAreClosedOrOfAnotherFamily) {
  EXPECT_EQ(caller.bind(0x4000, private_peer)->code(), 403);
  EXPECT_EQ(caller.bind(0x4000, peer6)->code(), 443);
  EXPECT_EQ(caller.bind(0x4000, listener)->code(), 403);
  EXPECT_EQ(world.engine.counters().channels_active, 0U);
  EXPECT_EQ(world.engine.counters().permissions_active, 0U);
}

TEST_F(ChannelBind, AnswersARetransmissionTheSame) {
  const ByteVector first = caller.bind(0x4000, peer)->bytes();
  EXPECT_EQ(caller.repeat()->bytes(), first);
  const ByteVector second = caller.permit({other_peer})->bytes();
  EXPECT_EQ(caller.repeat()->bytes(), second);
}

}  // namespace
}  // namespace turnpike::turn::test
