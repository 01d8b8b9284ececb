#include "epcscf/far_end.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "epcscf/test_call_world.hpp"

namespace turnpike::epcscf {
namespace {

using namespace test;

constexpr seconds grace{31};

std::size_t count_byes(const CallWorld& world) {
  std::size_t count = 0;
  for (const std::string& text : world.to_core) count += text.starts_with("BYE ") ? 1 : 0;
  return count;
}

// A call of the core's that the WIC has taken; gives the Route of the core's requests in it.
std::string establish_terminating(CallWorld& world) {
  world.core_says(world.make_from_core(incoming(
      world,
      "Record-Route: <sip:mt@scscf.ims.example:6060;lr>, <sip:mo@other.example;lr>\r\n" + far_contact)));
  const std::string sent = world.take_client();
  world.answer_client(sent, 200, alice_flow, "Contact: <sip:alice@df7jal.invalid;transport=ws>\r\n");
  world.take_core();
  const std::string recorded = value(sent, "Record-Route");
  return "Route: " + recorded.substr(0, recorded.find(", ")) + "\r\n";
}

// The WIC calls; gives the INVITE as the core has it.
std::string call(CallWorld& world) {
  world.send(world.make({.rows = "Contact: <sip:alice@df7jal.invalid;transport=ws>\r\n"}));
  return world.take_core("INVITE");
}

// On another connection.
void come_back(CallWorld& world) {
  world.close(alice_flow);
  world.connect(bob_flow);
  world.enroll({}, bob_flow);
}

void expect_hang_up(CallWorld& world, FlowId lost) {
  world.close(lost);
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 1U);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

TEST(VanishedWic, ItsCallIsHungUpAfterTheGrace) {
  CallWorld world;
  world.establish_originating();
  world.take_report<CallStarted>();
  world.close(alice_flow);
  EXPECT_EQ(count_byes(world), 0U);
  world.hops.clear();
  world.advance(grace);
  const std::string bye = world.take_core("BYE");
  EXPECT_TRUE(bye.starts_with("BYE sip:bob@192.0.2.77:5062 SIP/2.0\r\n"));
  EXPECT_NE(std::ranges::find(world.hops, sip::Hop{sip::Transport::udp, "scscf.ims.example", 6060}),
            world.hops.end());
  EXPECT_EQ(value(bye, "Route"), "<sip:mo@scscf.ims.example:6060;lr>");
  EXPECT_EQ(value(bye, "From"), "<sip:alice@ims.example>;tag=a");
  EXPECT_EQ(value(bye, "To"), "<sip:bob@ims.example>;tag=far");
  EXPECT_EQ(value(bye, "Call-ID"), "call1");
  EXPECT_EQ(value(bye, "CSeq"), "2 BYE");
  EXPECT_EQ(value(bye, "Reason"), "SIP;cause=503;text=\"Connection lost\"");
  EXPECT_TRUE(world.take_report<CallEnded>()->is_abandoned);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
  EXPECT_EQ(world.proxy.counters().calls_abandoned, 1U);
  world.answer_core(bye, 481);
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 0U);
}

TEST(VanishedWic, TheCallGoesOnWhereItComesBackInTime) {
  CallWorld world;
  world.establish_originating();
  come_back(world);
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 0U);
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  world.close(bob_flow);
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 1U);
}

TEST(VanishedWic, ItsCallIsHungUpWhereItComesBackAndIsGoneBeforeTheAnswer) {
  CallWorld world;
  world.establish_originating();
  world.close(alice_flow);
  world.connect(bob_flow);
  const Ask ask{.authorization = digest_answer};
  world.send(world.make_register(ask), bob_flow);
  world.close(bob_flow);
  world.answer_core(world.take_core("REGISTER"), 200, world.make_accepted(ask));
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 1U);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

// It has registered on another connection meanwhile, which is lost; the first one lives.
TEST(VanishedWic, HasNotGoneWhereOneOfItsConnectionsLives) {
  CallWorld world;
  world.establish_originating();
  world.connect(bob_flow);
  world.enroll({}, bob_flow);
  world.close(bob_flow);
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 0U);
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  expect_hang_up(world, alice_flow);
}

TEST(VanishedWic, TakesNoCallsOfOthersWithIt) {
  CallWorld world;
  world.enroll({.user = "bob@ims.example", .instance = "urn:uuid:2"});
  world.to_core.clear();
  std::string text = world.make({.rows = "Contact: <sip:bob@df7jal.invalid;transport=ws>\r\n"});
  text.replace(text.find("<sip:alice@ims.example>"), 23, "<sip:bob@ims.example>");
  world.send(text);
  const std::string invite = world.take_core("INVITE");
  world.answer_core(invite, 200, "Record-Route: " + value(invite, "Record-Route") + "\r\n" + far_contact);
  world.connect(bob_flow);
  world.enroll({}, bob_flow);  // alice has left the connection that she shared with bob
  world.close(alice_flow);
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 1U);
}

// Its registration has ended meanwhile, so that it has no successor.
TEST(VanishedWic, StillHangsUpOnItsNewConnectionOnceItIsNotRegistered) {
  CallWorld world;
  const std::string route = world.establish_originating();
  come_back(world);
  world.enroll({.expires = "0"}, bob_flow);
  world.to_core.clear();
  world.send(world.make({.method = "BYE",
                         .target = "sip:bob@192.0.2.77:5062",
                         .rows = route,
                         .to_tag = "far",
                         .number = "2"}),
             bob_flow);
  world.answer_core(world.take_core("BYE"), 200);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

TEST(VanishedWic, WhatItWasStillTryingIsForgottenWhereItFailsBehindItsReturn) {
  CallWorld world;
  const std::string invite = call(world);
  come_back(world);
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  world.answer_core(invite, 487);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

TEST(VanishedWic, WhatIsAnsweredBehindItsReturnIsHungUpToo) {
  CallWorld world;
  const std::string invite = call(world);
  come_back(world);
  world.answer_core(invite, 200, "Record-Route: " + value(invite, "Record-Route") + "\r\n" + far_contact);
  expect_hang_up(world, bob_flow);
}

// Within the dialog that rings; the core refuses it.
TEST(VanishedWic, IsHungUpForThoughItHasMadeUpAnInviteBefore) {
  CallWorld world;
  const std::string invite = call(world);
  const std::string rows = "Record-Route: " + value(invite, "Record-Route") + "\r\n" + far_contact;
  world.answer_core(invite, 180, rows);
  const std::string ringing = world.take_client();
  world.send(world.make({.target = "sip:bob@192.0.2.77:5062",
                         .rows = "Route: " + value(ringing, "Record-Route") + "\r\n",
                         .to_tag = "far",
                         .number = "2"}));
  world.answer_core(world.take_core("INVITE"), 404);
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  world.answer_core(invite, 200, rows);
  expect_hang_up(world, alice_flow);
}

TEST(VanishedWic, IsHungUpForThoughAForkOfItsCallHasFailed) {
  CallWorld world;
  world.core_says(world.make_from_core(incoming(world, far_contact)));
  const std::string one = world.take_client();
  world.core_says(world.make_from_core(incoming(world, far_contact)));
  const std::string other = world.take_client();
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  world.answer_client(one, 482, alice_flow);
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  world.answer_client(other, 200, alice_flow, "Contact: <sip:alice@df7jal.invalid;transport=ws>\r\n");
  expect_hang_up(world, alice_flow);
}

TEST(VanishedWic, NothingIsLeftOfACallAllOfWhoseForksHaveFailed) {
  CallWorld world;
  for (int i = 0; i < 2; ++i) world.core_says(world.make_from_core(incoming(world, far_contact)));
  for (int i = 0; i < 2; ++i) world.answer_client(world.take_client(), 486, alice_flow);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

TEST(VanishedWic, TheByeFollowsWhatBothHaveSaidSince) {
  CallWorld world;
  const std::string route = world.establish_originating();
  world.send(world.make({.method = "UPDATE",
                         .target = "sip:bob@192.0.2.77:5062",
                         .rows = route,
                         .to_tag = "far",
                         .number = "7"}));
  world.answer_core(world.take_core("UPDATE"), 200, "Contact: <sip:bob@192.0.2.78>\r\n");
  world.take_client();
  // What is refused moves nothing, but its number is used.
  world.send(world.make({.target = "sip:bob@192.0.2.78", .rows = route, .to_tag = "far", .number = "8"}));
  world.answer_core(world.take_core("INVITE"), 488, "Contact: <sip:bob@192.0.2.79>\r\n");
  world.take_client();
  world.close(alice_flow);
  world.advance(grace);
  const std::string bye = world.take_core("BYE");
  EXPECT_TRUE(bye.starts_with("BYE sip:bob@192.0.2.78 SIP/2.0\r\n"));
  EXPECT_EQ(value(bye, "CSeq"), "9 BYE");
}

TEST(VanishedWic, ACallThatItTookIsHungUpToo) {
  CallWorld world;
  const std::string route = establish_terminating(world);
  world.core_says(world.make_from_core({.target = "sip:alice@df7jal.invalid;transport=ws",
                                        .rows = route + "Contact: <sip:bob@192.0.2.80>\r\n",
                                        .to_tag = "far",
                                        .number = "4"}));
  world.answer_client(world.take_client(), 200, alice_flow);
  world.close(alice_flow);
  world.advance(grace);
  const std::string bye = world.take_core("BYE");
  EXPECT_TRUE(bye.starts_with("BYE sip:bob@192.0.2.80 SIP/2.0\r\n"));
  EXPECT_EQ(value(bye, "Route"), "<sip:mt@scscf.ims.example:6060;lr>, <sip:mo@other.example;lr>");
  EXPECT_EQ(value(bye, "From"), "<sip:bob@ims.example>;tag=far");
  EXPECT_EQ(value(bye, "To"), "<sip:alice@ims.example>;tag=a");
  EXPECT_EQ(value(bye, "CSeq"), "1 BYE");
}

TEST(VanishedWic, NobodyIsToldWhereTheFarEndHungUpItself) {
  CallWorld world;
  const std::string route = establish_terminating(world);
  world.core_says(world.make_from_core({.method = "BYE",
                                        .target = "sip:alice@df7jal.invalid;transport=ws",
                                        .rows = route,
                                        .to_tag = "far",
                                        .number = "4"}));
  world.answer_client(world.take_client(), 200, alice_flow);
  world.close(alice_flow);
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 0U);
}

// The WIC's BYE as the core has it.
std::string say_bye(CallWorld& world, const std::string& route, std::string_view to_tag,
                    std::string_view number, std::string target = "sip:bob@192.0.2.77:5062") {
  world.send(world.make({.method = "BYE",
                         .target = std::move(target),
                         .rows = route,
                         .to_tag = std::string{to_tag},
                         .number = std::string{number}}));
  return world.take_core("BYE");
}

TEST(VanishedWic, IsHungUpForThoughItHasMadeUpABye) {
  CallWorld world;
  const std::string route = world.establish_originating();
  world.answer_core(say_bye(world, route, "made-up", "2"), 481);
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  expect_hang_up(world, alice_flow);
}

TEST(VanishedWic, IsHungUpForWhereItsByeWasRefused) {
  for (const std::uint16_t status_code : std::initializer_list<std::uint16_t>{401, 403, 500}) {
    CallWorld world;
    const std::string route = world.establish_originating();
    world.answer_core(say_bye(world, route, "far", "2"), status_code);
    EXPECT_EQ(world.proxy.counters().calls_active, 1U) << status_code;
    world.close(alice_flow);
    world.advance(grace);
    EXPECT_EQ(value(world.take_core("BYE"), "CSeq"), "3 BYE");
  }
}

TEST(VanishedWic, NobodyIsToldWhereTheFarEndKnowsOfNoCall) {
  for (const std::uint16_t status_code :
       std::initializer_list<std::uint16_t>{200, 404, 408, 410, 430, 480, 481, 604}) {
    CallWorld world;
    const std::string route = world.establish_originating();
    world.answer_core(say_bye(world, route, "far", "2"), status_code);
    EXPECT_EQ(world.proxy.counters().calls_active, 0U) << status_code;
  }
}

// Both have taken the call; the WIC keeps the first.
TEST(VanishedWic, TheByeIsOfTheDialogThatWasEstablishedFirst) {
  CallWorld world;
  const std::string invite = call(world);
  const std::string rows = "Record-Route: " + value(invite, "Record-Route") + "\r\n";
  world.answer_core(invite, 200, rows + far_contact);
  world.take_client();
  std::string other = CallWorld::answer_text(invite, 200, rows + "Contact: <sip:carol@192.0.2.78:5062>\r\n");
  other.replace(other.find(";tag=far"), 8, ";tag=other");
  world.core_says(other);
  const std::string answered = world.take_client();
  EXPECT_EQ(world.proxy.counters().calls_started, 1U);
  const std::string bye = say_bye(world, "Route: " + value(answered, "Record-Route") + "\r\n", "other", "2",
                                  "sip:carol@192.0.2.78:5062");
  world.answer_core(bye, 200);
  EXPECT_EQ(world.proxy.counters().calls_active, 1U);
  world.close(alice_flow);
  world.advance(grace);
  const std::string last = world.take_core("BYE");
  EXPECT_TRUE(last.starts_with("BYE sip:bob@192.0.2.77:5062 SIP/2.0\r\n"));
  EXPECT_EQ(value(last, "To"), "<sip:bob@ims.example>;tag=far");
  EXPECT_EQ(value(last, "CSeq"), "3 BYE");
}

TEST(VanishedWic, AFarEndThatNamesNoWayIsLeftAlone) {
  CallWorld world;
  world.core_says(world.make_from_core(incoming(world)));  // without a Contact
  world.answer_client(world.take_client(), 200, alice_flow, far_contact);
  world.close(alice_flow);
  world.advance(grace);
  EXPECT_EQ(count_byes(world), 0U);
  EXPECT_EQ(world.proxy.counters().calls_active, 0U);
}

}  // namespace
}  // namespace turnpike::epcscf
