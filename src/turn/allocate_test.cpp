#include "turn/allocate.hpp"

#include <gtest/gtest.h>

#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

const auto both_families = [](Writer& writer) {
  writer.add_address_family(AttributeType::additional_address_family, AddressFamily::ipv6);
};
const auto ipv6_only = [](Writer& writer) {
  writer.add_address_family(AttributeType::requested_address_family, AddressFamily::ipv6);
};
const auto next_port_too = [](Writer& writer) { writer.add_even_port(true); };

TEST(Allocate, GivesARelayedAddress) {
  World world;
  Caller caller{world};
  const Received answer = caller.allocate();
  ASSERT_EQ(answer.relayed().size(), 1U);
  const SocketAddress relayed = answer.relayed().front();
  EXPECT_EQ(relayed.ip, ip("192.0.2.10"));
  EXPECT_GE(relayed.port, 49152);
  EXPECT_EQ(answer.lifetime(), 600U);
  EXPECT_EQ(*answer.message().xor_address(AttributeType::xor_mapped_address), home);
  EXPECT_TRUE(answer.message().verify_integrity(caller.key.reveal()));
  EXPECT_FALSE(answer.reservation());
  EXPECT_EQ(world.find_port(relayed), 0U);

  const auto created = world.take_reports<AllocationCreated>();
  ASSERT_EQ(created.size(), 1U);
  EXPECT_EQ(created[0].path, caller.path);
  EXPECT_EQ(created[0].relayed, relayed);
  EXPECT_EQ(created[0].lifetime, seconds{600});
  EXPECT_EQ(created[0].grant->username, "alice");
  EXPECT_EQ(world.engine.counters().allocations_active, 1U);
  EXPECT_EQ(world.engine.counters().allocations_created, 1U);
}

TEST(Allocate, ShowsTheAdvertisedAddressAndOpensTheBoundOne) {
  Settings settings = plain_settings();
  settings.relay_addresses = {{ip("10.0.0.5"), ip("192.0.2.11")}};
  World world{settings};
  Caller caller{world};
  const SocketAddress relayed = caller.allocate().relayed().front();
  EXPECT_EQ(relayed.ip, ip("192.0.2.11"));
  EXPECT_TRUE(world.find_port({ip("10.0.0.5"), relayed.port}));
}

TEST(Allocate, GivesTheLifetimeThatIsAskedForWithinLimits) {
  World world;
  for (const auto& [asked, given] :
       {std::pair{0U, 600U}, {1U, 600U}, {601U, 601U}, {3600U, 3600U}, {3601U, 3600U}, {UINT32_MAX, 3600U}}) {
    Caller caller{world};
    const auto answer =
        caller.allocate_with([&](Writer& writer) { writer.add_u32(AttributeType::lifetime, asked); });
    EXPECT_EQ(answer->lifetime(), given) << asked;
    caller.refresh(0);
  }
}

TEST(Allocate, EndsWithItsLifetime) {
  World world;
  Caller caller{world};
  caller.allocate();
  EXPECT_EQ(world.engine.next_timeout(), world.now.mono + seconds{600});
  world.pass(seconds{600} - nanoseconds{1});
  EXPECT_EQ(world.open_ports.size(), 1U);
  world.pass(nanoseconds{1});
  EXPECT_TRUE(world.open_ports.empty());
  const auto ended = world.take_reports<AllocationEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].reason, EndReason::expired);
  EXPECT_EQ(ended[0].path, caller.path);
  EXPECT_EQ(caller.permit({peer})->code(), 437);
  EXPECT_FALSE(world.take_sent(caller.path)) << "an end is not told";
  EXPECT_TRUE(caller.try_allocate()->is_success());
}

TEST(Allocate, EndsWithItsLifetimeEvenIfTheTimeoutIsLate) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.permit({peer});
  world.pass_unnoticed(seconds{600});
  EXPECT_FALSE(caller.send(peer, "too late"));
  EXPECT_TRUE(world.open_ports.empty());
}

TEST(Allocate, IsOncePer5Tuple) {
  Settings settings = plain_settings();
  settings.listeners.push_back(address("192.0.2.1:3479"));
  World world{settings};
  Caller caller{world};
  caller.allocate();
  EXPECT_EQ(caller.try_allocate()->code(), 437);
  caller.path.listener = 1;
  EXPECT_TRUE(caller.try_allocate()->is_success()) << "another server address is another 5-tuple";
  caller.path.client.port ^= 1;
  caller.path.listener = 0;
  EXPECT_TRUE(caller.try_allocate()->is_success());
  EXPECT_EQ(world.engine.counters().allocations_active, 3U);
}

// --- retransmissions --------------------------------------------------------------------------------------

TEST(Allocate, AnswersARetransmissionTheSame) {
  World world;
  Caller caller{world};
  const ByteVector first = caller.allocate().bytes();
  EXPECT_EQ(caller.repeat()->bytes(), first);
  world.pass(seconds{40});
  EXPECT_EQ(caller.repeat()->bytes(), first);
  EXPECT_EQ(world.engine.counters().allocations_active, 1U);
  EXPECT_EQ(world.take_reports<AllocationCreated>().size(), 1U);
}

TEST(Allocate, AnswersARetransmissionTheSameAfterARefresh) {
  World world{dual_settings()};
  Caller caller{world};
  world.closed_family = AddressFamily::ipv6;
  const auto first = caller.allocate_with([](Writer& writer) {
    writer.add_u32(AttributeType::lifetime, 700);
    both_families(writer);
  });
  const ByteVector allocate = caller.last();
  caller.refresh(1800);
  EXPECT_FALSE(world.from_client(caller.path, allocate));
  EXPECT_EQ(world.take_sent(caller.path)->bytes(), first->bytes());
  EXPECT_EQ(first->lifetime(), 700U);
  world.pass(seconds{700});
  EXPECT_EQ(world.engine.counters().allocations_active, 1U) << "and it changes nothing";
}

TEST(Allocate, AnswersARetransmissionWhoseNonceHasBecomeStale) {
  World world;
  Caller caller{world};
  caller.nonce = world.nonces.mint(home, world.now.wall).text();
  world.pass(seconds{590});
  const ByteVector first = caller.allocate().bytes();
  world.pass(seconds{20});
  EXPECT_EQ(caller.repeat()->bytes(), first);
}

TEST(Allocate, IsNoRetransmissionWithAnotherKey) {
  World world;
  Caller caller{world};
  caller.allocate();
  Caller forger{world};
  forger.become("alice", "looking-glass");
  EXPECT_EQ(forger.try_allocate()->code(), 401);
  Caller bob{world};
  bob.become("bob", "builder");
  EXPECT_EQ(bob.try_allocate()->code(), 437) << "the same transaction id from another user";
}

// --- what a request may ask for ---------------------------------------------------------------------------

int code_of(const std::optional<Received>& answer) { return answer ? answer->code() : -1; }

TEST(Allocate, NeedsATransportAndThatIsUdp) {
  World world;
  Caller caller{world};
  EXPECT_EQ(code_of(caller.ask(Method::allocate)), 400);
  EXPECT_EQ(code_of(caller.ask(
                Method::allocate,
                [](Writer& writer) { writer.add(AttributeType::requested_transport, ByteVector{17}); })),
            400);
  for (const auto other : std::initializer_list<std::uint8_t>{6, 0, 255})
    EXPECT_EQ(
        code_of(caller.ask(Method::allocate, [&](Writer& writer) { writer.add_requested_transport(other); })),
        442);
}

TEST(Allocate, RefusesWhatIsMalformed) {
  World world;
  Caller caller{world};
  const std::vector<std::pair<AttributeType, std::size_t>> malformed{
      {AttributeType::lifetime, 3},
      {AttributeType::even_port, 2},
      {AttributeType::reservation_token, 7},
      {AttributeType::requested_address_family, 3},
      {AttributeType::additional_address_family, 3}};
  for (const auto& [type, size] : malformed)
    EXPECT_EQ(code_of(caller.allocate_with([&](Writer& writer) { writer.add(type, ByteVector(size)); })), 400)
        << static_cast<int>(type);
  EXPECT_TRUE(world.asked_ports.empty());
}

TEST(Allocate, RefusesWhatCannotGoTogether) {
  World world{dual_settings()};
  Caller caller{world};
  const auto token = [](Writer& writer) { writer.add(AttributeType::reservation_token, ByteVector(8)); };
  const auto code = [&](auto... fills) {
    return code_of(caller.allocate_with([&](Writer& writer) { (fills(writer), ...); }));
  };
  const auto even = [](Writer& writer) { writer.add_even_port(false); };
  EXPECT_EQ(code(token, even), 400);
  EXPECT_EQ(code(token, ipv6_only), 400);
  EXPECT_EQ(code(token, both_families), 400);
  EXPECT_EQ(code(ipv6_only, both_families), 400);
  EXPECT_EQ(code(both_families, next_port_too), 400);
  EXPECT_EQ(code([](Writer& writer) {
              writer.add_address_family(AttributeType::additional_address_family, AddressFamily::ipv4);
            }),
            400);
  EXPECT_TRUE(world.asked_ports.empty());
  EXPECT_EQ(code(both_families, even), 0);
}

// --- families ---------------------------------------------------------------------------------------------

TEST(AllocateFamily, IPv4IsMeantWhereNoneIsNamed) {
  World world{dual_settings()};
  Caller caller{world};
  EXPECT_TRUE(caller.allocate().relayed().front().ip.is_v4());
}

TEST(AllocateFamily, IPv6IsGivenOnRequest) {
  World world{dual_settings()};
  Caller caller{world};
  const auto answer = caller.allocate_with(ipv6_only);
  ASSERT_EQ(answer->relayed().size(), 1U);
  EXPECT_EQ(answer->relayed().front().ip, ip("2001:db8::10"));
  EXPECT_EQ(caller.permit({peer})->code(), 443);
  EXPECT_TRUE(caller.permit({peer6})->is_success());
}

TEST(AllocateFamily, ThatAreNotThereAreRefused) {
  World world;
  Caller caller{world};
  EXPECT_EQ(code_of(caller.allocate_with(ipv6_only)), 440);
  EXPECT_EQ(code_of(caller.allocate_with([](Writer& writer) {
              writer.add(AttributeType::requested_address_family, ByteVector{3, 0, 0, 0});
            })),
            440);
  Settings only_ipv6 = plain_settings();
  only_ipv6.relay_addresses = {{ip("2001:db8::10"), ip("2001:db8::10")}};
  World other{only_ipv6};
  Caller in_other{other};
  EXPECT_EQ(code_of(in_other.try_allocate()), 440);
}

TEST(AllocateFamily, BothAreGivenTogether) {
  World world{dual_settings()};
  Caller caller{world};
  const auto answer = caller.allocate_with(both_families);
  ASSERT_EQ(answer->relayed().size(), 2U);
  EXPECT_TRUE(answer->relayed()[0].ip.is_v4());
  EXPECT_FALSE(answer->relayed()[1].ip.is_v4());
  EXPECT_FALSE(answer->message().has(AttributeType::address_error_code));
  EXPECT_EQ(world.open_ports.size(), 2U);
  EXPECT_EQ(world.engine.counters().allocations_active, 1U);
  caller.permit({peer, peer6});
  EXPECT_EQ(caller.send(peer, "a")->port, world.find_port(answer->relayed()[0]));
  EXPECT_EQ(caller.send(peer6, "b")->port, world.find_port(answer->relayed()[1]));
  world.pass(seconds{600});
  EXPECT_TRUE(world.open_ports.empty());
  EXPECT_EQ(world.take_reports<AllocationEnded>().size(), 1U);
}

TEST(AllocateFamily, TheOneThatIsMissingIsTold) {
  const auto error_of = [](const std::optional<Received>& answer) {
    const Message message = answer->message();
    const auto error = message.address_error_code();
    return std::pair{error->family, static_cast<int>(error->code)};
  };
  World without;
  Caller caller{without};
  const auto unsupported = caller.allocate_with(both_families);
  EXPECT_TRUE(unsupported->is_success());
  EXPECT_EQ(unsupported->relayed().size(), 1U);
  EXPECT_EQ(error_of(unsupported), (std::pair{AddressFamily::ipv6, 440}));

  World world{dual_settings()};
  Caller second{world};
  world.closed_family = AddressFamily::ipv6;
  EXPECT_EQ(error_of(second.allocate_with(both_families)), (std::pair{AddressFamily::ipv6, 508}));
  Caller third{world, elsewhere};
  world.closed_family = AddressFamily::ipv4;
  const auto answer = third.allocate_with(both_families);
  EXPECT_EQ(error_of(answer), (std::pair{AddressFamily::ipv4, 508}));
  EXPECT_FALSE(answer->relayed().front().ip.is_v4());
  EXPECT_EQ(world.open_ports.size(), 2U);
}

// --- ports ------------------------------------------------------------------------------------------------

Settings few_ports(std::uint16_t count) {
  Settings settings = plain_settings();
  settings.relay_port_min = 50000;
  settings.relay_port_max = static_cast<std::uint16_t>(50000 + count - 1);
  return settings;
}

TEST(AllocatePort, ThatCannotBeOpenedAreReplaced) {
  World world;
  Caller caller{world};
  world.failing_ports = 15;
  EXPECT_TRUE(caller.try_allocate()->is_success());
  EXPECT_EQ(world.asked_ports.size(), 16U);
  EXPECT_EQ(world.open_ports.size(), 1U);
}

TEST(AllocatePort, AreNotTriedForEver) {
  World world;
  Caller caller{world};
  world.failing_ports = 16;
  const auto answer = caller.try_allocate();
  EXPECT_EQ(answer->code(), 508);
  EXPECT_TRUE(answer->message().verify_integrity(caller.key.reveal()));
  EXPECT_EQ(world.asked_ports.size(), 16U);
  EXPECT_TRUE(world.open_ports.empty());
  EXPECT_EQ(world.commons.admitted(), 0U);
  EXPECT_TRUE(world.take_reports<AllocationEnded>().empty()) << "what never was does not end";
  EXPECT_TRUE(caller.try_allocate()->is_success());
}

TEST(AllocatePort, MayBeUsedUp) {
  World world{few_ports(2)};
  for (std::uint16_t i = 0; i < 2; ++i)
    Caller{world, {home.ip, static_cast<std::uint16_t>(1000 + i)}}.allocate();
  Caller late{world};
  EXPECT_EQ(late.try_allocate()->code(), 508);
  EXPECT_EQ(world.commons.admitted(), 2U);
  Caller{world, {home.ip, 1000}}.refresh(0);
  EXPECT_EQ(late.try_allocate()->code(), 508) << "a port rests before it is given again";
  world.pass(seconds{120});
  EXPECT_TRUE(late.try_allocate()->is_success());
}

TEST(AllocatePort, OfSeveralAddressesAreAllUsed) {
  Settings settings = few_ports(1);
  settings.relay_addresses.push_back({ip("192.0.2.12"), ip("192.0.2.12")});
  World world{settings};
  Caller first{world};
  Caller second{world, elsewhere};
  Caller third{world, {home.ip, 1}};
  EXPECT_NE(first.allocate().relayed(), second.allocate().relayed());
  EXPECT_EQ(third.try_allocate()->code(), 508);
}

TEST(AllocatePort, AreEvenOnRequest) {
  World world;
  for (std::uint16_t i = 0; i < 9; ++i) {
    Caller caller{world, {home.ip, static_cast<std::uint16_t>(1000 + i)}};
    const auto answer = caller.allocate_with([](Writer& writer) { writer.add_even_port(false); });
    EXPECT_EQ(answer->relayed().front().port % 2, 0);
    EXPECT_FALSE(answer->reservation());
  }
}

TEST(AllocatePort, ThatAreEvenMayBeUsedUp) {
  World world{few_ports(2)};
  Caller first{world};
  EXPECT_TRUE(first.allocate_with(next_port_too)->is_success());
  Caller second{world, elsewhere};
  EXPECT_EQ(second.allocate_with([](Writer& writer) { writer.add_even_port(false); })->code(), 508);
  EXPECT_EQ(second.try_allocate()->code(), 508) << "the odd one is reserved";
}

TEST(AllocateReservation, GiveTheNextPort) {
  World world;
  Caller caller{world};
  const auto first = caller.allocate_with(next_port_too);
  const auto token = first->reservation();
  ASSERT_TRUE(token);
  EXPECT_EQ(caller.repeat()->bytes(), first->bytes());

  Caller other{world, elsewhere};
  const auto redeem = [&](Writer& writer) { writer.add(AttributeType::reservation_token, *token); };
  const auto second = other.allocate_with(redeem);
  ASSERT_TRUE(second->is_success());
  EXPECT_EQ(second->relayed().front().port, first->relayed().front().port + 1);
  EXPECT_EQ(other.repeat()->bytes(), second->bytes());
  Caller third{world, {home.ip, 1}};
  EXPECT_EQ(third.allocate_with(redeem)->code(), 508) << "once";
  EXPECT_EQ(world.commons.admitted(), 2U);
}

TEST(AllocateReservation, EndAfterAWhile) {
  World world;
  Caller caller{world};
  const auto token = caller.allocate_with(next_port_too)->reservation();
  world.pass(seconds{30});
  Caller other{world, elsewhere};
  EXPECT_EQ(
      other.allocate_with([&](Writer& writer) { writer.add(AttributeType::reservation_token, *token); })
          ->code(),
      508);
}

TEST(AllocateReservation, AreNotLostToAQuota) {
  Settings settings = plain_settings();
  settings.limits.allocations_per_subject = 1;
  World world{settings};
  Caller caller{world};
  const auto token = caller.allocate_with(next_port_too)->reservation();
  Caller other{world, elsewhere};
  const auto redeem = [&](Writer& writer) { writer.add(AttributeType::reservation_token, *token); };
  EXPECT_EQ(other.allocate_with(redeem)->code(), 486);
  caller.refresh(0);
  EXPECT_TRUE(other.allocate_with(redeem)->is_success());
}

TEST(AllocateReservation, WhosePortCannotBeOpenedAreOver) {
  World world;
  Caller caller{world};
  const auto token = caller.allocate_with(next_port_too)->reservation();
  Caller other{world, elsewhere};
  world.failing_ports = 1;
  EXPECT_EQ(
      other.allocate_with([&](Writer& writer) { writer.add(AttributeType::reservation_token, *token); })
          ->code(),
      508);
  EXPECT_EQ(world.asked_ports.size(), 2U) << "no other port will do";
  EXPECT_EQ(world.commons.admitted(), 1U);
}

// --- quotas -----------------------------------------------------------------------------------------------

TEST(AllocateQuota, HoldPerSubject) {
  Settings settings = plain_settings();
  settings.limits.allocations_per_subject = 2;
  World world{settings};
  for (std::uint16_t i = 0; i < 2; ++i)
    Caller{world, {home.ip, static_cast<std::uint16_t>(1 + i)}}.allocate();
  Caller third{world};
  const auto refused = third.try_allocate();
  EXPECT_EQ(refused->code(), 486);
  EXPECT_TRUE(refused->message().verify_integrity(third.key.reveal()));
  third.become("bob", "builder");
  EXPECT_TRUE(third.try_allocate()->is_success());
  Caller{world, {home.ip, 1}}.refresh(0);
  Caller fourth{world, elsewhere};
  EXPECT_TRUE(fourth.try_allocate()->is_success());
}

TEST(AllocateQuota, OfACredentialStandAboveTheServers) {
  Settings settings = plain_settings();
  settings.limits.allocations_per_subject = 1;
  World world{settings, static_and_pushed()};
  credentials::Policy policy{.allocations_max = 2};
  const auto stored =
      credentials::make_pushed_credential("carol", "secret", realm, "", WallTime::max(), policy);
  ASSERT_EQ(world.registry.pushed().put(stored, world.now.wall), credentials::PushOutcome::done);
  for (const int expected : {0, 0, 486}) {
    Caller caller{world, {home.ip, static_cast<std::uint16_t>(world.open_ports.size() + 1)}};
    caller.become("carol", "secret");
    EXPECT_EQ(code_of(caller.try_allocate()), expected);
  }
}

TEST(AllocateQuota, HoldPerSourceAndInTotal) {
  Settings settings = plain_settings();
  settings.limits.allocations_per_source = 1;
  settings.limits.allocations_total = 2;
  World world{settings};
  Caller first{world};
  first.allocate();
  Caller second{world, {home.ip, 1}};
  EXPECT_EQ(second.try_allocate()->code(), 486);
  Caller third{world, elsewhere};
  third.allocate();
  Caller fourth{world, address("198.51.100.9:1")};
  EXPECT_EQ(fourth.try_allocate()->code(), 486);
  first.refresh(0);
  EXPECT_TRUE(fourth.try_allocate()->is_success());
}

// --- between the request and the port ---------------------------------------------------------------------

class Undrained : public testing::Test {
 protected:
  void ask() {
    const ByteVector request =
        caller.write(Method::allocate, [](Writer& writer) { writer.add_requested_transport(17); });
    EXPECT_FALSE(world.engine.on_client_datagram(caller.path, request, world.now));
  }
  World world;
  Caller caller{world};
};

TEST_F(Undrained, NothingOfTheClientIsHeard) {
  ask();
  EXPECT_FALSE(world.engine.on_client_datagram(
      caller.path, caller.write(Method::create_permission, [](Writer&) {}), world.now));
  ask();
  EXPECT_FALSE(caller.send(peer, "early"));  // which drains
  EXPECT_TRUE(world.take_sent(caller.path)->is_success()) << "one answer, to the first";
  EXPECT_EQ(world.asked_ports.size(), 1U);
  EXPECT_EQ(world.engine.counters().dropped_no_allocation, 1U);
}

TEST_F(Undrained, ARevocationIsNotMissed) {
  ask();
  EXPECT_EQ(world.engine.revoke({credentials::Revocation::By::username, "alice"}, world.now), 0U);
  world.drain();
  EXPECT_EQ(world.take_sent(caller.path)->code(), 401);
  EXPECT_TRUE(world.open_ports.empty());
  EXPECT_EQ(world.commons.admitted(), 0U);
}

TEST_F(Undrained, AShutdownIsNotMissed) {
  ask();
  world.engine.shut_down(world.now);
  world.drain();
  EXPECT_EQ(world.take_sent(caller.path)->code(), 486);
  EXPECT_TRUE(world.open_ports.empty());
}

TEST_F(Undrained, APeerIsNotHeard) {
  ask();
  EXPECT_FALSE(world.engine.on_peer_datagram(0, peer, as_bytes("early"), world.now));
  world.engine.on_peer_icmp(0, peer, {.type = 3, .code = 3}, world.now);
  EXPECT_EQ(world.engine.counters().dropped_no_allocation, 1U);
}

}  // namespace
}  // namespace turnpike::turn::test
