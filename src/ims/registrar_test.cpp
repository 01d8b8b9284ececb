#include "ims/registrar.hpp"

#include <gtest/gtest.h>

#include "ims/test_core.hpp"

namespace turnpike::ims {
namespace {

using std::chrono::seconds;
using test::edge_hop;
using test::RegisterText;
using test::Sent;
using test::stranger_hop;
using test::World;

constexpr std::string_view secret = "alice secret";

std::string with_mark(const std::string& authorization, std::string_view mark) {
  return authorization + ", integrity-protected=\"" + std::string{mark} + '"';
}
std::string empty_authorization(std::string_view user = "alice") {
  return "Digest username=\"" + std::string{user} +
         "@ims.example\", realm=\"ims.example\", uri=\"sip:ims.example\", nonce=\"\", response=\"\"";
}

// --- digest -----------------------------------------------------------------------------------------------

TEST(Registrar, ChallengesInBothAlgorithmsAndTakesEither) {
  World world;
  const Sent challenge = world.ask(edge_hop, world.register_text({}));
  EXPECT_EQ(challenge.status(), 401);
  const auto rows = challenge.values("WWW-Authenticate");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_NE(rows[0].find("algorithm=SHA-256"), std::string::npos);
  EXPECT_NE(rows[1].find("algorithm=MD5"), std::string::npos);
  EXPECT_EQ(world.register_with_password({}, secret, "SHA-256").status(), 200);
  EXPECT_EQ(world.register_with_password({.call_id = "r2"}, secret, "MD5").status(), 200);
}

TEST(Registrar, ProvesThatItKnowsThePasswordToo) {
  World world;
  const Sent challenge = world.ask(edge_hop, world.register_text({}));
  const std::string authorization = World::answer(challenge, "alice@ims.example", secret);
  const Sent ok = world.ask(edge_hop, world.register_text({.authorization = authorization}));
  const auto credentials = sip::Credentials::parse(authorization);
  const std::string nonce = *credentials->text("nonce");
  const std::string expected = sip::make_digest_response(
      {.hash = sip::DigestHash::md5,
       .ha1 = sip::make_ha1(sip::DigestHash::md5, "alice@ims.example", "ims.example", secret),
       .nonce = nonce,
       .nonce_count = "00000001",
       .cnonce = "c0ffee",
       .uri = "sip:ims.example"});
  EXPECT_EQ(ok.value("Authentication-Info"),
            "qop=auth, rspauth=\"" + expected + "\", cnonce=\"c0ffee\", nc=00000001");
}

TEST(Registrar, ChallengesWhoeverComesWithASchemeThatNobodyKnows) {
  World world;
  const Sent answer =
      world.ask(edge_hop, world.register_text({.authorization = "NoOneKnowsThisScheme opaque-data=here"}));
  EXPECT_EQ(answer.status(), 401);
  EXPECT_EQ(answer.values("WWW-Authenticate").size(), 2U);
}

TEST(Registrar, KeepsContactsThatCanBeCalledAlone) {
  World world;
  for (const auto* contact : {"<sip:alice@a1.invalid?Route=%3Csip:evil.example%3E>", "<name:John_Smith>"})
    EXPECT_EQ(world.register_with_password({.contact = contact}, secret).status(), 400) << contact;
  EXPECT_EQ(world.ask(edge_hop, world.register_text({.impu = "isbn:2983792873"})).status(), 404);
  EXPECT_EQ(world.register_with_password({.contact = "<sip:+1972555@gw.example;unknown>;unknown=1"}, secret)
                .value("Contact"),
            "<sip:+1972555@gw.example;unknown>;unknown=1;expires=3600");
}

TEST(Registrar, RefusesAContactThatIsTooLong) {
  World world;
  const std::string uri = "sip:alice@a1.invalid;transport=ws";
  const auto padded = [&](std::size_t size) {
    return '<' + uri + ">;x=\"" + std::string(size - uri.size() - 5, '&') + '"';
  };
  const Sent refused = world.register_with_password({.contact = padded(1025)}, secret);
  EXPECT_TRUE(refused.text.starts_with("SIP/2.0 400 Contact Too Long\r\n"));
  EXPECT_EQ(world.register_with_password({.contact = padded(1024)}, secret).status(), 200);
}

TEST(Registrar, RefusesAWrongPasswordAnUnknownUserAndABarredOneAlike) {
  World world;
  auto barred = *world.subscribers.find_private("carol@ims.example");
  barred.is_barred = true;
  world.subscribers.add(barred);
  const Sent wrong = world.register_with_password({}, "wrong");
  const Sent unknown = world.register_with_password({.impu = "sip:nobody@ims.example"}, "x");
  const Sent closed = world.register_with_password({.impu = "sip:carol@ims.example"}, "carol secret");
  for (const Sent& answer : {wrong, unknown, closed}) {
    EXPECT_EQ(answer.status(), 403);
    EXPECT_TRUE(answer.text.starts_with("SIP/2.0 403 Forbidden\r\n"));
    EXPECT_EQ(answer.value("P-Associated-URI"), "");
  }
  ASSERT_EQ(world.refusals.size(), 3U);
  EXPECT_EQ(world.refusals[0].reason, RefusalReason::wrong_response);
  EXPECT_EQ(world.refusals[1].reason, RefusalReason::unknown_identity);
  EXPECT_EQ(world.refusals[2].reason, RefusalReason::barred);
  EXPECT_EQ(world.core.registrations().size(), 0U);
}

TEST(Registrar, RefusesThePublicIdentityOfAnother) {
  World world;
  const Sent challenge = world.ask(edge_hop, world.register_text({}));
  const std::string authorization = World::answer(challenge, "alice@ims.example", secret);
  EXPECT_EQ(
      world
          .ask(edge_hop, world.register_text({.impu = "sip:bob@ims.example", .authorization = authorization}))
          .status(),
      403);
  EXPECT_EQ(world.refusals.at(0).reason, RefusalReason::identity_mismatch);
}

TEST(Registrar, RefusesANonceCountThatWasUsed) {
  World world;
  const Sent challenge = world.ask(edge_hop, world.register_text({}));
  const auto with_count = [&](std::uint32_t count) {
    return world
        .ask(edge_hop, world.register_text({.authorization = World::answer(challenge, "alice@ims.example",
                                                                           secret, "MD5", count)}))
        .status();
  };
  EXPECT_EQ(with_count(1), 200);
  EXPECT_EQ(with_count(2), 200);
  EXPECT_TRUE(world.refusals.empty());
  EXPECT_EQ(with_count(2), 401);
  ASSERT_EQ(world.refusals.size(), 1U);
  EXPECT_EQ(world.refusals[0].reason, RefusalReason::used_nonce);
  EXPECT_EQ(with_count(1), 401);
  EXPECT_EQ(with_count(5), 200);
}

TEST(Registrar, SaysStaleToTheRightPasswordWithAnOldNonce) {
  World world;
  const Sent challenge = world.ask(edge_hop, world.register_text({}));
  const std::string right = World::answer(challenge, "alice@ims.example", secret);
  const std::string wrong = World::answer(challenge, "alice@ims.example", "wrong");
  world.advance(test::settings().nonce_lifetime);
  const Sent stale = world.ask(edge_hop, world.register_text({.authorization = right}));
  EXPECT_EQ(stale.status(), 401);
  EXPECT_NE(stale.value("WWW-Authenticate").find("stale=true"), std::string::npos);
  EXPECT_TRUE(world.refusals.empty()) << "that is no replay";
  EXPECT_EQ(world.ask(edge_hop, world.register_text({.authorization = wrong})).status(), 403);
  EXPECT_EQ(world
                .ask(edge_hop, world.register_text(
                                   {.authorization = World::answer(stale, "alice@ims.example", secret)}))
                .status(),
            200);
}

TEST(Registrar, TakesNoNonceOfAnotherUser) {
  World world;
  const Sent challenge = world.ask(edge_hop, world.register_text({.impu = "sip:bob@ims.example"}));
  const std::string answer = World::answer(challenge, "alice@ims.example", secret);
  EXPECT_EQ(world.ask(edge_hop, world.register_text({.authorization = answer})).status(), 401);
}

TEST(Registrar, RemembersNoMoreNoncesThanItMay) {
  World world;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(world.register_user("alice").status(), 200);
    world.now.wall += std::chrono::milliseconds{1};
  }
  EXPECT_EQ(world.core.registrations().size(), 1U);
}

TEST(Registrar, TakesADigestWithoutQopOnce) {
  World world;
  const Sent challenge = world.ask(edge_hop, world.register_text({}));
  const std::string row = challenge.values("WWW-Authenticate")[1];
  const std::string nonce = *sip::Credentials::parse(row)->text("nonce");
  const std::string ha1 = sip::make_ha1(sip::DigestHash::md5, "alice@ims.example", "ims.example", secret);
  const std::string authorization =
      "Digest username=\"alice@ims.example\", realm=\"ims.example\", uri=\"sip:ims.example\", nonce=\"" +
      nonce + "\", response=\"" +
      sip::make_digest_response({.hash = sip::DigestHash::md5,
                                 .ha1 = ha1,
                                 .nonce = nonce,
                                 .method = "REGISTER",
                                 .uri = "sip:ims.example"}) +
      '"';
  EXPECT_EQ(world.ask(edge_hop, world.register_text({.authorization = authorization})).status(), 200);
  EXPECT_EQ(world.ask(edge_hop, world.register_text({.authorization = authorization})).status(), 401);
}

TEST(Registrar, RefusesHalfAQop) {
  World world;
  const Sent challenge = world.ask(edge_hop, world.register_text({}));
  std::string authorization = World::answer(challenge, "alice@ims.example", secret);
  authorization.replace(authorization.find("nc=00000001"), 11, "nc=1");
  EXPECT_EQ(world.ask(edge_hop, world.register_text({.authorization = authorization})).status(), 400);
}

// --- trusted nodes ----------------------------------------------------------------------------------------

TEST(TrustedNode, RegistersWithoutAChallenge) {
  World world;
  const Sent ok = world.ask(
      edge_hop, world.register_text({.authorization = with_mark(empty_authorization(), "auth-done")}));
  EXPECT_EQ(ok.status(), 200);
  EXPECT_EQ(ok.value("P-Associated-URI"), "<sip:alice@ims.example>");
  EXPECT_EQ(ok.value("Authentication-Info"), "");
}

TEST(TrustedNode, CannotRegisterWhomNobodyKnows) {
  World world;
  const Sent refused = world.ask(
      edge_hop,
      world.register_text({.impu = "sip:nobody@ims.example",
                           .authorization = with_mark(empty_authorization("nobody"), "auth-done")}));
  EXPECT_EQ(refused.status(), 403);
  EXPECT_EQ(world
                .ask(edge_hop,
                     world.register_text({.impu = "sip:bob@ims.example",
                                          .authorization = with_mark(empty_authorization(), "auth-done")}))
                .status(),
            403);
}

TEST(TrustedNode, IsNobodyElse) {
  World world;
  for (const std::string_view mark : {"auth-done", "AUTH-DONE", "tls-yes", "yes", "ip-assoc-yes"}) {
    const Sent answer = world.ask(
        stranger_hop, world.register_text({.authorization = with_mark(empty_authorization(), mark)}));
    EXPECT_EQ(answer.status(), 401) << mark;
  }
}

TEST(TrustedNode, VouchesForAFlowOnlyAfterItsUserHasRegistered) {
  World world;
  const RegisterText wish{.authorization = with_mark(empty_authorization(), "tls-yes")};
  EXPECT_EQ(world.ask(edge_hop, world.register_text(wish)).status(), 401);
  EXPECT_EQ(world.register_user("alice").status(), 200);
  EXPECT_EQ(world.ask(edge_hop, world.register_text(wish)).status(), 200);
  const RegisterText pending{.authorization = with_mark(empty_authorization(), "tls-pending")};
  EXPECT_EQ(world.ask(edge_hop, world.register_text(pending)).status(), 401);
}

// --- bindings ---------------------------------------------------------------------------------------------

std::string registered(World& world, std::string_view contact, std::string_view rows,
                       std::string_view call_id = "r1") {
  const Sent answer =
      world.ask(edge_hop, world.register_text({.authorization = with_mark(empty_authorization(), "auth-done"),
                                               .contact = std::string{contact},
                                               .rows = std::string{rows},
                                               .call_id = std::string{call_id}}));
  std::string text = std::to_string(answer.status());
  for (const std::string& value : answer.values("Contact")) text += ' ' + value;
  if (answer.status() == 423) text += ' ' + answer.value("Min-Expires");
  return text;
}

TEST(Bindings, GetATimeBetweenTheLimits) {
  World world;
  EXPECT_EQ(registered(world, "<sip:a@h>", "Expires: 60\r\n"), "200 <sip:a@h>;expires=60");
  EXPECT_EQ(registered(world, "<sip:a@h>", "Expires: 600000\r\n"), "200 <sip:a@h>;expires=7200");
  EXPECT_EQ(registered(world, "<sip:a@h>", ""), "200 <sip:a@h>;expires=3600");
  EXPECT_EQ(registered(world, "<sip:a@h>;expires=100;q=0.5", "Expires: 3000\r\n"),
            "200 <sip:a@h>;q=0.5;expires=100");
  EXPECT_EQ(registered(world, "<sip:a@h>", "Expires: 59\r\n"), "423 60");
  EXPECT_EQ(registered(world, "", ""), "200 <sip:a@h>;q=0.5;expires=100");  // a question
}

TEST(Bindings, EndOneByOneOrTogether) {
  World world;
  registered(world, "<sip:a@h>, <sip:b@h>", "");
  EXPECT_EQ(registered(world, "<sip:a@h>", "Expires: 0\r\n"), "200 <sip:b@h>;expires=3600");
  registered(world, "<sip:c@h>", "");
  EXPECT_EQ(registered(world, "*", "Expires: 1\r\n"), "400");
  EXPECT_EQ(registered(world, "*", "Expires: 0\r\n"), "200");
  EXPECT_EQ(world.core.registrations().size(), 0U);
  EXPECT_EQ(registered(world, "*", "Expires: 0\r\n"), "200");
  ASSERT_FALSE(world.changes.empty());
  EXPECT_TRUE(world.changes.back().change.is_over());
  EXPECT_EQ(world.changes.back().change.ended.back().event, ContactEvent::unregistered);
}

TEST(Bindings, EndWhenTheirTimeHasPassed) {
  World world;
  registered(world, "<sip:a@h>;expires=60, <sip:b@h>;expires=120", "");
  world.advance(seconds{60});
  EXPECT_EQ(world.core.registrations().find("alice@ims.example")->bindings.size(), 1U);
  world.advance(seconds{60});
  EXPECT_EQ(world.core.registrations().find("alice@ims.example"), nullptr);
  world.take();
  EXPECT_EQ(world.changes.back().change.ended.at(0).event, ContactEvent::expired);
  EXPECT_FALSE(world.core.registrations().is_edge(edge_hop.host));
}

TEST(Bindings, LiveOnWhenTheyAreRefreshed) {
  World world;
  registered(world, "<sip:a@h>", "Expires: 60\r\n");
  world.advance(seconds{50});
  registered(world, "<sip:a@h>", "Expires: 60\r\n");
  world.advance(seconds{50});
  EXPECT_NE(world.core.registrations().find_public("sip:alice@ims.example"), nullptr);
  world.advance(seconds{10});
  EXPECT_EQ(world.core.registrations().find_public("sip:alice@ims.example"), nullptr);
}

TEST(Bindings, AreOfOneFlowWhereInstanceAndRegIdAreTheSame) {
  World world;
  const std::string tail = ";reg-id=1;+sip.instance=\"<urn:uuid:1>\"";
  const Sent ok =
      world.ask(edge_hop, world.register_text({.authorization = with_mark(empty_authorization(), "auth-done"),
                                               .contact = "<sip:alice@a1.invalid>" + tail}));
  EXPECT_EQ(ok.value("Require"), "outbound");
  EXPECT_EQ(registered(world, "<sip:alice@a2.invalid>" + tail, "Supported: path, outbound\r\n"),
            "200 <sip:alice@a2.invalid>" + tail + ";expires=3600");
  // Another instance is another binding, and so is one that does not speak of outbound.
  registered(world, "<sip:alice@a3.invalid>;reg-id=1;+sip.instance=\"<urn:uuid:2>\"",
             "Supported: path, outbound\r\n");
  EXPECT_EQ(world.core.registrations().find("alice@ims.example")->bindings.size(), 2U);
}

TEST(Bindings, AreNotTouchedByARequestThatWasOvertaken) {
  World world;
  const RegisterText wish{.authorization = with_mark(empty_authorization(), "auth-done")};
  const std::string early = world.register_text(wish);
  const std::string late = world.register_text(wish);
  EXPECT_EQ(world.ask(edge_hop, late).status(), 200);
  EXPECT_EQ(world.ask(edge_hop, early).status(), 500);
}

TEST(Bindings, AreBoundedAndTheOldestGivesWay) {
  World world;
  for (int i = 0; i < 20; ++i)
    registered(world, "<sip:a@h" + std::to_string(i) + ">", "", "c" + std::to_string(i));
  const auto* registration = world.core.registrations().find("alice@ims.example");
  ASSERT_EQ(registration->bindings.size(), CoreLimits{}.bindings_max);
  EXPECT_EQ(registration->bindings.back().contact, "sip:a@h19");
  std::string many = "<sip:a@m0>";
  for (int i = 1; i < 9; ++i) many += ", <sip:a@m" + std::to_string(i) + '>';
  EXPECT_EQ(registered(world, many, "", "many"), "400");
}

TEST(Bindings, RegisterTheWholeImplicitSet) {
  World world;
  auto alice = *world.subscribers.find_private("alice@ims.example");
  alice.impus.emplace_back("tel:+4930123");
  world.subscribers.add(alice);
  const Sent ok = world.register_user("alice");
  EXPECT_EQ(ok.value("P-Associated-URI"), "<sip:alice@ims.example>, <tel:+4930123>");
  EXPECT_NE(world.core.registrations().find_public("tel:+4930123"), nullptr);
}

TEST(Registrar, RefusesWhatItDoesNotUnderstand) {
  World world;
  EXPECT_EQ(
      world.ask(edge_hop, world.register_text({.rows = "Require: gruu, path\r\n"})).value("Unsupported"),
      "gruu");
  std::string elsewhere = world.register_text({});
  elsewhere.replace(elsewhere.find("sip:ims.example"), 15, "sip:two.example");
  EXPECT_EQ(world.ask(edge_hop, elsewhere).status(), 404);
  EXPECT_EQ(registered(world, "<mailto:a@h>", ""), "400");
}

TEST(Registrar, SendsTheAddressesOfChargingFunctions) {
  Settings settings = test::settings();
  settings.charging_functions = "ccf=\"aaa://ccf.ims.example\"";
  World world{settings};
  EXPECT_EQ(world.register_user("alice").value("P-Charging-Function-Addresses"),
            "ccf=\"aaa://ccf.ims.example\"");
}

TEST(Registrar, AnswersARepetitionWithoutDoingItAgain) {
  World world;
  const std::string text =
      world.register_text({.authorization = with_mark(empty_authorization(), "auth-done")});
  const Sent first = world.ask(edge_hop, text);
  const Sent second = world.ask(edge_hop, text);
  EXPECT_EQ(first.text, second.text);
  EXPECT_EQ(world.core.counters().registered, 1U);
}

class FailingSubscribers final : public Subscribers {
 public:
  std::uint64_t version() override { return 0; }
  std::optional<Subscriber> find_private(std::string_view) override { return std::nullopt; }
  std::optional<Subscriber> find_public(std::string_view) override { return std::nullopt; }
  bool store_sqn(std::string_view, std::uint64_t) override { return false; }
  [[nodiscard]] bool has_failed() const override { return true; }
};

TEST(Registrar, SaysThatItsSubscribersCannotBeRead) {
  World world;
  FailingSubscribers subscribers;
  SeededRandom random{1};
  HomeCore core{test::settings(), subscribers, random};
  core.on_message(edge_hop, world.register_text({}), world.now);
  const auto effect = core.next_effect();
  ASSERT_TRUE(effect);
  EXPECT_TRUE(std::holds_alternative<RefusalReport>(*effect));
  EXPECT_TRUE(std::get<SendTo>(*core.next_effect()).bytes.starts_with("SIP/2.0 503"));
}

TEST(Registrar, CarriesThousandsOfUsersAndForgetsThem) {
  World world;
  for (int i = 0; i < 2'000; ++i)
    world.subscribers.add_with_password("u" + std::to_string(i) + "@ims.example", "ims.example", "x");
  for (int i = 0; i < 2'000; ++i) {
    const std::string user = "u" + std::to_string(i);
    ASSERT_EQ(world
                  .register_with_password({.impu = "sip:" + user + "@ims.example",
                                           .contact = "<sip:" + user + "@h.invalid>",
                                           .call_id = user},
                                          "x")
                  .status(),
              200);
  }
  EXPECT_EQ(world.core.registrations().size(), 2'000U);
  world.advance(seconds{7200});
  world.take();
  EXPECT_EQ(world.core.registrations().size(), 0U);
  EXPECT_EQ(world.core.transaction_count(), 0U);
  EXPECT_FALSE(world.core.next_timeout());
}

}  // namespace
}  // namespace turnpike::ims
