#include "ims/router.hpp"

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

struct CallWorld : World {
  CallWorld() {
    register_user("alice");
    register_user("bob", other_edge_hop);
  }
  Sent send(std::string_view method, std::string_view target, const sip::Hop& edge = edge_hop,
            std::string_view user = "alice", std::string_view rows = {}) {
    return ask(edge, request_text(method, user, target, edge, rows));
  }
};

TEST(Router, KnowsWhoIsNotThereAndWhoDoesNotExist) {
  CallWorld world;
  EXPECT_EQ(world.send("MESSAGE", "sip:carol@ims.example").status(), 480);
  EXPECT_EQ(world.send("MESSAGE", "sip:nobody@ims.example").status(), 404);
  EXPECT_EQ(world.send("MESSAGE", "sip:bob@elsewhere.example").status(), 404);
  EXPECT_EQ(world.send("MESSAGE", "tel:+4930123").status(), 404);
  EXPECT_EQ(world.core.counters().not_routed, 4U);
}

TEST(Router, SaysWhichSchemesItDoesNotKnow) {
  CallWorld world;
  for (const auto* target : {"nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002"})
    EXPECT_EQ(world.send("OPTIONS", target).status(), 416) << target;
}

// As of RFC 2543: without a branch its own fields tell a repetition, and hops are not counted yet.
TEST(Router, RoutesARequestWithoutABranch) {
  CallWorld world;
  std::string text = world.request_text("INVITE", "alice", "sip:bob@ims.example");
  const std::size_t at = text.find(";branch=");
  text.erase(at, text.find("\r\n", at) - at);
  text.erase(text.find("Max-Forwards: 69\r\n"), 18);
  EXPECT_EQ(world.ask(edge_hop, text).value("Max-Forwards"), "70");
  world.give(edge_hop, text);
  EXPECT_TRUE(world.take().empty());
}

TEST(Router, FindsNumbersInEitherForm) {
  CallWorld world;
  auto bob = *world.subscribers.find_private("bob@ims.example");
  bob.impus.emplace_back("tel:+4930123");
  world.subscribers.add(bob);
  EXPECT_EQ(world.send("MESSAGE", "tel:+49-30-123").to, other_edge_hop);
  EXPECT_EQ(world.send("MESSAGE", "sip:+4930123@ims.example;user=phone").to, other_edge_hop);
}

TEST(Router, ServesNoCallerWhoIsNotRegistered) {
  CallWorld world;
  EXPECT_EQ(world.send("MESSAGE", "sip:bob@ims.example", edge_hop, "carol").status(), 403);
  EXPECT_EQ(world.send("MESSAGE", "sip:bob@ims.example", stranger_hop).status(), 403);
  // An edge that is not trusted speaks for those alone whom it has brought.
  EXPECT_EQ(world.send("MESSAGE", "sip:alice@ims.example", other_edge_hop, "alice").status(), 403);
  EXPECT_EQ(world.send("MESSAGE", "sip:alice@ims.example", other_edge_hop, "bob").to, edge_hop);
}

TEST(Router, PassesOnTheIdentitiesOfTrustedNodesAlone) {
  CallWorld world;
  EXPECT_EQ(world.send("MESSAGE", "sip:bob@ims.example").value("P-Asserted-Identity"),
            "<sip:alice@ims.example>");
  EXPECT_EQ(
      world.send("MESSAGE", "sip:alice@ims.example", other_edge_hop, "bob").value("P-Asserted-Identity"), "");
}

TEST(Router, CountsTheHopsDown) {
  CallWorld world;
  std::string text = world.request_text("MESSAGE", "alice", "sip:bob@ims.example");
  text.replace(text.find("Max-Forwards: 69"), 16, "Max-Forwards: 0");
  EXPECT_EQ(world.ask(edge_hop, text).status(), 483);
}

TEST(Router, FollowsRoutesBehindItsOwn) {
  CallWorld world;
  std::string text = world.request_text("INVITE", "alice", "sip:bob@ims.example");
  text.replace(text.find("5090;lr>"), 8, "5090;lr>, <sip:as.example:5062;transport=tcp;lr>");
  const Sent forwarded = world.ask(edge_hop, text);
  EXPECT_EQ(forwarded.to, (sip::Hop{sip::Transport::tcp, "as.example", 5062}));
  EXPECT_EQ(forwarded.value("Route"), "<sip:as.example:5062;transport=tcp;lr>");
  EXPECT_EQ(forwarded.message().request_uri_text(), "sip:bob@ims.example");
  EXPECT_EQ(forwarded.value("Record-Route"), "<sip:127.0.0.1:5090;lr>");
}

TEST(Router, AnswersAMonitor) {
  World world;
  std::string text = world.request_text("OPTIONS", "alice", "sip:ims.example");
  EXPECT_EQ(world.ask(stranger_hop, text).status(), 200);
  text = world.request_text("MESSAGE", "alice", "sip:127.0.0.1:5090");
  EXPECT_EQ(world.ask(edge_hop, text).status(), 405);
}

TEST(Call, IsCancelled) {
  CallWorld world;
  const std::string text = world.request_text("INVITE", "alice", "sip:bob@ims.example");
  const Sent invite = world.ask(edge_hop, text);
  EXPECT_EQ(world.ask(other_edge_hop, test::response_to(invite, 180)).status(), 180);
  std::string cancel = text;
  cancel.replace(0, 6, "CANCEL");
  cancel.replace(cancel.find("CSeq: 1 INVITE"), 14, "CSeq: 1 CANCEL");
  world.give(edge_hop, cancel);
  const auto sent = world.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].status(), 200);
  EXPECT_EQ(sent[1].to, other_edge_hop);
  EXPECT_TRUE(sent[1].text.starts_with("CANCEL sip:bob@bob1.invalid"));
  world.give(other_edge_hop, test::response_to(sent[1], 200));
  world.give(other_edge_hop, test::response_to(invite, 487));
  const auto ended = world.take();
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_TRUE(ended[0].text.starts_with("ACK "));
  EXPECT_EQ(ended[1].status(), 487);
  EXPECT_EQ(ended[1].to, edge_hop);
}

TEST(Call, ThatIsNotThereCannotBeCancelled) {
  CallWorld world;
  EXPECT_EQ(world.send("CANCEL", "sip:bob@ims.example").status(), 481);
}

TEST(Call, EndsWith408WhereNobodyAnswers) {
  CallWorld world;
  world.send("MESSAGE", "sip:bob@ims.example");
  world.advance(seconds{33});
  const auto sent = world.take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent.back().status(), 408);
}

TEST(Call, GivesUpOnACalleeWhoRingsForEver) {
  CallWorld world;
  const Sent invite = world.send("INVITE", "sip:bob@ims.example");
  world.give(other_edge_hop, test::response_to(invite, 180));
  world.take();
  world.advance(sip::Forwarder::timer_c);
  bool has_cancelled = false;
  for (const Sent& sent : world.take()) has_cancelled = has_cancelled || sent.text.starts_with("CANCEL ");
  EXPECT_TRUE(has_cancelled);
}

TEST(Call, FailsAtOnceWhereTheNextHopCannotBeReached) {
  CallWorld world;
  world.send("INVITE", "sip:bob@ims.example");
  world.core.on_hop_failed(other_edge_hop, world.now);
  EXPECT_EQ(world.take_one().status(), 500);
}

TEST(Call, ToADeadFlowTriesTheOtherOne) {
  CallWorld world;
  world.register_with_password({.impu = "sip:bob@ims.example",
                                .contact = "<sip:bob@bob2.invalid;transport=ws>",
                                .edge = other_edge_hop,
                                .call_id = "rbob2"},
                               "bob secret");
  const Sent first = world.send("INVITE", "sip:bob@ims.example");
  EXPECT_TRUE(first.text.starts_with("INVITE sip:bob@bob2.invalid"));
  world.give(other_edge_hop, test::response_to(first, 430));
  auto sent = world.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_TRUE(sent[0].text.starts_with("ACK "));
  EXPECT_TRUE(sent[1].text.starts_with("INVITE sip:bob@bob1.invalid"));
  EXPECT_EQ(world.core.registrations().find("bob@ims.example")->bindings.size(), 1U);
  // And where none is left the caller hears that nobody is there.
  world.give(other_edge_hop, test::response_to(sent[1], 430));
  sent = world.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1].status(), 480);
  EXPECT_EQ(world.core.registrations().find("bob@ims.example"), nullptr);
}

TEST(Call, ToADeadFlowThatAStrangerClaimsKeepsItsBinding) {
  CallWorld world;
  const Sent first = world.send("INVITE", "sip:bob@ims.example");
  world.give(stranger_hop, test::response_to(first, 430));
  world.take();
  EXPECT_NE(world.core.registrations().find("bob@ims.example"), nullptr);
}

TEST(HomeCore, AnswersWhatItCannotRead) {
  World world;
  EXPECT_EQ(
      world
          .ask(edge_hop,
               "REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5080;branch=z9hG4bK1\r\n\r\n")
          .status(),
      400);
  world.give(edge_hop, "garbage");
  world.give(edge_hop, "\r\n\r\n");
  world.give(edge_hop, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKx\r\n\r\n");
  EXPECT_TRUE(world.take().empty());
  EXPECT_EQ(world.core.counters().malformed, 3U);
}

TEST(HomeCore, AnswersToThePortThatTheViaNames) {
  World world;
  const sip::Hop source{.transport = sip::Transport::udp, .host = "127.0.0.2", .port = 40000};
  EXPECT_EQ(world.ask(source, world.register_text({})).to, edge_hop);
  std::string text = world.register_text({});
  text.insert(text.find(";branch="), ";rport");
  const Sent answer = world.ask(source, text);
  EXPECT_EQ(answer.to, source);
  EXPECT_NE(answer.value("Via").find("rport=40000"), std::string::npos);
  EXPECT_NE(answer.value("Via").find("received=127.0.0.2"), std::string::npos);
}

TEST(HomeCore, IsNotFilledByStrangers) {
  Settings settings = test::settings();
  settings.limits.hops_max = 100;
  settings.limits.transactions.transactions_max = 200;
  World world{settings};
  for (std::uint16_t port = 1; port < 1000; ++port) {
    const sip::Hop hop{.transport = sip::Transport::udp, .host = "192.0.2.1", .port = port};
    world.give(hop, world.register_text({.edge = hop}));
    world.take();
  }
  EXPECT_LE(world.core.transaction_count(), 200U);
  EXPECT_GT(world.core.counters().dropped, 0U);
  world.advance(std::chrono::minutes{11});
  world.take();
  EXPECT_EQ(world.register_user("alice").status(), 200);
}

}  // namespace
}  // namespace turnpike::ims
