// What a WIC reads where it is given no credentials: docs/turn-credentials.md has these texts.

#include <gtest/gtest.h>

#include <string>

#include "epcscf/test_world.hpp"

namespace turnpike::epcscf {
namespace {

using namespace test;

std::string asking(std::string_view wishes) {
  return "Turn-Credentials: request" + std::string{wishes} + "\r\n";
}

// The 200 registers, has no credentials, and says why: in these very words.
void expect_refusal(World& world, const std::string& answer, Unprovisioned reason, std::string_view word) {
  EXPECT_EQ(status(answer), 200) << word;
  EXPECT_EQ(value(answer, "Turn-Credentials"), "") << word;
  EXPECT_EQ(value(answer, "Warning"),
            "399 epcscf.ims.example:5070 \"No TURN credentials: " + std::string{word} + '"');
  EXPECT_EQ(world.take_report<NotProvisioned>()->reason, reason) << word;
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U) << word;
}

void expect_refused_wish(World& world, std::string_view wishes, Unprovisioned reason, std::string_view word) {
  expect_refusal(world, world.enroll({.rows = asking(wishes)}), reason, word);
}

TEST(Unprovisioned, SaysThatTheFlowIsNotSecure) {
  World world;
  world.close(alice_flow);
  world.connect(alice_flow, false);
  expect_refused_wish(world, "", Unprovisioned::not_secure, "not_secure");
}

TEST(Unprovisioned, SaysThatTheRegistrationIsSomebodyElses) {
  World world;
  expect_refusal(world, world.enroll({.from = "mallory@ims.example"}), Unprovisioned::third_party,
                 "third_party");
}

TEST(Unprovisioned, SaysThatNobodyHasProvedAnything) {
  World world;
  expect_refusal(world, world.enroll({.authorization = "Digest username=\"a\", realm=\"ims.example\""}),
                 Unprovisioned::unauthenticated, "unauthenticated");
}

TEST(Unprovisioned, SaysOneWordOfAllThatIsMalformed) {
  for (const char* wishes : {";ttl=never", ";ttl=1;ttl=2", ";ttl=4294967296", ", request", ";transport=sctp",
                             ";realm=\"x", "s", "=1"}) {
    World world;
    SCOPED_TRACE(wishes);
    expect_refused_wish(world, wishes, Unprovisioned::malformed, "malformed");
  }
}

TEST(Unprovisioned, SaysWhatTheRelaysAreNot) {
  World world;
  expect_refused_wish(world, ";realm=\"other.example\"", Unprovisioned::unknown_realm, "unknown_realm");
  expect_refused_wish(world, ";transport=tcp", Unprovisioned::unknown_transport, "unknown_transport");
  expect_refused_wish(world, ";source=pushed", Unprovisioned::no_source, "no_source");
}

TEST(Unprovisioned, SaysThatNothingIsHandedOutAtAll) {
  Settings settings = make_settings();
  settings.provisioning.reset();
  World world{settings};
  expect_refused_wish(world, "", Unprovisioned::no_source, "no_source");
}

TEST(Unprovisioned, SaysThatThereIsNoRelay) {
  Settings settings = make_settings();
  settings.provisioning->uris.clear();
  World world{settings};
  expect_refused_wish(world, "", Unprovisioned::no_relay, "no_relay");
}

TEST(Unprovisioned, SaysThatNoRelayHasAnswered) {
  Settings settings = make_pushing_settings();
  settings.provisioning->sources = {credentials::Source::pushed};
  World world{settings};
  world.send(world.make_register({.authorization = digest_answer}));
  world.answer_core(world.take_core(), 200, world.make_accepted());
  ASSERT_EQ(world.pushes.size(), 1U);
  world.proxy.on_push_done(world.pushes[0].id, false, world.now);
  world.drain();
  expect_refusal(world, world.take_client(), Unprovisioned::not_acknowledged, "not_acknowledged");
}

TEST(Unprovisioned, SaysThatTooManyWaitForTheirRelays) {
  Settings settings = make_pushing_settings();
  settings.provisioning->sources = {credentials::Source::pushed};
  settings.limits.pushes_max = 0;
  World world{settings};
  expect_refused_wish(world, "", Unprovisioned::too_many_pushes, "too_many_pushes");
}

}  // namespace
}  // namespace turnpike::epcscf
