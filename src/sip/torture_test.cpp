// Our own messages for each corner that RFC 4475 knows and that a reader of messages can stand in; the
// corners of those who act on them are tried where they act. docs/rfc-map.md has the whole table.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "sip/answers.hpp"
#include "sip/editor.hpp"
#include "sip/headers.hpp"
#include "sip/test_messages.hpp"
#include "sip/transaction_layer.hpp"

namespace turnpike::sip {
namespace {

using test::parsed;

// What a datagram gets that is refused: the response's start line, or nothing.
std::string refusal_of(const std::string& text) {
  const auto message = Message::parse(text);
  const auto defect = message ? find_defect(*message) : std::optional{message.error()};
  if (!defect) return "no defect";
  const auto refusal = make_refusal(text, *defect, "t", AnswersGo::where_the_via_says);
  return refusal ? refusal->substr(0, refusal->find("\r\n")) : "silence";
}

// A request in which a part stands in place of another one.
std::string request_with(std::string_view part, std::string_view instead_of, std::string_view rows = {}) {
  std::string text = test::request(rows, "OPTIONS");
  const std::size_t at = text.find(instead_of);
  check(at != std::string::npos, "the test's request lacks what it should replace");
  return text.replace(at, instead_of.size(), part);
}

constexpr std::string_view start_line = "OPTIONS sip:ims.example SIP/2.0\r\n";
constexpr std::string_view to_row = "To: <sip:alice@ims.example>\r\n";
constexpr std::string_view from_row = "From: \"Alice\" <sip:alice@ims.example>;tag=65bnmj\r\n";
constexpr std::string_view cseq_row = "CSeq: 1 OPTIONS\r\n";

bool is_sound(const std::string& text) {
  const auto message = Message::parse(text);
  return message && !find_defect(*message);
}

// --- section 3.1.1: strange, and valid
// -----------------------------------------------------------------------

TEST(Strange, RowsAreFoldedAbbreviatedAndSpreadAsTheirSenderLikes) {
  const std::string text =
      "OPTIONS sip:ims.example;unheard-of SIP/2.0\r\n"
      "tO  :\r\n  sip:bob@ims.example ;   tag\t= 99z\r\n"
      "f : \"A \\\\\\\" quote\"\r\n   <sip:alice@ims.example>\r\n  ;\r\n  tag = 7\r\n"
      "mAX-fORWARDS: 0070\r\n"
      "I: spread@client.example\r\n"
      "cseq: 000012\r\n   OPTIONS\r\n"
      "Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.9;branch=z9hG4bK0a\r\n"
      "sUBJECT:\r\n"
      "X-Nobody-Knows: =?utf-8?q?=7b?= ;;,, \"\r\n  even over two rows\r\n"
      "v:  SIP  / 2.0  / TCP     edge.example   ;\r\n  branch  =   z9hG4bK0b ; rport\r\n"
      "rOUTE:\r\n <sip:one.example;with=%61;lr>,\r\n\t\"Two\" <sip:two.example;lr>\r\n"
      "m:\"Far, \\\"far\\\" away\" <sip:alice@192.0.2.9>\r\n  ; extra = \"a;b,c\" ; q = 0.5\r\n"
      "l: 0\r\n\r\n";
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  EXPECT_EQ(*max_forwards(message), 70);
  EXPECT_EQ(cseq(message)->number, 12U);
  EXPECT_EQ(to(message)->tag(), "99z");
  EXPECT_EQ(from(message)->tag(), "7");
  EXPECT_EQ(*call_id(message), "spread@client.example");
  EXPECT_EQ(top_via(message)->branch(), "z9hG4bK0a");
  EXPECT_EQ(message.find(HeaderName::subject)->value, "");
  NameAddrCursor routes{message, HeaderName::route};
  EXPECT_EQ((*routes.next())->uri.host(), "one.example");
  EXPECT_EQ((*routes.next())->uri.host(), "two.example");
  NameAddrCursor contacts{message, HeaderName::contact};
  const auto contact = **contacts.next();
  EXPECT_EQ(contact.params.find("extra")->text(), "a;b,c");
  EXPECT_FALSE(contacts.next());
}

TEST(Strange, TokensAndUsersHaveAllTheirCharacters) {
  const std::string method = "all-of.them!%*_+`'~0";
  std::string text = test::request("", method);
  text.replace(text.find("sip:ims.example"), 15, "sip:-_.!~*'()&=+$,;?/w%20x:&=+$,@ims.example");
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  EXPECT_EQ(message.method_text(), method);
  EXPECT_EQ(request_uri(message)->user(), "-_.!~*'()&=+$,;?/w%20x");
  EXPECT_EQ(request_uri(message)->password(), "&=+$,");
  EXPECT_EQ(request_uri(message)->host(), "ims.example");
}

TEST(Strange, EscapesInUrisMeanTheirCharacter) {
  const std::string text = request_with(
      "OPTIONS sip:sips%3Abob%40far.example@ims.example SIP/2.0\r\n", start_line,
      "Contact: <sip:b%6Fb%2e@far.example;p%61r=v%61lue%3b>, <sip:bob.@far.example;par=value%3B>\r\n");
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  EXPECT_EQ(request_uri(message)->host(), "ims.example");
  EXPECT_EQ(unescaped(request_uri(message)->user()), "sips:bob@far.example");
  NameAddrCursor contacts{message, HeaderName::contact};
  const auto one = **contacts.next();
  EXPECT_TRUE(one.uri.is_equivalent_to((*contacts.next())->uri));
}

TEST(Strange, AnEscapedNulIsACharacterOfAUser) {
  const std::string text = test::request("Contact: <sip:%00@far.example>, <sip:%00%00@far.example>\r\n");
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  NameAddrCursor contacts{message, HeaderName::contact};
  const auto one = **contacts.next();
  EXPECT_EQ(unescaped(one.uri.user()), std::string(1, '\0'));
  EXPECT_FALSE(one.uri.is_equivalent_to((*contacts.next())->uri));
}

TEST(Strange, PercentSignsOutsideOfUrisAreNoEscapes) {
  std::string text = test::request("C%6Fntact: <sip:alias@far.example>\r\n", "RE%47ISTER");
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  EXPECT_EQ(message.method(), Method::other);
  EXPECT_EQ(message.method_text(), "RE%47ISTER");
  EXPECT_FALSE(message.has(HeaderName::contact));
  // Nor are they taken for a mismatch or a match where the spelling is another one.
  EXPECT_EQ(refusal_of(text.replace(text.find("CSeq: 1 RE%47ISTER"), 18, "CSeq: 1 REGISTER")),
            "SIP/2.0 400 CSeq Method Differs From Request");
}

TEST(Strange, ADisplayNameMayTouchItsBracket) {
  const std::string text = request_with("From: alice<sip:alice@ims.example>;tag=1\r\n", from_row);
  EXPECT_TRUE(is_sound(text));
  EXPECT_EQ(from(parsed(text))->tag(), "1");
}

TEST(Strange, LongValuesAreRead) {
  const std::string host = std::string(200, 'a') + ".example";
  const std::string user(3000, 'u');
  const std::string branch = "z9hG4bK" + std::string(2000, 'b');
  std::string rows;
  for (int i = 0; i < 30; ++i)
    rows += "Via: SIP/2.0/TCP sip" + std::to_string(i) + ".example;branch=z9hG4bK" + std::string(100, 'v') +
            "\r\n";
  rows += "X-" + std::string(200, 'n') + ": " + std::string(4000, 'x') + "\r\n";
  std::string text = request_with(
      "To: \"" + std::string(1000, 'd') + "\" <sip:" + user + "@" + host + ">\r\n", to_row, rows);
  text.replace(text.find("z9hG4bKasudf"), 12, branch);
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  EXPECT_EQ(to(message)->uri.user(), user);
  EXPECT_EQ(to(message)->uri.host(), host);
  EXPECT_EQ(top_via(message)->branch(), branch);
  EXPECT_EQ(message.count(HeaderName::via), 31U);
}

TEST(Strange, WhatFollowsTheBodyOfADatagramIsNotPartOfIt) {
  const std::string first = test::request("Content-Length: 0\r\n", "REGISTER");
  const std::string text = first + test::request("", "INVITE");
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  EXPECT_EQ(*message.body(), "");
  EXPECT_EQ(message.method(), Method::registration);
  EXPECT_EQ(cseq(message)->method, Method::registration);
}

TEST(Strange, ASemicolonInAUserBelongsToIt) {
  const std::string text =
      request_with("OPTIONS sip:bob;par=u%40far.example@ims.example SIP/2.0\r\n", start_line);
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  EXPECT_EQ(request_uri(message)->user(), "bob;par=u%40far.example");
  EXPECT_FALSE(request_uri(message)->params().has("par"));
}

TEST(Strange, ViasNameAnyTransport) {
  const std::string text = test::request(
      "Via: SIP/2.0/SCTP b.example;branch=z9hG4bK2\r\nVia: SIP/2.0/TLS c.example;branch=z9hG4bK3\r\n"
      "Via: SIP/2.0/PIGEON d.example;branch=z9hG4bK4\r\nVia: SIP/2.0/UDP e.example;branch=z9hG4bK5\r\n");
  ASSERT_TRUE(is_sound(text));
  const Message message = parsed(text);
  ValueCursor vias{message, HeaderName::via};
  for (const auto* transport : {"WSS", "SCTP", "TLS", "PIGEON", "UDP"})
    EXPECT_EQ(Via::parse(*vias.next())->transport, transport);
}

TEST(Strange, ABodyIsBytesThatNobodyReads) {
  const std::string body{
      "--b\r\nContent-Type: text/plain\r\n\r\nwords\r\n--b\r\n\r\n\0\x01\xff\r\n\r\n--b--\r\n", 59};
  const std::string text = test::request(
      "Content-Type: multipart/mixed;boundary=b\r\nContent-Length: " + std::to_string(body.size()) + "\r\n",
      "MESSAGE", body);
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  EXPECT_EQ(*message.body(), body);
  Editor edited{message};
  edited.prepend(HeaderName::via, "SIP/2.0/UDP edge.example;branch=z9hG4bKe");
  EXPECT_TRUE(edited.text().ends_with("\r\n\r\n" + body));
}

TEST(Strange, AReasonMayBeOfAnyScriptOrEmpty) {
  std::string text = test::response(200);
  const std::string reason = "= 2**3 * 9**2 \xd0\xbd\xd0\xbe \xe2\x98\xba";
  text.replace(text.find("Reason"), 6, reason);
  EXPECT_TRUE(is_sound(text));
  EXPECT_EQ(parsed(text).reason(), reason);
  text.replace(text.find(reason), reason.size(), "");
  EXPECT_TRUE(is_sound(text));
  EXPECT_EQ(parsed(text).reason(), "");
}

// --- section 3.1.2: invalid
// ----------------------------------------------------------------------------------

struct Invalid {
  const char* name;
  std::string text;
  const char* answer;
};
class Torture : public testing::TestWithParam<Invalid> {};
INSTANTIATE_TEST_SUITE_P(
    Refuses, Torture,
    testing::Values(
        Invalid{"SeparatorsWithNothingBetween",
                test::request("Contact: \"Joe\" <sip:joe@far.example>;;;;\r\n"),
                "SIP/2.0 400 Malformed Contact"},
        // Whom to answer is not known where answers go by the Via.
        Invalid{"SeparatorsWithNothingBetweenInAVia",
                request_with("Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\nVia: SIP", "Via: SIP"), "silence"},
        Invalid{"ABodyShorterThanItsLength", test::request("Content-Length: 99\r\n", "MESSAGE", "short"),
                "SIP/2.0 400 Body Shorter Than Content-Length"},
        Invalid{"ANegativeLength", test::request("Content-Length: -99\r\n", "MESSAGE", "text"),
                "SIP/2.0 400 Malformed Content-Length"},
        Invalid{"ANumberOfARequestBeyondItsBits",
                request_with("CSeq: 36893488147419103232 OPTIONS\r\n", cseq_row),
                "SIP/2.0 400 Malformed CSeq"},
        Invalid{"HopsBeyondTheirBits", request_with("Max-Forwards: 300", "Max-Forwards: 70"),
                "SIP/2.0 400 Malformed Max-Forwards"},
        Invalid{"AResponseWithANumberBeyondItsBits",
                [] {
                  std::string text =
                      test::response(503, "REGISTER", "Retry-After: 949302838503028349304023988\r\n");
                  return text.replace(text.find("CSeq: 1 "), 8, "CSeq: 9292394834772304023312 ");
                }(),
                "silence"},
        Invalid{"AQuoteThatDoesNotEnd", request_with("To: \"Mr. J. User <sip:alice@ims.example>\r\n", to_row),
                "SIP/2.0 400 Malformed To"},
        Invalid{"BracketsAroundTheRequestUri",
                request_with("OPTIONS <sip:ims.example> SIP/2.0\r\n", start_line),
                "SIP/2.0 400 Malformed Request-URI"},
        Invalid{"WhiteSpaceWithinTheRequestUri",
                request_with("OPTIONS sip:ims.example; lr SIP/2.0\r\n", start_line),
                "SIP/2.0 400 Malformed Request Line"},
        Invalid{"WhiteSpaceBetweenThePartsOfTheRequestLine",
                request_with("OPTIONS  sip:ims.example  SIP/2.0\r\n", start_line),
                "SIP/2.0 400 Malformed Request Line"},
        Invalid{"WhiteSpaceBehindTheRequestLine",
                request_with("OPTIONS sip:ims.example SIP/2.0  \r\n", start_line),
                "SIP/2.0 400 Malformed Request Line"},
        Invalid{"HeadersInTheRequestUri",
                request_with("OPTIONS sip:ims.example?Route=%3Csip:evil.example%3E SIP/2.0\r\n", start_line),
                "SIP/2.0 400 Headers In Request-URI"},
        Invalid{"HeadersOfAContactWithoutBrackets",
                test::request("Contact: sip:alice@ims.example?Route=%3Csip:evil.example%3E\r\n"),
                "SIP/2.0 400 Malformed Contact"},
        Invalid{"SpacesWithinAnAddress", request_with("To: \"Al\" < sip:alice@ims.example >\r\n", to_row),
                "SIP/2.0 400 Malformed To"},
        Invalid{"ADisplayNameThatWantsQuotes",
                request_with("From: Bell, Alice <sip:alice@ims.example>;tag=1\r\n", from_row),
                "SIP/2.0 400 Malformed From"},
        Invalid{"AnotherVersion", request_with("OPTIONS sip:ims.example SIP/7.0\r\n", start_line),
                "SIP/2.0 505 Version Not Supported"},
        Invalid{"AMethodThatDiffers", request_with("CSeq: 1 INVITE\r\n", cseq_row),
                "SIP/2.0 400 CSeq Method Differs From Request"},
        Invalid{"AnUnknownMethodThatDiffers",
                [] {
                  std::string text = test::request("", "NEWMETHOD");
                  return text.replace(text.find("CSeq: 1 NEWMETHOD"), 17, "CSeq: 1 INVITE");
                }(),
                "SIP/2.0 400 CSeq Method Differs From Request"},
        Invalid{"AStatusCodeBeyondItsDigits",
                "SIP/2.0 4294967301 better not\r\n" + test::response(200).substr(20), "silence"},
        // --- section 3.3: what the layers above would have to decide, if it came that far
        Invalid{"ARequestWithoutWhatItNeeds", request_with("", from_row), "SIP/2.0 400 Missing From"},
        Invalid{"TwoOfWhatThereIsOneOf", request_with("CSeq: 1 OPTIONS\r\nCSeq: 2 OPTIONS\r\n", cseq_row),
                "SIP/2.0 400 Repeated CSeq"},
        Invalid{"TwoLengths", test::request("Content-Length: 4\r\nContent-Length: 2\r\n", "MESSAGE", "text"),
                "SIP/2.0 400 Repeated Content-Length"}),
    [](const auto& invalid) { return std::string{invalid.param.name}; });

TEST_P(Torture, WithTheReason) { EXPECT_EQ(refusal_of(GetParam().text), GetParam().answer); }

TEST(Tolerated, IsADateThatNobodyReads) {
  EXPECT_TRUE(is_sound(test::request("Date: Fri, 01 Jan 2010 16:00:00 EST\r\n")));
}

TEST(Tolerated, IsAnExpiryBeyondItsBitsWhichMeansAnHour) {
  const std::string text =
      test::request("Expires: 10000000000000000\r\nContact: <sip:a@b>;expires=280297596632815\r\n");
  ASSERT_TRUE(is_sound(text));
  const Message message = parsed(text);
  EXPECT_EQ(contact_expires(message, **NameAddrCursor{message, HeaderName::contact}.next(), 600), 3600U);
}

// --- section 3.2, 3.4: branches
// ------------------------------------------------------------------------------

std::string with_via(std::string_view via, std::string_view number) {
  std::string text = request_with("CSeq: " + std::string{number} + " OPTIONS\r\n", cseq_row);
  const std::string_view old = "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport";
  return text.replace(text.find(old), old.size(), via);
}

// Neither an empty branch nor none tells two requests apart; the rest of them does, as in RFC 2543.
TEST(Branches, ThatSayNothingLeaveItToTheRestOfTheRequest) {
  constexpr Flow flow{.id = 1, .is_reliable = false, .is_shared = true};
  for (const auto* via : {"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK", "SIP/2.0/UDP 192.0.2.1"}) {
    TransactionLayer layer;
    const auto receive = [&](std::string_view number) {
      const std::string text = with_via(via, number);
      return layer.on_request(parsed(text), flow, {});
    };
    EXPECT_TRUE(std::holds_alternative<NewRequest>(receive("8"))) << via;
    EXPECT_TRUE(std::holds_alternative<Absorbed>(receive("8"))) << via;
    EXPECT_TRUE(std::holds_alternative<NewRequest>(receive("9"))) << via;
  }
}

TEST(Branches, OfRfc2543NeedNoHops) {
  std::string text = request_with("", "Max-Forwards: 70\r\n");
  EXPECT_TRUE(is_sound(text));
  const Message message = parsed(text);
  Editor edited{message};
  ASSERT_TRUE(edited.decrement_max_forwards());
  EXPECT_NE(edited.text().find("Max-Forwards: 70\r\n"), std::string::npos);
}

// --- section 3.3: schemes and parameters that nobody knows
// -----------------------------------------------------

TEST(Unknown, SchemesAreRead) {
  for (const auto* uri : {"nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002"}) {
    const std::string text = request_with("OPTIONS " + std::string{uri} + " SIP/2.0\r\n", start_line);
    ASSERT_TRUE(is_sound(text)) << uri;
    EXPECT_EQ(request_uri(parsed(text))->scheme(), Scheme::other);
    EXPECT_EQ(request_uri(parsed(text))->text(), uri);
  }
  EXPECT_TRUE(is_sound(request_with("To: isbn:2983792873\r\n", to_row)));
  EXPECT_TRUE(is_sound(request_with("From: <http://far.example>;tag=3\r\n", from_row)));
}

TEST(Unknown, ParametersBelongToTheHeaderOrTheUriByTheBrackets) {
  const std::string text = test::request(
      "Contact: sip:+1972555@gw.example;unknown\r\nContact: <sip:+1972555@gw.example;unknown>\r\n");
  const Message message = parsed(text);
  ASSERT_FALSE(find_defect(message));
  NameAddrCursor contacts{message, HeaderName::contact};
  const auto bare = **contacts.next();
  EXPECT_TRUE(bare.params.has("unknown"));
  EXPECT_EQ(bare.uri_text, "sip:+1972555@gw.example");
  const auto bracketed = **contacts.next();
  EXPECT_FALSE(bracketed.params.has("unknown"));
  EXPECT_TRUE(bracketed.uri.params().has("unknown"));
}

}  // namespace
}  // namespace turnpike::sip
