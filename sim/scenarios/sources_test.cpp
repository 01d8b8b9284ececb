// Every source of credentials, from the first Allocate to an echo through the relay, and what happens when a
// credential ends.

#include "sim/scenarios/scenario.hpp"

namespace turnpike::sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using turn::ExpiryMode;

class EverySource : public Scenario, public testing::WithParamInterface<Form> {};
INSTANTIATE_TEST_SUITE_P(All, EverySource, testing::ValuesIn(all_forms),
                         [](const auto& form) { return std::string{to_string(form.param)}; });

TEST_P(EverySource, LeadsToAnEchoThroughNatAndRelay) {
  ClientHost& client = stage.add_client(stage.issue(GetParam(), "user1"));
  PeerHost& peer = stage.add_peer(peer_address);
  ASSERT_TRUE(stage.allocate(client));
  EXPECT_EQ(client.relayed().ip, at("81.2.69.160:0").ip) << "as advertised, not as bound";
  EXPECT_EQ(client.allocated->mapped.ip, stage.nat_of(client).outside());
  EXPECT_TRUE(can_talk(client, peer));
  EXPECT_EQ(peer.heard.front().from, client.relayed());
  EXPECT_TRUE(client.failures.empty());
  stage.expect_nothing_left();
}

TEST_P(EverySource, KeepsAnAllocationForHours) {
  ClientHost& client = stage.add_client(stage.issue(GetParam(), "user1"));
  PeerHost& peer = stage.add_peer(peer_address);
  ASSERT_TRUE(stage.allocate(client));
  ASSERT_TRUE(can_talk(client, peer));
  const SocketAddress relayed = client.relayed();
  for (int hour = 0; hour < 5; ++hour) {
    world.run_for(hours{1});
    EXPECT_TRUE(stage.echoes(client, peer, "hour " + std::to_string(hour)));
  }
  EXPECT_EQ(client.relayed(), relayed);
  EXPECT_TRUE(client.failures.empty());
  stage.expect_nothing_left();
}

TEST_P(EverySource, RefusesAWrongPassword) {
  Credential credential = stage.issue(GetParam(), "user1");
  if (auto* password = std::get_if<turn::PasswordCredential>(&credential.shown))
    password->password = Secret::from_text("guessed");
  else
    std::get<turn::TokenCredential>(credential.shown).mac_key = Secret::from_text("guessed");
  ClientHost& client = stage.add_client(credential);
  EXPECT_FALSE(stage.allocate(client));
  EXPECT_EQ(client.last_refusal(), 401);
  EXPECT_EQ(stage.relay.counters().allocations_created, 0U);
}

class EndingSource : public Scenario, public testing::WithParamInterface<Form> {};
INSTANTIATE_TEST_SUITE_P(All, EndingSource,
                         testing::Values(Form::computed, Form::pushed, Form::token, Form::browser_token),
                         [](const auto& form) { return std::string{to_string(form.param)}; });

TEST_P(EndingSource, MakesNoAllocationAfterItsEnd) {
  ClientHost& client = stage.add_client(stage.issue(GetParam(), "user1", minutes{10}));
  world.run_for(minutes{11});
  EXPECT_FALSE(stage.allocate(client));
  EXPECT_EQ(client.last_refusal(), 401);
}

struct Expiry : Scenario {
  explicit Expiry(ExpiryMode mode) : Scenario(with(mode)) {}
  static RelaySettings with(ExpiryMode mode) {
    RelaySettings settings = make_relay_settings();
    settings.turn.expiry = mode;
    return settings;
  }
  // Of a credential of half an hour, how long the relay keeps relaying; looked at every five minutes.
  minutes lifetime_of(Form form) {
    ClientHost& client = stage.add_client(stage.issue(form, "user1", minutes{30}));
    PeerHost& peer = stage.add_peer(peer_address);
    if (!stage.allocate(client) || !can_talk(client, peer)) return minutes{-1};
    minutes alive{0};
    while (alive < hours{8} && stage.echoes(client, peer, "after " + std::to_string(alive.count()))) {
      world.run_for(minutes{5} - seconds{2});
      alive += minutes{5};
    }
    return alive;
  }
};
struct LenientExpiry : Expiry {
  LenientExpiry() : Expiry(ExpiryMode::lenient) {}
};
struct BoundedExpiry : Expiry {
  BoundedExpiry() : Expiry(ExpiryMode::bounded) {}
};
struct StrictExpiry : Expiry {
  StrictExpiry() : Expiry(ExpiryMode::strict) {}
};

TEST_F(LenientExpiry, LooksAtTheCredentialInAllocateOnly) {
  EXPECT_GE(lifetime_of(Form::computed), hours{8});
}

TEST_F(BoundedExpiry, LetsARunningAllocationGoOnForFourHoursMore) {
  const minutes alive = lifetime_of(Form::computed);
  EXPECT_GT(alive, hours{4});
  EXPECT_LE(alive, hours{4} + minutes{40});
}

TEST_F(StrictExpiry, EndsTheAllocationWithTheCredential) {
  const minutes alive = lifetime_of(Form::computed);
  EXPECT_GE(alive, minutes{25});
  EXPECT_LE(alive, minutes{35});
}

TEST_F(StrictExpiry, HoldsForEverySource) { EXPECT_LE(lifetime_of(Form::pushed), minutes{35}); }

}  // namespace
}  // namespace turnpike::sim
