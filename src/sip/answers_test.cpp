#include "sip/answers.hpp"

#include <gtest/gtest.h>

#include "sip/headers.hpp"
#include "sip/test_messages.hpp"

namespace turnpike::sip {
namespace {

using test::parsed;

TEST(Response, AnswersItsRequest) {
  const std::string text = test::request("Via: SIP/2.0/UDP second\r\nTimestamp: 54\r\n");
  EXPECT_EQ(make_response(parsed(text), 403, "t1").add(HeaderName::server, "x").finish(),
            "SIP/2.0 403 Forbidden\r\n"
            "Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport\r\n"
            "Via: SIP/2.0/UDP second\r\n"
            "From: \"Alice\" <sip:alice@ims.example>;tag=65bnmj\r\n"
            "To: <sip:alice@ims.example>;tag=t1\r\n"
            "Call-ID: aiuy7k9njasd\r\n"
            "CSeq: 1 REGISTER\r\n"
            "Server: x\r\n"
            "Content-Length: 0\r\n\r\n");
}

TEST(Response, KeepsTheTagOfADialog) {
  std::string text = test::request();
  text.insert(text.find("\r\nCall-ID"), ";tag=old");
  EXPECT_EQ(to(parsed(make_response(parsed(text), 200, "new").finish()))->tag(), "old");
}

TEST(Response, Of100HasNoTagButTheTimestamp) {
  const std::string text = test::request("Timestamp: 54\r\n", "INVITE");
  const std::string trying = make_response(parsed(text), 100, "new").finish();
  EXPECT_FALSE(to(parsed(trying))->tag());
  EXPECT_EQ(parsed(trying).find(HeaderName::timestamp)->value, "54");
}

TEST(Ack, IsMadeOfTheInviteAndItsRefusal) {
  const std::string invite =
      test::request("Via: SIP/2.0/UDP below\r\nRoute: <sip:r;lr>\r\nl: 4\r\n", "INVITE", "body");
  const std::string refusal = test::response(486, "INVITE");
  EXPECT_EQ(make_ack(parsed(invite), parsed(refusal)),
            "ACK sip:ims.example SIP/2.0\r\n"
            "Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport\r\n"
            "Route: <sip:r;lr>\r\n"
            "Max-Forwards: 70\r\n"
            "From: \"Alice\" <sip:alice@ims.example>;tag=65bnmj\r\n"
            "To: <sip:alice@ims.example>;tag=far\r\n"
            "Call-ID: aiuy7k9njasd\r\n"
            "CSeq: 1 ACK\r\n"
            "Content-Length: 0\r\n\r\n");
  EXPECT_FALSE(make_ack(parsed(invite), parsed("SIP/2.0 486 Busy\r\n\r\n")));
  EXPECT_FALSE(make_ack(parsed("INVITE sip:a SIP/2.0\r\n\r\n"), parsed(refusal)));
}

TEST(Cancel, HasTheToOfTheInvite) {
  const std::string invite = test::request("", "INVITE");
  const std::string cancel = make_cancel(parsed(invite)).value_or("");
  const Message message = parsed(cancel);
  EXPECT_EQ(message.method(), Method::cancel);
  EXPECT_EQ(cseq(message)->method, Method::cancel);
  EXPECT_FALSE(to(message)->tag());
  EXPECT_FALSE(find_defect(message));
  EXPECT_FALSE(make_cancel(parsed("INVITE sip:a SIP/2.0\r\n\r\n")));
}

std::optional<std::string> refusal_of(const std::string& text, const Limits& limits = {},
                                      AnswersGo answers_go = AnswersGo::where_the_via_says) {
  const auto message = Message::parse(text, limits);
  const auto defect = message ? find_defect(*message) : std::optional{message.error()};
  return defect ? make_refusal(text, *defect, "t1", answers_go, limits) : std::nullopt;
}

TEST(Refusal, SaysWhatWasWrong) {
  const auto refusal = refusal_of(test::request("Contact: <sip:a\r\n"));
  ASSERT_TRUE(refusal);
  EXPECT_TRUE(refusal->starts_with("SIP/2.0 400 Malformed Contact\r\n")) << *refusal;
  EXPECT_EQ(to(parsed(*refusal))->tag(), "t1");
}

TEST(Refusal, IsSentForWhatDoesNotParse) {
  EXPECT_TRUE(refusal_of(test::request("broken\r\n"))->starts_with("SIP/2.0 400 Header Without Colon\r\n"));
  EXPECT_TRUE(refusal_of(test::request("Subject: xx\r\n"), {.message_bytes_max = 250})
                  ->starts_with("SIP/2.0 513 Message Too Large\r\n"));
  std::string text = test::request();
  EXPECT_TRUE(refusal_of(text.replace(text.find("SIP/2.0\r\n"), 7, "SIP/7.0"))
                  ->starts_with("SIP/2.0 505 Version Not Supported\r\n"));
}

TEST(Refusal, IsAMessageEvenWhereTheRequestWasNone) {
  std::string text = test::request();
  text.replace(text.find("To: <"), 5, "To: \"x <");
  const auto refusal = refusal_of(text);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(parsed(*refusal).find(HeaderName::to)->value, "\"x <sip:alice@ims.example>");
}

TEST(Refusal, RepeatsNoIllegalCharacter) {
  std::string text = test::request();
  text.replace(text.find("alice@"), 5,
               std::string("a\0\r\x7f"
                           "e",
                           5));
  const auto refusal = refusal_of(text);
  ASSERT_TRUE(refusal && refusal->starts_with("SIP/2.0 400 Illegal Character In Header\r\n"));
  EXPECT_EQ(parsed(*refusal).find(HeaderName::from)->value, "\"Alice\" <sip:a   e@ims.example>;tag=65bnmj");
}

TEST(Refusal, IsSilenceWhereNobodyWaitsForIt) {
  EXPECT_FALSE(refusal_of(test::request("broken\r\n", "ACK")));
  EXPECT_FALSE(refusal_of(test::response(200, "REGISTER", "broken\r\n")));
  EXPECT_FALSE(refusal_of("OPTIONS sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n"));
  EXPECT_FALSE(refusal_of("OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n"));
  EXPECT_FALSE(refusal_of("not SIP"));
}

TEST(Refusal, OverAConnectionNeedsNoViaThatCanBeRead) {
  const auto over_connection = [](const std::string& text) {
    return refusal_of(text, {}, AnswersGo::over_the_connection);
  };
  std::string text = test::request();
  const auto refusal = over_connection(text.replace(text.find("Via: SIP/2.0/WSS"), 16, "Via: SIP/7.0/WSS"));
  ASSERT_TRUE(refusal);
  EXPECT_TRUE(refusal->starts_with("SIP/2.0 400 Malformed Via\r\nVia: SIP/7.0/WSS df7jal23ls0d")) << *refusal;
  EXPECT_FALSE(over_connection("OPTIONS sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n"));
  EXPECT_FALSE(over_connection(test::request("broken\r\n", "ACK")));
  EXPECT_FALSE(over_connection(test::response(200, "REGISTER", "broken\r\n")));
}

}  // namespace
}  // namespace turnpike::sip
