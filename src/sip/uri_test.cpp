#include "sip/uri.hpp"

#include <gtest/gtest.h>

namespace turnpike::sip {
namespace {

bool are_equivalent(std::string_view a, std::string_view b) {
  const auto first = Uri::parse(a);
  const auto second = Uri::parse(b);
  EXPECT_TRUE(first && second) << a << " or " << b;
  const bool forward = first->is_equivalent_to(*second);
  EXPECT_EQ(forward, second->is_equivalent_to(*first)) << a << " and " << b;
  return forward;
}

TEST(Uri, HasItsParts) {
  const auto uri = Uri::parse("sip:alice:secret@ims.example:5060;transport=ws;lr?subject=x&to=y");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->scheme(), Scheme::sip);
  EXPECT_EQ(uri->user(), "alice");
  EXPECT_EQ(uri->password(), "secret");
  EXPECT_EQ(uri->host(), "ims.example");
  EXPECT_EQ(uri->port(), 5060);
  EXPECT_EQ(uri->params().value("transport"), "ws");
  EXPECT_TRUE(uri->is_loose_router());
  EXPECT_EQ(uri->headers().value("to"), "y");
}

TEST(Uri, NeedsNoMoreThanAHost) {
  const auto uri = Uri::parse("SIPS:[2001:db8::1]");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->scheme(), Scheme::sips);
  EXPECT_FALSE(uri->has_user());
  EXPECT_EQ(uri->host(), "[2001:db8::1]");
  EXPECT_EQ(uri->port(), std::nullopt);
  EXPECT_FALSE(uri->password());
}

TEST(Uri, TakesDelimitersInTheUser) {
  EXPECT_EQ(Uri::parse("sip:user;par=u%40example.net@example.com")->user(), "user;par=u%40example.net");
  EXPECT_EQ(Uri::parse("sip:a/b?c,d;e*:&f+g=1,h!i$j_k.(l'm)@ims.example")->user(), "a/b?c,d;e*");
  EXPECT_EQ(Uri::parse("sip:null-%00-null@ims.example")->user(), "null-%00-null");
  EXPECT_EQ(Uri::parse("sip:+49(30)-1;phone-context=a@ims.example;user=phone")->params().value("user"),
            "phone");
}

TEST(Uri, IsRefusedWhenMalformed) {
  for (const auto* text : {"",
                           "sip",
                           "sip:",
                           ":alice@a",
                           "sip:@host",
                           "sip:a b@host",
                           "sip:alice@",
                           "sip:alice@host:",
                           "sip:alice@host:0",
                           "sip:alice@host:65536",
                           "sip:alice@host:5060x",
                           "sip:alice@[::1",
                           "sip:alice@[x]",
                           "sip:alice@[192.0.2.1]",
                           "sip:alice@host;",
                           "sip:alice@host;a;a",
                           "sip:alice@host?",
                           "sip:alice@host?a",
                           "sip:al%4@host",
                           "sip:a:b c@host",
                           "<sip:alice@host>",
                           "sip:alice@host>",
                           "sip: alice@host",
                           "sip:alice@host ",
                           "1sip:a@b",
                           "http://a b",
                           "x:",
                           "x_y:z",
                           "tel:",
                           "tel:+",
                           "tel:+12a",
                           "tel:12 3",
                           "tel:+1;a;a"})
    EXPECT_FALSE(Uri::parse(text)) << text;
}

TEST(Uri, KeepsOtherSchemesAsText) {
  const auto uri = Uri::parse("soap.beep://192.0.2.103:3002");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->scheme(), Scheme::other);
  EXPECT_FALSE(uri->is_sip());
  EXPECT_EQ(uri->text(), "soap.beep://192.0.2.103:3002");
  EXPECT_TRUE(Uri::parse("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
  EXPECT_TRUE(are_equivalent("urn:a", "urn:a"));
  EXPECT_FALSE(are_equivalent("urn:a", "urn:b"));
}

TEST(Uri, LimitsItsParameters) {
  EXPECT_TRUE(Uri::parse("sip:h;a;b", {.params_max = 2}));
  EXPECT_FALSE(Uri::parse("sip:h;a;b;c", {.params_max = 2}));
}

// The examples of RFC 3261 section 19.1.4.
TEST(UriEquivalence, HoldsAcrossSpellings) {
  EXPECT_TRUE(are_equivalent("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
  EXPECT_TRUE(are_equivalent("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
  EXPECT_TRUE(are_equivalent("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"));
  EXPECT_TRUE(are_equivalent("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                             "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"));
  EXPECT_TRUE(are_equivalent("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                             "sip:alice@atlanta.com?priority=urgent&subject=project%20x"));
}

TEST(UriEquivalence, FailsWhereTheMeaningMayDiffer) {
  EXPECT_FALSE(are_equivalent("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
  EXPECT_FALSE(are_equivalent("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
  EXPECT_FALSE(are_equivalent("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
  EXPECT_FALSE(are_equivalent("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
  EXPECT_FALSE(are_equivalent("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
  EXPECT_FALSE(are_equivalent("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
  EXPECT_FALSE(are_equivalent("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
  EXPECT_FALSE(are_equivalent("sip:alice@a.example", "sips:alice@a.example"));
  EXPECT_FALSE(are_equivalent("sip:alice@a.example", "sip:a.example"));
  EXPECT_FALSE(are_equivalent("sip:alice:x@a.example", "sip:alice@a.example"));
  EXPECT_FALSE(are_equivalent("sip:alice:x@a.example", "sip:alice:y@a.example"));
  for (const auto* param : {"user=phone", "ttl=1", "method=INVITE", "maddr=192.0.2.1"})
    EXPECT_FALSE(are_equivalent("sip:a@b", std::string{"sip:a@b;"} + param)) << param;
}

TEST(UriEquivalence, KeepsReservedCharactersApartFromTheirEscapes) {
  EXPECT_FALSE(are_equivalent("sip:a;b@h", "sip:a%3bb@h"));
  EXPECT_TRUE(are_equivalent("sip:a%3bb@h", "sip:a%3Bb@h"));
  EXPECT_TRUE(are_equivalent("sip:a-b@h", "sip:a%2db@h"));
  EXPECT_FALSE(are_equivalent("sip:a@h", "sip:A@h"));
  EXPECT_FALSE(are_equivalent("sip:a@h", "sip:ab@h"));
}

TEST(UriEquivalence, OfNumbersIgnoresVisualSeparators) {
  EXPECT_TRUE(are_equivalent("tel:+1-201-555-0123", "TEL:+1(201)555.0123"));
  EXPECT_TRUE(are_equivalent("tel:7042;phone-context=Example.com", "tel:7042;phone-context=example.com"));
  EXPECT_FALSE(are_equivalent("tel:7042;phone-context=a.example", "tel:7042;phone-context=b.example"));
  EXPECT_FALSE(are_equivalent("tel:+7042", "tel:7042"));
  EXPECT_FALSE(are_equivalent("tel:+7042", "tel:+7042;ext=1"));
}

TEST(EscapedUser, IsReadAgain) {
  for (const std::string text : {"alice", "a@b", "a:b %", "ü", "a;b?c"}) {
    const std::string uri = "sip:" + escaped_user(text) + "@h";
    ASSERT_TRUE(Uri::parse(uri)) << uri;
    EXPECT_EQ(unescaped(Uri::parse(uri)->user()), text);
  }
}

}  // namespace
}  // namespace turnpike::sip
