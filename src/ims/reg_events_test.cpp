#include "ims/reg_events.hpp"

#include <gtest/gtest.h>

#include "ims/test_core.hpp"

namespace turnpike::ims {
namespace {

using std::chrono::seconds;
using test::edge_hop;
using test::other_edge_hop;
using test::Sent;
using test::stranger_hop;
using test::World;

std::string subscribe_text(World& world, const sip::Hop& edge = edge_hop, std::string_view rows = {},
                           std::string_view to_tag = {}, int number = 1) {
  std::string text = "SUBSCRIBE sip:alice@ims.example SIP/2.0\r\n" + world.via(edge);
  text += "Max-Forwards: 70\r\nFrom: <sip:" + edge.host + ">;tag=watcher\r\nTo: <sip:alice@ims.example>";
  text += std::string{to_tag} + "\r\nCall-ID: s1\r\nCSeq: " + std::to_string(number) + " SUBSCRIBE\r\n";
  const std::string own = "<sip:" + edge.host + ":" + std::to_string(edge.port) + ">\r\n";
  text += "Contact: " + own + "P-Asserted-Identity: " + own + "Event: reg\r\n";
  return text + std::string{rows} + "Content-Length: 0\r\n\r\n";
}

struct Subscribed {
  Sent ok;
  Sent notify;
};
Subscribed subscribe(World& world, std::string_view rows = {}, std::string_view to_tag = {}, int number = 1) {
  world.give(edge_hop, subscribe_text(world, edge_hop, rows, to_tag, number));
  auto sent = world.take();
  check(sent.size() == 2, "an answer and a NOTIFY were expected");
  return {sent[0], sent[1]};
}

TEST(RegEvents, TellAtOnceWhoIsRegisteredWhere) {
  World world;
  world.register_user("alice");
  const auto [ok, notify] = subscribe(world, "Expires: 600\r\nAccept: application/reginfo+xml\r\n");
  EXPECT_EQ(ok.status(), 200);
  EXPECT_EQ(ok.value("Expires"), "600");
  EXPECT_EQ(notify.to, edge_hop);
  EXPECT_EQ(notify.message().request_uri_text(), "sip:127.0.0.2:5080");
  EXPECT_EQ(notify.value("Subscription-State"), "active;expires=600");
  EXPECT_EQ(notify.value("Event"), "reg");
  EXPECT_EQ(notify.value("Content-Type"), "application/reginfo+xml");
  EXPECT_EQ(notify.value("From"), ok.value("To"));
  EXPECT_EQ(notify.value("To"), "<sip:127.0.0.2>;tag=watcher");
  const std::string xml{notify.message().after_headers()};
  EXPECT_NE(xml.find("version=\"0\" state=\"full\""), std::string::npos);
  EXPECT_NE(xml.find("aor=\"sip:alice@ims.example\""), std::string::npos);
  EXPECT_NE(xml.find("state=\"active\" event=\"registered\""), std::string::npos);
  EXPECT_NE(xml.find("<uri>sip:alice@alice1.invalid;transport=ws</uri>"), std::string::npos);
}

TEST(RegEvents, EndWithTheRegistrationThatAnOperatorEnds) {
  World world;
  world.register_user("alice");
  const Subscribed subscribed = subscribe(world);
  world.give(edge_hop, test::response_to(subscribed.notify, 200));
  EXPECT_TRUE(world.core.deregister("alice@ims.example", ContactEvent::rejected, world.now));
  const Sent notify = world.take_one();
  EXPECT_EQ(notify.value("Subscription-State"), "terminated;reason=noresource");
  EXPECT_EQ(notify.value("CSeq"), "2 NOTIFY");
  const std::string xml{notify.message().after_headers()};
  EXPECT_NE(xml.find("version=\"1\""), std::string::npos);
  EXPECT_NE(xml.find("state=\"terminated\" event=\"rejected\""), std::string::npos);
  EXPECT_EQ(world.core.subscription_count(), 0U);
  EXPECT_FALSE(world.core.deregister("alice@ims.example", ContactEvent::rejected, world.now));
}

TEST(RegEvents, SayThatARegistrationHasExpired) {
  World world;
  world.register_user("alice");
  const Subscribed subscribed = subscribe(world);
  world.give(edge_hop, test::response_to(subscribed.notify, 200));
  world.advance(seconds{3600});
  const auto sent = world.take();
  ASSERT_FALSE(sent.empty());
  EXPECT_NE(sent[0].text.find("event=\"expired\""), std::string::npos);
  EXPECT_EQ(world.core.registrations().size(), 0U);
}

TEST(RegEvents, AreRefreshedAndEndedWithinTheirDialog) {
  World world;
  world.register_user("alice");
  const Subscribed first = subscribe(world, "Expires: 600\r\n");
  const std::string to = first.ok.value("To");
  const std::string tag = to.substr(to.find(";tag="));
  const Subscribed again = subscribe(world, "Expires: 1200\r\n", tag, 2);
  EXPECT_EQ(again.ok.value("Expires"), "1200");
  EXPECT_EQ(again.notify.value("Subscription-State"), "active;expires=1200");
  EXPECT_EQ(world.core.subscription_count(), 1U);
  EXPECT_EQ(world.ask(edge_hop, subscribe_text(world, edge_hop, {}, tag, 2)).status(), 500);
  const Subscribed ended = subscribe(world, "Expires: 0\r\n", tag, 3);
  EXPECT_EQ(ended.notify.value("Subscription-State"), "terminated;reason=timeout");
  EXPECT_EQ(world.core.subscription_count(), 0U);
  EXPECT_EQ(world.ask(edge_hop, subscribe_text(world, edge_hop, {}, tag, 4)).status(), 481);
}

TEST(RegEvents, ExpireWithALastNotify) {
  World world;
  world.register_user("alice");
  const Subscribed subscribed = subscribe(world, "Expires: 60\r\n");
  world.give(edge_hop, test::response_to(subscribed.notify, 200));
  world.advance(seconds{60});
  EXPECT_EQ(world.take().at(0).value("Subscription-State"), "terminated;reason=timeout");
}

TEST(RegEvents, GoToNobodyWhoRefusesANotifyOrIsSilent) {
  World world;
  world.register_user("alice");
  const Subscribed refused = subscribe(world);
  world.give(edge_hop, test::response_to(refused.notify, 481));
  EXPECT_EQ(world.core.subscription_count(), 0U);
  subscribe(world);
  world.advance(seconds{40});
  EXPECT_EQ(world.core.subscription_count(), 0U);
  EXPECT_EQ(world.core.transaction_count(), 0U);
}

TEST(RegEvents, AreNotForStrangersNorForOtherUsers) {
  World world;
  world.register_user("alice");
  world.register_user("bob", other_edge_hop);
  EXPECT_EQ(world.ask(stranger_hop, subscribe_text(world, stranger_hop)).status(), 403);
  EXPECT_EQ(world.ask(other_edge_hop, subscribe_text(world, other_edge_hop)).status(), 403);
}

TEST(RegEvents, RefuseATypeThatTheyDoNotHave) {
  World world;
  EXPECT_EQ(world.ask(edge_hop, subscribe_text(world, edge_hop, "Accept: application/pidf+xml\r\n")).status(),
            406);
}

TEST(RegEvents, BeginBeforeTheRegistrationDoes) {
  World world;
  const Subscribed subscribed = subscribe(world);
  EXPECT_NE(subscribed.notify.text.find("state=\"init\""), std::string::npos);
  world.give(edge_hop, test::response_to(subscribed.notify, 200));
  const Sent challenge = world.ask(edge_hop, world.register_text({}));
  world.give(edge_hop, world.register_text(
                           {.authorization = World::answer(challenge, "alice@ims.example", "alice secret")}));
  const auto sent = world.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].status(), 200);
  EXPECT_NE(sent[1].text.find("state=\"active\" event=\"registered\""), std::string::npos);
}

TEST(RegEvents, LiveNoLongerThanARegistrationWhereThereIsNone) {
  World world;
  const Subscribed subscribed = subscribe(world, "Expires: 600000\r\n");
  EXPECT_EQ(subscribed.ok.value("Expires"), "7200");
  world.give(edge_hop, test::response_to(subscribed.notify, 200));
  world.advance(seconds{7200});
  EXPECT_EQ(world.take().at(0).value("Subscription-State"), "terminated;reason=timeout");
  EXPECT_EQ(world.core.subscription_count(), 0U);
}

TEST(RegEvents, TellOfAContactsParametersThoseThatNameTheBinding) {
  World world;
  world.register_with_password(
      {.contact = "<sip:alice@a1.invalid>;x=\"&&&\";reg-id=1;+sip.instance=\"<urn:uuid:1>\";q=0.5"},
      "alice secret");
  const std::string xml = subscribe(world).notify.text;
  EXPECT_NE(xml.find("<unknown-param name=\"reg-id\">1<"), std::string::npos);
  EXPECT_NE(xml.find("<unknown-param name=\"+sip.instance\">"), std::string::npos);
  EXPECT_EQ(xml.find("name=\"x\""), std::string::npos);
  EXPECT_EQ(xml.find("name=\"q\""), std::string::npos);
}

// Eight contacts of 32 identities, with all that a client may write, are a megabyte.
TEST(RegEvents, ThatFitIntoNoMessageSayWhatHasEnded) {
  World world;
  auto alice = *world.subscribers.find_private("alice@ims.example");
  for (int i = 1; i < 32; ++i) alice.impus.push_back("sip:alice" + std::to_string(i) + "@ims.example");
  world.subscribers.add(alice);
  const auto contact = [](int i) {
    return "<sip:alice@" + std::to_string(i) + ".invalid;x=" + std::string(900, '&') + '>';
  };
  const auto enroll = [&](int i, std::string_view rows = "Expires: 3600\r\n") {
    const std::string call_id = std::to_string(i) + std::string(900, '<');
    const Sent challenge = world.ask(edge_hop, world.register_text({.call_id = call_id}));
    world.give(edge_hop, world.register_text(
                             {.authorization = World::answer(challenge, "alice@ims.example", "alice secret"),
                              .contact = contact(i),
                              .rows = std::string{rows},
                              .call_id = call_id}));
    return world.take();
  };
  for (int i = 0; i < 8; ++i) ASSERT_EQ(enroll(i).at(0).status(), 200);
  const Subscribed first = subscribe(world);
  EXPECT_NE(first.notify.text.find("state=\"partial\""), std::string::npos);
  EXPECT_NE(first.notify.text.find("state=\"active\""), std::string::npos);
  world.give(edge_hop, test::response_to(first.notify, 200));
  // One of them ends.
  const auto sent = enroll(3, "Expires: 0\r\n");
  ASSERT_EQ(sent.size(), 2U);
  const std::string& one = sent[1].text;
  EXPECT_NE(one.find("state=\"partial\""), std::string::npos);
  EXPECT_NE(one.find("aor=\"sip:alice31@ims.example\""), std::string::npos);
  EXPECT_EQ(one.find("<contact"), one.rfind("<contact"));
  EXPECT_NE(one.find("state=\"terminated\" event=\"unregistered\""), std::string::npos);
  EXPECT_NE(one.find("<uri>sip:alice@3.invalid;"), std::string::npos);
  world.give(edge_hop, test::response_to(sent[1], 200));
  // And all the others.
  EXPECT_TRUE(world.core.deregister("alice@ims.example", ContactEvent::rejected, world.now));
  const Sent last = world.take_one();
  EXPECT_EQ(last.value("Subscription-State"), "terminated;reason=noresource");
  EXPECT_NE(last.text.find("state=\"terminated\" event=\"rejected\""), std::string::npos);
}

// As the eP-CSCF forwards it: by the Service-Route, with its user's identity.
std::string watch_text(World& world, std::string_view user, std::string_view target,
                       const sip::Hop& edge = edge_hop) {
  return world.request_text("SUBSCRIBE", user, target, edge, "Event: reg\r\n");
}

TEST(RegEvents, OfOneWatcherAreBounded) {
  World world;
  world.register_user("alice");
  for (int i = 0; i < 100; ++i) {
    world.give(edge_hop, subscribe_text(world));
    world.take();
  }
  EXPECT_EQ(world.core.subscription_count(), CoreLimits{}.subscriptions_per_watcher_max);
}

TEST(RegEvents, AreOfEachUserForItself) {
  World world;
  world.register_user("alice");
  world.register_user("bob");
  EXPECT_EQ(world.ask(edge_hop, watch_text(world, "alice", "sip:bob@ims.example")).status(), 403);
  EXPECT_EQ(world.ask(edge_hop, watch_text(world, "alice", "sip:nobody@ims.example")).status(), 403);
  world.give(edge_hop, watch_text(world, "bob", "sip:bob@ims.example"));
  const auto sent = world.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].status(), 200);
  EXPECT_EQ(sent[1].value("Subscription-State"), "active;expires=3761");
}

TEST(RegEvents, TakeNobodyForAUserWhoIsNotAsserted) {
  World world;
  world.register_user("alice");
  std::string text = watch_text(world, "alice", "sip:alice@ims.example");
  const std::string row = "P-Asserted-Identity: <sip:alice@ims.example>\r\n";
  text.erase(text.find(row), row.size());
  EXPECT_EQ(world.ask(edge_hop, text).status(), 403);
}

// A node's own right is not that of a user who comes through it.
TEST(RegEvents, AreNotANodesWhereItServesAUser) {
  World world;
  world.register_user("alice");
  std::string text = watch_text(world, "alice", "sip:alice@ims.example");
  const std::string asserted = "P-Asserted-Identity: <sip:alice@ims.example>";
  text.replace(text.find(asserted), asserted.size(), "P-Asserted-Identity: <sip:127.0.0.2:5080>");
  EXPECT_EQ(world.ask(edge_hop, text).status(), 403);
}

TEST(RegEvents, AreNotForAUserOfAnotherEdge) {
  World world;
  world.register_user("alice");
  world.register_user("bob", other_edge_hop);
  EXPECT_EQ(
      world.ask(other_edge_hop, watch_text(world, "alice", "sip:alice@ims.example", other_edge_hop)).status(),
      403);
  world.give(other_edge_hop, watch_text(world, "bob", "sip:bob@ims.example", other_edge_hop));
  EXPECT_EQ(world.take().at(0).status(), 200);
}

TEST(RegEvents, OfAUserMakeRoomForItsOwnAloneAndSaySo) {
  World world;
  world.register_user("alice");
  const Subscribed node = subscribe(world, "Expires: 600\r\n");
  world.give(edge_hop, test::response_to(node.notify, 200));
  std::string first_to;
  for (std::size_t i = 0; i < CoreLimits{}.subscriptions_per_watcher_max; ++i) {
    world.give(edge_hop, watch_text(world, "alice", "sip:alice@ims.example"));
    const auto sent = world.take();
    ASSERT_EQ(sent.size(), 2U);
    world.give(edge_hop, test::response_to(sent[1], 200));
    if (i == 0) first_to = sent[0].value("To");
  }
  world.give(edge_hop, watch_text(world, "alice", "sip:alice@ims.example"));
  const auto sent = world.take();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[1].value("From"), first_to);
  EXPECT_EQ(sent[1].value("Subscription-State"), "terminated;reason=rejected");
  // The node hears of the end.
  EXPECT_TRUE(world.core.deregister("alice@ims.example", ContactEvent::rejected, world.now));
  EXPECT_EQ(world.take().at(0).value("Call-ID"), node.notify.value("Call-ID"));
}

TEST(RegEvents, AreRefreshedByWhoHasTheDialogAlone) {
  World world;
  world.register_user("alice");
  world.register_user("bob");
  const Subscribed node = subscribe(world);
  const std::string to = node.ok.value("To");
  const std::string tag = to.substr(to.find(";tag="));
  // Within the node's dialog another one, and nobody.
  std::string forged = subscribe_text(world, edge_hop, "Expires: 0\r\n", tag, 2);
  forged.replace(forged.find("tag=watcher"), 11, "tag=other");
  EXPECT_EQ(world.ask(edge_hop, forged).status(), 481);
  std::string text = subscribe_text(world, edge_hop, "Expires: 0\r\n", tag, 2);
  text.erase(text.find("P-Asserted-Identity"), text.find("Event: reg") - text.find("P-Asserted-Identity"));
  EXPECT_EQ(world.ask(edge_hop, text).status(), 403);
  EXPECT_EQ(world.core.subscription_count(), 1U);
  // Proxies assert nobody within a dialog.
  world.give(edge_hop, watch_text(world, "bob", "sip:bob@ims.example"));
  const std::string own = world.take().at(0).value("To");
  std::string again = watch_text(world, "bob", "sip:bob@ims.example");
  again.replace(again.find("To: <sip:bob@ims.example>"), 25, "To: " + own);
  again.replace(again.find("CSeq: 1"), 7, "CSeq: 2");
  again.erase(again.find("P-Asserted-Identity"), again.find("Contact: ") - again.find("P-Asserted-Identity"));
  again.erase(again.find("Route: "), again.find("Max-Forwards") - again.find("Route: "));
  world.give(edge_hop, again);
  EXPECT_EQ(world.take().at(0).status(), 200);
}

}  // namespace
}  // namespace turnpike::ims
