#include <gtest/gtest.h>

#include "epcscf/bearer_policy.hpp"
#include "epcscf/test_world.hpp"

namespace turnpike::epcscf {
namespace {

using namespace test;

const std::string spelling_of_3gpp = "Bearer access_token=\"O91G451HZ0V83opz6udiSEjchPynd2Ss9\"";

TokenIdentity identity_of(std::string_view user) {
  return {.impi = std::string{user},
          .impus = {"sip:" + std::string{user}},
          .wwsf = {},
          .is_pool_identity = false,
          .issuer = "https://waf.example/",
          .expires_at = start + seconds{300}};
}
TokenIdentity pool_identity_of(std::string_view user) {
  TokenIdentity identity = identity_of(user);
  identity.wwsf = "shop";
  identity.is_pool_identity = true;
  return identity;
}

// Shows a token and has it answered; gives what the core was sent, if anything.
void show(World& world, const TokenAnswer& answer, Ask ask = {}, FlowId flow = alice_flow) {
  if (ask.authorization.empty()) ask.authorization = spelling_of_3gpp;
  world.send(world.make_register(ask), flow);
  ASSERT_EQ(world.checks.size(), 1U);
  const CheckId id = world.checks[0].id;
  world.checks.clear();
  world.proxy.on_token_checked(id, answer, world.now);
  world.drain();
}

TEST(Bearer, BothSpellingsAreChecked) {
  World world;
  world.send(world.make_register({.authorization = spelling_of_3gpp}));
  world.send(world.make_register({.authorization = "Bearer eyJ.a.b"}));
  ASSERT_EQ(world.checks.size(), 2U);
  EXPECT_EQ(world.checks[0].token, "O91G451HZ0V83opz6udiSEjchPynd2Ss9");
  EXPECT_EQ(world.checks[1].token, "eyJ.a.b");
  EXPECT_TRUE(world.to_core.empty());
}

TEST(Bearer, BecomesTrustedNodeAuthentication) {
  World world;
  show(world, identity_of("alice@ims.example"));
  const std::string sent = world.take_core();
  EXPECT_EQ(
      value(sent, "Authorization"),
      "Digest username=\"alice@ims.example\", realm=\"ims.example\", uri=\"sip:ims.example\", nonce=\"\", "
      "response=\"\", integrity-protected=\"auth-done\"");
  EXPECT_FALSE(holds(sent, "Bearer"));
  EXPECT_EQ(value(sent, "Expires"), "300") << "the registration does not outlive the token";
  world.answer_core(sent, 200, world.make_accepted());
  const std::string answer = world.take_client();
  EXPECT_TRUE(holds(value(answer, "Contact"), "expires=300")) << answer;
  EXPECT_NE(value(answer, "Turn-Credentials"), "");
  world.advance(seconds{300});
  EXPECT_EQ(world.take_report<Deregistered>()->trigger, EndTrigger::token_expired);
  EXPECT_EQ(world.revocations.size(), 1U);
}

TEST(Bearer, WithLessThanASecondLeftDoesNotBecomeADeregistration) {
  World world;
  TokenIdentity identity = identity_of("alice@ims.example");
  identity.expires_at = start + std::chrono::milliseconds{999};
  show(world, identity);
  EXPECT_EQ(status(world.take_client()), 401);
  EXPECT_TRUE(world.to_core.empty());
  identity.expires_at = start + seconds{1};
  show(world, identity);
  EXPECT_EQ(value(world.take_core(), "Expires"), "1");
}

TEST(Bearer, AThirdPartysWafIsNamedToTheCore) {
  World world;
  TokenIdentity identity = identity_of("alice@ims.example");
  identity.issuer = "https://other.example/";
  show(world, identity);
  EXPECT_TRUE(holds(value(world.take_core(), "Authorization"),
                    "integrity-protected=\"auth-done\", authorization-entity=\"https://other.example/\""));
}

TEST(Bearer, ABadTokenIsChallenged) {
  for (const TokenRefusal refusal : {TokenRefusal::malformed, TokenRefusal::invalid, TokenRefusal::expired,
                                     TokenRefusal::not_yet_valid, TokenRefusal::bound}) {
    World world;
    show(world, std::unexpected(refusal));
    const std::string answer = world.take_client();
    EXPECT_EQ(status(answer), 401);
    EXPECT_EQ(value(answer, "WWW-Authenticate"),
              "Bearer realm=\"ims.example\", authz_server=\"https://waf.example/\", error=\"invalid_token\"");
    EXPECT_TRUE(world.to_core.empty());
  }
}

TEST(Bearer, ACheckerThatIsSilentOrUnavailableIsNotTheUsersFault) {
  World world;
  show(world, std::unexpected(TokenRefusal::unavailable));
  EXPECT_EQ(status(world.take_client()), 503);
  world.send(world.make_register({.authorization = spelling_of_3gpp}));
  world.advance(seconds{3});
  EXPECT_EQ(status(world.take_client()), 503);
  EXPECT_EQ(world.take_report<RegistrationRefused>()->reason, RegistrationRefusal::token_unchecked);
  world.proxy.on_token_checked(world.checks[0].id, identity_of("alice@ims.example"), world.now);
  world.drain();
  EXPECT_TRUE(world.to_core.empty());
}

TEST(Bearer, WhoseItIsMattersAndWhoSaysSo) {
  struct Case {
    TokenIdentity identity;
    RegistrationRefusal refusal;
    std::string from{};
  };
  TokenIdentity stranger = identity_of("alice@ims.example");
  stranger.issuer = "https://evil.example/";
  TokenIdentity other_shop = identity_of("alice@ims.example");
  other_shop.wwsf = "unknown";
  TokenIdentity nowhere = pool_identity_of("alice@ims.example");
  nowhere.wwsf = "";
  const std::vector<Case> cases{
      {identity_of("bob@ims.example"), RegistrationRefusal::identity_mismatch},
      {identity_of("alice@ims.example"), RegistrationRefusal::identity_mismatch, "bob@ims.example"},
      {stranger, RegistrationRefusal::issuer_untrusted},
      {other_shop, RegistrationRefusal::wwsf_untrusted},
      {nowhere, RegistrationRefusal::wwsf_untrusted},
      {pool_identity_of("alice@ims.example"), RegistrationRefusal::outside_pool}};
  for (const Case& each : cases) {
    World world;
    show(world, each.identity, {.from = each.from});
    EXPECT_EQ(status(world.take_client()), 403);
    EXPECT_EQ(world.take_report<RegistrationRefused>()->reason, each.refusal);
    EXPECT_TRUE(world.to_core.empty());
  }
}

TEST(Bearer, APoolIdentityThatIsLentAgainIsTakenFromTheFormerHolder) {
  World world;
  const Ask first{.user = "guest7@pool.example"};
  const auto enroll = [&](const Ask& ask, FlowId flow) {
    show(world, pool_identity_of("guest7@pool.example"), ask, flow);
    world.answer_core(world.take_core("REGISTER"), 200, world.make_accepted(ask));
    EXPECT_EQ(status(world.take_client(flow)), 200);
  };
  enroll(first, alice_flow);
  const auto subject = world.proxy.registrations(1, world.now)[0].subject;
  world.connect(bob_flow);
  enroll({.user = "guest7@pool.example", .instance = "urn:uuid:2"}, bob_flow);
  ASSERT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(world.revocations[0].value, subject);
  EXPECT_EQ(world.take_report<Deregistered>()->trigger, EndTrigger::reassigned);
  ASSERT_EQ(world.closes.size(), 1U);
  EXPECT_EQ(world.closes[0].flow, alice_flow);
  const auto kept = world.proxy.registrations(9, world.now);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].flow, bob_flow);
}

TEST(Bearer, APoolIdentityIsLentAgainWhereItsFormerHolderHasTheLastPlace) {
  Settings settings = make_settings();
  settings.limits.registrations_max = 1;
  settings.limits.registrations_per_impi_max = 1;
  settings.limits.registrations_per_flow_max = 1;
  World world{settings};
  for (const char* instance : {"urn:uuid:1", "urn:uuid:2"}) {
    const Ask ask{.user = "guest7@pool.example", .instance = instance};
    show(world, pool_identity_of("guest7@pool.example"), ask);
    world.answer_core(world.take_core("REGISTER"), 200, world.make_accepted(ask));
    EXPECT_EQ(status(world.take_client()), 200);
  }
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
  EXPECT_EQ(world.take_report<Deregistered>()->trigger, EndTrigger::reassigned);
}

TokenIdentity identity_with(std::string token_id) {
  TokenIdentity identity = identity_of("alice@ims.example");
  identity.token_id = std::move(token_id);
  return identity;
}
RevokedToken revocation_of(const TokenIdentity& identity) {
  return {.issuer = identity.issuer, .token_id = identity.token_id, .until = identity.expires_at};
}
// Ends with a 200 to the WIC.
void enroll(World& world, const TokenIdentity& identity, const Ask& ask = {}, FlowId flow = alice_flow) {
  show(world, identity, ask, flow);
  world.answer_core(world.take_core("REGISTER"), 200, world.make_accepted(ask));
  EXPECT_EQ(status(world.take_client(flow)), 200);
}

TEST(Bearer, ThatIsRevokedEndsWhatRestsOnIt) {
  World world;
  world.connect(bob_flow);
  enroll(world, identity_with("t1"));
  enroll(world, identity_with("t2"), {.instance = "urn:uuid:2"}, bob_flow);
  const std::string subject = world.proxy.registrations(9, world.now)[0].subject;
  EXPECT_EQ(world.proxy.revoke(revocation_of(identity_with("t3")), world.now), 0U);
  EXPECT_EQ(world.proxy.revoke(revocation_of(identity_with("t1")), world.now), 1U);
  world.drain();
  EXPECT_EQ(world.take_report<Deregistered>()->trigger, EndTrigger::token_revoked);
  ASSERT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(world.revocations[0].value, subject);
  ASSERT_EQ(world.closes.size(), 1U);
  EXPECT_EQ(world.closes[0].flow, alice_flow);
  EXPECT_EQ(world.closes[0].reason, "token_revoked");
  const auto kept = world.proxy.registrations(9, world.now);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].flow, bob_flow);
  EXPECT_EQ(world.proxy.revoke(revocation_of(identity_with("t1")), world.now), 0U) << "told twice";
}

TEST(Bearer, ThatIsRevokedRegistersNobodyAnyMore) {
  World world;
  world.proxy.revoke(revocation_of(identity_with("t1")), world.now);
  show(world, identity_with("t1"));
  EXPECT_EQ(status(world.take_client()), 401);
  EXPECT_TRUE(world.to_core.empty());
  EXPECT_EQ(world.take_report<RegistrationRefused>()->reason, RegistrationRefusal::token_invalid);
  enroll(world, identity_with("t2"));
}

TEST(Bearer, ThatIsRevokedWhileTheCoreIsAskedLeavesNothing) {
  World world;
  show(world, identity_with("t1"));
  EXPECT_EQ(world.proxy.revoke(revocation_of(identity_with("t1")), world.now), 0U);
  world.answer_core(world.take_core("REGISTER"), 200, world.make_accepted());
  const std::string answer = world.take_client();
  EXPECT_EQ(status(answer), 401);
  EXPECT_EQ(value(answer, "Turn-Credentials"), "");
  EXPECT_TRUE(world.proxy.registrations(9, world.now).empty());
}

TEST(Bearer, OfARenewedRegistrationMayBeRevoked) {
  World world;
  enroll(world, identity_with("t1"));
  enroll(world, identity_with("t2"));
  EXPECT_EQ(world.proxy.revoke(revocation_of(identity_with("t1")), world.now), 0U);
  EXPECT_EQ(world.proxy.registrations(9, world.now).size(), 1U);
  EXPECT_EQ(world.proxy.revoke(revocation_of(identity_with("t2")), world.now), 1U);
  EXPECT_TRUE(world.proxy.registrations(9, world.now).empty());
}

TEST(Bearer, IsNotTakenWhereNoServerIsConfigured) {
  Settings settings = make_settings();
  settings.bearer = {};
  World world{settings};
  world.send(world.make_register({.authorization = spelling_of_3gpp}));
  EXPECT_EQ(status(world.take_client()), 403);
  EXPECT_TRUE(world.checks.empty());
}

TEST(Bearer, ADigestBesideATokenDoesNotReachTheCore) {
  World world;
  show(world, identity_of("alice@ims.example"),
       {.authorization = spelling_of_3gpp + "\r\nAuthorization: Digest username=\"root\", response=\"1\""});
  EXPECT_FALSE(holds(world.take_core(), "root"));
}

TEST(Bearer, ManyChecksAtOnceAreLimited) {
  Settings settings = make_settings();
  settings.limits.token_checks_max = 1;
  World world{settings};
  world.send(world.make_register({.authorization = spelling_of_3gpp}));
  world.send(world.make_register({.authorization = spelling_of_3gpp}));
  EXPECT_EQ(world.checks.size(), 1U);
  EXPECT_EQ(status(world.take_client()), 503);
}

}  // namespace
}  // namespace turnpike::epcscf
