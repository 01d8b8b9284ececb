#include "turn/authenticator.hpp"

#include <gtest/gtest.h>

#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

// The checks of RFC 8489 section 9.2.4 in their order, seen through Allocate.

std::vector<credentials::Refusal> take_reasons(World& world) {
  std::vector<credentials::Refusal> reasons;
  for (const Refused& refused : world.take_reports<Refused>())
    if (refused.credential) reasons.push_back(*refused.credential);
  return reasons;
}

TEST(Challenge, SaysWhatTheClientNeeds) {
  World world;
  Caller caller{world};
  caller.is_anonymous = true;
  const auto challenge = caller.try_allocate();
  EXPECT_EQ(challenge->code(), 401);
  EXPECT_EQ(challenge->text(AttributeType::realm), realm);
  EXPECT_EQ(*challenge->message().password_algorithms(), (stun::PasswordAlgorithmList{{2, 1}, 2}));
  EXPECT_FALSE(challenge->message().has(AttributeType::third_party_authorization));
  EXPECT_FALSE(challenge->message().has(AttributeType::fingerprint));
  caller.is_anonymous = false;
  caller.nonce = challenge->text(AttributeType::nonce);
  EXPECT_TRUE(caller.try_allocate()->is_success());
}

TEST(Challenge, OffersNoAlgorithmsWhenTheyAreOff) {
  Settings settings = plain_settings();
  settings.password_algorithms = false;
  World world{settings};
  Caller caller{world};
  caller.is_anonymous = true;
  const auto challenge = caller.try_allocate();
  EXPECT_FALSE(challenge->message().has(AttributeType::password_algorithms));
  EXPECT_EQ(challenge->text(AttributeType::nonce)->size(), 16U);
}

TEST(Challenge, AlsoAnswersAStaleNonce) {
  World world;
  Caller caller{world};
  caller.nonce = world.nonces.mint(home, world.now.wall).text();
  world.pass(seconds{601});
  const auto stale = caller.try_allocate();
  EXPECT_EQ(stale->code(), 438);
  EXPECT_EQ(stale->text(AttributeType::realm), realm);
  EXPECT_TRUE(stale->message().has(AttributeType::password_algorithms));
  EXPECT_FALSE(stale->message().has(AttributeType::message_integrity));
  caller.nonce = stale->text(AttributeType::nonce);
  EXPECT_TRUE(caller.try_allocate()->is_success());
  EXPECT_EQ(world.engine.counters().challenges, 1U);
}

TEST(Challenge, ANonceIsForOneAddress) {
  World world;
  Caller caller{world};
  caller.nonce = world.nonces.mint(elsewhere, world.now.wall).text();
  EXPECT_EQ(caller.try_allocate()->code(), 438);
}

TEST(Integrity, WithoutAnIdentityIsABadRequest) {
  World world;
  const auto answer_without = [&](AttributeType left_out) {
    Caller caller{world};
    caller.is_anonymous = true;
    return caller.ask(Method::allocate, [&](Writer& writer) {
      writer.add_requested_transport(17);
      const auto add = [&](AttributeType type, std::string_view text) {
        if (type != left_out) writer.add_text(type, text);
      };
      add(AttributeType::username, "alice");
      add(AttributeType::realm, realm);
      add(AttributeType::nonce, world.nonces.mint(home, world.now.wall).text());
      writer.add_integrity(caller.key.reveal());
    });
  };
  for (const auto type : {AttributeType::username, AttributeType::realm, AttributeType::nonce}) {
    const auto answer = answer_without(type);
    EXPECT_EQ(answer->code(), 400);
    EXPECT_EQ(answer->bytes().size(), 28U) << "and there is no challenge in it";
  }
  EXPECT_TRUE(answer_without(AttributeType::software)->is_success());
}

TEST(Integrity, WithAMalformedIdentityIsABadRequest) {
  World world;
  Caller caller{world};
  caller.username = "";
  EXPECT_EQ(caller.try_allocate()->code(), 400);
  caller.username = std::string(509, 'a');
  EXPECT_EQ(caller.try_allocate()->code(), 400);
  caller.is_anonymous = true;
  EXPECT_EQ(
      caller
          .ask(Method::allocate,
               [&](Writer& writer) {
                 writer.add(AttributeType::userhash, ByteVector(31)).add_text(AttributeType::realm, realm);
                 writer.add_text(AttributeType::nonce, "n").add_integrity(caller.key.reveal());
               })
          ->code(),
      400);
}

TEST(Integrity, IsAnsweredInKind) {
  World world;
  Caller caller{world};
  const auto with_sha1 = caller.try_allocate();
  EXPECT_TRUE(with_sha1->message().verify_integrity(caller.key.reveal()));
  EXPECT_FALSE(with_sha1->message().has(AttributeType::message_integrity_sha256));
  caller.integrity = Caller::Integrity::sha256;
  for (const bool both : {true, false}) {
    caller.has_both = both;
    const auto with_sha256 = caller.refresh();
    EXPECT_TRUE(with_sha256->message().verify_integrity_sha256(caller.key.reveal()));
    EXPECT_FALSE(with_sha256->message().has(AttributeType::message_integrity));
  }
  EXPECT_TRUE(caller.try_allocate()->message().verify_integrity_sha256(caller.key.reveal()))
      << "and so are refusals";
}

TEST(Integrity, OfSha256CountsWhereThereAreBoth) {
  World world;
  Caller caller{world};
  caller.is_anonymous = true;
  const auto answer = caller.ask(Method::allocate, [&](Writer& writer) {
    writer.add_requested_transport(17).add_text(AttributeType::username, "alice");
    writer.add_text(AttributeType::realm, realm);
    writer.add_text(AttributeType::nonce, world.nonces.mint(home, world.now.wall).text());
    writer.add_integrity(caller.key.reveal()).add_integrity_sha256(as_bytes("another key"));
  });
  EXPECT_EQ(answer->code(), 401);
}

TEST(Credentials, ThatAreWrongAreChallengedAndCounted) {
  World world;
  Caller caller{world};
  caller.become("alice", "looking-glass");
  EXPECT_EQ(caller.try_allocate()->code(), 401);
  EXPECT_EQ(take_reasons(world), std::vector{credentials::Refusal::wrong_key});
  caller.become("mallory", "wonderland");
  const auto unknown = caller.try_allocate();
  EXPECT_EQ(unknown->code(), 401);
  EXPECT_TRUE(unknown->text(AttributeType::nonce));
  EXPECT_EQ(take_reasons(world), std::vector{credentials::Refusal::unknown_user});
  caller.become("alice", "wonderland");
  caller.claimed_realm = "elsewhere";
  EXPECT_EQ(caller.try_allocate()->code(), 401);
  EXPECT_EQ(take_reasons(world), std::vector{credentials::Refusal::wrong_realm});
  const auto& refusals = world.engine.counters().refusals;
  EXPECT_EQ(refusals[static_cast<std::size_t>(credentials::Refusal::wrong_key)], 1U);
  EXPECT_EQ(refusals[static_cast<std::size_t>(credentials::Refusal::unknown_user)], 1U);
  EXPECT_EQ(refusals[static_cast<std::size_t>(credentials::Refusal::wrong_realm)], 1U);
}

TEST(Credentials, GetTheSameAnswerWhateverIsWrong) {
  World world;
  Caller caller{world};
  caller.become("alice", "looking-glass");
  const auto wrong_key = caller.try_allocate();
  caller.become("mallory", "wonderland");
  const auto unknown = caller.try_allocate();
  EXPECT_EQ(to_hex(Bytes{wrong_key->bytes()}.subspan(20)), to_hex(Bytes{unknown->bytes()}.subspan(20)));
}

TEST(Algorithms, OfRfc8489AreNegotiated) {
  World world;
  Caller caller{world};
  caller.algorithm = PasswordAlgorithm::sha256;
  caller.integrity = Caller::Integrity::sha256;
  caller.become("alice", "wonderland");
  EXPECT_EQ(caller.key.reveal().size(), 32U);
  EXPECT_TRUE(caller.allocate().message().verify_integrity_sha256(caller.key.reveal()));
  EXPECT_TRUE(caller.refresh()->is_success());
  caller.algorithm = PasswordAlgorithm::md5;
  caller.become("alice", "wonderland");
  EXPECT_TRUE(caller.refresh()->is_success()) << "both are good at any time";
  caller.algorithm.reset();
  EXPECT_TRUE(caller.refresh()->is_success()) << "and MD5 is meant where none is named";
}

template <typename Fill>
int code_of_offer(World& world, std::string_view nonce, Fill fill) {
  Caller caller{world, elsewhere};
  caller.is_anonymous = true;
  return caller
      .ask(Method::allocate,
           [&](Writer& writer) {
             writer.add_requested_transport(17).add_text(AttributeType::username, "alice");
             writer.add_text(AttributeType::realm, realm).add_text(AttributeType::nonce, nonce);
             fill(writer);
             writer.add_integrity(caller.key.reveal());
           })
      ->code();
}

TEST(Algorithms, CannotBeBidDown) {
  using stun::PasswordAlgorithmValue;
  World world;
  const auto nonce = world.nonces.mint(elsewhere, world.now.wall);
  const auto code = [&](auto fill) { return code_of_offer(world, nonce.text(), fill); };
  const stun::PasswordAlgorithmList offered{{2, 1}, 2};
  EXPECT_EQ(code([&](Writer& writer) { writer.add_password_algorithms(offered); }), 400);
  EXPECT_EQ(code([](Writer& writer) { writer.add_password_algorithm(PasswordAlgorithmValue::md5); }), 400);
  for (const stun::PasswordAlgorithmList& list :
       {stun::PasswordAlgorithmList{{1}, 1}, stun::PasswordAlgorithmList{{1, 2}, 2},
        stun::PasswordAlgorithmList{{2, 1, 3}, 3}})
    EXPECT_EQ(code([&](Writer& writer) {
                writer.add_password_algorithms(list).add_password_algorithm(PasswordAlgorithmValue::md5);
              }),
              400);
  EXPECT_EQ(code([&](Writer& writer) {
              writer.add_password_algorithms(offered);
              writer.add_password_algorithm(static_cast<PasswordAlgorithmValue>(3));
            }),
            400);
  EXPECT_EQ(code([&](Writer& writer) {
              writer.add_password_algorithms(offered);
              writer.add(AttributeType::password_algorithm, ByteVector(3));
            }),
            400);
  // A nonce whose promise somebody has taken out is not one of ours any more.
  EXPECT_EQ(code_of_offer(world, nonce.text().substr(13), [](Writer&) {}), 438);
  EXPECT_EQ(code([&](Writer& writer) {
              writer.add_password_algorithms(offered).add_password_algorithm(PasswordAlgorithmValue::md5);
            }),
            0);
}

TEST(Algorithms, AreNoMatterWhenTheyAreOff) {
  Settings settings = plain_settings();
  settings.password_algorithms = false;
  World world{settings};
  const auto nonce = world.nonces.mint(elsewhere, world.now.wall);
  EXPECT_EQ(
      code_of_offer(world, nonce.text(), [](Writer& writer) { writer.add_password_algorithms({{7}, 1}); }),
      0);
}

TEST(Anonymity, AUserMayHideHisName) {
  World world;
  Caller caller{world};
  caller.is_hashed = true;
  caller.allocate();
  EXPECT_EQ(world.take_reports<AllocationCreated>().front().grant->username, "alice");
  EXPECT_TRUE(caller.refresh()->is_success());
  caller.is_hashed = false;
  EXPECT_TRUE(caller.refresh()->is_success());
  caller.username = "bob";
  caller.is_hashed = true;
  EXPECT_EQ(caller.refresh()->code(), 401) << "the key is not bob's";
}

// --- on a running allocation ------------------------------------------------------------------------------

TEST(Owner, IsTheOnlyOneToAct) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.become("bob", "builder");
  for (const auto& answer : {caller.refresh(), caller.permit({peer}), caller.bind(0x4000, peer)}) {
    EXPECT_EQ(answer->code(), 441);
    EXPECT_TRUE(answer->message().verify_integrity(caller.key.reveal())) << "it is bob who is told";
  }
  EXPECT_EQ(caller.try_allocate()->code(), 437);
  caller.become("bob", "nonsense");
  EXPECT_EQ(caller.refresh()->code(), 401);
  caller.become("alice", "wonderland");
  EXPECT_TRUE(caller.refresh()->is_success());
}

TEST(Owner, NeedNotBeGrantedANewAllocation) {
  auto sources = all_sources();
  World world{plain_settings(), sources};
  Caller caller{world};
  const auto issued =
      credentials::issue_computed(computed_settings(), "opaque", world.now.wall + seconds{60});
  caller.become(issued.username, issued.password.reveal_text());
  caller.allocate();
  world.pass(seconds{120});
  EXPECT_TRUE(caller.refresh()->is_success());
  EXPECT_TRUE(caller.permit({peer})->is_success());
  Caller late{world, elsewhere};
  late.become(issued.username, issued.password.reveal_text());
  EXPECT_EQ(late.try_allocate()->code(), 401);
  EXPECT_EQ(take_reasons(world), std::vector{credentials::Refusal::expired});
}

TEST(Owner, MayHaveANewPassword) {
  World world;
  Caller caller{world};
  caller.allocate();
  auto sources = static_users();
  sources.static_users->users["alice"] = Secret::from_text("looking-glass");
  world.registry.reconfigure(sources);
  EXPECT_EQ(caller.refresh()->code(), 401) << "the old one was taken back";
  EXPECT_EQ(take_reasons(world), std::vector{credentials::Refusal::revoked});
  caller.become("alice", "looking-glass");
  EXPECT_TRUE(caller.permit({peer})->is_success());
  EXPECT_TRUE(caller.refresh()->is_success());
  EXPECT_EQ(world.engine.list_allocations(1, world.now).front().grant->key, caller.key);
}

TEST(Owner, OfAnotherRealmIsNone) {
  World world;
  Caller caller{world};
  caller.allocate();
  caller.claimed_realm = "elsewhere";
  EXPECT_EQ(caller.refresh()->code(), 401);
}

TEST(Owner, IsAskedForAFreshNonceToo) {
  World world;
  Caller caller{world};
  caller.nonce = world.nonces.mint(home, world.now.wall).text();
  caller.allocate();
  caller.refresh(3600);
  world.pass(seconds{601});
  EXPECT_EQ(caller.refresh()->code(), 438);
  caller.nonce.reset();
  EXPECT_TRUE(caller.refresh()->is_success());
}

}  // namespace
}  // namespace turnpike::turn::test
