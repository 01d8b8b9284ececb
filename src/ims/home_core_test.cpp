#include "ims/home_core.hpp"

#include <gtest/gtest.h>

#include "ims/test_core.hpp"

namespace turnpike::ims {
namespace {

using test::edge_hop;
using test::other_edge_hop;
using test::Sent;
using test::World;

TEST(HomeCore, RegistersAUserWhoKnowsThePassword) {
  World world;
  const Sent ok = world.register_user("alice");
  EXPECT_EQ(ok.status(), 200);
  EXPECT_EQ(ok.to, edge_hop);
  EXPECT_EQ(ok.value("Service-Route"), "<sip:orig@127.0.0.1:5090;lr>");
  EXPECT_EQ(ok.value("P-Associated-URI"), "<sip:alice@ims.example>");
  EXPECT_EQ(ok.value("Path"), World::path_of(edge_hop, "flowalice"));
  EXPECT_EQ(ok.value("Contact"), "<sip:alice@alice1.invalid;transport=ws>;expires=3600");
  ASSERT_EQ(world.changes.size(), 1U);
  EXPECT_EQ(world.core.registrations().size(), 1U);
  EXPECT_EQ(world.core.counters().registered, 1U);
  EXPECT_EQ(world.core.counters().challenged, 1U);
}

TEST(HomeCore, RoutesAMessageFromOneUserToAnotherOverThePath) {
  World world;
  world.register_user("alice");
  world.register_user("bob", other_edge_hop);
  const Sent forwarded = world.ask(edge_hop, world.request_text("MESSAGE", "alice", "sip:bob@ims.example"));
  EXPECT_EQ(forwarded.to, other_edge_hop);
  EXPECT_EQ(forwarded.message().request_uri_text(), "sip:bob@bob1.invalid;transport=ws");
  EXPECT_EQ(forwarded.values("Route"), std::vector{World::path_of(other_edge_hop, "flowbob")});
  EXPECT_EQ(forwarded.value("P-Called-Party-ID"), "<sip:bob@ims.example>");
  EXPECT_EQ(forwarded.value("P-Asserted-Identity"), "<sip:alice@ims.example>");
  EXPECT_EQ(forwarded.value("Max-Forwards"), "68");
  EXPECT_EQ(forwarded.values("Via").size(), 2U);
  EXPECT_TRUE(forwarded.value("Via").starts_with("SIP/2.0/TCP 127.0.0.1:5090;branch=z9hG4bK"));

  const Sent answer = world.ask(other_edge_hop, test::response_to(forwarded, 200));
  EXPECT_EQ(answer.to, edge_hop);
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.values("Via").size(), 1U);
}

TEST(HomeCore, CarriesACallWithItsDialogAndItsEnd) {
  World world;
  world.register_user("alice");
  world.register_user("bob", other_edge_hop);
  const Sent invite = world.ask(edge_hop, world.request_text("INVITE", "alice", "sip:bob@ims.example"));
  EXPECT_EQ(invite.value("Record-Route"), "<sip:127.0.0.1:5090;lr>");
  EXPECT_TRUE(world.core.next_timeout());
  const Sent ringing = world.ask(other_edge_hop, test::response_to(invite, 180));
  EXPECT_EQ(ringing.status(), 180);
  const Sent ok = world.ask(other_edge_hop, test::response_to(invite, 200));
  EXPECT_EQ(ok.status(), 200);
  const std::string in_dialog = world.via(edge_hop) + "Route: <sip:127.0.0.1:5090;lr>, " +
                                World::path_of(other_edge_hop, "flowbob") +
                                "\r\nMax-Forwards: 69\r\nFrom: <sip:alice@ims.example>;tag=f1\r\n"
                                "To: <sip:bob@ims.example>;tag=far\r\nCall-ID: c1\r\n";
  const Sent ack = world.ask(edge_hop, "ACK sip:bob@bob1.invalid SIP/2.0\r\n" + in_dialog +
                                           "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(ack.to, other_edge_hop);
  EXPECT_EQ(ack.values("Route"), std::vector{World::path_of(other_edge_hop, "flowbob")});
  const Sent bye = world.ask(edge_hop, "BYE sip:bob@bob1.invalid SIP/2.0\r\n" + in_dialog +
                                           "CSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(bye.to, other_edge_hop);
  EXPECT_EQ(world.ask(other_edge_hop, test::response_to(bye, 200)).to, edge_hop);
  world.advance(std::chrono::minutes{5});
  EXPECT_EQ(world.core.transaction_count(), 0U);
}

}  // namespace
}  // namespace turnpike::ims
