#include "provisioning/turn_credentials.hpp"

#include <gtest/gtest.h>

#include "provisioning/test_settings.hpp"

namespace turnpike::provisioning {
namespace {

using namespace std::chrono_literals;
using enum TurnCredentialsDefect;

TurnCredentialsDefect request_defect(std::string_view value) {
  const auto request = parse_request(value);
  EXPECT_FALSE(request) << value;
  return request ? malformed : request.error();
}

TurnCredentialsDefect answer_defect(std::string_view value) {
  const auto answer = parse_answer(value, test_wall);
  EXPECT_FALSE(answer) << value;
  return answer ? malformed : answer.error();
}

Entry make_password_entry() {
  return {.uris = {"turn:turn1.ims.example:3478?transport=udp", "turns:turn1.ims.example:443?transport=tcp"},
          .realm = "ims.example",
          .username = "1893459720:k1.mfzwizltoq",
          .password = Secret::from_text("teJwk4ql4rrsQZ01U/Q+SmpDWss="),
          .ttl = 3720s,
          .expires_at = test_wall + 3720s};
}

Entry make_token_entry() {
  return {.form = Form::oauth,
          .uris = {"turn:turn1.ims.example:3478?transport=udp"},
          .realm = "ims.example",
          .username = "k1.8f3a",
          .password = Secret::from_text("WmtzanB3ZW9peFhtdm42NzUzNG0="),
          .access_token = {0, 12, 0x68, 0x34},
          .algorithm = "HMAC-SHA-1",
          .server_name = "turn.ims.example",
          .ttl = 600s,
          .expires_at = test_wall + 600s};
}

void expect_equal(const Entry& a, const Entry& b) {
  EXPECT_EQ(a.form, b.form);
  EXPECT_EQ(a.uris, b.uris);
  EXPECT_EQ(a.realm, b.realm);
  EXPECT_EQ(a.username, b.username);
  EXPECT_EQ(a.password.reveal_text(), b.password.reveal_text());
  EXPECT_EQ(a.access_token, b.access_token);
  EXPECT_EQ(a.algorithm, b.algorithm);
  EXPECT_EQ(a.server_name, b.server_name);
  EXPECT_EQ(a.ttl, b.ttl);
  EXPECT_EQ(a.expires_at, b.expires_at);
}

TEST(TurnCredentialsRequest, MayAskForNothingInParticular) {
  for (const std::string_view value : {"request", "Request", " request ", "request;x", "request ; x=\"y\""}) {
    const auto request = parse_request(value);
    ASSERT_TRUE(request) << value;
    EXPECT_FALSE(request->realm || request->ttl || request->transport || request->form);
  }
}

TEST(TurnCredentialsRequest, AsksForRealmLifeTransportAndType) {
  const auto request =
      parse_request("request; realm=\"ims \\\"x\\\"\";TTL=600 ;transport=UDP;type=\"oauth\";later=1");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->realm, "ims \"x\"");
  EXPECT_EQ(request->ttl, 600s);
  EXPECT_EQ(request->transport, "udp");
  EXPECT_EQ(request->form, Form::oauth);
}

TEST(TurnCredentialsRequest, WritesTheTypeAsTokenOrQuotedString) {
  EXPECT_EQ(parse_request("request;type=oauth")->form, Form::oauth);
  EXPECT_EQ(parse_request("request;type=\"password\"")->form, Form::password);
}

TEST(TurnCredentialsRequest, AsksForASource) {
  EXPECT_EQ(parse_request("request;source=pushed")->source, credentials::Source::pushed);
  EXPECT_EQ(parse_request("request;source=\"Token\"")->source, credentials::Source::token);
  EXPECT_EQ(parse_request("request")->source, std::nullopt);
  EXPECT_EQ(format_request({.source = credentials::Source::computed}), "request;source=\"computed\"");
  for (const char* text :
       {"request;source", "request;source=static", "request;source=\"\"", "request;source=a b"})
    EXPECT_FALSE(parse_request(text)) << text;
}

TEST(TurnCredentialsRequest, IsRefusedWithAReason) {
  EXPECT_EQ(request_defect(""), no_request);
  EXPECT_EQ(request_defect("<turn:turn1.ims.example>;username=\"a\";password=\"b\";ttl=1"), no_request);
  EXPECT_EQ(request_defect("requests"), no_request);
  EXPECT_EQ(request_defect("\"request\""), no_request);
  EXPECT_EQ(request_defect("request;"), malformed);
  EXPECT_EQ(request_defect("request;ttl="), malformed);
  EXPECT_EQ(request_defect("request;realm=\"open"), malformed);
  EXPECT_EQ(request_defect("request;ttl=1;ttl=2"), malformed);
  EXPECT_EQ(request_defect("request ttl=1"), malformed);
  EXPECT_EQ(request_defect("request, request"), too_many);
  EXPECT_EQ(request_defect("request;realm=ims.example"), bad_parameter);
  EXPECT_EQ(request_defect("request;realm"), bad_parameter);
  EXPECT_EQ(request_defect("request;ttl=-1"), bad_parameter);
  EXPECT_EQ(request_defect("request;ttl=4294967296"), bad_parameter);
  EXPECT_EQ(request_defect("request;ttl=99999999999999999999999"), bad_parameter);
  EXPECT_EQ(request_defect("request;ttl=\"600\""), bad_parameter);
  EXPECT_EQ(request_defect("request;transport=sctp"), bad_parameter);
  EXPECT_EQ(request_defect("request;type=basic"), bad_parameter);
  EXPECT_EQ(request_defect("request;type"), bad_parameter);
}

TEST(TurnCredentialsRequest, IsWrittenAsItIsRead) {
  const Request asked{.realm = "a \"b\" \\c", .ttl = 600s, .transport = "tcp", .form = Form::oauth};
  const auto read = parse_request(format_request(asked));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->realm, asked.realm);
  EXPECT_EQ(read->ttl, asked.ttl);
  EXPECT_EQ(read->transport, asked.transport);
  EXPECT_EQ(read->form, asked.form);
  EXPECT_EQ(format_request({}), "request");
}

TEST(TurnCredentialsAnswer, NamesEachUriWithItsCredential) {
  const Provision provision{.entries = {make_password_entry()}, .refresh_after = 3000s};
  const auto rows = format_answer(provision);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.front(),
            "<turn:turn1.ims.example:3478?transport=udp>;username=\"1893459720:k1.mfzwizltoq\";"
            "password=\"teJwk4ql4rrsQZ01U/Q+SmpDWss=\";realm=\"ims.example\";ttl=3720;expires-at=1893459720;"
            "refresh-after=3000, "
            "<turns:turn1.ims.example:443?transport=tcp>;username=\"1893459720:k1.mfzwizltoq\";"
            "password=\"teJwk4ql4rrsQZ01U/Q+SmpDWss=\";realm=\"ims.example\";ttl=3720;expires-at=1893459720;"
            "refresh-after=3000");
}

TEST(TurnCredentialsAnswer, IsReadAsItIsWritten) {
  const Provision provision{.entries = {make_password_entry(), make_token_entry()}, .refresh_after = 300s};
  const auto rows = format_answer(provision);
  ASSERT_EQ(rows.size(), 1U);
  const auto read = parse_answer(rows.front(), test_wall);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->entries.size(), 2U);
  expect_equal(read->entries[0], provision.entries[0]);
  expect_equal(read->entries[1], provision.entries[1]);
  EXPECT_EQ(read->refresh_after, 300s);
}

TEST(TurnCredentialsAnswer, KeepsQuotesAndBackslashesOfItsValues) {
  Entry entry = make_password_entry();
  entry.username = "a\"b\\c;d,e<f>";
  entry.password = Secret::from_text("\\\",;<>=");
  const auto read = parse_answer(format_answer({.entries = {entry}}).front(), test_wall);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->entries.front().username, entry.username);
  EXPECT_EQ(read->entries.front().password.reveal_text(), entry.password.reveal_text());
}

TEST(TurnCredentialsAnswer, GoesIntoSeveralRowsWhenItIsLong) {
  Entry entry = make_password_entry();
  entry.username = std::string(500, 'u');
  entry.uris.assign(40, "turn:turn1.ims.example:3478?transport=udp");
  const auto rows = format_answer({.entries = {entry}});
  EXPECT_GT(rows.size(), 1U);
  std::string text = "SIP/2.0 200 OK\r\n";
  for (const std::string& row : rows) {
    EXPECT_LT(row.size(), 8000U);
    text += "Turn-Credentials: " + row + "\r\n";
  }
  text += "\r\n";
  const auto message = sip::Message::parse(text);
  ASSERT_TRUE(message);
  const auto answer = find_answer(*message, test_wall);
  ASSERT_TRUE(answer.has_value() && answer->has_value());
  ASSERT_EQ((*answer)->entries.size(), 1U);
  EXPECT_EQ((*answer)->entries.front().uris.size(), 40U);
}

TEST(TurnCredentialsAnswer, MayComeFromOthersInItsShortestForm) {
  const auto read = parse_answer(" < turn:x >;username=\"a\"", test_wall);
  EXPECT_FALSE(read);
  const auto answer = parse_answer(
      "<turn:turn1.ims.example>;username=\"1:a\";password=\"b\";ttl=3600;x=y,"
      "<turns:turn1.ims.example>; password=\"b\" ;username=\"1:a\";ttl=3600",
      test_wall);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->entries.size(), 1U);
  EXPECT_EQ(answer->entries.front().uris.size(), 2U);
  EXPECT_EQ(answer->entries.front().expires_at, test_wall + 3600s);
  EXPECT_EQ(answer->refresh_after, 3000s);
}

TEST(TurnCredentialsAnswer, PassesOverTypesThatItDoesNotKnow) {
  const auto answer = parse_answer(
      "<turn:a.example>;type=\"later\";blob=\"x\", <turn:a.example>;username=\"u\";password=\"p\";ttl=60",
      test_wall);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->entries.size(), 1U);
  EXPECT_EQ(answer_defect("<turn:a.example>;type=\"later\""), no_credentials);
}

TEST(TurnCredentialsAnswer, IsRefusedWithAReason) {
  EXPECT_EQ(answer_defect(""), malformed);
  EXPECT_EQ(answer_defect("request"), malformed);
  EXPECT_EQ(answer_defect("<turn:a.example"), malformed);
  EXPECT_EQ(answer_defect("<turn:a.example>;username=\"u\";password=\"p\";ttl=60,"), malformed);
  EXPECT_EQ(answer_defect("<turn:a.example>;username=\"u\";password=\"p\";ttl=60 x"), malformed);
  EXPECT_EQ(answer_defect("<turn:a.example>;username=\"u;password=\"p\";ttl=60"), malformed);
  EXPECT_EQ(answer_defect("<http://a.example>;username=\"u\";password=\"p\";ttl=60"), no_turn_uri);
  EXPECT_EQ(answer_defect("<>;username=\"u\";password=\"p\";ttl=60"), no_turn_uri);
  EXPECT_EQ(answer_defect("<turn:a.example>"), no_credentials);
  EXPECT_EQ(answer_defect("<turn:a.example>;username=\"u\";ttl=60"), no_credentials);
  EXPECT_EQ(answer_defect("<turn:a.example>;username=\"u\";password=\"p\""), no_credentials);
  EXPECT_EQ(answer_defect("<turn:a.example>;username=u;password=p;ttl=60"), no_credentials);
  EXPECT_EQ(answer_defect("<turn:a.example>;username=\"\";password=\"p\";ttl=60"), no_credentials);
  EXPECT_EQ(
      answer_defect("<turn:a.example>;username=\"" + std::string(509, 'u') + "\";password=\"p\";ttl=60"),
      no_credentials);
  EXPECT_EQ(answer_defect("<turn:a.example>;type=oauth;kid=\"k\";access-token=\"!\";mac-key=\"YQ==\";ttl=60"),
            no_credentials);
  EXPECT_EQ(answer_defect("<turn:a.example>;type=oauth;kid=\"k\";access-token=\"YQ==\";ttl=60"),
            no_credentials);
  std::string many;
  for (int i = 0; i < 65; ++i)
    many.append(i == 0 ? "" : ",").append("<turn:a.example>;username=\"u\";password=\"p\";ttl=60");
  EXPECT_EQ(answer_defect(many), too_many);
}

TEST(TurnCredentials, AreFoundInAMessage) {
  const std::string head = "REGISTER sip:ims.example SIP/2.0\r\n";
  const std::string plain_text = head + "\r\n";
  const auto plain = sip::Message::parse(plain_text);
  ASSERT_TRUE(plain);
  EXPECT_FALSE(find_request(*plain));
  EXPECT_FALSE(find_answer(*plain, test_wall));
  const std::string one_text = head + "turn-credentials : request\r\n ;ttl=600\r\n\r\n";
  const auto one = sip::Message::parse(one_text);
  ASSERT_TRUE(one);
  ASSERT_TRUE(find_request(*one));
  EXPECT_EQ((*find_request(*one))->ttl, 600s);
  const std::string two_text = head + "Turn-Credentials: request\r\nTurn-Credentials: request\r\n\r\n";
  const auto two = sip::Message::parse(two_text);
  ASSERT_TRUE(two);
  EXPECT_EQ(find_request(*two)->error(), too_many);
}

}  // namespace
}  // namespace turnpike::provisioning
