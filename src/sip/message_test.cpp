#include "sip/message.hpp"

#include <gtest/gtest.h>

#include "sip/test_messages.hpp"

namespace turnpike::sip {
namespace {

using test::parsed;

Defect defect_of(std::string_view text, const Limits& limits = {}) {
  const auto message = Message::parse(text, limits);
  EXPECT_FALSE(message.has_value()) << text;
  return message ? Defect{} : message.error().defect;
}

TEST(Message, HasTheRequestLine) {
  const std::string text = test::request();
  const Message message = parsed(text);
  EXPECT_TRUE(message.is_request());
  EXPECT_EQ(message.method(), Method::registration);
  EXPECT_EQ(message.method_text(), "REGISTER");
  EXPECT_EQ(message.request_uri_text(), "sip:ims.example");
  EXPECT_EQ(message.start_line(), "REGISTER sip:ims.example SIP/2.0\r\n");
}

TEST(Message, HasTheStatusLine) {
  const Message message = parsed("SIP/2.0 200 All \"is\" = 2**3, \xd0\xbf\r\n\r\n");
  EXPECT_TRUE(message.is_response());
  EXPECT_EQ(message.status_code(), 200);
  EXPECT_EQ(message.reason(), "All \"is\" = 2**3, \xd0\xbf");
}

TEST(Message, TakesAStatusLineWithoutAReason) {
  EXPECT_EQ(parsed("SIP/2.0 100 \r\n\r\n").reason(), "");
  EXPECT_EQ(parsed("sip/2.0 699\r\n\r\n").status_code(), 699);
}

TEST(Message, TakesAnyTokenForAMethod) {
  const Message message = parsed("!odd-Method_*+`.%' tel:+1 SIP/2.0\r\n\r\n");
  EXPECT_EQ(message.method(), Method::other);
  EXPECT_EQ(message.method_text(), "!odd-Method_*+`.%'");
}

TEST(Message, RefusesWhatIsNoStartLine) {
  for (const auto* text :
       {"x", "\r", "\n", "OPTIONS\r\n\r\n", "SIP/2.0\r\n\r\n", "SIP/2.0 20 OK\r\n\r\n",
        "SIP/2.0 2000 OK\r\n\r\n", "SIP/2.0 099 x\r\n\r\n", "SIP/2.0 700 x\r\n\r\n", "SIP/2.0  200 x\r\n\r\n",
        "SIP/2.0 4294967301 x\r\n\r\n", "SIP/7.0 200 OK\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "OPT{IONS sip:a SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\n\n", " OPTIONS sip:a SIP/2.0\r\n\r\n",
        "SIP/2.0 2x0 OK\r\n\r\n", "SIP/2.0 200OK\r\n\r\n"}) {
    EXPECT_EQ(defect_of(text), Defect::no_start_line) << text;
    EXPECT_FALSE(Message::salvage(text));
  }
}

TEST(Message, RefusesSpacesThatDoNotBelongInARequestLine) {
  for (const auto* text :
       {"OPTIONS  sip:a SIP/2.0\r\n\r\n", "OPTIONS sip:a  SIP/2.0\r\n\r\n", "OPTIONS sip:a SIP/2.0 \r\n\r\n",
        "OPTIONS sip:a; lr SIP/2.0\r\n\r\n", "OPTIONS SIP/2.0\r\n\r\n", "OPTIONS sip:a\tb SIP/2.0\r\n\r\n"})
    EXPECT_EQ(defect_of(text), Defect::malformed_request_line) << text;
}

TEST(Message, RefusesAnotherVersion) {
  EXPECT_EQ(defect_of("OPTIONS sip:a SIP/7.0\r\n\r\n"), Defect::unsupported_version);
  EXPECT_EQ(parsed("OPTIONS sip:a sip/2.0\r\n\r\n").method(), Method::options);
}

TEST(Message, IgnoresLineEndsInFrontOfIt) {
  const Message message = parsed("\r\n\r\nOPTIONS sip:a SIP/2.0\r\n\r\n");
  EXPECT_EQ(message.text(), "OPTIONS sip:a SIP/2.0\r\n\r\n");
}

TEST(Message, IsNoKeepAlive) {
  EXPECT_TRUE(is_keep_alive("\r\n\r\n"));
  EXPECT_TRUE(is_keep_alive("\r\n"));
  EXPECT_FALSE(is_keep_alive(""));
  EXPECT_FALSE(is_keep_alive("\r\nOPTIONS"));
  EXPECT_EQ(defect_of("\r\n\r\n"), Defect::empty);
  EXPECT_EQ(defect_of(""), Defect::empty);
}

TEST(Message, FindsHeadersByNameAndCompactForm) {
  const std::string text = test::request("m: <sip:a@b>\r\nX-Own:1\r\nx-own: 2\r\nk:\r\n");
  const Message message = parsed(text);
  EXPECT_EQ(message.find(HeaderName::contact)->value, "<sip:a@b>");
  EXPECT_EQ(message.find("M")->name_text, "m");
  EXPECT_EQ(message.find("x-OWN")->value, "1");
  EXPECT_EQ(message.find(HeaderName::supported)->value, "");
  EXPECT_FALSE(message.find(HeaderName::route));
  EXPECT_FALSE(message.find("X-Other"));
  EXPECT_EQ(message.count(HeaderName::other), 2U);
  EXPECT_EQ(message.header_count(), 10U);
}

TEST(Message, JoinsFoldedRows) {
  const Message message =
      parsed("OPTIONS sip:a SIP/2.0\r\nSubject:\r\n one\r\n\ttwo \r\n  \r\nTo  :  x\r\n\r\n");
  ASSERT_EQ(message.header_count(), 2U);
  EXPECT_EQ(message.header(0).value, "one\r\n\ttwo");
  EXPECT_EQ(message.header(0).row, "Subject:\r\n one\r\n\ttwo \r\n  \r\n");
  EXPECT_EQ(message.header(1).value, "x");
  EXPECT_EQ(defect_of("OPTIONS sip:a SIP/2.0\r\n folded: x\r\n\r\n"), Defect::fold_before_headers);
}

TEST(Message, RefusesRowsThatAreNoHeaders) {
  for (const auto* row : {"Subject\r\n", ": x\r\n", "Sub ject: x\r\n", "Sub\"ject: x\r\n"})
    EXPECT_EQ(defect_of(test::request(row)), Defect::header_without_colon) << row;
  EXPECT_EQ(defect_of(test::request(std::string(256, 'n') + ": x\r\n")), Defect::header_without_colon);
}

TEST(Message, RefusesControlCharacters) {
  for (const std::string& value : {std::string("a\0b", 3), std::string("a\rb"), std::string("a\nb"),
                                   std::string("\x7f"), std::string("a\x1b[0m"), std::string("a\r\r")})
    EXPECT_EQ(defect_of(test::request("Subject: " + value + "\r\n")), Defect::illegal_character) << value;
}

TEST(Message, TakesControlCharactersThatAreEscaped) {
  const std::string text = test::request(std::string("Subject: \"BEL:\\\x07 NUL:\\\0 DEL:\\\x7f\"\r\n", 33));
  EXPECT_TRUE(Message::parse(text));
  EXPECT_EQ(defect_of(test::request("Subject: \"\\\rx\"\r\n")), Defect::illegal_character);
}

TEST(Message, RefusesHalfAMessage) {
  const std::string text = test::request();
  for (std::size_t size = text.find("\r\n") + 2; size < text.size(); ++size) {
    const auto message = Message::parse(std::string_view{text}.substr(0, size));
    EXPECT_FALSE(message) << size;
  }
}

TEST(Message, KeepsToItsLimits) {
  const std::string text = test::request("Subject: 0123456789\r\n");
  EXPECT_EQ(defect_of(text, {.message_bytes_max = text.size() - 1}), Defect::message_too_long);
  EXPECT_EQ(defect_of(text, {.headers_max = 6}), Defect::too_many_headers);
  EXPECT_TRUE(Message::parse(text, {.message_bytes_max = text.size(), .headers_max = 7}));
  EXPECT_EQ(defect_of(test::request("Subject: " + std::string(90, 'x') + "\r\n"), {.header_bytes_max = 100}),
            Defect::header_too_long);
  EXPECT_EQ(
      defect_of(test::request("Subject: x\r\n " + std::string(90, 'x') + "\r\n"), {.header_bytes_max = 100}),
      Defect::header_too_long);
}

TEST(Message, HoldsAsManyRowsAsItsBound) {
  std::string rows;
  for (std::size_t i = 6; i < headers_bound; ++i) rows += "a: b\r\n";
  EXPECT_EQ(parsed(std::string_view{test::request(rows)}).header_count(), headers_bound);
  EXPECT_EQ(defect_of(test::request(rows + "a: b\r\n"), {.headers_max = 1000}), Defect::too_many_headers);
}

TEST(Message, HoldsAsManyBytesAsItsBound) {
  const std::string head = test::request("", "MESSAGE");
  const std::string text = head + std::string(message_bytes_bound - head.size(), 'x');
  EXPECT_EQ(parsed(text).after_headers().size(), text.size() - head.size());
  EXPECT_EQ(defect_of(text + 'x', {.message_bytes_max = 1U << 20U}), Defect::message_too_long);
  EXPECT_TRUE(Message::salvage(text + 'x', {.message_bytes_max = 1U << 20U}));
}

TEST(MessageBody, IsAsLongAsContentLengthSays) {
  const std::string whole = test::request("Content-Length: 4\r\n", "MESSAGE", "bodyOPTIONS");
  EXPECT_EQ(parsed(whole).body(), "body");
  const std::string unsized = test::request("", "MESSAGE", "body");
  EXPECT_EQ(parsed(unsized).body(), "body");
  const std::string none = test::request("l:0\r\n");
  EXPECT_EQ(parsed(none).body(), "");
}

TEST(MessageBody, IsRefusedWhereContentLengthIsWrong) {
  const std::string half = test::request("Content-Length: 5\r\n", "MESSAGE", "body");
  EXPECT_EQ(parsed(half).body().error(), ParseError{Defect::body_too_short});
  for (const auto* value : {"-999", "", "4 4", "99999999999999999999"}) {
    const std::string text =
        test::request("Content-Length: " + std::string{value} + "\r\n", "MESSAGE", "body");
    EXPECT_EQ(parsed(text).body().error(), (ParseError{Defect::malformed, HeaderName::content_length}))
        << value;
  }
}

TEST(SalvagedMessage, HasTheRowsThatWereThere) {
  const std::string text = test::request("broken row\r\nSubject: lost\r\n");
  const auto message = Message::salvage(text);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->find(HeaderName::call_id)->value, "aiuy7k9njasd");
  EXPECT_FALSE(message->has(HeaderName::subject));
}

TEST(SalvagedMessage, IsNeverAResponse) {
  EXPECT_FALSE(Message::salvage("SIP/2.0 200 OK\r\nbroken\r\n\r\n"));
  EXPECT_FALSE(Message::salvage(""));
}

}  // namespace
}  // namespace turnpike::sip
