#include "epcscf/reg_events.hpp"

#include <gtest/gtest.h>

#include <tuple>

#include "epcscf/test_world.hpp"

namespace turnpike::epcscf {
namespace {

using namespace test;

class EventWorld : public World {
 public:
  explicit EventWorld(Settings settings = make_settings()) : World(std::move(settings)) {
    enroll();
    subscription = take_core("SUBSCRIBE");
  }
  void accept(std::string_view expires = "3600") {
    answer_core(subscription, 200,
                "Expires: " + std::string{expires} + "\r\nContact: <sip:scscf.ims.example:6060>\r\n");
  }
  void notify(std::string_view body, std::string_view state = "active", std::string_view to = {}) {
    const std::string tag = value(subscription, "From").substr(value(subscription, "From").find(";tag="));
    core_says(
        "NOTIFY sip:epcscf.ims.example:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK" +
        next_word() + "\r\nMax-Forwards: 70\r\nFrom: <sip:alice@ims.example>;tag=far\r\nTo: <sip:x>" +
        (to.empty() ? tag : std::string{to}) + "\r\nCall-ID: " + value(subscription, "Call-ID") +
        "\r\nCSeq: " + std::to_string(++number) + " NOTIFY\r\nSubscription-State: " + std::string{state} +
        "\r\nEvent: reg\r\nContent-Type: application/reginfo+xml\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + std::string{body});
  }
  static std::string info(std::string_view state, std::string_view contact_state, int version = 1,
                          std::string_view contact = "sip:alice@df7jal.invalid;transport=ws") {
    return "<reginfo version=\"" + std::to_string(version) +
           "\" state=\"full\"><registration aor=\"sip:alice@ims.example\" id=\"1\" state=\"" +
           std::string{state} + "\"><contact id=\"2\" state=\"" + std::string{contact_state} +
           "\" event=\"rejected\"><uri>" + std::string{contact} + "</uri></contact></registration></reginfo>";
  }
  std::string subscription;
  int number = 0;
};

TEST(RegEvents, AreSubscribedToAfterTheFirstRegistrationAlone) {
  EventWorld world;
  EXPECT_TRUE(world.subscription.starts_with("SUBSCRIBE sip:alice@ims.example SIP/2.0\r\n"));
  EXPECT_EQ(value(world.subscription, "Event"), "reg");
  EXPECT_EQ(value(world.subscription, "Accept"), "application/reginfo+xml");
  world.accept();
  world.enroll();
  EXPECT_TRUE(world.to_core.empty());
  EXPECT_EQ(world.proxy.counters().subscriptions_active, 1U);
}

TEST(RegEvents, EndARegistrationThatTheCoreHasEnded) {
  EventWorld world;
  world.accept();
  world.notify(EventWorld::info("active", "active"));
  EXPECT_EQ(status(world.take_core()), 200);
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
  world.notify(EventWorld::info("terminated", "terminated", 2), "terminated");
  EXPECT_EQ(status(world.take_core()), 200);
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
  EXPECT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(world.take_report<Deregistered>()->trigger, EndTrigger::network);
  ASSERT_EQ(world.closes.size(), 1U);
  EXPECT_EQ(world.closes[0].flow, alice_flow);
  EXPECT_EQ(world.proxy.counters().subscriptions_active, 0U);
  world.advance(seconds{3600});
  EXPECT_TRUE(world.to_core.empty());
}

// It was ended before it could be watched, or the core has forgotten it in a restart.
TEST(RegEvents, EndARegistrationThatTheCoreDoesNotKnow) {
  EventWorld world;
  world.accept();
  world.notify(
      "<reginfo version=\"0\" state=\"full\"><registration aor=\"sip:alice@ims.example\" id=\"1\" "
      "state=\"init\"/></reginfo>");
  EXPECT_EQ(status(world.take_core()), 200);
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
  EXPECT_EQ(world.revocations.size(), 1U);
  EXPECT_EQ(value(world.take_core("SUBSCRIBE"), "Expires"), "0");
}

// Kamailio does so.
TEST(RegEvents, MayOvertakeTheAnswerOfADeregistration) {
  EventWorld world;
  world.accept();
  const Ask ask{.authorization = digest_answer, .expires = "0"};
  world.send(world.make_register(ask));
  const std::string asked = world.take_core("REGISTER");
  world.notify(EventWorld::info("terminated", "terminated"), "terminated");
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
  EXPECT_TRUE(world.closes.empty());
  world.answer_core(asked, 200, world.make_accepted(ask));
  EXPECT_EQ(status(world.take_client()), 200);
  EXPECT_TRUE(world.closes.empty());
}

TEST(RegEvents, OneContactOfTwoMayEnd) {
  EventWorld world;
  world.accept();
  world.connect(bob_flow);
  world.enroll({.instance = "urn:uuid:2", .contact = "<sip:alice@second.invalid;transport=ws>"}, bob_flow);
  world.notify(EventWorld::info("active", "terminated", 1, "sip:alice@second.invalid;transport=ws"));
  const auto kept = world.proxy.registrations(9, world.now);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].flow, alice_flow);
}

TEST(RegEvents, AnOlderDocumentSaysNothing) {
  EventWorld world;
  world.accept();
  world.notify(EventWorld::info("active", "active", 5));
  world.notify(EventWorld::info("terminated", "terminated", 4));
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
}

TEST(RegEvents, ACoreThatRefusesHurtsNobody) {
  EventWorld world;
  world.answer_core(world.subscription, 489);
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
  EXPECT_EQ(world.proxy.counters().subscriptions_active, 0U);
  world.advance(seconds{300});
  EXPECT_TRUE(world.to_core.empty());
  EXPECT_FALSE(value(world.enroll(), "Turn-Credentials").empty());
}

TEST(RegEvents, ACoreThatRefusedForGoodIsAskedForAllByTheNextRegistration) {
  EventWorld world;
  world.connect(bob_flow);
  world.enroll({.instance = "urn:uuid:2", .contact = "<sip:alice@second.invalid;transport=ws>"}, bob_flow);
  world.answer_core(world.subscription, 403);
  world.enroll();
  world.subscription = world.take_core("SUBSCRIBE");
  EXPECT_EQ(world.proxy.counters().subscriptions_active, 1U);
  world.accept();
  // The one that has not registered again is watched, too.
  world.notify(EventWorld::info("active", "terminated", 1, "sip:alice@second.invalid;transport=ws"));
  const auto kept = world.proxy.registrations(9, world.now);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].flow, alice_flow);
}

TEST(RegEvents, ACoreInTroubleIsAskedAgainWhenItLikes) {
  for (const auto& [status_code, rows, wait] : {std::tuple{500, "", seconds{60}},
                                                {503, "Retry-After: 7 (soon);duration=9\r\n", seconds{7}},
                                                {480, "Retry-After: 0\r\n", seconds{1}},
                                                {408, "Retry-After: never\r\n", seconds{60}}}) {
    EventWorld world;
    world.answer_core(world.subscription, static_cast<std::uint16_t>(status_code), rows);
    world.advance(wait - milliseconds{1});
    EXPECT_TRUE(world.to_core.empty()) << status_code;
    world.advance(milliseconds{1});
    world.subscription = world.take_core("SUBSCRIBE");
    world.accept();
    world.notify(EventWorld::info("terminated", "terminated"));
    EXPECT_EQ(world.proxy.counters().registrations_active, 0U) << status_code;
  }
}

TEST(RegEvents, GoByInstanceAndRegIdWhereTheCoreTellsThem) {
  EventWorld world;
  world.accept();
  const auto contact = [](const char* reg_id, const char* state) {
    return "<contact id=\"" + std::string{reg_id} + "\" state=\"" + state +
           "\" event=\"rejected\"><uri>sip:alice@df7jal.invalid;transport=ws</uri>"
           "<unknown-param name=\"+sip.instance\">&quot;&lt;URN:UUID:1&gt;&quot;</unknown-param>"
           "<unknown-param name=\"reg-id\">" +
           reg_id + "</unknown-param></contact>";
  };
  const auto info = [&](int version, const char* first, const char* second) {
    return "<reginfo version=\"" + std::to_string(version) +
           "\" state=\"full\"><registration aor=\"sip:alice@ims.example\" id=\"1\" state=\"active\">" +
           contact("1", first) + contact("2", second) + "</registration></reginfo>";
  };
  world.notify(info(1, "active", "terminated"));
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
  world.notify(info(2, "terminated", "active"));
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
}

TEST(RegEvents, ACoreThatIsSilentIsAskedAgainLater) {
  EventWorld world;
  world.advance(seconds{33});
  world.to_core.clear();
  world.advance(seconds{60});
  EXPECT_NE(value(world.take_core("SUBSCRIBE"), "Call-ID"), value(world.subscription, "Call-ID"));
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
}

TEST(RegEvents, AreRefreshedBeforeTheyEnd) {
  EventWorld world;
  world.accept("400");
  world.advance(seconds{199});
  EXPECT_TRUE(world.to_core.empty());
  world.advance(seconds{1});
  const std::string refresh = world.take_core("SUBSCRIBE");
  EXPECT_EQ(value(refresh, "Call-ID"), value(world.subscription, "Call-ID"));
  EXPECT_EQ(value(refresh, "CSeq"), "2 SUBSCRIBE");
  EXPECT_TRUE(holds(value(refresh, "To"), ";tag=far"));
  EXPECT_EQ(world.hops.back(), (sip::Hop{sip::Transport::udp, "scscf.ims.example", 6060}));
  world.answer_core(refresh, 481);
  world.advance(seconds{2});
  EXPECT_NE(value(world.take_core("SUBSCRIBE"), "Call-ID"), value(world.subscription, "Call-ID"));
}

// A core that was restarted knows the subscription no more, and says nothing.
TEST(RegEvents, ACoreThatDoesNotTellOfARegistrationIsAskedWhetherItKnowsThem) {
  EventWorld world;
  world.accept("600000");
  world.enroll();
  world.advance(seconds{10} - milliseconds{1});
  EXPECT_TRUE(world.to_core.empty());
  world.advance(milliseconds{1});
  const std::string refresh = world.take_core("SUBSCRIBE");
  EXPECT_EQ(value(refresh, "Call-ID"), value(world.subscription, "Call-ID"));
  EXPECT_EQ(value(refresh, "CSeq"), "2 SUBSCRIBE");
  world.answer_core(refresh, 481);
  world.advance(seconds{2});
  world.subscription = world.take_core("SUBSCRIBE");
  EXPECT_EQ(value(world.subscription, "CSeq"), "3 SUBSCRIBE");
  EXPECT_FALSE(holds(value(world.subscription, "To"), ";tag="));
  world.accept();
  world.notify(EventWorld::info("terminated", "terminated"));
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
}

TEST(RegEvents, ACoreThatNeverTellsIsAskedOnceForEachRegistration) {
  EventWorld world;
  world.accept("600000");
  for (int i = 0; i < 3; ++i) world.enroll();
  world.advance(seconds{10});
  world.answer_core(world.take_core("SUBSCRIBE"), 200, "Expires: 600000\r\n");
  EXPECT_TRUE(world.to_core.empty());
  world.advance(seconds{299});
  EXPECT_TRUE(world.to_core.empty());
  world.enroll();
  world.advance(seconds{1});
  EXPECT_EQ(world.to_core.size(), 1U);  // the refresh for the time that nothing was heard
}

TEST(RegEvents, ACoreThatTellsIsNotAsked) {
  EventWorld world;
  world.accept("600000");
  world.enroll();
  world.advance(seconds{9});
  world.notify(EventWorld::info("active", "active"));
  EXPECT_EQ(status(world.take_core()), 200);
  world.advance(seconds{20});
  EXPECT_TRUE(world.to_core.empty());
  // The NOTIFY may overtake the answer to the REGISTER.
  world.notify(EventWorld::info("active", "active", 2));
  EXPECT_EQ(status(world.take_core()), 200);
  world.enroll();
  world.advance(seconds{20});
  EXPECT_TRUE(world.to_core.empty());
}

TEST(RegEvents, AreRefreshedNoLaterThanTheRegistrationUnlessTheCoreIsHeard) {
  EventWorld world;
  world.accept("600000");
  world.advance(seconds{200});
  world.notify(EventWorld::info("active", "active"));
  EXPECT_EQ(status(world.take_core()), 200);
  world.advance(seconds{299});
  EXPECT_TRUE(world.to_core.empty());
  world.advance(seconds{1});
  EXPECT_EQ(value(world.take_core("SUBSCRIBE"), "CSeq"), "2 SUBSCRIBE");
}

// Who is refused a NOTIFY may forget the subscription.
TEST(RegEvents, AreMadeAgainWhereADocumentCannotBeRead) {
  for (const char* body : {"<!DOCTYPE a><reginfo/>", ""}) {
    EventWorld world;
    world.accept();
    if (*body == '\0')
      world.notify(EventWorld::info("active", "active"), "\"");
    else
      world.notify(body);
    EXPECT_EQ(status(world.take_core()), 400);
    world.advance(seconds{60});
    const std::string again = world.take_core("SUBSCRIBE");
    EXPECT_NE(value(again, "Call-ID"), value(world.subscription, "Call-ID"));
    world.subscription = again;
    world.accept();
    world.notify(EventWorld::info("terminated", "terminated"));
    EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
  }
}

TEST(RegEvents, MayBePartialAndThenHaveNoGaps) {
  EventWorld world;
  world.accept("600000");
  world.connect(bob_flow);
  world.enroll({.instance = "urn:uuid:2", .contact = "<sip:alice@second.invalid;transport=ws>"}, bob_flow);
  const auto partial = [](std::string info) { return info.replace(info.find("\"full\""), 6, "\"partial\""); };
  world.notify(EventWorld::info("active", "active"));
  world.notify(partial(EventWorld::info("active", "terminated", 2, "sip:alice@second.invalid;transport=ws")));
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
  world.to_core.clear();
  world.advance(milliseconds{1});
  EXPECT_TRUE(world.to_core.empty());
  world.notify(
      partial("<reginfo version=\"4\" state=\"full\"><registration aor=\"sip:alice@ims.example\" id=\"1\" "
              "state=\"active\"/></reginfo>"));
  EXPECT_EQ(status(world.take_core()), 200);
  world.advance(milliseconds{1});
  EXPECT_EQ(value(world.take_core("SUBSCRIBE"), "CSeq"), "2 SUBSCRIBE");
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
}

TEST(RegEvents, AreGivenUpWithTheLastRegistration) {
  EventWorld world;
  world.accept();
  world.close(alice_flow);
  world.advance(seconds{30});
  EXPECT_EQ(value(world.take_core("SUBSCRIBE"), "Expires"), "0");
  EXPECT_EQ(world.proxy.counters().subscriptions_active, 0U);
}

TEST(RegEvents, WhatIsMalformedOrForOthersIsRefused) {
  EventWorld world;
  world.accept();
  world.notify("<!DOCTYPE a><reginfo/>");
  EXPECT_EQ(status(world.take_core()), 400);
  EXPECT_EQ(world.proxy.counters().bad_messages[static_cast<std::size_t>(BadMessage::bad_reginfo)], 1U);
  world.notify(EventWorld::info("terminated", "terminated"), "active", ";tag=forged");
  EXPECT_EQ(status(world.take_core()), 481);
  EXPECT_EQ(world.proxy.counters().registrations_active, 1U);
}

TEST(RegEvents, ANotifyMayComeBeforeTheAnswer) {
  EventWorld world;
  world.notify(EventWorld::info("terminated", "terminated"));
  EXPECT_EQ(status(world.take_core()), 200);
  EXPECT_EQ(world.proxy.counters().registrations_active, 0U);
}

TEST(RegEvents, MayBeSwitchedOff) {
  Settings settings = make_settings();
  settings.has_reg_event = false;
  World world{settings};
  world.enroll();
  EXPECT_TRUE(world.to_core.empty());
}

}  // namespace
}  // namespace turnpike::epcscf
