#include <gtest/gtest.h>

#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

TEST(Revocation, EndsRunningAllocationsAtOnceAndRefusesNewOnes) {
  World world;
  Caller alice{world};
  alice.allocate();
  alice.bind(0x4000, peer);
  Caller bob{world, elsewhere};
  bob.become("bob", "builder");
  bob.allocate();
  EXPECT_EQ(world.revoke({credentials::Revocation::By::username, "alice"}), 1U);
  EXPECT_EQ(world.open_ports.size(), 1U);
  EXPECT_FALSE(world.take_sent(alice.path)) << "nobody is told";
  const auto ended = world.take_reports<AllocationEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].reason, EndReason::revoked);
  EXPECT_EQ(world.commons.admitted(), 1U);
  EXPECT_FALSE(alice.send_on(0x4000, "gone"));
  EXPECT_EQ(alice.try_allocate()->code(), 401);
  EXPECT_EQ(alice.refresh()->code(), 401);
  EXPECT_EQ(world.take_reports<Refused>().front().credential, credentials::Refusal::revoked);
  EXPECT_TRUE(bob.refresh()->is_success());
}

TEST(Revocation, ReachesEverySourceAndKey) {
  using By = credentials::Revocation::By;
  World world{plain_settings(), all_sources()};
  Caller pushed{world, {home.ip, 1}};
  const auto stored =
      credentials::make_pushed_credential("carol", "secret", realm, "subject 9", WallTime::max(), {});
  ASSERT_EQ(world.registry.pushed().put(stored, world.now.wall), credentials::PushOutcome::done);
  pushed.become("carol", "secret");
  pushed.allocate();
  Caller by_kid{world, {home.ip, 2}};
  by_kid.take(issue(world, seconds{600}, "8f3a"));
  by_kid.allocate();
  Caller by_hash{world, {home.ip, 3}};
  by_hash.take(issue(world, seconds{600}, "8f3b"));
  by_hash.allocate();

  EXPECT_EQ(world.revoke({By::subject, "subject 9"}), 1U);
  EXPECT_EQ(world.registry.pushed().size(), 0U);
  EXPECT_EQ(world.revoke({By::token_hash, to_hex(crypto::sha256(by_hash.token))}), 1U);
  EXPECT_EQ(world.revoke({By::kid, "k1.8f3a"}), 1U);
  EXPECT_TRUE(world.open_ports.empty());
  for (Caller* caller : {&pushed, &by_kid, &by_hash}) EXPECT_EQ(caller->try_allocate()->code(), 401);
  EXPECT_EQ(world.revoke({By::kid, "k1.8f3a"}), 0U);
}

TEST(Revocation, ByAReloadEndsTheAllocationsOfUsersWhoAreGone) {
  World world;
  Caller alice{world};
  alice.allocate();
  Caller bob{world, elsewhere};
  bob.become("bob", "builder");
  bob.allocate();
  auto settings = static_users();
  settings.static_users->users.erase("bob");
  world.registry.reconfigure(std::move(settings));
  EXPECT_EQ(world.engine.end_revoked(world.now), 1U);
  world.drain();
  EXPECT_EQ(world.open_ports.size(), 1U);
  EXPECT_EQ(bob.refresh()->code(), 401);
  EXPECT_TRUE(alice.refresh()->is_success());
}

TEST(Revocation, ElsewhereIsSeenAtTheNextRequest) {
  World world;
  Caller caller{world};
  caller.allocate();
  // Another part of the process has told the registry and not, yet, the engine.
  ASSERT_TRUE(
      world.registry.deny_list().add({credentials::Revocation::By::username, "alice"}, world.now.wall));
  EXPECT_EQ(caller.refresh()->code(), 401);
}

}  // namespace
}  // namespace turnpike::turn::test
