#include "turn/client.hpp"

#include <gtest/gtest.h>

#include "turn/client_script.hpp"

namespace turnpike::turn {
namespace {

using namespace script;

// --- authentication ---------------------------------------------------------------------------------------

TEST(ClientAuthentication, FirstAllocateShowsNoCredential) {
  World world;
  world.client.start(world.now);
  const auto request = world.take_one();
  const Message message = decode(request);
  EXPECT_EQ(message.method(), Method::allocate);
  EXPECT_EQ(*message.requested_transport(), 17);
  EXPECT_FALSE(message.has(AttributeType::username));
  EXPECT_FALSE(message.has(AttributeType::message_integrity));
}

TEST(ClientAuthentication, AnswersAChallengeWithMd5WhereNothingElseIsOffered) {
  World world;
  world.client.start(world.now);
  const auto first = world.take_one();
  world.challenge(first, ErrorCode::unauthenticated, plain_nonce);
  const auto second = world.take_one();
  const Message message = decode(second);
  EXPECT_NE(message.transaction_id(), decode(first).transaction_id());
  EXPECT_EQ(*message.text(AttributeType::username, 508), "alice");
  EXPECT_EQ(*message.text(AttributeType::realm, 763), "ims.example");
  EXPECT_EQ(*message.text(AttributeType::nonce, 763), plain_nonce);
  EXPECT_TRUE(message.verify_integrity(key_of(PasswordAlgorithm::md5).reveal()));
  EXPECT_FALSE(message.has(AttributeType::message_integrity_sha256));
  EXPECT_FALSE(message.has(AttributeType::password_algorithm));
}

TEST(ClientAuthentication, DescribesTheServer) {
  World world;
  world.client.start(world.now);
  world.answer(world.take_one(), Class::error, [](Writer& writer) {
    writer.add_error(ErrorCode::unauthenticated)
        .add_text(AttributeType::realm, "ims.example")
        .add_text(AttributeType::nonce, sha256_nonce)
        .add_password_algorithms(both_algorithms)
        .add_text(AttributeType::third_party_authorization, "turn.ims.example")
        .add_text(AttributeType::software, "relay 1");
  });
  const ServerDescription& server = world.client.server();
  EXPECT_EQ(server.realm, "ims.example");
  EXPECT_EQ(server.software, "relay 1");
  EXPECT_EQ(server.token_server_name, "turn.ims.example");
  EXPECT_EQ(server.algorithms, both_algorithms);
}

TEST(ClientAuthentication, TakesSha256AndSendsTheListBack) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, sha256_nonce, "ims.example", both_algorithms);
  const auto request = world.take_one();
  const Message message = decode(request);
  const auto key = key_of(PasswordAlgorithm::sha256);
  EXPECT_EQ(*message.password_algorithms(), both_algorithms);
  EXPECT_EQ(*message.password_algorithm(), stun::PasswordAlgorithmValue::sha256);
  EXPECT_TRUE(message.verify_integrity(key.reveal()));
  EXPECT_TRUE(message.verify_integrity_sha256(key.reveal()));
}

TEST(ClientAuthentication, UsesSha256AloneOnceTheServerHas) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, sha256_nonce, "ims.example", both_algorithms);
  const auto key = key_of(PasswordAlgorithm::sha256);
  world.accept_allocate(world.take_one(), {.key = key.reveal(), .sha1 = false, .sha256 = true});
  ASSERT_TRUE(world.client.is_allocated());
  world.client.permit({peer}, world.now);
  const auto request = world.take_one();
  EXPECT_FALSE(decode(request).has(AttributeType::message_integrity));
  EXPECT_TRUE(decode(request).verify_integrity_sha256(key.reveal()));
  // The weaker check does not count any more.
  world.answer(request, Class::success, [](Writer&) {}, Signature{.key = key.reveal()});
  EXPECT_FALSE(world.has<Permitted>());
  world.answer(
      request, Class::success, [](Writer&) {}, Signature{.key = key.reveal(), .sha1 = false, .sha256 = true});
  EXPECT_TRUE(world.has<Permitted>());
}

TEST(ClientAuthentication, StaysWithMd5WhenSha256IsSwitchedOff) {
  World world{{.credential = alice, .password_algorithms = false}};
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, sha256_nonce, "ims.example", both_algorithms);
  const auto request = world.take_one();
  EXPECT_FALSE(decode(request).has(AttributeType::password_algorithms));
  EXPECT_TRUE(decode(request).verify_integrity(key_of(PasswordAlgorithm::md5).reveal()));
}

TEST(ClientAuthentication, HidesTheUsernameWhereTheNonceOffersIt) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, userhash_nonce, "ims.example",
                  both_algorithms);
  const auto request = world.take_one();
  const Message message = decode(request);
  EXPECT_FALSE(message.has(AttributeType::username));
  EXPECT_EQ(*message.userhash(), credentials::make_userhash("alice", "ims.example"));
}

TEST(ClientAuthentication, StopsWhenThePromisedAlgorithmsAreMissing) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, sha256_nonce);
  EXPECT_TRUE(world.take_sent().empty());
  EXPECT_EQ(world.take<Failed>()->failure.kind, ClientFailure::Kind::bid_down);
  EXPECT_FALSE(world.client.next_timeout());
}

TEST(ClientAuthentication, StopsWhenNoAlgorithmIsKnown) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, sha256_nonce, "ims.example",
                  stun::PasswordAlgorithmList{{7}, 1});
  EXPECT_TRUE(world.take_sent().empty());
  EXPECT_EQ(world.take<Failed>()->failure.code, 401);
}

TEST(ClientAuthentication, NeverRepeatsARefusedCredential) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, plain_nonce);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, "nonce-2");
  EXPECT_TRUE(world.take_sent().empty());
  const auto failed = world.take<Failed>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failure.kind, ClientFailure::Kind::refused);
  EXPECT_EQ(failed->failure.code, 401);
  EXPECT_EQ(failed->failure.method, Method::allocate);
}

TEST(ClientAuthentication, ShowsTheCredentialOnceMoreToAnotherRealm) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, plain_nonce);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, "nonce-2", "other.example");
  const auto request = world.take_one();
  EXPECT_TRUE(decode(request).verify_integrity(key_of(PasswordAlgorithm::md5, "other.example").reveal()));
  world.challenge(request, ErrorCode::unauthenticated, "nonce-3", "third.example");
  EXPECT_TRUE(world.take_sent().empty());
  EXPECT_EQ(world.take<Failed>()->failure.code, 401);
}

TEST(ClientAuthentication, TakesTheNewNonceOfA438) {
  World world;
  world.allocate();
  world.client.permit({peer}, world.now);
  world.challenge(world.take_one(), ErrorCode::stale_nonce, "nonce-2");
  const auto request = world.take_one();
  EXPECT_EQ(*decode(request).text(AttributeType::nonce, 763), "nonce-2");
  world.accept(request);
  EXPECT_TRUE(world.has<Permitted>());
}

TEST(ClientAuthentication, GivesUpOnAServerThatCallsEveryNonceStale) {
  World world;
  world.client.start(world.now);
  int requests = 0;
  for (auto sent = world.take_sent(); !sent.empty(); sent = world.take_sent()) {
    ASSERT_LT(++requests, 10);
    world.challenge(sent.front(), requests == 1 ? ErrorCode::unauthenticated : ErrorCode::stale_nonce,
                    "nonce-" + std::to_string(requests));
  }
  EXPECT_GT(requests, 2);
  EXPECT_EQ(world.take<Failed>()->failure.code, 438);
}

TEST(ClientAuthentication, FailsOnAChallengeWithoutNonce) {
  World world;
  world.client.start(world.now);
  world.refuse(world.take_one(), ErrorCode::unauthenticated, {});
  EXPECT_EQ(world.take<Failed>()->failure.kind, ClientFailure::Kind::malformed_answer);
}

TEST(ClientAuthentication, IgnoresUnsignedAnswersUntilTheTimeIsOver) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, plain_nonce);
  const auto request = world.take_one();
  const ByteVector wrong_key(16, 7);
  world.accept_allocate(request, {.key = wrong_key});
  world.refuse(request, ErrorCode::allocation_quota_reached, {});
  EXPECT_FALSE(world.client.is_allocated());
  EXPECT_FALSE(world.has<Failed>());
  while (world.client.next_timeout()) world.advance(world.sleep());
  const auto failed = world.take<Failed>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failure.kind, ClientFailure::Kind::unauthentic_answer);
  EXPECT_EQ(failed->failure.code, 486);
}

TEST(ClientAuthentication, TakesTheTrueAnswerAfterAForgedOne) {
  World world;
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, plain_nonce);
  const auto request = world.take_one();
  const ByteVector wrong_key(16, 7);
  world.accept_allocate(request, {.key = wrong_key});
  world.accept_allocate(request, world.md5());
  EXPECT_TRUE(world.has<Allocated>());
}

TEST(ClientAuthentication, WorksWithAServerThatAsksForNothing) {
  World world;
  world.client.start(world.now);
  world.answer(world.take_one(), Class::success,
               [](Writer& writer) { writer.add_xor_address(AttributeType::xor_relayed_address, relayed); });
  EXPECT_EQ(world.take<Allocated>()->lifetime, seconds{600});
  world.client.permit({peer}, world.now);
  EXPECT_FALSE(decode(world.take_one()).has(AttributeType::message_integrity));
}

// --- tokens -----------------------------------------------------------------------------------------------

TEST(ClientToken, GoesInAllocateAndRefreshAndSignsWithTheMacKey) {
  World world{{.credential = token}};
  const Signature signature{.key = token.mac_key.reveal()};
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, plain_nonce);
  const auto allocate = world.take_one();
  EXPECT_EQ(*decode(allocate).text(AttributeType::username, 508), "k1.8f3a");
  EXPECT_TRUE(equal(*decode(allocate).find(AttributeType::access_token), token.access_token));
  EXPECT_TRUE(decode(allocate).verify_integrity(token.mac_key.reveal()));
  world.accept_allocate(allocate, signature);
  ASSERT_TRUE(world.client.is_allocated());

  world.client.permit({peer}, world.now);
  const auto permission = world.take_one();
  EXPECT_FALSE(decode(permission).has(AttributeType::access_token));
  EXPECT_TRUE(decode(permission).verify_integrity(token.mac_key.reveal()));
  world.client.refresh(seconds{300}, world.now);
  EXPECT_TRUE(decode(world.take_one()).has(AttributeType::access_token));
}

TEST(ClientToken, SignsWithSixteenBytesForCoturn) {
  TokenCredential cut = token;
  cut.coturn16 = true;
  World world{{.credential = cut}};
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, plain_nonce);
  EXPECT_TRUE(decode(world.take_one()).verify_integrity(token.mac_key.reveal().first(16)));
}

TEST(ClientToken, ANewOneTakesOverWithTheNextRefresh) {
  World world{{.credential = token}};
  world.client.start(world.now);
  world.challenge(world.take_one(), ErrorCode::unauthenticated, plain_nonce);
  world.accept_allocate(world.take_one(), {.key = token.mac_key.reveal()});
  ASSERT_TRUE(world.client.is_allocated());
  const TokenCredential next{"k1.8f3b", {9, 9, 9}, Secret::from_text("jihgfedcba9876543210"), false};
  world.client.change_credential(next);
  world.client.refresh(seconds{600}, world.now);
  const auto refresh = world.take_one();
  EXPECT_EQ(*decode(refresh).text(AttributeType::username, 508), "k1.8f3b");
  EXPECT_TRUE(decode(refresh).verify_integrity(next.mac_key.reveal()));
  world.answer(
      refresh, Class::success, [](Writer& writer) { writer.add_u32(AttributeType::lifetime, 600); },
      Signature{.key = next.mac_key.reveal()});
  EXPECT_TRUE(world.has<Refreshed>());
}

// --- transactions -----------------------------------------------------------------------------------------

TEST(ClientTransaction, IsRepeatedAtDoublingIntervalsThenGivenUp) {
  World world;
  world.client.start(world.now);
  const auto request = world.take_one();
  std::vector<milliseconds> waits;
  while (world.client.next_timeout()) {
    waits.push_back(std::chrono::duration_cast<milliseconds>(world.sleep()));
    world.advance(world.sleep());
    for (const auto& again : world.take_sent()) EXPECT_EQ(again, request);
  }
  const std::vector<milliseconds> expected{milliseconds{500},  milliseconds{1000}, milliseconds{2000},
                                           milliseconds{4000}, milliseconds{8000}, milliseconds{16000},
                                           milliseconds{8000}};
  EXPECT_EQ(waits, expected);
  const auto failed = world.take<Failed>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failure.kind, ClientFailure::Kind::no_answer);
  EXPECT_FALSE(world.client.is_allocated());
}

TEST(ClientTransaction, TracesEachStep) {
  World world;
  world.client.start(world.now);
  const auto request = world.take_one();
  const auto sent = world.take<Traced>();
  EXPECT_EQ(sent->direction, Traced::Direction::sent);
  EXPECT_EQ(sent->transmission, 1);
  world.advance(milliseconds{500});
  EXPECT_EQ(world.take<Traced>()->transmission, 2);
  world.challenge(request, ErrorCode::unauthenticated, plain_nonce);
  const auto received = world.take<Traced>();
  EXPECT_EQ(received->direction, Traced::Direction::received);
  EXPECT_EQ(received->code, 401);
}

TEST(ClientTransaction, SeveralAreUnderWayAtOnce) {
  World world;
  world.allocate();
  world.client.permit({peer}, world.now);
  world.client.permit({other_peer}, world.now);
  const auto sent = world.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  world.accept(sent[1]);
  EXPECT_EQ(world.take<Permitted>()->peers.front(), other_peer);
  world.accept(sent[0]);
  EXPECT_EQ(world.take<Permitted>()->peers.front(), peer);
  EXPECT_TRUE(world.client.is_idle());
}

TEST(ClientTransaction, AnswersOfOthersAreIgnored) {
  World world;
  world.client.start(world.now);
  auto request = world.take_one();
  request[19] ^= 1;  // the transaction's last byte
  world.challenge(request, ErrorCode::unauthenticated, plain_nonce);
  world.client.on_datagram({}, world.now);
  world.client.on_datagram(ByteVector(20, 0xff), world.now);
  EXPECT_TRUE(world.take_sent().empty());
  EXPECT_FALSE(world.client.is_idle());
}

TEST(ClientTransaction, ASuccessWithoutARelayedAddressIsMalformed) {
  World world;
  world.client.start(world.now);
  world.answer(world.take_one(), Class::success,
               [](Writer& writer) { writer.add_u32(AttributeType::lifetime, 600); });
  EXPECT_EQ(world.take<Failed>()->failure.kind, ClientFailure::Kind::malformed_answer);
}

TEST(ClientTransaction, AnUnknownRequiredAttributeFailsTheAnswer) {
  World world;
  world.client.start(world.now);
  world.answer(world.take_one(), Class::success, [](Writer& writer) {
    writer.add_xor_address(AttributeType::xor_relayed_address, relayed)
        .add(static_cast<AttributeType>(0x7ffe), Bytes{});
  });
  EXPECT_EQ(world.take<Failed>()->failure.kind, ClientFailure::Kind::malformed_answer);
}

TEST(ClientTransaction, TellsWhereTheServerSendsIt) {
  World world;
  world.client.start(world.now);
  world.answer(world.take_one(), Class::error, [](Writer& writer) {
    writer.add_error(ErrorCode::try_alternate).add_address(AttributeType::alternate_server, peer);
  });
  const auto failed = world.take<Failed>();
  EXPECT_EQ(failed->failure.code, 300);
  EXPECT_EQ(failed->failure.alternate, peer);
}

TEST(ClientTransaction, BindingTellsTheMappedAddress) {
  World world;
  world.client.discover(world.now);
  world.answer(world.take_one(), Class::success,
               [](Writer& writer) { writer.add_xor_address(AttributeType::xor_mapped_address, mapped); });
  EXPECT_EQ(world.take<Discovered>()->mapped, mapped);
}

}  // namespace
}  // namespace turnpike::turn
