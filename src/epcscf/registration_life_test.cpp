#include <gtest/gtest.h>

#include <set>
#include <string>

#include "epcscf/registrar.hpp"
#include "epcscf/test_world.hpp"

namespace turnpike::epcscf {
namespace {

using namespace test;

TEST(RegistrationLife, ANewUsernameComesWithEachRefresh) {
  World world;
  const std::string first = value(world.enroll(), "Turn-Credentials");
  world.take_core("SUBSCRIBE");
  world.advance(seconds{300});
  world.to_core.clear();
  const std::string second = value(world.enroll(), "Turn-Credentials");
  EXPECT_NE(first.substr(0, first.find("ttl")), second.substr(0, second.find("ttl")));
  EXPECT_TRUE(world.revocations.empty());
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
  EXPECT_EQ(world.proxy.counters().registrations_refreshed, 1U);
}

TEST(RegistrationLife, DeregistrationTakesTheCredentialsBack) {
  World world;
  world.enroll();
  const auto subject = world.proxy.registrations(1, world.now)[0].subject;
  const std::string answer = world.enroll({.expires = "0"});
  EXPECT_EQ(status(answer), 200);
  EXPECT_EQ(value(answer, "Turn-Credentials"), "");
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
  ASSERT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(world.revocations[0].by, credentials::Revocation::By::subject);
  EXPECT_EQ(world.revocations[0].value, subject);
  EXPECT_EQ(world.take_report<Deregistered>()->trigger, EndTrigger::deregistered);
  EXPECT_TRUE(world.closes.empty());
}

TEST(RegistrationLife, AStarEndsAllDevicesOfTheUser) {
  World world;
  world.enroll();
  world.connect(bob_flow);
  world.enroll({.instance = "urn:uuid:2"}, bob_flow);
  EXPECT_EQ(world.proxy.counters().registrations_active, 2U);
  world.to_core.clear();
  world.send(world.make_register({.authorization = digest_answer, .expires = "0", .contact = "*"}));
  world.answer_core(world.take_core(), 200);
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
  EXPECT_EQ(world.revocations.size(), 2U);
  ASSERT_EQ(world.closes.size(), 1U) << "the other device has not asked, and would wait for calls";
  EXPECT_EQ(world.closes[0].flow, bob_flow);
  EXPECT_EQ(world.closes[0].reason, "deregistered");
}

TEST(RegistrationLife, ExpiryTakesTheCredentialsBack) {
  World world;
  world.enroll();
  world.advance(seconds{599});
  EXPECT_TRUE(world.revocations.empty());
  world.advance(seconds{1});
  EXPECT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(world.take_report<Deregistered>()->trigger, EndTrigger::expired);
}

TEST(RegistrationLife, ALostConnectionHasItsGrace) {
  World world;
  world.enroll();
  world.close(alice_flow);
  world.advance(seconds{29});
  EXPECT_TRUE(world.revocations.empty());
  EXPECT_FALSE(world.proxy.registrations(1, world.now)[0].is_connected);
  world.advance(seconds{1});
  EXPECT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(world.take_report<Deregistered>()->trigger, EndTrigger::flow_failed);
}

TEST(RegistrationLife, ADeviceThatComesBackReplacesItself) {
  World world;
  world.enroll();
  world.close(alice_flow);
  world.connect(bob_flow);
  world.enroll({}, bob_flow);
  const auto kept = world.proxy.registrations(9, world.now);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].flow, bob_flow);
  world.advance(seconds{100});
  EXPECT_TRUE(world.revocations.empty());
}

TEST(RegistrationLife, ARefusedStrangerTakesNothingOver) {
  World world;
  world.enroll();
  world.connect(bob_flow);
  world.to_core.clear();
  world.send(world.make_register({.authorization = digest_answer}), bob_flow);
  world.answer_core(world.take_core(), 403);
  EXPECT_EQ(status(world.take_client(bob_flow)), 403);
  EXPECT_EQ(world.proxy.registrations(9, world.now)[0].flow, alice_flow);
}

TEST(RegistrationLife, AnAnswerForAConnectionThatIsGoneStillCounts) {
  World world;
  world.send(world.make_register({.authorization = digest_answer}));
  const std::string sent = world.take_core();
  world.close(alice_flow);
  world.answer_core(sent, 200, world.make_accepted());
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
  world.advance(seconds{30});
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
}

TEST(RegistrationLife, AnOperatorEndsIt) {
  World world;
  world.enroll();
  EXPECT_EQ(world.proxy.deregister("alice@ims.example", world.now), 1U);
  world.drain();
  EXPECT_EQ(world.revocations.size(), 1U);
  ASSERT_EQ(world.closes.size(), 1U);
  EXPECT_EQ(world.closes[0].flow, alice_flow);
  EXPECT_EQ(world.proxy.deregister("alice@ims.example", world.now), 0U);
}

TEST(RegistrationLife, LimitsHoldForThoseWhoAskAtTheSameTime) {
  Settings settings = make_settings();
  settings.limits.registrations_per_impi_max = 1;
  World world{settings};
  const Ask first{.authorization = digest_answer};
  const Ask second{.authorization = digest_answer, .instance = "urn:uuid:2"};
  world.connect(bob_flow);
  world.send(world.make_register(first));
  world.send(world.make_register(second), bob_flow);
  world.answer_core(world.take_core("REGISTER"), 200, world.make_accepted(first));
  world.answer_core(world.take_core("REGISTER"), 200, world.make_accepted(second));
  EXPECT_EQ(status(world.take_client()), 200);
  const std::string refused = world.take_client(bob_flow);
  EXPECT_EQ(status(refused), 503);
  EXPECT_FALSE(holds(refused, "turn-credentials"));
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
}

TEST(RegistrationLife, LimitsHold) {
  Settings settings = make_settings();
  settings.limits.registrations_per_impi_max = 2;
  World world{settings};
  for (int device = 0; device < 2; ++device) {
    const FlowId flow{static_cast<std::uint64_t>(10 + device)};
    world.connect(flow);
    world.enroll({.instance = "urn:uuid:" + std::to_string(device)}, flow);
  }
  world.send(world.make_register({.instance = "urn:uuid:9"}));
  EXPECT_EQ(status(world.take_client()), 503);
  EXPECT_EQ(world.take_report<RegistrationRefused>()->reason, RegistrationRefusal::limit);
}

// --- provisioning -----------------------------------------------------------------------------------------

TEST(Provisioning, ABodyComesWhereItIsAccepted) {
  World world;
  const std::string answer =
      world.enroll({.rows = "Accept: application/sdp, application/turn-credentials+json\r\n"});
  EXPECT_EQ(value(answer, "Content-Type"), "application/turn-credentials+json");
  EXPECT_EQ(value(answer, "Turn-Credentials"), "");
  EXPECT_TRUE(holds(answer, "\"iceServers\""));
  EXPECT_TRUE(sip::Message::parse(answer)->body()->starts_with('{'));
}

TEST(Provisioning, NothingUnasked) {
  World world;
  const std::string answer = world.enroll({.rows = ""});
  EXPECT_EQ(value(answer, "Turn-Credentials"), "");
  EXPECT_EQ(value(answer, "Warning"), "");
  EXPECT_FALSE(world.proxy.registrations(1, world.now)[0].has_credentials);
}

TEST(Provisioning, NotWithoutTls) {
  World world;
  world.close(alice_flow);
  world.connect(alice_flow, false);
  const std::string answer = world.enroll();
  EXPECT_EQ(status(answer), 200);
  EXPECT_EQ(value(answer, "Turn-Credentials"), "");
  EXPECT_TRUE(holds(value(answer, "Warning"), "not_secure"));
}

TEST(Provisioning, NotForAThirdParty) {
  World world;
  const std::string answer = world.enroll({.from = "mallory@ims.example"});
  EXPECT_EQ(value(answer, "Turn-Credentials"), "");
  EXPECT_EQ(world.take_report<NotProvisioned>()->reason, Unprovisioned::third_party);
}

TEST(Provisioning, NotWithoutProof) {
  World world;
  const std::string answer = world.enroll({.authorization = "Digest username=\"a\", realm=\"ims.example\""});
  EXPECT_EQ(status(answer), 200);
  EXPECT_EQ(value(answer, "Turn-Credentials"), "");
  EXPECT_EQ(world.take_report<NotProvisioned>()->reason, Unprovisioned::unauthenticated);
}

TEST(Provisioning, AMalformedWishDoesNotHurtTheRegistration) {
  World world;
  const std::string answer = world.enroll({.rows = "Turn-Credentials: request;ttl=never\r\n"});
  EXPECT_EQ(status(answer), 200);
  EXPECT_TRUE(
      holds(value(answer, "Warning"), "399 epcscf.ims.example:5070 \"No TURN credentials: malformed"));
}

TEST(Provisioning, WhatIsPushedIsAcknowledgedBeforeTheAnswerLeaves) {
  World world{make_pushing_settings()};
  world.send(world.make_register({.authorization = digest_answer}));
  world.answer_core(world.take_core(), 200, world.make_accepted());
  ASSERT_EQ(world.pushes.size(), 1U);
  EXPECT_TRUE(world.to_client.empty());
  world.proxy.on_push_done(world.pushes[0].id, true, world.now);
  world.drain();
  const std::string answer = world.take_client();
  EXPECT_TRUE(holds(value(answer, "Turn-Credentials"), world.pushes[0].credential.username));
  EXPECT_EQ(world.take_report<Provisioned>()->source, credentials::Source::pushed);
}

TEST(Provisioning, HandsOutTheUrisOfTheRelaysThatLive) {
  World world{make_pushing_settings()};
  world.proxy.offer({"turn:turn9.ims.example?transport=udp"});
  world.proxy.reconfigure(make_pushing_settings());  // changes nothing of it
  world.send(world.make_register({.authorization = digest_answer}));
  world.answer_core(world.take_core(), 200, world.make_accepted());
  ASSERT_EQ(world.pushes.size(), 1U);
  world.proxy.on_push_done(world.pushes[0].id, true, world.now);
  world.drain();
  EXPECT_TRUE(value(world.take_client(), "Turn-Credentials").starts_with("<turn:turn9.ims.example"));
}

TEST(Provisioning, HandsOutTheUrisOfTheSettingsWhileNoRelayIsKnownToLive) {
  const Settings settings = make_pushing_settings();
  World world{settings};
  world.proxy.offer({"turn:turn9.ims.example?transport=udp"});
  world.proxy.offer({});
  world.send(world.make_register({.authorization = digest_answer}));
  world.answer_core(world.take_core(), 200, world.make_accepted());
  ASSERT_EQ(world.pushes.size(), 1U);
  world.proxy.on_push_done(world.pushes[0].id, false, world.now);
  world.drain();
  EXPECT_TRUE(
      value(world.take_client(), "Turn-Credentials").starts_with('<' + settings.provisioning->uris.front()));
}

TEST(Provisioning, FallsBackWhereNoRelayAnswersInTime) {
  World world{make_pushing_settings()};
  world.send(world.make_register({.authorization = digest_answer}));
  world.answer_core(world.take_core(), 200, world.make_accepted());
  world.advance(milliseconds{500});
  const std::string answer = world.take_client();
  EXPECT_EQ(status(answer), 200);
  const auto report = world.take_report<Provisioned>();
  EXPECT_EQ(report->source, credentials::Source::computed);
  EXPECT_TRUE(report->is_fallback);
  ASSERT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(world.revocations[0].value, world.pushes[0].credential.username);
  world.proxy.on_push_done(world.pushes[0].id, true, world.now);
  world.drain();
  EXPECT_TRUE(world.to_client.empty());
}

TEST(Provisioning, WhatStandsInHasANewNameEachTime) {
  World world{make_pushing_settings()};
  std::set<std::string> answers;
  for (int time = 0; time < 3; ++time) {
    world.send(world.make_register({.authorization = digest_answer}));
    world.answer_core(world.take_core("REGISTER"), 200, world.make_accepted());
    ASSERT_FALSE(world.pushes.empty());
    world.proxy.on_push_done(world.pushes.back().id, false, world.now);
    world.drain();
    answers.insert(value(world.take_client(), "Turn-Credentials"));
  }
  EXPECT_EQ(answers.size(), 3U);
}

TEST(Provisioning, GoesWithoutCredentialsWhereNothingStandsIn) {
  Settings settings = make_pushing_settings();
  settings.provisioning->sources = {credentials::Source::pushed};
  World world{settings};
  world.send(world.make_register({.authorization = digest_answer}));
  world.answer_core(world.take_core(), 200, world.make_accepted());
  world.proxy.on_push_done(world.pushes[0].id, false, world.now);
  world.drain();
  const std::string answer = world.take_client();
  EXPECT_EQ(status(answer), 200);
  EXPECT_TRUE(holds(value(answer, "Warning"), "not_acknowledged"));
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
}

TEST(Provisioning, WhatWasPushedIsTakenBackThoughItsAnswerWasLost) {
  World world{make_pushing_settings()};
  world.send(world.make_register({.authorization = digest_answer}));
  world.answer_core(world.take_core(), 200, world.make_accepted());
  world.close(alice_flow);
  world.proxy.on_push_done(world.pushes[0].id, true, world.now);
  world.drain();
  EXPECT_TRUE(world.to_client.empty());
  world.advance(seconds{30});
  ASSERT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(world.revocations[0].value, world.pushes[0].credential.subject);
}

TEST(Provisioning, ARegistrationThatEndsWhileTheRelayIsAskedGetsNone) {
  World world{make_pushing_settings()};
  world.send(world.make_register({.authorization = digest_answer}));
  world.answer_core(world.take_core(), 200, world.make_accepted());
  world.proxy.deregister("alice@ims.example", world.now);
  world.drain();
  EXPECT_EQ(world.revocations.size(), 1U);
  world.proxy.on_push_done(world.pushes[0].id, true, world.now);
  world.drain();
  EXPECT_EQ(value(world.take_client(), "Turn-Credentials"), "");
}

}  // namespace
}  // namespace turnpike::epcscf
