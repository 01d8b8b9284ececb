#include "sip/values.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sip/test_messages.hpp"

namespace turnpike::sip {
namespace {

TEST(NameAddr, HasDisplayUriAndParameters) {
  const auto address = NameAddr::parse("\"J \\\"R\\\"\"  <sip:j@ims.example;lr> ; tag = 98a");
  ASSERT_TRUE(address);
  EXPECT_EQ(unquoted(address->display), "J \"R\"");
  EXPECT_EQ(address->uri_text, "sip:j@ims.example;lr");
  EXPECT_TRUE(address->uri.is_loose_router());
  EXPECT_EQ(address->tag(), "98a");
}

TEST(NameAddr, MayHaveTokensOrNothingForADisplay) {
  EXPECT_EQ(NameAddr::parse("caller<sip:c@h>")->display, "caller");
  EXPECT_EQ(NameAddr::parse("token1~` token2'+_  <sip:c@h>")->display, "token1~` token2'+_");
  EXPECT_EQ(NameAddr::parse("<sip:c@h>")->display, "");
}

TEST(NameAddr, WithoutBracketsLeavesParametersToTheHeader) {
  const auto address = NameAddr::parse("sip:c@h ;tag=1;x=\"<,>\"");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->uri_text, "sip:c@h");
  EXPECT_TRUE(address->uri.params().empty());
  EXPECT_EQ(address->tag(), "1");
  EXPECT_TRUE(NameAddr::parse("sip:c@h")->params.empty());
}

TEST(NameAddr, KeepsTheInstanceInItsQuotes) {
  const auto contact =
      NameAddr::parse("<sip:a@x.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"");
  ASSERT_TRUE(contact);
  EXPECT_EQ(contact->uri.params().value("transport"), "ws");
  EXPECT_EQ(contact->params.find("+sip.instance")->text(), "<urn:uuid:1>");
}

TEST(NameAddr, IsRefusedWhenMalformed) {
  for (const auto* text :
       {"", "<>", "<sip:a@b", "sip:a@b>", "\"a <sip:a@b>", "\"a\" sip:a@b", "Bell, A <sip:a@b>", "< sip:a@b>",
        "<sip:a@b >", "<sip:a@b>;;", "<sip:a@b>;tag=1;tag=2", "<sip:a@b> x", "sip:a@b?x=y", "sip:a@b,c",
        "alice", "*", "<sip:a@b>,<sip:c@d>", "a@b <sip:a@b>"})
    EXPECT_FALSE(NameAddr::parse(text)) << text;
}

TEST(Via, HasItsParts) {
  const auto via =
      Via::parse("SIP / 2.0\r\n /WSS  df7.invalid : 443 ;branch = z9hG4bK1;rport;received=192.0.2.9");
  ASSERT_TRUE(via);
  EXPECT_EQ(via->transport, "WSS");
  EXPECT_EQ(via->host, "df7.invalid");
  EXPECT_EQ(via->port, 443);
  EXPECT_EQ(via->branch(), "z9hG4bK1");
  EXPECT_EQ(via->received(), "192.0.2.9");
  EXPECT_TRUE(via->params.has("rport"));
}

TEST(Via, TakesUnknownTransportsAndIpv6) {
  EXPECT_EQ(Via::parse("SIP/2.0/UNKNOWN t.example;branch=z9hG4bK1")->transport, "UNKNOWN");
  EXPECT_EQ(Via::parse("SIP/2.0/UDP [2001:db8::9]:5061;received=2001:db8::1")->host, "[2001:db8::9]");
}

TEST(Via, TellsBranchesOfRfc3261) {
  EXPECT_TRUE(Via::parse("SIP/2.0/UDP h;branch=Z9HG4BKa")->has_rfc3261_branch());
  EXPECT_FALSE(Via::parse("SIP/2.0/UDP h;branch=z9hG4bK")->has_rfc3261_branch());
  EXPECT_FALSE(Via::parse("SIP/2.0/UDP h;branch=1")->has_rfc3261_branch());
  EXPECT_FALSE(Via::parse("SIP/2.0/UDP h")->has_rfc3261_branch());
}

TEST(Via, IsRefusedWhenMalformed) {
  for (const auto* text : {"", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/1.0/UDP h", "HTTP/2.0/UDP h", "SIP/2.0/ h",
                           "SIP/2.0/UDP h:", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:70000", "SIP/2.0/UDP h;;",
                           "SIP/2.0/UDP h;branch=", "SIP/2.0/UDP h;a=1;a=2", "SIP/2.0/UDP h x",
                           "SIP/2.0/UDP [::1", "SIP/2.0/UDPh"})
    EXPECT_FALSE(Via::parse(text)) << text;
}

TEST(CSeq, IsANumberAndAMethod) {
  const auto cseq = CSeq::parse("0009\r\n  INVITE");
  ASSERT_TRUE(cseq);
  EXPECT_EQ(cseq->number, 9U);
  EXPECT_EQ(cseq->method, Method::invite);
  EXPECT_EQ(CSeq::parse("2147483647 X")->method_text, "X");
  for (const auto* text :
       {"", "1", "1 ", "INVITE", "1INVITE", "-1 INVITE", "2147483648 INVITE", "1 A B", "1 <A>"})
    EXPECT_FALSE(CSeq::parse(text)) << text;
}

TEST(RAck, NamesAResponseAndItsRequest) {
  const auto rack = RAck::parse("776656 1 INVITE");
  ASSERT_TRUE(rack);
  EXPECT_EQ(rack->response_number, 776656U);
  EXPECT_EQ(rack->cseq.number, 1U);
  for (const auto* text : {"", "1", "1 INVITE", "4294967296 1 INVITE"})
    EXPECT_FALSE(RAck::parse(text)) << text;
}

TEST(ParameterizedValue, TakesTokensAndQuotedStrings) {
  const auto state = ParameterizedValue::parse("active;expires=60");
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->is("Active"));
  EXPECT_EQ(state->params.value("expires"), "60");
  EXPECT_EQ(ParameterizedValue::parse("\"Visited network, 1\"")->text(), "Visited network, 1");
  for (const auto* text : {"", ";a", "\"a", "a b", "a;"})
    EXPECT_FALSE(ParameterizedValue::parse(text)) << text;
}

TEST(MediaType, HasTwoNames) {
  const auto type = MediaType::parse("application / TURN-credentials+json ; charset=\"utf-8\"");
  ASSERT_TRUE(type);
  EXPECT_TRUE(type->is("Application", "turn-credentials+json"));
  EXPECT_EQ(type->params.find("charset")->text(), "utf-8");
  for (const auto* text : {"", "a", "a/", "/b", "a/b/c", "a/b;"})
    EXPECT_FALSE(MediaType::parse(text)) << text;
}

TEST(Credentials, OfDigestHaveParameters) {
  const auto found =
      Credentials::parse("digest username=\"a\", nonce=\"\", uri=\"sip:h\", response=\"\",\r\n qop=auth");
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_digest());
  EXPECT_EQ(found->text("username"), "a");
  EXPECT_EQ(found->text("response"), "");
  EXPECT_EQ(found->text("QOP"), "auth");
  EXPECT_EQ(found->text("absent"), std::nullopt);
  EXPECT_EQ(found->bearer_token(), std::nullopt);
}

TEST(Credentials, OfBearerComeInBothSpellings) {
  EXPECT_EQ(Credentials::parse("Bearer access_token=\"eyJ.a-b_c~d+e/f==\"")->bearer_token(),
            "eyJ.a-b_c~d+e/f==");
  EXPECT_EQ(Credentials::parse("Bearer access_token=abc")->bearer_token(), "abc");
  EXPECT_EQ(Credentials::parse("bearer eyJ.a-b_c~d+e/f==")->bearer_token(), "eyJ.a-b_c~d+e/f==");
  EXPECT_EQ(Credentials::parse("Bearer access_token=\"\"")->bearer_token(), std::nullopt);
  EXPECT_EQ(Credentials::parse("Bearer realm=\"a\", scope=\"b c\"")->bearer_token(), std::nullopt);
}

TEST(Credentials, AreRefusedWhenMalformed) {
  for (const auto* text : {"", "Digest", "Digest ", "Digest a=1,", "Digest a=1,a=2", "Bearer a b",
                           "Bearer =", "Digest username=\"a", "Bearer \"a\"", "Digest a=1;b=2"})
    EXPECT_FALSE(Credentials::parse(text)) << text;
}

TEST(Seconds, HaveThirtyTwoBits) {
  EXPECT_EQ(parse_seconds("4294967295"), 4294967295U);
  EXPECT_EQ(parse_seconds("4294967296"), std::nullopt);
  EXPECT_EQ(parse_seconds("1h"), std::nullopt);
}

std::vector<std::string> members(std::string_view list) {
  std::vector<std::string> all;
  while (const auto member = take_list_member(list)) all.emplace_back(*member);
  return all;
}

TEST(ListMembers, AreCutOutsideOfQuotesAndBrackets) {
  EXPECT_EQ(members("a,b , c"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(members("\"a,\\\",b\" <x,y>,c"), (std::vector<std::string>{"\"a,\\\",b\" <x,y>", "c"}));
  EXPECT_EQ(members(",a,"), (std::vector<std::string>{"", "a", ""}));
  EXPECT_EQ(members("<a,\"b"), (std::vector<std::string>{"<a,\"b"}));
  EXPECT_EQ(members("\"a,b\\"), (std::vector<std::string>{"\"a,b\\"}));
  EXPECT_EQ(members(""), (std::vector<std::string>{""}));
}

TEST(ValueCursor, VisitsListsOverAllRows) {
  const std::string text = test::request("Route: <sip:a>,<sip:b>\r\nSubject: x,y\r\nroute:<sip:c>\r\n");
  const Message message = test::parsed(text);
  ValueCursor cursor{message, HeaderName::route};
  EXPECT_EQ(cursor.next(), "<sip:a>");
  EXPECT_EQ(cursor.next(), "<sip:b>");
  EXPECT_EQ(cursor.next(), "<sip:c>");
  EXPECT_EQ(cursor.next(), std::nullopt);
  EXPECT_EQ(cursor.next(), std::nullopt);
}

}  // namespace
}  // namespace turnpike::sip
