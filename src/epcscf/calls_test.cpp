#include "epcscf/calls.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "epcscf/test_call_world.hpp"

namespace turnpike::epcscf {
namespace {

using namespace test;

TEST(Originating, FollowsTheServiceRouteUnderTheRegisteredIdentity) {
  CallWorld world;
  world.send(world.make({.rows = "Route: <sip:evil.example;lr>\r\nP-Preferred-Identity: <tel:+1-555-0100>\r\n"
                                 "P-Asserted-Identity: <sip:root@ims.example>\r\n"
                                 "Turn-Credentials: request\r\nContent-Type: application/sdp\r\n"
                                 "Content-Length: 3\r\n"}) +
             "v=0");
  const std::string sent = world.take_core();
  EXPECT_EQ(world.hops.front(), (sip::Hop{sip::Transport::udp, "scscf.ims.example", 6060}));
  EXPECT_EQ(value(sent, "Route"), scscf_route);
  EXPECT_EQ(value(sent, "P-Asserted-Identity"), "<tel:+15550100>");
  EXPECT_EQ(value(sent, "P-Preferred-Identity"), "");
  EXPECT_NE(value(sent, "P-Charging-Vector"), "");
  EXPECT_TRUE(holds(value(sent, "Record-Route"), "@epcscf.ims.example:5070;lr>"));
  EXPECT_TRUE(sent.ends_with("\r\n\r\nv=0"));
  EXPECT_EQ(value(sent, "Max-Forwards"), "69");
}

TEST(Originating, TellsOfEachForgery) {
  for (const char* rows :
       {"Turn-Credentials: <turn:evil.example>\r\n", "P-Asserted-Identity: <sip:root@ims.example>\r\n",
        "Authorization: Digest username=\"a\", integrity-protected=\"yes\"\r\n",
        "Proxy-Authorization: Digest username=\"a\", opaque=\"integrity-protected=yes\"\r\n"}) {
    CallWorld world;
    world.send(world.make({.method = "MESSAGE", .rows = rows}));
    const std::string sent = world.take_core();
    for (const auto* part : {"evil", "root", "integrity-protected"}) EXPECT_FALSE(holds(sent, part)) << sent;
    const auto told = world.take_report<MessageRefused>();
    ASSERT_TRUE(told) << rows;
    EXPECT_EQ(told->what, BadMessage::forged_trust);
  }
}

TEST(Originating, AnIdentityOfOthersBecomesTheDefaultOne) {
  CallWorld world;
  world.send(world.make({.method = "MESSAGE", .rows = "P-Preferred-Identity: <sip:bob@ims.example>\r\n"}));
  EXPECT_EQ(value(world.take_core(), "P-Asserted-Identity"), "<sip:alice@ims.example>");
}

TEST(Originating, NeedsARegistrationOnThisConnection) {
  CallWorld world;
  world.connect(bob_flow);
  for (const auto* method : {"INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER", "INFO", "PUBLISH"}) {
    world.send(world.make({.method = method}), bob_flow);
    EXPECT_EQ(status(world.take_client(bob_flow)), 403) << method;
  }
  EXPECT_TRUE(world.to_core.empty());
}

TEST(Originating, ACallIsEstablishedAndEnds) {
  CallWorld world;
  const std::string route = world.establish_originating();
  EXPECT_TRUE(world.take_report<CallStarted>()->is_originating);
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  const Text ack{.method = "ACK", .target = "sip:bob@192.0.2.77:5062", .rows = route, .to_tag = "far"};
  world.send(world.make(ack));
  std::string sent = world.take_core("ACK");
  EXPECT_EQ(value(sent, "Route"), "<sip:mo@scscf.ims.example:6060;lr>");
  EXPECT_EQ(world.hops.back().host, "scscf.ims.example");
  for (const auto* method : {"INVITE", "UPDATE", "INFO", "PRACK", "NOTIFY", "REFER", "BYE"}) {
    world.send(world.make({.method = method,
                           .target = "sip:bob@192.0.2.77:5062",
                           .rows = route,
                           .to_tag = "far",
                           .number = "2"}));
    sent = world.take_core(method);
    EXPECT_EQ(value(sent, "Route"), "<sip:mo@scscf.ims.example:6060;lr>") << method;
    world.answer_core(sent, 200);
    EXPECT_EQ(status(world.take_client()), 200);
  }
  EXPECT_TRUE(world.take_report<CallEnded>());
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

TEST(Originating, NobodySendsElsewhereWithinADialog) {
  CallWorld world;
  const std::string route = world.establish_originating();
  const std::string own = route.substr(0, route.find(','));
  world.send(
      world.make({.method = "BYE", .target = "sip:victim.example", .rows = own + "\r\n", .to_tag = "far"}));
  EXPECT_EQ(status(world.take_client()), 403);
  world.send(world.make({.method = "BYE", .rows = own + ", <sip:victim.example;lr>\r\n", .to_tag = "far"}));
  EXPECT_EQ(status(world.take_client()), 403);
  world.send(world.make({.method = "BYE", .rows = "Route: <sip:victim.example;lr>\r\n", .to_tag = "far"}));
  EXPECT_EQ(status(world.take_client()), 403);
  std::string forged = route;
  forged[route.find("sip:") + 6] = forged[route.find("sip:") + 6] == 'A' ? 'B' : 'A';
  world.send(world.make({.method = "BYE", .rows = forged, .to_tag = "far"}));
  EXPECT_EQ(status(world.take_client()), 403);
  // Somebody else's connection.
  world.connect(bob_flow);
  world.send(world.make({.method = "BYE", .rows = route, .to_tag = "far"}), bob_flow);
  EXPECT_EQ(status(world.take_client(bob_flow)), 403);
  EXPECT_TRUE(world.to_core.empty());
}

// The route of a dialog leads past the user's services: what begins something new is not let in there.
TEST(Originating, ANewRequestGoesItsOwnWayWhateverRouteItShows) {
  CallWorld world;
  const std::string route = world.establish_originating();
  for (const auto* method : {"INVITE", "MESSAGE"}) {
    std::string text = world.make({.method = method, .rows = route, .call_id = "call2"});
    text.replace(text.find("<sip:alice@ims.example>"), 23, "<sip:carol@ims.example>");
    world.send(text);
    const std::string sent = world.take_core(method);
    EXPECT_EQ(value(sent, "Route"), scscf_route) << method;
    EXPECT_EQ(value(sent, "P-Asserted-Identity"), "<sip:alice@ims.example>") << method;
    EXPECT_NE(value(sent, "P-Charging-Vector"), "") << method;
  }
}

TEST(Originating, IsNotSentWhereItWouldBeTooLargeForTheNextNode) {
  CallWorld world;
  std::string many;
  for (int i = 0; i < 121; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  world.send(world.make({.rows = many}));
  EXPECT_EQ(status(world.take_client()), 513);
  std::string large = world.make({.method = "MESSAGE", .rows = "Content-Type: text/plain\r\n"});
  large += std::string(65500 - large.size(), 'x');
  world.send(large);
  EXPECT_EQ(status(world.take_client()), 513);
  EXPECT_TRUE(world.to_core.empty());
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

TEST(Originating, WritesTheVersionInUpperCase) {
  CallWorld world;
  std::string text = world.make({});
  text.replace(text.find(" SIP/2.0\r\n"), 8, " sip/2.0");
  world.send(text);
  const std::string sent = world.take_core("INVITE");
  EXPECT_TRUE(sent.starts_with("INVITE sip:bob@ims.example SIP/2.0\r\n"));
  std::string ringing = CallWorld::answer_text(sent, 180, "");
  ringing.replace(0, 7, "Sip/2.0");
  world.core_says(ringing);
  EXPECT_TRUE(world.take_client().starts_with("SIP/2.0 180 "));
}

TEST(Originating, AnAnswerGoesToTheConnectionWhateverTheViasSay) {
  CallWorld world;
  std::string text = world.make({});
  const std::size_t at = text.find("SIP/2.0/WSS ") + 12;
  world.send(text.replace(at, text.find(';', at) - at, "255.255.255.255"));
  world.answer_core(world.take_core("INVITE"), 486);
  EXPECT_TRUE(value(world.take_client(), "Via").starts_with("SIP/2.0/WSS 255.255.255.255;"));
  world.take_core("ACK");
  EXPECT_TRUE(world.to_core.empty());
}

TEST(Originating, IsCancelled) {
  CallWorld world;
  world.send(world.make({.branch = "z9hG4bKinvite"}));
  const std::string sent = world.take_core("INVITE");
  world.answer_core(sent, 180);
  EXPECT_EQ(status(world.take_client()), 180);
  world.send(world.make({.method = "CANCEL", .branch = "z9hG4bKinvite"}));
  EXPECT_EQ(status(world.take_client()), 200);
  const std::string cancel = world.take_core("CANCEL");
  EXPECT_EQ(value(cancel, "Via"), value(sent, "Via").substr(0, value(sent, "Via").find(", ")));
  world.answer_core(sent, 487);
  EXPECT_EQ(status(world.take_client()), 487);
  world.take_core("ACK");
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
  world.send(world.make({.method = "CANCEL", .branch = "z9hG4bKunknown"}));
  EXPECT_EQ(status(world.take_client()), 481);
}

TEST(Originating, ACallerWhoseConnectionIsLostIsCancelled) {
  CallWorld world;
  world.send(world.make({}));
  const std::string sent = world.take_core("INVITE");
  world.answer_core(sent, 180);
  world.close(alice_flow);
  world.take_core("CANCEL");
  world.answer_core(sent, 487);
  world.advance(seconds{40});
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

TEST(Originating, LimitsAndHopsAndOptions) {
  Settings settings = make_settings();
  settings.limits.calls_per_flow_max = 1;
  CallWorld world{settings};
  world.send(world.make({.call_id = "first"}));
  world.send(world.make({.call_id = "second"}));
  EXPECT_EQ(status(world.take_client()), 503);
  std::string text = world.make({.method = "MESSAGE"});
  world.send(text.replace(text.find("Forwards: 70"), 12, "Forwards: 0"));
  EXPECT_EQ(status(world.take_client()), 483);
  world.send(world.make({.method = "MESSAGE", .rows = "Proxy-Require: sec-agree\r\n"}));
  const std::string refusal = world.take_client();
  EXPECT_EQ(status(refusal), 420);
  EXPECT_EQ(value(refusal, "Unsupported"), "sec-agree");
}

TEST(Originating, AFailedCallDoesNotCount) {
  CallWorld world;
  world.send(world.make({}));
  world.answer_core(world.take_core("INVITE"), 486);
  EXPECT_EQ(status(world.take_client()), 486);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
  world.send(world.make({.call_id = "late"}));
  world.proxy.on_core_failed({sip::Transport::udp, "scscf.ims.example", 6060}, world.now);
  world.drain();
  EXPECT_EQ(status(world.take_client()), 503);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

// --- terminating ------------------------------------------------------------------------------------------

TEST(Terminating, FindsTheConnectionByThePath) {
  CallWorld world;
  world.core_says(world.make_from_core(
      incoming(world,
               "Record-Route: <sip:mt@scscf.ims.example:6060;lr>\r\nContact: <sip:bob@far.invalid>\r\n"
               "P-Asserted-Identity: <sip:bob@ims.example>\r\nP-Charging-Vector: icid-value=1\r\n"
               "P-Charging-Function-Addresses: ccf=x\r\nP-Called-Party-ID: <tel:+15550100>\r\n"
               "Turn-Credentials: <turn:evil.example>;username=\"a\";password=\"b\"\r\n")));
  const std::string sent = world.take_client();
  EXPECT_TRUE(sent.starts_with("INVITE sip:alice@df7jal.invalid;transport=ws SIP/2.0\r\n"));
  EXPECT_EQ(value(sent, "Route"), "");
  EXPECT_EQ(value(sent, "Turn-Credentials"), "");
  EXPECT_EQ(value(sent, "P-Asserted-Identity"), "<sip:bob@ims.example>");
  EXPECT_TRUE(value(sent, "Via").starts_with("SIP/2.0/WSS epcscf.ims.example:5070;branch="));
  world.answer_client(sent, 200, alice_flow,
                      "Record-Route: <sip:evil.example;lr>\r\nP-Asserted-Identity: <sip:root@ims.example>\r\n"
                      "Contact: <sip:alice@df7jal.invalid;transport=ws>\r\n");
  const std::string answer = world.take_core();
  EXPECT_EQ(status(answer), 200);
  EXPECT_EQ(value(answer, "Via"),
            value(world.make_from_core({}), "Via").substr(0, 27) + value(answer, "Via").substr(27));
  EXPECT_EQ(value(answer, "P-Asserted-Identity"), "<tel:+15550100>");
  EXPECT_TRUE(value(answer, "Record-Route").ends_with(", <sip:mt@scscf.ims.example:6060;lr>"));
  EXPECT_FALSE(holds(answer, "evil"));
  EXPECT_FALSE(world.take_report<CallStarted>()->is_originating);

  // Within the dialog, from both sides.
  const std::string own = value(sent, "Record-Route").substr(0, value(sent, "Record-Route").find(", "));
  world.core_says(world.make_from_core({.method = "ACK",
                                        .target = "sip:alice@df7jal.invalid;transport=ws",
                                        .rows = "Route: " + own + "\r\n",
                                        .to_tag = "far"}));
  EXPECT_TRUE(world.take_client().starts_with("ACK "));
  world.send(world.make({.method = "BYE",
                         .target = "sip:bob@far.invalid",
                         .rows = "Route: " + own + ", <sip:mt@scscf.ims.example:6060;lr>\r\n",
                         .to_tag = "far"}));
  const std::string bye = world.take_core("BYE");
  EXPECT_EQ(value(bye, "Route"), "<sip:mt@scscf.ims.example:6060;lr>");
  world.answer_core(bye, 200);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

// Two users have one connection.
TEST(Terminating, WhoAnswersIsWhoWasCalled) {
  CallWorld world;
  const Ask bob{.user = "bob@ims.example", .instance = "urn:uuid:2"};
  world.enroll(bob);
  world.to_core.clear();
  int count = 0;
  const auto answered_by = [&](const std::string& target, const std::string& to, const std::string& rows) {
    std::string text = world.make_from_core({.target = target,
                                             .rows = "Route: " + world.path + "\r\n" + rows,
                                             .call_id = "to" + std::to_string(++count)});
    text.replace(text.find("To: <sip:bob@ims.example>"), 25, "To: <sip:" + to + ">");
    world.core_says(text);
    world.answer_client(world.take_client(), 200, alice_flow);
    return value(world.take_core(), "P-Asserted-Identity");
  };
  const std::string alices = "sip:alice@df7jal.invalid;transport=ws",
                    bobs = "sip:bob@df7jal.invalid;transport=ws";
  EXPECT_EQ(answered_by(alices, "alice@ims.example", ""), "<sip:alice@ims.example>");
  EXPECT_EQ(answered_by(bobs, "bob@ims.example", ""), "<sip:bob@ims.example>");
  EXPECT_EQ(answered_by(bobs, "office@ims.example", ""), "<sip:bob@ims.example>") << "it was sent on to him";
  EXPECT_EQ(answered_by(bobs, "alice@ims.example", ""), "<sip:bob@ims.example>") << "and here, too";
  EXPECT_EQ(answered_by("sip:x@df7jal.invalid", "bob@ims.example", ""), "<sip:bob@ims.example>");
  EXPECT_EQ(answered_by(alices, "alice@ims.example", "P-Called-Party-ID: <sip:bob@ims.example>\r\n"),
            "<sip:bob@ims.example>");
}

// Read with as many rows as there may be, it has more once the route of the dialog is written anew.
TEST(Terminating, AnAnswerThatGrowsTooLargeIsAFailure) {
  CallWorld world;
  const std::string recorded = "Record-Route: <sip:a.example;lr>, <sip:b.example;lr>\r\n";
  world.core_says(world.make_from_core(incoming(world, recorded + far_contact)));
  std::string answer = CallWorld::answer_text(world.take_client(), 200, recorded);
  std::string more;
  for (auto rows = std::ranges::count(answer, '\n') - 2; rows < 128; ++rows) more += "X: y\r\n";
  answer.insert(answer.find("Content-Length"), more);
  world.send(answer);
  EXPECT_TRUE(world.take_core().starts_with("SIP/2.0 500 Response Too Large\r\n"));
}

TEST(Terminating, PrivacyHidesTheCaller) {
  CallWorld world;
  world.core_says(world.make_from_core(
      incoming(world, "P-Asserted-Identity: <sip:bob@ims.example>\r\nPrivacy: user;id\r\n")));
  EXPECT_EQ(value(world.take_client(), "P-Asserted-Identity"), "");
}

TEST(Terminating, ADeadConnectionIsA430) {
  CallWorld world;
  world.close(alice_flow);
  world.core_says(world.make_from_core(incoming(world)));
  EXPECT_EQ(status(world.take_core()), 430);
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::dead_flow);
}

TEST(Terminating, AConnectionThatDiesWhileItRingsIsA430) {
  CallWorld world;
  world.core_says(world.make_from_core(incoming(world)));
  world.take_client();
  world.close(alice_flow);
  EXPECT_EQ(status(world.take_core()), 430);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

TEST(Terminating, AForgedTokenAndNoTokenGoNowhere) {
  CallWorld world;
  Text text = incoming(world);
  char& letter = text.rows[text.rows.find("sip:") + 7];
  letter = letter == 'B' ? 'C' : 'B';
  world.core_says(world.make_from_core(text));
  EXPECT_EQ(status(world.take_core()), 403);
  world.core_says(world.make_from_core({.target = "sip:alice@df7jal.invalid"}));
  EXPECT_EQ(status(world.take_core()), 404);
  EXPECT_TRUE(world.to_client.empty());
}

TEST(Terminating, FollowsTheDeviceToItsNewConnection) {
  CallWorld world;
  world.close(alice_flow);
  world.connect(bob_flow);
  world.enroll({}, bob_flow);
  world.core_says(world.make_from_core(incoming(world)));
  EXPECT_TRUE(world.take_client(bob_flow).starts_with("INVITE "));
}

TEST(Terminating, AWicThatIsSilentIsA408) {
  CallWorld world;
  world.core_says(world.make_from_core(incoming(world)));
  world.take_client();
  world.to_core.clear();
  world.advance(milliseconds{200});
  EXPECT_EQ(status(world.take_core()), 100);
  world.advance(seconds{33});
  EXPECT_EQ(status(world.take_core()), 408);
}

TEST(Terminating, ARingThatNeverEndsIsCancelled) {
  CallWorld world;
  world.core_says(world.make_from_core(incoming(world)));
  const std::string sent = world.take_client();
  world.answer_client(sent, 180, alice_flow);
  world.advance(seconds{186});
  EXPECT_TRUE(world.take_client().starts_with("CANCEL "));
}

TEST(Core, IsWhoItIsConfiguredToBe) {
  CallWorld world;
  world.proxy.on_core_message({sip::Transport::udp, "203.0.113.9", 5060},
                              world.make_from_core(incoming(world)), world.now);
  world.drain();
  EXPECT_TRUE(world.to_client.empty());
  EXPECT_TRUE(world.to_core.empty());
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::untrusted_source);
}

TEST(Core, IsAnsweredWhenItAsksWhetherWeLive) {
  CallWorld world;
  world.core_says(world.make_from_core({.method = "OPTIONS", .target = "sip:epcscf.ims.example:5070"}));
  EXPECT_EQ(status(world.take_core()), 200);
  world.core_says(world.make_from_core({.method = "MESSAGE", .target = "sip:epcscf.ims.example:5070"}));
  EXPECT_EQ(status(world.take_core()), 405);
}

TEST(Core, ManyPlacesDoNotCrowdOutTheCoreItself) {
  Settings settings = make_settings();
  settings.limits.core_hops_max = 4;
  CallWorld world{settings};
  world.send(world.make_register());
  world.take_core("REGISTER");
  for (std::uint16_t port = 6000; port < 6050; ++port)
    world.proxy.on_core_message(
        {sip::Transport::tcp, core.host, port},
        world.make_from_core({.method = "OPTIONS", .target = "sip:epcscf.ims.example:5070"}), world.now);
  world.drain();
  world.to_core.clear();
  world.advance(milliseconds{500});
  world.take_core("REGISTER");
}

// The Vias of an INVITE tell its callee the branch under which its caller's request went to the core.
TEST(Core, NobodyAnswersForIt) {
  CallWorld world;
  world.send(world.make({}));
  const std::string sent = world.take_core("INVITE");
  world.connect(bob_flow);
  world.answer_client(sent, 200, bob_flow, far_contact);
  EXPECT_TRUE(world.to_client.empty());
  EXPECT_EQ(world.take_report<MessageRefused>()->what, BadMessage::stray_response);
}

TEST(Client, KeepsItsConnectionAlive) {
  CallWorld world;
  world.send("\r\n\r\n");
  EXPECT_EQ(world.take_client(), "\r\n");
  world.send("\r\n");
  EXPECT_TRUE(world.to_client.empty());
}

}  // namespace
}  // namespace turnpike::epcscf
