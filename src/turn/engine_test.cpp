#include "turn/engine.hpp"

#include <gtest/gtest.h>

#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

// --- Binding and what is no request -----------------------------------------------------------------------

TEST(Binding, TellsTheClientItsAddressAndNothingElse) {
  World world;
  Caller caller{world};
  caller.is_anonymous = true;
  const auto answer = caller.ask(Method::binding);
  ASSERT_TRUE(answer && answer->is_success());
  EXPECT_EQ(*answer->message().xor_address(AttributeType::xor_mapped_address), home);
  EXPECT_EQ(answer->bytes().size(), 32U) << "20 bytes are answered with at most 1.6 times as many";
}

TEST(Binding, TellsAnIpv6Address) {
  World world;
  Caller caller{world, address("[2001:db8::7]:40000")};
  caller.is_anonymous = true;
  const auto answer = caller.ask(Method::binding);
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer->message().xor_address(AttributeType::xor_mapped_address), caller.path.client);
  EXPECT_EQ(answer->bytes().size(), 44U);
}

TEST(Binding, AnswersWithAFingerprintIfAskedWithOne) {
  World world;
  Caller caller{world};
  caller.is_anonymous = true;
  caller.has_fingerprint = true;
  const auto answer = caller.ask(Method::binding);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->message().verify_fingerprint());
}

TEST(Binding, NamesTheAttributesThatItDoesNotUnderstand) {
  World world;
  Caller caller{world};
  caller.is_anonymous = true;
  const auto answer = caller.ask(Method::binding, [](Writer& writer) {
    writer.add_u32(AttributeType::change_request, 6).add_u32(AttributeType::priority, 1);
  });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code(), 420);
  const auto unknown = answer->message().find(AttributeType::unknown_attributes);
  ASSERT_TRUE(unknown);
  EXPECT_EQ(to_hex(*unknown), "00030024");
}

TEST(Datagrams, AreDroppedSilentlyWhenTheyAreNoStun) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.is_anonymous = true;
  ByteVector wrong_cookie = caller.write(Method::binding, [](Writer&) {});
  wrong_cookie[4] ^= 1;
  ByteVector wrong_length = caller.write(Method::binding, [](Writer&) {});
  wrong_length[3] = 4;
  caller.has_fingerprint = true;
  ByteVector wrong_fingerprint = caller.write(Method::binding, [](Writer&) {});
  wrong_fingerprint.back() ^= 1;
  for (const ByteVector& datagram :
       {ByteVector{}, ByteVector{0}, ByteVector(19), wrong_cookie, wrong_length, wrong_fingerprint}) {
    const auto malformed = world.engine.counters().dropped_malformed;
    EXPECT_FALSE(world.from_client(caller.path, datagram));
    EXPECT_FALSE(world.take_sent(caller.path));
    EXPECT_EQ(world.engine.counters().dropped_malformed, malformed + 1);
  }
}

TEST(Datagrams, AreDroppedSilentlyWhenNobodyAskedForThem) {
  World world;
  Caller caller{world};
  caller.is_anonymous = true;
  for (const auto method :
       {Method::connect, Method::connection_bind, Method::send, Method::data, static_cast<Method>(0x080)})
    EXPECT_FALSE(caller.ask(method)) << "an unknown request has no answer";
  for (const auto message_class : {Class::success, Class::error, Class::indication}) {
    std::array<Byte, 64> buffer;
    for (const auto method : {Method::binding, Method::allocate, Method::data}) {
      Writer writer{buffer, method, message_class, {}};
      EXPECT_FALSE(world.from_client(caller.path, *writer.finish()));
      EXPECT_FALSE(world.take_sent(caller.path));
    }
  }
}

// --- what strangers are told ------------------------------------------------------------------------------

double ratio(const Caller& caller, const std::optional<Received>& answer) {
  return static_cast<double>(answer->bytes().size()) / static_cast<double>(caller.last().size());
}

TEST(Strangers, AreNotWorthAnAmplifier) {
  for (const bool algorithms : {true, false}) {
    Settings settings = plain_settings();
    settings.software = "a long name of a server, and its version";
    settings.password_algorithms = algorithms;
    World world{settings};
    Caller caller{world};
    caller.is_anonymous = true;
    const auto challenge = caller.try_allocate();
    EXPECT_EQ(caller.last().size(), 28U);
    EXPECT_EQ(challenge->code(), 401);
    EXPECT_EQ(challenge->reason(), "");
    EXPECT_LE(ratio(caller, challenge), algorithms ? 3.5 : 2.4);
    EXPECT_LE(ratio(caller, caller.ask(Method::binding)), 1.6);
    EXPECT_LE(ratio(caller, caller.refresh()), 3.0);
    EXPECT_LE(ratio(caller, caller.permit({peer})), 3.0);
    EXPECT_LE(ratio(caller, caller.bind(0x4000, peer)), 3.0);
    EXPECT_LE(ratio(caller, caller.ask(Method::binding,
                                       [](Writer& writer) { writer.add(AttributeType::padding, {}); })),
              3.0);
  }
}

TEST(Strangers, AreToldOf437WithoutAChallengeWhereThereIsNothingToActOn) {
  World world;
  Caller caller{world};
  caller.is_anonymous = true;
  for (const auto method : {Method::refresh, Method::create_permission, Method::channel_bind}) {
    const auto answer = caller.ask(method);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->code(), 437);
    EXPECT_EQ(answer->bytes().size(), 28U);
  }
}

TEST(Strangers, AreChallengedOnA5TupleThatHasAnAllocation) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.is_anonymous = true;
  for (const auto& answer :
       {caller.try_allocate(), caller.refresh(), caller.permit({peer}), caller.bind(0x4000, peer)}) {
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->code(), 401);
    EXPECT_EQ(answer->text(AttributeType::realm), realm);
    EXPECT_TRUE(answer->text(AttributeType::nonce));
    EXPECT_FALSE(answer->message().has(AttributeType::message_integrity));
  }
}

TEST(Strangers, HearNothingBeyondTheirRate) {
  Settings settings = plain_settings();
  settings.limits.unauthorized_per_second_per_source = 3;
  World world{settings};
  Caller stranger{world};
  stranger.is_anonymous = true;
  EXPECT_EQ(stranger.try_allocate()->code(), 401);
  EXPECT_EQ(stranger.refresh()->code(), 437);
  EXPECT_EQ(
      stranger.ask(Method::binding, [](Writer& writer) { writer.add(AttributeType::padding, {}); })->code(),
      420);
  EXPECT_FALSE(stranger.try_allocate());
  stranger.is_anonymous = false;
  stranger.nonce = "stale";
  EXPECT_FALSE(stranger.try_allocate());
  EXPECT_EQ(world.engine.counters().challenges, 1U);
  EXPECT_EQ(world.engine.counters().challenges_suppressed, 2U);
  EXPECT_EQ(world.take_reports<Refused>().size(), 3U);

  Caller neighbour{world, elsewhere};
  neighbour.is_anonymous = true;
  EXPECT_EQ(neighbour.try_allocate()->code(), 401) << "another source has a rate of its own";
  stranger.nonce.reset();
  EXPECT_TRUE(stranger.try_allocate()->is_success()) << "who proves himself is heard";
  stranger.integrity = Caller::Integrity::none;
  EXPECT_FALSE(stranger.refresh());
  world.pass(seconds{1});
  EXPECT_EQ(stranger.refresh()->code(), 401);
}

TEST(Strangers, LearnNothingOfTheSoftware) {
  Settings settings = plain_settings();
  settings.software = "turnpike";
  World world{settings};
  Caller caller{world};
  caller.username = "mallory";
  const auto denied = caller.try_allocate();
  EXPECT_EQ(denied->code(), 401);
  EXPECT_EQ(denied->reason(), "");
  EXPECT_FALSE(denied->text(AttributeType::software));

  caller.username = "alice";
  EXPECT_EQ(caller.allocate().text(AttributeType::software), "turnpike");
  const auto mismatch = caller.try_allocate();
  EXPECT_EQ(mismatch->reason(), "Allocation Mismatch");
  EXPECT_EQ(mismatch->text(AttributeType::software), "turnpike");
}

// --- unknown attributes of requests that are proved -------------------------------------------------------

TEST(UnknownAttributes, AreNamedInASignedAnswer) {
  World world;
  Caller caller{world};
  const auto with_unknown = [](Writer& writer) {
    writer.add_u32(AttributeType::connection_id, 1).add_u32(AttributeType::priority, 1);
    writer.add_u32(static_cast<AttributeType>(0x8fff), 1);
  };
  const auto refused = caller.allocate_with(with_unknown);
  EXPECT_EQ(refused->code(), 420);
  EXPECT_EQ(to_hex(*refused->message().find(AttributeType::unknown_attributes)), "002a0024");
  EXPECT_TRUE(refused->message().verify_integrity(caller.key.reveal()));
  caller.allocate();
  EXPECT_EQ(caller.ask(Method::refresh, with_unknown)->code(), 420);
  EXPECT_EQ(caller.ask(Method::create_permission, with_unknown)->code(), 420);
  EXPECT_EQ(caller.ask(Method::channel_bind, with_unknown)->code(), 420);
}

TEST(UnknownAttributes, AreOnlyTheUnknownOnes) {
  World world;
  Caller caller{world};
  const auto answer = caller.allocate_with([](Writer& writer) {
    writer.add(AttributeType::dont_fragment, {});
    writer.add_channel_number(0x4000).add_u32(static_cast<AttributeType>(0xc057), 1);
  });
  EXPECT_TRUE(answer->is_success())
      << "known ones that are not expected are ignored, and so are optional ones";
}

// --- the end of it all ------------------------------------------------------------------------------------

TEST(Draining, RefusesNewAllocationsAndKeepsRunningOnes) {
  World world;
  Caller running{world};
  running.allocate();
  world.engine.drain();
  Caller late{world, elsewhere};
  EXPECT_EQ(late.try_allocate()->code(), 486);
  EXPECT_EQ(running.refresh()->lifetime(), 600U);
  EXPECT_TRUE(running.permit({peer})->is_success());
  EXPECT_TRUE(running.send(peer, "still"));
  EXPECT_EQ(world.engine.counters().allocations_active, 1U);
}

TEST(ShuttingDown, EndsEverythingWithoutAWord) {
  World world{dual_settings()};
  Caller first{world};
  first.allocate_with([](Writer& writer) {
    writer.add_address_family(AttributeType::additional_address_family, AddressFamily::ipv6);
  });
  first.bind(0x4000, peer);
  Caller second{world, elsewhere};
  second.allocate();
  EXPECT_EQ(world.open_ports.size(), 3U);

  world.engine.shut_down(world.now);
  world.drain();
  EXPECT_TRUE(world.open_ports.empty());
  const auto ended = world.take_reports<AllocationEnded>();
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_EQ(ended[0].path, first.path);
  EXPECT_EQ(ended[0].reason, EndReason::shutdown);
  EXPECT_FALSE(world.take_sent(first.path));
  EXPECT_EQ(world.engine.counters().allocations_active, 0U);
  EXPECT_EQ(world.engine.counters().permissions_active, 0U);
  EXPECT_EQ(world.engine.counters().channels_active, 0U);
  EXPECT_FALSE(world.engine.next_timeout());
  EXPECT_EQ(second.try_allocate()->code(), 486);
}

TEST(LostPorts, EndTheirAllocation) {
  World world;
  Caller caller{world};
  caller.allocate();
  const RelayPortId port = world.open_ports.begin()->first;
  world.engine.on_port_opened(port, true, world.now);
  EXPECT_EQ(world.engine.counters().allocations_active, 1U) << "an open port is no news";
  world.engine.on_port_opened(port, false, world.now);
  world.drain();
  EXPECT_TRUE(world.open_ports.empty());
  const auto ended = world.take_reports<AllocationEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].reason, EndReason::port_lost);
  EXPECT_EQ(caller.refresh()->code(), 437);
  world.engine.on_port_opened(port, false, world.now);
  world.engine.on_port_opened(77, false, world.now);
  EXPECT_FALSE(world.engine.next_effect()) << "a port that is not there cannot be lost";
}

TEST(Listing, ShowsWhatRunsInTheOrderOfItsPorts) {
  World world;
  Caller first{world};
  Caller second{world, elsewhere};
  const auto relayed = first.allocate().relayed();
  second.become("bob", "builder");
  second.allocate();
  world.pass(seconds{10});
  first.permit({peer});
  first.send(peer, "12345");
  const auto all = world.engine.list_allocations(10, world.now);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].path, first.path);
  EXPECT_EQ(all[0].relayed, relayed.front());
  EXPECT_EQ(all[0].expires_in, seconds{590});
  EXPECT_EQ(all[0].bytes_from_client, 5U);
  EXPECT_EQ(all[1].grant->username, "bob");
  EXPECT_EQ(world.engine.list_allocations(1, world.now).size(), 1U);
}

TEST(EndReasons, HaveNames) {
  EXPECT_EQ(to_string(EndReason::expired), "expired");
  EXPECT_EQ(to_string(EndReason::refreshed_to_zero), "refreshed_to_zero");
  EXPECT_EQ(to_string(EndReason::revoked), "revoked");
  EXPECT_EQ(to_string(EndReason::credential_expired), "credential_expired");
  EXPECT_EQ(to_string(EndReason::port_lost), "port_lost");
  EXPECT_EQ(to_string(EndReason::shutdown), "shutdown");
}

}  // namespace
}  // namespace turnpike::turn::test
