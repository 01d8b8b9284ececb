#include "epcscf/register_request.hpp"

#include <gtest/gtest.h>

#include "epcscf/test_world.hpp"

namespace turnpike::epcscf {
namespace {

using namespace test;

TEST(Register, GoesToTheCoreWithWhatTheEdgeAdds) {
  World world;
  world.send(world.make_register());
  const std::string sent = world.take_core();
  EXPECT_EQ(world.hops.front(), core);
  EXPECT_TRUE(sent.starts_with("REGISTER sip:ims.example SIP/2.0\r\n"));
  EXPECT_TRUE(value(sent, "Path").starts_with("<sip:")) << sent;
  EXPECT_TRUE(holds(value(sent, "Path"), "@epcscf.ims.example:5070;lr;ob>"));
  EXPECT_EQ(value(sent, "Require"), "path");
  EXPECT_EQ(value(sent, "P-Visited-Network-ID"), "\"ims.example\"");
  EXPECT_TRUE(value(sent, "P-Charging-Vector").starts_with("icid-value=\""));
  EXPECT_EQ(value(sent, "Max-Forwards"), "69");
  EXPECT_EQ(value(sent, "Turn-Credentials"), "");
  const std::string via = value(sent, "Via");
  EXPECT_TRUE(via.starts_with("SIP/2.0/UDP epcscf.ims.example:5070;branch=z9hG4bK"));
  EXPECT_TRUE(holds(via, "received=198.51.100.7"));
  EXPECT_TRUE(holds(via, "rport=4711"));
}

TEST(Register, PassesTheChallengeBack) {
  World world;
  world.send(world.make_register());
  world.answer_core(world.take_core(), 401,
                    "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"n\", algorithm=MD5, "
                    "ck=\"00\", ik=\"11\", qop=\"auth\"\r\nP-Charging-Vector: icid-value=x\r\n");
  const std::string answer = world.take_client();
  EXPECT_EQ(status(answer), 401);
  EXPECT_EQ(value(answer, "WWW-Authenticate"),
            "Digest realm=\"ims.example\", nonce=\"n\", algorithm=MD5, qop=\"auth\"");
  EXPECT_FALSE(holds(value(answer, "Via"), "epcscf"));
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
  EXPECT_EQ(world.proxy.counters().challenges, 1U);
}

TEST(Register, BringsCredentialsAndIsKept) {
  World world;
  const std::string answer = world.enroll();
  EXPECT_EQ(status(answer), 200);
  EXPECT_TRUE(holds(value(answer, "Turn-Credentials"), "<turn:turn1.ims.example:3478?transport=udp>"));
  EXPECT_EQ(value(answer, "P-Associated-URI"), "<sip:alice@ims.example>, <tel:+15550100>");
  EXPECT_TRUE(holds(value(answer, "Contact"), "expires=600"));
  const auto kept = world.proxy.registrations(10, world.now);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].impi, "alice@ims.example");
  EXPECT_EQ(kept[0].impus, (std::vector<std::string>{"sip:alice@ims.example", "tel:+15550100"}));
  EXPECT_EQ(kept[0].expires_in, seconds{600});
  EXPECT_TRUE(kept[0].has_credentials);
  const auto report = world.take_report<Registered>();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_refresh);
  EXPECT_EQ(report->subject, kept[0].subject);
  EXPECT_FALSE(holds(report->subject, "alice"));
  EXPECT_EQ(world.take_report<Provisioned>()->source, credentials::Source::computed);
}

TEST(Register, SaysWhetherTheResponseCameOverABoundConnection) {
  World world;
  Ask ask{.authorization = digest_answer};
  world.send(world.make_register(ask));
  std::string sent = world.take_core();
  EXPECT_TRUE(holds(value(sent, "Authorization"), "integrity-protected=\"tls-pending\""));
  world.answer_core(sent, 200, world.make_accepted(ask));
  world.take_core("SUBSCRIBE");
  world.send(world.make_register(ask));
  EXPECT_TRUE(holds(value(world.take_core(), "Authorization"), "integrity-protected=\"tls-yes\""));
}

TEST(Register, SaysNothingOfARequestWithoutResponse) {
  World world;
  world.send(
      world.make_register({.authorization = "Digest username=\"alice@ims.example\", realm=\"ims.example\", "
                                            "uri=\"sip:ims.example\", nonce=\"\", response=\"\""}));
  EXPECT_FALSE(holds(world.take_core(), "integrity-protected"));
}

TEST(Register, MarksAkaAsConnectedOverTls) {
  World world;
  world.send(
      world.make_register({.authorization = "Digest username=\"a\", realm=\"ims.example\", nonce=\"\", "
                                            "response=\"\", algorithm=AKAv2-SHA-256"}));
  EXPECT_TRUE(holds(value(world.take_core(), "Authorization"), "integrity-protected=\"tls-connected\""));
}

TEST(Register, TakesOutWhatAWicMustNotSay) {
  World world;
  world.send(world.make_register(
      {.authorization = "Digest integrity-protected=\"auth-done\", username=\"alice@ims.example\", "
                        "realm=\"ims.example\", nonce=\"\", response=\"\", authorization-entity=\"x\"",
       .rows = "P-Charging-Vector: icid-value=forged\r\nP-Charging-Function-Addresses: ccf=x\r\n"
               "P-Asserted-Identity: <sip:root@ims.example>\r\nTurn-Credentials: <turn:evil>\r\n"
               "Path: <sip:evil.example;lr>\r\nRoute: <sip:evil.example;lr>\r\n"
               "P-Visited-Network-ID: \"forged\"\r\nP-Access-Network-Info: IEEE-802.11;network-provided\r\n"
               "Proxy-Authorization: Digest username=\"a\", integrity-protected=\"yes\"\r\n"}));
  const std::string sent = world.take_core();
  for (const auto* part : {"auth-done", "authorization-entity", "forged", "root@", "evil", "network-provided",
                           "integrity-protected", "ccf="})
    EXPECT_FALSE(holds(sent, part)) << part << "\n" << sent;
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::forged_trust);
}

// Each by itself: that it is taken out is one thing, that somebody is told another.
TEST(Register, TellsOfEachForgery) {
  const std::string plain =
      "Digest username=\"alice@ims.example\", realm=\"ims.example\", nonce=\"\", response=\"\"";
  for (const Ask& ask :
       {Ask{.authorization = plain + ", integrity-protected=\"auth-done\""},
        Ask{.authorization = plain + ", Authorization-Entity=\"x\""},
        Ask{.authorization = plain, .rows = "P-Asserted-Identity: <sip:root@ims.example>\r\n"},
        Ask{.rows = "Proxy-Authorization: Digest username=\"a\", integrity-protected=\"yes\"\r\n"}}) {
    World world;
    world.send(world.make_register(ask));
    EXPECT_FALSE(holds(world.take_core(), "integrity-protected"));
    const auto told = world.take_report<MessageRefused>();
    ASSERT_TRUE(told) << ask.authorization << ask.rows;
    EXPECT_EQ(told->what, BadMessage::forged_trust);
  }
  World world;
  world.send(world.make_register({.authorization = plain}));
  EXPECT_FALSE(world.take_report<MessageRefused>()) << "it asks for credentials, as it may";
}

TEST(Register, IsRefusedWithNamesOfTrustWithinValues) {
  const std::string digest =
      "Digest username=\"alice@ims.example\", realm=\"ims.example\", nonce=\"\", response=\"0\"";
  for (const Ask& ask : {Ask{.authorization = digest + ", opaque=\"integrity-protected=auth-done\""},
                         Ask{.authorization = digest + ", opaque=\"\\\"INTEGRITY-PROTECTED=\\\"auth-done\""},
                         Ask{.authorization = "integrity-protected=auth-done"},
                         Ask{.rows = "Authorization: Digest username=\"authorization-entity\"\r\n"},
                         Ask{.authorization = digest,
                             .rows = "Proxy-Authorization: Digest opaque=\"integrity-protected=\"\r\n"}}) {
    World world;
    world.send(world.make_register(ask));
    EXPECT_EQ(status(world.take_client()), 400) << ask.authorization << ask.rows;
    EXPECT_TRUE(world.to_core.empty());
  }
  World world;
  world.send(world.make_register({.authorization = digest + ", opaque=\"integrity-protected=auth-done\""}));
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::forged_trust);
}

// The core looks for the one of its realm; which one that is, is not for us to guess.
TEST(Register, HasOneDigestAlone) {
  World world;
  world.send(world.make_register(
      {.authorization = "Digest username=\"bob@ims.example\", realm=\"elsewhere\", nonce=\"\", response=\"\"",
       .rows = "Authorization: " + digest_answer + "\r\n"}));
  EXPECT_EQ(status(world.take_client()), 400);
  EXPECT_TRUE(world.to_core.empty());
}

// Each leaves an entry in the deny-lists of the relays, which all users share.
TEST(Register, GivesAUserCredentialsForSoManyNewRegistrationsAlone) {
  Settings settings = make_settings();
  settings.limits.provisioned_per_impi_per_hour = 3;
  World world{std::move(settings)};
  const auto come_and_go = [&] {
    const std::string answer = world.enroll();
    EXPECT_EQ(status(world.enroll({.expires = "0"})), 200);
    return answer;
  };
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(value(come_and_go(), "Turn-Credentials").empty());
  const std::string refused = come_and_go();
  EXPECT_EQ(status(refused), 200);
  EXPECT_EQ(value(refused, "Turn-Credentials"), "");
  EXPECT_TRUE(holds(value(refused, "Warning"), "No TURN credentials: too_many_new"));
  EXPECT_EQ(world.revocations.size(), 3U);
  world.connect(bob_flow);
  EXPECT_FALSE(value(world.enroll({.user = "bob@ims.example"}, bob_flow), "Turn-Credentials").empty());
  world.advance(std::chrono::minutes{20});
  EXPECT_FALSE(value(world.enroll(), "Turn-Credentials").empty());
  for (int i = 0; i < 9; ++i)
    EXPECT_FALSE(value(world.enroll(), "Turn-Credentials").empty()) << "refreshes do not count";
}

TEST(Register, ASourceWhoseLoginsFailTooOftenHasToWait) {
  Settings settings = make_settings();
  settings.limits.failed_logins_per_minute = 2;
  World world{std::move(settings)};
  const auto log_in = [&](std::uint16_t status_code, std::string_view rows = {}) {
    world.send(world.make_register({.authorization = digest_answer}));
    world.answer_core(world.take_core("REGISTER"), status_code, rows);
    return status(world.take_client());
  };
  const std::string_view challenge = "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"m\"\r\n";
  const std::string_view stale =
      "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"m\", stale=TRUE\r\n";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(log_in(401, stale), 401) << "the password was right";
  EXPECT_FALSE(world.take_report<RegistrationRefused>());
  EXPECT_EQ(log_in(401, challenge), 401);
  const auto told = world.take_report<RegistrationRefused>();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->reason, RegistrationRefusal::login_failed);
  EXPECT_EQ(told->client.to_string(), "198.51.100.7:4711");
  EXPECT_EQ(log_in(403), 403);
  world.take_report<RegistrationRefused>();
  world.send(world.make_register({.authorization = digest_answer}));
  EXPECT_EQ(status(world.take_client()), 503);
  EXPECT_TRUE(world.to_core.empty());
  EXPECT_EQ(world.take_report<RegistrationRefused>()->reason, RegistrationRefusal::too_many_failures);
  world.send(world.make_register());
  world.answer_core(world.take_core("REGISTER"), 401, challenge);
  EXPECT_EQ(status(world.take_client()), 401) << "who asks for a challenge guesses nothing";
  world.advance(seconds{30});
  EXPECT_EQ(log_in(200, world.make_accepted()), 200);
}

TEST(Register, TellsOfACoreThatGivesCredentials) {
  World world;
  const std::string answer = world.enroll({}, alice_flow, "Turn-Credentials: <turn:evil.example>\r\n");
  EXPECT_FALSE(holds(answer, "evil"));
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::forged_trust);
}

// RFC 5626 section 6: two connections of a device, which has one URI.
TEST(Register, GoesByInstanceAndRegIdWhereBothHaveOneUri) {
  World world;
  const auto contact = [](const char* reg_id) {
    return "<sip:alice@df7jal.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\";reg-id=" +
           std::string{reg_id};
  };
  world.enroll({.expires = "70", .contact = contact("1")});
  world.connect(bob_flow);
  const Ask ask{.authorization = digest_answer, .expires = "600", .contact = contact("2")};
  world.send(world.make_register(ask), bob_flow);
  world.answer_core(world.take_core("REGISTER"), 200,
                    "Contact: " + contact("1") + ";expires=69\r\n" + world.make_accepted(ask));
  EXPECT_EQ(status(world.take_client(bob_flow)), 200);
  world.advance(seconds{100});
  const auto kept = world.proxy.registrations(9, world.now);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].flow, bob_flow);
}

TEST(Register, IsRefusedWhereAnAuthorizationIsMalformed) {
  World world;
  world.send(
      world.make_register({.authorization = "Digest username=\"a\" integrity-protected=\"auth-done\""}));
  EXPECT_EQ(status(world.take_client()), 400);
  EXPECT_TRUE(world.to_core.empty());
}

TEST(Register, IsForTheHomeDomainAlone) {
  World world;
  std::string text = world.make_register();
  text.replace(text.find("sip:ims.example SIP"), 15, "sip:far.example");
  world.send(text);
  EXPECT_EQ(status(world.take_client()), 403);
  EXPECT_EQ(world.take_report<RegistrationRefused>()->reason, RegistrationRefusal::wrong_domain);
}

TEST(Register, AnswersForACoreThatIsSilentOrGone) {
  World world;
  world.send(world.make_register());
  world.advance(seconds{33});
  EXPECT_EQ(status(world.take_client()), 504);
  world.to_core.clear();
  world.send(world.make_register());
  world.take_core();
  world.proxy.on_core_failed(core, world.now);
  world.drain();
  EXPECT_EQ(status(world.take_client()), 503);
  EXPECT_EQ(world.proxy.counters().transactions_active, 0U);
}

TEST(Register, RefusesHalfAMessageAndTwoInAFrame) {
  World world;
  const std::string text = world.make_register();
  world.send(text.substr(0, text.size() - 2));
  EXPECT_EQ(status(world.take_client()), 400);
  world.send(text + text);
  EXPECT_EQ(status(world.take_client()), 400);
  std::string counted = world.make_register({.rows = "Content-Length: 0\r\n"});
  world.send(counted + text);
  EXPECT_EQ(status(world.take_client()), 400);
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::malformed);
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::two_messages);
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::two_messages);
  EXPECT_TRUE(world.to_core.empty());
}

// RFC 3261 section 18.2.2: the connection says whom to answer.
TEST(Register, IsToldWhatIsWrongAlsoWhereItsViaCannotBeRead) {
  World world;
  std::string text = world.make_register();
  text.replace(text.find("Via: SIP/2.0/WSS "), 17, "Via: SIP/2.0/WSS ;;,;,");
  world.send(text);
  EXPECT_TRUE(holds(world.take_client(), "SIP/2.0 400 Malformed Via\r\n"));
  text = world.make_register();
  for (const auto* before : {" SIP/2.0\r\n", "Via: SIP/2.0/"})
    text.replace(text.find("2.0", text.find(before)), 3, "7.0");
  world.send(text);
  EXPECT_TRUE(holds(world.take_client(), "SIP/2.0 505 Version Not Supported\r\nVia: SIP/7.0/WSS"));
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
}

TEST(Register, AProxyRequirementIsNotMet) {
  World world;
  world.send(world.make_register({.rows = "Proxy-Require: sec-agree\r\n"}));
  const std::string answer = world.take_client();
  EXPECT_EQ(status(answer), 420);
  EXPECT_EQ(value(answer, "Unsupported"), "sec-agree");
}

TEST(Register, CredentialsAreThisNodesWordAlone) {
  World world;
  const std::string answer =
      world.enroll({}, alice_flow, "Turn-Credentials: <turn:evil.example>;username=\"a\";password=\"b\"\r\n");
  EXPECT_FALSE(holds(answer, "evil"));
  EXPECT_TRUE(holds(value(answer, "Turn-Credentials"), "turn1.ims.example"));
}

TEST(Register, HopsRunOut) {
  World world;
  std::string text = world.make_register();
  text.replace(text.find("Max-Forwards: 70"), 16, "Max-Forwards: 0");
  world.send(text);
  EXPECT_EQ(status(world.take_client()), 483);
}

}  // namespace
}  // namespace turnpike::epcscf
