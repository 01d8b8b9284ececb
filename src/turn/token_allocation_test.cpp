#include <gtest/gtest.h>

#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

// RFC 7635 section 9, and the form of tokens for browsers.

TEST(Tokens, AreAnnouncedInChallenges) {
  World world{plain_settings(), all_sources()};
  Caller caller{world};
  caller.is_anonymous = true;
  EXPECT_EQ(caller.try_allocate()->text(AttributeType::third_party_authorization), server_name);
  caller.is_anonymous = false;
  caller.nonce = "stale";
  EXPECT_EQ(caller.try_allocate()->text(AttributeType::third_party_authorization), server_name);
}

TEST(Tokens, AreUnknownWhereNobodyTakesThem) {
  World world;
  Caller caller{world};
  caller.take(issue(world, seconds{600}));
  const auto refused = caller.try_allocate();
  EXPECT_EQ(refused->code(), 420);
  EXPECT_EQ(to_hex(*refused->message().find(AttributeType::unknown_attributes)), "001b");
  EXPECT_FALSE(refused->message().has(AttributeType::message_integrity));
}

TEST(Tokens, BoundTheLifetimeWhateverTheMode) {
  for (const auto mode : {ExpiryMode::lenient, ExpiryMode::bounded, ExpiryMode::strict}) {
    Settings settings = plain_settings();
    settings.expiry = mode;
    World world{settings, all_sources()};
    Caller caller{world};
    caller.take(issue(world, seconds{60}));
    const Received answer = caller.allocate();
    EXPECT_EQ(answer.lifetime(), 65U) << "and 5 seconds of grace, RFC 7635 section 9";
    EXPECT_TRUE(answer.message().verify_integrity(caller.key.reveal()));
    world.pass(seconds{25});
    caller.token.clear();
    EXPECT_EQ(caller.refresh()->lifetime(), 40U) << "it is counted down";
    world.pass(seconds{40});
    EXPECT_TRUE(world.open_ports.empty());
    EXPECT_EQ(world.take_reports<AllocationEnded>().front().reason, EndReason::credential_expired);
  }
}

TEST(Tokens, AreNeededOnceAndMayBeRepeated) {
  World world{plain_settings(), all_sources()};
  Caller caller{world};
  caller.take(issue(world, seconds{3600}));
  caller.allocate();
  EXPECT_TRUE(caller.refresh()->is_success());
  EXPECT_TRUE(caller.permit({peer})->is_success()) << "where a token is not expected it is ignored";
  caller.token.clear();
  EXPECT_TRUE(caller.refresh()->is_success());
  EXPECT_TRUE(caller.permit({peer})->is_success());
  EXPECT_TRUE(caller.bind(0x4000, peer)->is_success());
  caller.integrity = Caller::Integrity::sha256;
  EXPECT_TRUE(caller.refresh()->message().verify_integrity_sha256(caller.key.reveal()));
  caller.algorithm = PasswordAlgorithm::sha256;
  EXPECT_TRUE(caller.refresh()->is_success()) << "the mac_key is the key whatever the algorithm";
}

TEST(Tokens, MayBeUsedForSeveralAllocations) {
  World world{plain_settings(), all_sources()};
  const auto issued = issue(world, seconds{3600});
  for (std::uint16_t i = 0; i < 3; ++i) {
    Caller caller{world, {home.ip, static_cast<std::uint16_t>(1 + i)}};
    caller.take(issued);
    EXPECT_TRUE(caller.try_allocate()->is_success());
  }
}

TEST(Tokens, ThatAreSpoiledAreChallenged) {
  World world{plain_settings(), all_sources()};
  Caller caller{world};
  caller.take(issue(world, seconds{600}));
  ByteVector good = std::exchange(caller.token, {1, 2, 3});
  EXPECT_EQ(caller.try_allocate()->code(), 401);
  caller.token = good;
  caller.token.back() ^= 1;
  EXPECT_EQ(caller.try_allocate()->code(), 401);
  caller.token = good;
  const Key key = std::exchange(caller.key, Key{as_bytes("not the mac key")});
  EXPECT_EQ(caller.try_allocate()->code(), 401);
  caller.key = key;
  world.pass(seconds{605});
  EXPECT_EQ(caller.try_allocate()->code(), 401);
  EXPECT_EQ(world.engine.counters().allocations_created, 0U);
}

TEST(Tokens, ThatAreEmptyAreABadRequest) {
  World world{plain_settings(), all_sources()};
  Caller caller{world};
  const auto answer = caller.ask(Method::allocate, [](Writer& writer) {
    writer.add_requested_transport(17).add(AttributeType::access_token, {});
  });
  EXPECT_EQ(answer->code(), 400);
}

TEST(Tokens, ANewOneTakesTheAllocationOver) {
  World world{plain_settings(), all_sources()};
  Caller caller{world};
  const auto first = issue(world, seconds{100}, "8f3a");
  caller.take(first);
  caller.allocate();
  world.pass(seconds{50});
  const auto second = issue(world, seconds{1000}, "8f3b");
  caller.take(second);
  caller.token.clear();
  EXPECT_EQ(caller.permit({peer})->code(), 401) << "a kid alone proves nothing";
  caller.token = second.access_token;
  const auto moved = caller.refresh(3600);
  EXPECT_EQ(moved->lifetime(), 1005U);
  EXPECT_TRUE(moved->message().verify_integrity(caller.key.reveal()));
  EXPECT_EQ(caller.repeat()->bytes(), moved->bytes());
  caller.token.clear();
  EXPECT_TRUE(caller.permit({peer})->is_success());
  EXPECT_EQ(world.commons.quota_entries(), 2U) << "one source, and the subject is the new one";

  caller.take(first);
  caller.token.clear();
  EXPECT_EQ(caller.permit({peer})->code(), 401) << "the old key is over";
  EXPECT_EQ(world.engine.list_allocations(1, world.now).front().grant->username, second.kid);
  caller.take(second);
  EXPECT_TRUE(caller.refresh(0)->is_success());
  EXPECT_EQ(world.commons.quota_entries(), 0U);
}

TEST(Tokens, TakeOverNothingThatHadNone) {
  World world{plain_settings(), all_sources()};
  Caller caller{world};
  caller.allocate();
  caller.take(issue(world, seconds{1000}));
  EXPECT_EQ(caller.refresh()->code(), 441);
  EXPECT_EQ(caller.try_allocate()->code(), 437);
}

TEST(Tokens, OfANewSubjectCountForIt) {
  Settings settings = plain_settings();
  settings.limits.allocations_per_subject = 1;
  World world{settings, all_sources()};
  const auto first = issue(world, seconds{1000}, "8f3a");
  const auto second = issue(world, seconds{1000}, "8f3b");
  Caller other{world, elsewhere};
  other.take(second);
  other.allocate();
  Caller caller{world};
  caller.take(first);
  caller.allocate();
  caller.take(second);
  EXPECT_EQ(caller.refresh()->code(), 486);
  EXPECT_EQ(world.engine.list_allocations(9, world.now).size(), 2U);
  caller.take(first);
  EXPECT_TRUE(caller.refresh()->is_success()) << "nothing has changed";
}

TEST(Tokens, InTheFormForBrowsersAreUsernames) {
  World world{plain_settings(), all_sources()};
  Caller caller{world};
  const credentials::TokenPolicy policy{"user 7", {.bytes_per_second = 1000}};
  const auto issued =
      credentials::issue_browser_token(token_settings(), policy, world.now.wall, seconds{60}, world.random());
  caller.become(issued->username, issued->password.reveal_text());
  EXPECT_EQ(caller.allocate().lifetime(), 600U) << "the operator's mode bounds it, here by some hours";
  EXPECT_EQ(world.engine.list_allocations(1, world.now).front().grant->subject, "user 7");
  world.pass(seconds{120});
  EXPECT_TRUE(caller.refresh()->is_success());
  Caller late{world, elsewhere};
  late.become(issued->username, issued->password.reveal_text());
  EXPECT_EQ(late.try_allocate()->code(), 401);
}

}  // namespace
}  // namespace turnpike::turn::test
