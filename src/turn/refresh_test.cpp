#include "turn/refresh.hpp"

#include <gtest/gtest.h>

#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

const auto both_families = [](Writer& writer) {
  writer.add_address_family(AttributeType::additional_address_family, AddressFamily::ipv6);
};

std::optional<Received> refresh_family(Caller& caller, AddressFamily family, std::uint32_t lifetime) {
  return caller.ask(Method::refresh, [&](Writer& writer) {
    writer.add_u32(AttributeType::lifetime, lifetime);
    writer.add_address_family(AttributeType::requested_address_family, family);
  });
}

TEST(Refresh, ExtendsTheLifetimeFromNow) {
  World world;
  Caller caller{world};
  caller.allocate();
  world.pass(seconds{500});
  const auto answer = caller.refresh();
  EXPECT_EQ(answer->lifetime(), 600U);
  EXPECT_TRUE(answer->message().verify_integrity(caller.key.reveal()));
  world.pass(seconds{600} - nanoseconds{1});
  EXPECT_EQ(world.open_ports.size(), 1U);
  world.pass(nanoseconds{1});
  EXPECT_TRUE(world.open_ports.empty());
}

TEST(Refresh, GivesWhatIsAskedForWithinLimits) {
  World world;
  Caller caller{world};
  caller.allocate();
  for (const auto& [asked, given] : {std::pair{1U, 600U}, {601U, 601U}, {3600U, 3600U}, {UINT32_MAX, 3600U}})
    EXPECT_EQ(caller.refresh(asked)->lifetime(), given);
}

TEST(Refresh, MayAlsoShortenTheLifetime) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.refresh(3600);
  caller.refresh(600);
  world.pass(seconds{600});
  EXPECT_TRUE(world.open_ports.empty());
}

TEST(Refresh, WithZeroDeletes) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.permit({peer});
  const auto answer = caller.refresh(0);
  EXPECT_TRUE(answer->is_success());
  EXPECT_EQ(answer->lifetime(), 0U);
  EXPECT_TRUE(world.open_ports.empty());
  EXPECT_EQ(world.commons.admitted(), 0U);
  EXPECT_EQ(world.take_reports<AllocationEnded>().front().reason, EndReason::refreshed_to_zero);
  EXPECT_EQ(world.engine.counters().permissions_active, 0U);
  EXPECT_FALSE(caller.send(peer, "gone"));
}

TEST(Refresh, WithoutAnAllocationIsAMismatch) {
  World world;
  Caller caller{world};
  for (const auto lifetime : {0U, 600U}) {
    const auto answer = caller.refresh(lifetime);
    EXPECT_EQ(answer->code(), 437);
    EXPECT_TRUE(answer->message().verify_integrity(caller.key.reveal()));
  }
}

TEST(Refresh, RefusesWhatIsMalformed) {
  World world;
  Caller caller{world};
  caller.allocate();
  for (const auto type : {AttributeType::lifetime, AttributeType::requested_address_family})
    EXPECT_EQ(caller.ask(Method::refresh, [&](Writer& writer) { writer.add(type, ByteVector(3)); })->code(),
              400);
  EXPECT_EQ(world.open_ports.size(), 1U);
}

// --- retransmissions --------------------------------------------------------------------------------------

TEST(Refresh, AnswersARetransmissionTheSameAndExtendsNothing) {
  World world;
  Caller caller{world};
  caller.allocate();
  const ByteVector first = caller.refresh(700)->bytes();
  world.pass(seconds{40});
  EXPECT_EQ(caller.repeat()->bytes(), first);
  world.pass(seconds{660});
  EXPECT_TRUE(world.open_ports.empty());
}

TEST(Refresh, AnswersARetransmittedDeletionTheSame) {
  World world;
  Caller caller{world};
  caller.allocate();
  const ByteVector first = caller.refresh(0)->bytes();
  EXPECT_EQ(caller.repeat()->bytes(), first);
  world.pass(seconds{40} - nanoseconds{1});
  EXPECT_EQ(caller.repeat()->bytes(), first);
  world.pass(seconds{41});
  EXPECT_EQ(caller.repeat()->code(), 437) << "it is forgotten one day";
  EXPECT_FALSE(world.engine.next_timeout()) << "and nothing is left of it";
}

TEST(Refresh, DoesNotTakeANewDeletionForARepeatedOne) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.refresh(0);
  EXPECT_EQ(caller.refresh(0)->code(), 437);
}

TEST(Refresh, AnswersTheRepetitionOfAnOlderOneAnew) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.refresh(700);
  const ByteVector older = caller.last();
  caller.refresh(800);
  EXPECT_FALSE(world.from_client(caller.path, older));
  EXPECT_EQ(world.take_sent(caller.path)->lifetime(), 700U);
}

TEST(Refresh, KnowsNoRequestBeforeTheFirst) {
  World world;
  Caller caller{world};
  caller.allocate();
  ByteVector buffer(512);
  Writer writer{buffer, Method::refresh, Class::request, {}};  // the id is all zeros
  writer.add_text(AttributeType::username, "alice").add_text(AttributeType::realm, realm);
  writer.add_text(AttributeType::nonce, world.nonces.mint(home, world.now.wall).text());
  writer.add_integrity(caller.key.reveal());
  EXPECT_FALSE(world.from_client(caller.path, *writer.finish()));
  EXPECT_EQ(world.take_sent(caller.path)->lifetime(), 600U);
}

// --- both families ----------------------------------------------------------------------------------------

TEST(Refresh, OfAnotherFamilyIsAMismatch) {
  World world{dual_settings()};
  Caller caller{world};
  caller.allocate();
  EXPECT_EQ(refresh_family(caller, AddressFamily::ipv6, 600)->code(), 443);
  EXPECT_EQ(refresh_family(caller, static_cast<AddressFamily>(3), 600)->code(), 443);
  EXPECT_TRUE(refresh_family(caller, AddressFamily::ipv4, 600)->is_success());
}

TEST(Refresh, OfOneFamilyLeavesTheOther) {
  World world{dual_settings()};
  Caller caller{world};
  const auto relayed = caller.allocate_with(both_families)->relayed();
  EXPECT_EQ(refresh_family(caller, AddressFamily::ipv6, 1200)->lifetime(), 1200U);
  world.pass(seconds{600});
  EXPECT_FALSE(world.find_port(relayed[0]));
  EXPECT_TRUE(world.find_port(relayed[1]));
  EXPECT_TRUE(world.take_reports<AllocationEnded>().empty());
  EXPECT_EQ(caller.permit({peer})->code(), 443) << "there is no IPv4 any more";
  EXPECT_TRUE(caller.permit({peer6})->is_success());
  EXPECT_EQ(world.engine.list_allocations(1, world.now).front().relayed, relayed[1]);
  world.pass(seconds{600});
  EXPECT_TRUE(world.open_ports.empty());
  EXPECT_EQ(world.take_reports<AllocationEnded>().size(), 1U);
}

TEST(Refresh, WithZeroDeletesOneFamilyAlone) {
  World world{dual_settings()};
  Caller caller{world};
  const auto relayed = caller.allocate_with(both_families)->relayed();
  caller.bind(0x4000, peer);
  const ByteVector first = refresh_family(caller, AddressFamily::ipv4, 0)->bytes();
  EXPECT_EQ(caller.repeat()->bytes(), first);
  EXPECT_FALSE(world.find_port(relayed[0]));
  EXPECT_TRUE(world.find_port(relayed[1]));
  EXPECT_EQ(world.engine.counters().allocations_active, 1U);
  EXPECT_FALSE(caller.send_on(0x4000, "to nowhere"));
  EXPECT_EQ(refresh_family(caller, AddressFamily::ipv4, 600)->code(), 443);
  EXPECT_EQ(refresh_family(caller, AddressFamily::ipv6, 0)->lifetime(), 0U);
  EXPECT_TRUE(world.open_ports.empty());
  EXPECT_EQ(world.engine.counters().allocations_active, 0U);
}

TEST(Refresh, ALostPortOfTwoLeavesTheOther) {
  World world{dual_settings()};
  Caller caller{world};
  const auto relayed = caller.allocate_with(both_families)->relayed();
  world.engine.on_port_opened(*world.find_port(relayed[1]), false, world.now);
  world.drain();
  EXPECT_TRUE(world.find_port(relayed[0]));
  EXPECT_FALSE(world.find_port(relayed[1]));
  EXPECT_TRUE(caller.refresh()->is_success());
}

// --- what the credential's end means ----------------------------------------------------------------------

struct ExpiryWorld {
  explicit ExpiryWorld(ExpiryMode mode, seconds slack = seconds{1000})
      : world(settings_of(mode, slack), all_sources()) {
    // Refused from the second on that follows the one in its name.
    const auto issued =
        credentials::issue_computed(computed_settings(), "opaque", world.now.wall + seconds{699});
    caller.become(issued.username, issued.password.reveal_text());
  }
  static Settings settings_of(ExpiryMode mode, seconds slack) {
    Settings settings = plain_settings();
    settings.expiry = mode;
    settings.limits.expiry_slack = slack;
    return settings;
  }
  World world;
  Caller caller{world};
};

std::optional<std::uint32_t> allocate_for(Caller& caller, std::uint32_t lifetime) {
  return caller.allocate_with([&](Writer& writer) { writer.add_u32(AttributeType::lifetime, lifetime); })
      ->lifetime();
}

TEST(Expiry, LenientAsksAtAllocateOnly) {
  ExpiryWorld in{ExpiryMode::lenient};
  EXPECT_EQ(allocate_for(in.caller, 3600), 3600U);
  in.world.pass(seconds{3500});
  EXPECT_EQ(in.caller.refresh(3600)->lifetime(), 3600U);
}

TEST(Expiry, BoundedGoesOnForAWhile) {
  ExpiryWorld in{ExpiryMode::bounded};
  EXPECT_EQ(allocate_for(in.caller, 3600), 1700U);
  in.world.pass(seconds{800});
  EXPECT_EQ(in.caller.refresh(600)->lifetime(), 600U);
  in.world.pass(seconds{500});
  EXPECT_EQ(in.caller.refresh()->lifetime(), 400U) << "less than the minimum, but no more is left";
  in.world.pass(seconds{400} - nanoseconds{1});
  const auto refused = in.caller.refresh();
  EXPECT_EQ(refused->code(), 401);
  EXPECT_FALSE(in.world.open_ports.empty());
  in.world.pass(nanoseconds{1});
  EXPECT_TRUE(in.world.open_ports.empty());
  EXPECT_EQ(in.world.take_reports<AllocationEnded>().front().reason, EndReason::credential_expired);
}

TEST(Expiry, StrictEndsWithTheCredential) {
  ExpiryWorld in{ExpiryMode::strict};
  EXPECT_EQ(allocate_for(in.caller, 3600), 700U);
  in.world.pass(seconds{100} + milliseconds{500});
  EXPECT_EQ(in.caller.refresh()->lifetime(), 599U) << "in whole seconds that are left";
  in.world.pass(seconds{598} + milliseconds{500});
  EXPECT_EQ(in.caller.refresh()->lifetime(), 1U);
  in.world.pass(nanoseconds{1});
  const auto refused = in.caller.refresh();
  EXPECT_EQ(refused->code(), 401);
  EXPECT_EQ(in.world.take_reports<Refused>().front().credential, credentials::Refusal::expired);
  in.world.pass(seconds{1});
  EXPECT_TRUE(in.world.open_ports.empty());
  EXPECT_EQ(in.world.take_reports<AllocationEnded>().front().reason, EndReason::credential_expired);
}

TEST(Expiry, ACredentialInItsLastSecondAllocatesNothing) {
  ExpiryWorld in{ExpiryMode::strict};
  in.world.pass(seconds{699} + nanoseconds{1});
  EXPECT_EQ(in.caller.try_allocate()->code(), 401);
  EXPECT_EQ(in.world.commons.admitted(), 0U);
}

TEST(Expiry, ARefreshAfterALongOneSaysWhyItEnds) {
  ExpiryWorld in{ExpiryMode::strict};
  allocate_for(in.caller, 3600);
  in.caller.refresh(600);
  in.world.pass(seconds{600});
  EXPECT_EQ(in.world.take_reports<AllocationEnded>().front().reason, EndReason::expired);
}

TEST(Expiry, FollowsAnExtension) {
  Settings settings = plain_settings();
  settings.expiry = ExpiryMode::strict;
  World world{settings, static_and_pushed()};
  Caller caller{world};
  const WallTime end = world.now.wall + seconds{100};
  const auto stored = credentials::make_pushed_credential("carol", "secret", realm, "", end, {});
  ASSERT_EQ(world.registry.pushed().put(stored, world.now.wall), credentials::PushOutcome::done);
  caller.become("carol", "secret");
  EXPECT_EQ(caller.allocate().lifetime(), 100U);
  ASSERT_EQ(world.registry.pushed().extend("carol", end + seconds{200}), credentials::PushOutcome::done);
  EXPECT_EQ(caller.refresh()->lifetime(), 300U);
}

}  // namespace
}  // namespace turnpike::turn::test
