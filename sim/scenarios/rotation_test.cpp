// Keys change, tokens are renewed and clocks are set while allocations run.

#include "sim/scenarios/scenario.hpp"

namespace turnpike::sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct Rotation : Scenario {
  // The relay's settings with these shared secrets alone, the first one issuing.
  void use_secrets(std::initializer_list<const char*> ids) {
    credentials::RegistrySettings settings = stage.relay.settings().credentials;
    settings.computed->secrets.clear();
    for (const char* id : ids)
      settings.computed->secrets.push_back(
          {id, Secret::from_text("a shared secret named " + std::string{id})});
    stage.relay.reconfigure(settings);
  }
  bool is_accepted(const Credential& credential) { return stage.allocate(stage.add_client(credential)); }
  PeerHost& peer = stage.add_peer(peer_address);
};

TEST_F(Rotation, TwoSecretsServeAtOnceUntilTheOldOneIsTakenAway) {
  use_secrets({"old"});
  const Credential by_old = stage.issue(Form::computed, "user1");
  ClientHost& running = stage.add_client(by_old);
  ASSERT_TRUE(stage.allocate(running));
  use_secrets({"old", "new"});  // published before it is used
  EXPECT_TRUE(is_accepted(stage.issue(Form::computed, "user2")));
  use_secrets({"new", "old"});
  const Credential by_new = stage.issue(Form::computed, "user3");
  EXPECT_EQ(by_new.kid, "new");
  EXPECT_TRUE(is_accepted(by_new));
  EXPECT_TRUE(is_accepted(by_old));
  use_secrets({"new"});
  EXPECT_FALSE(is_accepted(by_old));
  EXPECT_TRUE(is_accepted(stage.issue(Form::computed, "user4")));
  EXPECT_TRUE(can_talk(running, peer)) << "what runs goes on";
}

TEST_F(Rotation, TheKeysOfTokensRotateTheSameWay) {
  const Credential by_first = stage.issue(Form::token, "user1");
  credentials::RegistrySettings settings = stage.relay.settings().credentials;
  std::swap(settings.token->keys[0], settings.token->keys[1]);
  stage.relay.reconfigure(settings);
  const Credential by_second = stage.issue(Form::token, "user2");
  EXPECT_NE(by_first.kid, by_second.kid);
  EXPECT_TRUE(is_accepted(by_first));
  EXPECT_TRUE(is_accepted(by_second));
  settings.token->keys.pop_back();
  stage.relay.reconfigure(settings);
  EXPECT_FALSE(is_accepted(by_first));
}

TEST_F(Rotation, ATokenBoundsItsAllocation) {
  ClientHost& client = stage.add_client(stage.issue(Form::token, "user1", minutes{15}));
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  EXPECT_LE(client.allocated->lifetime, minutes{15});
  world.run_for(minutes{14});
  EXPECT_TRUE(stage.echoes(client, peer, "still"));
  world.run_for(minutes{2});
  EXPECT_FALSE(stage.echoes(client, peer, "no more"));
}

TEST_F(Rotation, ANewTokenTakesOverARunningAllocation) {
  ClientHost& client = stage.add_client(stage.issue(Form::token, "user1", minutes{15}));
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  const SocketAddress relayed = client.relayed();
  for (int renewal = 0; renewal < 10; ++renewal) {
    world.run_for(minutes{10});
    client.change_credential(stage.issue(Form::token, "user1", minutes{15}).shown);
    client.refresh(seconds{600});
    EXPECT_TRUE(stage.echoes(client, peer, "renewal " + std::to_string(renewal)));
  }
  EXPECT_EQ(client.relayed(), relayed);
  EXPECT_TRUE(client.failures.empty());
  EXPECT_EQ(stage.relay.counters().allocations_created, 1U);
}

TEST_F(Rotation, ARevokedTokenIsNoWayBackIntoTheAllocation) {
  const Credential first = stage.issue(Form::token, "user1", minutes{15});
  ClientHost& client = stage.add_client(first);
  ASSERT_TRUE(stage.allocate(client));
  stage.revoke(credentials::Revocation::By::token_hash, first.token_hash);
  client.change_credential(stage.issue(Form::token, "user1", minutes{15}).shown);
  client.refresh(seconds{600});
  ASSERT_TRUE(world.run_until([&] { return client.is_idle(); }, minutes{1}));
  EXPECT_EQ(client.last_refusal(), 437);
  EXPECT_TRUE(stage.allocate(client)) << "but the new token is good for a new one";
}

// --- clocks -----------------------------------------------------------------------------------------------

class ClockStep : public Rotation, public testing::WithParamInterface<seconds> {};
INSTANTIATE_TEST_SUITE_P(Hours, ClockStep, testing::Values(hours{3}, -hours{3}, seconds{-1}, hours{20}),
                         [](const auto& step) {
                           const auto count = step.param.count();
                           return (count < 0 ? "Back" : "Ahead") + std::to_string(count < 0 ? -count : count);
                         });

TEST_P(ClockStep, DisturbsNoRunningAllocation) {
  ClientHost& client = stage.add_client(stage.issue(Form::computed, "user1"));
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  world.step_wall_clock(GetParam());
  EXPECT_TRUE(stage.echoes(client, peer, "right after it"));
  for (int i = 0; i < 6; ++i) {
    world.run_for(minutes{10});
    EXPECT_TRUE(stage.echoes(client, peer, "later " + std::to_string(i)));
  }
  EXPECT_TRUE(client.failures.empty()) << "stale nonces are renewed without a word";
  stage.expect_nothing_left();
}

TEST_F(Rotation, AClockThatIsSetAheadEndsCredentialsForNewAllocations) {
  const Credential credential = stage.issue(Form::computed, "user1", hours{1});
  world.step_wall_clock(hours{2});
  EXPECT_FALSE(is_accepted(credential));
  world.step_wall_clock(-hours{2});
  EXPECT_TRUE(is_accepted(credential));
}

TEST_F(Rotation, ATokenFromTheFutureIsRefused) {
  world.step_wall_clock(hours{1});
  const Credential credential = stage.issue(Form::token, "user1", minutes{10});
  world.step_wall_clock(-hours{1});
  EXPECT_FALSE(is_accepted(credential));
}

}  // namespace
}  // namespace turnpike::sim
