// What is taken back stops at once: the running media, and every new allocation.

#include "sim/scenarios/scenario.hpp"

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using By = credentials::Revocation::By;

struct Revocations : Scenario {
  // Allocated and talking.
  ClientHost& talking_client(const Credential& credential) {
    ClientHost& client = stage.add_client(credential);
    EXPECT_TRUE(stage.allocate(client));
    EXPECT_TRUE(can_talk(client, peer));
    return client;
  }
  // Whether a word of the peer, sent now, is heard by the client.
  bool hears(ClientHost& client, std::string_view word) {
    peer.send(client.relayed(), word);
    return world.run_until([&] { return client.has_heard(word); }, seconds{2});
  }
  PeerHost& peer = stage.add_peer(peer_address);
};

class RevocationOfEachSource : public Revocations, public testing::WithParamInterface<Form> {};
INSTANTIATE_TEST_SUITE_P(All, RevocationOfEachSource, testing::ValuesIn(all_forms),
                         [](const auto& form) { return std::string{to_string(form.param)}; });

TEST_P(RevocationOfEachSource, StopsTheMediaAtOnceAndRefusesANewAllocation) {
  const Credential credential = stage.issue(GetParam(), "user1");
  ClientHost& client = talking_client(credential);
  ClientHost& other = talking_client(stage.issue(GetParam(), "user2"));
  // Packets are on their way in both directions when it happens.
  client.send(peer.address(), "too late");
  peer.send(client.relayed(), "too late as well");
  const std::size_t heard = client.received.size();
  stage.revoke(By::subject, "user1");
  EXPECT_FALSE(stage.echoes(client, peer, "after it"));
  EXPECT_FALSE(peer.has_heard("too late"));
  EXPECT_EQ(client.received.size(), heard);
  EXPECT_EQ(stage.relay.counters().allocations_active, 1U);

  ClientHost& again = stage.add_client(credential);
  EXPECT_FALSE(stage.allocate(again));
  EXPECT_EQ(again.last_refusal(), 401);
  EXPECT_TRUE(stage.echoes(other, peer, "the other goes on"));
  stage.expect_nothing_left();
}

TEST_P(RevocationOfEachSource, RefusesTheNextRequest) {
  ClientHost& client = talking_client(stage.issue(GetParam(), "user1"));
  stage.revoke(By::subject, "user1");
  client.refresh(seconds{600});
  ASSERT_TRUE(world.run_until([&] { return client.is_idle(); }, minutes{1}));
  EXPECT_EQ(client.last_refusal(), 401) << "as anybody else who shows nothing valid";
}

TEST_F(Revocations, ByUsernameHitsThatCredentialAlone) {
  const Credential first = stage.issue(Form::computed, "user1", minutes{60});
  const Credential second = stage.issue(Form::computed, "user1", minutes{61});
  ClientHost& one = talking_client(first);
  ClientHost& two = talking_client(second);
  stage.revoke(By::username, first.username);
  EXPECT_FALSE(hears(one, "gone"));
  EXPECT_TRUE(hears(two, "still here"));
}

TEST_F(Revocations, ByTokenHashHitsThatTokenAlone) {
  const Credential first = stage.issue(Form::token, "user1");
  ClientHost& one = talking_client(first);
  ClientHost& two = talking_client(stage.issue(Form::token, "user1"));
  stage.revoke(By::token_hash, first.token_hash);
  EXPECT_FALSE(hears(one, "gone"));
  EXPECT_TRUE(hears(two, "still here"));
}

TEST_F(Revocations, ByKidHitsEverythingThatCameFromTheKey) {
  ClientHost& native = talking_client(stage.issue(Form::token, "user1"));
  ClientHost& browser = talking_client(stage.issue(Form::browser_token, "user2"));
  ClientHost& computed = talking_client(stage.issue(Form::computed, "user3"));
  stage.revoke(By::kid, "k1");
  EXPECT_FALSE(hears(native, "gone"));
  EXPECT_FALSE(hears(browser, "gone too"));
  EXPECT_TRUE(hears(computed, "still here"));
}

TEST_F(Revocations, EndsWithTheCredentialItself) {
  const Credential credential = stage.issue(Form::static_user, "user1");
  stage.relay.revoke({.by = By::username, .value = "user1", .until = world.moment().wall + minutes{10}});
  ClientHost& early = stage.add_client(credential);
  EXPECT_FALSE(stage.allocate(early));
  world.run_for(minutes{10});
  // The model holds a revocation for final; this one is over.
  ClientHost& late = stage.add_client(stage.issue(Form::static_user, "user2"));
  EXPECT_TRUE(stage.allocate(late));
}

}  // namespace
}  // namespace turnpike::sim
