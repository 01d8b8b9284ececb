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
