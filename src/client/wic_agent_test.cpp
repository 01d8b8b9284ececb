// How a WIC calls and is called: the machine with its far side played by hand, and two machines that talk.
#include "client/wic_agent.hpp"

#include <gtest/gtest.h>

#include "client/wic_script.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::value_of;
using test::WicScript;

constexpr std::string_view offer = "v=0\r\n";

std::string invite(std::string_view rows = {}, std::string_view body = offer,
                   std::string_view branch = "z9hG4bKi") {
  std::string text = "INVITE sip:alice@a.invalid;transport=ws SIP/2.0\r\n";
  text += "Via: SIP/2.0/WSS edge.ims.example;branch=" + std::string{branch} + "\r\n";
  text += "Max-Forwards: 69\r\nFrom: <sip:bob@ims.example>;tag=b\r\nTo: <sip:alice@ims.example>\r\n";
  text += "Call-ID: call1\r\nCSeq: 7 INVITE\r\nContact: <sip:bob@far.example>\r\n";
  text += "Record-Route: <sip:p1@edge.ims.example;lr>, <sip:s.ims.example;lr>\r\n";
  text += rows;
  if (!body.empty()) text += "Content-Type: application/sdp\r\n";
  return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

// Of the same dialog, once the agent's answer has given its tag.
std::string within(std::string_view method, const std::string& answer, int number, std::string_view branch) {
  std::string text{method};
  text += " sip:alice@a.invalid;transport=ws SIP/2.0\r\n";
  text += "Via: SIP/2.0/WSS edge.ims.example;branch=" + std::string{branch} + "\r\n";
  text += "Max-Forwards: 69\r\nFrom: <sip:bob@ims.example>;tag=b\r\nTo: " + value_of(answer, "To") + "\r\n";
  text += "Call-ID: call1\r\nCSeq: " + std::to_string(number) + ' ' + std::string{method} + "\r\n";
  return text + "Content-Length: 0\r\n\r\n";
}

constexpr std::string_view far_rows =
    "Contact: <sip:bob@far.example>\r\n"
    "Record-Route: <sip:s.ims.example;lr>, <sip:p1@edge.ims.example;lr>\r\n"
    "Content-Type: application/sdp\r\n";

TEST(WicCall, GoesOverTheServiceRouteAndEndsWithBye) {
  WicScript wic;
  wic.enter("Service-Route: <sip:edge.ims.example;lr>, <sip:orig@s.ims.example;lr>\r\n");
  const CallId id = wic.agent.call("sip:bob@ims.example", offer, wic.now);
  const std::string text = wic.take_one();
  EXPECT_TRUE(text.starts_with("INVITE sip:bob@ims.example SIP/2.0\r\n"));
  EXPECT_EQ(value_of(text, "Route"), "<sip:edge.ims.example;lr>");
  EXPECT_NE(text.find("Route: <sip:orig@s.ims.example;lr>\r\n"), std::string::npos);
  EXPECT_EQ(value_of(text, "P-Preferred-Identity"), "<sip:alice@ims.example>");
  EXPECT_FALSE(sip::find_defect(*sip::Message::parse(text)));
  wic.respond(text, 100);
  wic.respond(text, 180);
  wic.respond(text, 180);
  EXPECT_EQ(wic.take<CallRinging>()->id, id);
  EXPECT_FALSE(wic.take<CallRinging>()) << "once";
  wic.respond(text, 200, far_rows, "v=0 answer");
  const std::string ack = wic.take_one();
  EXPECT_TRUE(ack.starts_with("ACK sip:bob@far.example SIP/2.0\r\n"));
  EXPECT_EQ(value_of(ack, "Route"), "<sip:p1@edge.ims.example;lr>") << "reversed";
  EXPECT_NE(value_of(ack, "Via"), value_of(text, "Via")) << "a transaction of its own";
  EXPECT_EQ(wic.take<CallAnswered>()->answer, "v=0 answer");
  wic.respond(text, 200, far_rows, "v=0 answer");
  EXPECT_EQ(wic.take_one(), ack) << "the ACK was lost";
  EXPECT_FALSE(wic.take<CallAnswered>());
  wic.agent.hang_up(id, wic.now);
  const std::string bye = wic.take_one();
  EXPECT_EQ(value_of(bye, "CSeq"), "2 BYE");
  EXPECT_FALSE(wic.take<CallEnded>()) << "not before the answer";
  wic.respond(bye, 200);
  const auto ended = wic.take<CallEnded>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->cause, CallEnded::Cause::hung_up);
  EXPECT_TRUE(ended->is_ours);
  EXPECT_EQ(wic.agent.call_count(), 0U);
}

TEST(WicCall, SaysWhyItWasRefused) {
  WicScript wic;
  wic.enter();
  (void)wic.agent.call("sip:nobody@ims.example", offer, wic.now);
  const std::string text = wic.take_one();
  wic.respond(text, 404, "Warning: 399 s.example \"no such user\"\r\n");
  EXPECT_TRUE(wic.take_one().starts_with("ACK "));
  const auto ended = wic.take<CallEnded>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 404);
  EXPECT_EQ(ended->reason, "Not Found: no such user");
}

TEST(WicCall, EndsWhenNobodyAnswers) {
  WicScript wic;
  wic.enter();
  (void)wic.agent.call("sip:bob@ims.example", offer, wic.now);
  (void)wic.take_sent();
  wic.advance(seconds{32});
  EXPECT_EQ(wic.take<CallEnded>()->cause, CallEnded::Cause::no_answer);
  EXPECT_EQ(wic.agent.call_count(), 0U);
}

TEST(WicCall, IsCancelledOnceSomethingWasHeard) {
  WicScript wic;
  wic.enter();
  const CallId id = wic.agent.call("sip:bob@ims.example", offer, wic.now);
  const std::string text = wic.take_one();
  wic.agent.hang_up(id, wic.now);
  EXPECT_TRUE(wic.take_sent().empty());
  wic.respond(text, 180);
  const std::string cancel = wic.take_one();
  EXPECT_TRUE(cancel.starts_with("CANCEL sip:bob@ims.example"));
  EXPECT_EQ(value_of(cancel, "Via"), value_of(text, "Via"));
  wic.respond(cancel, 200);
  wic.respond(text, 487);
  EXPECT_EQ(wic.take<CallEnded>()->cause, CallEnded::Cause::cancelled);
}

TEST(WicCall, HangsUpWhenTheAnswerCrossesTheCancel) {
  WicScript wic;
  wic.enter();
  const CallId id = wic.agent.call("sip:bob@ims.example", offer, wic.now);
  const std::string text = wic.take_one();
  wic.respond(text, 180);
  wic.agent.hang_up(id, wic.now);
  wic.respond(wic.take_one(), 200);
  wic.respond(text, 200, far_rows, "v=0");
  const auto sent = wic.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_TRUE(sent[0].starts_with("ACK "));
  EXPECT_TRUE(sent[1].starts_with("BYE "));
  EXPECT_FALSE(wic.take<CallAnswered>());
  wic.respond(sent[1], 200);
  EXPECT_TRUE(wic.take<CallEnded>());
}

TEST(WicCall, KeepsOneBranchOfAFork) {
  WicScript wic;
  wic.enter();
  (void)wic.agent.call("sip:bob@ims.example", offer, wic.now);
  const std::string text = wic.take_one();
  wic.respond(text, 200, far_rows, "v=0");
  (void)wic.take_sent();
  std::string other = sip::make_response(*sip::Message::parse(text), 200, "other").finish();
  other.insert(other.find("Content-Length"), "Contact: <sip:bob@third.example>\r\n");
  wic.agent.on_message(other, wic.now);
  const auto sent = wic.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_TRUE(sent[0].starts_with("ACK sip:bob@third.example"));
  EXPECT_TRUE(sent[1].starts_with("BYE sip:bob@third.example"));
  wic.respond(sent[1], 200);
  EXPECT_FALSE(wic.take<CallEnded>());
  EXPECT_EQ(wic.agent.call_count(), 1U);
}

TEST(WicCall, IsTakenAndEndedByTheOther) {
  WicScript wic;
  wic.enter();
  wic.agent.on_message(invite("P-Asserted-Identity: <sip:bob.real@ims.example>\r\n"), wic.now);
  const auto offered = wic.take<CallOffered>();
  ASSERT_TRUE(offered);
  EXPECT_EQ(offered->caller, "sip:bob.real@ims.example");
  EXPECT_EQ(offered->offer, offer);
  wic.agent.ring(offered->id, wic.now);
  EXPECT_TRUE(wic.take_one().starts_with("SIP/2.0 180 "));
  wic.agent.answer(offered->id, "v=0 mine", wic.now);
  const std::string ok = wic.take_one();
  EXPECT_TRUE(ok.starts_with("SIP/2.0 200 "));
  EXPECT_TRUE(ok.ends_with("v=0 mine"));
  EXPECT_EQ(value_of(ok, "Record-Route"), "<sip:p1@edge.ims.example;lr>, <sip:s.ims.example;lr>");
  wic.agent.on_message(within("ACK", ok, 7, "z9hG4bKa"), wic.now);
  EXPECT_EQ(wic.take<CallConfirmed>()->id, offered->id);
  wic.agent.on_message(within("BYE", ok, 8, "z9hG4bKb"), wic.now);
  EXPECT_TRUE(wic.take_one().starts_with("SIP/2.0 200 "));
  const auto ended = wic.take<CallEnded>();
  ASSERT_TRUE(ended);
  EXPECT_FALSE(ended->is_ours);
  wic.agent.on_message(within("BYE", ok, 9, "z9hG4bKc"), wic.now);
  EXPECT_TRUE(wic.take_one().starts_with("SIP/2.0 481 "));
}

TEST(WicCall, RepeatsItsAnswerUntilTheAckAndThenHangsUp) {
  WicScript wic;
  wic.enter();
  wic.agent.on_message(invite(), wic.now);
  const CallId id = wic.take<CallOffered>()->id;
  wic.agent.answer(id, "v=0", wic.now);
  const std::string ok = wic.take_one();
  wic.advance(milliseconds{500});
  EXPECT_EQ(wic.take_one(), ok);
  std::string last;
  for (int i = 0; i < 100 && !last.starts_with("BYE"); ++i) {
    wic.advance(seconds{1});
    for (const std::string& sent : wic.take_sent()) last = sent;
  }
  ASSERT_TRUE(last.starts_with("BYE sip:bob@far.example")) << last;
  EXPECT_EQ(value_of(last, "Route"), "<sip:p1@edge.ims.example;lr>") << "in order, for it was called";
  wic.respond(last, 200);
  EXPECT_TRUE(wic.take<CallEnded>());
}

TEST(WicCall, WaitsForTheAckBeforeItHangsUp) {
  WicScript wic;
  wic.enter();
  wic.agent.on_message(invite(), wic.now);
  const CallId id = wic.take<CallOffered>()->id;
  wic.agent.answer(id, "v=0", wic.now);
  const std::string ok = wic.take_one();
  wic.agent.hang_up(id, wic.now);
  EXPECT_TRUE(wic.take_sent().empty());
  wic.agent.on_message(within("ACK", ok, 7, "z9hG4bKa"), wic.now);
  EXPECT_TRUE(wic.take_one().starts_with("BYE "));
}

TEST(WicCall, IsTakenBackByTheCaller) {
  WicScript wic;
  wic.enter();
  const std::string text = invite();
  wic.agent.on_message(text, wic.now);
  const CallId id = wic.take<CallOffered>()->id;
  wic.agent.ring(id, wic.now);
  (void)wic.take_sent();
  wic.agent.on_message(*sip::make_cancel(*sip::Message::parse(text)), wic.now);
  const auto sent = wic.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(value_of(sent[0], "CSeq"), "7 CANCEL");
  EXPECT_TRUE(sent[1].starts_with("SIP/2.0 487 "));
  EXPECT_EQ(wic.take<CallEnded>()->cause, CallEnded::Cause::cancelled);
  wic.agent.answer(id, "v=0", wic.now);
  EXPECT_TRUE(wic.take_sent().empty()) << "too late";
}

TEST(WicCall, AnswersAReinviteAndRefusesOneThatIsOld) {
  WicScript wic;
  wic.enter();
  wic.agent.on_message(invite(), wic.now);
  const CallId id = wic.take<CallOffered>()->id;
  wic.agent.answer(id, "v=0 mine", wic.now);
  const std::string ok = wic.take_one();
  wic.agent.on_message(within("ACK", ok, 7, "z9hG4bKa"), wic.now);
  std::string again = within("INVITE", ok, 8, "z9hG4bKr");
  again.replace(again.find("Content-Length: 0"), 17,
                "Contact: <sip:bob@new.example>\r\nContent-Type: application/sdp\r\nContent-Length: 3");
  wic.agent.on_message(again + "v=1", wic.now);
  EXPECT_TRUE(wic.take_one().ends_with("v=0 mine"));
  EXPECT_EQ(wic.take<CallReoffered>()->offer, "v=1");
  wic.agent.on_message(within("OPTIONS", ok, 5, "z9hG4bKo"), wic.now);
  EXPECT_TRUE(wic.take_one().starts_with("SIP/2.0 500 "));
  wic.agent.hang_up(id, wic.now);
  EXPECT_TRUE(wic.take_one().starts_with("BYE sip:bob@new.example"));
}

TEST(WicAgent, RefusesWhatItDoesNotUnderstand) {
  WicScript wic;
  wic.enter();
  const auto answer = [&](const std::string& text) {
    wic.agent.on_message(text, wic.now);
    const auto sent = wic.take_sent();
    return sent.empty() ? std::string{} : sent.front().substr(8, 3);
  };
  EXPECT_EQ(answer(invite("Require: 100rel\r\n")), "420");
  EXPECT_EQ(answer(invite({}, {}, "z9hG4bKn")), "488");
  EXPECT_EQ(answer(invite("Accept: text/nobodyKnowsThis\r\n", offer, "z9hG4bKp")), "406");
  std::string unknown = invite({}, offer, "z9hG4bKu");
  EXPECT_EQ(answer(unknown.replace(unknown.find("application/sdp"), 15, "application/xyz")), "415");
  std::string text = within("MESSAGE", invite(), 1, "z9hG4bKm");
  EXPECT_EQ(answer(text), "405");
  EXPECT_EQ(answer(within("OPTIONS", invite(), 1, "z9hG4bKo")), "200");
  EXPECT_EQ(answer(within("CANCEL", invite(), 1, "z9hG4bKc")), "481");
  EXPECT_EQ(answer("INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/WSS e.example;branch=z9hG4bKx\r\n\r\n"), "400");
  EXPECT_EQ(answer("\r\n\r\n"), "");
  EXPECT_EQ(answer("garbage"), "");
  EXPECT_EQ(answer("SIP/2.0 200 OK\r\n\r\n"), "");
  EXPECT_EQ(wic.agent.call_count(), 0U);
}

TEST(WicAgent, IsBusyWithTooManyCalls) {
  auto settings = test::alice();
  settings.limits.calls_max = 1;
  WicScript wic{settings};
  wic.enter();
  wic.agent.on_message(invite(), wic.now);
  EXPECT_TRUE(wic.take<CallOffered>());
  std::string second = invite({}, offer, "z9hG4bK2");
  second.replace(second.find("call1"), 5, "call2");
  wic.agent.on_message(second, wic.now);
  EXPECT_TRUE(wic.take_one().starts_with("SIP/2.0 486 "));
}

TEST(WicAgent, EndsItsCallsWithTheFlow) {
  WicScript wic;
  wic.enter();
  const CallId id = wic.agent.call("sip:bob@ims.example", offer, wic.now);
  wic.agent.on_flow_closed(wic.now);
  EXPECT_EQ(wic.take<CallEnded>()->cause, CallEnded::Cause::flow_closed);
  wic.agent.hang_up(id, wic.now);
  EXPECT_EQ(wic.agent.call_count(), 0U);
  (void)wic.take_sent();
  (void)wic.agent.call("sip:bob@ims.example", offer, wic.now);
  EXPECT_TRUE(wic.take_sent().empty());
  EXPECT_EQ(wic.take<CallEnded>()->cause, CallEnded::Cause::flow_closed);
}

TEST(WicAgent, HangsUpAndDeregistersWhenItStops) {
  WicScript wic;
  wic.enter();
  wic.agent.on_message(invite(), wic.now);
  (void)wic.take_sent();
  wic.agent.stop(wic.now);
  const auto sent = wic.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_TRUE(sent[0].starts_with("SIP/2.0 603 "));
  EXPECT_EQ(value_of(sent[1], "Expires"), "0");
}

// Each hears what the other sends; nothing between them adds a route.
TEST(WicAgent, TalksWithAnotherOne) {
  WicScript alice{test::alice(), 1};
  WicScript bob{test::alice("bob"), 2};
  alice.enter();
  bob.enter();
  const auto exchange = [&] {
    for (int i = 0; i < 8; ++i) {
      for (const std::string& text : alice.take_sent()) bob.agent.on_message(text, bob.now);
      for (const std::string& text : bob.take_sent()) alice.agent.on_message(text, alice.now);
    }
  };
  const CallId id = alice.agent.call("sip:bob@ims.example", "v=0 offer", alice.now);
  exchange();
  const auto offered = bob.take<CallOffered>();
  ASSERT_TRUE(offered);
  EXPECT_EQ(offered->caller, "sip:alice@ims.example");
  bob.agent.ring(offered->id, bob.now);
  bob.agent.answer(offered->id, "v=0 answer", bob.now);
  exchange();
  EXPECT_EQ(alice.take<CallAnswered>()->answer, "v=0 answer");
  EXPECT_TRUE(bob.take<CallConfirmed>());
  alice.agent.hang_up(id, alice.now);
  exchange();
  EXPECT_TRUE(alice.take<CallEnded>());
  EXPECT_TRUE(bob.take<CallEnded>());
  alice.advance(seconds{64});
  bob.advance(seconds{64});
  EXPECT_TRUE(alice.take_sent().empty());
}

}  // namespace
}  // namespace turnpike::client
