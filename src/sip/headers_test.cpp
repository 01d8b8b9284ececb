#include "sip/headers.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "sip/test_messages.hpp"

namespace turnpike::sip {
namespace {

using test::parsed;

std::optional<ParseError> defect_of(const std::string& text, const Limits& limits = {}) {
  return find_defect(parsed(text, limits));
}
std::string with(std::string text, std::string_view old, std::string_view other) {
  return text.replace(text.find(old), old.size(), other);
}
ParseError malformed_in(HeaderName name) { return {Defect::malformed, name}; }

TEST(Headers, AreReadWhenAsked) {
  const std::string text = test::request(
      "Expires: 3600\r\nMin-Expires: 60\r\nContent-Type: application/sdp\r\nEvent: reg\r\n"
      "Subscription-State: terminated;reason=timeout\r\nRAck: 1 2 INVITE\r\n"
      "P-Charging-Vector: icid-value=\"a b\";orig-ioi=x\r\n");
  const Message message = parsed(text);
  EXPECT_EQ(request_uri(message)->host(), "ims.example");
  EXPECT_EQ(top_via(message)->branch(), "z9hG4bKasudf");
  EXPECT_EQ(from(message)->tag(), "65bnmj");
  EXPECT_EQ(to(message)->uri.user(), "alice");
  EXPECT_EQ(cseq(message)->method, Method::registration);
  EXPECT_EQ(call_id(message), "aiuy7k9njasd");
  EXPECT_EQ(max_forwards(message), 70);
  EXPECT_EQ(expires(message), 3600U);
  EXPECT_EQ(min_expires(message), 60U);
  EXPECT_TRUE(content_type(message)->is("application", "sdp"));
  EXPECT_TRUE(event(message)->is("reg"));
  EXPECT_EQ(subscription_state(message)->params.value("reason"), "timeout");
  EXPECT_EQ(rack(message)->response_number, 1U);
  EXPECT_EQ(charging_vector(message)->find("icid-value")->text(), "a b");
}

TEST(Headers, TellMissingFromMalformed) {
  const std::string text = test::request("Event: ;x\r\n");
  EXPECT_EQ(event(parsed(text)).error(), malformed_in(HeaderName::event));
  EXPECT_EQ(expires(parsed(text)).error(), (ParseError{Defect::missing, HeaderName::expires}));
}

TEST(Headers, HoldListsOfAddresses) {
  const std::string text = test::request("Path: <sip:a@b;lr>, <sip:c>\r\nPath: <sip:d\r\n");
  const Message message = parsed(text);
  EXPECT_EQ(first_name_addr(message, HeaderName::path)->uri.user(), "a");
  EXPECT_EQ(first_name_addr(message, HeaderName::route).error().defect, Defect::missing);
  NameAddrCursor paths{message, HeaderName::path};
  EXPECT_TRUE(paths.next()->has_value());
  EXPECT_EQ((*paths.next())->uri.host(), "c");
  EXPECT_EQ(paths.next()->error(), malformed_in(HeaderName::path));
  EXPECT_FALSE(paths.next());
}

TEST(Headers, FindCredentialsBySchemeAndRealm) {
  const std::string text = test::request(
      "Authorization: broken\r\nAuthorization: Digest realm=\"a\", nonce=\"1\"\r\n"
      "Authorization: Bearer realm=\"b\", access_token=\"t\"\r\nAuthorization: Digest realm=\"b\", "
      "nonce=\"2\"\r\n");
  const Message message = parsed(text);
  EXPECT_EQ(find_credentials(message, HeaderName::authorization, "digest", "b")->text("nonce"), "2");
  EXPECT_EQ(find_credentials(message, HeaderName::authorization, "Bearer", "b")->bearer_token(), "t");
  EXPECT_FALSE(find_credentials(message, HeaderName::authorization, "Digest", "c"));
  EXPECT_EQ(credentials(message, HeaderName::authorization).error(), malformed_in(HeaderName::authorization));
}

TEST(Headers, HoldListsOfTokens) {
  const std::string text = test::request("Supported: path, Outbound\r\nk: gruu\r\nRequire:\r\n");
  const Message message = parsed(text);
  EXPECT_TRUE(has_token(message, HeaderName::supported, "outbound"));
  EXPECT_TRUE(has_token(message, HeaderName::supported, "gruu"));
  EXPECT_FALSE(has_token(message, HeaderName::supported, "pat"));
  EXPECT_FALSE(has_token(message, HeaderName::require, "path"));
}

TEST(Headers, TakeTheExpiryOfAContactFromTheNearestPlace) {
  const std::string text =
      test::request("Contact: <sip:a@b>;expires=10, <sip:a@c>, <sip:a@d>;expires=soon\r\n");
  const Message message = parsed(text);
  NameAddrCursor contacts{message, HeaderName::contact};
  EXPECT_EQ(contact_expires(message, **contacts.next(), 600), 10U);
  const auto plain = **contacts.next();
  EXPECT_EQ(contact_expires(message, plain, 600), 600U);
  EXPECT_EQ(contact_expires(message, **contacts.next(), 600), 3600U);
  const std::string dated = test::request("Expires: 20\r\n");
  EXPECT_EQ(contact_expires(parsed(dated), plain, 600), 20U);
  const std::string wrong = test::request("Expires: 99999999999\r\n");
  EXPECT_EQ(contact_expires(parsed(wrong), plain, 600), 3600U);
}

TEST(Headers, SayWhenToTryAgain) {
  const auto told = [](std::string_view value) {
    const std::string text = test::response(503, "REGISTER", "Retry-After: " + std::string{value} + "\r\n");
    return retry_after(parsed(text));
  };
  EXPECT_EQ(told("120"), std::chrono::seconds{120});
  EXPECT_EQ(told("18000;duration=3600"), std::chrono::seconds{18000});
  EXPECT_EQ(told("120 (I'm in a meeting)"), std::chrono::seconds{120});
  EXPECT_EQ(told("soon"), std::nullopt);
  EXPECT_EQ(told("4294967296"), std::nullopt);
  EXPECT_EQ(told(""), std::nullopt);
  const std::string silent = test::response(503);
  EXPECT_EQ(retry_after(parsed(silent)), std::nullopt);
}

TEST(Headers, SayWhatIsAccepted) {
  const auto takes_sdp = [](std::string_view rows) {
    const std::string text = test::request(rows, "INVITE");
    return accepts(parsed(text), "application", "sdp");
  };
  EXPECT_TRUE(takes_sdp(""));
  EXPECT_TRUE(takes_sdp("Accept: Application/SDP;level=1\r\n"));
  EXPECT_TRUE(takes_sdp("Accept: text/plain, application/*\r\n"));
  EXPECT_TRUE(takes_sdp("Accept: text/plain\r\nAccept: */*;q=0.1\r\n"));
  EXPECT_FALSE(takes_sdp("Accept: text/nobodyKnowsThis\r\n"));
  EXPECT_FALSE(takes_sdp("Accept: text/*, sdp\r\n"));
  EXPECT_FALSE(takes_sdp("Accept:\r\n"));
}

TEST(Headers, KnowTheWildcard) {
  const std::string wildcard = test::request("Contact: *\r\nExpires: 0\r\n");
  EXPECT_TRUE(has_wildcard_contact(parsed(wildcard)));
  EXPECT_FALSE(defect_of(wildcard));
  const std::string mixed = test::request("Contact: *\r\nContact: <sip:a@b>\r\n");
  EXPECT_FALSE(has_wildcard_contact(parsed(mixed)));
  EXPECT_EQ(defect_of(mixed), malformed_in(HeaderName::contact));
}

// --- defects ----------------------------------------------------------------------------------------------

TEST(Defects, AreNoneInWhatFollowsTheRfc) {
  EXPECT_FALSE(defect_of(test::request()));
  EXPECT_FALSE(defect_of(test::response(200)));
  EXPECT_FALSE(defect_of(with(test::request(), "Max-Forwards: 70\r\n", "")));
}

TEST(Defects, NameAMandatoryHeaderThatIsMissing) {
  const std::pair<std::string, HeaderName> rows[] = {
      {"Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport\r\n", HeaderName::via},
      {"From: \"Alice\" <sip:alice@ims.example>;tag=65bnmj\r\n", HeaderName::from},
      {"To: <sip:alice@ims.example>\r\n", HeaderName::to},
      {"Call-ID: aiuy7k9njasd\r\n", HeaderName::call_id},
      {"CSeq: 1 REGISTER\r\n", HeaderName::cseq}};
  for (const auto& [row, name] : rows)
    EXPECT_EQ(defect_of(with(test::request(), row, "")), (ParseError{Defect::missing, name})) << row;
}

TEST(Defects, NameAHeaderThatStandsTwice) {
  for (const std::string row :
       {"From: <sip:b@c>;tag=1\r\n", "t: <sip:b@c>\r\n", "Call-ID: 2\r\n", "CSeq: 1 REGISTER\r\n",
        "Max-Forwards: 70\r\n", "l: 0\r\nContent-Length: 0\r\n", "Expires: 1\r\nexpires: 2\r\n"})
    EXPECT_EQ(defect_of(test::request(row))->defect, Defect::repeated) << row;
}

TEST(Defects, NameAHeaderThatIsMalformed) {
  const std::pair<std::string, HeaderName> rows[] = {
      {"Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n", HeaderName::via},
      {"Contact: \"Joe\" <sip:joe@example.org>;;;;\r\n", HeaderName::contact},
      {"Contact: sip:user@example.com?Route=%3Csip:a%3E\r\n", HeaderName::contact},
      {"Route: sip:a, b\r\n", HeaderName::route},
      {"Record-Route: \r\n", HeaderName::record_route},
      {"Path: <a>\r\n", HeaderName::path},
      {"P-Asserted-Identity: x\r\n", HeaderName::p_asserted_identity},
      {"Content-Type: text\r\n", HeaderName::content_type},
      {"Content-Length: x\r\n", HeaderName::content_length}};
  for (const auto& [row, name] : rows) EXPECT_EQ(defect_of(test::request(row)), malformed_in(name)) << row;
}

TEST(Defects, NameAMalformedMandatoryHeader) {
  EXPECT_EQ(defect_of(with(test::request(), "\"Alice\" <", "Bell, Alexander <")),
            malformed_in(HeaderName::from));
  EXPECT_EQ(defect_of(with(test::request(), "To: <", "To: \"Mr. J. User <")), malformed_in(HeaderName::to));
  EXPECT_EQ(defect_of(with(test::request(), "CSeq: 1", "CSeq: 36893488147419103232")),
            malformed_in(HeaderName::cseq));
  EXPECT_EQ(defect_of(with(test::request(), "aiuy7k9njasd", "a b")), malformed_in(HeaderName::call_id));
  EXPECT_EQ(defect_of(with(test::request(), "Forwards: 70", "Forwards: 300")),
            malformed_in(HeaderName::max_forwards));
}

TEST(Defects, AreInTheRequestLineToo) {
  const std::string text = test::request();
  EXPECT_EQ(defect_of(with(text, "sip:ims.example", "<sip:ims.example>")),
            ParseError{Defect::malformed_request_uri});
  EXPECT_EQ(defect_of(with(text, "sip:ims.example", "sip:a?Route=%3Csip:b%3E")),
            ParseError{Defect::uri_headers_in_request});
  EXPECT_EQ(defect_of(with(text, "1 REGISTER", "1 INVITE")), ParseError{Defect::method_mismatch});
  EXPECT_FALSE(defect_of(with(text, "sip:ims.example", "unknown:scheme")));
}

TEST(Defects, AreInLengths) {
  EXPECT_EQ(defect_of(test::request("l: 1\r\n")), ParseError{Defect::body_too_short});
  EXPECT_FALSE(defect_of(test::request("l: 1\r\n", "MESSAGE", "more")));
}

TEST(Defects, AreInNumbersOfValues) {
  std::string rows;
  for (int i = 0; i < 5; ++i) rows += "Route: <sip:a>, <sip:b>\r\n";
  EXPECT_FALSE(defect_of(test::request(rows), {.values_max = 10}));
  EXPECT_EQ(defect_of(test::request(rows), {.values_max = 9}),
            (ParseError{Defect::too_many_values, HeaderName::route}));
  EXPECT_EQ(defect_of(test::request("v: SIP/2.0/UDP a, SIP/2.0/UDP b\r\n"), {.values_max = 2}),
            (ParseError{Defect::too_many_values, HeaderName::via}));
}

TEST(Defects, AreNotSoughtInWhatNobodyReads) {
  EXPECT_FALSE(
      defect_of(test::request("Date: Fri, 01 Jan 2010 16:00:00 EST\r\nX: ;;,,;\r\nWarning: 312\r\n")));
}

TEST(Defects, AreNoneInWhatTheMakerMakes) {
  test::MessageMaker maker{1};
  for (int i = 0; i < 3000; ++i) {
    const std::string text = maker.next();
    const auto message = Message::parse(text);
    ASSERT_TRUE(message) << message.error().reason_phrase() << '\n' << text;
    const auto defect = find_defect(*message);
    ASSERT_FALSE(defect) << defect->reason_phrase() << '\n' << text;
  }
}

// Whatever is done to a message, reading it stays within it (asked of AddressSanitizer).
TEST(Defects, AreValuesForMessagesThatWereDamaged) {
  test::MessageMaker maker{2};
  std::size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = maker.next();
    for (std::size_t damage = 1 + maker.below(4); damage > 0; --damage)
      text[maker.below(text.size())] = static_cast<char>(maker.below(256));
    const auto message = Message::parse(text);
    if (!message || find_defect(*message)) ++refused;
  }
  EXPECT_GT(refused, 1000U);
}

}  // namespace
}  // namespace turnpike::sip
